#!/usr/bin/env bash
# The journal of uploads: who was cut off learns where to go on.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq
start_vhdd
image disk 64M
data=/v1/images/disk/data
random 20000000 "$work/large"
random 512 "$work/sector"

writes() { # of the journal: the newest is the first
	expect 200 "$data?op=writes"
}

# ---- what was answered
writes
check '.items == []'
expect 200 "$data?offset=4096" -T "$work/sector" -H 'X-Request-Id: mine-1'
writes
check '.items | length == 1'
check '.items[0] | .request_id == "mine-1" and .offset == 4096 and .requested == 512 and .written == 512
	and .next_offset == 4608 and .outcome == "durable" and .ended_at >= .began_at'
expect 200 "$data?flush=n" -T - <"$work/sector"
writes
check '.items[0] | .requested == null and .written == 512 and .outcome == "accepted"'
expect_problem 422 checksum-mismatch "$data" -T "$work/sector" -H 'Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg=='
writes
check '.items[0] | .outcome == "checksum-mismatch" and .written == 0 and .next_offset == 0'
expect_problem 422 checksum-mismatch "$data" -T "$work/large" -H 'Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg=='
writes
check '.items[0] | .outcome == "checksum-mismatch" and .written == 20000000'
# What was refused before its body is not a write.
expect_problem 416 range-not-satisfiable "$data?offset=64M" -T "$work/sector"
expect_problem 412 precondition-failed "$data" -T "$work/sector" -H 'If-Match: "d0"'
writes
check '.items | length == 4'

# ---- what was cut: it is there while it runs, and says how far it got
curl -sS --unix-socket "$socket" --limit-rate 2M -T "$work/large" -H 'X-Request-Id: cut-1' \
	"http://localhost$data?offset=1M" >/dev/null 2>&1 &
upload=$!
going() { writes && jq -e '.items[0] | .request_id == "cut-1" and .written > 0' "$body" >/dev/null; }
wait_until going
check '.items[0] | .outcome == "running" and .ended_at == null and .requested == 20000000'
kill -KILL $upload
wait $upload 2>/dev/null || :
over() { writes && jq -e '.items[0].outcome != "running"' "$body" >/dev/null; }
wait_until over
check '.items[0] | .outcome == "cut" and .written > 0 and .written < 20000000 and .next_offset == 1048576 + .written'
done=$(jq '.items[0].written' "$body")
expect 206 $data -r "1048576-$((1048576 + done - 1))"
slice "$work/large" 0 "$done" | cmp - "$body" || fail "what was written is not what was sent"
# The rest of it.
slice "$work/large" "$done" 20000000 >"$work/rest"
expect 200 "$data?offset=$((1048576 + done))" -T "$work/rest"
expect 206 $data -r 1048576-21048575
same "$work/large" "$body" 'an upload in two parts'
# A body that passes the end was written up to there. Only one that passes it by little reads the answer for sure.
slice "$work/large" 0 4194816 >"$work/longer"
expect_problem 416 range-not-satisfiable "$data?offset=60M" -T - <"$work/longer"
check '.written | .offset == 62914560 and .length > 0 and .length <= 4194304'
done=$(jq .written.length "$body")
expect 206 $data -r "62914560-$((62914560 + done - 1))"
slice "$work/large" 0 "$done" | cmp - "$body" || fail "what was written up to the end is not what was sent"
status=$(request "$data?offset=60M" -T - <"$work/large")
case $status in
416 | *curl:*) ;;
*) fail "a chunked body past the end is answered $status" ;;
esac
writes
check '.items[0] | .outcome == "range-not-satisfiable" and .offset == 62914560 and .written <= 4194304'

# ---- the last 32
for i in $(seq 40); do
	[ "$(request "$data?offset=$((i * 512))&flush=n" -T "$work/sector")" = 200 ] || fail "write $i"
done
writes
check '(.items | length) == 32 and .items[0].offset == 40 * 512 and .items[31].offset == 9 * 512'

# ---- what cannot be asked
expect_problem 400 invalid-value "$data?op=flush"
expect_problem 400 invalid-value "$data?op=writes&sector=0"
expect_problem 400 invalid-value "$data?op=writes" -H 'Range: bytes=0-1'
expect_problem 400 invalid-value "$data?op=writes" -X POST
expect_problem 404 image-not-found '/v1/images/nobody/data?op=writes'
expect_problem 412 precondition-failed "$data?op=writes" -H 'If-Match: "d0"'
expect 200 "$data" -I
content=$(header ETag)
# The journal is not the content: it changes when that does not.
expect 200 "$data?op=writes" -H "If-None-Match: $content"
journal=$(header ETag)
[ "$journal" != "$content" ] || fail "the journal has the ETag of the content, $content"
expect 304 "$data?op=writes" -H "If-None-Match: $journal"
expect_header ETag "$journal"
expect 200 "$data?op=writes" -H "If-Match: $content"
expect_problem 422 checksum-mismatch "$data" -T "$work/sector" -H 'Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg=='
expect 304 "$data" -I -H "If-None-Match: $content"
expect 200 "$data?op=writes" -H "If-None-Match: $journal"
check '.items[0].outcome == "checksum-mismatch"'

# ---- another image of the same id has another journal
twin=aaaaaaaa-0000-4000-8000-000000000001
for keep in 0 1; do
	expect 201 /v1/images -d name=twin -d size=1M -d uuid=$twin
	expect 200 /v1/images/twin/data -T "$work/sector"
	expect 204 "/v1/images/twin?keep_file=$keep" -X DELETE
	rm -f "$state/images/$twin.vhd"
	expect 201 /v1/images -d name=twin -d size=1M -d uuid=$twin
	expect 200 '/v1/images/twin/data?op=writes'
	check '.items == []'
	expect 204 /v1/images/twin -X DELETE
done

# ---- a start forgets
stop_vhdd
start_vhdd
writes
check '.items == []'

finish
