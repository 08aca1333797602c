#!/usr/bin/env bash
# The log: a line for each request, that no byte of a client can break.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq python3 script
here=$(dirname "$0")

# Waits for COUNT lines about requests for PATH, and keeps them.
lines() { # COUNT PATH
	as_many() {
		jq -c "select(.message == \"request\" and .path == \"$2\")" "$work/log" >"$work/lines" 2>/dev/null &&
			[ "$(wc -l <"$work/lines")" -ge "$1" ]
	}
	wait_until as_many "$1" "$2"
	[ "$(wc -l <"$work/lines")" -eq "$1" ] || fail "more than $1 lines about $2"
}
line() { # FILTER: of the last such line
	tail -n 1 "$work/lines" | jq -e "$1" >/dev/null || fail "$1 is not so: $(cat "$work/lines")"
}

# ---- what a line says
start_vhdd --listen 127.0.0.1:0
find_port
image disk 1M
expect 200 /v1/images/disk -H 'X-Request-Id: mine'
lines 1 /v1/images/disk
line '.request_id == "mine" and .method == "GET" and .route == "/v1/images/{ref}" and .status == 200'
line ".sent == $(stat -c %s "$body") and .received == 0 and .level == \"info\" and .ms >= 0"
line '.peer | startswith("unix:uid=")'
random 70000 "$work/bytes"
expect 200 /v1/images/disk/data -T "$work/bytes"
lines 1 /v1/images/disk/data
line '.received == 70000 and .method == "PUT"'
expect 200 /v1/images/disk/data
lines 2 /v1/images/disk/data
line '.sent == 1048576'
expect 200 /v1/images/disk/data -I
lines 3 /v1/images/disk/data
line '.method == "HEAD" and .sent == 0'
curl -sS -o "$body" "http://127.0.0.1:$port/nowhere"
lines 1 /nowhere
line '.status == 404 and .code == "route-not-found" and .route == "-" and (.peer | startswith("127.0.0.1:"))'

# ---- who leaves as soon as all has come is not cut off; who leaves before is
leave() { # COUNT BYTES METHOD PATH: sends it, reads so much of the body, -1 for all, and is gone
	python3 - "$socket" "$@" <<-'END'
		import socket, sys
		path, count, wanted, method, target = sys.argv[1:]
		for _ in range(int(count)):
		    with socket.socket(socket.AF_UNIX) as peer:
		        peer.connect(path)
		        peer.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
		        answer = b""
		        while b"\r\n\r\n" not in answer:
		            answer += peer.recv(4096)
		        head, _, body = answer.partition(b"\r\n\r\n")
		        size = int(next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))[15:])
		        while len(body) < (size if wanted == "-1" else int(wanted)):
		            body += peer.recv(4096)
	END
}
for request in 'GET /v1/images' 'POST /v1/images/disk/data?op=flush' 'GET /v1/images/disk'; do
	: >"$work/log"
	# shellcheck disable=SC2086 # two words
	leave 300 -1 $request
	path=${request#* }
	lines 300 "${path%\?*}"
	! grep -q '"cut"' "$work/lines" || fail "$request: $(grep -c '"cut"' "$work/lines") of 300 are cut"
done
: >"$work/log"
leave 1 1 GET /v1/images/disk/data
lines 1 /v1/images/disk/data
line '.cut == 1 and .status == 200 and .sent < 1048576'

# ---- every byte
python3 "$here/log.py" "$socket" "$work/log" JSON || fail "the log in JSON"
stop_vhdd
: >"$work/log"
: >"$work/typescript"
# A terminal of its own, for that is where text goes.
script -qefc "exec '$VHDD' --state-dir '$state' --listen 'unix:$socket'" "$work/typescript" >/dev/null 2>&1 </dev/null &
pid=$!
wait_until is_ready
terminal=$pid
pid=$(pgrep -P "$terminal")
python3 "$here/log.py" "$socket" "$work/typescript" TEXT || fail "the log as text"
kill "$pid"
wait "$terminal" || fail "vhdd on a terminal ended with $?"
pid=

# ---- what is written
quiet() { # OPTION...: no line about a request, but one about the start or the end
	: >"$work/log"
	start_vhdd "$@"
	expect 404 /nowhere
	stop_vhdd
	! grep -q '"request"' "$work/log" || fail "$*: $(cat "$work/log")"
}
quiet --log-level warning
printf '[log]\nlevel = error\n' >"$work/conf"
quiet --config "$work/conf"
[ ! -s "$work/log" ] || fail "lines below the level: $(cat "$work/log")"
: >"$work/log"
start_vhdd --log-level info --config "$work/conf"
expect 404 /nowhere
lines 1 /nowhere
stop_vhdd
if "$VHDD" --log-level loud --state-dir "$state" 2>"$work/error"; then fail "a level that there is not"; fi
grep -q 'loud is not error, warning, info or debug' "$work/error" || fail "$(cat "$work/error")"
finish
