// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much of the whole of memory a buffer may take.
 *
 * A buffer cannot be swapped out: one that is too large for memory first pushes everybody else's
 * pages out and then, as the next to ask for memory may not fail, makes the kernel kill somebody.  So
 * it is refused before anything is taken.  And as taking takes time, what one has announced and has
 * not got yet does not count as available to the next.
 */
#include <linux/atomic.h>
#include <linux/cpuset.h>
#include <linux/gfp.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/vmstat.h>

#include "core.h"

/* Pages, of all buffers. */
static atomic_long_t announced;

/* What shall be left for whoever needs some next. */
static unsigned long margin(void)
{
	return totalram_pages() / 32;
}

/* ---- what there is for the current task ---- */

/* May the task have pages from a node?  Where it would rather have them from is no matter. */
static bool is_allowed(int nid)
{
#ifdef CONFIG_NUMA
	const struct mempolicy *policy = current->mempolicy;

	if (policy && policy->mode == MPOL_BIND && !node_isset(nid, policy->nodes))
		return false;
#endif
	return node_isset(nid, cpuset_current_mems_allowed);
}

static unsigned long less(unsigned long pages, unsigned long others)
{
	return pages - min(pages, others);
}

/* Free, and neither in an area of CMA nor kept by the kernel for itself or for who needs low memory. */
static unsigned long free_in(struct zone *zone)
{
	return less(zone_page_state(zone, NR_FREE_PAGES),
		    zone_page_state(zone, NR_FREE_CMA_PAGES) + zone->_watermark[WMARK_HIGH] +
			    zone->lowmem_reserve[gfp_zone(GFP_USER | __GFP_HIGHMEM)]);
}

/* Caches of the kernel, and what pools have. */
static unsigned long caches_on(const pg_data_t *node)
{
	long pages = atomic_long_read(&node->vm_stat[NR_SLAB_RECLAIMABLE_B]) +
		     atomic_long_read(&node->vm_stat[NR_KERNEL_MISC_RECLAIMABLE]);

	return max(pages, 0L);
}

/*
 * As much as si_mem_available() would say, but only of zones that a page which cannot be moved comes
 * from.  Nor does it count that others could be swapped out: they would have to come back.
 */
static unsigned long count_on(pg_data_t *node, bool with_freeable)
{
	unsigned long sum = 0, files = 0, low = 0, caches;
	int i;

	for (i = 0; i < ZONE_MOVABLE; i++) {
		struct zone *zone = &node->node_zones[i];

		sum += free_in(zone);
		files += zone_page_state(zone, NR_ZONE_ACTIVE_FILE) +
			 zone_page_state(zone, NR_ZONE_INACTIVE_FILE);
		low += zone->_watermark[WMARK_LOW];
	}
	if (!with_freeable)
		return sum;
	/* A little of it is in use. */
	caches = caches_on(node);
	return sum + less(files, min(files / 2, low)) + less(caches, min(caches / 2, low));
}

static unsigned long count_pages(bool with_freeable)
{
	unsigned long sum = 0;
	int nid;

	for_each_online_node(nid)
		if (is_allowed(nid))
			sum += count_on(NODE_DATA(nid), with_freeable);
	return sum;
}

/* What others have announced, they have as good as taken; @pooled are taken from a pool besides. */
static bool may_have(unsigned long pages, unsigned long others, unsigned long pooled)
{
	unsigned long all = others + pages + margin();

	if (pages + pooled > totalram_pages() / 2)
		return false;
	/* Where plenty is free, what could be freed besides is not worth the counting. */
	return all <= count_pages(false) || all + pooled <= count_pages(true);
}

/* dmaheap_is_plenty_free - so much that taking some costs nobody anything */
bool dmaheap_is_plenty_free(unsigned long pages)
{
	return atomic_long_read(&announced) + pages + margin() <= count_pages(false);
}

/* ---- announcements ---- */

static int announce_more(unsigned long more, unsigned long has, unsigned long pooled)
{
	long before = atomic_long_read(&announced);

	do {
		if (!may_have(has + more, before - has, pooled))
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&announced, &before, before + more));
	return 0;
}

/*
 * dmaheap_announce - pages are going to be taken, or -ENOMEM
 *
 * So many as are then announced at least, and @pooled besides from a pool.
 */
int dmaheap_announce(struct dmaheap_announcement *mine, unsigned long pages,
		     unsigned long pooled)
{
	unsigned long more = less(pages, mine->pages);
	int err;

	if (!more)
		return 0;
	err = dmaheap_payer_announce(mine->payer, more);
	if (err)
		return err;
	err = announce_more(more, mine->pages, pooled);
	if (err)
		dmaheap_payer_taken(mine->payer, more);
	else
		mine->pages = pages;
	return err;
}

/* dmaheap_taken - some of them are taken, or not wanted any more; ULONG_MAX: all of them */
void dmaheap_taken(struct dmaheap_announcement *mine, unsigned long pages)
{
	pages = min(pages, mine->pages);
	if (!pages)
		return;
	mine->pages -= pages;
	atomic_long_sub(pages, &announced);
	dmaheap_payer_taken(mine->payer, pages);
}

/**
 * dma_heap_check_available - refuse what could never be had of the whole of memory
 * @len:	bytes
 *
 * For who takes them later; who takes them now announces that by dma_heap_buffer_announce().
 *
 * Context: process context.
 * Return: 0, or -ENOMEM: more than half of memory, or more than is available.
 */
int dma_heap_check_available(size_t len)
{
	return may_have(len >> PAGE_SHIFT, atomic_long_read(&announced), 0) ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(dma_heap_check_available);

/**
 * dma_heap_buffer_announce - a buffer is about to take all that it lacks of the whole of memory
 * @buffer:	the buffer
 *
 * Before the first of it is taken.  Until the buffer has got it, or populating it has failed, nobody
 * else counts on it.
 *
 * Context: within &dma_heap_buffer_ops.populate.
 * Return: 0, or -ENOMEM: it would be more than half of memory, or more than is available.
 */
int dma_heap_buffer_announce(struct dma_heap_buffer *buffer)
{
	lockdep_assert_held(&buffer->making);
	return dmaheap_announce(&buffer->announced,
				dma_heap_buffer_missing(buffer) >> PAGE_SHIFT, 0);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_announce);
