// SPDX-License-Identifier: GPL-2.0-only
/* A heap of single pages that the CPU maps write-combined. */
#include <linux/dma-heap-buffer.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>

static int combined_populate(struct dma_heap_buffer *buffer)
{
	int err = 0;

	while (!err && dma_heap_buffer_missing(buffer)) {
		struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

		if (!page)
			return -ENOMEM;
		err = dma_heap_buffer_add(buffer, PFN_PHYS(page_to_pfn(page)), PAGE_SIZE);
		if (err)
			__free_page(page);
	}
	return err;
}

static void combined_free(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	__free_page(pfn_to_page(PHYS_PFN(phys)));
}

static const struct dma_heap_buffer_ops combined_buffer_ops = {
	.populate = combined_populate,
	.free = combined_free,
	.write_combined = true,
};

static struct dma_buf *combined_allocate(struct dma_heap *heap, unsigned long len,
					 u32 fd_flags, u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &combined_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops combined_ops = {
	.allocate = combined_allocate,
};

static struct dma_heap *combined_heap;

static int __init combined_init(void)
{
	const struct dma_heap_export_info info = {
		.name = "test-combined",
		.ops = &combined_ops,
	};

	/* There, the pages' other mapping would have to be changed, too. */
	if (IS_ENABLED(CONFIG_X86))
		return -ENODEV;
	combined_heap = dma_heap_add(&info);
	return PTR_ERR_OR_ZERO(combined_heap);
}
module_init(combined_init);

static void __exit combined_exit(void)
{
	dma_heap_remove(combined_heap);
}
module_exit(combined_exit);

MODULE_DESCRIPTION("Test: a heap that the CPU maps write-combined");
MODULE_LICENSE("GPL");
