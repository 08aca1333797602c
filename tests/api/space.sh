#!/usr/bin/env bash
# A full pool: refused before the body where that can be known, never half a success, and nothing else is hurt.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq mount
mkdir "$work/small"
mount -t tmpfs -o size=8M vhdd-test "$work/small" 2>/dev/null || {
	echo 'skipped: needs to mount a small file system'
	exit 77
}
at_end() { umount "$work/small"; }
printf '[pool small]\npath = %s/small\n' "$work" >"$work/conf"
start_vhdd --config "$work/conf"
expect 201 /v1/images -d name=disk -d size=1G -d pool=small
random 6000000 "$work/six"
expect 200 /v1/images/disk/data -T "$work/six"

# Known before the body: nothing of it is sent.
sent=$(curl -sS --unix-socket "$socket" -o "$body" -w '%{http_code} %{size_upload}' -T "$work/six" \
	'http://localhost/v1/images/disk/data?offset=100M') || sent="$sent, curl:$?"
[ "$sent" = '507 0' ] || fail "no room for a known length: '$sent'"
check '.code == "no-space"'
# What is allocated already needs no room.
random 6000000 "$work/six"
expect 200 /v1/images/disk/data -T "$work/six"
# Found out late: answered when little is left to read, else cut.
status=$(request '/v1/images/disk/data?offset=200M' -T - <"$work/six")
case $status in
507 | *curl:*) ;;
*) fail "no room in the middle of a body: $status" ;;
esac
expect_problem 507 no-space /v1/images -d name=flat -d kind=fixed -d size=1G -d preallocation=falloc -d pool=small
expect 404 /v1/images/flat
[ -z "$(find "$work/small" -name '.new-*')" ] || fail "a .new- file is left"

expect 206 /v1/images/disk/data -r 0-5999999
same "$work/six" "$body" 'what was acknowledged'
image other 64M
expect 200 /v1/images/other/data -T "$work/six"
stop_vhdd
start_vhdd --config "$work/conf"
expect 206 /v1/images/disk/data -r 0-5999999
same "$work/six" "$body" 'after a restart'
expect 204 /v1/images/disk -X DELETE
expect 201 /v1/images -d name=again -d size=1G -d pool=small
expect 200 /v1/images/again/data -T "$work/six"
finish
