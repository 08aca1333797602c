#!/usr/bin/env bash
# One file whose parent nobody knows: what can be read of it, what is refused, and what it becomes when the parent comes.
# shellcheck disable=SC2119,SC2016 # options are optional; $ in jq filters is jq's
. "$(dirname "$0")/lib.sh"
requires curl jq gzip
: "${VHDTOOL:?is the tool that makes images}"

here=$(dirname "$0")
srv=$work/srv
mkdir -p "$srv"
printf '[pool]\nroots = %s\n' "$srv" >"$work/conf"
start() { start_compared --config "$work/conf"; }
restart() {
	stop_vhdd "${1:-TERM}"
	start
}
start

adopt_one() { # STATUS FILE NAME [SOURCE-MEMBERS]
	expect "$1" /v1/images -d "{\"name\":\"$3\",\"source\":{\"path\":\"$srv/$2\",\"chain\":false${4:+,$4}}}"
}
id_of() { # FILE: from its footer
	tail -c 512 "$1" | dd bs=1 skip=68 count=16 status=none | od -An -v -tx1 | tr -d ' \n' |
		sed 's/\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)/\1-\2-\3-\4-/'
}
kill_at() { # POINT CURL-OPTION...: of a POST of images
	local point=$1
	shift
	stop_vhdd
	export VHDD_CRASH_AT=$point
	start
	expect 000curl:52 /v1/images "$@" 2>/dev/null
	unset VHDD_CRASH_AT
	stopped=0
	wait "$pid" || stopped=$?
	[ "$stopped" -eq 86 ] || fail "$point was not reached: $stopped"
	start
}
refused() { # PATTERN PATH [CURL-OPTION...]: for lack of a parent
	local pattern=$1
	shift
	expect_problem 409 parent-missing "$@"
	jq -e --arg want "$pattern" '.detail | test($want)' "$body" >/dev/null || fail "$1: $(jq -r .detail "$body")"
}

# ---- the disk that Windows made, whose parent lies on another machine
gzip -dc "$here/../data/fat-differential.vhd.gz" >"$srv/windows.vhd"
before=$(sha256sum "$srv/windows.vhd")
expect_problem 409 parent-missing /v1/images \
	-d "{\"source\":{\"path\":\"$srv/windows.vhd\",\"chain\":false,\"strict\":true}}"
adopt_one 201 windows.vhd windows
check '.warnings == ["parent-missing: the parent " + .image.parent.id + " of windows.vhd is not in the catalog"]'
check '.image.state == "parent-missing" and (.image.writable | not) and .image.depth == 1 and .already_known == []'
check '.image.kind == "differencing" and .image.health.status == "unhealthy" and .image.health.problems == ["parent-missing"]'
parent=$(jq -r .image.parent.id "$body")
look() {
	expect 200 /v1/images/windows
	check '.state == "parent-missing" and .parent.id == "'"$parent"'" and .parent.name == null' "the image"
	check '.root.name == "windows"'
	expect 200 '/v1/images?state=parent-missing'
	check '[.items[].name] == ["windows"]'
	expect 200 '/v1/images?state=ready'
	check '.items == []'
	expect 200 /v1/images/windows/chain
	check '.depth == 1 and .health == {"status": "unhealthy", "problems": ["windows: parent-missing"]}'
	check '.items[-1].parent.id == "'"$parent"'" and .items[-1].parent.name == null' "the end of the chain"
	expect 200 /v1/images/windows/fields/parent-unique-id
	grep -q "^$parent$" "$body" || fail "the field is $(cat "$body")"
	expect 200 /v1/images/windows/layout
	grep -q '"kind":"block"' "$body" || fail "a layout without blocks"
	expect 200 '/v1/images/windows/extents?layers=top'
}
look
expect 200 /v1/images/windows
names=$(jq -r '[.vhd.locators[].path] | map("'"'"'" + . + "'"'"'") | join(", ")' "$body")
[ -n "$names" ] || fail "the disk of Windows has no locators"

# What the file has itself is answered; what only the parent has is not.
expect 200 /v1/images/windows/extents
check '[.extents[] | select(.depth == 0)] | length > 0' "it has data of its own"
read -r first length < <(jq -r '[.extents[] | select(.depth == 0)][0] | "\(.start) \(.length)"' "$body")
hole=$(jq -r '[.extents[] | select(.depth != 0)][0].start' "$body")
expect 206 /v1/images/windows/data -r "$first-$((first + length - 1))"
cp "$body" "$work/own"
expect 200 "/v1/images/windows/sectors/$((first / 512))"
check '.reads == "data" and .location.image.name == "windows" and .location.depth == 0'
needs="the parent $parent of 'windows' is not in the catalog; its locators name "
refused "^sector [0-9]+ is in .*; $needs" /v1/images/windows/data -r "$hole-$((hole + 511))"
jq -e --arg names "$names" '.detail | endswith($names)' "$body" >/dev/null || fail "$(jq -r .detail "$body") lacks $names"
refused "$needs" /v1/images/windows/data
refused "$needs" /v1/images/windows/data -r "$first-$((hole > first ? hole : first + length))"
refused "$needs" "/v1/images/windows/sectors/$((hole / 512))"
refused "$needs" "/v1/images/windows/data?sector=$((hole / 512))"
expect 200 /v1/images/windows/sectors -d "{\"sectors\":[$((hole / 512)),$((first / 512))]}"
check '[.sectors[].reads] == ["unknown", "data"]'

# Nothing is written above a break, and nothing is made there.
random 512 "$work/sector"
refused "ancestors; $needs" "/v1/images/windows/data?offset=$first" -T "$work/sector"
refused "ancestors; $needs" /v1/images/windows/data -X PATCH -d '{"op":"zero","offset":0,"length":512}'
refused "ancestors; $needs" /v1/images/windows -X PATCH -d '{"saved_state":true}'
refused "^$needs" /v1/images/windows/snapshots -d name=child
expect 200 /v1/images/windows -X PATCH -d '{"description":"from Hyper-V","labels":{"os":"w2k"}}'
[ "$(sha256sum "$srv/windows.vhd")" = "$before" ] || fail "the file was changed"

# ---- it stays what it is
restart
look
restart KILL
look
expect 206 /v1/images/windows/data -r "$first-$((first + length - 1))"
same "$body" "$work/own" "what it has, after a kill"
stop_vhdd
"$VHDD" --state-dir "$state" --config "$work/conf" --rebuild-catalog >"$work/rebuilt"
grep -q "^parent-missing windows: its parent $parent is not there$" "$work/rebuilt" || fail "$(cat "$work/rebuilt")"
start
look
expect 200 /v1/images/windows
check '.description == "from Hyper-V" and .labels.os == "w2k"'
expect 206 /v1/images/windows/data -r "$first-$((first + length - 1))"
same "$body" "$work/own" "what it has, after a rebuild"
refused "$needs" /v1/images/windows/data
expect 204 /v1/images/windows -X DELETE
[ ! -e "$srv/windows.vhd" ] || fail "the file is still there"

# ---- a chain that is adopted from its leaf to its root, one file at a time
"$VHDTOOL" create "$srv/base.vhd" $((8 << 20))
"$VHDTOOL" fill "$srv/base.vhd" 1 30 4096
"$VHDTOOL" child "$srv/mid.vhd" "$srv/base.vhd"
"$VHDTOOL" fill "$srv/mid.vhd" 2 10 4096
"$VHDTOOL" child "$srv/leaf.vhd" "$srv/mid.vhd"
"$VHDTOOL" fill "$srv/leaf.vhd" 3 5 4096
"$VHDTOOL" cat "$srv/leaf.vhd" >"$work/leaf.raw"
"$VHDTOOL" cat "$srv/mid.vhd" >"$work/mid.raw"
adopt_one 201 leaf.vhd leaf
refused 'of .leaf. is not in the catalog' /v1/images/leaf/data
said=$(stat -c %Y "$srv/mid.vhd")
touch -d @$((said + 100)) "$srv/mid.vhd"
expect_problem 409 parent-changed /v1/images \
	-d "{\"source\":{\"path\":\"$srv/mid.vhd\",\"chain\":false,\"strict\":true}}"
check '.detail == "parent-changed: mid.vhd was modified 100 s later than leaf says"'
adopt_one 201 mid.vhd mid
check '.warnings | length == 2 and .[0] == "parent-changed: mid.vhd was modified 100 s later than leaf says"'
expect 200 /v1/images/leaf
check '.state == "ready" and .parent.name == "mid" and .root.name == "mid" and .depth == 2' "its own parent is there"
expect 200 /v1/images/mid
check '.state == "parent-missing" and .frozen_reason == "children" and .children_count == 1'
expect 200 /v1/images/leaf/chain
check '[.items[].name] == ["leaf", "mid"] and .health.problems == ["mid: parent-missing"]'
refused "the parent $(id_of "$srv/base.vhd") of 'mid' is not in the catalog" /v1/images/leaf/data
# It was open as it was before; now what its parent has is there as well.
check_parts() {
	expect 200 '/v1/images/mid/extents?layers=top'
	jq -r '.extents[] | select(.depth == 0) | "\(.start) \(.length)"' "$body" | while read -r first length; do
		expect 206 /v1/images/leaf/data -r "$first-$((first + length - 1))"
		dd if="$work/leaf.raw" of="$work/part" iflag=skip_bytes,count_bytes skip="$first" count="$length" status=none
		same "$body" "$work/part" "what the parent has at $first"
	done
}
check_parts
expect 200 /v1/images/leaf/extents
check '[.extents[] | select(.depth == 1)] | length > 0' "extents of the parent"
expect 200 /v1/images/leaf
check '.writable == false' "it cannot be written"
expect 200 '/v1/images?writable=y'
check '[.items[].name] | index("leaf") == null' "nor found where what can be written is asked for"
refused "of 'mid' is not" "/v1/images/leaf/data?offset=0" -T "$work/sector"
refused "of 'mid' is not" /v1/images/leaf/snapshots -d name=child
expect_problem 409 image-has-children /v1/images/mid -X DELETE

# The base comes: killed on the way, it has come or not, and with it the whole chain.
for point in catalog.adopt.row catalog.adopt.commit; do
	kill_at "$point" -d "{\"name\":\"base\",\"source\":{\"path\":\"$srv/base.vhd\",\"chain\":false}}"
	expect_problem 404 image-not-found /v1/images/base
	expect 200 /v1/images/mid
	check '.state == "parent-missing"' "after $point"
done
# Somebody has the broken chain open.
refused 'of .mid. is not in the catalog' /v1/images/leaf/data
version=$(request /v1/images/mid >/dev/null && jq -r .etag "$body")
expect 200 /v1/images/leaf/extents
map=$(header ETag)
adopt_one 201 base.vhd base
check '.image.state == "ready" and .image.frozen_reason == "children" and .image.children_count == 1 and .warnings == []'
expect 200 /v1/images/mid
check '.state == "ready" and .parent.name == "base" and .depth == 1 and .health.status == "ok"'
check '.etag != "'"$version"'"' "the image has changed"
expect 200 /v1/images/leaf/extents -H "If-None-Match: $map"
expect 200 /v1/images/leaf/chain
check '[.items[].name] == ["leaf", "mid", "base"] and .health == {"status": "ok", "problems": []}'
expect 200 /v1/images/leaf/data
same "$body" "$work/leaf.raw" "the content of the chain"
expect 200 /v1/images/mid/data
same "$body" "$work/mid.raw" "the content of its middle"
expect 200 "/v1/images/leaf/data?offset=512" -T "$work/sector"
expect_problem 409 image-has-children "/v1/images/base/data?offset=512" -T "$work/sector"
expect 201 /v1/images/leaf/snapshots -d name=child
restart KILL
expect 200 '/v1/images?state=parent-missing'
check '.items == []'
expect 206 /v1/images/child/data -r 512-1023
same "$body" "$work/sector"
for name in child leaf mid base; do expect 204 "/v1/images/$name" -X DELETE; done

# ---- the parent is made, with the id that is missed
"$VHDTOOL" create "$srv/base.vhd" $((8 << 20))
touch -d 2020-01-01 "$srv/base.vhd"
"$VHDTOOL" child "$srv/one.vhd" "$srv/base.vhd"
"$VHDTOOL" fill "$srv/one.vhd" 2 10 4096
"$VHDTOOL" cat "$srv/one.vhd" >"$work/one.raw"
cp "$srv/one.vhd" "$srv/linked.vhd"
uuid=$(id_of "$srv/base.vhd")
adopt_one 201 one.vhd one '"rw":false'
refused 'of .one. is not in the catalog' /v1/images/one/data
expect_problem 409 duplicate-uuid /v1/images -d "{\"source\":{\"path\":\"$srv/linked.vhd\",\"chain\":false}}"
for point in catalog.insert.committed catalog.finish.commit; do
	kill_at $point -d "{\"name\":\"made\",\"size\":$((8 << 20)),\"uuid\":\"$uuid\"}"
	expect 200 /v1/images/one
	check '.state == "parent-missing"' "after $point"
done
expect 201 /v1/images -d "{\"name\":\"made\",\"size\":$((8 << 20)),\"uuid\":\"$uuid\"}"
check '.frozen_reason == "children" and .children_count == 1 and (.writable | not)'
check '.warnings | length == 1 and (.[0] | startswith("parent-changed: images waited for this one as their parent"))'
expect 200 /v1/images/one
check '.state == "ready" and .parent.name == "made"'
expect 200 /v1/images/one/data
same "$body" "$work/one.raw" "the content above a parent that was made"
expect_problem 409 image-has-children "/v1/images/made/data?offset=0" -T "$work/sector"
expect 204 /v1/images/one -X DELETE
expect 200 "/v1/images/made/data?offset=0" -T "$work/sector"
expect 206 /v1/images/made/data -r 0-511
same "$body" "$work/sector" "what was written when the child had gone"

# ---- an image is not its own ancestor
expect 204 /v1/images/made -X DELETE
"$VHDTOOL" child "$srv/up.vhd" "$srv/base.vhd"
"$VHDTOOL" child "$srv/down.vhd" "$srv/up.vhd"
up=$(id_of "$srv/up.vhd")
adopt_one 201 up.vhd up
adopt_one 201 down.vhd down
expect 200 /v1/images/down/chain
check '[.items[].name] == ["down", "up"]'
expect_problem 409 duplicate-uuid /v1/images -d "{\"size\":1048576,\"uuid\":\"$up\"}"

# ---- a link to it stays when it goes
expect 204 /v1/images/down -X DELETE
expect 204 /v1/images/up -X DELETE
adopt_one 201 linked.vhd linked '"mode":"link"'
check '.image.state == "parent-missing"'
expect 204 /v1/images/linked -X DELETE
[ -e "$srv/linked.vhd" ] || fail "the linked file was removed"
expect 200 /v1/images
check '.items == []'
finish
