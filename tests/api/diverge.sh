#!/usr/bin/env bash
# Files that somebody moved, changed or swapped behind the daemon's back: told, never served as what they are not,
# and served again when they are put right.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
file_of() { # NAME
	expect 200 "/v1/images/$1"
	file=$state/images/$(jq -r .file "$body")
}
random 100000 "$work/bytes"
for tree in a b c; do
	image "$tree" 8M
	expect 200 "/v1/images/$tree/data" -T "$work/bytes"
	child "$tree-mid" "$tree"
	child "$tree-leaf" "$tree-mid"
done
image one 4M
image two 8M
file_of a && a=$file
file_of b-mid && b_mid=$file
file_of c && c=$file
file_of one && one=$file
file_of two && two=$file
check '.health.status == "ok" and .health.checked_at >= .created_at'
stop_vhdd
stopped_at=$(date -u +%FT%T.%3NZ)

cp -p "$a" "$work/a"
printf '\1' | dd of="$a" bs=1 seek=1540 conv=notrunc status=none # in the block table
mv "$b_mid" "$work/b_mid"
touch -d 2001-01-01 "$c"
mv "$one" "$work/one"
mv "$two" "$one"
mv "$work/one" "$two"
cp "$work/bytes" "$state/images/notes.txt"
start_compared

# ---- what is told
expect 200 /readyz
check '.ready and (.checks.images.ok | not)'
check '.checks.images.text | test("6 findings")'
for finding in parent-changed missing-file parent-touched wrong-id foreign-file; do
	grep -q "$finding: " "$work/log" || fail "the log has no $finding"
done
states() {
	request '/v1/images?limit=100' >/dev/null
	jq -r '[.items[] | "\(.name)=\(.state)"] | join(" ")' "$body"
}
checked() { # NAME: the time, and that it is one of this start
	request "/v1/images/$1" >/dev/null
	jq -r .health.checked_at "$body"
}
lost=$(checked b-mid)
check '.health.status == "unhealthy"'
[[ $lost > $stopped_at ]] || fail "b-mid was looked at $lost, before the start"
[[ $(checked b) > $stopped_at ]] || fail "b was looked at $(checked b), before the start"

want='a=corrupt a-leaf=ready a-mid=ready b=ready b-leaf=ready b-mid=missing c=ready c-leaf=ready c-mid=ready'
want+=' one=corrupt two=corrupt'
[ "$(states)" = "$want" ] || fail "states: $(states)"

# ---- what is served
expect_problem 409 parent-changed /v1/images/a/data -r 0-0
expect_problem 409 parent-changed /v1/images/a-mid/data -r 0-0
expect_problem 409 parent-changed /v1/images/a-leaf/data -r 0-0
expect_problem 409 parent-changed /v1/images/a-leaf/data -T "$work/bytes"
expect_problem 409 parent-changed /v1/images -d name=more -d parent=a-leaf
expect 206 /v1/images/b/data -r 0-0
expect_problem 409 chain-unhealthy /v1/images/b-mid/data -r 0-0
expect_problem 409 parent-missing /v1/images/b-leaf/data -r 0-0
expect 200 /v1/images/b-leaf/chain
check '.items | length == 3'
expect 206 /v1/images/c-leaf/data -r 0-99999
same "$work/bytes" "$body" 'a parent that was only touched'
expect_problem 409 chain-unhealthy /v1/images/one/data -r 0-0
# The file under its name is another image's.
expect_problem 409 chain-unhealthy /v1/images/one -X DELETE
[ -e "$one" ] || fail "the file of another image was removed"

# ---- put right while the daemon runs
etag=$(checked b-mid >/dev/null && header ETag)
mv "$work/b_mid" "$b_mid"
cp -p "$work/a" "$a"
mv "$one" "$work/two"
mv "$two" "$one"
mv "$work/two" "$two"
for name in a-leaf b-leaf; do
	expect 206 "/v1/images/$name/data" -r 0-99999
	same "$work/bytes" "$body" "$name, put right"
done
[[ $(checked b-mid) > $lost ]] || fail "nobody has looked at b-mid since $lost"
check '.health.status == "ok"'
[ "$(header ETag)" = "${etag/.missing/}" ] || fail "a look has changed more of the ETag than the state"
[ "$(header ETag)" != "$etag" ] || fail "the ETag does not tell that b-mid is back"
expect 206 /v1/images/one/data -r 0-0
expect 206 /v1/images/two/data -r 0-0
states | grep -Eq 'missing|corrupt' && fail "states: $(states)"
stop_vhdd

# ---- changed while it runs, before it is opened
start_vhdd
printf '\1' | dd of="$a" bs=1 seek=1540 conv=notrunc status=none
expect_problem 409 parent-changed /v1/images/a-leaf/data -r 0-0
cp -p "$work/a" "$a"
expect 206 /v1/images/a-leaf/data -r 0-99999
same "$work/bytes" "$body" 'put right again'
# What was lost may be deleted.
rm "$b_mid"
expect_problem 409 image-has-children /v1/images/b-mid -X DELETE
expect 204 /v1/images/b-leaf -X DELETE
expect 204 /v1/images/b-mid -X DELETE
expect 200 /v1/images/b/data -T "$work/bytes"
[ -e "$state/images/notes.txt" ] || fail "a foreign file was removed"

# ---- removed while it is open: nothing that is written to it can be durable
image gone 8M
expect 200 /v1/images/gone/data -T "$work/bytes"
file_of gone && gone=$file
ln "$gone" "$work/gone"
rm "$gone"
expect 200 /v1/images/gone/data -T "$work/bytes" # it has a name still
rm "$work/gone"
expect_problem 500 io-error /v1/images/gone/data -T "$work/bytes"
grep -q 'sync failed: .*the file has been removed' "$work/log" || fail "the log does not say why"
[ "$(states | grep -o 'gone=[a-z]*')" = gone=failed ] || fail "states: $(states)"
expect_problem 409 chain-unhealthy /v1/images/gone/actions/recover -X POST
[ "$(states | grep -o 'gone=[a-z]*')" = gone=missing ] || fail "states: $(states)"
expect 204 /v1/images/gone -X DELETE

# ---- another file in the place of one that is open: no child is made of it, whose parent would be that one later
image swap 8M
expect 200 /v1/images/swap/data -T "$work/bytes"
file_of swap
mv "$file" "$work/aside"
cp -p "$work/aside" "$file"
expect_problem 409 chain-unhealthy /v1/images -d name=swap-kid -d parent=swap
check '(.detail | endswith(" is another file than the one that is open as the image: put that one back"))
	and (.correction | test("keep_file") | not)' 'acknowledged writes are in the open file'
expect_problem 404 image-not-found /v1/images/swap-kid
mv "$work/aside" "$file"
child swap-kid swap

# ---- a folder in the place of a file: its image is not deleted, which could not come to an end
child hidden one
file_of hidden
stop_vhdd
rm "$file"
mkdir "$file"
start_compared
expect_problem 409 chain-unhealthy /v1/images/hidden -X DELETE
check '.detail | endswith("is not a regular file")'
expect 200 /v1/images/hidden
rmdir "$file"
expect 204 /v1/images/hidden -X DELETE
expect 200 /v1/images/one
check '.children_count == 0' 'deleted after a folder was in its place'

# ---- one that has the name under which a file was made is somebody else's, and in nobody's way
for how in "" '?keep_file=1' adopted; do
	child hidden one
	file_of hidden
	mkdir "$state/images/.new-$(basename "$file" .vhd)"
	if [ "$how" = adopted ]; then
		expect 204 '/v1/images/hidden?keep_file=1' -X DELETE
		expect 201 /v1/images -d "{\"name\":\"hidden\",\"source\":{\"path\":\"$file\"}}"
		how=
	fi
	expect 204 "/v1/images/hidden$how" -X DELETE
	if [ "$how" ]; then rm "$file"; else [ ! -e "$file" ] || fail 'its file is still there'; fi
	rmdir "$state/images/.new-$(basename "$file" .vhd)"
	expect 200 /v1/images/one
	check '.children_count == 0' 'deleted beside a folder'
done

finish
