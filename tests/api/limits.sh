#!/usr/bin/env bash
# Limits: too many connections, clients that are too slow, and more parallel requests than workers.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq python3
printf '[limits]\nconnections = 6\nheader_seconds = 1\nbody_seconds = 1\nworkers = 2\nimages_open = 8\n' >"$work/conf"
start_vhdd --config "$work/conf" --listen 127.0.0.1:0
find_port
image disk 16M

# closes DESCRIPTOR: the daemon ends the connection, with or without a word.
closes() {
	timeout 60 cat <&"$1" >"$work/rest"
}

# ---- the system has fewer files than they need
! grep -q 'files may be open' "$work/log" || fail "it warns of too few files: $(cat "$work/log")"
stop_vhdd
printf '#!/bin/sh\nulimit -n 237\nexec "%s" "$@"\n' "$VHDD" >"$work/few"
chmod +x "$work/few"
: >"$work/log"
VHDD=$work/few start_vhdd --config "$work/conf" --listen 127.0.0.1:0
grep -q 'only 237 files may be open at once, and .* may need 238: raise the hard limit' "$work/log" ||
	fail "it does not warn of too few files"
find_port

# ---- with hardly any it does not start, and says why
listens_or_ended() { grep -q 'listening on' "$work/said" || ! kill -0 "$other" 2>/dev/null; }
unserved=0 files=8 status=1
while [ "$status" -eq 1 ]; do
	: >"$work/said"
	(ulimit -n $files && exec "$VHDD" --state-dir "$work/other" --listen 127.0.0.1:0) >"$work/said" 2>&1 &
	other=$!
	wait_until listens_or_ended
	kill $other 2>/dev/null || :
	status=0
	wait $other || status=$?
	if grep -q 'cannot serve' "$work/said"; then
		grep -q 'cannot serve 127.0.0.1:[0-9]*: Too many open files' "$work/said" || fail "$files files: $(cat "$work/said")"
		unserved=$((unserved + 1))
	fi
	files=$((files + 1))
done
[ $unserved -gt 0 ] || fail "its library never was without files"

# ---- a file that may not grow is the trouble of who writes it, and of nobody else
stop_vhdd
printf '#!/bin/sh\nulimit -f 40960 # 20 MiB\nexec "%s" "$@"\n' "$VHDD" >"$work/small"
chmod +x "$work/small"
VHDD=$work/small start_vhdd
image large 64M
random 1048576 "$work/piece"
until_full large 2 4
check '.detail | endswith("File too large")'
expect 206 /v1/images/large/data -r "$(((pieces - 1) * 2097152))-$(((pieces - 1) * 2097152 + 1048575))"
same "$work/piece" "$body" 'the last one within the limit'
random 512 "$work/sector"
expect 200 /v1/images/disk/data -T "$work/sector"
expect 204 /v1/images/large -X DELETE
stop_vhdd
start_vhdd --config "$work/conf" --listen 127.0.0.1:0
find_port

# ---- clients find them
expect 200 /v1
check '.limits | [.connections, .header_seconds, .body_seconds] == [6, 1, 1]'

# ---- slow clients are cut
exec 5<>"/dev/tcp/127.0.0.1/$port"
closes 5 || fail "a connection that says nothing stays"
exec 5>&-
exec 5<>"/dev/tcp/127.0.0.1/$port"
printf 'GET /readyz HTTP/1.1\r\nHost: loc' >&5
closes 5 || fail "half a head stays"
exec 5>&-
exec 5<>"/dev/tcp/127.0.0.1/$port"
printf 'PUT /v1/images/disk/data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nabc' >&5
closes 5 || fail "a body that does not move stays"
exec 5>&-
# One that moves is not, though it takes longer than the time for a piece.
python3 "$(dirname "$0")/edge.py" move "$socket" 1 || fail 'a slow upload'

# ---- too many connections: told so, and nobody else suffers
printf '[limits]\nconnections = 6\nheader_seconds = 600\n' >"$work/conf"
stop_vhdd
: >"$work/log"
start_vhdd --config "$work/conf" --listen 127.0.0.1:0
find_port
kept() { # the status of the next answer on connection 10
	local line status=
	printf 'HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n' >&10
	while IFS= read -r -t 60 line <&10 && [ "$line" != $'\r' ]; do
		status=${status:-${line:9:3}}
	done
	echo "${status:-cut}"
}
exec 10<>"/dev/tcp/127.0.0.1/$port"
[ "$(kept)" = 200 ] || fail "the first connection is not served"
for n in 11 12 13 14 15 16; do
	eval "exec $n<>/dev/tcp/127.0.0.1/$port"
done
is_answered() { [ "$(request /v1/images/disk)" = "$1" ]; }
wait_until is_answered 503
[ "$(header X-Error-Code)" = overloaded ] || fail "503 overloaded has code '$(header X-Error-Code)'"
check '.code == "overloaded" and .retryable'
[ -n "$(header Retry-After)" ] || fail "503 without Retry-After"
expect_header Connection close
status=$(kept)
[ "$status" = 200 ] || fail "who was there first is answered $status when others are too many"
exec 10>&-
for n in 11 12 13 14 15 16; do
	eval "exec $n>&-"
done
wait_until is_answered 200

# ---- more images than may be open, more requests than workers
printf '[limits]\nworkers = 2\nimages_open = 8\n[flush]\nms = 10\n' >"$work/conf"
stop_vhdd
start_vhdd --config "$work/conf"
random 5000 "$work/piece"
client() {
	local n=$1 name
	for i in 1 2 3; do
		name=c$n-$i
		curl -sS --unix-socket "$socket" -o /dev/null -d "name=$name" -d size=4M http://localhost/v1/images
		curl -sS --unix-socket "$socket" -o /dev/null -T "$work/piece" \
			"http://localhost/v1/images/$name/data?offset=$((n * 1000))"
	done
}
clients=
for n in $(seq 1 12); do
	client "$n" &
	clients="$clients $!"
done
# shellcheck disable=SC2086 # one word for each
wait $clients
for n in $(seq 1 12); do
	for i in 1 2 3; do
		expect 206 "/v1/images/c$n-$i/data" -r "$((n * 1000))-$((n * 1000 + 4999))"
		same "$work/piece" "$body" "c$n-$i"
	done
done
# ---- chains with more files than may be open: those go that nobody uses
stop_vhdd
start_vhdd
for chain in 1 2 3 4; do
	image "$chain-1" 1M
	for n in 2 3 4 5 6 7 8 9; do child "$chain-$n" "$chain-$((n - 1))"; done
done
stop_vhdd
start_vhdd
files=("/proc/$pid/fd/"*)
stop_vhdd
printf '#!/bin/sh\nulimit -n %s\nexec "%s" "$@"\n' $((${#files[@]} + 24)) "$VHDD" >"$work/few"
VHDD=$work/few start_vhdd
for chain in 1 2 3 4 1; do
	expect 206 "/v1/images/$chain-9/data" -r 0-511
done
finish
