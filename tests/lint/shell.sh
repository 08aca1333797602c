#!/usr/bin/env bash
# Fails when shellcheck finds something in a script, whatever its name ends in.
. "$(dirname "$0")/lib.sh"
need shellcheck

scripts() {
	local file first
	files '*.sh' dev '.ci/*' 'tests/*' 'server/*' 'systemd/*' | sort -u | while IFS= read -r file; do
		first=
		LC_ALL=C IFS= read -r -n 64 first <"$file" 2>/dev/null || :
		case $file:$first in
		*.sh:* | *:'#!'*[/\ ]sh | *:'#!'*[/\ ]bash) printf '%s\n' "$file" ;;
		esac
	done
}

scripts | xargs -r shellcheck --external-sources --source-path=SCRIPTDIR
