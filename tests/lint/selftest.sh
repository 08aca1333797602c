#!/usr/bin/env bash
# Fails when a lint lets pass what it is there to stop: each is run on a tree with one fault in it, and on one
# with nothing but look-alikes.
set -euo pipefail
cd "$(dirname "$0")"

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

plant() { # file, text: a fresh tree with that file in it
	rm -rf "${tree:?}"/*
	mkdir -p "$tree"/{tests/lint,engine/include,api/include,server}
	cp ./*.sh words.txt "$tree/tests/lint/"
	touch "$tree/engine/bat.h" "$tree/engine/include/vhd.h" "$tree/api/include/api.h" "$tree/server/jobs.h"
	mkdir -p "$(dirname "$tree/$1")"
	printf '%b\n' "$2" >"$tree/$1"
}

output() { (cd / && bash "$tree/tests/lint/$1.sh" 2>&1); }

stops() { # lint, file, text, what it says
	plant "$2" "$3"
	local said
	if said=$(output "$1"); then
		echo "$1 lets pass: $2: ${3:0:80}"
		failed=1
	elif ! grep -qF -- "$4" <<<"$said"; then
		printf '%s stops %s for another reason: %s\n' "$1" "$2" "$said"
		failed=1
	fi
}

passes() { # lint, file, text
	plant "$2" "$3"
	local said
	if ! said=$(output "$1"); then
		printf '%s stops %s: %s\n' "$1" "$2" "$said"
		failed=1
	fi
}

stops layers api/images.c '#include <microhttpd.h>' 'microhttpd.h'
stops layers server/service.c '# include <sqlite3.h>' 'sqlite3.h'
stops layers server/jobs.c '#include <jansson.h>' 'jansson.h'
stops layers engine/footer.c '#include <uuid/uuid.h>' 'uuid/uuid.h'
stops layers server/main.c '#include <systemd/sd-daemon.h>' 'systemd/'
stops layers api/images.c '#include "vhd.h"' 'vhd.h'
stops layers engine/bat.c '#include "api.h"' 'api.h'
stops layers engine/bat.c '#include "jobs.h"' 'engine/ knows'
stops layers api/images.c '#include "bat.h"' 'api/ knows'
stops layers server/jobs.c '#include "../engine/bat.h"' 'server/ sees only'
stops layers engine/bat.c 'x = 1; if (unlink(p) < 0)' 'engine/ opens'
stops layers engine/bat.h '\treturn rename (a, b);' 'engine/ opens'
stops layers engine/bat.c 'int now = time(NULL);' 'no clock'
stops layers server/jobs.c 'fd = openat(dir, "x", 0);' 'server/ meets files'
stops layers server/jobs.c 'run("SELECT id FROM image");' 'SQL'
stops sizes engine/bat.c "$(yes 'int x;' | head -n 501)" 'more than 500'

passes layers engine/bat.c '/* open(2) and\n * unlink(p) */ s = "open(x) \\" link(y)"; io->open(x); ops.stat(x); bat_open(x); // time(0)'
passes layers engine/path.c 'fd = open(p, 0);'
passes layers engine/bat.c '#include "bat.h"\n#include "vhd.h"'
passes layers server/jobs.c '#include "jobs.h"\n#include "vhd.h"\n#include "api.h"\nput("DELETE", "UPDATE");'
passes layers server/catalog_pg.c '#include <sqlite3.h>\nrun("SELECT id FROM image");'
passes layers server/httpd_body.c '#include <microhttpd.h>'
passes sizes engine/bat.c "$(yes 'int x;' | head -n 499)"

exit "$failed"
