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

struct device;
struct dma_buf_attachment;
struct dma_heap_buffer;

/**
 * enum dma_heap_cpu - how the CPU gets at a buffer
 * @DMA_HEAP_CPU_CACHED:	through its caches
 * @DMA_HEAP_CPU_WRITE_COMBINED: past its caches.  Accesses of the CPU and of devices that do
 *		not snoop then cost nothing, and reading is slow.  A device that would need a
 *		bounce buffer cannot attach.  On x86 the heap must have made the kernel's own
 *		mapping of the pages write-combined, too: there, mappings of two types may
 *		not exist.
 * @DMA_HEAP_CPU_NONE:	not at all: mmap and CPU access are -EPERM, and vmap is the dma-buf
 *		layer's -EINVAL
 */
enum dma_heap_cpu {
	DMA_HEAP_CPU_CACHED,
	DMA_HEAP_CPU_WRITE_COMBINED,
	DMA_HEAP_CPU_NONE,
};

/**
 * enum dma_heap_pages - what the kernel knows of a buffer's memory
 * @DMA_HEAP_PAGES_COUNTED: each page has a struct page and is counted by itself or, for larger
 *		orders, part of a compound page (__GFP_COMP).  What is mapped by mmap() can then
 *		be handed to the kernel again (O_DIRECT and the like).  By such a reference
 *		somebody may still hold a page when it comes back by
 *		&dma_heap_buffer_ops.free, which therefore drops a reference
 *		(__free_pages(), put_page()) and does not reuse the page by itself.  The heap has
 *		no other reference than that one: where buffers are limited, one that is gone is
 *		kept until nobody else has a page of it
 * @DMA_HEAP_PAGES_LENT: there are pages, but an allocator counts them in its own way (CMA, the
 *		DMA API): nobody else may hold them, and mmap() enters them without a reference
 * @DMA_HEAP_PAGES_NONE: the kernel neither maps nor counts the memory.  The CPU never maps it
 *		cached.  Of a buffer, either all has a struct page nevertheless or nothing has.
 */
enum dma_heap_pages {
	DMA_HEAP_PAGES_COUNTED,
	DMA_HEAP_PAGES_LENT,
	DMA_HEAP_PAGES_NONE,
};

/**
 * struct dma_heap_buffer_ops - where a buffer's memory comes from and goes to
 * @populate:	call dma_heap_buffer_add() until dma_heap_buffer_missing() is 0.
 *		All memory added must read as zero.  On an error return what has
 *		been added stays added: the exporter frees it.  Returns 0, -ENOMEM,
 *		or -EINTR when fatal_signal_pending().
 * @release:	the buffer dies: called before its chunks are freed, also if @populate failed.
 *		May be NULL.
 * @free:	take back one chunk, just as it was added: @phys and @len are the
 *		arguments of that dma_heap_buffer_add().  NULL if @release took all.
 * @attach:	may a device attach?  Returns 0 or the error that its driver gets; when it may
 *		not, the log should say why.  May be NULL: all may.
 * @cpu:	how the CPU gets at the memory
 * @pages:	what the kernel knows of it
 * @late:	call @populate not at allocation, but when the first device maps or the CPU
 *		first gets at the buffer: dma_heap_buffer_limits() then says for whom it is.
 *		That can be after dma_heap_remove().
 *
 * All are called in process context, without locks that the heap could know, and may
 * sleep.  @free may be called after dma_heap_remove(), but never after the heap's module
 * is gone: each buffer holds a reference on it.
 */
struct dma_heap_buffer_ops {
	int (*populate)(struct dma_heap_buffer *buffer);
	void (*release)(struct dma_heap_buffer *buffer);
	void (*free)(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len);
	int (*attach)(struct dma_heap_buffer *buffer, struct device *dev);
	enum dma_heap_cpu cpu;
	enum dma_heap_pages pages;
	bool late;
};

/**
 * enum dma_heap_contiguity - whether devices take scattered memory
 * @DMA_HEAP_SCATTERED:	all do
 * @DMA_HEAP_CONTIGUOUS_PREFERRED: one of them says that its segments may be as long as the
 *		buffer, and no IOMMU is before it: drivers of devices that cannot scatter do,
 *		but not only these
 * @DMA_HEAP_CONTIGUOUS_REQUIRED: a driver has called dma_heap_require_contiguous()
 */
enum dma_heap_contiguity {
	DMA_HEAP_SCATTERED,
	DMA_HEAP_CONTIGUOUS_PREFERRED,
	DMA_HEAP_CONTIGUOUS_REQUIRED,
};

/**
 * struct dma_heap_limits - what suits every device that is attached to a buffer
 * @highest:	last byte that all reach, a physical address
 * @longest:	bytes of the longest segment that all take; whole pages
 * @contiguity:	whether they take scattered memory
 * @snooped:	at least one of them snoops the CPU's caches, or is bounced
 * @unsnooped:	at least one of them does neither
 */
struct dma_heap_limits {
	phys_addr_t highest;
	size_t longest;
	enum dma_heap_contiguity contiguity;
	bool snooped;
	bool unsnooped;
};

#define dma_heap_buffer_export dmaheap_buffer_export
#define dma_heap_buffer_add dmaheap_buffer_add
#define dma_heap_buffer_missing dmaheap_buffer_missing
#define dma_heap_buffer_gfp dmaheap_buffer_gfp
#define dma_heap_buffer_size dmaheap_buffer_size
#define dma_heap_buffer_chunk dmaheap_buffer_chunk
#define dma_heap_buffer_heap dmaheap_buffer_heap
#define dma_heap_buffer_set_priv dmaheap_buffer_set_priv
#define dma_heap_buffer_get_priv dmaheap_buffer_get_priv
#define dma_heap_buffer_limits dmaheap_buffer_limits
#define dma_heap_buffer_set_cpu dmaheap_buffer_set_cpu
#define dma_heap_require_contiguous dmaheap_require_contiguous
#define dma_heap_buffer_add_pages dmaheap_buffer_add_pages
#define dma_heap_buffer_add_contiguous dmaheap_buffer_add_contiguous
#define dma_heap_buffer_announce dmaheap_buffer_announce
#define dma_heap_buffer_announce_anywhere dmaheap_buffer_announce_anywhere
#define dma_heap_check_available dmaheap_check_available
#define dma_heap_free_pages dmaheap_free_pages

struct dma_buf *dma_heap_buffer_export(struct dma_heap *heap,
				       const struct dma_heap_buffer_ops *ops, size_t len,
				       u32 fd_flags);
int dma_heap_buffer_add(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len);
size_t dma_heap_buffer_missing(const struct dma_heap_buffer *buffer);
gfp_t dma_heap_buffer_gfp(const struct dma_heap_buffer *buffer);
size_t dma_heap_buffer_size(const struct dma_heap_buffer *buffer);
size_t dma_heap_buffer_chunk(const struct dma_heap_buffer *buffer, size_t offset,
			     phys_addr_t *phys);
struct dma_heap *dma_heap_buffer_heap(const struct dma_heap_buffer *buffer);
void dma_heap_buffer_set_priv(struct dma_heap_buffer *buffer, void *priv);
void *dma_heap_buffer_get_priv(const struct dma_heap_buffer *buffer);

/* For heaps that are populated late */
void dma_heap_buffer_limits(struct dma_heap_buffer *buffer, struct dma_heap_limits *limits);
void dma_heap_buffer_set_cpu(struct dma_heap_buffer *buffer, enum dma_heap_cpu cpu);
int dma_heap_require_contiguous(struct dma_buf_attachment *attachment);

/* Pages of the whole of memory */
int dma_heap_buffer_add_pages(struct dma_heap_buffer *buffer, phys_addr_t highest,
			      size_t longest);
int dma_heap_buffer_add_contiguous(struct dma_heap_buffer *buffer, phys_addr_t highest);
int dma_heap_buffer_announce(struct dma_heap_buffer *buffer);
int dma_heap_buffer_announce_anywhere(struct dma_heap_buffer *buffer);
int dma_heap_check_available(size_t len);
void dma_heap_free_pages(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len);

#endif /* _LINUX_DMA_HEAP_BUFFER_H */
