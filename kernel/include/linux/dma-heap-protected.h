/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmaheap: heaps of memory that the CPU must not touch, for the driver that knows how a
 * platform protects memory.
 */
#ifndef _LINUX_DMA_HEAP_PROTECTED_H
#define _LINUX_DMA_HEAP_PROTECTED_H

#include <linux/dma-heap-region.h>

/**
 * struct dma_heap_protection_ops - how a platform protects memory
 * @lend:	take memory away from the CPU; all of it is zero.  Returns 0 or an error, upon
 *		which the allocation fails with it.
 * @reclaim:	give it back to the CPU, which will overwrite it.  After an error the memory is
 *		never used again.
 * @allows:	may a device get at it?
 *
 * All are called in process context and may sleep; @priv is that of dma_heap_protected_add().
 * @phys and @len are whole pages, and @reclaim gets what @lend got.
 */
struct dma_heap_protection_ops {
	int (*lend)(void *priv, phys_addr_t phys, size_t len);
	int (*reclaim)(void *priv, phys_addr_t phys, size_t len);
	bool (*allows)(void *priv, struct device *dev);
};

struct dma_heap_protected;

#define dma_heap_protected_add(regions, ops, priv) \
	dmaheap_protected_add(regions, ops, priv, THIS_MODULE)
#define dma_heap_protected_remove dmaheap_protected_remove

struct dma_heap_protected *dmaheap_protected_add(struct list_head *regions,
						 const struct dma_heap_protection_ops *ops,
						 void *priv, struct module *owner);
void dma_heap_protected_remove(struct dma_heap_protected *heaps);

#endif /* _LINUX_DMA_HEAP_PROTECTED_H */
