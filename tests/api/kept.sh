#!/usr/bin/env bash
# A rebuild of the catalog that is killed: the copy that is kept of the old one is a copy, or is not there.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq

catalog=$state/catalog.db
rebuild() { # POINT: where it is killed
	stopped=0
	VHDD_CRASH_AT=$1 "$VHDD" --state-dir "$state" --rebuild-catalog >"$work/rebuilt" || stopped=$?
}
old() { find "$state" -name 'catalog.db.*.old*' | sort; }
change() { # NUMBER
	expect 201 /v1/images -d "{\"name\":\"after-$1\",\"size\":1048576}"
}

start_vhdd
expect 201 /v1/images -d '{"name":"base","size":1048576,"description":"before"}'
n=0
for point in rebuild.old-kept rebuild.journal-moved; do
	for end in TERM KILL; do
		stop_vhdd $end
		rebuild $point
		[ "$stopped" -eq 86 ] || fail "$point was not reached: $stopped"
		[ "$(stat -c %h "$catalog")" -eq 2 ] || fail "$point: the catalog has no second name yet"
		start_vhdd
		[ "$(stat -c %h "$catalog")" -eq 1 ] || fail "$point: two names are one file"
		[ -z "$(old)" ] || fail "$point: a copy is kept that is none: $(old)"
		n=$((n + 1))
		change $n
		expect 200 /v1/images/base
		check '.description == "before"'
	done
	# The rebuild is run again, instead of the daemon.
	stop_vhdd
	rebuild $point
	rebuild ''
	[ "$stopped" -eq 0 ] || fail "$point: the second rebuild ended with $stopped"
	kept=$(old | grep '\.old$') || fail "$point: no old catalog is kept"
	[ "$(printf '%s\n' "$kept" | wc -l)" -eq 1 ] || fail "$point: too much is kept: $kept"
	[ "$(stat -c %h "$kept")" -eq 1 ] || fail "$point: what is kept has a second name"
	before=$(sha256sum "$kept")
	start_vhdd
	n=$((n + 1))
	change $n
	[ "$(sha256sum "$kept")" = "$before" ] || fail "$point: what is kept has changed"
	find "$state" -name 'catalog.db.*.old*' -delete
done
expect 200 '/v1/images?count=1'
check '.total == '$((n + 1))
finish
