# Sourced by the scripts of this folder: a daemon of one's own on a temporary folder and a Unix socket, and words to
# ask it. VHDD is the program under test.
# shellcheck shell=bash disable=SC2119,SC2120,SC2317
set -euo pipefail

: "${VHDD:?is the path of the vhdd to test}"
work=$(mktemp -d "${TMPDIR:-/tmp}/vhdd-test.XXXXXX")
state=$work/state
socket=$work/vhdd.sock
body=$work/body       # of the last answer
headers=$work/headers # likewise; header() reads them
pid=

requires() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || {
			echo "skipped: $tool is not installed"
			exit 77
		}
	done
}

at_end() { :; } # a script may have more to clean up

cleanup() {
	local status=$?
	if [ -n "$pid" ]; then
		kill -KILL "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	fi
	if [ "$status" -ne 0 ] && [ -f "$work/log" ]; then
		echo "--- log of vhdd"
		tail -n 50 "$work/log"
	fi
	at_end
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT

# start_vhdd [OPTION...]: starts it on the state folder and returns when it is ready.
start_vhdd() {
	"$VHDD" --state-dir "$state" --listen "unix:$socket" "$@" >>"$work/log" 2>&1 &
	pid=$!
	wait_until is_ready
}

is_ready() {
	kill -0 "$pid" 2>/dev/null || die "vhdd does not run"
	[ -S "$socket" ] || return 1
	curl -s --fail --unix-socket "$socket" http://localhost/readyz >"$body" 2>&1
}

# start_compared [OPTION...]: likewise, and has compared all files with the catalog, for which readiness waits two seconds.
start_compared() {
	local known
	known=$(grep -cs '"compared ' "$work/log") || :
	start_vhdd "$@"
	has_compared() { [ "$(grep -c '"compared ' "$work/log")" -gt "${known:-0}" ]; }
	wait_until has_compared
}

# Sets `port` to what the daemon has picked for --listen 127.0.0.1:0; it is told in the log.
find_port() {
	port=
	until [ -n "$port" ]; do
		kill -0 "$pid" 2>/dev/null || die "vhdd does not run"
		port=$(sed -n 's|.*http://127\.0\.0\.1:\([0-9][0-9]*\)".*|\1|p' "$work/log" | tail -n 1)
	done
}

# stop_vhdd [SIGNAL]: sets `stopped` to the exit status.
stop_vhdd() {
	kill "-${1:-TERM}" "$pid"
	stopped=0
	{ wait "$pid"; } 2>/dev/null || stopped=$? # bash would tell of a kill that was meant
	pid=
}

# wait_until COMMAND...: returns when it succeeds; a minute later it is taken for a failure.
wait_until() {
	local end=$((SECONDS + 60))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || die "never so: $*"
		sleep 0.02
	done
}

die() {
	echo "FAILED: $*"
	exit 1
}

# The same, but the script goes on and fails at its end; also where this is a part of a pipe.
fail() {
	echo "FAILED: $*" | tee -a "$work/failures" >&2
}

finish() {
	if [ -n "$pid" ]; then
		stop_vhdd
		[ "$stopped" -eq 0 ] || die "vhdd ended with status $stopped"
	fi
	[ ! -e "$work/failures" ] || die "$(grep -c ^FAILED "$work/failures") checks"
}

# request PATH [CURL-OPTION...]: prints the status; body and headers lie in their files.
request() {
	local path=$1
	shift
	: >"$body"
	curl -sS --max-time 60 --unix-socket "$socket" -o "$body" -D "$headers" -w '%{http_code}' \
		"$@" "http://localhost$path" || echo "curl:$?"
}

# expect STATUS PATH [CURL-OPTION...]
expect() {
	local want=$1 got
	shift
	got=$(request "$@")
	[ "$got" = "$want" ] && return
	fail "$* answered $got, not $want"
	head -c 1000 "$body"
	echo
}

# expect_problem STATUS CODE PATH [CURL-OPTION...]
expect_problem() {
	local status=$1 code=$2
	shift 2
	expect "$status" "$@"
	[[ $(<"$body") =~ \"code\":\ ?\"$code\" ]] || fail "$1 is not '$code': $(head -c 300 "$body")"
	[ "$(header X-Error-Code)" = "$code" ] || fail "$1: X-Error-Code is '$(header X-Error-Code)'"
}

# check FILTER [WHAT]: the jq filter is true for the last body.
check() {
	jq -e "$1" "$body" >/dev/null 2>&1 && return
	fail "${2:-not so}: $1"
	head -c 1000 "$body"
	echo
}

# header NAME: its value in the last answer.
header() {
	local line value=
	while IFS= read -r line; do
		if [[ ${line,,} == "${1,,}: "* ]]; then value=${line#*: }; fi
	done <"$headers"
	if [ -n "$value" ]; then printf '%s\n' "${value%$'\r'}"; fi
}

expect_header() {
	[ "$(header "$1")" = "$2" ] || fail "$1 is '$(header "$1")', not '$2'"
}

# same FILE FILE [WHAT]
same() {
	cmp "$1" "$2" || fail "${3:-$1 and $2 differ}"
}

slice() { # FILE OFFSET LENGTH
	dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none
}

random() { # BYTES FILE
	head -c "$1" /dev/urandom >"$2"
}

image() { # NAME SIZE
	expect 201 /v1/images -d "{\"name\":\"$1\",\"size\":\"$2\"}"
}

child() { # NAME PARENT
	expect 201 /v1/images -d "{\"name\":\"$1\",\"parent\":\"$2\"}"
}

# until_full IMAGE MIB LEAST: writes $work/piece every so many MiB until there is no room for one, but for so many first;
# sets `pieces`, and the last answer is the refusal.
until_full() {
	local status
	pieces=0
	while status=$(request "/v1/images/$1/data?offset=$((pieces * $2))M" -T "$work/piece") && [ "$status" = 200 ]; do
		pieces=$((pieces + 1))
	done
	[ "$status" = 507 ] || fail "without room $1 is answered $status"
	check '.code == "no-space"'
	[ "$pieces" -gt "$3" ] || fail "only $pieces pieces found room"
}
