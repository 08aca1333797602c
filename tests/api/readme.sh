#!/usr/bin/env bash
# The first session of README.md, as a newcomer types it: every line does what is said of it.
. "$(dirname "$0")/lib.sh"
requires curl jq
readme=$(realpath "$(dirname "$0")/../../README.md")
export no_proxy=localhost
start_vhdd --listen 127.0.0.1:0
find_port
cd "$work"

sed -n '/^## A first session/,/^## Where/s/^\$ //p' "$readme" | sed "s/localhost:8080/localhost:$port/" >session
exec 3<session

# types [STATUS]: the next line of the session ends so; what it printed is `body`.
types() {
	local status=0
	IFS= read -r line <&3 || die "the session ends too early"
	bash -c "$line" >"$body" 2>error || status=$?
	[ "$status" -eq "${1:-0}" ] && return
	fail "$line: exit status $status, $(tail -n 1 error)"
	cat "$body"
}

# prints FILTER: the next line succeeds with such JSON.
prints() {
	types
	check "$1" "$line"
}

types
prints '.name == "base" and .kind == "dynamic" and .virtual_size == 10737418240'
prints '.offset == 0 and .length == 2097152'
prints '.name == "web-1" and .parent.name == "base" and .froze == ["base"]'
prints '.sector == 2048 and .location.image.name == "base"'
prints '.offset == 1048576 and .length == 512'
prints '.sector == 2048 and .location.image.name == "web-1"'
types
same sector.bin back.bin "$line"
types
prints '.offset == 1048576 and .length == 512'
prints '.results == [{"op":"zero","offset":1048576,"length":512,"effect":"zeroed"}]'
prints '.name == "web-1" and .vhd.saved_state'
prints '[.items[].name] == ["web-1", "base"]'
prints '[.extents[].image] == ["base", "web-1", "base", null] and .extents[1].start == 1048576'
types
[ "$(awk '!/^#/ { print $1, $2 }' "$body")" = $'base dynamic\nweb-1 differencing' ] || fail "$line: $(cat "$body")"
types 22
check '.status == 409 and .code == "image-has-children" and .children == ["web-1"]' "$line"
types
expect_problem 404 image-not-found /v1/images/web-1
[ "$(find "$state" -name '*.vhd' | wc -l)" -eq 1 ] || fail "$line: the file is still there"
types
types
expect_problem 404 image-not-found /v1/images/base
prints '.image.name == "found" and [.adopted[].name] == ["found"] and .image.virtual_size == 10737418240'

! IFS= read -r line <&3 || fail "nothing is known of: $line"
finish
