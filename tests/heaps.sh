# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# heaps.sh: all heaps that a kernel can have; sourced, never run.

# heaps KERNEL ARCH [-f] [OWNER]: the options of vm/run that set memory aside, and load all heaps.
#   -f     some of the memory where the kernel has no struct page at all, on a machine with 5 GiB
#   OWNER  a parameter of the driver whose device has a heap
heaps() {
	local kernel=$1 arch=$2 devices=devices=dmaheap-test.0,dmaheap-test.1 far=''
	local -a machine
	shift 2
	[ "${1:-}" != -f ] || {
		far=,far:64M@0x178000000
		shift
	}
	if [ "$arch" = amd64 ]; then
		# shellcheck disable=SC2016 # a dollar is what the kernel wants to see
		machine=(-c 'memmap=32M$0x54000000' -c 'memmap=64M$0x58000000'
			-c 'memmap=64M$0x64000000'
			-m "dmaheap_carveout regions=video:64M@0x64000000$far"
			-m "dmaheap_chunk regions=tiles:64M@0x58000000"
			-m "dmaheap_protected_reference regions=protected:32M@0x54000000 $devices")
	else
		machine=(-d "$top/tests/regions.dtso" -m dmaheap_carveout
			-m "dmaheap_chunk area=cma-chunks" -m dmaheap_cma
			-m "dmaheap_protected_reference $devices")
	fi
	# Debian's have no CMA on amd64; those with sanitizers have, where devices of 32 bits reach it.
	case $kernel in
	debug | kcsan) machine+=(-c cma=64M@0-2G -m dmaheap_cma) ;;
	esac
	# A whole section, which else had pages, and a part of one, which has.
	# shellcheck disable=SC2016
	[ -z "$far" ] || [ "$arch" != amd64 ] || machine+=(-c 'memmap=192M$0x174000000')
	printf '%s\n' "${machine[@]}" -m dmaheap_contig -m dmaheap_negotiated \
		-m dmaheap_skeleton -m "dmaheap_owner ${1:-}"
}
