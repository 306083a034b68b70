/* SPDX-License-Identifier: GPL-2.0-only */
/* Regions: what finding them and making heaps of them (region.c) knows of their kinds. */
#ifndef _DMAHEAP_REGION_H
#define _DMAHEAP_REGION_H

#include <linux/dma-heap-region.h>
#include <linux/list.h>

struct reserved_mem;

/**
 * struct dmaheap_region_ops - what a kind of region can do
 * @alloc:	take @len bytes, aligned to @align, a power of two, and all zero, and put where
 *		they start into @phys; both are whole pages.  Returns 0, -ENOMEM, or -EINTR.
 * @free:	take them back
 * @clear:	zero them once more, for who cannot leave that to the next user.  Returns 0 or
 *		-ENOMEM.  NULL: it need not be.
 * @close:	give the region up, its name and its structure
 */
struct dmaheap_region_ops {
	int (*alloc)(struct dma_heap_region *region, size_t len, size_t align,
		     phys_addr_t *phys);
	void (*free)(struct dma_heap_region *region, phys_addr_t phys, size_t len);
	int (*clear)(struct dma_heap_region *region, phys_addr_t phys, size_t len);
	void (*close)(struct dma_heap_region *region);
};

/**
 * struct dma_heap_region - memory that was set aside; at the start of each kind's own structure
 * @link:	in the list of whoever found it
 * @name:	its heap's
 * @node:	the device tree's node that asked for a heap of it, counted; or NULL
 * @ops:	what its kind can do
 * @pages:	what the kernel knows of its memory
 * @size:	bytes; 0: not known
 * @heap:	what was published of it, or NULL
 * @priv:	data of whoever published it
 */
struct dma_heap_region {
	struct list_head link;
	const char *name;
	struct device_node *node;
	const struct dmaheap_region_ops *ops;
	enum dma_heap_pages pages;
	size_t size;
	struct dma_heap *heap;
	void *priv;
};

/* carveout.c */
struct dma_heap_region *dmaheap_carveout_parse(const char *text, char *name);
struct dma_heap_region *dmaheap_carveout_of(const struct reserved_mem *rmem, bool mapped);

/* area.c: of a region of the device tree, or with NULL the default one */
struct dma_heap_region *dmaheap_area_of(struct reserved_mem *rmem);

#endif /* _DMAHEAP_REGION_H */
