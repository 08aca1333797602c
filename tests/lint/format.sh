#!/usr/bin/env bash
# Fails when clang-format would lay out a file differently.
. "$(dirname "$0")/lib.sh"
need clang-format

files '*.[ch]' | xargs -r clang-format --dry-run -Werror
