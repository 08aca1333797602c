#!/usr/bin/env bash
# Disks without parent written by us: qemu-img reads the same bytes, and the same size.
. "$(dirname "$0")/lib.sh"
requires qemu-img

count=0
one() { # name, create command ..., then fill
	local file=$work/$1.vhd size=$3
	"$VHDTOOL" "$2" "$file" "$size" ${4:+"$4"}
	"$VHDTOOL" fill "$file" "$RANDOM" 60 512
	same "$1" "$(qemu_reads "$file")" "$(ours "$file")"
	same "size of $1" "$(stat -c %s "$work/qemu.raw")" "$size"
	rm "$file"
	count=$((count + 1))
}

for size in 512 1048576 2097664 8388608 $((40000 * 512)) $((67 << 20)); do
	one "dynamic-$size" create "$size" 2097152
	one "small-blocks-$size" create "$size" 524288
	one "fixed-$size" fixed "$size"
done
for _ in $(seq "$rounds"); do
	one "random-$count" create $(((RANDOM * 3 + 1) * 512)) $((RANDOM % 2 ? 2097152 : 524288))
done

# A large one, of which qemu reads nothing but the map.
"$VHDTOOL" create "$work/large.vhd" $((2040 << 30))
qemu-img info -f vpc --output=json "$work/large.vhd" | grep -q '"virtual-size": 2190433320960' ||
	fail "qemu sees another size than 2040 GiB"
told "$count"
