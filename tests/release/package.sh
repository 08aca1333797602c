#!/usr/bin/env bash
# The Debian package is made, has no errors, and is installed, used, upgraded and removed on a root of its own.
# shellcheck source-path=SCRIPTDIR/../api
. "$(dirname "$0")/../api/lib.sh"
requires curl dpkg dpkg-deb dpkg-shlibdeps file lintian fakeroot systemd-sysusers
: "${BUILD:?is the build that makes the package}" "${CMAKE:=cmake}"

"$CMAKE" --build "$BUILD" --target package >"$work/out" 2>&1 || die "package: $(tail -n 30 "$work/out")"
package=$(sed -n 's/^CPack: - package: \(.*\) generated\.$/\1/p' "$work/out")
[ -f "$package" ] || die "no package"
lintian --allow-root --fail-on error "$package" >"$work/out" 2>&1 || fail "lintian: $(cat "$work/out")"
grep '^[EW]:' "$work/out" || :

# ---- what is in it
dpkg-deb -c "$package" | awk '{ print $1, $2, $6 }' >"$work/content"
has() { # MODE PATH
	grep -q "^$1 root/root \./$2\$" "$work/content" || fail "the package has no $2 with $1"
}
has -rwxr-xr-x usr/bin/vhdd
has -rw-r--r-- usr/lib/systemd/system/vhdd.service
has -rw-r--r-- usr/lib/systemd/system/vhdd.socket
has -rw-r--r-- usr/lib/sysusers.d/vhdd.conf
has -rw-r--r-- usr/lib/tmpfiles.d/vhdd.conf
has -rw-r--r-- usr/share/man/man8/vhdd.8.gz
has -rw-r--r-- etc/vhdd/vhdd.conf
! grep -E '/usr/local|\.a$|/include/' "$work/content" || fail "the package has what belongs elsewhere"
for library in libmicrohttpd12 libsqlite3-0 libjansson4 libsystemd0; do
	dpkg-deb -f "$package" Depends | grep -q "$library" || fail "the package does not depend on $library"
done

# ---- a root of its own, where nothing runs: dpkg keeps its books there, and scripts act on it
root=$work/root
mkdir -p "$root"/var/lib/dpkg/{info,updates,triggers} "$root/etc"
: >"$root/var/lib/dpkg/status"
printf 'root:x:0:0::/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
wrap=()
[ "$(id -u)" -eq 0 ] || wrap=(fakeroot)
packages() {
	PATH=/usr/sbin:/sbin:$PATH "${wrap[@]}" dpkg --root="$root" --log=/dev/null --force-depends \
		--force-script-chrootless "$@" >"$work/out" 2>&1 || fail "dpkg $*: $(cat "$work/out")"
}
packages --install "$package"
grep -q '^vhdd:' "$root/etc/passwd" || fail "there is no user"
[ "$(stat -c %a "$root/var/lib/vhdd")" = 700 ] || fail "the state folder is not 0700"
[ -L "$root/etc/systemd/system/sockets.target.wants/vhdd.socket" ] || fail "the socket is not enabled"

VHDD=$root/usr/bin/vhdd
start_vhdd --config "$root/etc/vhdd/vhdd.conf"
image disk 1M
expect 200 /v1/images/disk
stop_vhdd
[ "$stopped" -eq 0 ] || fail "vhdd ended with $stopped"

# ---- an upgrade keeps what was edited
echo '# mine' >>"$root/etc/vhdd/vhdd.conf"
packages --install "$package"
grep -q '^# mine' "$root/etc/vhdd/vhdd.conf" || fail "the configuration was replaced"

# ---- and it goes without leaving anything but images
echo image >"$root/var/lib/vhdd/image"
packages --remove vhdd
[ ! -e "$root/usr/bin/vhdd" ] || fail "the program stays"
[ -f "$root/etc/vhdd/vhdd.conf" ] || fail "the configuration goes before the purge"
packages --purge vhdd
[ -f "$root/var/lib/vhdd/image" ] || fail "a purge takes images away"
find "$root" ! -type d ! -path "$root/var/lib/dpkg/*" ! -path '*/etc/passwd*' ! -path '*/etc/group*' \
	! -path '*/etc/*shadow*' ! -path '*/etc/.pwd.lock' ! -path "$root/var/lib/vhdd/image" >"$work/left"
[ ! -s "$work/left" ] || fail "left behind: $(cat "$work/left")"
finish
