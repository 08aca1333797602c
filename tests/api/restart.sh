#!/usr/bin/env bash
# What was answered survives the end of the daemon, a clean one and a killed one.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
image base 64M
random 3000000 "$work/one"
random 3000000 "$work/two"
random 1000 "$work/three"
expect 200 /v1/images/base/data -T "$work/one"
child kid base
expect 200 '/v1/images/kid/data?offset=2M' -T "$work/two"
expect 200 /v1/images
jq -S '[.items[] | del(.usage, .data_etag, .health.checked_at)]' "$body" >"$work/before"

unchanged() { # WHEN
	expect 200 /v1/images
	jq -S '[.items[] | del(.usage, .data_etag, .health.checked_at)]' "$body" >"$work/after"
	same "$work/before" "$work/after" "$1: the catalog"
	expect 206 /v1/images/base/data -r 0-2999999
	same "$work/one" "$body" "$1: the parent"
	expect 206 /v1/images/kid/data -r 2097152-5097151
	same "$work/two" "$body" "$1: the child"
}

stop_vhdd TERM
[ "$stopped" -eq 0 ] || fail "SIGTERM ends with status $stopped"
[ ! -e "$socket" ] || fail "the socket is left"
start_vhdd
unchanged 'after SIGTERM'
stop_vhdd INT
[ "$stopped" -eq 0 ] || fail "SIGINT ends with status $stopped"
start_vhdd
unchanged 'after SIGINT'

# The terminal of `vhdd &` closes.
expect 200 '/v1/images/kid/data?offset=30M&flush=n' -T "$work/three"
stop_vhdd HUP
[ "$stopped" -eq 0 ] || fail "SIGHUP ends with status $stopped"
[ ! -e "$socket" ] || fail "the socket is left after SIGHUP"
[ "$(grep -c 'stopping on signal 1 (SIGHUP)' "$work/log")" -eq 1 ] || fail "the log does not tell of SIGHUP"
trap '' HUP # as nohup does
start_vhdd
trap - HUP
unchanged 'after SIGHUP'
expect 206 /v1/images/kid/data -r 31457280-31458279
same "$work/three" "$body" 'what SIGHUP has flushed'
kill -HUP "$pid"
expect 200 /readyz
stop_vhdd # who waits for both signals takes the first one
[ "$stopped" -eq 0 ] || fail "SIGTERM after nohup ends with status $stopped"
[ "$(grep -c 'stopping on signal 1 ' "$work/log")" -eq 1 ] || fail "SIGHUP ends what nohup has started"
start_vhdd

# Killed with unflushed writes: those may be old or new, what was flushed is there.
expect 200 '/v1/images/kid/data?offset=10M&flush=n' -T "$work/one"
expect 200 '/v1/images/kid/data?offset=20M' -T "$work/three"
stop_vhdd KILL
start_vhdd
unchanged 'after SIGKILL'
expect 206 /v1/images/kid/data -r 20971520-20972519
same "$work/three" "$body" 'flushed before SIGKILL'
etag=$(header ETag)
expect 200 '/v1/images/kid/data?offset=20M' -T "$work/three"
[ "$(header ETag)" != "$etag" ] || fail "the ETag of a recovered image was used before"
stop_vhdd KILL

# Killed again and again while images come and go.
for round in 1 2 3 4 5; do
	start_vhdd
	unchanged "round $round"
	for n in 1 2 3 4 5 6 7 8 9; do
		request "/v1/images" -d "name=r$round-$n" -d parent=kid >/dev/null
		request "/v1/images/r$round-$n/data" -T "$work/three" >/dev/null
		request "/v1/images/r$round-$n" -X DELETE >/dev/null
	done >/dev/null 2>&1 &
	client=$!
	sleep "0.$round"
	stop_vhdd KILL
	wait "$client" || :
	start_vhdd
	[ -z "$(find "$state/images" -name '.new-*')" ] || fail "round $round: a .new- file is left"
	request "/v1/images?limit=1000" >/dev/null
	for name in $(jq -r '.items[].name | select(startswith("r"))' "$body"); do
		expect 204 "/v1/images/$name" -X DELETE
	done
	rows=$(find "$state/images" -name '*.vhd' | wc -l)
	[ "$rows" -eq 2 ] || fail "round $round: $rows files for 2 images"
	stop_vhdd
	[ "$stopped" -eq 0 ] || fail "round $round: status $stopped"
	# The ETags of rows count what happened to the children.
	start_vhdd
	expect 200 /v1/images
	jq -S '[.items[] | del(.usage, .data_etag, .health.checked_at)]' "$body" >"$work/before"
	stop_vhdd KILL
done

# A file that no row names stays, whoever asks for its id: with both names, as a crash leaves it, or with one of them.
start_vhdd
expect 200 /v1/images/kid
id=$(jq -r .id "$body")
stop_vhdd
find "$state/images" ! -name "$id.vhd" -type f -delete
cp "$state/images/$id.vhd" "$work/kept"
knows_none() { # NAME WHEN [CRASH-POINT]: refuses a new image of that id, for that file
	local names
	names=$(ls -A "$state/images")
	rm -f "$state"/catalog.db*
	VHDD_CRASH_AT=${3:-} start_vhdd
	expect_problem 409 duplicate-uuid /v1/images -d name=again -d size=1M -d "uuid=$id"
	check ".detail == \"$1 is there already, and belongs to no image.\"" "$2"
	stop_vhdd
	start_vhdd
	stop_vhdd
	[ "$(ls -A "$state/images")" = "$names" ] || fail "$2: the pool has $(ls -A "$state/images"), not $names"
	same "$state/images/${names##*$'\n'}" "$work/kept" "$2: the file"
}
knows_none "$id.vhd" 'the name of the image'
ln "$state/images/$id.vhd" "$state/images/.new-$id"
knows_none ".new-$id" 'both names'
knows_none ".new-$id" 'both names, and a crash' catalog.insert.committed
rm "$state/images/$id.vhd"
knows_none ".new-$id" 'the first name'
rm "$state/images/.new-$id" "$state"/catalog.db*

# Nor does a file go that only has the name that an image had while it was made: one in another pool, or beside the image.
mkdir "$work/p2"
printf '[pool p2]\npath = %s\n' "$work/p2" >"$work/conf"
start_vhdd --config "$work/conf"
image disk 1M
expect 200 /v1/images/disk
id=$(jq -r .id "$body")
stop_vhdd
cp "$work/kept" "$work/p2/.new-$id"
cp "$work/kept" "$state/images/.new-$id"
start_vhdd --config "$work/conf"
stray() { # FOLDER
	same "$1/.new-$id" "$work/kept" "$1: the file"
	[ "$(grep -cF "$1: .new-$id belongs to no image" "$work/log")" -eq 1 ] || fail "$1: the log does not tell of it once"
}
stray "$work/p2"
stray "$state/images"
stop_vhdd
ln -f "$state/images/$id.vhd" "$state/images/.new-$id"
start_vhdd --config "$work/conf"
[ ! -e "$state/images/.new-$id" ] || fail "the first name of the image is left"
stop_vhdd

# One daemon for one folder.
start_vhdd
"$VHDD" --state-dir "$state" --listen "unix:$work/other.sock" >"$work/second" 2>&1 && fail "a second daemon runs"
grep -q 'another vhdd' "$work/second" || fail "the second daemon does not say why: $(cat "$work/second")"

finish
