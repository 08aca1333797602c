#!/usr/bin/env bash
# The largest of everything is accepted, and one more has its code; with the standard limits, then with small ones.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd

repeat() { # N TEXT
	awk -v n="$1" -v text="$2" 'BEGIN { while (n-- > 0) printf "%s", text }'
}
numbers() { # N: 0,1,...,N-1
	seq -s , 0 $(($1 - 1))
}
limit() { # NAME: what /v1 says of it
	expect 200 /v1
	jq ".limits.$1" "$body"
}

# ---- bodies
image disk 4M
body_of() { # BYTES: a body of that size, valid but for its blanks
	{ printf '{"ops":[{"op":"flush"}]' && printf "%$(($1 - 24))s" '' && printf '}'; } >"$work/sent"
}
bytes() { # LIMIT
	body_of "$1"
	expect 200 /v1/images/disk/data -X PATCH --data-binary "@$work/sent"
	expect 200 /v1/images/disk/data -X PATCH -H 'Transfer-Encoding: chunked' --data-binary "@$work/sent"
	body_of $(($1 + 1))
	expect_problem 413 body-too-large /v1/images/disk/data -X PATCH --data-binary "@$work/sent"
	expect_problem 413 body-too-large /v1/images/disk/data -X PATCH -H 'Transfer-Encoding: chunked' \
		--data-binary "@$work/sent"
	# A compare-and-write is collected, too.
	truncate -s "$1" "$work/sent"
	expect 200 /v1/images/disk/data -H "If-Match: \"$(etag)\"" -T "$work/sent"
	truncate -s $(($1 + 1)) "$work/sent"
	expect_problem 413 body-too-large /v1/images/disk/data -H "If-Match: \"$(etag)\"" -T "$work/sent"
	cp "$body" "$work/sized"
	expect_problem 413 body-too-large /v1/images/disk/data -H "If-Match: \"$(etag)\"" -T - <"$work/sent"
	check ".detail == \"with If-Match a body has at most $1 bytes; send it in pieces\" and (.cause | contains(\"If-Match\"))"
	[ "$(jq -r .detail,.correction "$body")" = "$(jq -r .detail,.correction "$work/sized")" ] ||
		fail "in chunks it is refused with other words: $(cat "$body")"
}
etag() {
	expect 200 /v1/images/disk/data -X OPTIONS
	jq -r .etag "$body"
}
depth() { # LEVELS
	expect_problem 400 unknown-field /v1/images -d "{\"size\":512,\"x\":$(repeat $(($1 - 1)) '[')$(repeat $(($1 - 1)) ']')}"
	expect_problem 400 invalid-json /v1/images -d "{\"size\":512,\"x\":$(repeat "$1" '[')$(repeat "$1" ']')}"
	check ".detail == \"nested deeper than $1 levels\""
}
bytes 1048576
depth 32

# ---- heads: what curl sends by itself counts, too
bare() { # STATUS [CODE] PATH OPTION...: with a Host header of 13 bytes and no other
	local status=$1 path=$2
	shift 2
	expect "$status" "$path" -H Accept: -H User-Agent: "$@"
}
heads() { # BYTES HEADERS
	local i many=()
	bare 404 "/$(repeat $(($1 - 1)) u)"
	expect_problem 414 target-too-long "/$(repeat "$1" u)"
	expect_problem 414 target-too-long "/v1/images?name=$(repeat "$1" q)"
	bare 200 /v1 -H "A: $(repeat $(($1 - 14)) h)"
	bare 431 /v1 -H "A: $(repeat $(($1 - 13)) h)"
	[ "$(header X-Error-Code)" = headers-too-large ] || fail "$1 bytes and one more: $(header X-Error-Code)"
	for i in $(seq $(($2 - 1))); do many+=(-H "A$i: b"); done
	bare 200 /v1 "${many[@]}"
	bare 431 /v1 "${many[@]}" -H 'B: b'
	check '.code == "headers-too-large"'
}
heads 32768 128

# What the answer repeats fits beside a head of that size.
image other 1M
many=()
for i in $(seq 125); do many+=(-H "A$i: $(repeat 215 h)"); done
bare 200 "/v1/images?limit=1&name=*,$(repeat 4081 q)" "${many[@]}"
[ "$(header Link | wc -c)" -gt 4096 ] || fail "the Link is '$(header Link)'"
next=$(header Link | sed 's/^<\(.*\)>.*/\1/')
bare 200 "$next" "${many[@]}"
check '.items | length == 1' 'the Link leads to no other page'
expect_problem 414 target-too-long "/v1/images?limit=1&name=*,$(repeat 4082 q)"
expect_problem 414 target-too-long "/v1/images?limit=1&name=*,$(repeat 32000 q)"
expect 204 /v1/images/other -X DELETE

# ---- lists in requests
far() { # N: ranges that do not merge
	seq -f '%.0f' -s ' ' 0 8192 $((8192 * ($1 - 1))) | sed 's/[0-9][0-9]*/&-&/g; s/ /,/g'
}
ranges() { # N
	image "r$1" 8M
	expect 206 "/v1/images/r$1/data" -r "$(far "$1")"
	expect_problem 413 too-many-ranges "/v1/images/r$1/data" -r "$(far $(($1 + 1)))"
	check ".detail == \"more than $1 ranges\""
	expect 204 "/v1/images/r$1" -X DELETE
}
sectors() { # N
	image "s$1" 8M
	printf '{"sectors":[%s]}' "$(numbers "$1")" >"$work/sent"
	expect 200 "/v1/images/s$1/sectors" -d "@$work/sent"
	check ".sectors | length == $1"
	printf '{"sectors":[%s]}' "$(numbers $(($1 + 1)))" >"$work/sent"
	expect_problem 413 too-many-sectors "/v1/images/s$1/sectors" -d "@$work/sent"
	expect 204 "/v1/images/s$1" -X DELETE
}
pages() { # PAGE LIST
	local path
	for path in sectors extents layout; do
		expect 200 "/v1/images/disk/$path?limit=$1"
		expect_problem 400 invalid-value "/v1/images/disk/$path?limit=$(($1 + 1))"
		check ".errors[0].detail == \"'$(($1 + 1))' is not a number from 1 to $1\""
	done
	for path in images images/disk/children; do
		expect 200 "/v1/$path?limit=$2"
		expect_problem 400 invalid-value "/v1/$path?limit=$(($2 + 1))"
	done
}
ranges 64
sectors 10000
pages 10000 1000

# ---- texts
made() { # STATUS CODE BODY: accepted, and one more is not
	if [ "$1" = 201 ]; then
		expect 201 /v1/images -d "$2"
		expect 204 "/v1/images/$(jq -r .id "$body")" -X DELETE
	else
		expect_problem "$1" "$2" /v1/images -d "$3"
	fi
}
labels() { # N
	local i
	for i in $(seq "$1"); do printf '"key%s":"value",' "$i"; done | sed 's/,$//'
}
made 201 "{\"size\":512,\"name\":\"$(repeat 127 n)\"}"
made 400 invalid-name "{\"size\":512,\"name\":\"$(repeat 128 n)\"}"
made 201 "{\"size\":512,\"description\":\"$(repeat 1023 d)\"}"
made 400 invalid-value "{\"size\":512,\"description\":\"$(repeat 1024 d)\"}"
made 201 "{\"size\":512,\"description\":\"$(repeat 511 ä)\"}"
made 400 invalid-value "{\"size\":512,\"description\":\"$(repeat 512 ä)\"}"
made 201 "{\"size\":512,\"labels\":{$(labels 64)}}"
made 400 invalid-value "{\"size\":512,\"labels\":{$(labels 65)}}"
made 201 "{\"size\":512,\"labels\":{\"$(repeat 63 k)\":\"$(repeat 255 v)\"}}"
made 400 invalid-value "{\"size\":512,\"labels\":{\"$(repeat 64 k)\":\"v\"}}"
made 400 invalid-value "{\"size\":512,\"labels\":{\"k\":\"$(repeat 256 v)\"}}"
made 201 '{"size":2190433320960}'
made 422 size-too-large '{"size":2190433321472}'
expect 201 /v1/images -d "{\"size\":512,\"name\":\"tagged\",\"labels\":{$(labels 64)}}"
expect 200 /v1/images/tagged -X PATCH -d '{"labels":{"key1":null,"more":"1"}}'
expect_problem 400 invalid-value /v1/images/tagged -X PATCH -d '{"labels":{"more2":"1"}}'
expect 200 /v1/images/tagged
check '.labels | length == 64'
head -c 65536 /dev/zero | base64 -w 0 >"$work/base64"
{ printf '{"op":"write","offset":0,"base64":"' && cat "$work/base64" && printf '"}'; } >"$work/sent"
expect 200 /v1/images/disk/data -X PATCH -d "@$work/sent"
head -c 65537 /dev/zero | base64 -w 0 >"$work/base64"
{ printf '{"op":"write","offset":0,"base64":"' && cat "$work/base64" && printf '"}'; } >"$work/sent"
expect_problem 400 invalid-value /v1/images/disk/data -X PATCH -d "@$work/sent"
fields=$(repeat 64 name, | sed 's/,$//')
expect 200 "/v1/images?fields=$fields"
expect_problem 400 invalid-value "/v1/images?fields=$fields,id"
check '.detail == "fields: more than 64"'

# ---- the configuration changes them, and /v1 tells them
cat >"$work/conf" <<-'END'
	[limits]
	body = 64K
	json_depth = 5
	head = 4K
	headers = 20
	ranges = 3
	sectors = 4
	page = 7
	list = 6
END
stop_vhdd
start_vhdd --config "$work/conf"
for row in body_bytes=65536 json_depth=5 head_bytes=4096 headers=20 ranges=3 sectors=4 runs=7 list=6 name=127 \
	description=1023 labels=64 label_key=63 label_value=255 operations=256; do
	[ "$(limit "${row%=*}")" = "${row#*=}" ] || fail "/v1 says of ${row%=*}: $(limit "${row%=*}"), not ${row#*=}"
done
bytes 65536
depth 5
heads 4096 20
ranges 3
sectors 4
pages 7 6
expect 200 /v1/images
check '.items | length <= 6'
"$VHDD" --config "$work/conf" --print-config >"$work/printed"
for row in 'body = 65536' 'json_depth = 5' 'head = 4096' 'headers = 20' 'ranges = 3' 'sectors = 4' 'page = 7' 'list = 6'; do
	grep -qx "$row" "$work/printed" || fail "--print-config does not say '$row'"
done
"$VHDD" --config "$work/printed" --print-config | cmp - "$work/printed" || fail "what is printed is not what is read"
for row in 'ranges = 65' 'list = 0' 'body = 4095' 'head = 33K' 'json_depth = many' 'pages = 5'; do
	printf '[limits]\n%s\n' "$row" >"$work/wrong"
	status=0
	"$VHDD" --config "$work/wrong" --print-config >"$work/printed" 2>&1 || status=$?
	[ "$status" -eq 64 ] || fail "$row ends with status $status"
	grep -q "line 2: \[limits\] ${row%% *}: \('${row##* }' is not a number from\|no such key\)" "$work/printed" ||
		fail "$row: $(cat "$work/printed")"
done
finish
