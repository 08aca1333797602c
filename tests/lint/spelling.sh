#!/usr/bin/env bash
# Fails on a known misspelling in any text of the project. Words that are right here: words.txt.
. "$(dirname "$0")/lib.sh"
need codespell

files '*' | grep -Ev '^(LICENSE$|tests/data/|tests/fuzz/corpus/)' | xargs -r grep -Il '' |
	xargs -r codespell --ignore-words tests/lint/words.txt
