#!/usr/bin/env bash
# What is refused, and how: by the socket, the framing, the gate and the daemon itself.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd --listen 127.0.0.1:0
find_port
image disk 16M
random 3000000 "$work/bytes"

# ---- every answer
expect_problem 404 route-not-found /v2
header Content-Type | grep -q '^application/problem+json' || fail "a problem has another type"
[ -n "$(header X-Request-Id)" ] || fail "no request id"
check '.status == 404 and .request_id != null and .correction != null'
expect 200 /v1/images/disk -H 'X-Request-Id: mine-1'
expect_header X-Request-Id mine-1
expect_problem 405 method-not-allowed /v1/images/disk -X POST -d '{}'
expect_problem 501 method-unknown /v1/images -X BREW
expect_problem 400 invalid-path '/v1/images/a%2Fb'
expect_problem 400 unknown-parameter '/v1/images?nonsense=1'
expect_problem 400 invalid-json /v1/images -d '{'
expect_problem 400 unknown-field /v1/images -d '{"name":"a","size":512,"colour":"red"}'
expect_problem 400 invalid-value /v1/images -d '{"name":"a","size":"lots","kind":7,"labels":{"x":[]}}'
check '[.errors[] | [.pointer, .value]] | index([["/size","lots"]]) and index([["/kind","7"]])'
expect_problem 400 invalid-value '/v1/images?limit=0&depth=deep&frozen=perhaps'
check '.errors[0] == {"parameter":"limit","code":"invalid-value","detail":"'"'0'"' is not a number from 1 to 1000","value":"0"}'
expect_problem 400 invalid-value /v1/images/disk/data -X PATCH -d '{"ops":[{"op":"flush"},{"op":"burn"}]}'
check '.errors[0] | .pointer == "/ops/1/op" and .value == "burn"'
expect_problem 404 field-not-found /v1/images/disk/fields/none
check '.correction | contains("/v1/images/disk/fields")'
expect_problem 400 invalid-name /v1/images -d 'name=a b' -d size=512
check '.errors[0].value == "a b"'
expect_problem 422 size-not-representable /v1/images -d name=a -d size=2039G -d block_size=512K
expect_problem 415 unsupported-media-type /v1/images/disk/data -H 'Content-Encoding: gzip' -T "$work/bytes"
expect_problem 417 expectation-failed /v1/images/disk/data -H 'Expect: more' -T "$work/bytes"
expect_problem 422 size-too-large /v1/images -d name=a -d size=3T
head -c 1100000 /dev/zero | tr '\0' ' ' >"$work/spaces"
expect_problem 413 body-too-large /v1/images --data-binary "@$work/spaces"
expect_problem 413 body-too-large /v1/images -H 'Transfer-Encoding: chunked' --data-binary "@$work/spaces"

# ---- what to do about it
advice() { # TEXT: the correction begins so
	[ "$(jq -r .correction "$body" | head -c ${#1})" = "$1" ] || fail "the advice is: $(jq -r .correction "$body")"
}
expect_problem 400 unknown-parameter '/v1/images/disk/data?ofset=5' -X PUT -T "$work/bytes"
advice 'Known here: offset, flush, aligned, detect_zeroes. '
expect 200 '/readyz?verbose'
expect 200 '/v1/images?count&frozen=n'
check '.total == (.items | length)'
expect 204 '/v1/images/nobody?missing_ok' -X DELETE
expect_problem 400 unaligned '/v1/images/disk/data?aligned&flush' -X PUT -d x
expect 200 '/v1/images/disk/data?flush' -X PATCH -d op=flush
expect_problem 400 unknown-parameter '/v1?x=1'
advice 'Known here: no parameters. '
expect_problem 400 unknown-field /v1/images -d size=1M -d colour=red
check '.correction | startswith("Known here: ") and contains(" source, ") and contains(" name, ")'
expect_problem 400 unknown-field /v1/images/red -X PUT -d size=1M -d colour=red
check '.correction | startswith("Known here: ") and (contains(" source, ") or contains(" name, ") | not)'
expect_problem 400 invalid-value /v1/images/red -X PUT -d size=1M -d name=red
check '.errors | length == 1'
expect 400 /v1/images -d size=1M -d 'name=a b' -H 'Accept: text/plain'
[ "$(tail -n 1 "$body")" = 'Use up to 127 of A-Z a-z 0-9 . _ -, a letter or digit first; no UUID.' ] ||
	fail "the text about a name: $(cat "$body")"
expect_problem 400 invalid-name /v1/images -d "{\"size\":512,\"name\":\"a$(printf '%0100d' 0 | sed 's/0/ä/g')\"}"
check '(.detail | contains("'"'"'aää") and contains("ä'"'"' is not a name")) and (.errors[0].value | test("^aä+$"))'
expect_problem 400 unknown-field /v1/images/disk -X PATCH -d size=1G
advice 'Known here: name, description, labels, saved_state, features, frozen. '
expect_problem 400 unknown-field /v1/images/disk/actions/freeze -d force=1
advice 'Known here: no fields. '
expect_problem 400 invalid-value /v1/images/disk/data --data-binary "@$work/bytes"
advice 'Upload it with PUT: curl -T FILE URL'
to_data='Content of a disk goes to its data: curl -T FILE .../v1/images/NAME/data'
expect_problem 400 invalid-value /v1/images/disk -T <(head -c 512 /dev/zero)
check '.detail == "the body has a NUL character, which neither JSON nor a form has"'
advice "Send fields with curl -d NAME=VALUE, or as JSON. $to_data"
expect_problem 413 body-too-large /v1/images/disk -T "$work/bytes"
advice "Send less; the limit is in GET /v1. $to_data"
expect_problem 412 precondition-failed /v1/images/disk -X PUT -d size=16M -H 'If-None-Match: *'
check '.cause == "The resource is in another state than the request asks for: somebody has changed or made it."'
advice 'It exists already: choose another name, or leave If-None-Match out to be answered 200 when '
expect_problem 412 precondition-failed /v1/images -d name=disk -d size=16M -H 'If-None-Match: *'
advice 'It exists already: choose another name, or see what it is: GET /v1/images/disk'
check '.detail == "an image '"'disk'"' exists" and .image.name == "disk"'
for change in 'disk/data -T '"$work/bytes" 'disk/data -X PATCH -d op=flush' 'disk -X PATCH -d description=x' 'disk -X DELETE' 'disk/actions/freeze -X POST'; do
	read -ra words <<<"$change"
	expect_problem 412 precondition-failed "/v1/images/${words[0]}" "${words[@]:1}" -H 'If-None-Match: *'
	advice 'It exists already, and If-None-Match: * is for what must not: leave the condition out, or name its ETag '
done
expect 200 /v1/images/disk
expect_problem 412 precondition-failed /v1/images/disk -X PATCH -d description=x -H "If-None-Match: $(header ETag)"
advice 'It is still what If-None-Match names: leave the condition out'
expect_problem 412 precondition-failed /v1/images/disk -X PATCH -d description=x -H 'If-Match: "other"'
advice 'Read it again, then repeat the request with the ETag that it has now, or without the condition.'
expect_problem 400 invalid-value /v1/images/disk -X DELETE -d keep_file=1
advice 'Leave the body out: parameters go into the URL.'
expect_problem 400 invalid-value /v1/images -d name=x -d size=1M -d labels=env=prod
check '.detail == "/labels: must be an object of at most 64 strings; in a form, labels.KEY=VALUE"'
expect_problem 415 unsupported-media-type /v1/images -F name=x -F size=1M
advice 'Send the fields with curl -d NAME=VALUE, or as JSON.'
expect_problem 409 name-exists /v1/images/disk -X PUT -d size=1M
advice 'Ask for what it is, GET /v1/images/disk, '
check '.image.name == "disk" and (.image.id | length) == 36'
child reader disk
expect_problem 409 image-has-children /v1/images/disk -X DELETE
advice 'Delete what reads from it first: GET /v1/images/disk/children'
expect_problem 409 image-has-children /v1/images/disk/actions/thaw -X POST
advice 'It can be thawed when nothing reads from it: GET /v1/images/disk/children'
expect_problem 409 image-has-children /v1/images/disk/data -T "$work/bytes"
advice 'Write to a child, or create one: POST /v1/images/disk/snapshots'
expect 204 /v1/images/reader -X DELETE
expect 200 /v1/images/disk/actions/freeze -X POST
expect_problem 409 image-frozen /v1/images/disk/data -T "$work/bytes"
check '.detail == "'"'disk'"' is frozen; its content must not change"'
check '.correction | endswith("POST /v1/images/disk/actions/thaw")'
expect 200 /v1/images/disk/actions/thaw -X POST
# Of an operation that nobody knows, nobody knows the fields.
expect_problem 400 invalid-value /v1/images/disk/data -X PATCH -d op=trim -d offset=0 -d length=512
check '[.errors[].pointer] == ["/op"]'
expect_problem 400 invalid-value /v1/images/disk/data -X PATCH -d op=zero -d offset=0
check '[.errors[].pointer] == ["/length"]'

# ---- what is not in a field or a parameter has no place in 'errors', and none is promised
plain() { # STATUS CODE PATH [CURL-OPTION...]
	expect_problem "$@"
	check 'has("errors") | not'
	[ "$(jq -r .correction "$body")" = "Correct it as 'detail' says." ] || fail "$3: $(jq -r .correction "$body")"
}
plain 400 invalid-value /v1/images/disk/data -X PUT -d ''
plain 400 invalid-value /v1/images/disk/data -T "$work/bytes" -H 'Content-Digest: x'
plain 400 invalid-value /v1/images/disk/data -T "$work/bytes" -H 'Content-MD5: x'
plain 400 invalid-value /v1/images/disk/sectors/-1
plain 400 invalid-value /v1/images/disk/sectors/abc
plain 400 invalid-value /v1/images/disk/data -X PATCH -H 'Content-Type: message/byterange' -d x
expect_problem 400 invalid-value /v1/images -d '{"size":"x"}'
advice "Correct it as 'detail' says; 'errors' has all that is wrong, with the value that was sent."

# ---- what holds for one method holds not for another
expect_problem 400 invalid-value /v1/images/new -X PUT
check '.detail == "/size: is required, unless there is a parent"'
expect_problem 400 invalid-value /v1/images -X POST
check '.detail == "/size: is required, unless there is a parent or a source"'
expect_problem 400 content-range-mismatch /v1/images/disk/data -X PATCH -H 'Content-Type: message/byterange' \
	--data-binary $'Content-Range: bytes 0-7/*\r\n\r\nabc'
advice "Send 'Content-Range: bytes FIRST-LAST/*', or PUT with ?offset=FIRST instead."
for change in 'disk/data -T '"$work/bytes" '/ -d size=1M'; do
	read -ra words <<<"$change"
	expect_problem 415 unsupported-media-type "/v1/images/${words[0]%/}" "${words[@]:1}" -H 'Content-Encoding: gzip'
	advice 'Send the body as it is, without Content-Encoding.'
done
expect_problem 415 unsupported-media-type /v1/images/disk/data -X PATCH -H 'Content-Type: text/xml' -d '<x/>'
advice 'Send it with a type that Accept-Patch names.'
[ -n "$(header Accept-Patch)" ] || fail 'no Accept-Patch'
expect_problem 400 invalid-value '/v1/images/disk/data?op=flush' -d x
check '.correction | endswith(" With op=flush, leave the body out.")'
expect 200 '/v1/images/disk/data?op=flush' -X POST
expect_problem 400 invalid-value /v1/images/disk/actions/freeze -d x
check '.detail == "the body is neither a JSON object nor a form"'
printf '{"ops":%s1%s}' "$(printf '[%.0s' {1..40})" "$(printf ']%.0s' {1..40})" >"$work/deep"
expect_problem 400 invalid-json /v1/images -d "@$work/deep"
advice 'Nest it less. The limit is json_depth of GET /v1.'

# ---- framing: what two readers could read in two ways (answers are closed)
raw() { # prints the status line of the answer to standard input
	timeout 10 curl -sS --unix-socket "$socket" "telnet://localhost" 2>/dev/null | head -n 1
}
framing() { # STATUS WHAT, request on standard input
	local line
	line=$(raw)
	case $line in
	"HTTP/1.1 $1 "*) ;;
	*) fail "$2 is answered '$line'" ;;
	esac
}
printf 'PUT /v1/images/disk/data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' |
	framing 400 'a body with two lengths'
printf 'PUT /v1/images/disk/data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello' |
	framing 400 'a body with two Content-Length'
printf 'PUT /v1/images/disk/data HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\nhello' |
	framing 501 'an unknown Transfer-Encoding'

# ---- the browser's doors, on TCP only
tcp() { # STATUS CODE PATH [CURL-OPTION...]
	local want=$1 code=$2 path=$3 got
	shift 3
	got=$(curl -sS -o "$body" -D "$headers" -w '%{http_code}' "$@" "http://127.0.0.1:$port$path")
	[ "$got" = "$want" ] || fail "TCP $path answered $got, not $want: $(head -c 300 "$body")"
	[ -z "$code" ] || check ".code == \"$code\""
}
tcp 200 '' /v1/images/disk
tcp 200 '' /v1/images/disk -H 'Host: localhost:1'
tcp 403 host-not-allowed /v1/images/disk -H 'Host: evil.example'
tcp 403 cross-origin /v1/images -H 'Origin: http://evil.example' -d name=x -d size=512
tcp 403 cross-origin /v1/images -H 'Sec-Fetch-Site: cross-site' -d name=x -d size=512
expect 404 /v1/images/x

# ---- uploads that end badly
expect_problem 416 range-not-satisfiable '/v1/images/disk/data?offset=15M' -T "$work/bytes"
# Too long, which only the bytes themselves can tell: the connection is cut, or drained and answered.
status=$(request '/v1/images/disk/data?offset=15M' -T - <"$work/bytes")
case $status in
416 | *curl:*) ;;
*) fail "a chunked body past the end is answered $status" ;;
esac

# ---- files that are not what they should be
image lost 1M
expect 200 /v1/images/lost
lost=$state/images/$(jq -r .file "$body")
child kid lost
image junk 1M
expect 200 /v1/images/junk
junk=$state/images/$(jq -r .file "$body")
expect 200 /v1/images/lost
one=$(header ETag)
expect 200 /v1/images
list=$(header ETag)
stop_vhdd
mv "$lost" "$work/aside"
head -c 1048576 /dev/zero >"$junk"
start_vhdd
# Who asks by the ETag is told that it is gone.
expect 200 /v1/images/lost -H "If-None-Match: $one"
check '.state == "missing"'
expect 200 /v1/images -H "If-None-Match: $list"
check '[.items[] | select(.name == "lost") | .state] == ["missing"]'
expect_problem 409 chain-unhealthy /v1/images/lost/data -r 0-0
check '.detail | startswith("missing-file: '"'lost'"': ") and endswith(" is not there")'
check '.cause == "A file of the chain, its own or that of an ancestor, is missing or damaged."'
advice "It is the image's own file, 'file' of GET /v1/images/lost: put it back, or forget the image: DELETE /v1/images/lost?keep_file=1"
expect_problem 409 parent-missing /v1/images/kid/data -r 0-0
expect 200 /v1/images/kid
expect 200 /v1/images/kid/chain
check '.items | length == 2'
ln -s "$work/aside" "$lost"
expect_problem 409 chain-unhealthy /v1/images/lost/data -r 0-0
rm "$lost"
head -c 1048576 /dev/zero >"$lost"
expect_problem 409 parent-changed /v1/images/lost/data -r 0-0
rm "$lost"
mv "$work/aside" "$lost"
expect 206 /v1/images/kid/data -r 0-0
expect 204 /v1/images/kid -X DELETE
rm "$lost"
expect 204 /v1/images/lost -X DELETE
expect_problem 422 not-a-vhd /v1/images/junk/data -r 0-0

# ---- a pool that leaves the configuration
stop_vhdd
mkdir "$work/far"
printf '[pool far]\npath = %s\n' "$work/far" >"$work/conf"
start_vhdd --config "$work/conf"
expect 201 /v1/images -d name=away -d size=1M -d pool=far
stop_vhdd
start_vhdd
expect_problem 503 pool-offline /v1/images/away/data
check '.detail | endswith(" lies in a pool that is not in the configuration now")'
check '.cause == "Its folder cannot be reached, its file system is read-only, or the configuration does not name it."'
advice "Mount it as it should be, or name it in the configuration again, as 'detail' says. DELETE with keep_file=1 forgets an image "
expect_problem 503 pool-offline /v1/images/away -X DELETE
check '.detail | contains("(the configuration has no pool far)")'
expect 204 '/v1/images/away?keep_file=1' -X DELETE

finish
