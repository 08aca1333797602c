#!/usr/bin/env bash
# Who has a disk open for writing keeps everybody else out, us and qemu alike; who only looks gets in.
. "$(dirname "$0")/lib.sh"
requires qemu-img qemu-io

disk=$work/disk.vhd
"$VHDTOOL" create "$disk" $((4 << 20))

locked() { # mode
	local status=0
	"$VHDTOOL" try "$disk" "$1" 2>"$work/err" || status=$?
	same "try $1, exit status" "$status" 16
	[ -s "$work/err" ] || fail "no word on why it is locked"
}

coproc HOLD { "$VHDTOOL" hold "$disk"; }
hold_pid=${HOLD_PID:?}
read -r word <&"${HOLD[0]}"
same "holder" "$word" held
refused "a write of qemu-io" qemu-io -f vpc -c 'write 0 512' "$disk"
grep -qi lock "$work/refused" || fail "qemu-io was refused for another reason: $(cat "$work/refused")"
refused "qemu-img info without -U" qemu-img info -f vpc "$disk"
qemu-img info -U -f vpc "$disk" >/dev/null || fail "qemu-img info -U was kept out"
locked write
locked recover
locked read
"$VHDTOOL" try "$disk" look || fail "a reader without lock was kept out"
eval "exec ${HOLD[1]}>&-"
wait "$hold_pid" || fail "the holder failed"
"$VHDTOOL" try "$disk" write || fail "still locked after the holder left"

coproc QEMU { qemu-io -f vpc "$disk"; }
qemu_pid=${QEMU_PID:?}
echo length >&"${QEMU[1]}"
read -r _ <&"${QEMU[0]}"
locked write
locked read
"$VHDTOOL" try "$disk" look || fail "a reader without lock was kept out by qemu"
eval "exec ${QEMU[1]}>&-"
wait "$qemu_pid" || fail "qemu-io failed"
"$VHDTOOL" try "$disk" write || fail "still locked after qemu left"

# Readers share.
coproc READ { qemu-io -r -f vpc "$disk"; }
read_pid=${READ_PID:?}
echo length >&"${READ[1]}"
read -r _ <&"${READ[0]}"
"$VHDTOOL" try "$disk" read || fail "two readers exclude each other"
locked write
eval "exec ${READ[1]}>&-"
wait "$read_pid" || fail "qemu-io failed as a reader"
echo "locks hold both ways"
