// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of the whole of memory for buffers: scattered, in chunks as large as there are.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "core.h"

/*
 * Sizes of chunks, largest first.  They are what IOMMUs and page tables hold in one
 * entry: 2 MiB on arm64 and x86 with pages of 4 KiB, 1 MiB and 64 KiB on arm; a single
 * page is always the last resort.  Sizes in bytes: an order means something else where
 * a page is 16 or 64 KiB.
 */
static const size_t chunk_sizes[] = { SZ_2M, SZ_1M, SZ_64K, PAGE_SIZE };

/*
 * Single pages are reclaimed for, but nobody is killed for them; a chunk is taken only
 * if it is there.  All fail silently: the caller is told.
 */
static gfp_t gfp_of(size_t size)
{
	gfp_t gfp = GFP_USER | __GFP_ZERO | __GFP_COMP | __GFP_NOWARN;

	if (size > PAGE_SIZE)
		return (gfp & ~__GFP_RECLAIM) | __GFP_NORETRY;
	return gfp | __GFP_RETRY_MAYFAIL;
}

/* Where to look for memory that ends at or before an address, at first. */
static gfp_t zone_below(phys_addr_t highest)
{
	if (highest > DMA_BIT_MASK(32))
		return __GFP_HIGHMEM;
	return IS_ENABLED(CONFIG_ZONE_DMA32) ? __GFP_DMA32 : __GFP_DMA;
}

/* And where next: __GFP_DMA is the lowest there is, if there is one. */
static gfp_t zone_below_that(gfp_t zone)
{
	if (zone == __GFP_HIGHMEM && IS_ENABLED(CONFIG_ZONE_DMA32))
		return __GFP_DMA32;
	return IS_ENABLED(CONFIG_ZONE_DMA) ? __GFP_DMA : zone;
}

/*
 * dmaheap_alloc_below - memory that does not lie beyond an address
 *
 * What comes from a zone may lie too high nevertheless: zones do not end where a device's mask
 * does.  Then the next one is tried.
 */
struct page *dmaheap_alloc_below(phys_addr_t highest, unsigned int order, gfp_t gfp)
{
	gfp_t zone = zone_below(highest), next;
	struct page *page;

	for (;; zone = next) {
		page = alloc_pages(gfp | zone, order);
		if (!page || page_to_phys(page) + (PAGE_SIZE << order) - 1 <= highest)
			return page;
		__free_pages(page, order);
		next = zone_below_that(zone);
		if (next == zone)
			return NULL;
	}
}

/* The largest chunk there is that is not larger than *@size, which it then sets. */
static struct page *alloc_chunk(size_t missing, phys_addr_t highest, size_t *size)
{
	struct page *page;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chunk_sizes); i++) {
		if (chunk_sizes[i] > min(missing, *size) || chunk_sizes[i] < PAGE_SIZE)
			continue;
		page = dmaheap_alloc_below(highest, get_order(chunk_sizes[i]),
					   gfp_of(chunk_sizes[i]));
		if (page) {
			*size = chunk_sizes[i];
			return page;
		}
	}
	return NULL;
}

/*
 * Zones do not end where a mask of 30 or 31 bits does, so that none may have a page that is low
 * enough to give, though many are free: whoever is in the way is moved.
 */
static struct page *alloc_range_below(phys_addr_t highest, size_t longest, size_t missing,
				      size_t *size)
{
	*size = min3(missing, longest, (size_t)SZ_1M);
	return dmaheap_alloc_range(*size >> PAGE_SHIFT, highest);
}

/**
 * dma_heap_check_available - refuse what would hurt before anything is taken
 * @len:	bytes wanted of the whole of memory
 *
 * A buffer cannot be swapped out: one that is too large for memory first pushes everybody
 * else's pages out and then, as the next to ask for memory may not fail, makes the kernel kill
 * somebody.
 *
 * Context: process context.
 * Return: 0, or -ENOMEM: more than half of memory, or more than is available.
 */
int dma_heap_check_available(size_t len)
{
	size_t pages = len >> PAGE_SHIFT;
	/* What is free of CMA's areas counts as free and available, but is not for us. */
	size_t lent = global_zone_page_state(NR_FREE_CMA_PAGES);

	if (pages > totalram_pages() / 2)
		return -ENOMEM;
	/* Where plenty is free, what could be freed besides is not worth the counting. */
	if (pages + lent + totalram_pages() / 32 < global_zone_page_state(NR_FREE_PAGES))
		return 0;
	return pages + lent > si_mem_available() + get_nr_swap_pages() ? -ENOMEM : 0;
}
EXPORT_SYMBOL_GPL(dma_heap_check_available);

/**
 * dma_heap_buffer_add_pages - give a buffer all that it lacks, scattered
 * @buffer:	the buffer
 * @highest:	physical address that nothing of it may lie beyond; PHYS_ADDR_MAX: anywhere
 * @longest:	bytes of the longest chunk; SIZE_MAX: as long as there are
 *
 * The pages are zeroed and counted (%DMA_HEAP_PAGES_COUNTED); dma_heap_free_pages() is the
 * operation to free them.
 *
 * Context: within &dma_heap_buffer_ops.populate; may sleep.
 * Return: 0; -ENOMEM, also when it would be more than is available; -EINTR when a fatal signal
 * came.
 */
int dma_heap_buffer_add_pages(struct dma_heap_buffer *buffer, phys_addr_t highest,
			      size_t longest)
{
	/* What memory had none of it is not asked for again. */
	size_t missing, size = max(longest, PAGE_SIZE);
	int err = dma_heap_check_available(dma_heap_buffer_missing(buffer));

	while (!err && (missing = dma_heap_buffer_missing(buffer))) {
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		page = alloc_chunk(missing, highest, &size);
		/* Not for one who holds mmap_lock: see dma_heap_buffer_limits(). */
		if (!page && highest < DMA_BIT_MASK(32) && !buffer->scattered)
			page = alloc_range_below(highest, max(longest, PAGE_SIZE), missing,
						 &size);
		if (!page)
			return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
		err = dma_heap_buffer_add(buffer, page_to_phys(page), size);
		if (err)
			dma_heap_free_pages(buffer, page_to_phys(page), size);
		cond_resched();
	}
	return err;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_add_pages);

/**
 * dma_heap_free_pages - give a chunk of pages back, whichever way they were allocated
 * @buffer:	the buffer
 * @phys:	where the chunk starts
 * @len:	its length in bytes
 *
 * An operation &dma_heap_buffer_ops.free for what dma_heap_buffer_add_pages() and
 * dma_heap_buffer_add_contiguous() have added.
 *
 * Context: as of that operation.
 */
void dma_heap_free_pages(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	struct page *page = pfn_to_page(PHYS_PFN(phys));
	size_t i;

	if (PageHead(page)) {
		__free_pages(page, get_order(len));
		return;
	}
	for (i = 0; i < len >> PAGE_SHIFT; i++)
		put_page(page + i);
}
EXPORT_SYMBOL_GPL(dma_heap_free_pages);
