#!/usr/bin/env bash
# lock_order.sh PROGRAM: the thread sanitizer, as it is set for all tests, ends a program that takes locks in two
# orders, and no other.
set -euo pipefail

status=0
told=$("$1" inverted 2>&1) || status=$?
if [ "$status" -eq 0 ] || ! grep -q 'lock-order-inversion (potential deadlock)' <<<"$told"; then
	echo "FAILED: two orders go unnoticed: status $status, $told"
	exit 1
fi
if grep -q 'no complaint' <<<"$told" && [[ ${TSAN_OPTIONS:-} = *halt_on_error=1* ]]; then
	echo "FAILED: it goes on: $told"
	exit 1
fi
told=$("$1" same 2>&1) || status=$?
[ "$told" = 'no complaint' ] || {
	echo "FAILED: one order is complained of: $told"
	exit 1
}
