// SPDX-License-Identifier: GPL-2.0-only
/* Regions that are areas of the contiguous memory allocator. */
#include <linux/highmem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../compat/cma.h"
#include "core.h"
#include "region.h"

struct area {
	struct dma_heap_region region;
	struct compat_cma cma;
};

static struct compat_cma *cma_of(struct dma_heap_region *region)
{
	return &container_of(region, struct area, region)->cma;
}

static void zero_pages(struct page *page, size_t len)
{
	for (; len; len -= PAGE_SIZE) {
		clear_highpage(page++);
		cond_resched();
	}
}

/* Aligned to the size or to the largest that the kernel was built for: as large pages need it. */
static unsigned int alignment_of(size_t len, size_t align)
{
	unsigned int order = get_order(len);

#ifdef CONFIG_CMA_ALIGNMENT
	order = min_t(unsigned int, order, CONFIG_CMA_ALIGNMENT);
#endif
	return max_t(unsigned int, order, get_order(align));
}

/*
 * Where so much alignment cannot be asked for: a piece that fills the gap before the next aligned
 * address makes the next piece start there, as long as the first that fits is what one gets.
 */
static struct page *alloc_behind(struct compat_cma *cma, size_t gap, size_t len,
				 unsigned int order)
{
	struct page *filler = compat_cma_alloc(cma, gap, 0), *page;

	page = compat_cma_alloc(cma, len, order);
	if (filler)
		compat_cma_free(cma, filler, gap);
	return page;
}

static struct page *alloc_aligned(struct compat_cma *cma, size_t len, size_t align)
{
	unsigned int order = alignment_of(len, align);
	struct page *page = compat_cma_alloc(cma, len, order);
	phys_addr_t phys = page ? page_to_phys(page) : 0;

	if (IS_ALIGNED(phys, align))
		return page;
	compat_cma_free(cma, page, len);
	page = alloc_behind(cma, ALIGN(phys, align) - phys, len, order);
	if (!page || IS_ALIGNED(page_to_phys(page), align))
		return page;
	compat_cma_free(cma, page, len);
	return NULL;
}

static int area_alloc(struct dma_heap_region *region, size_t len, size_t align,
		      phys_addr_t *phys)
{
	struct page *page;

	/* To move others' pages away takes time. */
	if (fatal_signal_pending(current))
		return -EINTR;
	page = alloc_aligned(cma_of(region), len, align);
	if (!page)
		return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
	*phys = page_to_phys(page);
	if (!COMPAT_CMA_ZEROES)
		zero_pages(page, len);
	return 0;
}

static void area_free(struct dma_heap_region *region, phys_addr_t phys, size_t len)
{
	compat_cma_free(cma_of(region), pfn_to_page(PHYS_PFN(phys)), len);
}

static void area_close(struct dma_heap_region *region)
{
	compat_cma_close(cma_of(region));
	kfree(region->name);
	kfree(container_of(region, struct area, region));
}

static const struct dmaheap_region_ops area_ops = {
	.alloc = area_alloc,
	.free = area_free,
	.close = area_close,
};

/**
 * dma_heap_areas_size - how much memory all areas of CMA have together
 *
 * The default one, whose size nobody says, has no more; where there are several, all of it may be taken
 * in vain for a buffer that is longer.
 *
 * Context: any.
 * Return: bytes, whether free or not.
 */
size_t dma_heap_areas_size(void)
{
	size_t pages = 0;
	int nid, i;

	for_each_online_node(nid)
		for (i = 0; i < MAX_NR_ZONES; i++)
			pages += zone_cma_pages(&NODE_DATA(nid)->node_zones[i]);
	return pages << PAGE_SHIFT;
}
EXPORT_SYMBOL_GPL(dma_heap_areas_size);

struct dma_heap_region *dmaheap_area_of(struct reserved_mem *rmem)
{
	struct area *area = kzalloc(sizeof(*area), GFP_KERNEL);
	int err;

	if (!area)
		return ERR_PTR(-ENOMEM);
	err = compat_cma_open(&area->cma, rmem);
	if (err) {
		kfree(area);
		return ERR_PTR(err);
	}
	area->region.ops = &area_ops;
	area->region.pages = DMA_HEAP_PAGES_LENT;
	area->region.size = rmem ? rmem->size : dma_heap_areas_size();
	return &area->region;
}
