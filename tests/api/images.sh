#!/usr/bin/env bash
# Images: created in every kind, listed, looked at, deleted.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd

expect 201 /v1/images -d '{"name":"base","size":"1G"}'
check '.kind == "dynamic" and .virtual_size == 1073741824 and .writable and .depth == 0'
check '.state == "ready" and .parent == null and .block_size == 2097152'
id=$(jq -r .id "$body")
expect_header Location "/v1/images/$id"
expect_header ETag "\"$(jq -r .etag "$body")\""
[ -f "$state/images/$id.vhd" ] || fail "the file is not <id>.vhd"
[ -z "$(find "$state/images" -name '.new-*')" ] || fail "a .new- file is left"

expect 201 /v1/images -d name=form -d size=512
check '.virtual_size == 512'
expect 201 /v1/images -d '{"name":"flat","kind":"fixed","size":"1M"}'
check '.kind == "fixed" and .block_size == null and .usage.file == 1049088'
expect 201 /v1/images -d '{"size":"1M"}'
check '.name | test("^img-[0-9a-f]{8}$")'
anonymous=$(jq -r .name "$body")
# Among many images the eight digits are taken now and then.
expect 201 /v1/images -d size=1M -d name=img-0badcafe
expect 201 /v1/images -d size=1M -d uuid=0badcafe-c82a-447a-a7fd-f7f379195e80
check '.name == "img-0badcafe-c82a-447a-a7fd-f7f379195e80"'
expect 204 /v1/images/img-0badcafe -X DELETE
expect 204 /v1/images/0badcafe-c82a-447a-a7fd-f7f379195e80 -X DELETE

uuid=89a62601-c82a-447a-a7fd-f7f379195e80
expect 201 /v1/images -d "{\"name\":\"leaf\",\"parent\":\"base\",\"uuid\":\"$uuid\",\"saved_state\":true,
	\"features\":[\"temporary\"],\"labels\":{\"role\":\"web\"},\"description\":\"before upgrade\"}"
check ".id == \"$uuid\" and .kind == \"differencing\" and .depth == 1 and .parent.name == \"base\""
check '.froze == ["base"] and .vhd.saved_state and .vhd.features == ["temporary"]'
check '.labels == {"role":"web"} and .description == "before upgrade" and .root.name == "base"'
check ".vhd.parent_uuid == \"$id\""
jq -r '.vhd.locators[].path' "$body" >"$work/locators"
printf '%s\n' ".\\$id.vhd" "file://./$id.vhd" | cmp - "$work/locators" || fail "the locators: $(cat "$work/locators")"

expect 200 /v1/images/base
check '.frozen and (.writable | not) and .frozen_reason == "children" and .children_count == 1'
expect 200 "/v1/images/${uuid^^}"
check '.name == "leaf"'
expect 201 /v1/images -d '{"name":"second","parent":"base","size":"2G"}'
check '.froze == [] and .virtual_size == 2147483648 and (.warnings | length) == 1'

expect 200 /v1/images
check '[.items[].name] == (["base","flat","form","leaf","second"] + ["'"$anonymous"'"] | sort)'
expect 200 '/v1/images?limit=2'
check '(.items | length) == 2 and .next != null'
next=$(jq -r .next "$body")
expect 200 "/v1/images?limit=2&cursor=$next"
check '(.items | length) == 2 and .items[0].name == "form"'
expect 200 /v1/images/leaf/chain
check '[.items[].name] == ["leaf","base"]'
check '[.items[].vhd.locators] == [null,[]]' # no file is read for it

blames() { # POINTER VALUE: and nothing else
	check "[.errors[] | [.pointer, .value]] == [[\"$1\", \"$2\"]] and .errors[0].detail == .detail"
}
expect_problem 409 name-exists /v1/images -d name=base -d size=1M
blames /name base
expect_problem 409 duplicate-uuid /v1/images -d name=other -d size=1M -d "uuid=$uuid"
blames /uuid "$uuid"
expect_problem 409 parent-missing /v1/images -d name=orphan -d parent=nobody
blames /parent nobody
expect_problem 404 pool-not-found /v1/images -d name=other -d size=1M -d pool=nowhere
blames /pool nowhere
expect_problem 409 size-mismatch /v1/images -d name=small -d parent=base -d size=1M
blames /size 1M
expect_problem 409 size-mismatch /v1/images/base/snapshots -d size=1M
blames /size 1M
expect_problem 409 image-has-children /v1/images/base -X DELETE
check '.children == ["second","leaf"] or .children == ["leaf","second"]'
expect 200 /v1/images/base

expect 204 /v1/images/leaf -X DELETE
[ ! -e "$state/images/$uuid.vhd" ] || fail "the file of a deleted image is there"
expect_problem 404 image-not-found /v1/images/leaf -X DELETE
expect 204 /v1/images/second -X DELETE
expect 200 /v1/images/base
check '.writable and (.frozen | not) and .frozen_reason == null' 'the last child is gone'
expect 204 '/v1/images/base?keep_file=1' -X DELETE
[ -f "$state/images/$id.vhd" ] || fail "keep_file has removed the file"
expect 201 /v1/images -d '{"name":"leaf","size":"1M"}'
# A file that nobody knows is never replaced, nor removed.
expect 409 /v1/images -d name=again -d size=1M -d "uuid=$id"
[ -f "$state/images/$id.vhd" ] || fail "a failed creation has removed the file of somebody else"
expect 404 /v1/images/again

finish
