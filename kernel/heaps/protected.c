// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps of memory that the CPU must not touch, but devices may which were allowed to: what a
 * player decrypts, or a camera sees.  What makes memory so is up to the platform: its driver
 * says how it is lent and reclaimed.
 */
#define pr_fmt(fmt) "dmaheap_protected: " fmt

#include <linux/device.h>
#include <linux/dma-heap-protected.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

/**
 * struct dma_heap_protected - heaps that are protected in one way
 * @ops:	the way
 * @priv:	data for it
 * @regions:	the heaps' memory
 */
struct dma_heap_protected {
	const struct dma_heap_protection_ops *ops;
	void *priv;
	struct list_head *regions;
};

static const struct dma_heap_protected *protection_of(const struct dma_heap_buffer *buffer)
{
	return dma_heap_region_priv(dma_heap_get_drvdata(dma_heap_buffer_heap(buffer)));
}

static int protected_populate(struct dma_heap_buffer *buffer)
{
	const struct dma_heap_protected *protection = protection_of(buffer);
	struct dma_heap_region *region = dma_heap_get_drvdata(dma_heap_buffer_heap(buffer));
	size_t size = dma_heap_buffer_size(buffer);
	phys_addr_t phys;
	int err;

	err = dma_heap_buffer_add_region(buffer, region, size, PAGE_SIZE);
	if (err)
		return err;
	dma_heap_buffer_chunk(buffer, 0, &phys);
	err = protection->ops->lend(protection->priv, phys, size);
	if (!err) /* it is to be reclaimed */
		dma_heap_buffer_set_priv(buffer, (void *)protection);
	return err;
}

static void protected_free(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	const struct dma_heap_protected *lent_by = dma_heap_buffer_get_priv(buffer);
	int err = lent_by ? lent_by->ops->reclaim(lent_by->priv, phys, len) : 0;

	/* What was worth protecting does not lie around until somebody wants the memory. */
	if (!err)
		err = dma_heap_region_clear(buffer, phys, len);
	if (!err)
		dma_heap_region_free(buffer, phys, len);
	else
		pr_err("%zu bytes at %pa of heap %s could not be reclaimed (%pe): they are lost\n",
		       len, &phys, dma_heap_get_name(dma_heap_buffer_heap(buffer)),
		       ERR_PTR(err));
}

static int protected_attach(struct dma_heap_buffer *buffer, struct device *dev)
{
	const struct dma_heap_protected *protection = protection_of(buffer);

	if (protection->ops->allows(protection->priv, dev))
		return 0;
	dev_warn_ratelimited(dev, "dmaheap: may not use protected memory of heap %s\n",
			     dma_heap_get_name(dma_heap_buffer_heap(buffer)));
	return -EPERM;
}

static const struct dma_heap_buffer_ops protected_buffer_ops = {
	.populate = protected_populate,
	.free = protected_free,
	.attach = protected_attach,
	.cpu = DMA_HEAP_CPU_NONE,
	.pages = DMA_HEAP_PAGES_NONE,
};

static struct dma_buf *protected_allocate(struct dma_heap *heap, unsigned long len,
					  u32 fd_flags, u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &protected_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops protected_ops = {
	.allocate = protected_allocate,
};

/**
 * dmaheap_protected_add - publish heaps of protected memory; drivers call
 * dma_heap_protected_add(@regions, @ops, @priv)
 * @regions:	the memory, as dma_heap_regions_parse() and its like have found it; a heap each.
 *		The kernel must not map it.
 * @ops:	how it is protected; must stay until dma_heap_protected_remove()
 * @priv:	data for @ops
 * @owner:	the driver's module, which each buffer holds; filled in by
 *		dma_heap_protected_add()
 *
 * A buffer is one piece.  mmap() and accesses of the CPU are -EPERM, vmap is -EINVAL; a device
 * attaches only if @ops allows it, and never by bounce buffers.
 *
 * Context: process context, may sleep; within the init of the driver's module, before which nobody gets a
 * buffer: if one heap cannot be published, the others must have none.
 * Return: what dma_heap_protected_remove() takes, or an ERR_PTR(), upon which the caller drops
 * the regions: -EINVAL when the kernel maps one of them, or an operation is missing; -EBUSY
 * when a heap of that name is published; -ENOMEM.
 */
struct dma_heap_protected *dmaheap_protected_add(struct list_head *regions,
						 const struct dma_heap_protection_ops *ops,
						 void *priv, struct module *owner)
{
	struct dma_heap_protected *heaps;
	int err;

	if (!ops->lend || !ops->reclaim || !ops->allows ||
	    !dma_heap_regions_all_unmapped(regions))
		return ERR_PTR(-EINVAL);
	heaps = kzalloc(sizeof(*heaps), GFP_KERNEL);
	if (!heaps)
		return ERR_PTR(-ENOMEM);
	heaps->ops = ops;
	heaps->priv = priv;
	heaps->regions = regions;
	err = dmaheap_regions_publish(regions, &protected_ops, heaps, owner);
	if (err) {
		dma_heap_regions_drop(regions);
		kfree(heaps);
		return ERR_PTR(err);
	}
	return heaps;
}
EXPORT_SYMBOL_GPL(dmaheap_protected_add);

/**
 * dma_heap_protected_remove - remove heaps of protected memory, and give their regions up
 * @heaps:	what dma_heap_protected_add() returned
 *
 * Context: process context, may sleep; within the exit of the driver's module.  No buffer may be left:
 * each holds that module, so that none is then, but may well be when a device is unbound.
 */
void dma_heap_protected_remove(struct dma_heap_protected *heaps)
{
	dma_heap_regions_drop(heaps->regions);
	kfree(heaps);
}
EXPORT_SYMBOL_GPL(dma_heap_protected_remove);

MODULE_DESCRIPTION("DMA-BUF heaps of memory that the CPU must not touch");
MODULE_LICENSE("GPL");
