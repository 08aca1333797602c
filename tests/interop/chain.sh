#!/usr/bin/env bash
# Chains written by us, read by two others. libvhdi 20210425 takes all the later sectors of a bitmap byte for set after
# the first that is, and loses sectors of blocks of 512 KiB: it gets units of 4 KiB and blocks of 2 MiB.
. "$(dirname "$0")/lib.sh"
requires python3

here=$(dirname "$0")
chain() { # MiB, block size, unit
	local files name content size=$(($1 << 20))
	"$VHDTOOL" create "$work/a.vhd" "$size" "$2"
	"$VHDTOOL" fill "$work/a.vhd" "$RANDOM" 40 "$3"
	files=("$work/a.vhd")
	content=$(ours "$work/a.vhd")
	for name in b c d; do
		"$VHDTOOL" child "$work/$name.vhd" "${files[0]}"
		same "child just made" "$(ours "$work/$name.vhd")" "$content"
		"$VHDTOOL" fill "$work/$name.vhd" "$RANDOM" 30 "$3"
		files=("$work/$name.vhd" "${files[@]}")
		content=$(ours "$work/$name.vhd")
		compare "$content" "${files[@]}"
	done
	same "depth" "$("$VHDTOOL" info "$work/d.vhd")" "4 $size 4"
	rm "$work"/?.vhd
}

# Each takes what the content shall be, and the files, leaf first.
by_libvhdi() {
	same "chain of $(($# - 1)) in libvhdi" "$("$VHDICAT" "${@:2}" | sum)" "$1"
}

by_the_letter() {
	same "chain of $(($# - 1))" "$(python3 "$here/vhdread.py" "${@:2}" | sum)" "$1"
}

compare() { by_the_letter "$@"; }
chain 20 2097152 512
chain 20 524288 512

requires_vhdicat
compare() { by_libvhdi "$@"; }
chain 20 2097152 4096
for _ in $(seq 2 "$rounds"); do chain 6 2097152 4096; done
told $((4 * (rounds + 2)))
