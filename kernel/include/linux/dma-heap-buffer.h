/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmaheap: the exporter, for drivers that publish a heap.
 *
 * A heap says where memory comes from and goes back to.  All that a dma-buf made
 * of it can do (attach, map, mmap, vmap, CPU access) is done here, once for all
 * heaps.
 */
#ifndef _LINUX_DMA_HEAP_BUFFER_H
#define _LINUX_DMA_HEAP_BUFFER_H

#include <linux/dma-heap.h>

struct dma_heap_buffer;

/**
 * struct dma_heap_buffer_ops - where a buffer's memory comes from and goes to
 * @populate:	call dma_heap_buffer_add() until dma_heap_buffer_missing() is 0.
 *		All memory added must read as zero.  On an error return what has
 *		been added stays added: the exporter frees it.  Returns 0, -ENOMEM,
 *		or -EINTR when fatal_signal_pending().
 * @free:	take back one chunk, just as it was added: @phys and @len are the
 *		arguments of that dma_heap_buffer_add().
 * @write_combined: the CPU maps the memory write-combined, past its caches.  Accesses of the
 *		CPU and of devices that do not snoop then cost nothing, and reading is slow.
 *		On x86 the heap must have made the kernel's own mapping of the pages
 *		write-combined, too: there, mappings of two types may not exist.
 *
 * Both are called in process context, without locks that the heap could know, and may
 * sleep.  @free may be called after dma_heap_remove(), but never after the heap's module
 * is gone: each buffer holds a reference on it.
 */
struct dma_heap_buffer_ops {
	int (*populate)(struct dma_heap_buffer *buffer);
	void (*free)(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len);
	bool write_combined;
};

#define dma_heap_buffer_export dmaheap_buffer_export
#define dma_heap_buffer_add dmaheap_buffer_add
#define dma_heap_buffer_missing dmaheap_buffer_missing
#define dma_heap_buffer_heap dmaheap_buffer_heap

struct dma_buf *dma_heap_buffer_export(struct dma_heap *heap,
				       const struct dma_heap_buffer_ops *ops, size_t len,
				       u32 fd_flags);
int dma_heap_buffer_add(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len);
size_t dma_heap_buffer_missing(const struct dma_heap_buffer *buffer);
struct dma_heap *dma_heap_buffer_heap(const struct dma_heap_buffer *buffer);

#endif /* _LINUX_DMA_HEAP_BUFFER_H */
