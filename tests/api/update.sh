#!/usr/bin/env bash
# Changes of images, idempotent creation, freeze and thaw, and preconditions.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd

wait_for_clients() { # but not for the daemon
	local client
	for client in $(jobs -p); do
		[ "$client" = "$pid" ] || wait "$client"
	done
}

# ---- PUT creates once
expect 201 /v1/images/base -X PUT -d '{"size":"16M","labels":{"env":"prod"}}'
id=$(jq -r .id "$body")
expect 200 /v1/images/base -X PUT -d size=16M
check ".id == \"$id\""
expect_problem 409 name-exists /v1/images/base -X PUT -d size=32M
check '.errors == [{"pointer":"/size","code":"name-exists","detail":"differs from what the image has","value":"32M"}]'
expect_problem 412 precondition-failed /v1/images/base -X PUT -d size=16M -H 'If-None-Match: *'
expect_problem 412 precondition-failed /v1/images/none -X PUT -d size=16M -H 'If-Match: *'
expect_problem 412 precondition-failed /v1/images -d name=base -d size=16M -H 'If-None-Match: *'

# ---- a name is told by more than its own image: their ETags change with it
image golden 4M
root=$(jq -r .id "$body")
random 4096 "$work/named"
expect 200 /v1/images/golden/data -T "$work/named"
child kid golden
child grandkid kid
tags=()
paths=(kid grandkid kid/sectors kid/sectors/0 kid/extents "$root/extents")
for path in "${paths[@]}"; do
	expect 200 "/v1/images/$path"
	tags+=("$(header ETag)")
done
expect 200 /v1/images/golden -X PATCH -d name=silver
for i in "${!paths[@]}"; do
	expect 200 "/v1/images/${paths[i]}" -H "If-None-Match: ${tags[i]}"
done
expect 200 /v1/images/kid
etag=$(header ETag)
expect_problem 412 precondition-failed /v1/images/kid -X PATCH -d description=x -H "If-Match: ${tags[0]}"
check ".current_etag == $(jq -n --arg etag "$etag" '$etag')"
expect 200 /v1/images/kid -X PATCH -d description=x -H "If-Match: $etag"
for name in grandkid kid silver; do expect 204 "/v1/images/$name" -X DELETE; done

# ---- PATCH merges
expect 200 /v1/images/base -X PATCH -d '{"name":"root","labels":{"env":null,"role":"db","a.b/c":"d"},"description":"text"}'
check ".id == \"$id\" and .name == \"root\" and .labels == {\"role\":\"db\",\"a.b/c\":\"d\"} and .description == \"text\""
check '.root.name == "root"'
etag=$(header ETag)
expect_problem 404 image-not-found /v1/images/base
expect 200 /v1/images/root
expect_header ETag "$etag"
image other 1M
expect_problem 409 name-exists /v1/images/root -X PATCH -d name=other
check '.image.name == "other" and .errors[0].pointer == "/name"'
expect 200 /v1/images/root -X PATCH -d '{"saved_state":false,"features":[]}'
expect_problem 400 unknown-field /v1/images/root -X PATCH -d size=1G
expect 200 /v1/images/root -X PATCH -d '{"description":"text"}' -H 'Content-Type: application/merge-patch+json'
expect_problem 415 unsupported-media-type /v1/images/root -X PATCH -d name=zz -H 'Content-Type: text/plain'
expect_header Accept-Patch 'application/json, application/merge-patch+json'
expect_problem 415 unsupported-media-type /v1/images/root -X PATCH -F name=zz
expect 204 /v1/images/root -X OPTIONS
expect_header Accept-Patch 'application/json, application/merge-patch+json'
expect_problem 412 precondition-failed /v1/images/root -X PATCH -d name=x -H 'If-Match: "m1"'
etag=$(jq -r .current_etag "$body")
expect 200 /v1/images/root -X PATCH -d '{"labels":null}' -H "If-Match: $etag"
check '.labels == {}'
expect_problem 412 precondition-failed /v1/images/root -X DELETE -H "If-Match: $etag"
# One of two who change the same state.
etag=$(header ETag)
for i in 1 2; do
	curl -s -o /dev/null -w '%{http_code}\n' --unix-socket "$socket" -X PATCH -H "If-Match: $etag" \
		-d "description=$i" http://localhost/v1/images/root &
done >"$work/codes"
wait_for_clients
[ "$(sort "$work/codes" | tr '\n' ' ')" = '200 412 ' ] || fail "a race of two changes: $(cat "$work/codes")"

# ---- freeze and thaw
random 4096 "$work/bytes"
expect 200 '/v1/images/root/data?flush=n' -T "$work/bytes"
expect 200 /v1/images/root/actions/freeze -X POST
check '.frozen and .frozen_reason == "request" and (.writable | not)'
expect_problem 409 image-frozen /v1/images/root/data -T "$work/bytes"
expect_problem 409 image-frozen /v1/images/root -X PATCH -d '{"saved_state":true}'
expect 200 /v1/images/root -X PATCH -d '{"frozen":true,"name":"still"}'
expect 206 /v1/images/still/data -r 0-4095
same "$work/bytes" "$body" 'a frozen image'
stop_vhdd KILL
start_vhdd
expect_problem 409 image-frozen /v1/images/still/data -T "$work/bytes"
expect 206 /v1/images/still/data -r 0-4095
same "$work/bytes" "$body" 'a frozen image after a crash'
child kid still
expect_problem 409 image-has-children /v1/images/still/actions/thaw -X POST
expect 204 /v1/images/kid -X DELETE
expect 200 /v1/images/still
check '.frozen_reason == "request"'
expect 200 /v1/images/still/actions/thaw -X POST
check '.writable'
expect 200 /v1/images/still/data -T "$work/bytes"

# ---- compare and write: one of two
data=/v1/images/still/data
expect 200 $data -I
etag=$(header ETag)
for i in 1 2; do
	printf '%s' $i | curl -s -o /dev/null -w '%{http_code}\n' --unix-socket "$socket" -T - -H "If-Match: $etag" \
		"http://localhost$data" &
done >"$work/codes"
wait_for_clients
[ "$(sort "$work/codes" | tr '\n' ' ')" = '200 412 ' ] || fail "a race of two writes: $(cat "$work/codes")"
expect_problem 412 precondition-failed $data -T "$work/bytes" -H "If-Match: $etag"
etag=$(jq -r .current_etag "$body")
expect 200 $data -X PATCH -d 'op=zero&offset=0&length=4096' -H "If-Match: $etag"
expect_problem 412 precondition-failed $data -X PATCH -d 'op=zero&offset=0&length=1' -H "If-Match: $etag"
head -c 1048577 /dev/zero >"$work/large"
expect_problem 413 body-too-large $data -T "$work/large" -H "If-Match: $(jq -r .current_etag "$body")"

# ---- a counter that several count up: nothing is lost
printf 0000 | expect 200 $data -T -
count() { # CLIENT TIMES
	local n=0 etag value
	while [ "$n" -lt "$2" ]; do
		value=$(curl -s --unix-socket "$socket" -D "$work/head-$1" -r 0-3 "http://localhost$data")
		etag=$(sed -n 's/^etag: //Ip' "$work/head-$1" | tr -d '\r')
		curl -s --fail -o /dev/null --unix-socket "$socket" -T - -H "If-Match: $etag" "http://localhost$data" \
			< <(printf '%04d' $((10#$value + 1))) && n=$((n + 1))
	done
}
for client in 1 2 3; do
	count $client 10 &
done
wait_for_clients
expect 206 $data -r 0-3
[ "$(cat "$body")" = 0030 ] || fail "counted to '$(cat "$body")' instead of 30"

finish
