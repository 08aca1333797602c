#!/usr/bin/env bash
# The units are understood by systemd, and lock the daemon in as far as promised.
# shellcheck source-path=SCRIPTDIR/../api
. "$(dirname "$0")/../api/lib.sh"
requires systemd-analyze systemd-sysusers systemd-tmpfiles
source=$(realpath "$(dirname "$0")/../../systemd")

# The same units, with a program and a user that this machine has.
cp "$source/vhdd.service" "$source/vhdd.socket" "$work"
sed -i "s|^ExecStart=[^ ]*|ExecStart=$VHDD|" "$work/vhdd.service"
systemd-analyze verify --man=no "$work/vhdd.service" "$work/vhdd.socket" >"$work/out" 2>&1 ||
	fail "verify: $(cat "$work/out")"
# What it only warns of ends up here too: a key that it does not know, for one.
! grep -E "vhdd\.(service|socket)" "$work/out" || fail "verify warns"

rating() {
	systemd-analyze security --offline=true --threshold="$1" "$work/vhdd.service" >"$work/out" 2>&1
}
rating 12 || fail "security: $(tail -n 1 "$work/out")"
tail -n 1 "$work/out"
sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/figure: unit.exposure =\1/p' "$work/out"
! rating 1 || fail "the threshold means nothing"
! grep -q '^PrivateUsers=' "$work/vhdd.service" || fail "PrivateUsers hides who is behind the Unix socket"

# ---- users and folders, in a root of their own
mkdir -p "$work/root/etc"
printf 'root:x:0:0::/:/bin/sh\n' >"$work/root/etc/passwd"
printf 'root:x:0:\n' >"$work/root/etc/group"
systemd-sysusers --root="$work/root" "$source/vhdd.sysusers" >"$work/out" 2>&1 ||
	fail "sysusers: $(cat "$work/out")"
grep -q '^vhdd:x:[0-9]*:[0-9]*:VHD disk images:/var/lib/vhdd:.*nologin$' "$work/root/etc/passwd" ||
	fail "user: $(cat "$work/root/etc/passwd")"
if [ "$(id -u)" -eq 0 ]; then
	systemd-tmpfiles --create --root="$work/root" "$source/vhdd.tmpfiles" >"$work/out" 2>&1 ||
		fail "tmpfiles: $(cat "$work/out")"
	[ "$(stat -c %a "$work/root/var/lib/vhdd")" = 700 ] || fail "the state folder is not 0700"
fi

# ---- the configuration that is installed: every key, and nothing but defaults
conf=$source/vhdd.conf
"$VHDD" --print-config >"$work/default"
"$VHDD" --print-config --config "$conf" >"$work/shipped" || fail "vhdd.conf"
same "$work/default" "$work/shipped" "vhdd.conf changes a default"
sed 's/^;//' "$conf" >"$work/all"
"$VHDD" --print-config --config "$work/all" >"$work/got" || fail "the examples of vhdd.conf"
# Lists are empty by default; what the file has of them are examples.
grep -Ev '^(roots|hosts|origins) = ' "$work/got" | sed '/^\[pool fast\]/,$d;/^$/d' |
	diff - <(sed -E '/^; (roots|hosts|origins) =/d;/^$/d' "$work/default") ||
	fail "what vhdd.conf calls a default is none"
while read -r key _; do
	grep -q "^;$key = " "$conf" || fail "vhdd.conf lacks $key"
done < <(sed -n 's/^\(; \)\{0,1\}\([a-z_]*\) =.*/\2/p' "$work/default")

# ---- the scripts of the package, where systemd seems to run: what was removed starts when it is installed again
mkdir "$work/bin"
for tool in systemctl deb-systemd-invoke systemd-sysusers systemd-tmpfiles; do
	printf '#!/bin/sh\necho "%s $*" >>"%s"\n' "$tool" "$work/called" >"$work/bin/$tool"
	chmod +x "$work/bin/$tool"
done
printf 'vhdd:x:0:0::/var/lib/vhdd:/bin/sh\n' >"$work/passwd"
scripts() { # SCRIPT-WITH-ARGUMENTS...: in folders of their own; `called` is what they do to the units
	: >"$work/called"
	# shellcheck disable=SC2016 # the inner shell's
	DPKG_MAINTSCRIPT_PACKAGE=vhdd unshare -rm sh -ec '
		for folder in /run /var/lib /etc/systemd; do mount -t tmpfs vhdd-test $folder; done
		mkdir -p /run/systemd/system
		mount --bind "$1/passwd" /etc/passwd
		PATH=$1/bin:$PATH package=$2
		shift 2
		for script in "$@"; do sh -e $package/$script; done' - "$work" "$source/package" "$@" >"$work/out" 2>&1 ||
		fail "$*: $(cat "$work/out")"
	grep -E ' (start|stop|try-restart) ' "$work/called" >"$work/units"
}
does() { # WORDS: the last thing that was done to the units
	[ "$(tail -n 1 "$work/units")" = "$1" ] || fail "$(cat "$work/units"), and not at last $1"
}
if unshare -rm true 2>/dev/null && command -v deb-systemd-helper >/dev/null; then
	scripts 'postinst configure'
	does 'deb-systemd-invoke start vhdd.socket vhdd.service'
	scripts 'postinst configure' 'prerm upgrade 2' 'postrm upgrade 2' 'postinst configure 1'
	does 'systemctl try-restart vhdd.service'
	scripts 'postinst configure' 'prerm remove' 'postrm remove'
	does 'deb-systemd-invoke stop vhdd.service vhdd.socket'
	scripts 'postinst configure' 'prerm remove' 'postrm remove' 'postinst configure 1'
	does 'deb-systemd-invoke start vhdd.socket vhdd.service'
	scripts 'postinst configure' 'prerm remove' 'postrm remove' 'postinst configure 1' 'postinst configure 2'
	does 'systemctl try-restart vhdd.service'
else
	missing="needs namespaces, and deb-systemd-helper"
fi
finish
if [ -n "${missing:-}" ]; then
	echo "skipped: $missing"
	exit 77
fi
