// SPDX-License-Identifier: GPL-2.0-only
/* The heap "system-contiguous": contiguous buffers, though nothing was reserved for them. */
#include <linux/dma-heap-buffer.h>
#include <linux/err.h>
#include <linux/module.h>

static int contig_populate(struct dma_heap_buffer *buffer)
{
	return dma_heap_buffer_add_contiguous(buffer, PHYS_ADDR_MAX);
}

static const struct dma_heap_buffer_ops contig_buffer_ops = {
	.populate = contig_populate,
	.free = dma_heap_free_pages,
};

static struct dma_buf *contig_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				       u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &contig_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops contig_ops = {
	.allocate = contig_allocate,
};

static struct dma_heap *contig_heap;

static int __init contig_init(void)
{
	const struct dma_heap_export_info info = {
		.name = "system-contiguous",
		.ops = &contig_ops,
	};

	contig_heap = dma_heap_add(&info);
	return PTR_ERR_OR_ZERO(contig_heap);
}
module_init(contig_init);

static void __exit contig_exit(void)
{
	dma_heap_remove(contig_heap);
}
module_exit(contig_exit);

MODULE_DESCRIPTION("DMA-BUF heap of contiguous system memory");
MODULE_LICENSE("GPL");
