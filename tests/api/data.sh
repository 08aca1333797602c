#!/usr/bin/env bash
# The content of images as octets: ranges, and all the ways curl has to write.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
image disk 64M
data=/v1/images/disk/data

# ---- what was never written
expect 206 $data -r 0-511
head -c 512 /dev/zero | cmp - "$body" || fail "a new disk is not zero"
expect 200 $data -I
expect_header Content-Length 67108864
expect_header Accept-Ranges bytes
expect_header X-Virtual-Size 67108864
expect_header X-Consistency live

# ---- one shape, three spellings
random 512 "$work/sector"
at() { # OFFSET: the sector there is what was sent
	expect 206 $data -r "$1-$(($1 + 511))"
	same "$work/sector" "$body" "the sector at $1"
}
expect 200 "$data?offset=1048576" -T "$work/sector"
check '.offset == 1048576 and .length == 512 and .flushed and .allocated_blocks == 1'
check '.durable_epoch >= .write_epoch'
etag=$(jq -r .etag "$body")
expect_header ETag "\"$etag\""
at 1048576
random 512 "$work/sector"
expect 200 $data -T "$work/sector" -H 'Content-Range: bytes 1048576-1049087/*'
at 1048576
[ "$(jq -r .etag "$body" 2>/dev/null)" != "$etag" ] || fail "the ETag did not change"
random 512 "$work/sector"
expect 200 $data -T "$work/sector" -r 1048576-
at 1048576
random 512 "$work/sector"
expect 200 $data -T "$work/sector" -r 3072-3583
at 3072
# curl -C N goes on at byte N of the file.
cat "$work/sector" "$work/sector" >"$work/two"
expect 200 $data -T "$work/two" -C 512
at 512
# From a pipe: no length.
expect 200 "$data?offset=2M" -T - <"$work/sector"
at 2097152
# Any offset and length.
printf 'hello' | expect 200 "$data?offset=4194301" -T -
expect 206 $data -r 4194301-4194305
[ "$(cat "$body")" = hello ] || fail "unaligned bytes do not come back"

# ---- every answer tells what is durable
told() { # the headers are those of the last answer
	local name
	for name in X-Write-Epoch X-Durable-Epoch X-Write-Verifier; do
		[ -n "$(header $name)" ] || fail "$1 says no $name"
	done
	expect_header X-Write-Verifier "$verifier"
}
expect 200 "$data?offset=3072&flush=n" -T "$work/sector"
verifier=$(jq -r .write_verifier "$body")
written=$(jq -r .write_epoch "$body")
told PUT
[ "$(header X-Write-Epoch)" = "$written" ] || fail "the epoch of the write is not that of its header"
check '.durable_epoch < .write_epoch'
expect 200 "$data?op=flush" -X POST
told POST
[ "$(header X-Durable-Epoch)" -ge "$written" ] || fail "flushed, and the epoch of the write is not durable"
expect 200 $data -X PATCH -d '{"op":"zero","offset":3072,"length":512}'
told PATCH
expect 200 $data -I
told HEAD
expect 206 $data -r 0-511
told 'a range'
expect 206 $data -r 0-511,1024-2047
told 'two ranges'
expect 200 "$data?op=writes"
told 'the journal'
expect 200 $data -X OPTIONS
told OPTIONS
expect 416 $data -r 1T-
told 'a range past the end'
expect 412 $data -H 'If-Match: "d0"'
told 'another ETag'
expect 200 $data
told GET
[ "$(header X-Durable-Epoch)" -ge "$written" ] || fail "what was durable is so no more"

# ---- large ones
random 20000000 "$work/large"
expect 200 "$data?offset=5000001" -T "$work/large"
expect 206 $data -r 5000001-25000000
same "$work/large" "$body" 'a large upload'
expect 200 "$data?offset=5000001" -T - <"$work/large"
expect 206 $data -r 5000001-25000000
same "$work/large" "$body" 'a large chunked upload'
expect 200 $data
[ "$(stat -c %s "$body")" = 67108864 ] || fail "a whole disk has another length"
slice "$body" 5000001 20000000 | cmp - "$work/large" || fail "in the middle of the disk"

# ---- several ranges, and none
expect 206 $data -r 5000001-5000100,67108863-,5003000-5003001
boundary=$(header Content-Type | sed -n 's|^multipart/byteranges; boundary=||p')
part() { # RANGE: the lines before a part
	printf -- '--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes %s/67108864\r\n\r\n' "$boundary" "$1"
}
{
	part 5000001-5003001
	slice "$work/large" 0 3001
	printf '\r\n'
	part 67108863-67108863
	printf '\0\r\n--%s--\r\n' "$boundary"
} | cmp - "$body" || fail "several ranges are not what they should be"
expect_header Content-Length "$(stat -c %s "$body")"
expect 206 $data -r 5000001-14999999,15100000-24999999
[ "$(stat -c %s "$body")" = "$(header Content-Length)" ] || fail "large ranges have another length"
expect_problem 413 too-many-ranges $data -r "$(seq -s , 65 | sed 's/[0-9][0-9]*/&-&/g')"
expect 206 $data -r -512
expect_header Content-Range 'bytes 67108352-67108863/67108864'
expect 206 $data -r 67108863-99999999999999999999
expect_header Content-Range 'bytes 67108863-67108863/67108864'
expect_problem 416 range-not-satisfiable $data -r 67108864-
expect_header Content-Range 'bytes */67108864'
expect_problem 416 invalid-range-header $data -H 'Range: bytes=5-4'
expect 200 "$data?sector=2048&count=2"
[ "$(stat -c %s "$body")" = 1024 ] || fail "two sectors are not 1024 bytes"
expect_header X-Sector-Present true

# ---- what is refused before the body
expect_problem 416 range-not-satisfiable "$data?offset=67108000" -T "$work/large"
expect_problem 400 content-range-mismatch $data -T "$work/sector" -H 'Content-Range: bytes 0-99/*'
expect_problem 404 image-not-found /v1/images/nobody/data -T "$work/large"
expect_problem 415 unsupported-media-type $data -X PUT -H 'Content-Type: application/json' -d '{"op":"flush"}'
check '.correction == "Send operations with PATCH, and content as it is (curl -T FILE): application/octet-stream, or without a Content-Type."'
expect_problem 415 unsupported-media-type $data -X PUT -F "file=@$0"
printf 'a\0b\r\nc' >"$work/as-it-is"
for type in application/x-www-form-urlencoded application/octet-stream json/text ''; do
	expect 200 "$data?offset=1M" -X PUT -H "Content-Type: $type" --data-binary "@$work/as-it-is"
	expect 206 $data -r 1048576-1048581
	same "$work/as-it-is" "$body" "content of the type '$type'"
done
expect_problem 400 invalid-value $data -X PUT -d ''

# ---- small operations
expect 200 $data -X PATCH -d '{"op":"zero","offset":1048576,"length":512}'
expect 206 $data -r 1048576-1049087
head -c 512 /dev/zero | cmp - "$body" || fail "zero does not read as zeroes"
expect 200 "$data?offset=0&flush=n" -T "$work/sector"
check '.flushed == false'
expect 200 $data -X PATCH -d '{"op":"flush"}'
check '.flushed'
at 0

# ---- a child that could not be made leaves its parent as it was
expect_problem 409 size-mismatch /v1/images -d name=kid -d parent=disk -d size=1M
expect_problem 409 name-exists /v1/images -d name=disk -d parent=disk
expect 200 "$data?offset=3072" -T "$work/sector"
at 3072
expect 200 /v1/images/disk
check '.writable and .children_count == 0'

# ---- zeroes are left out only where nobody has data
image sparse 64M
head -c 8M /dev/zero >"$work/zeroes"
printf x | dd of="$work/zeroes" bs=1 seek=5000000 conv=notrunc status=none
expect 200 '/v1/images/sparse/data?detect_zeroes=y' -T "$work/zeroes"
check '.length == 8388608 and .allocated_blocks == 1'
expect 206 /v1/images/sparse/data -r 0-8388607
same "$work/zeroes" "$body" 'written without zeroes'
expect 200 '/v1/images/sparse/data?detect_zeroes=y&offset=5000000' -T - < <(head -c 1000 /dev/zero)
expect 206 /v1/images/sparse/data -r 4999990-5000010
head -c 21 /dev/zero | cmp - "$body" || fail "zeroes over data were left out"
expect 204 /v1/images/sparse -X DELETE

# ---- frozen: a child was made
child kid disk
expect_problem 409 image-has-children $data -T "$work/sector"
expect_problem 409 image-has-children $data -X PATCH -d '{"op":"zero","offset":0,"length":512}'
expect 200 $data -I
expect_header X-Consistency frozen
expect 206 /v1/images/kid/data -r 5000001-25000000
same "$work/large" "$body" 'through the child'
random 1000 "$work/patch"
expect 200 '/v1/images/kid/data?offset=6000000' -T "$work/patch"
expect 206 /v1/images/kid/data -r 6000000-6000999
same "$work/patch" "$body" 'written to the child'
expect 206 $data -r 5000001-25000000
same "$work/large" "$body" 'the parent stays as it was'
expect 204 /v1/images/kid -X DELETE
expect 200 "$data?offset=3072" -T "$work/sector"
at 3072

finish
