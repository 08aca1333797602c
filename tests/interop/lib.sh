# Sourced by the scripts here: a folder of their own, the tools, and how to compare. VHDTOOL and VHDICAT come from
# the build.
# shellcheck shell=bash
set -euo pipefail

: "${VHDTOOL:?the program vhdtool of the build}"
export LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seed=${VHDD_SEED:-$(date +%s%N)}
echo "VHDD_SEED=$seed"
RANDOM=$((seed % 32768))

export rounds=${VHDD_INTEROP_ROUNDS:-4} # random disks and chains

# Images whose content another program has confirmed.
told() {
	echo "figure: interop.images $1"
}

requires() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null && continue
		echo "skipped: $tool is not installed"
		exit 77
	done
}

requires_vhdicat() {
	if [ -x "${VHDICAT:-}" ]; then return; fi
	echo "skipped: built without libvhdi"
	exit 77
}

fail() {
	echo "FAILED: $*"
	exit 1
}

sum() { sha256sum | cut -d' ' -f1; }
ours() { "$VHDTOOL" cat "$1" | sum; }
qemu_reads() { # file, format
	qemu-img convert -f "${2:-vpc}" -O raw "$1" "$work/qemu.raw"
	sum <"$work/qemu.raw"
}
same() { # what, one, other
	[ "$2" = "$3" ] || fail "$1: $2 is not $3"
}
refused() { # what, command ...
	local what=$1
	shift
	if "$@" >"$work/refused" 2>&1; then fail "$what went through: $*"; fi
}
