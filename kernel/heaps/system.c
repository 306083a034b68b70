// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heap "system": pages from the whole of memory, in chunks as large as it has.
 */
#define pr_fmt(fmt) "dmaheap_system: " fmt

#include <linux/dma-heap-buffer.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

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
	gfp_t gfp = GFP_HIGHUSER | __GFP_ZERO | __GFP_COMP | __GFP_NOWARN;

	if (size > PAGE_SIZE)
		return (gfp & ~__GFP_RECLAIM) | __GFP_NORETRY;
	return gfp | __GFP_RETRY_MAYFAIL;
}

/* The largest chunk there is that is not larger than *@size, which it then sets. */
static struct page *alloc_chunk(size_t missing, size_t *size)
{
	struct page *page;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chunk_sizes); i++) {
		if (chunk_sizes[i] > min(missing, *size) || chunk_sizes[i] < PAGE_SIZE)
			continue;
		page = alloc_pages(gfp_of(chunk_sizes[i]), get_order(chunk_sizes[i]));
		if (page) {
			*size = chunk_sizes[i];
			return page;
		}
	}
	return NULL;
}

/*
 * Is a request refused before it hurts?  A buffer cannot be swapped out: one that is
 * too large for memory first pushes everybody else's pages out and then, as the next
 * to ask for memory may not fail, makes the kernel kill somebody.
 */
static bool is_too_large(size_t len)
{
	size_t pages = len >> PAGE_SHIFT;

	if (pages > totalram_pages() / 2)
		return true;
	/* Where plenty is free, what could be freed besides is not worth the counting. */
	if (pages + totalram_pages() / 32 < global_zone_page_state(NR_FREE_PAGES))
		return false;
	return pages > si_mem_available() + get_nr_swap_pages();
}

static int system_populate(struct dma_heap_buffer *buffer)
{
	/* What memory had none of it is not asked for again. */
	size_t missing, size = chunk_sizes[0];
	int err = 0;

	if (is_too_large(dma_heap_buffer_missing(buffer)))
		return -ENOMEM;
	while (!err && (missing = dma_heap_buffer_missing(buffer))) {
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		page = alloc_chunk(missing, &size);
		if (!page)
			return -ENOMEM;
		err = dma_heap_buffer_add(buffer, PFN_PHYS(page_to_pfn(page)), size);
		if (err)
			__free_pages(page, get_order(size));
		cond_resched();
	}
	return err;
}

static void system_free(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	__free_pages(pfn_to_page(PHYS_PFN(phys)), get_order(len));
}

static const struct dma_heap_buffer_ops system_buffer_ops = {
	.populate = system_populate,
	.free = system_free,
};

static struct dma_buf *system_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				       u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &system_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops system_ops = {
	.allocate = system_allocate,
};

static struct dma_heap *system_heap;

static int __init system_init(void)
{
	const struct dma_heap_export_info info = {
		.name = "system",
		.ops = &system_ops,
	};

	system_heap = dma_heap_add(&info);
	return PTR_ERR_OR_ZERO(system_heap);
}
module_init(system_init);

static void __exit system_exit(void)
{
	dma_heap_remove(system_heap);
}
module_exit(system_exit);

MODULE_DESCRIPTION("DMA-BUF heap of scattered system memory");
MODULE_LICENSE("GPL");
