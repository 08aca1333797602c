#!/usr/bin/env bash
# The catalog: damaged, lost, newer, on a disk that fails or is full.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
status_of() { # of a daemon that does not start
	status=0
	"$VHDD" --state-dir "$state" --listen "unix:$socket" >"$work/said" 2>&1 || status=$?
}
says() {
	grep -q -- "$1" "$work/said" || fail "it does not say '$1': $(cat "$work/said")"
}
start_vhdd
random 100000 "$work/bytes"
image base 8M
expect 200 /v1/images/base -X PATCH -d labels.tier=gold
expect 200 /v1/images/base/data -T "$work/bytes"
expect 201 /v1/images -d '{"name":"kid","parent":"base","labels":{"env":"prod"},"description":"as it was"}'
stop_vhdd
start_vhdd # backs it up
wait_until compgen -G "$state/catalog.db.*.bak" >/dev/null
stop_vhdd

same_as_before() { # WHEN
	start_vhdd
	expect 206 /v1/images/kid/data -r 0-99999
	same "$work/bytes" "$body" "$1: the data"
	expect 200 /v1/images/kid
	check '.labels.env == "prod" and .description == "as it was" and .parent.name == "base"' "$1"
	stop_vhdd
	[ "$stopped" -eq 0 ] || fail "$1: status $stopped"
}

# ---- damaged
head -c 4096 /dev/urandom | dd of="$state/catalog.db" bs=4096 seek=1 conv=notrunc status=none
status_of
[ "$status" -eq 65 ] || fail "a damaged catalog: status $status"
says '--rebuild-catalog'
"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" 2>&1 || fail "rebuild fails: $(cat "$work/said")"
says 'names and labels come from .*\.bak'
says '2 images are in the new catalog'
says 'the old catalog is .*\.old'
same_as_before 'rebuilt from the backup'
# ---- lost
rm "$state/catalog.db"
"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" 2>&1 || fail "rebuild fails: $(cat "$work/said")"
same_as_before 'rebuilt without the old one'
# ---- lost, with a backup beside it
newest=$(compgen -G "$state/catalog.db.*.bak" | tail -n 1)
touch "$state/catalog.db.20900101T000000Z.bak" # holds nothing
for lost in 'rm' 'truncate -s 0'; do
	$lost "$state/catalog.db"
	status_of
	[ "$status" -eq 65 ] || fail "a lost catalog, $lost: status $status"
	says "lost: there is none, but a backup of it, $newest ($state/catalog.db)"
	says 'vhdd --rebuild-catalog makes a new one from the image files and the backups; to begin an empty one, move these away'
	"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" 2>&1 || fail "rebuild fails: $(cat "$work/said")"
	same_as_before "rebuilt after $lost"
done
# ---- lost, and its backups were moved away while an empty one was begun
rm "$state/catalog.db"
mkdir "$work/away"
mv "$state"/catalog.db.*.bak "$work/away"
touch "$state/catalog.db.20200101T000000Z.bak"
start_vhdd
expect 404 /v1/images/kid
expect 201 /v1/images -d name=base -d size=1M # its name is taken now
stop_vhdd
rm "$state/catalog.db.20200101T000000Z.bak" "$work/away/catalog.db.20900101T000000Z.bak"
mv "$work/away"/* "$state"
is_later() { # than the second of the other backup
	next=$state/catalog.db.$(date -u +%Y%m%dT%H%M%SZ).bak
	[ ! -e "$next" ]
}
wait_until is_later
cp "$state/catalog.db" "$next"
cp "$work/bytes" "$state/catalog.db.20200101T000000Z.bak"
older=$(compgen -G "$state/catalog.db.*.bak" | head -n 2 | tail -n 1)
cp "$older" "$state/catalog.db.20200102T000000Z.bak"
"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" 2>&1 || fail "rebuild fails: $(cat "$work/said")"
rm "$state"/catalog.db.2020010?T000000Z.bak
says 'names and labels come from .*/catalog.db$'
says 'names and labels that it lacks come from .*\.bak$'
[ "$(grep -c 'come from' "$work/said")" -eq 2 ] || fail "it takes names from elsewhere, too: $(cat "$work/said")"
says '1 images got new names'
start_vhdd
expect 200 /v1/images/kid
check '.labels.env == "prod" and .description == "as it was" and (.parent.name | startswith("img-"))' "kid"
old_base=$(jq -r .parent.name "$body")
expect 200 /v1/images/base
check '.virtual_size == 1048576' "the new base"
expect 204 /v1/images/base -X DELETE
expect 200 "/v1/images/$old_base"
check '.labels == {"tier":"gold"}' "the labels of the old base"
expect 200 "/v1/images/$old_base" -X PATCH -d name=base
stop_vhdd
same_as_before 'rebuilt from an empty one'
# ---- sound
"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" 2>&1 || fail "rebuild fails: $(cat "$work/said")"
says 'names and labels come from .*/catalog.db$'
same_as_before 'rebuilt from a sound one'
start_vhdd
# ---- all rows begin with one number: an ETag still names one image, also when its name is that of another
image blue 1M
image green 1M
for name in blue green; do expect 200 "/v1/images/$name" -X PATCH -d frozen=true; done
stop_vhdd
"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" 2>&1 || fail "rebuild fails: $(cat "$work/said")"
start_vhdd
tags() { # IMAGE
	expect 200 "/v1/images/$1/data"
	content=$(header ETag)
	expect 200 "/v1/images/$1"
	row=$(header ETag)
}
tags green
numbers="${row%-*} ${content%-*}"
tags blue
[ "${row%-*} ${content%-*}" = "$numbers" ] || fail "the numbers differ: $row $content, $numbers"
expect 200 /v1/images/blue -X PATCH -d name=old
expect 200 /v1/images/green -X PATCH -d name=blue
expect 200 /v1/images/blue/data -H "If-None-Match: $content"
expect 200 /v1/images/old
expect_problem 412 precondition-failed /v1/images/blue -X DELETE -H "If-Match: $(header ETag)"
for name in blue old; do expect 204 "/v1/images/$name" -X DELETE; done
"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" 2>&1 && fail "rebuilt below a running daemon"
says 'another vhdd'
stop_vhdd
# ---- newer
cp "$state/catalog.db" "$work/catalog.db"
printf '\0\0\0\143' | dd of="$state/catalog.db" bs=1 seek=60 conv=notrunc status=none # user_version = 99
status_of
[ "$status" -eq 78 ] || fail "a newer catalog: status $status"
says 'newest backup: /'
cp "$work/catalog.db" "$state/catalog.db"
same_as_before 'the newer one is gone'

# ---- its disk fails in a commit: nobody knows, so the next start finds out
missing=
if command -v strace >/dev/null && strace -e trace=none true 2>/dev/null; then
	start_vhdd
	strace -f -qq -o "$work/trace" -P "$state/catalog.db" -e trace=fsync,fdatasync \
		-e inject=fsync,fdatasync:error=EIO -p "$pid" &
	tracer=$!
	traced() { ! grep -q 'TracerPid:.0' /proc/"$pid"/task/*/status; }
	wait_until traced
	request /v1/images -d name=unsure -d size=1M >/dev/null 2>&1 || :
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 70 ] || fail "a disk that fails in a commit: status $status"
	pid=
	wait "$tracer" || :
	grep -q 'finds out' "$work/log" || fail "the log does not say so"
	same_as_before 'after a commit that failed'
else
	missing="strace may not trace here"
fi

# ---- its disk is full
mkdir "$work/small"
if mount -t tmpfs -o size=64M vhdd-test "$work/small" 2>/dev/null; then
	at_end() { umount "$work/small"; }
	mkdir "$work/pool"
	printf '[pool far]\npath = %s/pool\n' "$work" >"$work/conf"
	start_vhdd --state-dir "$work/small/state" --config "$work/conf"
	expect 201 /v1/images -d name=old -d size=8M -d pool=far
	expect 201 /v1/images -d name=gone -d size=8M -d pool=far
	wait_until test -s "$work/small/state/catalog.db.ballast"
	head -c 64M /dev/zero >"$work/small/filler" 2>/dev/null || :
	n=0
	while [ "$n" -lt 3000 ] && [ "$(request /v1/images -d "name=n$n" -d size=1M -d pool=far)" = 201 ]; do
		n=$((n + 1))
	done
	expect_problem 507 no-space /v1/images -d name=more -d size=1M -d pool=far
	begun='until 80 MiB of it are free, or a third if it has less than 256 MiB'
	check ".detail | endswith(\"the disk of the catalog is full: nothing new is begun $begun\")"
	expect_problem 507 no-space /v1/images/old/data -T "$work/bytes"
	expect 503 /readyz
	check ".checks.catalog | tostring | contains(\"$begun\")"
	expect 200 /v1/images/old/data
	expect 204 /v1/images/gone -X DELETE # what makes room is done
	truncate -s -22M "$work/small/filler" # a third
	wait_until is_ready
	expect 200 /v1/images/old/data -T "$work/bytes"
	[ -s "$work/small/state/catalog.db.ballast" ] || fail "there is no ballast"
else
	missing="needs to mount a small file system"
fi
finish
# What was left out must be seen.
if [ -n "$missing" ]; then
	echo "skipped: $missing"
	exit 77
fi
