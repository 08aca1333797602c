#!/usr/bin/env bash
# Disks written by qemu: we read what it reads, and go on writing what it reads in turn.
. "$(dirname "$0")/lib.sh"
requires qemu-img qemu-io

qemu_writes() { # file
	local size commands=() i
	size=$(qemu-img info -f vpc --output=json "$1" | sed -n 's/.*"virtual-size": \([0-9]*\).*/\1/p' | head -1)
	for i in 1 2 3 4 5 6 7 8; do
		local length=$(((RANDOM % 300 + 1) * 512)) off=$((RANDOM * 512 * 3))
		if [ $((off + length)) -gt "$size" ]; then off=0; fi
		if [ "$length" -gt "$size" ]; then length=512; fi
		commands+=(-c "write -P $((i * 17)) $off $length")
	done
	qemu-io -f vpc "${commands[@]}" "$1" >"$work/log" 2>&1 || fail "qemu-io: $(cat "$work/log")"
	if grep -q 'failed\|error' "$work/log"; then fail "qemu-io: $(cat "$work/log")"; fi
}

count=0
for kind in dynamic fixed; do
	for force in on off; do
		for size in 1M 10M 40M; do
			file=$work/$kind-$force-$size.vhd
			qemu-img create -q -f vpc -o subformat=$kind,force_size=$force "$file" $size
			same "empty $file" "$("$VHDTOOL" cat "$file" | sum)" "$(qemu_reads "$file")"
			qemu_writes "$file"
			same "$file" "$(ours "$file")" "$(qemu_reads "$file")"
			"$VHDTOOL" fill "$file" "$RANDOM" 20 512
			same "$file written by both" "$(ours "$file")" "$(qemu_reads "$file")"
			qemu_writes "$file"
			same "$file written by both in turn" "$(ours "$file")" "$(qemu_reads "$file")"
			rm "$file"
			count=$((count + 1))
		done
	done
done

# Those that it makes of a raw disk, with holes.
"$VHDTOOL" create "$work/ours.vhd" $((9 << 20))
"$VHDTOOL" fill "$work/ours.vhd" "$RANDOM" 40 512
"$VHDTOOL" cat "$work/ours.vhd" >"$work/disk.raw"
for kind in dynamic fixed; do
	qemu-img convert -f raw -O vpc -o subformat=$kind,force_size=on "$work/disk.raw" "$work/$kind.vhd"
	same "converted to $kind" "$(ours "$work/$kind.vhd")" "$(sum <"$work/disk.raw")"
	count=$((count + 1))
done
told "$count"
