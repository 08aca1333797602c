#!/usr/bin/env bash
# The goals of the daemon, beside nginx and a bare libmicrohttpd in the same run: http.sh [ROUNDS]. Turns are short and
# interleaved, and of each thing the median counts. BENCH_DIR says where, VHDD is the program and PEER the bare server,
# by default those of the release build; BODY_GIB (20) is what goes up and down while memory is watched.
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build/bin
export VHDD=${VHDD:-$build/vhdd} TMPDIR=${BENCH_DIR:-${TMPDIR:-/tmp}} no_proxy=localhost,127.0.0.1
PEER=${PEER:-$build/bench_peer}
. "$here/../api/lib.sh"
PATH=$PATH:/usr/sbin
requires curl jq nginx python3 wrk strace qemu-img qemu-io
rounds=${1:-3}
large=$((512 << 20)) # bytes of the disk that is read and written
small=$((64 << 20))  # bytes of the disks of durable writes and of fragments
ulimit -n "$(ulimit -Hn)"
servers=() # beside the daemon of lib.sh

at_end() {
	local server
	for server in "${servers[@]}"; do
		kill "$server" 2>/dev/null || :
		wait "$server" 2>/dev/null || :
	done
	[ -z "${shm:-}" ] || rm -rf "$shm"
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

answers_or_ended() { # SERVER PROBE
	curl -sf -o /dev/null "http://127.0.0.1:$port$2" || ! kill -0 "$1" 2>/dev/null
}

# serve PROBE FUNCTION: runs the function, which becomes a server on $port, and returns when that answers the probe.
serve() {
	local server
	for _ in 1 2 3 4 5; do # somebody may take the port
		port=$(free_port)
		"$2" >>"$work/server.log" 2>&1 &
		server=$!
		servers+=("$server")
		wait_until answers_or_ended "$server" "$1"
		if kill -0 "$server" 2>/dev/null; then return; fi
	done
	die "$2 does not start: $(cat "$work/server.log")"
}

become_nginx() {
	sed "s/PORT/$port/" "$work/nginx.in" >"$work/nginx.conf"
	exec nginx -e "$work/nginx.log" -c "$work/nginx.conf"
}
become_peer() { exec "$PEER" "$port"; }
# Its syncs are lines of a file. It is the child itself, not strace, that is ended.
become_traced() {
	exec strace -D -f --seccomp-bpf -qq -e trace=fsync,fdatasync -o "$work/syncs" \
		"$VHDD" --state-dir "$work/traced" --listen "127.0.0.1:$port" --log-level warning
}
# In memory: its ten thousand images are there to be listed, not to be kept.
become_many() { exec "$VHDD" --state-dir "$shm" --listen "127.0.0.1:$port" --log-level warning; }

ready() { # like start_vhdd, but for become_...
	serve /readyz "$1"
	url=http://127.0.0.1:$port/v1/images
}

port=$(free_port)
start_vhdd --listen "127.0.0.1:$port" --log-level warning # nobody here writes a line for each request
our_port=$port
ours=http://127.0.0.1:$port/v1/images
idle=$(ps -o rss= -p "$pid")
mkdir "$work/www" "$work/qcow2"
random "$large" "$work/www/raw"
sync -f "$work/www/raw" # what is written back later would pay for it

# ---- jobs: each adds its value to the results

add() { # JOB VALUE
	printf '%s\t%s\n' "$1" "$2" >>"$work/results"
	printf . >&2
}

# wrk_for JOB CONNECTIONS URL: requests in a second; also the median time of one, as "JOB, us", and the 99th part in a
# hundred, as "JOB, p99 ms".
wrk_for() {
	timeout 60 wrk -t 1 -c "$2" -d "${SECONDS_EACH}s" --timeout 5s --latency ${ASK:+-s "$here/ask.lua"} "$3" \
		>"$work/wrk"
	if grep -E 'Socket errors|Non-2xx' "$work/wrk"; then fail "$1: requests were not answered"; fi
	[ "$(asked)" -gt 0 ] || die "$1: nothing was answered: $(cat "$work/wrk")"
	awk -v job="$1" '
		function us(time) { return time * (time ~ /us$/ ? 1 : time ~ /ms$/ ? 1e3 : 1e6) }
		$1 == "Requests/sec:" { print job "\t" $2 }
		$1 == "50%" { print job ", us\t" us($2) }
		$1 == "99%" { print job ", p99 ms\t" us($2) / 1e3 }
	' "$work/wrk" >>"$work/results"
	printf . >&2
}

asked() { awk '/ requests in / { print $1 }' "$work/wrk"; } # by the last wrk_for

ranges() { # JOB CONNECTIONS LENGTH
	ASK=range DISK=$large LENGTH=$3 wrk_for "$1" "$2" "$ours/base/data"
	ASK=range DISK=$large LENGTH=$3 wrk_for "$1, nginx" "$2" "$peer/raw"
}

upload() { # JOB URL: MiB in a second
	local seconds
	seconds=$(curl -sSf --max-time 60 -o /dev/null -w '%{time_total}' -T "$work/www/raw" "$2")
	add "$1" "$(awk "BEGIN { print $large / 1048576 / $seconds }")"
}

timed() { # JOB COMMAND...: milliseconds
	local start
	start=$(date +%s%N)
	"${@:2}" >/dev/null
	add "$1" "$((($(date +%s%N) - start) / 1000000))"
}

# How many times what was written to an image has been made durable.
epochs() { curl -sSf -X OPTIONS "$1/data" | jq .durable_epoch; }

syncs() { grep -cE 'f(data)?sync\(' "$work/syncs" || :; }

# syncs_for JOB COMMAND...: how many of its syncs the daemon needs for each request that the command made.
syncs_for() {
	local before
	before=$(syncs)
	"${@:2}"
	add "$1" "$(awk "BEGIN { print ($(syncs) - $before) / ${made:-$(asked)} }")"
}

# peak_for JOB COMMAND...: MiB that the daemon holds while the command runs, at most; the kernel keeps count.
peak_for() {
	echo 5 >"/proc/$pid/clear_refs"
	"${@:2}" || fail "$1"
	add "$1" "$(awk '/^VmHWM:/ { print int($2 / 1024) }' "/proc/$pid/status")"
}

# ---- durable writes, before there is anything else to be written back

export ASK='' DISK='' LENGTH='' SECONDS_EACH=1
image small "$small"
slice "$work/www/raw" 0 "$small" >"$work/small"
expect 200 /v1/images/small/data -T "$work/small"
for _ in $(seq "$rounds"); do
	for n in 64 1; do
		before=$(epochs "$ours/small")
		ASK=write DISK=$small LENGTH=4096 wrk_for "durable x$n" "$n" "$ours/small/data?flush=y"
		add "epochs of a write, x$n" "$(awk "BEGIN { print ($(epochs "$ours/small") - $before) / $(asked) }")"
	done
	for n in 16 1; do ASK=create wrk_for "create x$n" "$n" "$ours"; done
done

create_some() {
	local n
	for n in $(seq "$made"); do curl -sSf -o /dev/null -d "size=1M" "$url"; done
}
ready become_traced
made=20 syncs_for 'syncs of a create' create_some
ASK=create syncs_for 'syncs of a create, 16 at once' wrk_for 'traced create' 16 "$url"
curl -sSf -o /dev/null -d name=small -d "size=$small" "$url"
curl -sSf -o /dev/null -T "$work/small" "$url/small/data"
change_some() {
	local n
	for n in $(seq "$made"); do curl -sSf -o /dev/null -X PATCH -d "labels.n=$n" "$url/small"; done
}
made=20 syncs_for 'syncs of a change' change_some
# Traced, there are fewer writes in a group: it is syncs of a group that are counted here.
before=$(epochs "$url/small") synced=$(syncs)
ASK=write DISK=$small LENGTH=4096 wrk_for 'traced write' 64 "$url/small/data?flush=y"
add 'syncs of an epoch' "$(awk "BEGIN { print ($(syncs) - $synced) / ($(epochs "$url/small") - $before) }")"

# ---- the disks, and nginx with the same bytes

image base "$large"
expect 200 /v1/images/base/data -T "$work/www/raw"
child leaf base
image target "$large"
{
	[ "$(id -u)" -ne 0 ] || echo 'user root;'
	expect 200 /v1/images/base
	cat <<-END
		pid $work/nginx.pid;
		error_log $work/nginx.log;
		daemon off;
		worker_processes auto;
		events { worker_connections 2048; }
		http {
			access_log off;
			sendfile on;
			keepalive_requests 100000000;
			client_max_body_size 0;
			client_body_temp_path $work/bodies;
			proxy_temp_path $work/proxied;
			fastcgi_temp_path $work/fastcgi;
			uwsgi_temp_path $work/uwsgi;
			scgi_temp_path $work/scgi;
			server {
				listen 127.0.0.1:PORT;
				default_type application/json;
				location /image { return 200 '$(cat "$body")'; }
				location / { root $work/www; dav_methods PUT; }
			}
		}
	END
} >"$work/nginx.in"
serve /image become_nginx
peer=http://127.0.0.1:$port
serve / become_peer
bare=http://127.0.0.1:$port/hello
fragments=$("$here/chain.py" "$our_port" fragments 100 "$small" every:131072)
deep=$("$here/chain.py" "$our_port" deep "${DEPTH:-500}" $((256 << 20)) 64 "$work/qcow2")

# All pages at once: where they begin is known from the first pass, which also builds the index.
note_pages() {
	local at=0
	while [ "$at" != null ]; do
		printf 'url = "%s"\noutput = /dev/null\n' "$ours/$deep/extents?start=$at" >>"$work/pages"
		at=$(curl -sSf "$ours/$deep/extents?start=$at" | jq .next_start)
	done
}
whole_map() { curl -sSf -K "$work/pages"; }
map_qcow2() { qemu-img map --output=json "$work/qcow2/${deep#deep-}.qcow2"; }

upload 'first upload' "$ours/target/data?flush=n" # allocates the blocks
upload 'first upload, nginx' "$peer/target"
note_pages
for _ in $(seq "$rounds"); do
	for n in 1 32 128 256 512; do
		wrk_for "image x$n" "$n" "$ours/base"
		wrk_for "image x$n, nginx" "$n" "$peer/image"
	done
	wrk_for 'sector x32' 32 "$ours/leaf/sectors/2048"
	wrk_for 'hello x32, bare' 32 "$bare"
	wrk_for 'run x32, depth 1' 32 "$ours/base/sectors?start=2048&count=1"
	wrk_for 'run x32, deep' 32 "$ours/$deep/sectors?start=2048&count=1"
	ranges '4 KiB x32' 32 4096
	ranges '64 KiB x1' 1 65536
	ranges '64 KiB x32' 32 65536
	ranges '1 MiB x1' 1 1048576
	ranges '1 MiB x8' 8 1048576
	SECONDS_EACH=2 ranges '64 MiB x2' 2 $((64 << 20))
	ASK=range DISK=$small LENGTH=1048576 wrk_for 'fragments x8' 8 "$ours/$fragments/data"
	ASK=range DISK=$small LENGTH=1048576 wrk_for 'no fragments x8' 8 "$ours/small/data"
	upload 'upload' "$ours/target/data?flush=n"
	upload 'upload, bare' "$bare"
	upload 'upload, nginx' "$peer/target"
	timed 'whole map of a deep chain, ms' whole_map
	timed 'whole map, qemu-img, ms' map_qcow2
done

# ---- pages of many images

shm=$(mktemp -d "/dev/shm/bench.XXXXXX" 2>/dev/null || mktemp -d)
ready become_many
until [ "$(curl -sSf "$url?limit=1&count=y&fields=name" | jq .total)" -ge 10000 ]; do
	ASK=create SECONDS_EACH=5 wrk_for 'create in memory x32' 32 "$url"
done
for _ in $(seq "$rounds"); do ASK=pages wrk_for 'page of 100' 1 "$url?limit=100"; done

# ---- memory

gib=${BODY_GIB:-20}
send_zeros() {
	head -c "$((gib << 30))" /dev/zero |
		curl -sSf -o /dev/null -T - "$ours/huge/data?flush=n&detect_zeroes=y"
}
send_again() {
	local n
	for n in $(seq $((gib * 2))); do curl -sSf -o /dev/null -T "$work/www/raw" "$ours/target/data?flush=n"; done
}
image huge "$((gib << 30))"
add 'memory, idle' "$((idle / 1024))"
add 'memory, before' "$(($(ps -o rss= -p "$pid") / 1024))"
peak_for 'memory, a body of zeros up' send_zeros
peak_for 'memory, a body down' curl -sSf -o /dev/null "$ours/huge/data"
peak_for 'memory, bodies up' send_again
connections=()
for _ in $(seq 500); do
	exec {connection}<>"/dev/tcp/127.0.0.1/$our_port"
	connections+=("$connection")
done
expect 200 /readyz # by a 501st one
add 'memory, and 500 connections' "$(($(ps -o rss= -p "$pid") / 1024))"
for connection in "${connections[@]}"; do
	exec {connection}>&-
done

# ---- the table

printf '\n%d rounds, medians\n' "$rounds"
awk -f "$here/goals.awk" "$work/results" "$here/goals.tsv"
finish
