#!/usr/bin/env bash
# A pool whose file system has become read-only: what is in it can be read, and what would change it is refused before
# anything has changed.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq mount
mkdir "$work/disk"
mount -t tmpfs -o size=64M vhdd-test "$work/disk" 2>/dev/null || {
	echo 'skipped: needs to mount a file system'
	exit 77
}
at_end() { umount "$work/disk"; }
printf '[pool disk]\npath = %s\n[pool]\nroots = %s\n' "$work/disk" "$work/disk" >"$work/conf"
start() { start_vhdd --config "$work/conf"; }
refused() { # PATTERN PATH [CURL-OPTION...]
	local pattern=$1
	shift
	expect_problem 503 pool-offline "$@"
	jq -e --arg want "$pattern" '.detail | test($want)' "$body" >/dev/null || fail "$1: $(jq -r .detail "$body")"
}
start
random 4096 "$work/page"
for name in one two; do
	expect 201 /v1/images -d "{\"name\":\"$name\",\"size\":\"4M\",\"pool\":\"disk\"}"
	expect 200 "/v1/images/$name/data" -T "$work/page"
done
expect 201 /v1/images -d name=kid -d parent=two -d pool=disk
expect 201 /v1/images -d name=left -d size=1M -d pool=disk
expect 200 /v1/images/left/data -T "$work/page"
expect 200 /v1/images/left
id=$(jq -r .id "$body")
expect 204 '/v1/images/left?keep_file=y' -X DELETE
stop_vhdd
mount -o remount,ro "$work/disk"
start

for name in one two kid; do
	expect 206 "/v1/images/$name/data" -r 0-4095
	same "$body" "$work/page" "$name"
	expect 200 "/v1/images/$name/extents"
	expect 200 "/v1/images/$name/fields"
done
refused 'Read-only file system|is read-only' /v1/images/one/data -T "$work/page"
refused 'is read-only' /v1/images -d name=new -d size=1M -d pool=disk
expect_problem 404 image-not-found /v1/images/new
refused 'is read-only' /v1/images -d name=child -d parent=one -d pool=disk
refused 'is read-only' /v1/images/kid -X DELETE
expect 200 /v1/images/kid
expect 200 /v1/pools/disk
check '.problem == "the file system of '"$work/disk"' is read-only"'
told() { expect 200 '/readyz?verbose=y' >/dev/null && jq -e '.checks.pool.text | test("disk: .* is read-only")' "$body" >/dev/null; }
wait_until told
expect 204 '/v1/images/kid?keep_file=y' -X DELETE # of the catalog, which can be written

# What nobody can write can be adopted, and be read by a daemon that does not know whether a crash has left anything.
expect 201 /v1/images -d name=left -d source.mode=link -d source.path="$work/disk/$id.vhd"
check '.warnings | any(test("^read-only: "))' "adopted without a word"
stop_vhdd
"$VHDD" --state-dir "$work/state" --config "$work/conf" --rebuild-catalog >"$work/rebuild" || fail "$(cat "$work/rebuild")"
start
for name in one two left; do
	expect 206 "/v1/images/$name/data" -r 0-4095
	same "$body" "$work/page" "$name"
done
refused 'Read-only file system|is read-only' /v1/images/one/data -T "$work/page"

stop_vhdd
mount -o remount,rw "$work/disk"
start
expect 200 /v1/images/one/data -T "$work/page"
expect 201 /v1/images -d name=new -d size=1M -d pool=disk
expect 204 /v1/images/one -X DELETE

# What a crash has left cannot be repaired now: it is neither shown nor taken for good, and is repaired later.
expect 201 /v1/images -d name=torn -d size=4M -d pool=disk
expect 200 /v1/images/torn/data -T "$work/page"
expect 201 /v1/images -d name=spoiled -d size=4M -d pool=disk
spoiled=$(jq -r .file "$body")
expect 201 /v1/images -d name=whole -d size=24M -d pool=disk
expect 201 /v1/images -d name=base -d size=4M -d pool=disk
expect 201 /v1/images -d name=orphan -d parent=base -d pool=disk
expect 200 /v1/images/orphan/data -T "$work/page"
expect 200 /v1/images/base
base=$(jq -r .id "$body")
stop_vhdd
VHDD_CRASH_AT=recover.tail-mended start
expect 200 '/v1/images/whole/data?flush=n' -T "$work/page" # dirty, and in order in a moment
expect 200 '/v1/images/whole/data?op=flush' -X POST
curl -s --unix-socket "$socket" http://localhost/v1/images/torn -X PATCH -d '{"saved_state":true}' >"$work/none" || :
wait "$pid" || :
rm "$work/disk/$base.vhd"
head -c 4096 /dev/zero >>"$work/disk/$spoiled" # a block that was begun
"$VHDD" --state-dir "$work/state" --config "$work/conf" --rebuild-catalog >"$work/rebuild" || fail "$(cat "$work/rebuild")"
mount -o remount,ro "$work/disk"
start
refused 'Read-only file system|is read-only' /v1/images/torn/data -r 0-4095
expect 206 /v1/images/whole/data -r 0-4095
same "$body" "$work/page" 'a file that needs no repair'
expect 206 /v1/images/orphan/data -r 0-4095
same "$body" "$work/page" 'an orphan that needs no repair'
for name in torn whole; do
	refused 'Read-only file system|is read-only|cannot be written' "/v1/images/$name/actions/freeze" -X POST
	refused 'Read-only file system|is read-only|cannot be written' /v1/images -d name=kid -d parent=$name
done
# Whoever adopts it is told what is the matter.
refused 'Read-only file system|is read-only' /v1/images/spoiled/data -r 0-4095
expect 204 '/v1/images/spoiled?keep_file=y' -X DELETE
expect_problem 422 corrupt-image /v1/images -d source.mode=link -d source.path="$work/disk/$spoiled"
mount -o remount,rw "$work/disk"
# Whoever needs it repaired waits for those who read it as it is.
mkfifo "$work/fifo"
curl -sS --unix-socket "$socket" http://localhost/v1/images/whole/data >"$work/fifo" &
exec 5<"$work/fifo"
head -c 1 <&5 >"$work/none"
expect_problem 409 image-busy /v1/images/whole/actions/freeze -X POST
exec 5<&-
for name in torn whole; do
	expect 206 "/v1/images/$name/data" -r 0-4095
	same "$body" "$work/page" "$name"
	expect 200 "/v1/images/$name/actions/freeze" -X POST
done
finish
