#!/usr/bin/env bash
# What the corpora alone reach of the decoders and parsers: a table, and a failure where it is less than 95 % of the lines
# of a file, for there the fuzzers are blind.
#
#   coverage.sh [BUILD]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${1:-build/fuzz-coverage}
least=95
parsers=(
	engine/{bat,footer,footers,header,layout,locator,utf}.c
	api/{base64,body,date,etag,number,query,range}.c
)

cmake -S . -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DVHDD_TESTING=ON -DVHDD_FUZZ=ON \
	-DCMAKE_C_FLAGS_DEBUG='-O0 -g -fprofile-instr-generate -fcoverage-mapping' >/dev/null
cmake --build "$build" -- --quiet

rm -rf "$build/profiles"
mkdir -p "$build/profiles"
objects=()
for binary in "$build"/bin/fuzz_*; do
	name=${binary##*/fuzz_}
	LLVM_PROFILE_FILE=$build/profiles/$name.raw "$binary" -runs=0 -rss_limit_mb=512 "tests/fuzz/corpus/$name" \
		>"$build/profiles/$name.log" 2>&1 || {
		cat "$build/profiles/$name.log"
		exit 1
	}
	objects+=(-object "$binary")
done
llvm-profdata merge -o "$build/profiles/all" "$build"/profiles/*.raw
# Columns: file, regions (3), functions (3), lines, missed lines, percent, ...
llvm-cov report -instr-profile "$build/profiles/all" "${objects[@]:1}" "${parsers[@]}" |
	awk -v least="$least" -v files="${#parsers[@]}" '
		/\.c / {
			n++
			percent = 100 * (1 - $9 / $8)
			lines += $8
			missed += $9
			low += percent < least
			printf "%-16s %5d lines  %6.2f %%%s\n", $1, $8, percent, percent < least ? "  LOW" : ""
		}
		END {
			printf "figure: fuzz.lines =%d\n", 100 * (1 - missed / lines)
			exit low > 0 || n != files
		}'
