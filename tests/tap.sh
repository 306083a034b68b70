# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For test scripts that print TAP; sourced.

number=0

# report TEXT CONDITION...: one line of TAP.
report() {
	local text=$1
	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number - $text"
	else
		echo "# not so: $*"
		echo "not ok $number - $text"
	fi
}
