# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts of this project share; sourced, never run.

# Where fetched and built things are kept between runs.
# shellcheck disable=SC2034
cache=$(realpath -m "${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/dmaheap")

note() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
}

# die_as STATUS TEXT...: end the script by STATUS.
die_as() {
	local status=$1
	shift
	note "$*"
	exit "$status"
}

die() {
	die_as "${DIE_STATUS:-1}" "$@"
}

# What is said of other machines than this one, by Debian's names of architectures.
# shellcheck disable=SC2034
host=$(dpkg --print-architecture 2>/dev/null || echo amd64)

# arch_known ARCH: sets what builds for an architecture: the prefix of its tools (cross),
# and what the kernel's build wants to be told (kbuild).
arch_known() {
	# shellcheck disable=SC2034
	case $1 in
	amd64) cross='' kbuild=() ;;
	arm64) cross=aarch64-linux-gnu- kbuild=(ARCH=arm64 "CROSS_COMPILE=$cross") ;;
	*) die "no architecture '$1' here; there are: amd64 arm64" ;;
	esac
}

# need TOOL:PACKAGE...: end the script unless each tool is installed.
need() {
	local pair
	for pair in "$@"; do
		command -v "${pair%%:*}" >/dev/null ||
			PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null ||
			die "${pair%%:*} is missing; 'make setup' installs it (Debian's package ${pair##*:})"
	done
}
PATH=$PATH:/usr/sbin:/sbin
