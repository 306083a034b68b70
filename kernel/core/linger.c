// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers that are gone, while somebody still has pages of theirs: a pipe, a disk, a socket.
 *
 * A limit would be none if one had but to leave a page of each buffer in a pipe.  So where there is one,
 * all of a buffer's memory stays what it was, and is paid for, until nobody else has any of it.
 */
#include <linux/cleanup.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "core.h"

/* How often is looked: who waits for his limit to have room again is a person. */
#define INTERVAL (HZ / 10)

/* Protects the list of buffers that linger, each of which holds its heap's module. */
static DEFINE_MUTEX(lingering_lock);
static LIST_HEAD(lingering);

static void look(struct work_struct *work);
static DECLARE_DELAYED_WORK(looking, look);

/* Pages are counted one by one or, if they are a compound page, together. */
static bool is_chunk_held(phys_addr_t phys, size_t len)
{
	struct page *page = pfn_to_page(PHYS_PFN(phys));
	unsigned long nr = PageHead(page) ? 1 : len >> PAGE_SHIFT;

	for (; nr; nr--, page++)
		if (page_ref_count(page) != 1)
			return true;
	return false;
}

/* Nobody can find a page of theirs any more, so that it can only become less true. */
static bool is_held(const struct dma_heap_buffer *buffer)
{
	const struct dmaheap_memory *memory = buffer->memory;
	size_t start = 0;
	unsigned int i;

	if (!memory || buffer->pages != DMA_HEAP_PAGES_COUNTED)
		return false;
	for (i = 0; i < memory->nr; start = memory->chunks[i++].end) {
		if (is_chunk_held(memory->chunks[i].phys, memory->chunks[i].end - start))
			return true;
		cond_resched();
	}
	return false;
}

/* What a memory cgroup pays for it pays for, page by page, without us. */
static bool is_limited(const struct dma_heap_buffer *buffer)
{
	return buffer->charge.locked ||
	       (buffer->charge.user && READ_ONCE(buffer->heap->users.max));
}

static void look(struct work_struct *work)
{
	struct dma_heap_buffer *buffer, *next;
	LIST_HEAD(gone);

	scoped_guard(mutex, &lingering_lock) {
		list_for_each_entry_safe(buffer, next, &lingering, link)
			if (!is_held(buffer))
				list_move(&buffer->link, &gone);
		if (!list_empty(&lingering))
			queue_delayed_work(system_unbound_wq, &looking, INTERVAL);
	}
	list_for_each_entry_safe(buffer, next, &gone, link) {
		struct module *owner = buffer->heap->owner;

		dmaheap_buffer_destroy(buffer);
		module_put(owner);
	}
}

/*
 * dmaheap_linger - a buffer that is gone is destroyed later
 *
 * False: there is no reason to wait, and it is the caller's.  The dma-buf still holds the heap's module.
 */
bool dmaheap_linger(struct dma_heap_buffer *buffer)
{
	if (!is_limited(buffer) || !is_held(buffer))
		return false;
	__module_get(buffer->heap->owner);
	guard(mutex)(&lingering_lock);
	list_add_tail(&buffer->link, &lingering);
	queue_delayed_work(system_unbound_wq, &looking, INTERVAL);
	return true;
}

/* dmaheap_linger_exit - no heap's module is left; who let go of the last may not be done yet */
void dmaheap_linger_exit(void)
{
	cancel_delayed_work_sync(&looking);
	WARN_ON(!list_empty(&lingering));
}
