#!/usr/bin/env bash
# Digests of bodies: what was changed on the way is not taken for what was sent.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq openssl
start_vhdd
image disk 64M
data=/v1/images/disk/data
random 65536 "$work/small"
random 20000000 "$work/large"

sum() { # sha256|sha512|md5 FILE, in base64
	openssl dgst "-$1" -binary "$2" | base64 -w 0
}
wrong=$(printf other >"$work/other" && sum sha256 "$work/other")

# ---- what is right is written
expect 200 $data -T "$work/small" -H "Content-Digest: sha-256=:$(sum sha256 "$work/small"):"
expect 200 $data -T "$work/small" -H "Content-Digest: sha-512=:$(sum sha512 "$work/small"):, md5=:AA==:"
expect 200 $data -T "$work/small" -H "Content-MD5: $(sum md5 "$work/small")"
expect 206 $data -r 0-65535
same "$work/small" "$body" 'written with digests'
expect 200 "$data?offset=1M" -T "$work/large" -H "Content-Digest: sha-256=:$(sum sha256 "$work/large"):"
md5=$(sum md5 "$work/large")
expect 200 "$data?offset=1M" -T - -H "Content-MD5: $md5" <"$work/large"
expect 206 $data -r 1048576-21048575
same "$work/large" "$body" 'a large body with digests'

# ---- up to 1 MiB, what is wrong is not written
etag=$(header ETag)
expect_problem 422 checksum-mismatch $data -T "$work/other" -H "Content-Digest: sha-256=:$(sum sha256 "$work/small"):"
check ".detail | contains(\"$(sum sha256 "$work/small")\") and contains(\"$wrong\") and contains(\"nothing was changed\")"
check '.written == {"offset":0,"length":0}'
expect_header ETag "$etag"
expect_problem 422 checksum-mismatch "$data?offset=4096" -T "$work/small" -H "Content-MD5: $(sum md5 "$work/other")"
expect_problem 422 checksum-mismatch $data -X PATCH -d '{"op":"zero","offset":0,"length":512}' \
	-H "Content-Digest: sha-256=:$wrong:"
expect_problem 422 checksum-mismatch $data -T "$work/other" -H "If-Match: $etag" -H "Content-Digest: sha-256=:$(sum sha256 "$work/small"):"
expect 206 $data -r 0-65535
same "$work/small" "$body" 'after bodies that differed'
expect_header ETag "$etag"
expect 200 $data -T "$work/small" -H "If-Match: $etag" -H "Content-Digest: sha-256=:$(sum sha256 "$work/small"):"

# ---- beyond, it was written as it came, and the answer says so
expect_problem 422 checksum-mismatch "$data?offset=30M" -T "$work/large" -H "Content-Digest: sha-256=:$wrong:"
check '.written == {"offset":31457280,"length":20000000} and (.detail | contains("write that range again"))'
written=$(header ETag)
[ "$written" != "$etag" ] || fail "the ETag did not change"
expect 206 $data -r 31457280-51457279
same "$work/large" "$body" 'what was written nevertheless'
expect_header ETag "$written"
# A pipe has no length: the same, however short it is.
printf 'hello' | expect_problem 422 checksum-mismatch "$data?offset=512" -T - -H "Content-Digest: sha-256=:$wrong:"
check '.written == {"offset":512,"length":5}'

# ---- what is no digest
expect_problem 400 invalid-value $data -T "$work/small" -H "Content-Digest: sha-256=$wrong"
check '.detail | startswith("Content-Digest ")'
expect_problem 400 invalid-value $data -T "$work/small" -H 'Content-MD5: 123'
expect_problem 501 not-supported $data -T "$work/small" -H 'Content-Digest: sha=:AAAA:'
expect_problem 501 not-supported $data -T "$work/small" -H "Repr-Digest: sha-256=:$wrong:"
expect_problem 501 not-supported $data -T "$work/small" -H "Digest: SHA-256=$wrong"
check '.detail == "the header Digest is not supported yet" and .correction == "Send the digest of the body as Content-Digest."'
expect_problem 422 checksum-mismatch /v1/images -d name=new -d size=1M -H "Content-Digest: sha-256=:$wrong:"
expect 404 /v1/images/new
expect_problem 422 checksum-mismatch /v1/images/disk -X DELETE -H "Content-Digest: sha-256=:$wrong:"
expect 200 /v1/images/disk
expect 200 $data -X OPTIONS
check '.features | index("digest")'

finish
