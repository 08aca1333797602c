#!/usr/bin/env bash
# PATCH of saved_state and features: in both footers of the file and in the catalog, or in none of them; also when the
# daemon ends in the middle.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd

# patch STATUS NAME JSON [CURL-OPTION...]
patch() {
	local status=$1 name=$2 json=$3
	shift 3
	expect "$status" "/v1/images/$name" -X PATCH -d "$json" "$@"
}
refused() { # STATUS CODE NAME JSON [CURL-OPTION...]
	local status=$1 code=$2 name=$3 json=$4
	shift 4
	expect_problem "$status" "$code" "/v1/images/$name" -X PATCH -d "$json" "$@"
}
file_of() { # NAME: sets `file`
	expect 200 "/v1/images/$1"
	file=$state/images/$(jq -r .file "$body")
}
# footers FILE: of each footer its feature byte and its saved state, the copy at the start first.
footers() {
	local size
	size=$(stat -c %s "$1")
	for at in 0 $((size - 512)); do
		dd if="$1" bs=1 skip=$((at + 11)) count=1 status=none | od -An -tu1
		dd if="$1" bs=1 skip=$((at + 84)) count=1 status=none | od -An -tu1
	done | tr -d ' \n'
}
# tells NAME SAVED TEMPORARY: the catalog and, of a growing disk, both copies.
tells() {
	expect 200 "/v1/images/$1"
	check ".vhd.saved_state == $2 and (.vhd.features == [\"temporary\"]) == $3" "$1"
	local byte saved=0
	byte=$([ "$3" = true ] && echo 3 || echo 2)
	[ "$2" = true ] && saved=1
	file=$state/images/$(jq -r .file "$body")
	[ "$(footers "$file")" = "$byte$saved$byte$saved" ] || fail "the footers of $1: $(footers "$file")"
}

# ---- both copies, and the rest as it was
random 100000 "$work/bytes"
image base 8M
expect 200 /v1/images/base/data -T "$work/bytes"
patch 200 base '{"saved_state":true,"description":"asleep"}'
check '.vhd.saved_state and .vhd.features == [] and .description == "asleep"'
[ "$(header ETag)" = "$(jq .etag "$body")" ] || fail "ETag $(header ETag)"
tells base true false
patch 200 base '{"features":["temporary"]}'
tells base true true
patch 200 base '{"saved_state":false,"features":[]}'
tells base false false
patch 200 base '{"saved_state":true,"features":["temporary"]}' -H "If-Match: $(header ETag)"
tells base true true
expect 200 '/v1/images/base/fields/saved-state'
[ "$(cat "$body")" = true ] || fail "the field says '$(cat "$body")'"
expect 206 /v1/images/base/data -r 0-99999
same "$work/bytes" "$body" 'data behind a new footer'
expect 200 /v1/images/base/data -T "$work/bytes"
tells base true true
refused 400 invalid-value base '{"features":["hidden"]}'
tells base true true

# ---- fixed disks have one footer
expect 201 /v1/images -d '{"name":"flat","kind":"fixed","size":"1M"}'
patch 200 flat '{"saved_state":true}'
check '.vhd.saved_state'
file_of flat
[ "$(footers "$file" | tail -c 2)" = 21 ] || fail "the footer of a fixed disk: $(footers "$file")"
expect 206 /v1/images/flat/data -r 0-511
same <(head -c 512 /dev/zero) "$body" 'the start of a fixed disk'

# ---- all or nothing
image other 1M
expect 200 /v1/images/other
version=$(header ETag)
patch 200 other '{"description":"later"}'
refused 412 precondition-failed other '{"saved_state":true}' -H "If-Match: $version"
refused 409 name-exists other '{"saved_state":true,"name":"base"}'
refused 409 name-exists other '{"saved_state":true,"name":"base","frozen":true}'
tells other false false
expect 200 /v1/images/other/data -T "$work/bytes" # it is not frozen
patch 200 other '{"saved_state":true,"name":"still","frozen":true}'
check '.frozen and .vhd.saved_state and .name == "still"'
tells still true false

# ---- frozen ones, and parents, do not change
refused 409 image-frozen still '{"saved_state":false}'
check '.image.name == "still"'
refused 409 image-frozen still '{"features":["temporary"],"name":"x"}'
patch 200 still '{"saved_state":true,"description":"as it is"}'
tells still true false
child kid base
refused 409 image-has-children base '{"saved_state":false}'
check '.children == ["kid"]'
tells base true true
patch 200 kid '{"features":["temporary"]}'
tells kid false true
expect 206 /v1/images/kid/data -r 0-99999
same "$work/bytes" "$body" 'what a child shows'
expect 204 /v1/images/kid -X DELETE
patch 200 base '{"saved_state":false}'
tells base false true

# ---- one after the other, beside writers
for i in 1 2 3; do
	for value in true false; do
		curl -s -o /dev/null -w '%{http_code}\n' --unix-socket "$socket" -X PATCH -d "{\"saved_state\":$value}" \
			http://localhost/v1/images/base &
		curl -s -o /dev/null -w '%{http_code}\n' --unix-socket "$socket" -T "$work/bytes" \
			"http://localhost/v1/images/base/data?offset=$((i * 1048576))" &
	done
done >"$work/codes"
for client in $(jobs -p); do
	[ "$client" = "$pid" ] || wait "$client"
done
[ "$(sort "$work/codes" | uniq -c | tr -d ' ' | tr '\n' ' ')" = '12200 ' ] || fail "codes: $(cat "$work/codes")"
expect 200 /v1/images/base
tells base "$(jq .vhd.saved_state "$body")" true

# ---- other programs read the same
patch 200 base '{"saved_state":true}'
expect 206 /v1/images/base/data -r 0-8388607
cp "$body" "$work/content"
file_of base
stop_vhdd
if command -v qemu-img >/dev/null; then
	qemu-img convert -f vpc -O raw "$file" "$work/raw" || fail 'qemu-img does not read it'
	same "$work/content" "$work/raw" 'what qemu-img reads'
fi
if command -v vhdiinfo >/dev/null; then
	vhdiinfo "$file" >"$work/info" 2>&1 || fail "vhdiinfo: $(cat "$work/info")"
	grep -q 'Media size.*8388608 bytes' "$work/info" || fail "vhdiinfo: $(cat "$work/info")"
fi

# ---- the daemon ends in the middle
# crash_at POINT JSON: the answer never comes. Then the image is opened and repaired.
crash_at() {
	[ -z "$pid" ] || stop_vhdd
	VHDD_CRASH_AT=$1 start_vhdd
	expect 200 /v1/images/base/data -T "$work/bytes"
	status=$(request /v1/images/base -X PATCH -d "$2" 2>/dev/null)
	[ "$status" = 000curl:52 ] || fail "$1: the PATCH answered $status"
	stopped=0
	wait "$pid" || stopped=$?
	pid=
	[ "$stopped" -eq 86 ] || fail "$1: vhdd ended with status $stopped"
	start_vhdd
	expect 206 /v1/images/base/data -r 0-0
}
crash_at recover.tail '{"saved_state":false,"features":[]}' # in the page cache: the file has it
tells base false false
crash_at recover.tail-synced '{"saved_state":true,"features":["temporary"]}'
tells base true true
crash_at recover.head '{"saved_state":false}'
tells base false true
crash_at update.footer-set '{"saved_state":true,"features":[]}'
tells base true false
grep -q "'base': saved_state and features are those of its file again" "$work/log" || fail 'the log says nothing'
crash_at catalog.update.commit '{"saved_state":false}'
tells base false false
crash_at catalog.update.committed '{"saved_state":true}'
tells base true false
expect 206 /v1/images/base/data -r 0-99999
same "$work/bytes" "$body" 'data after crashes'
patch 200 base '{"saved_state":false}'
stop_vhdd
start_vhdd
tells base false false
finish
