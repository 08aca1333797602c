#!/usr/bin/env bash
# The goals of the daemon, beside nginx in the same run: http.sh [ROUNDS]. Rounds are interleaved, and of each thing
# the median counts. BENCH_DIR says where, VHDD is the program, by default that of the release build.
here=$(dirname "$0")
export VHDD=${VHDD:-$here/../../build/bin/vhdd} TMPDIR=${BENCH_DIR:-${TMPDIR:-/tmp}} no_proxy=localhost,127.0.0.1
. "$here/../api/lib.sh"
PATH=$PATH:/usr/sbin
requires curl jq nginx python3 wrk
rounds=${1:-3}
large=$((512 << 20)) # bytes of the disk that is read and written
small=$((64 << 20))  # bytes of the disk of durable writes
ulimit -n "$(ulimit -Hn)"

# ---- the daemon

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start_nginx() {
	local port tries=0
	nginx=
	until [ -n "$nginx" ] && curl -sf -o /dev/null "$peer/sector"; do
		if [ -z "$nginx" ] || ! kill -0 "$nginx" 2>/dev/null; then # somebody took the port
			tries=$((tries + 1))
			[ "$tries" -le 5 ] || die "nginx does not start: $(cat "$work/nginx.log")"
			port=$(free_port)
			peer=http://127.0.0.1:$port
			sed "s/PORT/$port/" "$work/nginx.in" >"$work/nginx.conf"
			nginx -e "$work/nginx.log" -c "$work/nginx.conf" &
			nginx=$!
		fi
		sleep 0.02
	done
}
at_end() {
	[ -n "${nginx:-}" ] || return 0
	kill "$nginx" 2>/dev/null || :
	wait "$nginx" 2>/dev/null || :
}

port=$(free_port)
start_vhdd --listen "127.0.0.1:$port" --log-level warning # neither of the two writes a line for each request
ours=http://127.0.0.1:$port/v1/images
idle=$(ps -o rss= -p "$pid")
mkdir "$work/www"
random "$large" "$work/www/raw"
sync -f "$work/www/raw" # what is written back later would pay for it

# ---- jobs: each adds its value to the results

add() { # JOB VALUE
	printf '%s\t%s\n' "$1" "$2" >>"$work/results"
	printf . >&2
}

# wrk_for JOB CONNECTIONS URL: requests in a second; also the median time of one, as "JOB, us".
wrk_for() {
	timeout 30 wrk -t 1 -c "$2" -d 1s --timeout 2s --latency ${ASK:+-s "$here/ask.lua"} "$3" >"$work/wrk"
	if grep -E 'Socket errors|Non-2xx' "$work/wrk"; then fail "$1: requests were not answered"; fi
	add "$1" "$(awk '$1 == "Requests/sec:" { print $2 }' "$work/wrk")"
	add "$1, us" "$(awk '$1 == "50%" {
		unit = $2 ~ /us$/ ? 1 : $2 ~ /ms$/ ? 1e3 : 1e6
		print $2 * unit
	}' "$work/wrk")"
}

ranges() { # JOB CONNECTIONS LENGTH
	ASK=range DISK=$large LENGTH=$3 wrk_for "$1" "$2" "$ours/base/data"
	ASK=range DISK=$large LENGTH=$3 wrk_for "$1, nginx" "$2" "$peer/raw"
}

upload() { # JOB URL: MiB in a second
	local seconds
	seconds=$(curl -sSf --max-time 60 -o /dev/null -w '%{time_total}' -T "$work/www/raw" "$2")
	add "$1" "$(awk "BEGIN { print $large / 1048576 / $seconds }")"
}

# ---- durable writes, before there is anything else to be written back

export ASK='' DISK='' LENGTH=''
image small "$small"
slice "$work/www/raw" 0 "$small" >"$work/small"
expect 200 /v1/images/small/data -T "$work/small"
for _ in $(seq "$rounds"); do
	for n in 64 1; do
		ASK=write DISK=$small LENGTH=4096 wrk_for "durable x$n" "$n" "$ours/small/data?flush=y"
	done
done

# ---- the disks, and nginx with the same bytes

image base "$large"
expect 200 /v1/images/base/data -T "$work/www/raw"
child leaf base
image target "$large"
{
	[ "$(id -u)" -ne 0 ] || echo 'user root;'
	expect 200 /v1/images/leaf/sectors/2048
	sector=$(cat "$body")
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
				location /sector { return 200 '$sector'; }
				location /image { return 200 '$(cat "$body")'; }
				location / { root $work/www; dav_methods PUT; }
			}
		}
	END
} >"$work/nginx.in"
start_nginx

upload 'first upload' "$ours/target/data?flush=n" # allocates the blocks
upload 'first upload, nginx' "$peer/target"
for _ in $(seq "$rounds"); do
	for n in 32 256 1; do
		wrk_for "image x$n" "$n" "$ours/base"
		wrk_for "image x$n, nginx" "$n" "$peer/image"
	done
	wrk_for 'sector x32' 32 "$ours/leaf/sectors/2048"
	wrk_for 'sector x32, nginx' 32 "$peer/sector"
	ranges '4 KiB x32' 32 4096
	ranges '64 KiB x32' 32 65536
	ranges '1 MiB x1' 1 1048576
	upload 'upload' "$ours/target/data?flush=n"
	upload 'upload, nginx' "$peer/target"
done
busy=$(ps -o rss= -p "$pid")
connections=()
for _ in $(seq 500); do
	exec {connection}<>"/dev/tcp/127.0.0.1/$port"
	connections+=("$connection")
done
expect 200 /readyz # by a 501st one
add 'memory, idle' "$((idle / 1024))"
add 'memory, after all this' "$((busy / 1024))"
add 'memory, and 500 connections' "$(($(ps -o rss= -p "$pid") / 1024))"
for connection in "${connections[@]}"; do
	exec {connection}>&-
done

# ---- ratios first. A row: goal, sense, limit, job, and what it is compared with (nothing: the value itself).
printf '\n%d rounds, medians\n' "$rounds"
awk -F '\t' '
	function median(job, values, n, i, j, value) {
		n = split(all[job], values, " ")
		if (n == 0) { print "no job: " job; failed = 1; exit 1 }
		for (i = 2; i <= n; i++) {
			value = values[i]
			for (j = i - 1; j > 0 && values[j] + 0 > value + 0; j--) values[j + 1] = values[j]
			values[j + 1] = value
		}
		return values[int((n + 1) / 2)] + 0
	}
	NR == FNR {
		if (!($1 in all)) jobs[++n_jobs] = $1
		all[$1] = all[$1] " " $2
		next
	}
	{
		value = median($4)
		if ($5 != "") value /= median($5)
		met = $2 == "least" ? value >= $3 : value <= $3
		missed += !met
		printf "%-4s %-34s %8.2f%s (at %s %.2f)%s%s\n", $1, $4, value, $5 != "" ? "x" : "", $2, $3,
			$5 != "" ? " of " $5 : "", met ? "" : " MISSED"
	}
	END {
		if (failed) exit 1
		print ""
		for (i = 1; i <= n_jobs; i++) printf "     %-34s %12.1f\n", jobs[i], median(jobs[i])
		printf "\n%d goals missed\n", missed
	}
' "$work/results" - <<'END'
G8	least	0.70	sector x32	sector x32, nginx
G15	least	0.70	image x32	image x32, nginx
G15	least	0.60	image x256	image x256, nginx
G15	most	1.15	image x1, us	image x1, nginx, us
G16	least	0.90	4 KiB x32	4 KiB x32, nginx
G16	least	0.95	64 KiB x32	64 KiB x32, nginx
G16	least	0.95	1 MiB x1	1 MiB x1, nginx
G18	least	3.00	upload	upload, nginx
G20	least	10.00	durable x64	durable x1
G22	most	64	memory, idle
G22	most	64	memory, after all this
G22	most	64	memory, and 500 connections
END
finish
