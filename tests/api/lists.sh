#!/usr/bin/env bash
# Lists: filters, order, pages, fields and formats.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
image base 1G
image other 2M
expect 201 /v1/images -d name=flat -d kind=fixed -d size=1M -d labels.env=prod -d labels.app.kubernetes.io/name=db
child web-1 base
child web-2 base
child web-3 web-1

names() { # QUERY: of the images, with a blank between
	expect 200 "/v1/images?fields=name&$1"
	jq -r '[.items[].name] | join(" ")' "$body"
}
is() { # QUERY NAMES
	local got
	got=$(names "$1")
	[ "$got" = "$2" ] || fail "$1 shows '$got', not '$2'"
}
is 'kind=differencing' 'web-1 web-2 web-3'
is 'parent=base&writable=y' 'web-2'
is 'root=base&depth.le=1&name=*b*' 'base web-1 web-2'
is 'label=env=prod,qa' ''
is 'label=env=prod&label=!nothing' 'flat'
is 'virtual_size.lt=2M' 'flat'
is 'q=LAT' 'flat'
expect 200 /v1/images/flat
file=$(jq -r .file "$body")
expect 200 /v1/images/flat/sectors/0
place=$(jq -r .location.path "$body")
is "path=$place" 'flat'
is "path=$file" 'flat'
expect 200 /v1/images/web-1
is "path=*${file#*-},default/$(jq -r .id "$body").vhd" 'flat web-1'
is 'path=default/*&kind=fixed,dynamic' 'base flat other'
is 'path=/*' ''
is 'sort=-depth,-name' 'web-3 web-2 web-1 other flat base'
is 'sort=virtual_size,name&limit=2' 'flat other'
expect_problem 400 unknown-parameter '/v1/images?colour=red'
expect_problem 400 invalid-value '/v1/images?fields=colour'

# ---- pages by the link
next='/v1/images?sort=-virtual_size&limit=2&fields=name&count=1'
while [ -n "$next" ]; do
	expect 200 "$next"
	check '.total == 6'
	jq -r '.items[].name' "$body" >>"$work/names"
	next=$(header Link | sed 's|^<\(.*\)>; rel="next"$|\1|')
done
[ "$(sort "$work/names" | tr '\n' ' ')" = 'base flat other web-1 web-2 web-3 ' ] || fail "pages: $(cat "$work/names")"

# What stands there without a value stays.
expect 200 '/v1/images?writable&count&limit=1'
expect 200 "$(header Link | sed 's|^<\(.*\)>; rel="next"$|\1|')"
check '.total == 4'

# ---- formats
expect 200 '/v1/images?name=flat' -H 'Accept: application/x-ndjson'
[ "$(wc -l <"$body")" = 2 ] || fail "ndjson has not two lines"
tail -n 1 "$body" | jq -e '.end and .count == 1' >/dev/null || fail "no end record"
expect 200 '/v1/images?format=csv&fields=name,labels.app.kubernetes.io/name&kind=fixed'
printf 'name,labels.app.kubernetes.io/name\r\nflat,db\r\n' | cmp - "$body" || fail "csv"
expect 200 /v1/images/web-3/chain?format=text
[ "$(awk '{print $1}' "$body" | tr '\n' ' ')" = '#name web-3 web-1 base ' ] || fail "text: $(cat "$body")"

# ---- children, one image, and polling
expect 200 '/v1/images/base/children?sort=-name'
check '[.items[].name] == ["web-2","web-1"]'
expect_problem 404 image-not-found /v1/images/nobody/children
expect 200 '/v1/images/web-1?fields=id,usage.file,parent.name'
check 'keys == ["id","parent","usage"] and .parent == {"name":"base"}'
expect 200 /v1/images
etag=$(header ETag)
expect 304 /v1/images -H "If-None-Match: $etag"
expect_header Vary Accept
image new 1M
expect 200 /v1/images -H "If-None-Match: $etag"

# A snapshot that is refused gives its parent another ETag, and so the lists that show it.
etag=$(header ETag)
expect_problem 409 size-mismatch /v1/images -d name=small -d parent=new -d size=512K
expect 200 /v1/images -H "If-None-Match: $etag"
listed=$(jq -r '.items[] | select(.name == "new").etag' "$body")
expect 200 /v1/images/new
[ "$(header ETag)" = "\"$listed\"" ] || fail "the list has the ETag $listed of new, not $(header ETag)"

# What a filter finds may change without the catalog.
large='/v1/images?name=new&usage.file.gt=600K'
random 1048576 "$work/much"
expect 200 "$large"
check '.items == []'
etag=$(header ETag)
expect 200 /v1/images/new/data -T "$work/much"
grown() { request "$large" -H "If-None-Match: $etag" >/dev/null; [ "$(jq -r '.items[0].name' "$body" 2>/dev/null)" = new ]; }
wait_until grown

# ---- a chain is polled like a list
chain=/v1/images/web-1/chain
expect 200 $chain
etag=$(header ETag)
expect 304 $chain -H "If-None-Match: $etag"
expect_header ETag "$etag"
expect_header Vary Accept
expect 304 "$chain?format=csv" -H "If-None-Match: $etag"
expect_problem 404 image-not-found /v1/images/nobody/chain -H "If-None-Match: $etag"
expect_problem 412 precondition-failed $chain -H 'If-Match: "c1"'
expect 200 /v1/images/base -X PATCH -d name=root
expect 200 $chain -H "If-None-Match: $etag"
check '.items[-1].name == "root"'

finish
