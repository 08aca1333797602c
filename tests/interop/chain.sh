#!/usr/bin/env bash
# Chains written by us, read by two others. libvhdi 20210425 takes all the later sectors of a bitmap byte for set after
# the first that is, and loses sectors of blocks of 512 KiB: it gets units of 4 KiB and blocks of 2 MiB.
. "$(dirname "$0")/lib.sh"
requires python3

here=$(dirname "$0")
chain() { # block size, unit
	local files name content
	"$VHDTOOL" create "$work/a.vhd" $((20 << 20)) "$1"
	"$VHDTOOL" fill "$work/a.vhd" "$RANDOM" 40 "$2"
	files=("$work/a.vhd")
	content=$(ours "$work/a.vhd")
	for name in b c d; do
		"$VHDTOOL" child "$work/$name.vhd" "${files[0]}"
		same "child just made" "$(ours "$work/$name.vhd")" "$content"
		"$VHDTOOL" fill "$work/$name.vhd" "$RANDOM" 30 "$2"
		files=("$work/$name.vhd" "${files[@]}")
		content=$(ours "$work/$name.vhd")
		compare "$content" "${files[@]}"
	done
	same "depth" "$("$VHDTOOL" info "$work/d.vhd")" "4 20971520 4"
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
chain 2097152 512
chain 524288 512

requires_vhdicat
compare() { by_libvhdi "$@"; }
for _ in $(seq "$rounds"); do chain 2097152 4096; done
told $((4 * (rounds + 2)))
