// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heap "negotiated": its memory is chosen when the first device maps the buffer, so that
 * it suits all that have attached by then.
 */
#include <linux/dma-heap-buffer.h>
#include <linux/err.h>
#include <linux/module.h>

/*
 * Memory that the CPU maps past its caches saves all maintenance, if no device has an interest
 * in what is in the caches.  Nobody has mapped it yet, or the memory would be chosen by now.
 */
static bool saves_work_uncached(const struct dma_heap_limits *limits)
{
	return limits->unsnooped && !limits->snooped;
}

static int negotiated_populate(struct dma_heap_buffer *buffer)
{
	struct dma_heap_limits limits;
	int err;

	dma_heap_buffer_limits(buffer, &limits);
	if (saves_work_uncached(&limits))
		dma_heap_buffer_set_cpu(buffer, DMA_HEAP_CPU_WRITE_COMBINED);
	if (limits.contiguity != DMA_HEAP_SCATTERED) {
		err = dma_heap_buffer_add_contiguous(buffer, limits.highest);
		if (!err || err == -EINTR || limits.contiguity == DMA_HEAP_CONTIGUOUS_REQUIRED)
			return err;
	}
	return dma_heap_buffer_add_pages(buffer, limits.highest, limits.longest);
}

static const struct dma_heap_buffer_ops negotiated_buffer_ops = {
	.populate = negotiated_populate,
	.free = dma_heap_free_pages,
	.late = true,
};

/* What can never be had is refused at once, all else when it is wanted. */
static struct dma_buf *negotiated_allocate(struct dma_heap *heap, unsigned long len,
					   u32 fd_flags, u64 heap_flags)
{
	int err = dma_heap_check_available(len);

	if (err)
		return ERR_PTR(err);
	return dma_heap_buffer_export(heap, &negotiated_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops negotiated_ops = {
	.allocate = negotiated_allocate,
};

static struct dma_heap *negotiated_heap;

static int __init negotiated_init(void)
{
	const struct dma_heap_export_info info = {
		.name = "negotiated",
		.ops = &negotiated_ops,
	};

	negotiated_heap = dma_heap_add(&info);
	return PTR_ERR_OR_ZERO(negotiated_heap);
}
module_init(negotiated_init);

static void __exit negotiated_exit(void)
{
	dma_heap_remove(negotiated_heap);
}
module_exit(negotiated_exit);

MODULE_DESCRIPTION("DMA-BUF heap of memory that suits the devices that are attached");
MODULE_LICENSE("GPL");
