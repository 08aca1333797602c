#!/usr/bin/env bash
# A chain of three hundred images: made, read through, and read again after a restart.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
depth=300
start_vhdd
random 4096 "$work/first"
random 4096 "$work/last"
image d0 64M
expect 200 /v1/images/d0/data -T "$work/first"
for n in $(seq 1 $((depth - 1))); do
	child "d$n" "d$((n - 1))"
done
leaf=d$((depth - 1))
expect 200 "/v1/images/$leaf/data?offset=1M" -T "$work/last"

read_all() { # WHEN
	expect 206 "/v1/images/$leaf/data" -r 0-4095
	same "$work/first" "$body" "$1: from the root"
	expect 206 "/v1/images/$leaf/data" -r 1048576-1052671
	same "$work/last" "$body" "$1: from the leaf"
	expect 200 "/v1/images/$leaf/chain"
	check ".items | length == $depth" "$1"
	check ".items[0].depth == $((depth - 1)) and .items[-1].name == \"d0\"" "$1"
	expect 200 "/v1/images/$leaf/sectors/0"
	check '.location.image.name == "d0"' "$1: the owner"
}
read_all 'at once'
stop_vhdd
start_vhdd
read_all 'after a restart'
stop_vhdd
"$VHDD" --state-dir "$state" --rebuild-catalog >"$work/said" 2>&1 || fail "rebuild fails: $(cat "$work/said")"
start_vhdd
read_all 'after a rebuild'
expect_problem 409 image-has-children /v1/images/d150 -X DELETE
finish
