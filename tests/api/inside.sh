#!/usr/bin/env bash
# What the files hold: fields and layout; and the pools they lie in.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
mkdir "$work/fast"
printf '[pool fast]\npath = %s\n' "$work/fast" >"$work/vhdd.conf"
start_vhdd --config "$work/vhdd.conf"
image base 8M
id=$(jq -r .id "$body")
random 4096 "$work/bytes"
expect 200 '/v1/images/base/data?offset=2M' -T "$work/bytes"
expect 201 /v1/images -d name=kid -d parent=base -d pool=fast
expect 201 /v1/images -d name=flat -d kind=fixed -d size=1M

# ---- fields
expect 200 /v1/images/base/fields/current-size
[ "$(cat "$body")" = 8388608 ] || fail "current-size is '$(cat "$body")'"
expect_header Content-Type 'text/plain; charset=utf-8'
expect 200 '/v1/images/base/fields/uuid?format=json'
check ".uuid == \"$id\""
expect 200 /v1/images/kid/fields/parent_unique_id
[ "$(cat "$body")" = "$id" ] || fail "the parent is '$(cat "$body")'"
expect 200 /v1/images/kid/fields
grep -q '^disk-type: Differencing_hard_disk$' "$body" || fail "no type: $(cat "$body")"
expect 200 /v1/images/kid/fields/creator-version
[ "$(cat "$body")" = 655360 ] || fail "the version is '$(cat "$body")'"
expect 200 /v1/images/flat/fields
expect_problem 404 field-not-found /v1/images/flat/fields/table-offset
expect_problem 404 field-not-found /v1/images/base/fields/colour

# ---- layout: from the first byte to the last, without a hole
expect 200 /v1/images/base/layout
tail -n 1 "$body" | jq -e '.end and .next == null' >/dev/null || fail "no end: $(tail -n 1 "$body")"
jq -s 'map(select(.kind)) | {first: .[0].kind, last: .[-1].kind, end: (.[-1].offset + .[-1].length),
	blocks: map(select(.kind == "block")), holes: [range(1; length) as $i
	| select(.[$i].offset != .[$i - 1].offset + .[$i - 1].length)]}' "$body" >"$work/layout"
mv "$work/layout" "$body"
size=$(stat -c %s "$state/images/$id.vhd")
check ".first == \"footer-copy\" and .last == \"footer\" and .end == $size and .holes == []" 'the layout'
check '.blocks | length == 1 and .[0].index == 1 and .[0].present == 4096'
expect 200 '/v1/images/base/layout?limit=1&format=json'
check '.items == [{"offset":0,"length":512,"kind":"footer-copy"}] and .next == 1'
expect 200 '/v1/images/base/layout?start=1&limit=1&format=json'
check '.items[0].kind == "header" and .next == 2'

# ---- pools
expect 200 /v1/pools
check '[.items[].name] == ["default","fast"] and .items[0].default and .items[1].state == "online"'
check '.items[0].capacity | .size == .free + .used'
expect 200 /v1/pools/fast
check ".path == \"$work/fast\""
expect_problem 404 pool-not-found /v1/pools/slow
expect 200 '/v1/images?pool=fast&fields=name'
check '[.items[].name] == ["kid"]'

# ---- one that has not failed is left as it is
expect 200 /v1/images/base/actions/recover -X POST
check '.state == "ready"'

# ---- a pool whose disk is not mounted is not made anew somewhere else
stop_vhdd
mv "$work/fast" "$work/aside"
"$VHDD" --state-dir "$state" --listen "unix:$socket" --config "$work/vhdd.conf" 2>"$work/refusal" && fail 'it runs without a pool'
grep -q "the pool 'fast' has no folder $work/fast: mount its disk" "$work/refusal" || fail "it does not say why: $(cat "$work/refusal")"
[ ! -e "$work/fast" ] || fail 'it has made the folder'
"$VHDD" --state-dir "$state" --rebuild-catalog --config "$work/vhdd.conf" >"$work/refusal" 2>&1 && fail 'it rebuilds without a pool'
grep -q "the pool 'fast' has no folder" "$work/refusal" || fail "it does not say why: $(cat "$work/refusal")"

# ---- nor is the empty place at which it is to be mounted taken for it
mkdir "$work/fast"
"$VHDD" --state-dir "$state" --listen "unix:$socket" --config "$work/vhdd.conf" 2>"$work/refusal" && fail 'it runs on an empty place'
grep -q "the pool 'fast' has images, such as 'kid', and its folder $work/fast is empty: mount its disk; if they are lost" "$work/refusal" ||
	fail "it does not say why: $(cat "$work/refusal")"
"$VHDD" --state-dir "$state" --rebuild-catalog --config "$work/vhdd.conf" >"$work/refusal" 2>&1 && fail 'it rebuilds on an empty place'
grep -q "^failed: the pool 'fast' has images, such as 'kid', and its folder $work/fast is empty" "$work/refusal" ||
	fail "it does not say why: $(cat "$work/refusal")"
touch "$work/fast/lost"
start_vhdd --config "$work/vhdd.conf"
expect_problem 409 chain-unhealthy /v1/images/kid/data
stop_vhdd
rm -r "$work/fast"
mv "$work/aside" "$work/fast"
start_vhdd --config "$work/vhdd.conf"
expect 206 /v1/images/kid/data -r 0-0
# A pool without images may be empty.
expect 204 /v1/images/kid -X DELETE
stop_vhdd
[ -z "$(ls -A "$work/fast")" ] || fail "the pool has still $(ls -A "$work/fast")"
start_vhdd --config "$work/vhdd.conf"
expect 200 /v1/pools/fast

# ---- folders that move take adopted files along
mkdir "$work/fast/sub"
for at in "$state/images" "$work/fast/sub"; do
	name=$(basename "$at")
	image "$name" 8M
	expect 200 "/v1/images/$name/data" -T "$work/bytes"
	expect 200 "/v1/images/$name"
	id=$(jq -r .id "$body")
	expect 204 "/v1/images/$name?keep_file=1" -X DELETE
	mv "$state/images/$id.vhd" "$at/golden.vhd"
	expect 201 /v1/images -d "{\"name\":\"$name\",\"source\":{\"path\":\"$at/golden.vhd\"}}"
	child "of-$name" "$name"
done
stop_vhdd
mv "$state" "$work/state2"
state=$work/state2
mv "$work/fast" "$work/fast2"
printf '[pool fast]\npath = %s\n' "$work/fast2" >"$work/vhdd.conf"
moved_along() { # WHEN
	for at in "$state/images" "$work/fast2/sub"; do
		name=$(basename "$at")
		expect 206 "/v1/images/of-$name/data" -r 0-4095
		same "$work/bytes" "$body" "$1: $at"
		expect 200 "/v1/images/$name"
		check ".state == \"ready\" and .file == \"$at/golden.vhd\"" "$1"
		expect 200 "/v1/images/of-$name/sectors/0"
		check ".location.path == \"$at/golden.vhd\"" "$1"
		expect_problem 409 duplicate-uuid /v1/images -d "{\"source\":{\"path\":\"$at/golden.vhd\"}}"
		check '.detail | endswith("golden.vhd is in the catalog already")' "$1"
	done
	expect 200 /readyz
	! grep -q 'duplicate-id\|unknown-image\|missing-file' "$body" || fail "$1: $(cat "$body")"
}
start_compared --config "$work/vhdd.conf"
moved_along 'after a move'
stop_vhdd
"$VHDD" --state-dir "$state" --rebuild-catalog --config "$work/vhdd.conf" >"$work/said" 2>&1 || fail "rebuild: $(cat "$work/said")"
! grep -q 'left out\|parent-missing' "$work/said" || fail "it leaves out: $(cat "$work/said")"
start_compared --config "$work/vhdd.conf"
moved_along 'after a rebuild'
expect 204 /v1/images/of-sub -X DELETE
expect 204 /v1/images/sub -X DELETE
[ ! -e "$work/fast2/sub/golden.vhd" ] || fail 'a deleted image has left its file'

finish
