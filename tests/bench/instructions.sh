#!/usr/bin/env bash
# Counts the instructions of the engine's hot paths, by callgrind, beside those of instructions.tsv: instructions.sh
# [PROGRAM]. Fails when one has grown by more than a quarter. System calls count nothing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=${1:-$here/../../build/bin/bench_instructions}
command -v valgrind >/dev/null || {
	echo "instructions: no valgrind"
	exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

count() { # path
	local ops collected
	rm -f "$work/"*
	ops=$(valgrind --tool=callgrind --toggle-collect=counted --callgrind-out-file="$work/out" "$program" "$work" \
		"$1" 2>"$work/log") || {
		cat "$work/log" >&2
		return 1
	}
	collected=$(sed -n 's/.*Collected : *//p' "$work/log")
	echo "$((collected / ops))"
}

printf '%-14s %9s %9s\n' 'instructions' now kept
while read -r path kept; do
	now=$(count "$path")
	printf '%-14s %9d %9d\n' "$path" "$now" "$kept"
	if [ "$((now * 4))" -gt "$((kept * 5))" ]; then
		echo "$path: more than a quarter above $kept: make it cheaper, or put the new figure into instructions.tsv and say in the commit why"
		failed=1
	fi
done <"$here/instructions.tsv"
exit "$failed"
