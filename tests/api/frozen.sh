#!/usr/bin/env bash
# Content that does not change: its ETag, what caches are told of it, and what a thaw does to both.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
image disk 4M
data=/v1/images/disk/data
random 4096 "$work/bytes"
live='no-store, no-transform'
kept='private, no-cache, no-transform'

etag_of() { # PATH: its ETag, of an answer that has arrived
	expect 200 "$1" >&2
	header ETag
}
is() { # PATTERN WHAT ETAG
	[[ "$3" =~ $1 ]] || fail "the ETag of $2 is $3"
}

# ---- live: nobody may keep it
expect 200 $data -T "$work/bytes"
first=$(etag_of $data)
is '^"d[0-9]+\.[0-9]+-[0-9a-f]{16}"$' 'a written image' "$first"
expect_header Cache-Control "$live"
[ -z "$(header Last-Modified)" ] || fail "live content has a date"
for path in sectors sectors/0 extents; do
	expect 200 /v1/images/disk/$path
	expect_header Cache-Control "$live"
	is "^\"${first//\"/}-[0-9a-f]{16}\"$" "$path" "$(header ETag)"
	check ".etag == $first"
done
expect 200 $data -H 'If-Modified-Since: Thu, 31 Dec 2099 23:59:59 GMT'

# A snapshot that comes to nothing makes no other content, so no other ETag, and never one that was of less.
image taken 1M
expect 200 "$data?flush=n&offset=4096" -T "$work/bytes"
written=$(etag_of $data)
[ "$written" != "$first" ] || fail "a write keeps the ETag"
expect_problem 409 name-exists /v1/images -d name=taken -d parent=disk
same=$(etag_of $data)
[ "$same" = "$written" ] || fail "a refused snapshot changes the ETag from $written to $same"
expect 200 "$data?offset=8192" -T "$work/bytes" -H "If-Match: $written"
first=$(etag_of $data)
[ "$first" != "$written" ] || fail "a write after a refused snapshot keeps the ETag"

# ---- frozen: it may be kept, and is asked for again before each use
expect 200 /v1/images/disk/actions/freeze -X POST
frozen=$(etag_of $data)
is '^"f[0-9]+-[0-9a-f]{16}"$' 'a frozen image' "$frozen"
expect_header Cache-Control "$kept"
expect 200 /v1/images/disk
check ".data_etag == $frozen"
for path in sectors sectors/0 extents; do
	expect 200 /v1/images/disk/$path
	expect_header Cache-Control "$kept"
	check ".etag == $frozen"
	own=$(header ETag)
	expect 304 /v1/images/disk/$path -H "If-None-Match: $own"
	expect_header Cache-Control "$kept"
	expect_header ETag "$own"
	expect 200 /v1/images/disk/$path -H "If-Match: $frozen"
	expect_problem 412 precondition-failed /v1/images/disk/$path -H "If-Match: $first"
done
expect 304 $data -H "If-None-Match: $frozen"
expect_header ETag "$frozen"
expect_header Cache-Control "$kept"
expect 206 $data -r 0-9 -H "If-Match: $frozen" -H "If-Range: $frozen"
stop_vhdd
start_vhdd
[ "$(etag_of $data)" = "$frozen" ] || fail "the ETag of a frozen image changes with a start of the daemon"
# It also has a date, two seconds after it was frozen: within one second there may be two contents.
dated() { expect 200 $data -I && [ -n "$(header Last-Modified)" ]; }
wait_until dated
date=$(header Last-Modified)
expect 304 $data -H "If-Modified-Since: $date"
expect_header ETag "$frozen"
[ -n "$(header X-Write-Epoch)" ] || fail "a 304 lacks what was written"
[ -n "$(header X-Write-Verifier)" ] || fail "a 304 lacks the verifier"
expect_header Last-Modified "$date"
[ ! -s "$body" ] || fail "a 304 has a body"
curl -sS --unix-socket "$socket" -z "$date" -o "$work/none" -w '%{http_code}' "http://localhost$data" | grep -qx 304 ||
	fail "curl -z downloads what it has"
expect 200 $data -H 'If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT'
expect 200 $data -H "If-Modified-Since: $date" -H 'If-None-Match: "other"'
expect 200 $data -H 'If-Modified-Since: yesterday'
expect 206 $data -r 0-9 -H "If-Range: $date"
for guard in 'Sat, 01 Jan 2000 00:00:00 GMT' 'Thu, 31 Dec 2099 23:59:59 GMT' '*'; do
	expect 200 $data -r 0-9 -H "If-Range: $guard"
done

# ---- thawed: no version of it is told again for another content
expect 200 /v1/images/disk/actions/thaw -X POST
expect 200 $data -H "If-Modified-Since: $date"
expect 200 $data -r 0-9 -H "If-Range: $date"
expect_header Cache-Control "$live"
is '^"d' 'a thawed image' "$(header ETag)"
expect_problem 412 precondition-failed $data -T "$work/bytes" -H "If-Match: $frozen"
expect 200 "$data?offset=8192" -T "$work/bytes"
expect 200 /v1/images/disk/actions/freeze -X POST
second=$(etag_of $data)
is '^"f[0-9]+-[0-9a-f]{16}"$' 'an image that is frozen again' "$second"
[ "$second" != "$frozen" ] || fail "another content has the same ETag"
expect 200 $data -H "If-None-Match: $frozen"
# Frozen, thawed and not written: the same content, the same ETag.
expect 200 /v1/images/disk/actions/thaw -X POST
expect 200 /v1/images/disk/actions/freeze -X POST
[ "$(etag_of $data)" = "$second" ] || fail "the same content has another ETag"
expect 200 /v1/images/disk/actions/thaw -X POST

# ---- a child freezes its parent, and is live itself
child kid disk
is '^"f' 'a parent' "$(etag_of $data)"
is '^"d' 'a child' "$(etag_of /v1/images/kid/data)"
expect 204 /v1/images/kid -X DELETE
is '^"d' 'a parent without child' "$(etag_of $data)"

# ---- another image of the same name and id
expect 200 /v1/images/disk
id=$(jq -r .id "$body")
meta=$(header ETag)
old=$(etag_of $data)
expect 204 /v1/images/disk -X DELETE
expect 201 /v1/images -d name=disk -d size=4M -d uuid="$id"
expect_problem 412 precondition-failed /v1/images/disk -X DELETE -H "If-Match: $meta"
expect 200 $data -T "$work/bytes"
expect 200 "$data?offset=8192" -T "$work/bytes"
[ "$(etag_of $data)" != "$old" ] || fail "another image has the same ETag"
expect_problem 412 precondition-failed $data -r 0-9 -H "If-Match: $old"

# ---- what it takes is known after a start, and grows from there
image large 16M
random 5000000 "$work/much"
usage() { expect 200 "/v1/images/$1" >&2 && jq -c '[.usage.file, .usage.blocks]' "$body"; }
expect 200 /v1/images/large/data -T "$work/much"
expect 200 /v1/images/large/actions/freeze -X POST
taken=$(usage large)
child small disk
parent=$(usage disk)
for how in TERM KILL; do
	stop_vhdd "$how"
	start_vhdd
	[ "$(usage large)" = "$taken" ] || fail "a frozen image took $taken, and $(usage large) after a start"
	[ "$(usage disk)" = "$parent" ] || fail "a parent took $parent, and $(usage disk) after a start"
done
expect 200 /v1/images/large/actions/thaw -X POST
expect 200 '/v1/images/large/data?offset=15M' -T "$work/bytes"
expect 200 /v1/images/large
check '.usage.blocks == 4' 'it has 4 blocks'

finish
