#!/usr/bin/env bash
# Fails when the man page lacks an option or a key of the configuration, or has one too many.
. "$(dirname "$0")/lib.sh"
need scdoc

page=server/vhdd.8.scd
scdoc <"$page" >/dev/null

options() { sed -n '/long_options\[\]/,/^};/s/^[[:space:]]*{"\([a-z-]*\)".*/--\1/p' server/options.c; }
# The rows of the table, which may be broken over lines, as `[section] key`.
keys_of() {
	sed -n '/struct key keys\[\]/,/^};/p' server/config.c | tr -d '\n' |
		grep -oE '(KEY\(|\{)"[a-z]+",[[:space:]]*"[a-z_]+"' |
		sed 's/.*"\([a-z]*\)",[[:space:]]*"\([a-z_]*\)"/[\1] \2/'
	printf '%s\n' '[http] hosts' '[http] origins' '[pool] roots' '[pool NAME] path'
}

# The same two lists out of the page.
page_options() { sed -n '/^# OPTIONS/,/^# CONF/s/^\*\(--[a-z-]*\)\*.*/\1/p' "$page"; }
page_keys() {
	sed -n '/^# CONFIGURATION/,/^# LOG/p' "$page" |
		sed -n '/^## /{s/^## //;h};/^\*[a-z_]*\*/{s/^\*\([a-z_]*\)\*.*/\1/;G;s/\(.*\)\n\(.*\)/\2 \1/;p}'
}

same() { # what, in the sources, in the page
	diff <(sort <<<"$2") <(sort <<<"$3") >/dev/null && return
	echo "$1: < has no place in $page, > is nowhere but there"
	diff <(sort <<<"$2") <(sort <<<"$3") | grep '^[<>]'
	return 1
}
failed=0
same options "$(options)" "$(page_options)" || failed=1
same keys "$(keys_of)" "$(page_keys)" || failed=1
statuses() { sed -n '/Exit status:/,/";$/p' server/options.c | grep -oE '\<[0-9]+\>'; }
page_statuses() { sed -n '/^# EXIT STATUS/,/^# ENV/s/^\*\([0-9]*\)\*$/\1/p' "$page"; }
same "exit statuses" "$(statuses)" "$(page_statuses)" || failed=1
# The numbers that a key of [limits] may have: of the table, and of the page.
bounds() {
	sed -n '/struct key keys\[\]/,/^};/p' server/config.c | tr '\n' ' ' | sed 's/KEY(/\n&/g;s/$/\n/' |
		sed -n 's/^KEY("limits",[[:space:]]*"\([a-z_]*\)",[^,]*,[^,]*,[[:space:]]*\([^,]*\),[[:space:]]*\([^,]*\),.*/\1 \2 \3/p'
}
while read -r key least most; do
	case $most in
	API_*) most=$(sed -n "s/^[[:space:]]*$most = \(.*\),$/\1/p" api/include/api.h) ;;
	esac
	most=${most//ULL/}
	told=$(sed -n "/^\*$key\* = /,/^$/p" "$page" | grep -oE '[0-9]+[KM]? to [0-9]+[KM]?' | head -n 1 | sed 's/K/*1024/g;s/M/*1048576/g') || :
	[ -n "$told" ] && [ "$((${told% to *}))" -eq "$((least))" ] && [ "$((${told#* to }))" -eq "$((most))" ] && continue
	echo "[limits] $key: $page says '$told', server/config.c $least to $most"
	failed=1
done < <(bounds)
exit "$failed"
