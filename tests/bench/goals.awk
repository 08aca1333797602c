# goals.awk - results and goals into a table: ratios first, then medians and how far they spread. A result is a job and
# its value; a goal is its name, least or most, the limit, a job, what that is compared with (nothing: the value itself), and,
# for one that this machine misses, what the profile said. Of times, only those that goals name are told.
BEGIN { FS = "\t" }

function sort(job, values,    n, i, j, value) {
	n = split(all[job], values, " ")
	if (n == 0) {
		print "no job: " job
		failed = 1
		exit 1
	}
	for (i = 2; i <= n; i++) {
		value = values[i]
		for (j = i - 1; j > 0 && values[j] + 0 > value + 0; j--) values[j + 1] = values[j]
		values[j + 1] = value
	}
	return n
}

function median(job,    values, n) {
	n = sort(job, values)
	return values[int((n + 1) / 2)] + 0
}

NR == FNR {
	if (!($1 in all)) jobs[++n_jobs] = $1
	all[$1] = all[$1] " " $2
	next
}

NF > 1 {
	named[$4]
	named[$5]
	value = median($4)
	if ($5 != "") value /= median($5)
	met = $2 == "least" ? value >= $3 : value <= $3
	missed += !met
	printf "%-4s %-38s %8.2f%s (at %s %.2f)%s%s %s\n", $1, $4, value, $5 != "" ? "x" : "", $2, $3,
		$5 != "" ? " of " : "", $5, met ? "met" : "MISSED"
	if (!met && $6 != "") print "     why: " $6
}

END {
	if (failed) exit 1
	print ""
	for (i = 1; i <= n_jobs; i++) {
		if (jobs[i] ~ /, (us|p99 ms)$/ && !(jobs[i] in named)) continue
		n = sort(jobs[i], values)
		printf "     %-38s %12.1f (%.1f .. %.1f)\n", jobs[i], median(jobs[i]), values[1], values[n]
	}
	printf "\n%d goals missed\n", missed
}
