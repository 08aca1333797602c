#!/usr/bin/env bash
# Requests that no client sends by accident: the rows are in raw.py.
. "$(dirname "$0")/lib.sh"
requires curl python3
start_vhdd --listen 127.0.0.1:0
find_port
python3 "$(dirname "$0")/raw.py" "unix:$socket" || fail "over the Unix socket"
python3 "$(dirname "$0")/raw.py" "127.0.0.1:$port" || fail "over TCP"
finish
