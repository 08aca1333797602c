#!/usr/bin/env bash
# What belongs to later versions is refused with 501, and changes nothing: it is never ignored.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
image disk 1M
expect 200 /v1/images/disk
id=$(jq -r .id "$body")
before=$(jq -S 'del(.health.checked_at)' "$body")
rows=0

# later NAME PATH [CURL-OPTION...]: refused, and the answer names what
later() {
	local name=$1
	shift
	expect_problem 501 not-supported "$@"
	jq -e --arg name "$name" '.detail | contains($name)' "$body" >/dev/null || fail "$*: $(jq -r .detail "$body")"
	rows=$((rows + 1))
}

# ---- parameters, on every request that changes the catalog
disk=/v1/images/disk
for name in dry_run=1 wait=5; do
	later "${name%=*}" "/v1/images?$name" -d name=new -d size=1M
	later "${name%=*}" "/v1/images/new?$name" -X PUT -d size=1M
	later "${name%=*}" "$disk?$name" -X PATCH -d name=other
	later "${name%=*}" "$disk?$name" -X DELETE
	later "${name%=*}" "$disk/snapshots?$name" -d name=new
	for verb in freeze thaw recover; do
		later "${name%=*}" "$disk/actions/$verb?$name" -X POST
	done
	later "${name%=*}" "$disk/data?$name" -X PATCH -d op=zero -d offset=0 -d length=512
done
later ignore_policy '/v1/images?ignore_policy=1' -d name=new -d parent=disk
later ignore_policy '/v1/images/new?ignore_policy=1' -X PUT -d parent=disk
later ignore_policy "$disk/snapshots?ignore_policy=1" -d name=new
later merge "$disk?merge=down" -X DELETE
later recursive "$disk?recursive=1&confirm=disk" -X DELETE
later confirm "$disk?confirm=disk" -X DELETE
later jobs '/v1/images?embed=chain,jobs'
later jobs "$disk?embed=jobs"

# ---- headers, on reads too where they would change what is read
for header in 'Idempotency-Key: one' 'Lease: 9a'; do
	later "${header%:*}" /v1/images -d name=new -d size=1M -H "$header"
	later "${header%:*}" $disk -X DELETE -H "$header"
	later "${header%:*}" $disk/data -X PUT -d data -H "$header"
	later "${header%:*}" $disk/data -H "$header"
done
for header in 'If-Unmodified-Since: Thu, 01 Jan 2026 00:00:00 GMT' 'Repr-Digest: sha-256=:AAAA:' \
	'Digest: SHA-256=AAAA'; do
	later "${header%%:*}" $disk -X DELETE -H "$header"
	later "${header%%:*}" $disk/data -X PUT -d data -H "$header"
done
later Transfer-Encoding $disk/data -X PUT -d data -H 'Transfer-Encoding: gzip, chunked'

# ---- fields
field() { # POINTER JSON [PATH CURL-OPTION...]
	later "$1: " "${@:3}" -d "$2"
	jq -e --arg pointer "$1" '.errors[0] | .pointer == $pointer and .code == "not-supported"' "$body" >/dev/null ||
		fail "$2: $(jq -c .errors "$body")"
}
field /preallocation '{"name":"new","kind":"fixed","size":"1M","preallocation":"full"}' /v1/images
field /kind '{"name":"new","kind":"raw","size":"1M"}' /v1/images
field /new_uuid '{"name":"new","size":"1M","new_uuid":true}' /v1/images
field /source/image '{"name":"new","source":{"image":"disk"}}' /v1/images
field /source/mode '{"name":"new","source":{"path":"/x.vhd","mode":"copy"}}' /v1/images
for level in full deep; do
	field /source/check "{\"name\":\"new\",\"source\":{\"path\":\"/x.vhd\",\"check\":\"$level\"}}" /v1/images
done

field /store_note '{"store_note":"x"}' $disk -X PATCH

# ---- all answers are final, which is what this asks for
expect 201 /v1/images -d name=kept -d size=1M -H 'Prefer: wait=30'
expect 204 /v1/images/kept -X DELETE -H 'Prefer: respond-async'

# ---- paths that are not there yet
for path in jobs events disks uploads trees health/chains tokens tickets whoami audit stats images/disk/export \
	images/disk/delta images/disk/map images/disk/checksum images/disk/lease; do
	expect_problem 404 route-not-found "/v1/$path"
done
for verb in coalesce flatten rebase resize convert check repair revert compact clone; do
	expect_problem 404 route-not-found "$disk/actions/$verb" -X POST
	expect 200 /v1
	check ".features | index(\"$verb\") == null"
done

expect 200 "/v1/images/$id"
[ "$(jq -S 'del(.health.checked_at)' "$body")" = "$before" ] || fail "the image has changed: $(cat "$body")"
expect 200 '/v1/images?count=1'
check '.total == 1'
[ "$rows" -gt 40 ] || fail "only $rows rows"
finish
