#!/usr/bin/env bash
# A state folder whose disk becomes full in every phase: what would need room is refused, all else goes on, and with
# room the daemon goes on by itself.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq mount python3
mkdir "$work/small"
mount -t tmpfs -o size=64M vhdd-test "$work/small" 2>/dev/null || {
	echo 'skipped: needs to mount a small file system'
	exit 77
}
at_end() { umount "$work/small"; }
state=$work/small/state
checker=$(dirname "$0")/../fault
fill() { dd if=/dev/zero of="$work/small/filler" bs=64K 2>/dev/null || :; } # until it ends at ENOSPC
free() { rm -f "$work/small/filler" "$work/small/more"; }
# A catalog that has met a full disk wants a quarter of it and its ballast before it begins anything new.
dd if=/dev/zero of="$work/small/more" bs=1M count=24 status=none
in_order() { # all image files are what other programs understand
	PYTHONPATH=$checker python3 -c 'import pathlib, sys, vhdfile
for path in pathlib.Path(sys.argv[1]).glob("*.vhd"):
	vhdfile.check(path)' "$state/images" || fail "$1: an image file is damaged"
}
start_vhdd
random 1048576 "$work/piece"
random 4096 "$work/page"
image disk 256M
image other 16M
expect 200 /v1/images/other/data -T "$work/page"

# ---- uploads until there is no room
until_full disk 4 16
fill

readable() {
	local i
	for i in 0 $((pieces / 2)) $((pieces - 1)); do
		expect 206 /v1/images/disk/data -r "$((i * 4194304))-$((i * 4194304 + 1048575))"
		same "$work/piece" "$body" "$1: piece $i"
	done
	expect 206 /v1/images/other/data -r 0-4095
	same "$work/page" "$body" "$1: the other image"
	expect 200 /v1/images
}
readable 'while full'

# ---- what needs room is refused, more than once, and leaves nothing
for _ in 1 2; do
	fill # the ballast of the catalog, too, which it gives up when it meets the full disk
	expect_problem 507 no-space '/v1/images/disk/data?offset=252M' -T "$work/piece"
	expect_problem 507 no-space '/v1/images/other/data?offset=8M' -T "$work/page"
	expect_problem 507 no-space /v1/images -d name=more -d size=1G
	expect_problem 507 no-space /v1/images -d name=kid -d parent=other
done
expect 404 /v1/images/more
expect 404 /v1/images/kid
[ -z "$(find "$state/images" -name '.new-*')" ] || fail "a .new- file is left"
readable 'after the refusals'
in_order 'while full'
# What is allocated needs none.
expect 200 /v1/images/disk/data -T "$work/piece"

# ---- the end and a start without room
stop_vhdd
[ "$stopped" -eq 0 ] || fail "status $stopped without room"
fill
start_vhdd_without_room() {
	"$VHDD" --state-dir "$state" --listen "unix:$socket" >>"$work/log" 2>&1 &
	pid=$!
	healthy() {
		kill -0 "$pid" 2>/dev/null || die "vhdd does not start without room"
		[ "$(request /healthz)" = 200 ]
	}
	wait_until healthy
}
start_vhdd_without_room
readable 'started while full'
expect_problem 507 no-space /v1/images -d name=more -d size=1G
in_order 'started while full'

# ---- room again: nobody has to do anything
free
wait_until is_ready
expect 200 '/v1/images/other/data?offset=8M' -T "$work/page"
expect 201 /v1/images -d name=more -d size=1G
expect 201 /v1/images -d name=kid -d parent=other
readable 'with room'

# ---- what is closed makes room even when there is none
fill
expect 204 /v1/images/kid -X DELETE
expect 204 /v1/images/disk -X DELETE
free
wait_until is_ready
expect 200 '/v1/images/other/data?offset=12M' -T "$work/page"
expect 206 /v1/images/other/data -r 12582912-12587007
same "$work/page" "$body" 'after all'

# ---- the end of the room is in the middle of a body: a part of it is there, and the answer says so
image across 64M
middle=$((2097152 - 524288)) # half of the body in the first block, half in the second
for block in 0 2M; do
	expect 200 "/v1/images/across/data?offset=$block" -T "$work/page"
done
fill
truncate -s -700K "$work/small/filler"
expect 200 /v1/images/across/data -I
expect_problem 507 no-space "/v1/images/across/data?offset=$middle" -T - -H "If-Match: $(header ETag)" <"$work/piece"
check ".written == {offset: $middle, length: 1048576}"
expect 206 /v1/images/across/data -r "$middle-$((middle + 524287))"
slice "$work/piece" 0 524288 >"$work/half"
same "$work/half" "$body" 'the half that found room'
expect 200 '/v1/images/across/data?op=writes'
check ".items[0] | .outcome == \"no-space\" and .written == 0 and .next_offset == $middle"
free
wait_until is_ready
expect 200 "/v1/images/across/data?offset=$middle" -T "$work/piece"
in_order 'at the end'
finish
