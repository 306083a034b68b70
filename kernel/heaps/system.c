// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heap "system": pages from the whole of memory, in chunks as large as it has; and
 * "system-uncached": the same, past the CPU's caches.
 */
#define pr_fmt(fmt) "dmaheap_system: " fmt

#include <linux/dma-heap-buffer.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../compat/linear_map.h"

static int system_populate(struct dma_heap_buffer *buffer)
{
	return dma_heap_buffer_add_pages(buffer, PHYS_ADDR_MAX, SIZE_MAX);
}

static const struct dma_heap_buffer_ops system_buffer_ops = {
	.populate = system_populate,
	.free = dma_heap_free_pages,
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

/*
 * Where mappings of two types may not exist (x86), the kernel's own is changed with the
 * buffer's.  Each change flushes caches and TLBs of all CPUs, so it is made for many pages at a
 * time.  The array that this takes is kept: giving pages back must not fail for want of it.
 */
#define BATCH 8192

static size_t gather(const struct dma_heap_buffer *buffer, size_t *offset, size_t size,
		     struct page **pages)
{
	size_t nr = 0;

	while (*offset < size && nr < BATCH) {
		phys_addr_t phys;
		size_t len = dma_heap_buffer_chunk(buffer, *offset, &phys), i;

		for (i = 0; i < len >> PAGE_SHIFT && nr < BATCH; i++)
			pages[nr++] = pfn_to_page(PHYS_PFN(phys) + i);
		*offset += i << PAGE_SHIFT;
	}
	return nr;
}

static int change_linear_map(struct dma_heap_buffer *buffer, struct page **pages, size_t size,
			     int (*change)(struct page **pages, int nr))
{
	size_t offset = 0, nr;
	int err = 0;

	while (!err && (nr = gather(buffer, &offset, size, pages))) {
		err = change(pages, nr);
		cond_resched();
	}
	return err;
}

static int uncached_populate(struct dma_heap_buffer *buffer)
{
	size_t size = dma_heap_buffer_missing(buffer);
	struct page **pages;
	int err = system_populate(buffer);

	if (err || !compat_linear_map_matters())
		return err;
	pages = kvmalloc_array(min_t(size_t, size >> PAGE_SHIFT, BATCH), sizeof(*pages),
			       GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	dma_heap_buffer_set_priv(buffer, pages);
	return change_linear_map(buffer, pages, size, compat_set_linear_wc) ? -ENOMEM : 0;
}

/* Also of what was changed only in part. */
static void uncached_release(struct dma_heap_buffer *buffer)
{
	struct page **pages = dma_heap_buffer_get_priv(buffer);
	size_t size = dma_heap_buffer_size(buffer);
	int err;

	if (!pages)
		return;
	err = change_linear_map(buffer, pages, size, compat_set_linear_wb);
	kvfree(pages);
	dma_heap_buffer_set_priv(buffer, ERR_PTR(err));
	if (err)
		pr_err("the kernel's mapping of %zu KiB stays write-combined (%pe): these pages are lost\n",
		       size / SZ_1K, ERR_PTR(err));
}

static void uncached_free(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	if (!IS_ERR(dma_heap_buffer_get_priv(buffer)))
		dma_heap_free_pages(buffer, phys, len);
}

static const struct dma_heap_buffer_ops uncached_buffer_ops = {
	.populate = uncached_populate,
	.release = uncached_release,
	.free = uncached_free,
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
		{ .name = "system", .ops = &system_ops },
		{ .name = "system-uncached", .ops = &uncached_ops },
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
