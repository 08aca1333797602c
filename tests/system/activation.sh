#!/usr/bin/env bash
# The daemon on sockets that it was given, and what it tells the service manager meanwhile.
# shellcheck source-path=SCRIPTDIR/../api
. "$(dirname "$0")/../api/lib.sh"
requires curl jq python3 systemd-socket-activate
state=$work/$(printf 'x%.0s' {1..100}) # a socket in it would have a path that is too long, but nobody needs one

# ---- a service manager to talk to: one line for each assignment
export NOTIFY_SOCKET=$work/notify
python3 - "$NOTIFY_SOCKET" >>"$work/told" <<'END' &
import socket, sys
peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
peer.bind(sys.argv[1])
while True:
    print(peer.recv(4096).decode(), flush=True)
END
manager=$!
at_end() { kill "$manager"; }
wait_until test -S "$NOTIFY_SOCKET"

told() { # WORD
	wait_until grep -q "^$1" "$work/told"
}
free_port() { # one of those that are given to nobody who does not ask for it
	python3 - <<-'END'
		import random, socket
		with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
		    first = int(file.read().split()[0])
		while True:
		    port = random.randrange(first // 2, first)
		    with socket.socket() as peer:
		        if peer.connect_ex(("127.0.0.1", port)):
		            break
		print(port)
	END
}
# The activating program becomes the daemon when the first connection comes, so the pid is the same.
activate() { # ADDRESS... -- OPTION...
	local addresses=()
	while [ "$1" != -- ]; do
		addresses+=(-l "$1")
		shift
	done
	shift
	WATCHDOG_USEC=900000 systemd-socket-activate -E WATCHDOG_USEC -E NOTIFY_SOCKET "${addresses[@]}" \
		"$VHDD" --state-dir "$state" "$@" >>"$work/log" 2>&1 &
	pid=$!
	for address in "${addresses[@]}"; do
		[[ $address != /* ]] || wait_until test -S "$address"
	done
}

# ---- a Unix socket
activate "$socket" --
wait_until is_ready
told READY=1
told 'STATUS=listening on unix:'
told WATCHDOG=1
told 'STATUS=[0-9]* connections'
expect 200 /v1
[ ! -e "$state/vhdd.sock" ] || fail "there is a socket that nobody asked for"
grep -q '127.0.0.1:8080' "$work/log" && fail "there is a port that nobody asked for"
image disk 1M
signs() { [ "$(grep -c WATCHDOG=1 "$work/told")" -ge "$1" ]; } # at least so many
two_signs_of_life() { # as often as is asked for: a machine that is slow may need several tries to be in time
	local begin=${EPOCHREALTIME/./} before
	before=$(grep -c WATCHDOG=1 "$work/told")
	wait_until signs "$((before + 2))"
	[ "$((${EPOCHREALTIME/./} - begin))" -le 1200000 ]
}
wait_until two_signs_of_life
stop_vhdd
[ "$stopped" -eq 0 ] || fail "vhdd ended with $stopped"
told STOPPING=1
[ -S "$socket" ] || fail "the socket of the service manager was removed"
rm -f "$socket"

# ---- several sockets, and one more of its own
: >"$work/told"
: >"$work/log"
mine=$work/mine.sock
activate "$socket" "127.0.0.1:$(free_port)" -- --listen "unix:$mine"
wait_until is_ready
told READY=1
find_port
curl -sS --fail "http://127.0.0.1:$port/v1/images/disk" | jq -e '.name == "disk"' >/dev/null || fail "TCP"
curl -sS --fail --unix-socket "$mine" http://localhost/readyz >/dev/null || fail "the socket of its own"
stop_vhdd
[ ! -e "$mine" ] || fail "the socket of its own stays"
rm -f "$socket"

# ---- sockets that are refused
refused() { # WHY, ADDRESS, OPTION of systemd-socket-activate...
	local why=$1 address=$2 status=0
	shift 2
	: >"$work/log"
	systemd-socket-activate "$@" -l "$address" "$VHDD" --state-dir "$state" >>"$work/log" 2>&1 &
	pid=$!
	gone() { # the first connection, or datagram, starts the daemon
		curl -s -m 1 "http://127.0.0.1:${address##*:}/" >/dev/null 2>&1 || :
		! kill -0 "$pid" 2>/dev/null
	}
	wait_until gone
	wait "$pid" || status=$?
	pid=
	[ "$status" -eq 1 ] || fail "$address: vhdd ended with $status, not 1"
	grep -q "$why" "$work/log" || fail "$address: $(cat "$work/log")"
}
refused 'is not a loopback address' "0.0.0.0:$(free_port)"
finish
