#!/usr/bin/env bash
# Ranges, row by row: of GET and HEAD, and of PUT in all the spellings that curl has.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
size=1048576
image disk $size
data=/v1/images/disk/data
random $size "$work/disk"
expect 200 $data -T "$work/disk"

# ---- Range: what is asked, what is answered
range() { # RANGE STATUS [FIRST LENGTH]
	local got
	got=$(request $data -H "Range: $1")
	[ "$got" = "$2" ] || {
		fail "$1 answered $got, not $2"
		return
	}
	case $got in
	206)
		expect_header Content-Range "bytes $3-$(($3 + $4 - 1))/$size"
		expect_header Content-Length "$4"
		slice "$work/disk" "$3" "$4" | cmp - "$body" || fail "$1 sends other bytes"
		;;
	200) same "$work/disk" "$body" "$1" ;;
	416)
		expect_header X-Error-Code "$3"
		[ "$3" = invalid-range-header ] || expect_header Content-Range "bytes */$size"
		;;
	esac
}
huge=99999999999999999999
range bytes=0-0 206 0 1
range bytes=0-511 206 0 512
range bytes=100-1048575 206 100 1048476
range bytes=1048575- 206 1048575 1
range bytes=-1 206 1048575 1
range bytes=-512 206 1048064 512
range bytes=-1048576 206 0 1048576
range bytes=-$huge 206 0 1048576 # a suffix longer than the disk is all of it
range bytes=0-$huge 206 0 1048576
range bytes=1048000-9223372036854775808 206 1048000 576
range bytes=1048576- 416 range-not-satisfiable
range bytes=1048576-1048577 416 range-not-satisfiable
range bytes=$huge- 416 range-not-satisfiable
range bytes=18446744073709551616-18446744073709551617 416 range-not-satisfiable
range bytes=-0 416 range-not-satisfiable
range bytes=5-4 416 invalid-range-header
range bytes=1-2-3 416 invalid-range-header
range bytes=1048575-- 416 invalid-range-header
range bytes= 416 invalid-range-header
range bytes=a-b 416 invalid-range-header
range bytes=0x10-0x20 416 invalid-range-header
range 'bytes=0 - 5' 416 invalid-range-header
range bytes=-1-5 416 invalid-range-header
range items=0-5 200
range Bytes=0-511 206 0 512
# Several become one when they overlap, touch, or lie closer than 4 KiB; in any order.
range bytes=0-99,50-149 206 0 150
range bytes=100-199,0-99 206 0 200
range bytes=0-0,4096-4096 206 0 4097
range bytes=0-9,2000000- 206 0 10
range bytes=2000000-,3000000- 416 range-not-satisfiable
range bytes=0-9,5-4 416 invalid-range-header
expect 206 $data -H 'Range: bytes=0-0,8192-8192'
header Content-Type | grep -q '^multipart/byteranges; boundary=' || fail "two ranges are not a multipart"
expect_header Content-Length "$(stat -c %s "$body")"
many=$(seq -s , -f '%.0f' 0 8192 524288 | sed 's/[0-9][0-9]*/&-&/g')
[ "$(tr -cd , <<<"$many" | wc -c)" -eq 64 ] || fail "not 65 ranges"
expect_problem 413 too-many-ranges $data -H "Range: bytes=$many"
expect 206 $data -H "Range: bytes=${many%,*}"
# Many small ones that overlap cost no more than one.
expect 206 $data -H "Range: bytes=$(seq -s , 1 64 | sed 's/[0-9][0-9]*/0-&/g')"
expect_header Content-Length 65

# ---- where Range does not count
expect 200 $data -I -H 'Range: bytes=0-511'
expect_header Content-Length $size
[ -z "$(header Content-Range)" ] || fail "HEAD has a Content-Range"
expect 200 $data -I
expect_header Accept-Ranges bytes
expect_header Content-Disposition 'attachment; filename="disk.raw"'
etag=$(header ETag)
expect 206 $data -r 0-511 -H "If-Range: $etag"
expect 200 $data -r 0-511 -H 'If-Range: "d0.0"'
same "$work/disk" "$body" 'If-Range of another generation'
expect 200 $data -r 0-511 -H 'If-Range: Sun, 06 Nov 1994 08:49:37 GMT'
expect 200 $data -r 0-511 -H "If-Range: W/$etag"
expect 206 $data --compressed -r 0-511
[ -z "$(header Content-Encoding)" ] || fail "octets are compressed"
header Cache-Control | grep -q no-transform || fail "octets may be transformed on the way"
expect_problem 400 invalid-value "$data?sector=0" -r 0-511
expect_problem 400 invalid-value "$data?count=1"
expect_problem 400 invalid-value "$data?sector=0&count=0"
expect_problem 416 range-not-satisfiable "$data?sector=2047&count=2"
expect_header Content-Range 'sectors */2048'
expect 200 "$data?sector=2047"
slice "$work/disk" 1048064 512 | cmp - "$body" || fail "the last sector"

# ---- Content-Range: the offset, and what else may stand there
random 512 "$work/sector"
put() { # CONTENT-RANGE STATUS [OFFSET]
	local got
	got=$(request $data -T "$work/sector" -H "Content-Range: $1")
	[ "$got" = "$2" ] || {
		fail "Content-Range: $1 answered $got, not $2: $(head -c 300 "$body")"
		return
	}
	case $got in
	200) check ".offset == $3 and .length == 512" "$1" ;;
	400) expect_header X-Error-Code content-range-mismatch ;;
	416) expect_header X-Error-Code range-not-satisfiable ;;
	esac
}
put 'bytes 1024-1535/*' 200 1024
put "bytes 1024-1535/$size" 200 1024
put 'bytes 1024-1535/512' 200 1024  # -r 1024-1535 -T
put 'bytes 1024-/512' 200 1024      # -r 1024- -T
put 'bytes 1024-1535/1536' 200 1024 # -C 1024 -T
put 'bytes 0-511/512' 200 0
put "bytes 1048064-1048575/$size" 200 1048064
put 'bytes 1024-1534/*' 400
put 'bytes 1024-1536/*' 400
put 'bytes 1535-1024/*' 400
put 'bytes 1024-1535/77' 400
put 'bytes 1024-1535/' 400
put 'bytes 1024-1535' 400
put 'bytes */1024' 400
put 'bytes=1024-1535/*' 400
put 'items 1024-1535/*' 400
put nonsense 400
put "bytes $huge-/*" 400
put 'bytes 1048576-1049087/*' 416
put 'bytes 1048575-1049086/*' 416
expect 200 "$data?offset=1K" -T "$work/sector" -H 'Content-Range: bytes 1024-1535/*'
expect_problem 400 content-range-mismatch "$data?offset=2K" -T "$work/sector" -H 'Content-Range: bytes 1024-1535/*'
expect_problem 400 content-range-mismatch $data -T "$work/sector" -H 'Content-Range: bytes 0-511/*' -H 'Content-Range: bytes 0-511/*'
expect_problem 400 content-range-mismatch $data -T "$work/sector" -H 'Content-Range;'
# In chunks the length is that of Content-Range, when it has one.
expect 200 $data -T - -H 'Content-Range: bytes 512-1023/*' <"$work/sector"
expect_problem 400 content-range-mismatch $data -T - -H 'Content-Range: bytes 512-1024/*' <"$work/sector"
# aligned=1 is for who wants to be told.
expect 200 "$data?offset=512&aligned=1" -T "$work/sector"
expect_problem 400 unaligned "$data?offset=100&aligned=1" -T "$work/sector"
head -c 100 "$work/sector" | expect_problem 400 unaligned "$data?aligned=1" -T -
expect 200 "$data?offset=100" -T "$work/sector"
expect 206 $data -r 100-611
same "$work/sector" "$body" 'an offset that no sector has'
# Without a length.
printf 'PUT %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' $data |
	timeout 10 curl -sS --unix-socket "$socket" telnet://localhost 2>/dev/null | head -n 1 | grep -q ' 411 ' ||
	fail "a body without length is not 411"
expect_problem 400 invalid-value $data -X PUT -d ''

finish
