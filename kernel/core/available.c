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
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "core.h"

/* Pages, of all buffers. */
static atomic_long_t announced;

/* What shall be left for whoever needs some next. */
static unsigned long margin(void)
{
	return totalram_pages() / 32;
}

/* What is free of CMA's areas counts as free and available, but is not for us. */
static unsigned long lent(void)
{
	return global_zone_page_state(NR_FREE_CMA_PAGES);
}

static bool is_plenty_free(unsigned long pages)
{
	return pages + lent() + margin() < global_zone_page_state(NR_FREE_PAGES);
}

/* dmaheap_is_plenty_free - so much that taking some costs nobody anything */
bool dmaheap_is_plenty_free(unsigned long pages)
{
	return is_plenty_free(pages + atomic_long_read(&announced));
}

/* What others have announced, they have as good as taken; @has is in a pool. */
static bool may_have(unsigned long pages, unsigned long others, unsigned long has)
{
	unsigned long all = others + pages;

	if (pages > totalram_pages() / 2)
		return false;
	/* Where plenty is free, what could be freed besides is not worth the counting. */
	if (all <= has || is_plenty_free(all - has))
		return true;
	/* That counts what the pool has. */
	return all + lent() + margin() <= si_mem_available() + get_nr_swap_pages();
}

/*
 * dmaheap_announce - pages are going to be taken, or -ENOMEM
 *
 * @mine are those that were announced before, and now all.  @has are in a pool, and as good as taken.
 */
int dmaheap_announce(unsigned long *mine, unsigned long pages, unsigned long has)
{
	long before = atomic_long_read(&announced);

	if (pages <= *mine)
		return 0;
	do {
		if (!may_have(pages, before - *mine, has))
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&announced, &before, before - *mine + pages));
	*mine = pages;
	return 0;
}

/* dmaheap_taken - some of them are taken, or not wanted any more; ULONG_MAX: all of them */
void dmaheap_taken(unsigned long *mine, unsigned long pages)
{
	pages = min(pages, *mine);
	if (!pages)
		return;
	*mine -= pages;
	atomic_long_sub(pages, &announced);
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
