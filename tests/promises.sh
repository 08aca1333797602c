#!/bin/sh
# The table of promises: tests/promises.tsv beside the figures of a run. Lines `figure: NAME N` are
# added up; of `figure: NAME =N`, which do not add up, the least counts.
# Fails when a figure is missing or misses its target.
#
#   promises.sh FIGURES
set -eu
awk -F '\t' '
	FNR == NR {
		if (split($0, word, " ") != 3 || word[1] != "figure:") next
		name = word[2]
		if (word[3] !~ /^=/) sum[name] += word[3]
		else if (!(name in seen) || substr(word[3], 2) + 0 < sum[name]) sum[name] = substr(word[3], 2) + 0
		seen[name] = 1
		next
	}
	/^#/ || NF < 5 { next }
	{
		figure = $3 in seen ? sprintf("%.10g", sum[$3]) : "none"
		target = $4 == "later" ? "later" : "at " $4 " " $5
		met = $4 == "least" ? sum[$3] >= $5 : sum[$3] <= $5
		verdict = $4 == "later" ? "later" : !($3 in seen) || !met ? "MISSED" : "met"
		missed += verdict == "MISSED"
		if ($4 == "later") figure = "-"
		printf "%-40s %-46s %12s  %-18s %s\n", $1, $2, figure, target, verdict
	}
	END { exit missed > 0 }' "$1" "$(dirname "$0")/promises.tsv"
