#!/usr/bin/env bash
# A child of a file system that somebody else made: a file written into it by debugfs is there, and the parent as before.
. "$(dirname "$0")/lib.sh"
requires qemu-img debugfs gzip

gzip -dc "$(dirname "$0")/../data/ext2.vhd.gz" >"$work/ext2.vhd"
before=$(sum <"$work/ext2.vhd")
same "the base" "$(ours "$work/ext2.vhd")" "$(qemu_reads "$work/ext2.vhd")"
mv "$work/qemu.raw" "$work/base.raw"

"$VHDTOOL" child "$work/child.vhd" "$work/ext2.vhd"
same "the child just made" "$(ours "$work/child.vhd")" "$(sum <"$work/base.raw")"

cp "$work/base.raw" "$work/changed.raw"
head -c 10000 /dev/urandom >"$work/file"
debugfs -w -R "write $work/file new-file" "$work/changed.raw" 2>"$work/log"
changed=$("$VHDTOOL" patch "$work/child.vhd" "$work/changed.raw")
[ "$changed" -gt 2 ] || fail "only $changed units changed"
"$VHDTOOL" cat "$work/child.vhd" >"$work/child.raw"
same "the child" "$(sum <"$work/child.raw")" "$(sum <"$work/changed.raw")"
debugfs -R "dump new-file $work/file.back" "$work/child.raw" 2>>"$work/log"
cmp "$work/file" "$work/file.back" || fail "the file is not what was written"

same "the list of the base" "$(debugfs -R 'ls -p /' "$work/base.raw" 2>/dev/null)" \
	"$("$VHDTOOL" cat "$work/ext2.vhd" >"$work/again.raw" && debugfs -R 'ls -p /' "$work/again.raw" 2>/dev/null)"
same "the bytes of the base" "$(sum <"$work/ext2.vhd")" "$before"
if [ -x "${VHDICAT:-}" ]; then
	same "the child in libvhdi" "$("$VHDICAT" "$work/child.vhd" "$work/ext2.vhd" | sum)" "$(sum <"$work/changed.raw")"
fi
echo "$changed units of 4 KiB in the child"
