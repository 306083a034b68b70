/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmaheap: memory that was set aside, for drivers that publish heaps of it.
 *
 * A region is a carveout, which belongs to nobody but its heap, or an area of the contiguous
 * memory allocator, which lends its memory to others until a heap wants it.  Where it is says
 * the device tree or a module parameter.
 */
#ifndef _LINUX_DMA_HEAP_REGION_H
#define _LINUX_DMA_HEAP_REGION_H

#include <linux/dma-heap-buffer.h>

struct device_node;
struct dma_heap_region;
struct list_head;

#define dma_heap_regions_parse dmaheap_regions_parse
#define dma_heap_regions_of_nodes dmaheap_regions_of_nodes
#define dma_heap_regions_find dmaheap_regions_find
#define dma_heap_regions_of_areas dmaheap_regions_of_areas
#define dma_heap_regions_share_area dmaheap_regions_share_area
#define dma_heap_areas_size dmaheap_areas_size
#define dma_heap_regions_publish(regions, ops, priv) \
	dmaheap_regions_publish(regions, ops, priv, THIS_MODULE)
#define dma_heap_regions_all_unmapped dmaheap_regions_all_unmapped
#define dma_heap_regions_drop dmaheap_regions_drop
#define dma_heap_region_node dmaheap_region_node
#define dma_heap_region_priv dmaheap_region_priv
#define dma_heap_region_free dmaheap_region_free
#define dma_heap_region_clear dmaheap_region_clear
#define dma_heap_buffer_add_region dmaheap_buffer_add_region

/* Finding regions */
int dma_heap_regions_parse(struct list_head *regions, char *const *texts, unsigned int nr);
int dma_heap_regions_of_nodes(struct list_head *regions, const char *compatible);
int dma_heap_regions_find(struct list_head *regions, char *const *texts, unsigned int nr,
			  const char *compatible);
int dma_heap_regions_of_areas(struct list_head *regions);
int dma_heap_regions_share_area(struct list_head *regions, const char *name);
size_t dma_heap_areas_size(void);

/* Making heaps of them */
int dmaheap_regions_publish(struct list_head *regions, const struct dma_heap_ops *ops,
			    void *priv, struct module *owner);
void dma_heap_regions_drop(struct list_head *regions);

/* What a region is */
struct device_node *dma_heap_region_node(const struct dma_heap_region *region);
void *dma_heap_region_priv(const struct dma_heap_region *region);
bool dma_heap_regions_all_unmapped(const struct list_head *regions);

/* Its memory */
int dma_heap_buffer_add_region(struct dma_heap_buffer *buffer, struct dma_heap_region *region,
			       size_t len, size_t align);
void dma_heap_region_free(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len);
int dma_heap_region_clear(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len);

#endif /* _LINUX_DMA_HEAP_REGION_H */
