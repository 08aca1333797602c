#!/usr/bin/env bash
# A rebuild of the catalog does not bring a forgotten child back over a parent that was written since.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
mkdir "$work/srv"
printf '[pool]\nroots = %s\n' "$work/srv" >"$work/conf"
random 4096 "$work/old"
random 4096 "$work/new"

start() { start_compared --config "$work/conf"; }
rebuild() {
	"$VHDD" --state-dir "$state" --config "$work/conf" --rebuild-catalog >"$work/said" || fail "rebuild: $(cat "$work/said")"
}
says() { # LINE
	grep -qxF -- "$1" "$work/said" || fail "it does not say '$1': $(cat "$work/said")"
}
id_of() { # NAME
	expect 200 "/v1/images/$1"
	jq -r .id "$body"
}
kid_is_left_out() { # WHAT
	says "left out default/$kid.vhd: no catalog knows it, and its parent $base was written since, so that its content may \
be another; its file stays, and POST /v1/images with its path as source adopts it"
	! grep -q 'parent-changed\|new names' "$work/said" || fail "$1: $(cat "$work/said")"
	start
	expect 200 '/v1/images?fields=name,frozen'
	check '.items == [{"name":"base","frozen":false}]' "$1"
	expect 200 /v1/images/base/data -T "$work/new"
}

start
image base 64M
expect 200 /v1/images/base/data -T "$work/old"
child kid base
expect 200 '/v1/images/kid/data?offset=8M' -T "$work/old"
base=$(id_of base) kid=$(id_of kid)
file=$state/images/$kid.vhd

# ---- its parent stands still: it comes back
expect 204 '/v1/images/kid?keep_file=1' -X DELETE
stop_vhdd
rebuild
says '1 images got new names, img-...'
start
expect 200 /v1/images/base
check '.frozen and .children_count == 1' 'not written'
expect 206 "/v1/images/$kid/data" -r 0-4095
same "$work/old" "$body" 'a child over what it was made on'

# ---- it was written: as it is without it
expect 204 "/v1/images/$kid?keep_file=1" -X DELETE
expect 200 /v1/images/base/data -T "$work/new"
stop_vhdd
touch -d 'now + 10 seconds' "$state/images/$base.vhd" # as if it had been written later
before=$(sha256sum "$file")
rebuild
kid_is_left_out 'the old catalog is there'
stop_vhdd
rm "$state"/catalog.db.*.bak # of when it was known
start # backs it up
wait_until compgen -G "$state/catalog.db.*.bak" >/dev/null
stop_vhdd
rm "$state/catalog.db"
rebuild
kid_is_left_out 'only a backup is there'
[ "$(sha256sum "$file")" = "$before" ] || fail "the file of the child has changed"
expect 201 /v1/images -d "{\"name\":\"kid\",\"source\":{\"path\":\"$file\"}}"
check '.warnings | length == 1 and (.[0] | startswith("parent-changed: "))'

# ---- who is known is told of, and kept
stop_vhdd
rebuild
says 'parent-changed kid: its parent base was written since, by the time of its file: compare what it reads with a copy, or delete it'
says '2 images are in the new catalog'
start
expect 200 /v1/images/kid
check '.parent.name == "base"'
expect 204 /v1/images/kid -X DELETE

# ---- a parent that is another's file
stop_vhdd
cp "$state/images/$base.vhd" "$work/srv/base.vhd"
rm "$state/images/$base.vhd" "$state"/catalog.db*
start
expect 201 /v1/images -d "{\"name\":\"base\",\"source\":{\"path\":\"$work/srv/base.vhd\",\"mode\":\"link\",\"rw\":false}}"
child kid base
kid=$(id_of kid)
expect 204 '/v1/images/kid?keep_file=1' -X DELETE
stop_vhdd
touch -d '+1 minute' "$work/srv/base.vhd"
rebuild
says "left out default/$kid.vhd: no catalog knows it, and its parent $base was written since, so that its content may \
be another; its file stays, and POST /v1/images with its path as source adopts it"
start
# Without a catalog that knows it, nobody knows where the parent is: the child waits for it.
stop_vhdd
rm "$state"/catalog.db*
rebuild
start
expect 200 "/v1/images/$kid"
check '.state == "parent-missing"'

# ---- what was being deleted does not come back, however often the catalog is made anew
wait_until compgen -G "$state/catalog.db.*.bak" >/dev/null # which names it
stop_vhdd
VHDD_CRASH_AT=catalog.deleting.committed start_vhdd --config "$work/conf"
expect 000curl:52 "/v1/images/$kid" -X DELETE 2>/dev/null
wait "$pid" || :
rebuild
says "default/$kid.vhd was being deleted: the next start removes it, unless it is moved away"
start
[ ! -e "$state/images/$kid.vhd" ] || fail "the file of the deleted image is there"
stop_vhdd
rebuild
start
expect 200 /v1/images
check '.items == []'

# ---- nor while its disk is away, or its file has a second name
mkdir "$work/p2"
printf '[pool p2]\npath = %s\n' "$work/p2" >>"$work/conf"
for hidden in away named; do
	stop_vhdd
	start
	expect 201 /v1/images -d '{"name":"far","size":1048576,"pool":"p2"}'
	far=$(jq -r .id "$body")
	stop_vhdd
	rm "$state"/catalog.db.*.bak
	start # makes one that has it
	wait_until compgen -G "$state/catalog.db.*.bak" >/dev/null
	stop_vhdd
	VHDD_CRASH_AT=catalog.deleting.committed start_vhdd --config "$work/conf"
	expect 000curl:52 /v1/images/far -X DELETE 2>/dev/null
	wait "$pid" || :
	if [ $hidden = away ]; then
		mv "$work/p2" "$work/disk"
		mkdir "$work/p2"
	else
		ln "$work/p2/$far.vhd" "$work/second"
	fi
	rebuild
	says "p2/$far.vhd was being deleted, and is gone, away or left out: a start that finds it there removes it"
	if [ $hidden = away ]; then
		rmdir "$work/p2"
		mv "$work/disk" "$work/p2"
	fi
	start
	[ ! -e "$work/p2/$far.vhd" ] || fail "$hidden: the file of the deleted image is there"
	stop_vhdd
	rebuild
	start
	expect 200 /v1/images
	check '.items == []' $hidden
done
finish
