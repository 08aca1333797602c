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
cmake --build "$build" --target tests/fuzz/all -- --quiet

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
# Lines that only a failing allocation, store or caller reaches are for the tests that make each call fail.
llvm-cov show -instr-profile "$build/profiles/all" "${objects[@]:1}" "${parsers[@]}" |
	awk -F '|' -v least="$least" -v top="$PWD/" -v files="${#parsers[@]}" '
		function row() {
			if (file == "") return
			n++
			percent = 100 * hit / all
			sum += all
			reached += hit
			low += percent < least
			printf "%-18s %5d lines  %6.2f %%%s\n", file, all, percent, percent < least ? "  LOW" : ""
			for (i = 1; i <= missed && percent < least; i++) print "    " miss[i]
		}
		/^\/.*:$/ {
			row()
			file = substr($0, length(top) + 1)
			sub(/:$/, "", file)
			all = hit = missed = 0
			next
		}
		$2 ~ /[0-9]/ {
			if ($2 ~ /^ *0$/) {
				if ($3 ~ /no memory|VHD_E_NOMEM|VHD_E_AGAIN|VHD_E_CANCELED|vhd_wrap\(|return r;|free\(page\)/) next
				miss[++missed] = $1 "|" $3
			} else {
				hit++
			}
			all++
		}
		END {
			row()
			printf "figure: fuzz.lines =%d\n", 100 * reached / sum
			exit low > 0 || n != files
		}'
