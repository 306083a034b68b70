// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heap "system": pages from the whole of memory, in chunks as large as it has; and
 * "system-uncached": the same, past the CPU's caches.
 */
#include <linux/dma-heap-buffer.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/module.h>

static int system_populate(struct dma_heap_buffer *buffer)
{
	return dma_heap_buffer_add_pages(buffer, PHYS_ADDR_MAX, SIZE_MAX);
}

static const struct dma_heap_buffer_ops system_buffer_ops = {
	.populate = system_populate,
};

static struct dma_buf *system_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				       u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &system_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops system_ops = {
	.allocate = system_allocate,
};

/* ---- uncached ---- */

static const struct dma_heap_buffer_ops uncached_buffer_ops = {
	.populate = system_populate,
	.cpu = DMA_HEAP_CPU_WRITE_COMBINED,
};

static struct dma_buf *uncached_allocate(struct dma_heap *heap, unsigned long len,
					 u32 fd_flags, u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &uncached_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops uncached_ops = {
	.allocate = uncached_allocate,
};

/* ---- both ---- */

static struct dma_heap *heaps[2];

static int __init system_init(void)
{
	static const struct dma_heap_export_info infos[] = {
		{
			.name = "system",
			.ops = &system_ops,
			.pool = DMA_HEAP_POOL_CACHED,
		},
		{
			.name = "system-uncached",
			.ops = &uncached_ops,
			.pool = DMA_HEAP_POOL_WRITE_COMBINED,
		},
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(infos); i++) {
		heaps[i] = dma_heap_add(&infos[i]);
		if (!IS_ERR(heaps[i]))
			continue;
		if (i)
			dma_heap_remove(heaps[0]);
		return PTR_ERR(heaps[i]);
	}
	return 0;
}
module_init(system_init);

static void __exit system_exit(void)
{
	dma_heap_remove(heaps[1]);
	dma_heap_remove(heaps[0]);
}
module_exit(system_exit);

MODULE_DESCRIPTION("DMA-BUF heaps of scattered system memory, cached and uncached");
MODULE_LICENSE("GPL");
