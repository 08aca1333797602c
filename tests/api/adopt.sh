#!/usr/bin/env bash
# Files that lie on the disk become images: chains of ours and of others, with every way in which they may be refused,
# and what becomes of them when the daemon is killed, when they are deleted, and when somebody changes them.
# shellcheck disable=SC2119,SC2016 # options are optional; $ in jq filters is jq's
. "$(dirname "$0")/lib.sh"
requires curl jq gzip python3
: "${VHDTOOL:?is the tool that makes images}"

here=$(dirname "$0")
srv=$work/srv
mkdir -p "$srv/sub" "$work/outside"
# Roots: one folder under two names, and one that is not there.
ln -s srv "$work/alias"
printf '[pool]\nroots = %s:%s:%s\n' "$work/alias" "$srv" "$work/not-mounted" >"$work/conf"
start() { start_compared --config "$work/conf"; }
start
grep -qF "[pool] roots: $work/not-mounted: No such file or directory: no image in it can be used" "$work/log" ||
	fail 'nobody was told of a root that is not there'

adopt() { # STATUS SOURCE-JSON [MORE-JSON]
	expect "$1" /v1/images -d "{\"source\":$2${3:+,$3}}"
}
refuses() { # STATUS CODE DETAIL-PATTERN SOURCE-JSON [MORE-JSON]
	expect_problem "$1" "$2" /v1/images -d "{\"source\":$4${5:+,$5}}"
	jq -e --arg want "$3" '.detail | test($want)' "$body" >/dev/null || fail "$4: $(jq -r .detail "$body")"
}
count() { # of images in the catalog
	request '/v1/images?limit=1000&count=1' >/dev/null
	jq '.items | length' "$body"
}
sum() { sha256sum | cut -d' ' -f1; }
content() { # IMAGE
	expect 200 "/v1/images/$1/data"
	sum <"$body"
}
unpack() { gzip -dc "$here/../data/$1.vhd.gz" >"$2"; }
poke() { # FILE OFFSET BYTES-FOR-PRINTF
	# shellcheck disable=SC2059 # escapes are meant
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
id_of() { # FILE: from its footer
	tail -c 512 "$1" | dd bs=1 skip=68 count=16 status=none | od -An -v -tx1 | tr -d ' \n' |
		sed 's/\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)/\1-\2-\3-\4-/'
}
expect 200 /v1
check '.features | index("adopt")' "adopt is not among the features"

# ---- a chain of three, whole
"$VHDTOOL" create "$srv/base.vhd" $((8 << 20))
"$VHDTOOL" fill "$srv/base.vhd" 1 30 4096
"$VHDTOOL" child "$srv/sub/mid.vhd" "$srv/base.vhd"
"$VHDTOOL" fill "$srv/sub/mid.vhd" 2 10 4096
"$VHDTOOL" child "$srv/leaf.vhd" "$srv/sub/mid.vhd"
"$VHDTOOL" fill "$srv/leaf.vhd" 3 5 4096
leaf_sum=$("$VHDTOOL" cat "$srv/leaf.vhd" | sum)
before=$(sha256sum "$srv"/*.vhd "$srv"/sub/*.vhd)
began=$(date -u +%FT%T.%3NZ)
adopt 201 "{\"path\":\"$srv/leaf.vhd\"}" '"name":"leaf","description":"was there","labels":{"a":"b"}'
check '.image.name == "leaf" and .image.description == "was there" and .image.labels.a == "b"'
check '.image.kind == "differencing" and .image.writable and .image.depth == 2'
check "[.adopted[].id] == [\"$(id_of "$srv/leaf.vhd")\", \"$(id_of "$srv/sub/mid.vhd")\", \"$(id_of "$srv/base.vhd")\"]"
check '[.adopted[].name][1:] == [.adopted[1:][].id | "img-" + .[:8]]'
check "[.adopted[].file] == [\"$srv/leaf.vhd\", \"$srv/sub/mid.vhd\", \"$srv/base.vhd\"]"
check '[.adopted[].writable] == [true, false, false]'
check '.already_known == [] and .warnings == []'
check '[.adopted[] | .usage.blocks > 0 and .health.checked_at >= "'"$began"'"] | all'
expect_header Location "/v1/images/$(id_of "$srv/leaf.vhd")"
[ "$(sha256sum "$srv"/*.vhd "$srv"/sub/*.vhd)" = "$before" ] || fail "adoption has changed a file"
[ "$(content leaf)" = "$leaf_sum" ] || fail "leaf reads as something else"
mid=$(id_of "$srv/sub/mid.vhd")
expect_problem 409 image-has-children "/v1/images/$mid/data" -T "$work/conf"
expect 200 "/v1/images/leaf/sectors/0"
check ".searched | length == 3"
check ".location.path == \"$srv/base.vhd\""
expect 200 "/v1/images?path=$srv/base.vhd"
check "[.items[].id] == [\"$(id_of "$srv/base.vhd")\"]"
expect 200 "/v1/images?path=$srv/sub/*,$srv/*f.vhd&sort=depth"
check "[.items[].id] == [\"$mid\", \"$(id_of "$srv/leaf.vhd")\"]"

# ---- it is there already, and so is another file with its id
refuses 409 duplicate-uuid 'leaf.vhd is in the catalog already$' "{\"path\":\"$srv/leaf.vhd\"}"
check '.image.name == "leaf" and (.correction | contains("GET /v1/images/leaf."))'
cp "$srv/leaf.vhd" "$srv/copy.vhd"
refuses 409 duplicate-uuid 'copy.vhd has the id of another image of the catalog$' "{\"path\":\"$srv/copy.vhd\"}"
rm "$srv/copy.vhd"

# ---- a second child of the same parents: they are known
"$VHDTOOL" child "$srv/twin.vhd" "$srv/sub/mid.vhd"
adopt 201 "{\"path\":\"twin.vhd\",\"search_path\":[\"$work/nowhere\",\"$srv\"]}" '"name":"twin"'
check '[.adopted[].name] == ["twin"]'
check "[.already_known[].id] == [\"$mid\", \"$(id_of "$srv/base.vhd")\"]"
expect 200 "/v1/images/$mid"
check '.children_count == 2'

# ---- written, snapshotted, killed, read back by others
random 65536 "$work/new"
expect 200 '/v1/images/leaf/data?offset=1048576' -T "$work/new"
expect 201 /v1/images/leaf/snapshots -d name=top
check '.froze == ["leaf"]'
check '[.vhd.locators[] | .path] | length == 2'
check '.vhd.locators[] | select(.code == "W2ru") | .path | test("srv.leaf.vhd$")'
expect 200 '/v1/images/top/data?offset=2097152' -T "$work/new"
top_sum=$(content top)
stop_vhdd KILL
start
[ "$(content top)" = "$top_sum" ] || fail "top reads as something else after a kill"
expect 206 /v1/images/leaf/data -r 1048576-1114111
same "$body" "$work/new" "what was written to leaf before the kill"
expect 200 /v1/images/top
top_file=$state/images/$(jq -r .file "$body")
stop_vhdd
[ "$("$VHDTOOL" cat "$top_file" | sum)" = "$top_sum" ] || fail "the locators of top lead elsewhere"
if [ -x "${VHDICAT:-}" ]; then
	[ "$("$VHDICAT" "$top_file" "$srv/leaf.vhd" "$srv/sub/mid.vhd" "$srv/base.vhd" | sum)" = "$top_sum" ] ||
		fail "libvhdi reads the chain as something else"
fi
start

# ---- deletion: what was adopted is removed, and its parents stay
refused=$(count)
expect_problem 409 image-has-children /v1/images/leaf -X DELETE
expect 204 /v1/images/top -X DELETE
expect 204 /v1/images/leaf -X DELETE
expect 204 /v1/images/twin -X DELETE
[ "$(count)" -eq $((refused - 3)) ] || fail "$(count) images are left"
if [ -e "$srv/leaf.vhd" ] || [ -e "$srv/twin.vhd" ]; then fail "a deleted image has left its file"; fi
[ -e "$srv/sub/mid.vhd" ] || fail "a parent has gone"
expect 204 "/v1/images/$mid?keep_file=1" -X DELETE
[ -e "$srv/sub/mid.vhd" ] || fail "keep_file has not kept the file"
expect 204 "/v1/images/$(id_of "$srv/base.vhd")" -X DELETE
[ ! -e "$srv/base.vhd" ] || fail "base has left its file"

# ---- links: neither deleted nor written when so asked, and the daemon may go away
"$VHDTOOL" create "$srv/linked.vhd" $((4 << 20))
"$VHDTOOL" fill "$srv/linked.vhd" 5 10 4096
kept=$(sha256sum <"$srv/linked.vhd")
adopt 201 "{\"path\":\"$srv/linked.vhd\",\"mode\":\"link\",\"rw\":false}" '"name":"linked"'
check '.image.frozen and .image.writable == false and .image.frozen_reason == "request"'
expect_problem 409 image-frozen /v1/images/linked/data -T "$work/new"
child on-link linked
expect 204 /v1/images/on-link -X DELETE
expect 204 /v1/images/linked -X DELETE
[ "$(sha256sum <"$srv/linked.vhd")" = "$kept" ] || fail "a linked file has changed"
adopt 201 "{\"path\":\"$srv/linked.vhd\",\"mode\":\"link\"}" '"name":"linked"'
check '.image.usage | .file > 0 and .exclusive == 0'
first_etag=$(jq -r .image.data_etag "$body")
expect 200 /v1/images/linked/data -T "$work/new"
expect 204 /v1/images/linked -X DELETE
[ -e "$srv/linked.vhd" ] || fail "a linked file was removed"
adopt 201 "{\"path\":\"$srv/linked.vhd\"}" '"name":"linked"'
check '.image.usage | .file > 0 and .exclusive == .file'
[ "$(jq -r .image.data_etag "$body")" != "$first_etag" ] || fail "another content has the same ETag"
expect 206 /v1/images/linked/data -r 0-65535
same "$body" "$work/new" "what was written through the link"

# ---- what other programs made
for name in fixed dyn ext2; do unpack $name "$srv/$name.vhd"; done
unpack fat-differential "$srv/fat-differential.vhd"
unpack diff "$srv/diff.vhd"
adopt 201 "{\"path\":\"$srv/fixed.vhd\",\"kind\":\"fixed\"}" '"name":"fixed"'
check '.image.kind == "fixed" and .image.virtual_size == 3145728'
expect 204 /v1/images/fixed -X DELETE # dyn.vhd has the same id
adopt 201 "{\"path\":\"$srv/ext2.vhd\"}" '"name":"ext2"'
check '.image.virtual_size == 4212736'
# Its parent is two folders away, where only the search path leads.
mv "$srv/dyn.vhd" "$srv/sub/dyn.vhd"
refuses 409 parent-missing 'not found: tried ' "{\"path\":\"$srv/diff.vhd\"}"
adopt 201 "{\"path\":\"$srv/diff.vhd\",\"search_path\":[\"$srv/sub\"]}" '"name":"diff"'
check '[.adopted[].file] == ["'"$srv"'/diff.vhd", "'"$srv"'/sub/dyn.vhd"]'
check '.warnings | length == 1 and (.[0] | test("^parent-changed: dyn.vhd was modified [0-9]+ s later than diff.vhd says$"))'
expect 206 /v1/images/diff/data -r 2097152-2098175
{ printf '%0512d' 0 | tr 0 A && printf '%0512d' 0 | tr 0 C; } >"$work/want"
same "$body" "$work/want" "the sample chain"
refuses 409 parent-missing 'parent [0-9a-f-]{36}: not found: tried ' "{\"path\":\"$srv/fat-differential.vhd\"}"
refuses 409 parent-missing 'the parent [0-9a-f-]{36} of fat-differential.vhd is not in the catalog$' \
	"{\"path\":\"$srv/fat-differential.vhd\",\"chain\":false,\"strict\":true}"
if command -v qemu-img >/dev/null; then
	random $((3 << 20)) "$work/raw"
	for kind in dynamic fixed; do
		qemu-img convert -f raw -O vpc -o subformat=$kind,force_size=on "$work/raw" "$srv/qemu-$kind.vhd"
		adopt 201 "{\"path\":\"$srv/qemu-$kind.vhd\"}" "\"name\":\"qemu-$kind\""
		[ "$(content "qemu-$kind")" = "$(sum <"$work/raw")" ] || fail "qemu's $kind disk reads as something else"
		expect 200 "/v1/images/qemu-$kind/data?offset=1048576" -T "$work/new"
	done
	cp "$work/raw" "$work/changed"
	dd if="$work/new" of="$work/changed" bs=65536 seek=16 conv=notrunc status=none
	stop_vhdd
	for kind in dynamic fixed; do
		qemu-img convert -f vpc -O raw "$srv/qemu-$kind.vhd" "$work/back"
		same "$work/back" "$work/changed" "qemu reads what was written to its $kind disk"
	done
	start
fi

# ---- a fixed disk whose guest has written what looks like a growing one
"$VHDTOOL" fixed "$srv/two.vhd" $((1 << 20))
"$VHDTOOL" create "$work/inner.vhd" $((512 << 10))
dd if="$work/inner.vhd" of="$srv/two.vhd" conv=notrunc status=none
refuses 422 ambiguous-format "only who made it knows which it is: say it with 'kind'\$" "{\"path\":\"$srv/two.vhd\"}"
check '.correction | test("source.kind")'
refuses 400 invalid-value 'must be one of: fixed, dynamic, differencing' "{\"path\":\"$srv/two.vhd\",\"kind\":\"raw\"}"
adopt 201 "{\"path\":\"$srv/two.vhd\",\"kind\":\"fixed\"}" '"name":"two"'
[ "$(content two)" = "$(head -c 1048576 "$srv/two.vhd" | sum)" ] || fail "two is not the fixed disk"
refuses 400 invalid-value '/source/kind: .*linked2.vhd is a dynamic disk$' \
	"{\"path\":\"$(cp "$work/inner.vhd" "$srv/linked2.vhd" && echo "$srv/linked2.vhd")\",\"kind\":\"fixed\"}"
check '.errors | length == 1 and (.[0] | .pointer == "/source/kind" and .value == "fixed" and (.detail | endswith("linked2.vhd is a dynamic disk")))'

refuses 400 invalid-value '/source/kind: .*linked2.vhd is a dynamic disk$' \
	"{\"path\":\"$srv/linked2.vhd\",\"kind\":\"differencing\"}"
"$VHDTOOL" create "$srv/linked4.vhd" $((512 << 10))
"$VHDTOOL" child "$srv/linked3.vhd" "$srv/linked4.vhd"
refuses 400 invalid-value '/source/kind: .*linked3.vhd is a differencing disk$' \
	"{\"path\":\"$srv/linked3.vhd\",\"kind\":\"dynamic\"}"
adopt 201 "{\"path\":\"$srv/linked3.vhd\",\"kind\":\"differencing\"}" '"name":"linked3"'
check '[.adopted[].kind] == ["differencing", "dynamic"]'

# ---- the file itself is refused
n=$(count)
refuses 404 source-not-found 'no.vhd: not found$' "{\"path\":\"$srv/no.vhd\"}"
refuses 404 source-not-found 'no.vhd: not found in the search path' "{\"path\":\"no.vhd\"}"
cp "$work/new" "$srv/noise.vhd"
refuses 422 not-a-vhd 'noise.vhd: no VHD footer' "{\"path\":\"$srv/noise.vhd\"}"
damage() { # NAME OFFSET BYTES
	"$VHDTOOL" create "$work/damaged-$1.vhd" $((8 << 20))
	"$VHDTOOL" fill "$work/damaged-$1.vhd" 9 30 4096
	mv "$work/damaged-$1.vhd" "$srv/damaged-$1.vhd"
	[ $# -eq 1 ] || poke "$srv/damaged-$1.vhd" "$2" "$3"
}
damage head 24 '\1'
refuses 422 corrupt-image 'damaged-head.vhd: it has no valid footer at its start$' "{\"path\":\"$srv/damaged-head.vhd\"}"
damage tail
truncate -s -512 "$srv/damaged-tail.vhd"
refuses 422 corrupt-image 'damaged-tail.vhd: it has no valid footer at its end$' "{\"path\":\"$srv/damaged-tail.vhd\"}"
damage short
truncate -s -1 "$srv/damaged-short.vhd"
refuses 422 corrupt-image 'damaged-short.vhd: its footer' "{\"path\":\"$srv/damaged-short.vhd\"}"
# The copy of another moment: time stamp and checksum.
damage differ
python3 - "$srv/damaged-differ.vhd" <<-'END'
	import struct, sys
	with open(sys.argv[1], "r+b") as file:
	    footer = bytearray(file.read(512))
	    footer[24:28] = struct.pack(">I", 7)
	    footer[64:68] = bytes(4)
	    footer[64:68] = struct.pack(">I", ~sum(footer) & 0xFFFFFFFF)
	    file.seek(0)
	    file.write(footer)
END
refuses 422 corrupt-image 'damaged-differ.vhd: its two footers differ$' "{\"path\":\"$srv/damaged-differ.vhd\"}"
damage table
table=$(od -An -j 528 -N 8 -t u8 --endian=big "$srv/damaged-table.vhd" | tr -d ' ')
dd if="$srv/damaged-table.vhd" of="$work/entry" bs=1 skip="$table" count=4 status=none
dd if="$work/entry" of="$srv/damaged-table.vhd" bs=1 seek=$((table + 4)) conv=notrunc status=none
refuses 422 corrupt-image 'damaged-table.vhd: block table: entry 0 at .* is sector .*, entry 1 at .*: the blocks lie on each other$' \
	"{\"path\":\"$srv/damaged-table.vhd\"}"
poke "$srv/damaged-table.vhd" $((table + 4)) '\177\177\177\177'
refuses 422 corrupt-image 'damaged-table.vhd: ' "{\"path\":\"$srv/damaged-table.vhd\"}"
refuses 409 name-exists "an image 'linked' exists" "{\"path\":\"$srv/linked2.vhd\"}" '"name":"linked"'
refuses 501 not-supported 'copy' "{\"path\":\"$srv/linked2.vhd\",\"mode\":\"copy\"}"
mkfifo "$work/never"
exec 9<>"$work/never" # it holds the image until its input ends
"$VHDTOOL" hold "$srv/linked2.vhd" >"$work/held" <&9 &
holder=$!
wait_until grep -q held "$work/held"
refuses 409 image-busy 'linked2.vhd: another program has this image open' "{\"path\":\"$srv/linked2.vhd\"}"
exec 9>&-
kill "$holder"
wait "$holder" 2>/dev/null || :

# ---- files outside: the canary is never opened
canary='the canary is not for clients'
"$VHDTOOL" create "$work/outside/canary.vhd" $((1 << 20))
cp "$work/outside/canary.vhd" "$work/outside/plain.vhd"
echo "$canary" >"$work/outside/canary"
ln -s "$work/outside/canary.vhd" "$srv/link-out.vhd"
ln -s ../outside "$srv/folder-out"
mkfifo "$srv/fifo.vhd"
for path in "$work/outside/canary.vhd" "$srv/../outside/canary.vhd" "$srv/link-out.vhd" \
	"$srv/folder-out/canary.vhd" /etc/shadow /proc/self/fd/0 /dev/zero "$srv/sub/../../outside/canary.vhd"; do
	refuses 403 path-outside-pool 'outside the allowed folders$' "{\"path\":\"$path\"}"
done
refuses 403 path-outside-pool 'not a regular file$' "{\"path\":\"$srv/fifo.vhd\"}"
refuses 403 path-outside-pool 'not a regular file$' "{\"path\":\"$srv/sub\"}"
check '.correction | startswith("Name a regular file below such a root")'
refuses 403 path-outside-pool 'outside the allowed folders$' \
	"{\"path\":\"canary.vhd\",\"search_path\":[\"$work/outside\"]}"
refuses 400 invalid-value '/source/path' "{\"path\":\"$srv/$(printf '%02000d' 0)\"}"
[ "$(count)" -eq "$n" ] || fail "a refusal has left an image"

# A link that stays inside is followed, and the file is kept under its own name.
ln -s sub/inside.vhd "$srv/link-in.vhd"
"$VHDTOOL" create "$srv/sub/inside.vhd" $((1 << 20))
adopt 201 "{\"path\":\"$work/alias/link-in.vhd\"}" '"name":"inside"'
check ".image.file == \"$srv/sub/inside.vhd\""

# ---- children that name the canary as their parent
locate() { # FILE URL: a child whose only locator is MacX URL, of a parent that nobody has
	python3 - "$1" "$2" <<-'END'
		import struct, sys
		with open(sys.argv[1], "r+b") as file:
		    url = sys.argv[2].encode()
		    head = bytearray(file.read(1536))
		    header = head[512:]
		    at = struct.unpack(">Q", header[576 + 16:576 + 24])[0]
		    header[64:576] = bytes(512)
		    header[576:768] = bytes(192)
		    header[576:600] = struct.pack(">4sIIIQ", b"MacX", 512, len(url), 0, at)
		    header[36:40] = bytes(4)
		    header[36:40] = struct.pack(">I", ~sum(header) & 0xFFFFFFFF)
		    file.seek(512)
		    file.write(header)
		    file.seek(at)
		    file.write(url.ljust(512, b"\0"))
	END
}
"$VHDTOOL" create "$work/outside/parent.vhd" $((1 << 20))
"$VHDTOOL" child "$srv/hostile.vhd" "$work/outside/parent.vhd"
ln -s "$work/outside/parent.vhd" "$srv/parent-link.vhd"
for url in "file://$work/outside/parent.vhd" file://../outside/parent.vhd file:///etc/shadow \
	file://./parent-link.vhd file://./folder-out/parent.vhd "file:///proc/self/root$work/outside/parent.vhd" \
	file:///dev/stdin 'file://%2e%2e/outside/parent.vhd' file://./fifo.vhd; do
	locate "$srv/hostile.vhd" "$url"
	refuses 409 parent-missing 'outside the allowed folders|not found' "{\"path\":\"$srv/hostile.vhd\"}"
	! grep -q "$canary\|root:" "$body" || fail "$url was read"
done
# Another image in the place of the parent, both ids told.
cp "$work/outside/plain.vhd" "$srv/other.vhd"
locate "$srv/hostile.vhd" file://./other.vhd
refuses 409 parent-uuid-mismatch "has id $(id_of "$srv/other.vhd")" "{\"path\":\"$srv/hostile.vhd\"}"
# Itself.
"$VHDTOOL" child "$srv/itself.vhd" "$work/outside/parent.vhd"
python3 - "$srv/itself.vhd" <<-'END'
	import struct, sys
	with open(sys.argv[1], "r+b") as file:
	    head = bytearray(file.read(1536))
	    header = head[512:]
	    header[40:56] = head[68:84]
	    header[36:40] = bytes(4)
	    header[36:40] = struct.pack(">I", ~sum(header) & 0xFFFFFFFF)
	    file.seek(512)
	    file.write(header)
END
refuses 409 chain-cycle 'is among its own descendants$' "{\"path\":\"$srv/itself.vhd\"}"
[ "$(count)" -eq $((n + 1)) ] || fail "a refusal has left an image"

# ---- a killed adoption leaves all of the chain, or nothing
"$VHDTOOL" create "$srv/k-base.vhd" $((1 << 20))
"$VHDTOOL" child "$srv/k-mid.vhd" "$srv/k-base.vhd"
"$VHDTOOL" child "$srv/k-leaf.vhd" "$srv/k-mid.vhd"
kill_at() { # POINT
	stop_vhdd
	export VHDD_CRASH_AT=$1
	start
	expect 000curl:52 /v1/images -d "{\"name\":\"k\",\"source\":{\"path\":\"$srv/k-leaf.vhd\"}}" 2>/dev/null
	unset VHDD_CRASH_AT
	stopped=0
	wait "$pid" || stopped=$?
	pid=
	[ "$stopped" -eq 86 ] || fail "$1 was not reached: $stopped"
	start
}
n=$(count)
for point in catalog.adopt.row catalog.adopt.row:3 catalog.adopt.commit; do
	kill_at "$point"
	[ "$(count)" -eq "$n" ] || fail "a part of the chain is there after $point"
done
kill_at catalog.adopt.committed
[ "$(count)" -eq $((n + 3)) ] || fail "a part of the chain is missing"
expect 200 /v1/images/k/data

# ---- somebody swaps the file for a link to the canary while it is adopted
"$VHDTOOL" create "$srv/swap-a.vhd" $((1 << 20))
ln -s "$work/outside/canary.vhd" "$srv/swap-b.vhd"
python3 - "$srv" "$work/swapping" <<-'END' &
	import ctypes, os, sys
	folder, flag = sys.argv[1:]
	libc = ctypes.CDLL(None, use_errno=True)
	open(flag, "w").close()
	while os.path.exists(flag):  # RENAME_EXCHANGE
	    libc.renameat2(-100, os.path.join(folder, "swap-a.vhd").encode(), -100,
	                   os.path.join(folder, "swap-b.vhd").encode(), 2)
END
swapper=$!
wait_until test -e "$work/swapping"
outside=$(id_of "$work/outside/canary.vhd")
for _ in $(seq 60); do
	got=$(request /v1/images -d "{\"name\":\"swapped\",\"source\":{\"path\":\"$srv/swap-a.vhd\"}}")
	case $got in
		201)
			check ".image.id != \"$outside\" and (.image.file | startswith(\"$srv/swap-\"))"
			expect 204 '/v1/images/swapped?keep_file=1' -X DELETE
			;;
		403 | 404 | 409) ;;
		*) fail "a file that is swapped was answered $got: $(head -c 300 "$body")" ;;
	esac
done
rm "$work/swapping"
wait "$swapper"

# ---- times of files that no clock will show
"$VHDTOOL" create "$srv/late.vhd" $((1 << 20))
"$VHDTOOL" child "$srv/of-late.vhd" "$srv/late.vhd"
touch -d 2400-01-01 "$srv/late.vhd"
adopt 201 "{\"path\":\"$srv/of-late.vhd\"}" '"name":"of-late"'
check '[.warnings[] | sub(":.*"; "")] == ["parent-changed"]'
late=$(jq -r '.adopted[1].name' "$body")
stop_vhdd
touch -d 2300-01-01 "$srv/late.vhd"
start
expect 200 /v1/images/of-late/data
expect 204 /v1/images/of-late -X DELETE
expect 204 "/v1/images/$late" -X DELETE

# ---- strict: warnings are errors
"$VHDTOOL" create "$srv/old.vhd" $((1 << 20))
"$VHDTOOL" child "$srv/young.vhd" "$srv/old.vhd"
touch -d 2020-01-01 "$srv/old.vhd"
refuses 409 parent-changed 'old.vhd was modified [0-9]+ s earlier than young.vhd says$' \
	"{\"path\":\"$srv/young.vhd\",\"strict\":true}"
ln "$srv/old.vhd" "$srv/old-too.vhd"
adopt 201 "{\"path\":\"$srv/young.vhd\"}" '"name":"young"'
check '[.warnings[] | sub(":.*"; "")] == ["hard-link", "parent-changed"]'

# ---- a file that changes or goes is told of, and nothing of somebody else's is removed
"$VHDTOOL" create "$srv/mine.vhd" $((1 << 20))
adopt 201 "{\"path\":\"$srv/mine.vhd\"}" '"name":"mine"'
stop_vhdd
mv "$srv/mine.vhd" "$work/mine.vhd"
cp "$work/outside/plain.vhd" "$srv/mine.vhd"
start
expect 200 /v1/images/mine
check '.state == "corrupt"'
expect_problem 409 chain-unhealthy /v1/images/mine/data
expect_problem 409 chain-unhealthy /v1/images/mine -X DELETE
same "$srv/mine.vhd" "$work/outside/plain.vhd" "somebody else's file"
refuses 409 chain-unhealthy 'was adopted as another image' "{\"path\":\"$srv/mine.vhd\"}"
rm "$srv/mine.vhd"
expect_problem 409 chain-unhealthy /v1/images/mine/data
expect 200 /v1/images/mine
check '.state == "missing"'
cp "$work/mine.vhd" "$srv/mine.vhd"
expect 200 /v1/images/mine/data
expect 200 /v1/images/mine
check '.state == "ready"'
rm "$srv/mine.vhd"
expect 204 /v1/images/mine -X DELETE

# ---- a root that leaves the configuration
stop_vhdd
printf '[pool]\nroots = %s\n' "$work/not-mounted" >"$work/conf"
start
expect_problem 503 pool-offline /v1/images/ext2/data
check '.detail | endswith(" lies below a folder that is no root of the configuration now")'
check '.cause == "Its folder cannot be reached, its file system is read-only, or the configuration does not name it."'
expect_problem 503 pool-offline /v1/images/ext2 -X DELETE
check '.image.name == "ext2" and (.detail | endswith(": keep_file=1 forgets the image alone"))'
expect 200 /v1/images/ext2
check '.state == "missing"'
stop_vhdd
printf '[pool]\nroots = %s\n' "$srv" >"$work/conf"
start
expect 200 /v1/images/ext2/data

# ---- a root that is a link, and is pointed elsewhere
mkdir "$work/disk-1"
ln -s disk-1 "$work/disk"
"$VHDTOOL" create "$work/disk-1/moved.vhd" 1048576
stop_vhdd
printf '[pool]\nroots = %s:%s\n' "$srv" "$work/disk" >"$work/conf"
start
adopt 201 "{\"path\":\"$work/disk/moved.vhd\"}" '"name":"moved"'
stop_vhdd
mv "$work/disk-1" "$work/disk-2"
ln -sfn disk-2 "$work/disk"
start
expect 200 /v1/images/moved/data
expect 200 /v1/images/moved
check ".file == \"$work/disk-2/moved.vhd\" and .state == \"ready\""
expect 204 /v1/images/moved -X DELETE
[ ! -e "$work/disk-2/moved.vhd" ] || fail "the file of an image that has moved stays"

# ---- a folder that is gone
mkdir "$srv/gone"
"$VHDTOOL" create "$srv/gone/lost.vhd" 1048576
adopt 201 "{\"path\":\"$srv/gone/lost.vhd\"}" '"name":"lost"'
rm -r "$srv/gone"
expect_problem 503 pool-offline /v1/images/lost -X DELETE
check '.detail | startswith("The folder of '"$srv"'/gone/lost.vhd cannot be reached, so its file cannot be removed (")'
check '.correction | contains("DELETE with keep_file=1 forgets an image whose folder is gone for good")'
expect 204 '/v1/images/lost?keep_file=1' -X DELETE
expect_problem 404 image-not-found /v1/images/lost

# ---- a deletion that waits for such a folder has the id, and says so
mkdir "$srv/gone"
"$VHDTOOL" create "$srv/gone/lost.vhd" 1048576
cp "$srv/gone/lost.vhd" "$srv/copy.vhd"
adopt 201 "{\"path\":\"$srv/gone/lost.vhd\"}" '"name":"lost"'
stop_vhdd
VHDD_CRASH_AT=catalog.deleting.committed start
expect 000curl:52 /v1/images/lost -X DELETE 2>/dev/null
wait "$pid" || :
mv "$srv/gone" "$work/gone"
start
lost=$(id_of "$srv/copy.vhd")
waits="^The image that has this id is being deleted, which waits for the folder of $srv/gone/lost.vhd [(]cannot open the \
folder of gone/lost.vhd: No such file or directory[)]: bring it back, or make an empty one there$"
refuses 409 duplicate-uuid "$waits" "{\"path\":\"$srv/copy.vhd\"}"
check '.correction == "Adopt it when that image is gone, as '"'detail'"' says." and (has("image") | not)'
expect_problem 409 duplicate-uuid /v1/images -d size=1M -d "uuid=$lost"
check ".detail | test(\"$waits\")"
check ".correction == \"Leave 'uuid' out to get a random one.\""
mkdir "$srv/gone"
is_adopted() { [ "$(request /v1/images -d "{\"source\":{\"path\":\"$srv/copy.vhd\"}}")" = 201 ]; }
wait_until is_adopted
expect 204 "/v1/images/$lost" -X DELETE

request '/v1/images?limit=1000' >/dev/null
jq -S '[.items[] | {id, name, file, parent}]' "$body" >"$work/told"
stop_vhdd
cp -p "$state/catalog.db" "$work/catalog.db"
rebuilt_as_before() { # WHAT
	"$VHDD" --state-dir "$state" --config "$work/conf" --rebuild-catalog >"$work/rebuilt" ||
		fail "$(cat "$work/rebuilt")"
	rm -f "$state"/catalog.db.*.bak
	start
	request '/v1/images?limit=1000' >/dev/null
	jq -S '[.items[] | {id, name, file, parent}]' "$body" >"$work/told-again"
	same "$work/told" "$work/told-again" "$1"
	wait_until compgen -G "$state/catalog.db.*.bak" >/dev/null
	stop_vhdd
}
rebuilt_as_before "the rebuilt catalog"
rm "$state/catalog.db"
rebuilt_as_before "from the backup"
rm "$state/catalog.db"
mkdir "$work/away"
mv "$state"/catalog.db.*.bak "$work/away"
start # makes an empty one
stop_vhdd
mv "$work/away"/* "$state"
rebuilt_as_before "from the backup of an empty one"

finish
