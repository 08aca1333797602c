#!/usr/bin/env bash
# Footers that a power cut has left unclean: repaired when the catalog knows of it, and on request when it does not.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
printf '[flush]\nms = 60000\n' >"$work/conf"
random 65536 "$work/bytes"

wipe_footer() { # NAME: as a cut does that comes before the footer is on the disk; the daemon is stopped
	local file size
	file=$state/images/$(cat "$work/id-$1").vhd
	size=$(stat -c %s "$file")
	dd if=/dev/zero of="$file" bs=512 seek=$((size / 512 - 1)) count=1 conv=notrunc status=none
}
footers_agree() { # NAME
	local file
	file=$state/images/$(cat "$work/id-$1").vhd
	cmp <(head -c 512 "$file") <(tail -c 512 "$file") || fail "$1: the footers differ"
}
made() { # NAME
	image "$1" 64M
	expect 200 "/v1/images/$1"
	jq -r .id "$body" >"$work/id-$1"
	expect 200 "/v1/images/$1/data" -T "$work/bytes"
}
reads() { # NAME WHAT
	expect 206 "/v1/images/$1/data" -r 0-65535
	same "$work/bytes" "$body" "$2"
}

# ---- frozen in the backup, thawed and written since, cut, and the catalog is lost
start_vhdd --config "$work/conf"
made disk
expect 200 /v1/images/disk -X PATCH -d frozen=true
stop_vhdd
start_vhdd --config "$work/conf" # backs it up
wait_until compgen -G "$state/catalog.db.*.bak" >/dev/null
expect 200 /v1/images/disk/actions/thaw -X POST
expect 200 '/v1/images/disk/data?offset=16M' -T "$work/bytes"
expect 200 '/v1/images/disk/data?offset=8M&flush=n' -T "$work/bytes"
stop_vhdd KILL
wipe_footer disk
rm "$state/catalog.db"
"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" || fail "rebuild fails: $(cat "$work/said")"
start_compared
expect 200 /v1/images/disk
check '.frozen and .health.status == "ok" and .data_etag == null' 'not opened yet'
reads disk 'what was written while it was frozen'
etag=$(header ETag)
[[ $etag =~ ^\"f[0-9]+-[0-9a-f]{16}\"$ ]] || fail "the ETag of a frozen image is $etag"
expect 206 /v1/images/disk/data -r 16777216-16842751
same "$work/bytes" "$body" 'what was written when it was thawed'
footers_agree disk
stop_vhdd
start_compared
# It is clean: its version is known before anybody opens it.
expect 200 /v1/images/disk
check ".frozen and .health.status == \"ok\" and .data_etag == $etag" 'opened once'
expect 200 /v1/images/disk/actions/thaw -X POST
expect 200 /v1/images/disk/data -T "$work/bytes"

# ---- forgotten before anybody has opened it: its file is put right first, for whoever adopts it
for mode in own link; do
	made $mode
	file=$state/images/$(cat "$work/id-$mode").vhd
	if [ $mode = link ]; then
		expect 204 '/v1/images/link?keep_file=1' -X DELETE
		expect 201 /v1/images -d "{\"name\":\"link\",\"source\":{\"path\":\"$file\",\"mode\":\"link\"}}"
	fi
	expect 200 "/v1/images/$mode/data?offset=8M&flush=n" -T "$work/bytes"
	stop_vhdd KILL
	wipe_footer $mode
	start_compared
	expect 204 "/v1/images/$mode$([ $mode = link ] || echo '?keep_file=1')" -X DELETE
	footers_agree $mode
	expect 201 /v1/images -d "{\"name\":\"$mode\",\"source\":{\"path\":\"$file\"}}"
	reads $mode 'what was forgotten before it was repaired'
	expect 204 "/v1/images/$mode" -X DELETE
done
# What cannot be put right, as nobody can read it, may be forgotten all the same.
made gone
expect 200 '/v1/images/gone/data?offset=8M&flush=n' -T "$work/bytes"
made torn
expect 200 '/v1/images/torn/data?offset=8M&flush=n' -T "$work/bytes"
stop_vhdd KILL
mv "$state/images/$(cat "$work/id-gone").vhd" "$work/gone.vhd"
printf '\377\377\377\376' | dd of="$state/images/$(cat "$work/id-torn").vhd" bs=1 seek=1556 conv=notrunc status=none # an entry past the end
start_compared
for name in gone torn; do
	expect 204 "/v1/images/$name?keep_file=1" -X DELETE
done
rm "$state/images/$(cat "$work/id-torn").vhd"

# ---- a parent whose first child has come to nothing, and waits for its pool to be undone
stop_vhdd
mkdir "$work/far"
printf '[flush]\nms = 60000\n[pool far]\npath = %s\n' "$work/far" >"$work/conf-far"
VHDD_CRASH_AT=catalog.insert.committed:2 start_vhdd --config "$work/conf-far"
made early
expect 200 '/v1/images/early/data?offset=8M&flush=n' -T "$work/bytes"
[ "$(request /v1/images -d name=half -d parent=early -d pool=far 2>/dev/null)" != 201 ] || fail 'there is no crash'
wait "$pid" || :
wipe_footer early
start_compared --config "$work/conf"
expect 200 /v1/images/half
check '.state == "creating"'
reads early 'the parent of what is being created'
footers_agree early
child late early
stop_vhdd
start_compared --config "$work/conf-far"
reads late 'a child of what was repaired'
expect 404 /v1/images/half
expect 204 /v1/images/late -X DELETE
expect 204 /v1/images/early -X DELETE

# ---- the catalog says that it was closed, and it is not so
made other
made ice
expect 200 /v1/images/ice -X PATCH -d frozen=true
stop_vhdd
wipe_footer other
wipe_footer ice
start_compared
for name in other ice; do
	expect_problem 409 chain-unhealthy /v1/images/$name/data
	check '(.detail | startswith("unclean-footer: ")) and (.correction | endswith("POST /v1/images/'$name'/actions/recover"))'
	expect 200 /v1/images/$name/actions/recover -X POST
	check ".name == \"$name\" and .health.status == \"ok\"" "$name"
	reads $name "$name, recovered"
	footers_agree $name
done
expect 200 /v1/images/ice
check '.frozen' 'frozen and recovered'
expect_problem 409 image-frozen /v1/images/ice/data -T "$work/bytes"
expect 200 /v1/images/other/data -T "$work/bytes"

# ---- of a parent it says what is true, and what helps
made base
child kid base
stop_vhdd
wipe_footer base
start_compared
expect_problem 409 parent-changed /v1/images/base/actions/recover -X POST # it is sealed
stop_vhdd
"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" || fail "rebuild fails: $(cat "$work/said")"
start_compared
for name in base kid; do
	expect_problem 409 chain-unhealthy /v1/images/$name/data
	check '.detail | startswith("unclean-footer: ")'
done
expect_problem 409 image-has-children /v1/images/base/actions/recover -X POST
check '.detail == "'"'base' is a parent: its footers are not what they should be, and while images read through it its \
file is not repaired: forget them (DELETE with keep_file=1), recover it, and adopt them again"'" and .children == ["kid"]'
expect 204 '/v1/images/kid?keep_file=1' -X DELETE
expect 200 /v1/images/base/actions/recover -X POST
reads base 'a parent that was recovered'
footers_agree base
stop_vhdd
[ "$stopped" -eq 0 ] || fail "status $stopped"
start_compared
expect 200 '/v1/images?format=json'
check '[.items[].health.status] | unique == ["ok"]' 'after all'
finish
