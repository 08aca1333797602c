#!/usr/bin/env bash
# What clients must say before they change something (require_if_match), and which answers they take (Accept).
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
printf '[http]\nrequire_if_match = yes\n' >"$work/conf"
start_vhdd --config "$work/conf"
random 512 "$work/sector"
image disk 1M
tag() { # PATH: its ETag now
	expect 200 "$1" -I
	header ETag
}
unguarded() { # PATH [CURL-OPTION...]: refused, and the answer names the ETag that was missing
	expect_problem 428 precondition-required "$@"
	[ "$(jq -r .current_etag "$body")" = "$(tag "$1")" ] || fail "$1: current_etag is not the ETag: $(cat "$body")"
}

# ---- changes
for way in '-X PATCH -d description=x' '-X DELETE'; do
	# shellcheck disable=SC2086 # words
	unguarded /v1/images/disk $way
done
unguarded /v1/images/disk/data -T "$work/sector"
unguarded /v1/images/disk/data -X PATCH -d op=flush
expect 200 /v1/images/disk
check '.description == ""'
expect 200 /v1/images/disk -X PATCH -d description=x -H "If-Match: $(tag /v1/images/disk)"
expect 200 /v1/images/disk/data -T "$work/sector" -H "If-Match: $(tag /v1/images/disk/data)"
expect 200 /v1/images/disk/data -T "$work/sector" -H 'If-Match: *'
expect 200 /v1/images/disk/data -X PATCH -d op=flush -H 'If-None-Match: "other"'
# What is not there comes before what was not said, and what changes nothing needs no ETag.
expect_problem 404 image-not-found /v1/images/nobody -X DELETE
expect_problem 404 image-not-found /v1/images/nobody/data -T "$work/sector"
expect 204 '/v1/images/nobody?missing_ok=1' -X DELETE
expect 201 /v1/images/named -X PUT -d size=1M
expect 200 /v1/images/named -X PUT -d size=1M
expect 200 '/v1/images/disk/data?op=flush' -X POST
expect 200 /v1/images/disk/sectors -d '{"sectors":[0]}'
expect 201 /v1/images/disk/snapshots -d name=kid
expect 200 /v1/images/named/actions/freeze -X POST
expect 204 /v1/images/kid -X DELETE -H "If-Match: $(tag /v1/images/kid)"
expect 204 /v1/images/named -X DELETE -H "If-Match: $(tag /v1/images/named)"
"$VHDD" --config "$work/conf" --print-config >"$work/printed"
grep -qx 'require_if_match = yes' "$work/printed" || fail "--print-config says $(cat "$work/printed")"
stop_vhdd
start_vhdd
expect 200 /v1/images/disk/data -T "$work/sector"

# ---- answers
takes() { # STATUS PATH ACCEPT
	if [ "$1" = 406 ]; then
		expect_problem 406 not-acceptable "$2" -H "Accept: $3"
	else
		expect "$1" "$2" -H "Accept: $3"
	fi
}
disk=/v1/images/disk
for accept in application/json APPLICATION/JSON 'application/*' '*/*' 'image/png, */*;q=0.1' 'application/json; q=0.5' \
	'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' 'text/plain;q=0, */*'; do
	takes 200 $disk "$accept"
	header Content-Type | grep -qx application/json || fail "$accept is answered as $(header Content-Type)"
done
for accept in image/png 'audio/*' application/jsonx 'application/json;q=0' 'application/json; q=0.000, */*' \
	'*/*;q=0' 'application/vnd.api+json'; do
	takes 406 $disk "$accept"
done
check '.detail == "Accept says '"'application/vnd.api+json'"'; there is application/json"'
expect 406 $disk -H 'Accept: text/*'
grep -q "^not-acceptable: Accept says 'text/\*'; there is application/json$" "$body" || fail "text/*: $(cat "$body")"
takes 406 /v1/images text/html
check '.detail == "Accept says '"'text/html'"'; there is application/json, and what ?format= asks for"'
takes 200 /v1/images 'text/plain'
takes 200 /v1/images 'text/csv;q=0, application/x-ndjson;q=0, application/json'
header Content-Type | grep -qx application/json || fail "q=0 is answered as $(header Content-Type)"
expect 200 $disk/sectors -H 'Accept: image/png' -H 'Accept: application/json;q=0.5, text/plain;q=0.6'
header Content-Type | grep -q '^text/plain' || fail "two lines of Accept are answered as $(header Content-Type)"
takes 406 /v1/images image/png
takes 200 '/v1/images?format=csv' image/png
takes 200 $disk/data application/octet-stream
takes 406 $disk/data application/json
expect 206 $disk/data -r 0-0,90000-90001 -H 'Accept: application/octet-stream'
expect 406 $disk/data -I -H 'Accept: application/json'
expect_header X-Error-Code not-acceptable
takes 404 /v1/images/nobody image/png
takes 200 /healthz image/png
expect 201 /v1/images -d name=made -d size=512 -H 'Accept: image/png'
finish
