// SPDX-License-Identifier: GPL-2.0-only
/* The heap "skeleton": single pages.  To be copied from; docs/writing-a-heap.md explains it. */
#include <linux/dma-heap-buffer.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

static int skeleton_populate(struct dma_heap_buffer *buffer)
{
	int err = dma_heap_buffer_announce(buffer);

	while (!err && dma_heap_buffer_missing(buffer)) {
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		page = alloc_page(GFP_HIGHUSER | __GFP_ZERO | __GFP_RETRY_MAYFAIL |
				  __GFP_NOWARN | dma_heap_buffer_gfp(buffer));
		if (!page)
			return -ENOMEM;
		err = dma_heap_buffer_add(buffer, page_to_phys(page), PAGE_SIZE);
		if (err)
			__free_page(page);
		cond_resched();
	}
	return err;
}

static void skeleton_free(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	__free_page(pfn_to_page(PHYS_PFN(phys)));
}

static const struct dma_heap_buffer_ops skeleton_buffer_ops = {
	.populate = skeleton_populate,
	.free = skeleton_free,
};

static struct dma_buf *skeleton_allocate(struct dma_heap *heap, unsigned long len,
					 u32 fd_flags, u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &skeleton_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops skeleton_ops = {
	.allocate = skeleton_allocate,
};

static struct dma_heap *skeleton_heap;

static int __init skeleton_init(void)
{
	const struct dma_heap_export_info info = {
		.name = "skeleton",
		.ops = &skeleton_ops,
	};

	skeleton_heap = dma_heap_add(&info);
	return PTR_ERR_OR_ZERO(skeleton_heap);
}
module_init(skeleton_init);

static void __exit skeleton_exit(void)
{
	dma_heap_remove(skeleton_heap);
}
module_exit(skeleton_exit);

MODULE_DESCRIPTION("DMA-BUF heap to copy from");
MODULE_LICENSE("GPL");
