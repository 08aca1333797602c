#!/usr/bin/env bash
# Real use: a file system with files, a snapshot, changes in the child, and both generations intact afterwards.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
requires curl jq mke2fs debugfs e2fsck
start_vhdd

# ---- a file system with a tree of files
mkdir -p "$work/tree/etc" "$work/tree/var/log"
for n in $(seq 1 40); do
	random $((n * 7919)) "$work/tree/var/log/file$n"
done
seq 1 100000 >"$work/tree/etc/numbers"
random 5000000 "$work/tree/big"
mke2fs -q -t ext4 -d "$work/tree" "$work/first.raw" 64M

image disk 64M
expect 200 /v1/images/disk/data -T "$work/first.raw"
check '.length == 67108864 and .flushed'

# ---- a snapshot, and changes in its child
child next disk
cp "$work/first.raw" "$work/second.raw"
random 3000000 "$work/new"
debugfs -w -f - "$work/second.raw" >/dev/null 2>&1 <<-END
	rm /etc/numbers
	rm /var/log/file7
	write $work/new /var/new
	mkdir /srv
	write $work/tree/etc/numbers /srv/numbers
END
e2fsck -fn "$work/second.raw" >/dev/null 2>&1 || die "debugfs has broken its own copy"

# The 4 KiB blocks that differ, those that touch together.
ranges() {
	{ cmp -l "$work/first.raw" "$work/second.raw" || :; } | awk '
		{ block = int(($1 - 1) / 4096) }
		NR == 1 { first = last = block; next }
		block == last { next }
		block == last + 1 { last = block; next }
		{ print first, last - first + 1; first = last = block }
		END { if (NR) print first, last - first + 1 }'
}
ranges >"$work/ranges"
[ -s "$work/ranges" ] || die "nothing has changed"
while read -r first count; do
	dd if="$work/second.raw" of="$work/piece" bs=4096 skip="$first" count="$count" status=none
	expect 200 "/v1/images/next/data?offset=$((first * 4096))&flush=n" -T "$work/piece"
done <"$work/ranges"
expect 200 /v1/images/next/data -X PATCH -d '{"op":"flush"}'

# ---- both generations, byte for byte and as file systems
generation() { # IMAGE RAW
	expect 200 "/v1/images/$1/data"
	cp "$body" "$work/got.raw"
	same "$2" "$work/got.raw" "$1 is not what was written"
	e2fsck -fn "$work/got.raw" >"$work/fsck" 2>&1 || fail "$1: $(cat "$work/fsck")"
}
has() { # PATH FILE: in the raw copy read last
	rm -f "$work/file"
	debugfs -R "dump $1 $work/file" "$work/got.raw" >/dev/null 2>&1
	same "$2" "$work/file" "$1"
}
lacks() {
	debugfs -R "stat $1" "$work/got.raw" 2>&1 | grep -q 'File not found' || fail "$1 is there"
}
both() {
	generation disk "$work/first.raw"
	has /etc/numbers "$work/tree/etc/numbers"
	has /big "$work/tree/big"
	has /var/log/file7 "$work/tree/var/log/file7"
	lacks /var/new
	generation next "$work/second.raw"
	has /srv/numbers "$work/tree/etc/numbers"
	has /var/new "$work/new"
	has /big "$work/tree/big"
	has /var/log/file40 "$work/tree/var/log/file40"
	lacks /etc/numbers
}
both
stop_vhdd KILL
start_vhdd
both

# ---- the child holds the changes only
expect 200 /v1/images/next
check '.usage.file < 30000000'

finish
