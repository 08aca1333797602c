#!/usr/bin/env bash
# PATCH of content in all its shapes: JSON, JSON by lines, and octets behind a head (message/byterange).
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
image disk 4M
data=/v1/images/disk/data
part='Content-Type: message/byterange'
lines='Content-Type: application/vnd.vhdd.ops+ndjson'
random 1000 "$work/bytes"

expect 200 $data -X OPTIONS
expect_header Accept-Patch 'application/json, message/byterange, application/vnd.vhdd.ops+ndjson'
check '.features | index("byterange-patch")'
check '.max_readers >= 1 and .max_writers >= 1'
expect 200 /v1
check '.features | index("data.patch.byterange") and index("data.patch.lines")'

# ---- octets behind a head
octets() { # HEAD: the part with the bytes lies in a file
	{ printf '%b\r\n' "$1" && cat "$work/bytes"; } >"$work/part"
}
sends() { # STATUS [CODE DETAIL-PATTERN]
	if [ $# -eq 1 ]; then
		expect "$1" $data -X PATCH -H "$part" --data-binary "@$work/part"
		return
	fi
	expect_problem "$1" "$2" $data -X PATCH -H "$part" --data-binary "@$work/part"
	jq -e --arg want "$3" '.detail | test($want)' "$body" >/dev/null || fail "$3: $(jq -r .detail "$body")"
}
octets 'Content-Range: bytes 1000-1999/*\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000\r\n'
sends 200
check '.completed == 1 and .flushed and .results == [{"op":"write","offset":1000,"length":1000}]'
expect_header ETag "\"$(jq -r .etag "$body")\""
expect 206 $data -r 1000-1999
same "$body" "$work/bytes" 'the octets of a part'
# curl sends bytes unlike those of a text, and the complete length of the disk or of the body.
for range in '70000-/4194304' '70000-70999/1000' '70000-70999/71000'; do
	random 1000 "$work/bytes"
	octets "content-range: bytes $range\r\n"
	sends 200
	expect 206 $data -r 70000-70999
	same "$body" "$work/bytes" "$range"
done
octets 'Content-Range: bytes 3000-3999/*\r\n'
expect 200 "$data?flush=n" -X PATCH -H "$part" --data-binary "@$work/part"
check '.flushed == false'
etag=$(jq -r .etag "$body")
expect 200 $data -X PATCH -H "$part" -H "If-Match: \"$etag\"" --data-binary "@$work/part"
expect_problem 412 precondition-failed $data -X PATCH -H "$part" -H "If-Match: \"$etag\"" --data-binary "@$work/part"
octets ''
sends 400 content-range-mismatch '^the part has no Content-Range$'
octets 'Content-Range: bytes 0-998/*\r\n'
sends 400 content-range-mismatch 'bytes 0 to 998, the body has 1000$'
octets 'Content-Range: bytes 0-999/7\r\n'
sends 400 content-range-mismatch 'complete length 7 '
octets 'Content-Range: lines 0-999/*\r\n'
sends 400 content-range-mismatch "'lines 0-999/\*' is not"
octets 'Content-Range: bytes 0-999/*\r\nContent-Range: bytes 0-999/*\r\n'
sends 400 content-range-mismatch 'more than one'
octets 'Content-Range: bytes 0-999/*\r\nContent-Length: 999\r\n'
sends 400 invalid-value 'says 999, it has 1000 bytes$'
octets 'Content-Range: bytes 0-999/*\r\nContent-Encoding: gzip\r\n'
sends 400 unknown-field "a field 'Content-Encoding'$"
octets 'Content-Range: bytes 0-999/*\n'
sends 400 invalid-value 'lines that end in CR LF'
octets "Content-Range: bytes 0-999/*\r\nContent-Type: $(printf '%0300d' 0)\r\n"
sends 400 invalid-value 'lines that end in CR LF'
octets 'Content-Range: bytes 4194000-4194999/*\r\n'
sends 416 range-not-satisfiable 'pass the end of the disk at 4194304$'
expect_header Content-Range 'bytes */4194304'
printf 'Content-Range: bytes 0-/*\r\n\r\n' >"$work/part"
sends 400 invalid-value '^the part has no octets$'
head -c 1100000 /dev/zero >>"$work/part"
sends 413 body-too-large 'larger than 1048576 bytes$'

# ---- JSON by lines
printf '%s\n' '{"op":"write","offset":5000,"base64":"aGVsbG8="}' '' '{"op":"zero","sector":4,"count":1}' >"$work/ops"
printf '{"op":"flush"}' >>"$work/ops"
expect 200 $data -X PATCH -H "$lines" --data-binary "@$work/ops"
check '.completed == 3 and [.results[].op] == ["write", "zero", "flush"]'
expect 206 $data -r 5000-5004
[ "$(cat "$body")" = hello ] || fail "a line has written '$(cat "$body")'"
for _ in $(seq 256); do echo '{"op":"discard","offset":0,"length":1}'; done >"$work/ops"
expect 200 $data -X PATCH -H "$lines; charset=utf-8" --data-binary "@$work/ops"
check '.completed == 256'
echo '{"op":"flush"}' >>"$work/ops"
expect_problem 400 invalid-value $data -X PATCH -H "$lines" --data-binary "@$work/ops"
check '.detail == "/ops: must be an array of 1 to 256 operations"'
expect_problem 400 invalid-value $data -X PATCH -H "$lines" -d ''
printf '{"op":"flush"}\n{"op":"flush"\n{"op":"flush"}\n' >"$work/ops"
expect_problem 400 invalid-json $data -X PATCH -H "$lines" --data-binary "@$work/ops"
check '.detail | test("^line [23], column ")'
printf '{"op":"flush"}\nop=flush\n' >"$work/ops"
expect_problem 400 invalid-json $data -X PATCH -H "$lines" --data-binary "@$work/ops"
printf '{"op":"flush"}\n{"op":"flush","hard":true}\n' >"$work/ops"
expect_problem 400 unknown-field $data -X PATCH -H "$lines" --data-binary "@$work/ops"
check '.errors[0].pointer == "/ops/1/hard"'

# ---- by its first byte, else by its type
expect 200 $data -X PATCH -H 'Content-Type: text/plain' -d ' {"op":"flush"}'
expect 200 $data -X PATCH -d op=flush
for type in text/plain application/octet-stream 'multipart/byteranges; boundary=x' message/byterangex; do
	expect_problem 415 unsupported-media-type $data -X PATCH -H "Content-Type: $type" -d 'op=flush'
	expect_header Accept-Patch 'application/json, message/byterange, application/vnd.vhdd.ops+ndjson'
done
child kid disk
octets 'Content-Range: bytes 0-999/*\r\n'
sends 409 image-has-children 'is the parent of'
finish
