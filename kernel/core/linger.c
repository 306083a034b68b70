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
#include <linux/seq_file.h>
#include <linux/workqueue.h>

#include "core.h"

/* How often is looked: who waits for his limit to have room again is a person. */
#define INTERVAL (HZ / 10)

/* Protects the list of buffers that linger, each of which holds its heap's module. */
static DEFINE_MUTEX(lingering_lock);
static LIST_HEAD(lingering);

static void look(struct work_struct *work);
static DECLARE_DELAYED_WORK(looking, look);

/* Bytes from an address, up to a length, of pages that nobody else has; a compound page is counted at once. */
static size_t unheld_bytes(phys_addr_t phys, size_t len)
{
	unsigned long pfn = PHYS_PFN(phys), end = pfn + (len >> PAGE_SHIFT);

	while (pfn < end) {
		struct page *head = compound_head(pfn_to_page(pfn));

		if (page_ref_count(head) != 1)
			break;
		pfn = page_to_pfn(head) + compound_nr(head);
		if (!(pfn % 1024))
			cond_resched();
	}
	return ((min(pfn, end) - PHYS_PFN(phys)) << PAGE_SHIFT);
}

/* Nobody can find a page of theirs any more: what nobody has once, nobody will have. */
static bool is_held(struct dma_heap_buffer *buffer)
{
	phys_addr_t phys;
	size_t len, unheld;

	if (!buffer->memory || buffer->pages != DMA_HEAP_PAGES_COUNTED)
		return false;
	for (; buffer->unheld < buffer->size; buffer->unheld += unheld) {
		len = dma_heap_buffer_chunk(buffer, buffer->unheld, &phys);
		unheld = unheld_bytes(phys, len);
		if (unheld < len) {
			buffer->unheld += unheld;
			return true;
		}
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
		list_for_each_entry_safe(buffer, next, &lingering, link) {
			if (!is_held(buffer))
				list_move(&buffer->link, &gone);
			cond_resched();
		}
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
	/* Mostly somebody is just about to let go. */
	queue_delayed_work(system_unbound_wq, &looking, 1);
	return true;
}

/* dmaheap_linger_show - those that linger, a line each: who else has a page nobody knows */
void dmaheap_linger_show(struct seq_file *file)
{
	const struct dma_heap_buffer *buffer;

	seq_puts(file, "INODE SIZE HEAP PID COMMAND\n");
	guard(mutex)(&lingering_lock);
	list_for_each_entry(buffer, &lingering, link) {
		seq_printf(file, "%lu %zu", buffer->ino, buffer->size);
		dmaheap_show_word(file, dma_heap_get_name(buffer->heap));
		seq_printf(file, " %d", buffer->pid);
		dmaheap_show_word(file, buffer->comm);
		seq_putc(file, '\n');
	}
}

/* dmaheap_linger_exit - no heap's module is left; who let go of the last may not be done yet */
void dmaheap_linger_exit(void)
{
	cancel_delayed_work_sync(&looking);
	WARN_ON(!list_empty(&lingering));
}
