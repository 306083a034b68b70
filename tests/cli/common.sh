# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of the tool share; sourced.  $dmaheap is the tool, $work a folder.

. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

dmaheap=${DMAHEAP:-dmaheap}
work=$(mktemp -d)
# Colours and columns are to depend on nobody's environment.
unset NO_COLOR COLUMNS DMAHEAP_HEAPS

# try ARG...: runs the tool; leaves $out, $err and $status.
try() {
	"$dmaheap" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	# shellcheck disable=SC2034 # for who sources this
	out=$(<"$work/out") err=$(<"$work/err")
}

# exits STATUS TEXT ARG...: the tool has to end so.
exits() {
	local wanted=$1 text=$2
	shift 2
	try "$@"
	report "$text" [ "$status" = "$wanted" ]
	[ "$status" = "$wanted" ] || sed 's/^/# /' "$work/err"
}

# says TEXT PATTERN: the last try has to have said so on standard error.
says() {
	report "$1" grep -qE -- "$2" "$work/err"
}

# quiet TEXT: the last try has to have said nothing there.
quiet() {
	report "$1" [ -z "$err" ]
}

# shows TEXT PATTERN: the last try has to have written so.
shows() {
	report "$1" grep -qE -- "$2" "$work/out"
}

# json_is EXPRESSION [ARG...]: of the JSON that the last try wrote.
json_is() {
	jq -e "$@" "$work/out" >/dev/null
}

holds() {
	report "$1" json_is "$2"
}

# Names of all columns that a verb has, by its help, with commas.
columns_of() {
	"$dmaheap" "$1" --help | sed -n '/^Columns:/,/^$/s/^  [* ] \([^ ]*\) .*/\1/p' | paste -sd, -
}

# all_columns VERB ARG...: each column by name, all as JSON.
all_columns() {
	local columns
	columns=$(columns_of "$1")
	exits 0 "$1: all columns can be asked for" "$@" -o "$columns" --json
	has_keys "$1"
}

# has_keys VERB: the JSON of the last try has all columns of the verb.
has_keys() {
	# shellcheck disable=SC2016 # dollars of jq
	report "$1: all columns are keys, in order" json_is --arg columns "$(columns_of "$1")" \
		--arg verb "$1" \
		'.[$verb][0] | keys_unsorted == ($columns | ascii_downcase | split(","))'
}

# narrow TEXT ARG...: on a terminal of 80 columns, no line is longer.
narrow() {
	local text=$1 longest
	shift
	script -qec "stty cols 80; $(printf '%q ' "$dmaheap" "$@")" /dev/null </dev/null |
		sed $'s/\033\\[[0-9;]*m//g; s/\r//g' >"$work/out"
	longest=$(awk 'length > most { most = length } END { print most + 0 }' "$work/out")
	report "$text" [ "$longest" -gt 0 ]
	report "$text: it fits 80 columns" [ "$longest" -le 80 ]
}

# plan: at the end.
plan() {
	rm -rf "$work"
	echo "1..$number"
}
