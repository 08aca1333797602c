#!/usr/bin/env bash
# A disk that fails to sync: nobody is told a success, and what was durable is there after a restart.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq strace
strace -e trace=none true 2>/dev/null || {
	echo 'skipped: strace may not trace here'
	exit 77
}
# Syncs are failed in the whole process, so the catalog has to be quiet: the image is dirty already.
start_vhdd
image disk 16M
random 5000 "$work/old"
random 5000 "$work/new"
expect 200 /v1/images/disk/data -T "$work/old"
expect 200 /v1/images/disk/data -I
verifier=$(header X-Write-Verifier)
expect 200 /v1/images/disk
opened=$(jq -r .health.checked_at "$body")
one=$(header ETag)
expect 200 /v1/images
list=$(header ETag)
expect 304 /v1/images -H "If-None-Match: $list"

strace -f -qq -o "$work/trace" -e trace=fsync,fdatasync -e inject=fsync,fdatasync:error=EIO -p "$pid" &
tracer=$!
traced() { ! grep -q 'TracerPid:.0' /proc/"$pid"/task/*/status; }
wait_until traced
expect_problem 500 io-error '/v1/images/disk/data?offset=8M' -T "$work/new"
check '.detail | test("fdatasync|Input/output|disk") | not' 'a 500 shows its inside'
failed=$(header X-Write-Verifier)
kill "$tracer"
wait "$tracer" || :

expect 200 /v1/images/disk
broken=$(jq -r .health.checked_at "$body")
check '.health.problems == ["failed"] and .health.checked_at > "'"$opened"'"' 'nobody says when it failed'
expect_problem 409 image-failed /v1/images/disk/data -T "$work/new"
expect_problem 409 image-failed /v1/images/disk/data -X PATCH -d '{"op":"flush"}'
expect_problem 409 image-failed /v1/images -d name=kid -d parent=disk
expect 200 /v1/images/disk
check '.state == "failed"'
# Who asks again and again by the ETag is told.
expect 200 /v1/images/disk -H "If-None-Match: $one"
expect 200 '/v1/images?state=ready' -H "If-None-Match: $list"
check '.items == []'
expect 200 /v1/images
list=$(header ETag)
expect 200 /v1/images/disk
one=$(header ETag)
expect 304 /v1/images/disk -H "If-None-Match: $one"
# What the cache holds is not what the disk holds: nobody is shown it.
expect_problem 409 image-failed /v1/images/disk/data -r 0-4999
expect_problem 409 image-failed /v1/images/disk/data
expect 409 /v1/images/disk/data -I
[ -n "$(header X-Write-Verifier)" ] || fail "no write verifier"
[ "$(header X-Write-Verifier)" != "$verifier" ] || fail "the write verifier is the same"
expect_header X-Write-Verifier "$failed"
grep -q 'sync failed' "$work/log" || fail "the log does not say so"
# Others are not touched.
image other 1M
expect 200 /v1/images/other/data -T "$work/new"

# Recovery reads what the disk really holds.
verifier=$(header X-Write-Verifier)
expect 200 /v1/images/disk/actions/recover -X POST
check '.state == "ready" and .writable and .health.checked_at > "'"$broken"'"'
expect 200 /v1/images/disk -H "If-None-Match: $one"
expect 200 /v1/images -H "If-None-Match: $list"
expect 206 /v1/images/disk/data -r 0-4999
same "$work/old" "$body" 'after the recovery'
expect 200 /v1/images/disk/data -I
[ "$(header X-Write-Verifier)" != "$verifier" ] || fail "the write verifier outlives a recovery"
expect 200 '/v1/images/disk/data?offset=4M' -T "$work/new"
stop_vhdd
[ "$stopped" -eq 0 ] || fail "status $stopped"

start_vhdd
expect 206 /v1/images/disk/data -r 0-4999
same "$work/old" "$body" 'after the restart'
expect 206 /v1/images/disk/data -r 4194304-4199303
same "$work/new" "$body" 'written after the recovery'
expect 200 '/v1/images/disk/data?offset=8M' -T "$work/new"
expect 206 /v1/images/disk/data -r 8388608-8393607
same "$work/new" "$body" 'written again'

finish
