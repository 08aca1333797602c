#!/usr/bin/env bash
# What happens at the edges of a connection: idle, slow, large, refused early, and cut by the end of the daemon.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq python3
edge() { python3 "$(dirname "$0")/edge.py" "$@" || fail "edge.py $1"; }
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=8
start_vhdd --listen 127.0.0.1:0
find_port
image disk 64M

# ---- who is silent for longer than an idle connection may be, while all that follows is tried
printf '[limits]\nheader_seconds = 300\nbody_seconds = 300\n' >"$work/patient.conf"
"$VHDD" --state-dir "$work/patient" --listen "unix:$work/patient.sock" --config "$work/patient.conf" 2>"$work/patient.log" &
patient=$!
at_end() { kill "$patient" 2>/dev/null || :; }
is_patient() { curl -s --fail --unix-socket "$work/patient.sock" http://localhost/v1/images -d name=disk -d size=64M >"$body"; }
wait_until is_patient
python3 "$(dirname "$0")/edge.py" silent "$work/patient.sock" 66 >"$work/silent" &
silent=$!

edge head "$socket"
edge idle "$socket" "$port"

# ---- the Unix socket is for its owner and group
[ "$(stat -c %a "$socket")" = 660 ] || fail "the socket has mode $(stat -c %a "$socket")"

# ---- a refusal comes before the body does
truncate -s 200M "$work/large"
early() { # STATUS CODE PATH CURL-OPTION...: curl asks with Expect, and sends nothing
	local status=$1 code=$2 path=$3 sent
	shift 3
	sent=$(curl -sS --max-time 60 --unix-socket "$socket" -o "$body" -w '%{http_code} %{size_upload}' \
		-T "$work/large" "$@" "http://localhost$path")
	[ "$sent" = "$status 0" ] || fail "$path: status and bytes sent are $sent, not $status 0"
	check ".code == \"$code\""
}
early 416 range-not-satisfiable /v1/images/disk/data
early 404 image-not-found /v1/images/nobody/data
early 405 method-not-allowed /healthz
early 400 unknown-parameter '/v1/images/disk/data?nonsense=1'
early 412 precondition-failed /v1/images/disk/data -H 'If-Match: "other"'
early 415 unsupported-media-type /v1/images/disk/data -H 'Content-Encoding: gzip'
early 413 body-too-large /v1/images/new
early 403 cross-origin /v1/images/disk/data -H 'Origin: http://evil.example'
child next disk
early 409 image-has-children /v1/images/disk/data

# ---- a small refused body costs no connection
connects=$(curl -sS --unix-socket "$socket" -o "$body" -w '%{num_connects} ' \
	-X PUT -d nonsense http://localhost/nowhere --next \
	--unix-socket "$socket" -o "$body" -w '%{num_connects} ' -d '{' http://localhost/v1/images --next \
	--unix-socket "$socket" -o "$body" -w '%{num_connects}' http://localhost/healthz)
[ "$connects" = '1 0 0' ] || fail "connections made: $connects"

# ---- a body of 3 GiB up and down takes no memory
image big 4G
truncate -s 3G "$work/huge"
memory() { awk '$1 == "'"$1"':" { print $2 }' "/proc/$pid/status"; } # in KiB
grows() { # WHAT: by how much the peak is above what was there before
	local growth=$(($(memory VmHWM) - before))
	echo "$1: $growth KiB more"
	[ "$growth" -lt 65536 ] || fail "$1 takes $growth KiB"
}
echo 5 >"/proc/$pid/clear_refs" # the peak starts anew
before=$(memory VmRSS)
expect 200 '/v1/images/big/data?detect_zeroes=y' -T "$work/huge" --max-time 600
check '.length == 3221225472'
grows "an upload of 3 GiB"
curl -sS --unix-socket "$socket" http://localhost/v1/images/big/data -r 0-3221225471 | wc -c >"$work/count"
[ "$(cat "$work/count")" -eq 3221225472 ] || fail "only $(cat "$work/count") bytes came down"
grows "a download of 3 GiB"
rm "$work/huge" "$work/large"

# ---- the end of the daemon: what is under way is finished, idle connections are no obstacle
python3 "$(dirname "$0")/edge.py" stay "$socket" 300 >"$work/stays" &
stays=$!
wait_until grep -qs 'HTTP/1.1 200' "$work/stays"
random 2000000 "$work/bytes"
python3 "$(dirname "$0")/edge.py" late "$socket" >"$work/late" &
late=$!
wait_until grep -qs ready "$work/late"
mkfifo "$work/pipe"
exec 9<>"$work/pipe" # one that goes on until it is told to end
curl -sSv --unix-socket "$socket" -o /dev/null -w '%{http_code}\n' -T - http://localhost/v1/images/next/data \
	<"$work/pipe" >>"$work/statuses" 2>"$work/head.0" 9>&- &
uploads=$!
for n in $(seq 12); do
	curl -sSv --unix-socket "$socket" -o /dev/null -w '%{http_code}\n' --limit-rate 1M \
		-T "$work/bytes" "http://localhost/v1/images/next/data?offset=$((n * 2000000))" \
		>>"$work/statuses" 2>"$work/head.$n" 9>&- &
	uploads="$uploads $!"
done
# All of them are let in before the daemon is told to stop.
let_in() { [ "$(cat "$work"/head.* | grep -c '100 Continue')" -eq 13 ]; }
wait_until let_in
kill -TERM "$pid"
# New connections are refused while uploads still go on.
refused() { ! curl -s --unix-socket "$socket" http://localhost/healthz >/dev/null; }
wait_until refused
kill -0 "$pid" || fail "a stopping daemon takes new connections to its end"
wait "$late" || fail "a request on an old connection is answered $(tail -n 1 "$work/late")"
printf end >&9
exec 9>&-
# shellcheck disable=SC2086 # one word for each
wait $uploads || fail "uploads under way end with $?"
wait "$pid" || fail "vhdd ended with $?"
pid=
[ "$(sort -u "$work/statuses")" = 200 ] || fail "uploads under way are answered $(sort "$work/statuses" | uniq -c)"
wait "$stays" || fail "an idle connection outlives the daemon"
start_vhdd
expect 206 /v1/images/next/data -r 0-2
[ "$(cat "$body")" = end ] || fail "the last upload has written '$(cat "$body")'"
for n in $(seq 12); do
	expect 206 /v1/images/next/data -r "$((n * 2000000))-$((n * 2000000 + 1999999))"
	same "$work/bytes" "$body" "upload $n"
done

# ---- one that does not move is cut, and what is suspended does not hinder the end
printf '[limits]\nheader_seconds = 1\nbody_seconds = 1\n' >"$work/conf"
stop_vhdd
start_vhdd --config "$work/conf"
edge drip "$socket" 1
edge sip "$socket" 1
mkfifo "$work/never"
exec 9<>"$work/never"
curl -sSv --unix-socket "$socket" -o /dev/null -T - http://localhost/v1/images/next/data <&9 2>"$work/stuck" &
stuck=$!
wait_until grep -qs '100 Continue' "$work/stuck"
stop_vhdd
[ "$stopped" -eq 0 ] || fail "vhdd with a stuck client ended with $stopped"
exec 9>&-
kill "$stuck" 2>/dev/null || :

# ---- zeroing that would take minutes ends in time, and says how far it got
start_vhdd
expect 201 /v1/images -d name=vast -d kind=fixed -d size=2040G
vast=$(jq -r .file "$body")
touch -d @0 "$state/images/$vast"
jq -n '{ops: [range(256) | {op: "zero", offset: 0, length: "2040G"}]}' >"$work/ops"
curl -sS --unix-socket "$socket" -o "$work/answer" -w '%{http_code}' -X PATCH --json "@$work/ops" \
	http://localhost/v1/images/vast/data >"$work/status" &
zeroes=$!
begun() { [ "$(stat -c %Y "$state/images/$vast")" -gt 0 ]; }
wait_until begun
stop_vhdd
[ "$stopped" -eq 0 ] || fail "vhdd that zeroes ended with $stopped"
wait "$zeroes" || fail "the PATCH of a daemon that stops ends with $?"
[ "$(cat "$work/status")" -eq 503 ] || fail "the PATCH of a daemon that stops is answered $(cat "$work/status")"
jq -e '.code == "shutting-down" and .completed < 256 and .detail == "The daemon is stopping."' "$work/answer" >/dev/null ||
	fail "the PATCH of a daemon that stops is answered $(cat "$work/answer")"

wait "$silent" || fail "of silent clients, with 300 seconds for all: $(cat "$work/silent")"
kill -TERM "$patient"
wait "$patient" || fail "a daemon with silent clients ends with $?"

# ---- nothing but loopback
for address in 0.0.0.0:0 192.0.2.1:8080 '[::]:0' '[2001:db8::1]:80' 'localhost:80' '[::ffff:127.0.0.1]:0' :80; do
	status=0
	"$VHDD" --state-dir "$state" --listen "$address" 2>"$work/error" || status=$?
	[ "$status" -eq 64 ] || fail "--listen $address ends with $status: $(cat "$work/error")"
done
finish
