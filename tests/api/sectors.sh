#!/usr/bin/env bash
# Where sectors live: the location, and how it was found.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
image base 16M
random 4096 "$work/bytes"
expect 200 '/v1/images/base/data?offset=2M' -T "$work/bytes"
child middle base
expect 200 '/v1/images/middle/data?offset=4096' -T "$work/bytes"
child leaf middle
leaf=/v1/images/leaf

expect 200 $leaf/sectors/4096
check '.reads == "data" and .location.image.name == "base" and .location.depth == 2'
check '.location.block == 1 and .location.sector_in_block == 0 and .location.bitmap_sectors == 1'
check '.location.physical_sector == .location.bat_sector + 1'
check '.location.physical_offset == .location.physical_sector * 512'
check '.searched | map(.image) == ["leaf","middle","base"]'
check '.searched[0].block == "unallocated" and .searched[2].block == "allocated" and .searched[2].bit'
# The location is where the bytes are, in that very file.
file=$state/images/$(jq -r .location.path "$body" | sed 's|^default/||')
offset=$(jq -r .location.physical_offset "$body")
slice "$file" "$offset" 4096 | cmp - "$work/bytes" || fail "the bytes are not there"

expect 200 $leaf/sectors/8
check '.location.image.name == "middle" and .location.depth == 1'
check '.searched | length == 2'
expect 200 $leaf/sectors/9
check '.location.image.name == "middle"'
expect 200 $leaf/sectors/16
check '.reads == "zero" and .location == null and .searched[1].block == "allocated"'
check '.searched[1].bit == false and .searched[2].block == "unallocated"'
expect 200 $leaf/sectors/32767
check '.reads == "zero"'
expect_problem 416 range-not-satisfiable $leaf/sectors/32768
expect_header Content-Range 'sectors */32768'

# Scattered ones, in the order asked for.
expect 200 $leaf/sectors -d '{"sectors":[4096,16,8,4096]}'
check '[.sectors[] | .image] == ["base",null,"middle","base"]'
check '.sectors[0].physical_sector * 512 == '"$offset"
expect_problem 416 range-not-satisfiable $leaf/sectors -d '{"sectors":[0,32768]}'
jq -nc '{sectors: [range(10001)]}' >"$work/many"
expect_problem 413 too-many-sectors $leaf/sectors -d "@$work/many"

# A root has all bits of a block.
expect 200 /v1/images/base/sectors/5000
check '.reads == "data" and .searched[0].bitmap == "full"'

# A larger child reads zeroes past its parent.
expect 201 /v1/images -d name=larger -d parent=base -d size=32M
expect 200 /v1/images/larger/sectors/40000
check '.reads == "zero" and .searched[1].block == "beyond-end"'

# Fixed: the sector is where its number says.
expect 201 /v1/images -d name=flat -d kind=fixed -d size=1M
expect 200 /v1/images/flat/sectors/77
check '.location.physical_sector == 77 and .location.block == null'

# Runs.
expect 200 "$leaf/sectors?start=0&count=8192"
check '.runs | map(.count) | add == 8192'
check '.runs[0].count == 8 and .runs[1].image == "middle" and .runs[1].count == 8'
expect 200 "$leaf/extents?start=0&length=4M"
check '.extents | map(.length) | add == 4194304'
check '[.extents[] | select(.image == "middle")] | length == 1 and .[0].start == 4096'
# Without whose it is; and gaps up to a size are data.
expect 200 "$leaf/extents?length=4M&detail=flags"
check '[.extents[] | keys] | unique == [["hole","length","start","zero"]]'
check '[.extents[] | [.start, .length, .zero]] == [[0,4096,true],[4096,4096,false],[8192,2088960,true],[2097152,2097152,false]]'
expect 200 "$leaf/extents?length=4M&min=4097"
check '[.extents[] | [.start, .length, .image]] == [[0,8192,"middle"],[8192,2088960,null],[2097152,2097152,"base"]]'
expect 200 "$leaf/extents?length=4M&min=2M&detail=flags"
check '[.extents[] | [.start, .length, .zero]] == [[0,4194304,false]]'
# The image alone has nothing: holes, some of which read as zeroes.
expect 200 "$leaf/extents?length=4M&layers=top&min=1G"
check '[.extents[] | [.start, .hole, .zero]] == [[0,true,true],[4096,true,false],[8192,true,true],[2097152,true,false]]'

finish
