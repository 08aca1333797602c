#!/usr/bin/env bash
# Every way of curl to ask, as it is on the wire, and what comes of it; and what scripts count on.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd --listen 127.0.0.1:0
find_port
url=http://127.0.0.1:$port
random 2048 "$work/two"
random 3000000 "$work/large"

sent() { # NAME: a header of the request, as curl -v shows it
	sed -n "s/^> $1: //Ip" "$work/wire" | tr -d '\r'
}
run() { # STATUS CURL-OPTION...: against the port, with the wire in $work/wire
	local want=$1 got
	shift
	got=$(curl -sS -v --max-time 60 -o "$body" -D "$headers" -w '%{http_code}' "$@" 2>"$work/wire") || got=curl:$?
	[ "$got" = "$want" ] || fail "curl $* answered $got, not $want: $(head -c 300 "$body")"
}

# ---- -d says form, whatever it sends
run 201 -d '{"name":"disk","size":"16M"}' "$url/v1/images"
[ "$(sent Content-Type)" = application/x-www-form-urlencoded ] || fail "curl -d says $(sent Content-Type)"
expect_header Location "/v1/images/$(jq -r .id "$body")"
run 201 --json '{"name":"second","size":"16M"}' "$url/v1/images"
run 201 -d name=third -d size=16M -d labels.env=prod "$url/v1/images"
check '.labels == {"env":"prod"}'
run 200 -X PATCH -d '{"description":"x"}' "$url/v1/images/disk"
run 200 -X PATCH -d '{"op":"flush"}' "$url/v1/images/disk/data"
data=$url/v1/images/disk/data

# ---- -T: Expect even for a few bytes; the answer is there at once
run 200 -T "$work/two" -H 'Expect: 100-continue' --expect100-timeout 600 "$data"
grep -q '^< HTTP/1.1 100 ' "$work/wire" || fail "no 100 Continue"
run 416 -T "$work/two" -H 'Expect: 100-continue' --expect100-timeout 600 "$data?offset=16M"
grep -q '^< HTTP/1.1 100 ' "$work/wire" && fail "100 Continue for what is refused"
run 417 -T "$work/two" -H 'Expect: 200-ok' "$data"
run 200 -T - "$data" <"$work/two"
[ "$(sent Transfer-Encoding)" = chunked ] || fail "a pipe is not chunked"
run 200 -C 1024 -T "$work/two" "$data"
[ "$(sent Content-Range)" = 'bytes 1024-2047/2048' ] || fail "-C sends $(sent Content-Range)"
check '.offset == 1024 and .length == 1024'
head -c 512 "$work/two" >"$work/one"
run 200 -r 512-1023 -T "$work/one" "$data"
[ "$(sent Content-Range)" = 'bytes 512-1023/512' ] || fail "-r sends $(sent Content-Range)"
check '.offset == 512 and .length == 512'
run 200 -r 512- -T "$work/one" "$data"
[ "$(sent Content-Range)" = 'bytes 512-/512' ] || fail "-r N- sends $(sent Content-Range)"
check '.offset == 512 and .length == 512'
# A file behind a slash becomes a segment; there is no such place.
run 404 -T "$work/two" "$data/"
grep -q "^> PUT /v1/images/disk/data/two " "$work/wire" || fail "curl -T URL/ asks for something else"
# More than 1 MB by POST: refused before it is sent.
run 413 --data-binary "@$work/large" "$url/v1/images"
run 200 -X PUT --data-binary "@$work/large" "$data"

# ---- reading
run 206 -r 0-0,-1 "$data"
header Content-Type | grep -q '^multipart/byteranges' || fail "-r 0-0,-1 is no multipart"
run 206 --compressed -r 0-99 "$data"
[ "$(stat -c %s "$body")" = 100 ] || fail "--compressed -r"
run 200 -I "$data"
expect_header Content-Length 16777216
[ ! -s "$body" ] || grep -q '^HTTP' "$body" || fail "HEAD has a body"
curl -sS -o "$work/copy" "$data"
head -c 5000000 "$work/copy" >"$work/part"
curl -sS -C - -o "$work/part" "$data" || fail "-C - ends with $?"
same "$work/copy" "$work/part" 'a download in two parts'
curl -sS -C - -o "$work/part" "$data" || fail "-C - of a complete file ends with $?"
same "$work/copy" "$work/part" 'a complete file'
(cd "$work" && curl -sS -OJ "$data") || fail "-OJ ends with $?"
same "$work/copy" "$work/disk.raw" '-OJ'
curl -sS --etag-save "$work/etag" -o /dev/null "$data"
run 304 --etag-compare "$work/etag" "$data"
expect_header ETag "$(cat "$work/etag")"
run 200 -T "$work/two" "$data"
run 200 --etag-compare "$work/etag" "$data"
# A tag whose quotes the shell has eaten.
etag=$(header ETag | tr -d '"')
run 200 -T "$work/two" -H "If-Match: $etag" "$data"
run 412 -T "$work/two" -H "If-Match: $etag" "$data"
check '.current_etag | test("^\"d")'
# Live content has no date, frozen content has one.
run 200 -z 'Thu, 31 Dec 2099 23:59:59 GMT' "$data"

# ---- exit codes
code() { # WANTED CURL-OPTION...
	local want=$1 got=0
	shift
	curl -sS -o "$body" "$@" 2>/dev/null || got=$?
	[ "$got" = "$want" ] || fail "curl $* ends with $got, not $want"
}
code 22 --fail-with-body "$url/v1/images/nobody"
check '.code == "image-not-found"'
code 22 --fail "$url/v1/images/nobody"
code 0 --fail-with-body "$url/v1/images"
code 3 ":$port/v1/images"
code 0 "localhost:$port/v1/images"
# What may succeed later says when; what will not is not tried again.
run 409 -d name=disk -d size=1M "$url/v1/images"
[ -z "$(header Retry-After)" ] || fail "a name that is taken may be tried again?"
curl -sS --retry 2 -v -o /dev/null -d name=disk -d size=1M "$url/v1/images" 2>"$work/wire"
[ "$(grep -c '^< HTTP/1.1 409' "$work/wire")" = 1 ] || fail "curl tries a 409 again"

# ---- what scripts count on
run 405 -X DELETE "$data"
header Allow | grep -q 'GET, HEAD, PUT' || fail "405 without Allow"
run 404 "$url/v1/images/disk/nothing"
run 204 -X OPTIONS "$url/v1/images/disk"
header Allow | grep -q 'PATCH' || fail "OPTIONS without Allow"
run 404 -X DELETE "$url/v1/images/nobody"
run 204 -X DELETE "$url/v1/images/nobody?missing_ok=1"
run 200 "$url/v1/images/"
run 200 "$url/v1/images/disk"
[ "$(tail -c 1 "$body")" = '' ] || fail "no newline at the end"
grep -q '"null"' "$body" && fail "null is written as a text"
header Date | grep -q ' GMT$' || fail "no Date"
run 200 "$url/v1/images/disk/children"
check '.items == []'
run 200 -H 'Accept: text/plain' "$url/v1/images"
head -n 1 "$body" | grep -q name || fail "no table for people"
run 404 -H 'Accept: text/plain' "$url/v1/images/nobody"
grep -q '^image-not-found: ' "$body" || fail "no text for people"
run 415 -H 'Content-Encoding: gzip' -T "$work/two" "$data"
run 400 "$url/v1/images/a%2Fb"
run 400 --path-as-is "$url/v1/images/../images"
run 400 "$url/v1//images"
run 404 "$url/v2"

finish
