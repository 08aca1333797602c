#!/usr/bin/env bash
# Fails when a library or a system call leaves its home. Who may know what: ARCHITECTURE.md.
. "$(dirname "$0")/lib.sh"

parts() { files 'engine/*.[ch]' 'api/*.[ch]' 'server/*.[ch]'; }

failed=0
# Reads offending lines, `file:line:text`; `allowed` is a pattern of file names that may have them.
report() { # what, allowed
	local lines
	lines=$(grep -Ev "^($2):" || test $? -eq 1)
	[ -n "$lines" ] || return 0
	printf '%s:\n%s\n' "$1" "$lines"
	failed=1
}

grep_parts() { parts | xargs -r grep -HnE "$1" || test $? -eq 123; }

# Code without comments and without what is in quotes, as `file:line:code`.
code() {
	# shellcheck disable=SC2016 # the dollars are awk's
	xargs -r awk '
		FNR == 1 { comment = 0 }
		!comment && !/["\047\/]/ { print FILENAME ":" FNR ":" $0; next }
		comment && !/\*\// { next }
		{
			out = quote = ""
			for (i = 1; i <= length($0); i++) {
				c = substr($0, i, 1)
				two = substr($0, i, 2)
				if (comment) {
					if (two == "*/") { comment = 0; i++ }
				} else if (quote != "") {
					if (c == "\\") i++
					else if (c == quote) quote = ""
				} else if (two == "//") break
				else if (two == "/*") { comment = 1; i++ }
				else if (c == "\"" || c == "\047") quote = c
				else out = out c
			}
			print FILENAME ":" FNR ":" out
		}'
}

calls() { code | { grep -E "^[^:]*:[0-9]+:(.*[^A-Za-z0-9_.>])?($1)[[:space:]]*\(" || test $? -eq 1; }; }

header() { # header, its home
	report "<${1//\\/}> has left its home" "$2" < <(
		grep_parts "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$1[>\"]")
}

header 'microhttpd\.h' 'server/httpd[^/]*\.c'
header 'sqlite3\.h' 'server/catalog[^/]*\.c'
header 'jansson\.h' 'api/[^:]*'
header 'uuid/uuid\.h' 'server/service[^/]*\.c|server/ids\.c'
header 'systemd/[a-z-]+\.h' 'server/notify\.c'
header 'ini\.h' 'server/config_file\.c'
header 'gnutls/[a-z0-9]+\.h' 'server/digest\.c'
header 'vhd\.h' '(engine|server)/[^:]*'
header '(http|api|service)\.h' '(api|server)/[^:]*'

headers() { { find "$@" -name '*.h' 2>/dev/null || :; } | sed 's|.*/||' | tr '\n' ' '; }

# A header in quotes is of the same part, or of an include/ folder below it.
foreign() { # part, folders whose headers it may not see
	local part=$1 own theirs line name
	shift
	own=" $(headers "$part")"
	theirs=" $(headers "$@")"
	files "$part/*.[ch]" | xargs -r grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' |
		while IFS= read -r line; do
			name=${line#*\"}
			name=${name%%\"*}
			name=" ${name##*/} "
			if [[ $own != *"$name"* && $theirs == *"$name"* ]]; then echo "$line"; fi
		done
}
report 'engine/ knows neither api/ nor server/' '' < <(foreign engine api server)
report 'api/ knows neither engine/ nor server/' '' < <(foreign api engine server)
mapfile -t inner < <(find engine api -mindepth 1 -maxdepth 1 ! -name include)
report 'server/ sees only include/ of the others' '' < <(foreign server "${inner[@]}")

paths='open|openat|openat2|creat|fopen|freopen|opendir|stat|lstat|fstatat|statx|access|faccessat|readlink|realpath'
paths+='|unlink|unlinkat|remove|rename|renameat|renameat2|link|linkat|symlink|symlinkat|mkdir|mkdirat|rmdir'
paths+='|truncate|chmod|chown|mkstemp|mkdtemp'
report 'engine/ opens paths in path.c, and is given everything else' 'engine/(io_file|path)\.c' < <(
	files 'engine/*.[ch]' | calls "$paths")
report 'server/ meets files in pool, main and config_file' 'server/(pool[^/]*|main|config_file)\.c|server/ctl/[^:]*' < <(
	files 'server/*.[ch]' | calls "$paths")
report 'the umask is set once, before there are threads' 'server/main\.c' < <(parts | calls umask)
report 'engine/ has no clock, no chance, no threads, no log' '' < <(
	files 'engine/*.[ch]' | calls 'time|clock_gettime|gettimeofday|getrandom|random|rand|getenv|pthread_create|fork|printf|fprintf|perror|syslog|exit')

sql='SELECT .*FROM |INSERT (OR [A-Z]+ )?INTO |UPDATE [a-z_]+ SET |DELETE FROM |(CREATE|DROP|ALTER) (TABLE|INDEX|TRIGGER|VIEW) |PRAGMA |BEGIN IMMEDIATE'
report 'SQL is text of the catalog' 'server/catalog[^/]*' < <(grep_parts "\"[^\"]*($sql)")

exit "$failed"
