#!/usr/bin/env bash
# nginx in front of the daemon: as systemd/nginx.conf has it, and for comparison with nothing but proxy_pass.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin
requires curl jq nginx python3

# ---- nginx on two Unix sockets of its own
recipe=$(dirname "$0")/../../systemd/nginx.conf
tuned=$work/tuned.sock plain=$work/plain.sock
sed "s|unix:/run/vhdd/vhdd.sock|unix:$socket|; s|listen .*;|listen unix:$tuned;|" "$recipe" >"$work/recipe.conf"
cat >"$work/nginx.conf" <<-END
	pid $work/nginx.pid;
	error_log $work/nginx.log;
	daemon off;
	worker_processes 1;
	events { worker_connections 64; }
	http {
		access_log off;
		client_body_temp_path $work/bodies;
		proxy_temp_path $work/proxied;
		fastcgi_temp_path $work/fastcgi;
		uwsgi_temp_path $work/uwsgi;
		scgi_temp_path $work/scgi;
		include $work/recipe.conf;
		server {
			listen unix:$plain;
			location / { proxy_pass http://unix:$socket:; }
		}
	}
END
# Its worker gives up root, and must still reach the folder and the socket.
[ "$(id -u)" -ne 0 ] || sed -i '1i user root;' "$work/nginx.conf"
nginx -t -q -e "$work/nginx.log" -c "$work/nginx.conf" || die "the recipe is not understood"
start_vhdd
nginx -e "$work/nginx.log" -c "$work/nginx.conf" &
nginx=$!
at_end() {
	kill "$nginx" 2>/dev/null || :
	wait "$nginx" 2>/dev/null || :
}
answers() { # at both of its sockets
	kill -0 "$nginx" 2>/dev/null || die "nginx does not start: $(cat "$work/nginx.log")"
	curl -s --unix-socket "$tuned" http://localhost/ && curl -s --unix-socket "$plain" http://localhost/
}
wait_until answers >/dev/null

direct=$socket
through() { socket=$1; }
image disk 64M
random 8000000 "$work/bytes"
truncate -s 200M "$work/large"

# ---- what works either way
for proxy in "$tuned" "$plain"; do
	through "$proxy"
	expect 200 /v1/images/disk
	random 500000 "$work/small"
	expect 200 /v1/images/disk/data -T "$work/small"
	expect 206 /v1/images/disk/data -r 1000-400999
	same <(slice "$work/small" 1000 400000) "$body" "a range"
	expect 206 /v1/images/disk/data -r -512
	expect_header Content-Range 'bytes 67108352-67108863/67108864'
	expect 200 /v1/images/disk/data -I
	expect_header Content-Length 67108864
	expect 416 /v1/images/disk/data -r 67108864-
	expect_header Content-Range 'bytes */67108864'
	expect_problem 404 image-not-found /v1/images/nobody
done

# ---- an upload as long as it likes, and an early refusal
uploaded() { # what curl has sent, when it is refused
	curl -sS --max-time 60 --unix-socket "$1" -o "$body" -w '%{http_code} %{size_upload}\n' -T "$2" \
		-H 'Expect:' "http://localhost/v1/images/disk/data" 2>/dev/null || :
}
through "$tuned"
expect 200 /v1/images/disk/data -T "$work/bytes"
expect 206 /v1/images/disk/data -r 0-7999999
same "$work/bytes" "$body" "what went through the proxy"
expect 200 /v1/images/disk/data -T - -H 'Transfer-Encoding: chunked' <"$work/bytes"
check '.length == 8000000'
read -r status sent < <(uploaded "$tuned" "$work/large")
[ "$status" = 413 ] || [ "$status" = 416 ] || fail "an upload beyond the disk is answered $status through the recipe"
[ "$sent" -lt 50000000 ] || fail "$sent bytes were sent before the refusal"
expect_413=$(uploaded "$plain" "$work/large")
[ "${expect_413%% *}" = 413 ] || fail "nginx alone answers $expect_413; is the recipe still needed?"

# ---- a download that is cut is seen to be cut
through "$direct"
image sparse 64G
cut() { # what curl says to a download in the middle of which the daemon goes away
	local status=0
	curl -sS --unix-socket "$1" --limit-rate 4M -o "$work/part" http://localhost/v1/images/sparse/data \
		2>"$work/error" &
	local curl=$!
	wait_until test -s "$work/part"
	stop_vhdd KILL
	wait "$curl" || status=$?
	[ "$status" -eq 18 ] || [ "$status" -eq 56 ] || fail "a cut download ended with $status: $(cat "$work/error")"
	start_vhdd
}
cut "$tuned"

# ---- several connections through the proxy, some of them kept
through "$tuned"
for _ in $(seq 50); do
	[ "$(request /v1/images/disk)" = 200 ] || fail "a kept connection: $(cat "$body")"
done
through "$direct"
finish
