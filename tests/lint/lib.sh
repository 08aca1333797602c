# Sourced by the lint scripts: puts them at the top of the tree and tells them what is in it.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The files that match any of the patterns, one a line; `*` crosses folders. In a clone those are the tracked
# ones and the ones about to be; in a bare copy of the tree whatever is not in build/.
files() {
	if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$PWD" ]; then
		git ls-files --cached --others --exclude-standard --deduplicate -- "$@" | existing
	else
		local pattern
		for pattern in "$@"; do
			find . -path ./build -prune -o -path ./.git -prune -o -type f -path "./$pattern" -print
		done | sed 's|^\./||' | sort -u
	fi
}

existing() {
	local file
	while IFS= read -r file; do
		if [ -f "$file" ]; then printf '%s\n' "$file"; fi
	done
}

# A lint without its tool is skipped on a developer's machine, and fails where nobody would read "skipped".
need() {
	command -v "$1" >/dev/null && return
	echo "$1 is missing: ./dev deps lint"
	if [ "${CI:-}" = true ]; then exit 1; fi
	exit 77
}
