/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmaheap: the in-kernel API, for drivers that publish a heap and for drivers
 * that allocate from one.
 *
 * The names are the kernel's own, so that code written for its <linux/dma-heap.h>
 * compiles unchanged.  The symbols behind them are not: a kernel built with
 * CONFIG_DMABUF_HEAPS exports the plain names, and the module loader refuses a
 * second export.  Hence each name is mapped to one that starts with dmaheap_.
 */
#ifndef _LINUX_DMA_HEAP_H
#define _LINUX_DMA_HEAP_H

#include <linux/dma-direction.h>
#include <linux/module.h>
#include <linux/types.h>
#include <uapi/linux/dma-heap.h>

/* Whoever includes this links against dmaheap_core. */
MODULE_INFO(import_ns, "DMAHEAP");

struct dma_buf;
struct dma_buf_attachment;
struct dma_heap;

/**
 * struct dma_heap_ops - what a heap can do
 * @allocate:	make a dma-buf of @len bytes (a multiple of the granule, not 0),
 *		all of them zero.  @fd_flags is for &dma_buf_export_info.flags and
 *		has been checked, as has @heap_flags.  Returns the dma-buf or an
 *		ERR_PTR(); -ENOMEM when there is no memory, -EINTR when a fatal
 *		signal is pending.  Called in process context, without locks that
 *		the heap could know; may sleep.  Never called again once
 *		dma_heap_remove() has returned.
 * @granule:	bytes that the sizes of all its buffers are multiples of: a power of two, at
 *		least the page size.  Asked once, when it is published.  May be NULL: a page;
 *		the kernel's own structure ends before this.
 */
struct dma_heap_ops {
	struct dma_buf *(*allocate)(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				    u64 heap_flags);
	size_t (*granule)(struct dma_heap *heap);
};

/**
 * enum dma_heap_pool - whether a heap keeps pages of buffers that died for those to come
 * @DMA_HEAP_POOL_NONE:	it does not
 * @DMA_HEAP_POOL_CACHED: what dma_heap_buffer_add_pages() gives to its buffers
 * @DMA_HEAP_POOL_WRITE_COMBINED: the same, of a heap whose buffers are all
 *		%DMA_HEAP_CPU_WRITE_COMBINED.  With this, and only with this, the kernel's own
 *		mapping of the pages is seen to, where it must not differ (x86)
 */
enum dma_heap_pool {
	DMA_HEAP_POOL_NONE,
	DMA_HEAP_POOL_CACHED,
	DMA_HEAP_POOL_WRITE_COMBINED,
};

/**
 * struct dma_heap_export_info - what describes a heap to be published
 * @name:	name of the node under /dev/dma_heap/; copied
 * @ops:	the heap's operations; must stay until dma_heap_remove()
 * @priv:	the heap's own data, for dma_heap_get_drvdata()
 * @pool:	whether it keeps pages; the kernel's own structure ends before this
 */
struct dma_heap_export_info {
	const char *name;
	const struct dma_heap_ops *ops;
	void *priv;
	enum dma_heap_pool pool;
};

#define dma_heap_add(exp_info) dmaheap_add(exp_info, THIS_MODULE)
#define dma_heap_remove dmaheap_remove
#define dma_heap_get_drvdata dmaheap_get_drvdata
#define dma_heap_get_name dmaheap_get_name
#define dma_heap_find_by_name dmaheap_find_by_name
#define dma_heap_put dmaheap_put
#define dma_heap_buffer_alloc dmaheap_buffer_alloc
#define dma_heap_begin_device_access dmaheap_begin_device_access
#define dma_heap_end_device_access dmaheap_end_device_access

struct dma_heap *dmaheap_add(const struct dma_heap_export_info *exp_info,
			     struct module *owner);
void dma_heap_remove(struct dma_heap *heap);
void *dma_heap_get_drvdata(struct dma_heap *heap);
const char *dma_heap_get_name(struct dma_heap *heap);
struct dma_heap *dma_heap_find_by_name(const char *name);
void dma_heap_put(struct dma_heap *heap);
struct dma_buf *dma_heap_buffer_alloc(struct dma_heap *heap, size_t len, u32 fd_flags,
				      u64 heap_flags);
int dma_heap_begin_device_access(struct dma_buf_attachment *attachment,
				 enum dma_data_direction dir);
int dma_heap_end_device_access(struct dma_buf_attachment *attachment,
			       enum dma_data_direction dir);

#endif /* _LINUX_DMA_HEAP_H */
