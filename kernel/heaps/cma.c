// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap for each area of the contiguous memory allocator: "default_cma_region", and those of
 * the device tree.
 */
#define pr_fmt(fmt) "dmaheap_cma: " fmt

#include <linux/dma-heap-region.h>
#include <linux/list.h>
#include <linux/module.h>

static int cma_populate(struct dma_heap_buffer *buffer)
{
	struct dma_heap *heap = dma_heap_buffer_heap(buffer);

	return dma_heap_buffer_add_region(buffer, dma_heap_get_drvdata(heap),
					  dma_heap_buffer_missing(buffer), PAGE_SIZE);
}

static const struct dma_heap_buffer_ops cma_buffer_ops = {
	.populate = cma_populate,
	.free = dma_heap_region_free,
	.pages = DMA_HEAP_PAGES_LENT,
};

static struct dma_buf *cma_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				    u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &cma_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops cma_ops = {
	.allocate = cma_allocate,
};

static LIST_HEAD(areas);

static int __init cma_init(void)
{
	int err = dma_heap_regions_of_areas(&areas);

	if (!err && list_empty(&areas)) {
		pr_err("this kernel has no area of CMA: %s\n",
		       IS_ENABLED(CONFIG_DMA_CMA) ? "reserve one by cma= or the device tree" :
						    "it was built without CONFIG_DMA_CMA");
		return -ENODEV;
	}
	if (!err)
		err = dma_heap_regions_publish(&areas, &cma_ops, NULL);
	if (err)
		dma_heap_regions_drop(&areas);
	return err;
}
module_init(cma_init);

static void __exit cma_exit(void)
{
	dma_heap_regions_drop(&areas);
}
module_exit(cma_exit);

MODULE_DESCRIPTION("DMA-BUF heaps of the contiguous memory allocator's areas");
MODULE_LICENSE("GPL");
