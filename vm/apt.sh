# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Debian's packages of kernels, by an apt that works on a private state directory: the
# host's package lists, sources and installed kernels are neither read nor changed.
# Sourced after common.sh, with $series and $arch set.

# shellcheck disable=SC2154
apt=$cache/apt/$series-$arch

# The suites that carry a series, in apt's one-line format.
sources_of() {
	local mirror=${DMAHEAP_MIRROR:-http://deb.debian.org/debian}
	local security=${DMAHEAP_MIRROR_SECURITY:-http://deb.debian.org/debian-security}
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg suite=bookworm

	[ -e "$keyring" ] || die "$keyring is missing; install debian-archive-keyring"
	[ "$1" != 7.2 ] || suite=trixie
	echo "deb [signed-by=$keyring] $security $suite-security main"
	echo "deb [signed-by=$keyring] $mirror $suite main"
	[ "$1" = 6.1 ] || echo "deb [signed-by=$keyring] $mirror $suite-backports main"
}

private() {
	local tool=$1
	shift
	"$tool" -qq \
		-o Dir::State="$apt/state" -o Dir::State::status="$apt/status" \
		-o Dir::Cache="$apt/cache" \
		-o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o APT::Architecture="$arch" -o APT::Architectures::="$arch" \
		-o APT::Architectures::="$host" \
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
		-o Acquire::Retries=3 -o APT::Update::Error-Mode=any "$@"
}

# Reads the package lists of the series.
private_update() {
	need apt-get:apt dpkg-deb:dpkg
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" ||
		die "cannot write to $cache; set XDG_CACHE_HOME to a folder with space"
	sources_of "$series" >"$apt/sources.list"
	: >"$apt/status"
	private apt-get update || die "could not read Debian's package lists: no network?"
}

# private_unpack DIR PACKAGE...: fetches packages and unpacks them into a folder; those of
# this machine, for building, are PACKAGE:$host.
private_unpack() {
	local dir=$1 deb
	shift
	note "fetching $*"
	mkdir -p "$dir/deb"
	(cd "$dir/deb" && private apt-get download "$@") ||
		die "could not download $*: no network, or no space in $cache?"
	for deb in "$dir"/deb/*.deb; do
		dpkg-deb -x "$deb" "$dir" ||
			die "could not unpack $(basename "$deb"): no space in $cache?"
	done
	rm -r "$dir/deb"
}
