// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pgtable.h>
#include <linux/sched.h>

#include "linear_map.h"

#ifdef CONFIG_X86
/* Bytes from an address to the end of what one entry maps, and whether that is cached. */
static unsigned long look_up(unsigned long addr, bool *cached)
{
	unsigned int level;
	pte_t *pte = lookup_address(addr, &level);
	unsigned long size = pte ? page_level_size(level) : PAGE_SIZE;

	/* The bits that name a type lie elsewhere in entries of large pages; 0 is cached. */
	*cached = !pte || !pte_present(*pte) ||
		  !(pte_flags(*pte) & (_PAGE_PCD | _PAGE_PWT |
				       (level > PG_LEVEL_4K ? _PAGE_PAT_LARGE : _PAGE_PAT)));
	return size - (addr & (size - 1));
}

static u64 uncached_of(unsigned long pfn, unsigned long end)
{
	unsigned long addr = (unsigned long)pfn_to_kaddr(pfn);
	unsigned long last = addr + ((end - pfn) << PAGE_SHIFT), len;
	u64 bytes = 0;
	bool cached;

	for (; addr < last; addr += len) {
		len = min(look_up(addr, &cached), last - addr);
		if (!cached && pfn_to_online_page(PHYS_PFN(__pa(addr))))
			bytes += len;
		cond_resched();
	}
	return bytes;
}

int linear_map_uncached(u64 *bytes)
{
	int node, i;

	*bytes = 0;
	for_each_online_node(node)
		for (i = 0; i < MAX_NR_ZONES; i++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[i];

			if (populated_zone(zone))
				*bytes +=
					uncached_of(zone->zone_start_pfn, zone_end_pfn(zone));
		}
	return 0;
}
#else
int linear_map_uncached(u64 *bytes)
{
	return -EOPNOTSUPP;
}
#endif
