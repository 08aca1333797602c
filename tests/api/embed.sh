#!/usr/bin/env bash
# Images told with those that belong to them, and lists of what has changed of late.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
image base 4M
child web-1 base
child web-2 base
child leaf web-1

# ---- one image
expect 200 '/v1/images/leaf?embed=parent,chain'
check '.name == "leaf" and .parent.name == "web-1" and .parent.kind == "differencing" and .parent.children_count == 1'
check '[.chain[].name] == ["leaf","web-1","base"] and .chain[2].virtual_size == 4194304'
check 'has("children") | not'
expect 200 '/v1/images/base?embed=children,parent'
check '[.children[].name] == ["web-1","web-2"] and .children[0].parent.name == "base" and .parent == null'
etag=$(header ETag)
expect 304 '/v1/images/base?embed=children,parent' -H "If-None-Match: $etag"
expect 200 '/v1/images/leaf?embed=children&fields=name'
check '. == {"name":"leaf","children":[]}'
# A child with another name is another answer.
expect 200 /v1/images/web-2 -X PATCH -d name=web-9
expect 200 '/v1/images/base?embed=children,parent' -H "If-None-Match: $etag"
check '[.children[].name] == ["web-1","web-9"]'

# ---- lists
expect 200 '/v1/images?embed=chain,children'
check '[.items[] | [.name, (.chain | map(.name)), (.children | map(.name))]] == [
	["base",["base"],["web-1","web-9"]],
	["leaf",["leaf","web-1","base"],[]],
	["web-1",["web-1","base"],["leaf"]],
	["web-9",["web-9","base"],[]]]'
expect 200 '/v1/images/base/children?embed=parent&fields=name&limit=1'
check '.items | length == 1 and .[0].name == "web-1" and .[0].parent.frozen'
expect 200 '/v1/images?embed=children&format=ndjson&name=base'
head -n 1 "$body" | jq -e '[.children[].name] == ["web-1","web-9"]' >/dev/null || fail "ndjson without children"
expect 200 /v1/images
check '[.items[] | has("chain") or has("children")] | any | not'
expect_problem 400 invalid-value '/v1/images?embed=all'
check '.detail == "embed: '"'all'"' is none of parent, chain and children"'
expect_problem 501 not-supported '/v1/images?embed=jobs'
expect_problem 400 invalid-value '/v1/images?embed=chain&format=text'
expect_problem 400 invalid-value '/v1/images?embed=chain&limit=101'
expect_problem 400 invalid-value '/v1/images/leaf?embed='

# ---- since
expect 200 '/v1/images?since=1h'
check '.items | length == 4'
expect 200 '/v1/images?since=2000-01-01T00:00:00Z&kind=dynamic'
check '[.items[].name] == ["base"]'
expect 200 '/v1/images?since=2099-01-01T00:00:00.000Z'
check '.items == []'
expect 200 /v1/images
last=$(jq -r '[.items[].updated_at[:19]] | max' "$body")
a_second_later() { now=$(date -u +%FT%TZ) && [ "${now%Z}" \> "$last" ]; }
wait_until a_second_later
expect 200 "/v1/images?since=$now"
check '.items == []'
expect 200 /v1/images/leaf -X PATCH -d description=touched
expect 200 "/v1/images?since=$now"
check '[.items[].name] == ["leaf"]'
for wrong in yesterday 5w -1h 1.5h '' 2026-11-22 99999999999d; do
	expect_problem 400 invalid-value "/v1/images?since=$wrong"
	check '.detail | startswith("since: ")'
done

finish
