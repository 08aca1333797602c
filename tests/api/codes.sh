#!/usr/bin/env bash
# Codes that only a fault, or a file that somebody made, provokes; codes.py holds that every code has its test.
# shellcheck disable=SC2119 # options are optional
. "$(dirname "$0")/lib.sh"
requires curl jq python3
: "${VHDTOOL:?is the tool that makes images}"
mkdir "$work/srv"
printf '[limits]\ndepth = 3\ndepth_warning = 3\n[pool]\nroots = %s\n' "$work/srv" >"$work/conf"
start_vhdd --config "$work/conf"
random 512 "$work/sector"
image disk 4M
count() {
	expect 200 '/v1/images?count=1'
	jq .total "$body"
}

# ---- a catalog that is held by somebody else: nothing has changed, and the same request works later
stop_vhdd
export VHDD_CATALOG_REFUSES=busy:5
start_vhdd --config "$work/conf"
for way in '/v1/images -d name=new -d size=1M' '/v1/images/disk -X PATCH -d description=x' '/v1/images/disk -X DELETE' \
	'/v1/images -d name=kid -d parent=disk' '/v1/images/disk/actions/freeze -X POST'; do
	# shellcheck disable=SC2086 # words
	expect_problem 503 catalog-busy $way
	expect_header Retry-After 1
	check '.retryable'
done
expect 200 /v1/images/disk
check '.description == "" and .frozen == false and .children_count == 0 and .state == "ready"'
[ "$(count)" = 1 ] || fail "a refused creation has left an image"
[ "$(find "$state" -name '*.vhd' | wc -l)" -eq 1 ] || fail "a refused creation has left a file"

# ---- one that fails: what went wrong is in the log, not in the answer
expect 200 /v1/images/disk -X PATCH -d description=x
stop_vhdd
export VHDD_CATALOG_REFUSES=failed:1
start_vhdd --config "$work/conf"
expect_problem 500 internal /v1/images -d name=new -d size=1M -H 'X-Request-Id: look-here'
check '.report == "look-here" and .retryable == false'
check '.detail == "The request could not be finished; the log of the daemon says more."'
grep -q 'catalog: begin: made to be failed' "$work/log" || fail "the log does not say why"
expect 201 /v1/images -d name=new -d size=1M
expect 204 /v1/images/new -X DELETE

# ---- a chain of as many images as there may be, and one more
child two disk
check '.warnings == []'
child three two
check '.warnings == ["The chain is deep: go on in a copy, a new image with the data of this one."]'
expect_problem 409 chain-too-deep /v1/images -d name=four -d parent=three
check '.detail == "a chain has at most 3 images"'
expect_problem 409 chain-too-deep /v1/images/three/snapshots -d name=four
check '.correction == "Go on in a copy: PUT what GET /v1/images/three/data answers to the data of a new image. The limit is in GET /v1."'
expect 200 /v1/images/three
check '.writable and .children_count == 0'
expect 200 /v1/images/three/data -T "$work/sector"
expect 200 /v1
check '.limits.chain_depth == 3'
"$VHDTOOL" create "$work/srv/1.vhd" $((1 << 20))
for n in 2 3 4; do "$VHDTOOL" child "$work/srv/$n.vhd" "$work/srv/$((n - 1)).vhd"; done
expect_problem 409 chain-too-deep /v1/images -d "{\"source\":{\"path\":\"$work/srv/4.vhd\"}}"
[ "$(count)" = 3 ] || fail "a chain that is too deep has left images"
expect 201 /v1/images -d "{\"source\":{\"path\":\"$work/srv/3.vhd\"}}"

# ---- a limit that is lowered is for new images
stop_vhdd
unset VHDD_CATALOG_REFUSES
sed -i 's/^depth = 3$/depth = 2/' "$work/conf"
start_vhdd --config "$work/conf"
expect 200 /v1/images/three/data
expect 200 /v1/images/three/data -T "$work/sector"
expect_problem 409 chain-too-deep /v1/images -d name=four -d parent=two
expect_problem 409 chain-too-deep /v1/images -d name=four -d parent=three

# ---- a file of a kind that is legal and not known: the checksums are right
unknown() { # OFFSET NEW-VALUE: of both footers, four bytes each
	"$VHDTOOL" create "$work/srv/odd.vhd" $((1 << 20))
	python3 - "$work/srv/odd.vhd" "$1" "$2" <<-'END'
		import struct, sys
		name, offset, value = sys.argv[1], int(sys.argv[2]), int(sys.argv[3], 0)
		with open(name, "r+b") as file:
		    footer = bytearray(file.read(512))
		    footer[offset:offset + 4] = struct.pack(">I", value)
		    footer[64:68] = bytes(4)
		    footer[64:68] = struct.pack(">I", ~sum(footer) & 0xFFFFFFFF)
		    file.seek(0)
		    file.write(footer)
		    file.seek(-512, 2)
		    file.write(footer)
	END
	expect_problem 422 unsupported-vhd /v1/images -d "{\"source\":{\"path\":\"$work/srv/odd.vhd\"}}"
	rm "$work/srv/odd.vhd"
}
unknown 12 0x00020000
check '.detail | test("odd.vhd: .*version 0x00020000")'
unknown 60 5
check '.detail | test("odd.vhd: .*disk type 5")'
finish
