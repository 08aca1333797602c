#!/usr/bin/env bash
# Names that the daemon is reached by, and web pages of other origins: who may, and who may not.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
printf '[http]\nhosts = vhd.example\norigins = https://ui.example:8443\n' >"$work/vhdd.conf"
start_vhdd --listen 127.0.0.1:0 --config "$work/vhdd.conf" --allow-host second.example --cors-origin http://localhost:3000
find_port

tcp() { # STATUS PATH [CURL-OPTION...]
	local want=$1 path=$2 got
	shift 2
	got=$(curl -sS -o "$body" -D "$headers" -w '%{http_code}' "$@" "http://127.0.0.1:$port$path")
	[ "$got" = "$want" ] || fail "$path $* answered $got, not $want: $(head -c 300 "$body")"
}
absent() { # NAME
	[ -z "$(header "$1")" ] || fail "$1 is '$(header "$1")', and should not be there"
}

# ---- Host
for host in vhd.example VHD.example:8080 second.example localhost:1 127.0.0.1 '[::1]:9'; do
	tcp 200 /v1/images -H "Host: $host"
done
for host in evil.example vhd.example.evil.example ''; do
	tcp 403 /v1/images -H "Host;" -H "Host: $host"
	check '.code == "host-not-allowed" and (.correction | contains("--allow-host"))'
done
tcp 403 /v1/images -H 'Host: evil.example:80'
check '.detail | contains("evil.example:80")'
# On a Unix socket, where a proxy stands, it names nothing.
expect 200 /v1/images -H 'Host: anything.example'

# ---- Origin
tcp 201 /v1/images -H 'Origin: https://ui.example:8443' -H 'Sec-Fetch-Site: cross-site' -d name=disk -d size=1M
expect_header Access-Control-Allow-Origin https://ui.example:8443
expect_header Vary Origin
header Access-Control-Expose-Headers | grep -q 'ETag' || fail "ETag is not exposed"
tcp 404 /v1/images/nobody -H 'Origin: http://localhost:3000'
expect_header Access-Control-Allow-Origin http://localhost:3000
tcp 200 /v1/images/disk/data -H 'Origin: https://evil.example'
absent Access-Control-Allow-Origin
expect_header Vary Origin
for origin in https://evil.example https://ui.example http://ui.example:8443 null; do
	tcp 403 /v1/images -H "Origin: $origin" -d name=foreign -d size=1M
	check ".code == \"cross-origin\" and (.detail | contains(\"$origin\")) and (.correction | contains(\"--cors-origin\"))"
	absent Access-Control-Allow-Origin
done
for site in cross-site same-site; do
	tcp 403 /v1/images/disk -X DELETE -H "Sec-Fetch-Site: $site"
	check ".code == \"cross-origin\" and (.detail | contains(\"$site\"))"
done
# Its own pages: the Origin is what Host says; also where a proxy hands Host through.
tcp 200 /v1/images/disk/data -X PATCH -d '{"op":"flush"}' -H "Origin: http://127.0.0.1:$port" -H 'Sec-Fetch-Site: same-origin'
expect 200 /v1/images/disk/data -X PATCH -d '{"op":"flush"}' -H 'Host: proxy.example' -H 'Origin: https://proxy.example'
expect_problem 403 cross-origin /v1/images/disk/data -X PATCH -d '{"op":"flush"}' -H 'Host: proxy.example' \
	-H 'Origin: https://evil.example'

# ---- preflights
preflight() { # ORIGIN [CURL-OPTION...]
	local origin=$1
	shift
	tcp 204 /v1/images/disk/snapshots -X OPTIONS -H "Origin: $origin" -H 'Access-Control-Request-Method: POST' "$@"
}
preflight https://ui.example:8443 -H 'Access-Control-Request-Headers: if-match,content-type'
expect_header Access-Control-Allow-Origin https://ui.example:8443
expect_header Access-Control-Allow-Methods POST
expect_header Access-Control-Allow-Headers if-match,content-type
expect_header Access-Control-Max-Age 600
absent Access-Control-Allow-Private-Network
preflight http://localhost:3000 -H "Access-Control-Request-Headers: $(printf '%4096s' '' | tr ' ' h)"
tcp 431 /v1/images -X OPTIONS -H 'Origin: http://localhost:3000' -H 'Access-Control-Request-Method: POST' \
	-H "Access-Control-Request-Headers: $(printf '%4097s' '' | tr ' ' h)"
check '.code == "headers-too-large" and .detail == "Access-Control-Request-Headers has 4097 bytes, more than 4096"'
expect_header Access-Control-Allow-Origin http://localhost:3000
preflight http://localhost:3000 -H 'Access-Control-Request-Private-Network: true'
expect_header Access-Control-Allow-Private-Network true
absent Access-Control-Allow-Headers
preflight https://evil.example -H 'Access-Control-Request-Private-Network: true'
absent Access-Control-Allow-Origin
absent Access-Control-Allow-Methods
absent Access-Control-Allow-Private-Network
expect_header Allow 'GET, HEAD, POST, OPTIONS'

# ---- what is printed is what is in force
"$VHDD" --config "$work/vhdd.conf" --allow-host second.example --print-config >"$work/printed"
[ "$(grep '^hosts = ' "$work/printed" | tr '\n' ';')" = 'hosts = vhd.example;hosts = second.example;' ] ||
	fail "hosts are not printed"
grep -qx 'origins = https://ui.example:8443' "$work/printed" || fail "origins are not printed"
"$VHDD" --config "$work/printed" --print-config | cmp - "$work/printed" || fail "what was printed reads otherwise"

# ---- without origins, nobody hears of it
stop_vhdd
start_vhdd
expect 200 /v1/images/disk/data -H 'Origin: https://ui.example:8443'
absent Access-Control-Allow-Origin
absent Vary

finish
