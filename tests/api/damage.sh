#!/usr/bin/env bash
# Damage that only a read or a write meets: who lists images learns of it, what is sound is served, and what was put
# right is well again.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
BLOCK=$((2 << 20))

file_of() { # NAME
	expect 200 "/v1/images/$1"
	echo "$state/images/$(jq -r .file "$body")"
}

entry() { # FILE BLOCK [SECTOR]: puts it there, or prints what is there as four octets
	local at=$((1536 + 4 * $2))
	if [ $# -eq 3 ]; then
		printf '%b' "$3" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
	else
		od -An -tx1 -j "$at" -N 4 "$1" | sed 's/ /\\x/g'
	fi
}
WRONG='\x7f\xff\xff\xf0'

tags() { # sets `one`, of the image $1, and `list`
	expect 200 "/v1/images/$1"
	one=$(header ETag)
	expect 200 /v1/images
	list=$(header ETag)
}

problems() { # NAME PROBLEMS STATE: what the image says of itself alone, and in the list
	expect 200 "/v1/images/$1"
	check ".health.problems == $2 and .state == \"$3\" and (.health.status == \"ok\") == ($2 == [])" "$1, alone"
	expect 200 /v1/images
	check ".items[] | select(.name == \"$1\") | .health.problems == $2 and .state == \"$3\"" "$1, in the list"
}

findings() { # PATTERN: what /readyz says of images; it is ready all the same
	expect 200 /readyz
	check ".checks.images.ok == (\"$1\" == \"\") and (.checks.images.text | test(\"^$1\" + if \"$1\" == \"\" then \"$\" else \"\" end))"
}

start_vhdd
random $((3 * BLOCK)) "$work/bytes"
image disk 16M
expect 200 /v1/images/disk/data -T "$work/bytes"
disk=$(file_of disk)
stop_vhdd
good=$(entry "$disk" 1)
entry "$disk" 1 "$WRONG"

# ---- one block
start_compared
problems disk '[]' ready
tags disk
expect 206 /v1/images/disk/data -r 0-99
problems disk '[]' ready
expect_problem 422 corrupt-image /v1/images/disk/data -r $BLOCK-$((BLOCK + 99))
check '.detail | startswith("block table: entry 1 ")'
problems disk '["damaged-block"]' ready
expect 200 /v1/images/disk -H "If-None-Match: $one"
expect 200 /v1/images -H "If-None-Match: $list"
# There is no room for all of it; it ends behind a word.
findings "1 finding, damaged-block: 'disk': default/[-0-9a-f]*[.]vhd block table: entry 1 at .*[^ ] …$"
# What is met again, and elsewhere, is one finding; and no news.
tags disk
expect_problem 422 corrupt-image /v1/images/disk/data -r $BLOCK-$((BLOCK + 99))
expect_problem 422 corrupt-image "/v1/images/disk/data?offset=$((BLOCK + 512))" -T "$work/log"
expect_problem 422 corrupt-image /v1/images/disk/data -X PATCH -d "{\"op\":\"zero\",\"offset\":$BLOCK,\"length\":512}"
expect_problem 422 corrupt-image "/v1/images/disk/sectors?start=$((BLOCK / 512))"
expect_problem 422 corrupt-image /v1/images/disk/extents
expect 304 /v1/images/disk -H "If-None-Match: $one"
expect 304 /v1/images -H "If-None-Match: $list"
[ "$(grep -c '"damaged-block: ' "$work/log")" -eq 1 ] || fail 'the log says it more than once'
# What is sound is read and written.
slice "$work/bytes" 0 $BLOCK >"$work/first"
expect 206 /v1/images/disk/data -r 0-$((BLOCK - 1))
same "$body" "$work/first"
expect 200 '/v1/images/disk/data?offset=8M' -T "$work/first"
problems disk '["damaged-block"]' ready

# ---- in a parent
child kid disk
expect 206 /v1/images/kid/data -r 0-99
expect_problem 422 corrupt-image /v1/images/kid/data -r $BLOCK-$((BLOCK + 99))
check '.detail | startswith("level 1: block table: entry 1 ")'
problems kid '[]' ready
expect 200 /v1/images/kid/chain
check '.health == {"status":"unhealthy","problems":["disk: damaged-block"]}'
stop_vhdd
start_compared
problems disk '[]' ready
expect_problem 422 corrupt-image /v1/images/kid/data -r $BLOCK-$((BLOCK + 99))
problems kid '[]' ready
problems disk '["damaged-block"]' ready
findings "1 finding, damaged-block: 'disk': default/[-0-9a-f]*[.]vhd block table: entry 1 at "
expect 204 /v1/images/kid -X DELETE

# ---- put right
tags disk
entry "$disk" 1 "$good"
problems disk '["damaged-block"]' ready
expect 200 /v1/images/disk/data
cmp -n $((3 * BLOCK)) "$body" "$work/bytes" || fail 'it reads as something else'
problems disk '[]' ready
expect 200 /v1/images -H "If-None-Match: $list"
findings ''
grep -q "healthy again: 'disk': " "$work/log" || fail 'the log does not say that it is well'

# ---- a file that nobody can open: damaged since the start, or in need of a repair that cannot be made
image flat 1M
image torn 16M
expect 200 /v1/images/torn/data -T "$work/bytes"
flat=$(file_of flat)
torn=$(file_of torn)
stop_vhdd KILL
entry "$torn" 1 "$WRONG"
start_compared
cp "$flat" "$work/flat"
printf X | dd of="$flat" bs=1 seek=512 conv=notrunc status=none
problems flat '[]' ready
problems torn '[]' ready
expect_problem 422 corrupt-image /v1/images/flat/data -r 0-0
expect_problem 422 corrupt-image /v1/images/torn/data -r 0-0
problems flat '["corrupt"]' corrupt
problems torn '["corrupt"]' corrupt
findings '2 findings, damaged: '
cp "$work/flat" "$flat"
entry "$torn" 1 "$good"
expect 206 /v1/images/flat/data -r 0-0
expect 206 /v1/images/torn/data -r 0-0
problems flat '[]' ready
problems torn '[]' ready
findings ''

# ---- gone
stop_vhdd
entry "$torn" 2 "$WRONG"
start_compared
expect_problem 422 corrupt-image /v1/images/torn/data -r $((2 * BLOCK))-$((2 * BLOCK))
problems torn '["damaged-block"]' ready
expect 204 /v1/images/torn -X DELETE
findings ''
rm "$flat"
stop_vhdd
start_compared
problems flat '["missing"]' missing
expect 204 /v1/images/flat -X DELETE
findings ''

finish
