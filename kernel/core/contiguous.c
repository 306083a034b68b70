// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contiguous memory for buffers, of the whole of memory: from the buddy allocator as far as
 * its largest order goes, above that by moving away whoever is in some range.
 */
#include <linux/highmem.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/sched/signal.h>

#include "../compat/contig.h"
#include "core.h"

#define GFP_CONTIG (GFP_USER | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

static void free_range(struct page *page, unsigned long nr)
{
	while (nr--)
		put_page(page++);
}

/* Of the order that it takes, each page counted by itself; what is too much goes back. */
static struct page *alloc_order(unsigned long nr, phys_addr_t highest, gfp_t more)
{
	unsigned int order = get_order(nr << PAGE_SHIFT);
	struct page *page;

	if (nr > MAX_ORDER_NR_PAGES)
		return NULL;
	page = dmaheap_alloc_below(highest, order, GFP_CONTIG | __GFP_ZERO | more);
	if (!page)
		return NULL;
	split_page(page, order);
	free_range(page + nr, (1UL << order) - nr);
	return page;
}

/* ---- ranges ---- */

/* Whoever moves it waits for its reader or writer, maybe a file system in user space, whatever kills him. */
static bool is_under_io(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_test_locked(folio) || folio_test_writeback(folio);
}

/*
 * Can what is on a page be moved, at a glance and without a lock?  It is not worth trying
 * a range in which something cannot.  Pages that nobody holds are free, on their way there, or
 * tails of others.
 */
static bool is_movable(struct page *page, bool patient)
{
	if (PageReserved(page) || PageHuge(page) || (!patient && is_under_io(page)))
		return false;
	return !page_count(page) || PageLRU(page) || PageBuddy(page) ||
	       compat_has_movable_ops(page);
}

/* Up to where a range cannot be moved: pages from its start, 0 if all can. */
static unsigned long find_obstacle(struct zone *zone, unsigned long first, unsigned long nr,
				   bool patient)
{
	for (; nr; nr--) {
		struct page *page = pfn_to_online_page(first + nr - 1);

		if (!page || page_zone(page) != zone || !is_movable(page, patient))
			break;
	}
	return nr;
}

/* Unless somebody is to die first. */
static bool clear_range(struct page *page, unsigned long nr)
{
	while (nr-- && !fatal_signal_pending(current)) {
		clear_highpage(page++);
		cond_resched();
	}
	return !fatal_signal_pending(current);
}

/*
 * Goes through a zone, by blocks that the buddy allocator could have given.  All of a pageblock has to
 * be movable, even if only a part is wanted: the kernel sets whole ones apart.
 */
static struct page *alloc_range_in(struct zone *zone, unsigned long nr, unsigned long end,
				   bool patient)
{
	unsigned long looked_at = round_up(nr, pageblock_nr_pages);
	unsigned long step =
		min_t(unsigned long, roundup_pow_of_two(looked_at), MAX_ORDER_NR_PAGES);
	unsigned long pfn = ALIGN(zone->zone_start_pfn, step), obstacle;

	end = min(end, zone_end_pfn(zone));
	while (pfn + nr <= end && !fatal_signal_pending(current)) {
		obstacle = find_obstacle(zone, pfn, looked_at, patient);
		if (!obstacle &&
		    !compat_alloc_contig_range(pfn, pfn + nr, GFP_KERNEL | __GFP_NOWARN))
			return pfn_to_page(pfn);
		pfn = ALIGN(pfn + (obstacle ?: 1), step);
		cond_resched();
	}
	return NULL;
}

/*
 * dmaheap_alloc_range - contiguous pages, each counted by itself, that do not lie beyond an
 * address; zeroed
 *
 * The highest zones first: low memory is for devices that reach no other.  ZONE_MOVABLE is kept
 * free of what cannot be moved, as buffers cannot, so that memory can be unplugged.  A @patient caller also
 * has others moved who are under I/O as it comes, of which there are more the smaller the memory is.
 */
struct page *dmaheap_alloc_range(unsigned long nr, phys_addr_t highest, bool patient)
{
	unsigned long end = PHYS_PFN(highest) + 1;
	struct page *page = NULL;
	int node, i;

	for (i = ZONE_MOVABLE - 1; i >= 0 && !page; i--)
		for_each_online_node(node) {
			struct zone *zone = &NODE_DATA(node)->node_zones[i];

			if (populated_zone(zone) && !page)
				page = alloc_range_in(zone, nr, end, patient);
		}
	/* The kernel may or may not have zeroed it, as it was started. */
	if (page && !clear_range(page, nr)) {
		free_range(page, nr);
		return NULL;
	}
	return page;
}

/**
 * dma_heap_buffer_add_contiguous - give a buffer all that it lacks, in one piece
 * @buffer:	the buffer
 * @highest:	physical address that nothing of it may lie beyond; PHYS_ADDR_MAX: anywhere
 *
 * Up to the largest order of the buddy allocator (4 MiB with pages of 4 KiB) from there; what
 * is larger, or not there, by migrating whatever movable pages are in the way; but the kernel charges
 * those to no memory cgroup, so that a buffer that one pays for gets none.  The pages are
 * zeroed and counted (%DMA_HEAP_PAGES_COUNTED); dma_heap_free_pages() is the operation to free
 * them.
 *
 * Context: within &dma_heap_buffer_ops.populate; may sleep, and long: it moves other people's
 * pages.
 * Return: 0; -ENOMEM when there is no such range, or it would be more than is available; -EINTR
 * when a fatal signal came.
 */
int dma_heap_buffer_add_contiguous(struct dma_heap_buffer *buffer, phys_addr_t highest)
{
	size_t len = dma_heap_buffer_missing(buffer);
	unsigned long nr = len >> PAGE_SHIFT;
	int err = dma_heap_buffer_announce(buffer);
	struct page *page;

	if (err)
		return err;
	page = alloc_order(nr, highest, dma_heap_buffer_gfp(buffer));
	/* Whoever maps a late one first may hold locks of a driver that others wait for. */
	if (!page && !buffer->payer)
		page = dmaheap_alloc_range(nr, highest, !buffer->ops->late);
	if (!page)
		return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
	err = dma_heap_buffer_add(buffer, page_to_phys(page), len);
	if (err)
		free_range(page, nr);
	return err;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_add_contiguous);
