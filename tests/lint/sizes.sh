#!/usr/bin/env bash
# Fails when a source file passes 500 lines: it holds more than one thing. (Functions: clang-tidy.)
. "$(dirname "$0")/lib.sh"

files 'engine/*.[ch]' 'api/*.[ch]' 'server/*.[ch]' | xargs -r awk '
	FNR == 501 { print FILENAME ": more than 500 lines"; failed = 1 }
	END { exit failed }'
