#!/usr/bin/env bash
# Fails when a lint lets pass what it is there to stop: they are run on a tree of faults, one in each file, and
# on a tree of nothing but look-alikes.
set -euo pipefail
cd "$(dirname "$0")"

trees=$(mktemp -d)
trap 'rm -rf "$trees"' EXIT
failed=0

plant() { # tree, file, text
	local tree=$trees/$1
	mkdir -p "$tree"/{tests/lint,engine/include,api/include,server}
	cp lib.sh layers.sh sizes.sh "$tree/tests/lint/"
	touch "$tree/engine/bat.h" "$tree/engine/include/vhd.h" "$tree/api/include/api.h" "$tree/server/jobs.h"
	[ -e "$tree/$2" ] && [ -s "$tree/$2" ] && echo "selftest: $2 is planted twice" && exit 1
	printf '%b\n' "$3" >"$tree/$2"
}

faults=()
stops() { # file, text, and what the lint calls it
	plant faults "$1" "$2"
	faults+=("$1" "$3")
}

passes() { plant fine "$1" "$2"; }

run() { (cd / && bash "$trees/$1/tests/lint/$2.sh" 2>&1); }

# A fault is found when its file stands below a heading that names the rule.
found() { # file, rule; reads what the lint said
	awk -v file="$1:" -v rule="$2" '
		/:$/ { heading = $0 }
		index($0, file) == 1 && index(heading, rule) { found = 1 }
		END { exit !found }'
}

stops api/a1.c '#include <microhttpd.h>' 'microhttpd.h'
stops server/a2.c '# include <sqlite3.h>' 'sqlite3.h'
stops server/a3.c '#include <jansson.h>' 'jansson.h'
stops engine/a4.c '#include <uuid/uuid.h>' 'uuid/uuid.h'
stops server/a5.c '#include <systemd/sd-daemon.h>' 'systemd/'
stops server/a6.h '#include <ini.h>' 'ini.h'
stops server/a7.c '#include <gnutls/crypto.h>' 'gnutls/'
stops api/b1.c '#include "vhd.h"' 'vhd.h'
stops engine/b2.c '#include "api.h"' '(http|api|service).h'
stops engine/b3.c '#include "jobs.h"' 'engine/ knows'
stops api/b4.h '#include "bat.h"' 'api/ knows'
stops server/b5.c '#include "../engine/bat.h"' 'server/ sees only'
stops engine/c1.c 'x = 1; if (unlink(p) < 0)' 'engine/ opens'
stops engine/c2.h '\treturn "//" + rename (a, b);' 'engine/ opens'
stops engine/c3.c 'int now = time(NULL);' 'no clock'
stops server/c4.c 'fd = openat(dir, "x", 0);' 'server/ meets files'
stops server/c5.c 'before = umask(0117);' 'the umask'
stops server/d1.c 'run("SELECT id FROM image");' 'SQL'

passes engine/e1.c '/* open(2) and\n * unlink(p) */ s = "open(x) \\" link(y)"; io->open(x); ops.stat(x); bat_open(x); // time(0)'
passes engine/path.c 'fd = open(p, 0);'
passes engine/e2.c '#include "bat.h"\n#include "vhd.h"'
passes server/e3.c '#include "jobs.h"\n#include "vhd.h"\n#include "api.h"\nput("DELETE", "UPDATE");'
passes server/catalog_pg.c '#include <sqlite3.h>\nrun("SELECT id FROM image");'
passes server/httpd_body.c '#include <microhttpd.h>'

said=$(run faults layers) && failed=1
for ((i = 0; i < ${#faults[@]}; i += 2)); do
	found "${faults[i]}" "${faults[i + 1]}" <<<"$said" || {
		echo "layers lets pass: $(cat "$trees/faults/${faults[i]}")"
		failed=1
	}
done

plant faults engine/long.c "$(yes 'int x;' | head -n 501)"
plant fine engine/long.c "$(yes 'int x;' | head -n 500)"
said=$(run faults sizes) && failed=1
grep -q '^engine/long.c: more than 500' <<<"$said" || {
	echo 'sizes lets pass a file of 501 lines'
	failed=1
}

for lint in layers sizes; do
	said=$(run fine "$lint") || {
		printf '%s stops what is right:\n%s\n' "$lint" "$said"
		failed=1
	}
done

exit "$failed"
