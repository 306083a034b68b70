// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions of memory that was set aside: finding them, making heaps of them, and giving buffers
 * their memory.
 */
#define pr_fmt(fmt) "dmaheap: " fmt

#include <linux/err.h>
#include <linux/of.h>
#include <linux/of_reserved_mem.h>
#include <linux/slab.h>

#include "core.h"
#include "region.h"

/* A region without a name has none yet: whoever found it is to give it one. */
static int add(struct list_head *regions, struct dma_heap_region *region, const char *name)
{
	if (IS_ERR(region))
		return PTR_ERR(region);
	region->name = kstrdup(name, GFP_KERNEL);
	list_add_tail(&region->link, regions);
	return region->name ? 0 : -ENOMEM;
}

/**
 * dma_heap_regions_parse - claim the regions that a module parameter names
 * @regions:	list that they are added to
 * @texts:	each NAME:SIZE@BASE, as in video:64M@0x80000000; size and base in bytes
 * @nr:		how many there are
 *
 * The kernel must not use the memory; it neither maps nor counts it
 * (%DMA_HEAP_PAGES_NONE).
 *
 * Context: process context, may sleep.
 * Return: 0, or of the first that fails, with the reason in the log: -EINVAL when it is no such
 * text, not made of whole pages, or overlaps memory that the kernel uses; -EBUSY when somebody
 * else has claimed it, or nothing is left to claim it by; -ENXIO when there is no memory, or it
 * cannot be mapped; -ENOMEM.  In any case dma_heap_regions_drop() is to follow.
 */
int dma_heap_regions_parse(struct list_head *regions, char *const *texts, unsigned int nr)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		struct dma_heap_region *region;
		char *name = kstrdup(texts[i], GFP_KERNEL);

		if (!name)
			return -ENOMEM;
		region = dmaheap_carveout_parse(texts[i], name);
		if (IS_ERR(region)) {
			kfree(name);
			return PTR_ERR(region);
		}
		region->name = name;
		list_add_tail(&region->link, regions);
	}
	return err;
}
EXPORT_SYMBOL_GPL(dma_heap_regions_parse);

/* ---- the device tree ---- */

static bool is_area(struct device_node *memory)
{
	return of_device_is_compatible(memory, "shared-dma-pool") &&
	       of_property_read_bool(memory, "reusable");
}

/* What is compatible with something has a driver, or the DMA API, that thinks it its own. */
static bool has_other_use(struct device_node *memory)
{
	return of_property_read_bool(memory, "compatible") && !is_area(memory);
}

/* The region that a node under /reserved-memory describes. */
static struct dma_heap_region *region_of(struct device_node *memory)
{
	struct reserved_mem *rmem = of_reserved_mem_lookup(memory);

	if (has_other_use(memory)) {
		pr_err("%pOF: has another use, being compatible with it\n", memory);
		return ERR_PTR(-EBUSY);
	}
	if (!rmem) {
		pr_err("%pOF: the kernel has not reserved this memory\n", memory);
		return ERR_PTR(-ENODEV);
	}
	if (is_area(memory))
		return dmaheap_area_of(rmem);
	return dmaheap_carveout_of(rmem, !of_property_read_bool(memory, "no-map"));
}

/*
 * Its heap's name is the node's, with the address: as the kernel names its own.  A part of an
 * area that has a heap of its own is called by the node that wants it.
 */
static int add_node(struct list_head *regions, struct device_node *node,
		    struct device_node *memory)
{
	struct device_node *called = node && is_area(memory) ? node : memory;
	struct dma_heap_region *region = region_of(memory);
	int err = add(regions, region, kbasename(called->full_name));

	if (!IS_ERR(region))
		region->node = of_node_get(node);
	return err;
}

/**
 * dma_heap_regions_of_nodes - find the regions that nodes of the device tree want a heap of
 * @regions:	list that they are added to
 * @compatible:	what the nodes are; each has a memory-region that points to the region
 *
 * Context: process context, may sleep.
 * Return: 0, also when there is none, or of the first that fails, with the reason in the log:
 * -EINVAL when a node names no region or one that is not made of whole pages; -ENODEV when the
 * kernel has not reserved it; -EBUSY when it has a heap or another use; -ENXIO when there is no
 * memory, or it cannot be mapped; -ENOMEM.  In any case dma_heap_regions_drop() is to follow.
 */
int dma_heap_regions_of_nodes(struct list_head *regions, const char *compatible)
{
	struct device_node *node, *memory;
	int err;

	for_each_compatible_node(node, NULL, compatible) {
		if (!of_device_is_available(node))
			continue;
		memory = of_parse_phandle(node, "memory-region", 0);
		err = memory ? add_node(regions, node, memory) : -EINVAL;
		of_node_put(memory);
		if (err) {
			pr_err("%pOF has no memory-region that a heap could be made of: %pe\n",
			       node, ERR_PTR(err));
			of_node_put(node);
			return err;
		}
	}
	return 0;
}
EXPORT_SYMBOL_GPL(dma_heap_regions_of_nodes);

/**
 * dma_heap_regions_find - find regions by a module parameter and by the device tree
 * @regions:	list that they are added to
 * @texts:	as for dma_heap_regions_parse()
 * @nr:		how many there are
 * @compatible:	as for dma_heap_regions_of_nodes()
 *
 * Context: process context, may sleep.
 * Return: as of both.  In any case dma_heap_regions_drop() is to follow.
 */
int dma_heap_regions_find(struct list_head *regions, char *const *texts, unsigned int nr,
			  const char *compatible)
{
	return dma_heap_regions_parse(regions, texts, nr) ?:
		       dma_heap_regions_of_nodes(regions, compatible);
}
EXPORT_SYMBOL_GPL(dma_heap_regions_find);

/* ---- areas of the contiguous memory allocator ---- */

/* The default one may come from the device tree, too; then it is not to be found twice. */
static bool is_default(struct device_node *memory)
{
	return of_property_read_bool(memory, "linux,cma-default");
}

/**
 * dma_heap_regions_share_area - make a region of the default area of CMA
 * @regions:	list that it is added to
 * @name:	what its heap is to be called
 *
 * Context: process context, may sleep.
 * Return: 0; -ENODEV when there is none; -ENOMEM.  In any case dma_heap_regions_drop() is to
 * follow.
 */
int dma_heap_regions_share_area(struct list_head *regions, const char *name)
{
	struct dma_heap_region *area = dmaheap_area_of(NULL);

	if (IS_ENABLED(CONFIG_DMA_CMA) && PTR_ERR_OR_ZERO(area) == -ENODEV)
		pr_info("there is no default area of CMA, or nothing of it is free\n");
	return add(regions, area, name);
}
EXPORT_SYMBOL_GPL(dma_heap_regions_share_area);

/**
 * dma_heap_regions_of_areas - find all areas of CMA
 * @regions:	list that they are added to
 *
 * The default area is called default_cma_region; those of the device tree (compatible
 * "shared-dma-pool", reusable) have their nodes' names.
 *
 * Context: process context, may sleep.
 * Return: 0, also when there is none; -ENOMEM.  In any case dma_heap_regions_drop() is to
 * follow.
 */
int dma_heap_regions_of_areas(struct list_head *regions)
{
	struct device_node *parent = of_find_node_by_path("/reserved-memory"), *memory;
	int err = dma_heap_regions_share_area(regions, "default_cma_region");

	if (err == -ENODEV)
		err = 0;
	for_each_available_child_of_node(parent, memory) {
		if (err || !is_area(memory) || is_default(memory))
			continue;
		err = add_node(regions, NULL, memory);
		/* There are more than it was built for, or this one is not aligned. */
		if (err == -ENODEV) {
			pr_warn("%pOF: the kernel has made no area of it, as its log should say\n",
				memory);
			err = 0;
		}
	}
	of_node_put(parent);
	return err;
}
EXPORT_SYMBOL_GPL(dma_heap_regions_of_areas);

/* ---- heaps ---- */

/**
 * dmaheap_regions_publish - publish a heap for each region; drivers call
 * dma_heap_regions_publish(@regions, @ops, @priv)
 * @regions:	what was found
 * @ops:	the operations of the heaps; dma_heap_get_drvdata() is the region
 * @priv:	for dma_heap_region_priv()
 * @owner:	module that holds the operations; filled in by dma_heap_regions_publish()
 *
 * Context: process context, may sleep; within the init of the module, before which nobody gets a buffer.
 * Return: 0 or what dma_heap_add() said; dma_heap_regions_drop() is to follow.
 */
int dmaheap_regions_publish(struct list_head *regions, const struct dma_heap_ops *ops,
			    void *priv, struct module *owner)
{
	struct dma_heap_region *region;

	list_for_each_entry(region, regions, link) {
		const struct dma_heap_export_info info = {
			.name = region->name,
			.ops = ops,
			.priv = region,
		};
		struct dma_heap *heap;

		region->priv = priv;
		heap = dmaheap_add(&info, owner);
		if (IS_ERR(heap))
			return PTR_ERR(heap);
		region->heap = heap;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(dmaheap_regions_publish);

/**
 * dma_heap_regions_drop - remove the heaps of regions, and give the regions up
 * @regions:	what was found; empty afterwards
 *
 * Context: process context, may sleep.  No buffer of the heaps may be left: as each holds the
 * heaps' module, that is so when the module exits, and when no heap was published.
 */
void dma_heap_regions_drop(struct list_head *regions)
{
	struct dma_heap_region *region, *next;

	list_for_each_entry_safe(region, next, regions, link) {
		if (region->heap)
			dma_heap_remove(region->heap);
		list_del(&region->link);
		of_node_put(region->node);
		region->ops->close(region);
	}
}
EXPORT_SYMBOL_GPL(dma_heap_regions_drop);

/**
 * dma_heap_region_node - the node of the device tree that wanted a heap of a region
 * @region:	the region
 *
 * Context: any.
 * Return: the node, as long as the region; NULL if nothing there did.
 */
struct device_node *dma_heap_region_node(const struct dma_heap_region *region)
{
	return region->node;
}
EXPORT_SYMBOL_GPL(dma_heap_region_node);

/**
 * dma_heap_region_priv - the data that the heap of a region was published with
 * @region:	the region
 *
 * Context: any.
 * Return: what dma_heap_regions_publish() was given.
 */
void *dma_heap_region_priv(const struct dma_heap_region *region)
{
	return region->priv;
}
EXPORT_SYMBOL_GPL(dma_heap_region_priv);

/**
 * dma_heap_regions_all_unmapped - is there no region that the kernel maps?
 * @regions:	what was found
 *
 * Context: process context.
 * Return: whether the kernel neither maps nor counts the memory of any (%DMA_HEAP_PAGES_NONE).
 * The log names one for which that is not so.
 */
bool dma_heap_regions_all_unmapped(const struct list_head *regions)
{
	struct dma_heap_region *region;

	list_for_each_entry(region, regions, link)
		if (region->pages != DMA_HEAP_PAGES_NONE) {
			pr_err("region %s is mapped by the kernel: it needs no-map in the device tree\n",
			       region->name);
			return false;
		}
	return true;
}
EXPORT_SYMBOL_GPL(dma_heap_regions_all_unmapped);

/* ---- buffers ---- */

/**
 * dma_heap_buffer_add_region - give a buffer memory of a region
 * @buffer:	the buffer; all of its memory must come from this region
 * @region:	the region
 * @len:	bytes, whole pages, at most dma_heap_buffer_missing()
 * @align:	what the memory is aligned to, in bytes: a power of two, at least a page
 *
 * The memory is contiguous and zeroed.  dma_heap_region_free() is the operation to free it.
 * Of memory that the kernel does not map, the buffer is write-combined from now on, unless the
 * CPU may not get at it anyway.
 *
 * Context: within &dma_heap_buffer_ops.populate; may sleep.
 * Return: 0; -ENOMEM when there is no such piece left; -EINTR when a fatal signal came.
 */
int dma_heap_buffer_add_region(struct dma_heap_buffer *buffer, struct dma_heap_region *region,
			       size_t len, size_t align)
{
	phys_addr_t phys;
	int err;

	if (WARN_ON_ONCE(buffer->region && buffer->region != region))
		return -EINVAL;
	/* Not piece by piece, until there is nothing left for others. */
	if (region->size && dma_heap_buffer_missing(buffer) > region->size)
		return -ENOMEM;
	err = region->ops->alloc(region, len, align, &phys);
	if (err)
		return err;
	buffer->region = region;
	buffer->pages = region->pages;
	if (region->pages == DMA_HEAP_PAGES_NONE && buffer->cpu == DMA_HEAP_CPU_CACHED)
		buffer->cpu = DMA_HEAP_CPU_WRITE_COMBINED;
	err = dma_heap_buffer_add(buffer, phys, len);
	if (err)
		region->ops->free(region, phys, len);
	return err;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_add_region);

/**
 * dma_heap_region_free - give a chunk back to its buffer's region
 * @buffer:	the buffer
 * @phys:	where the chunk starts
 * @len:	its length in bytes
 *
 * An operation &dma_heap_buffer_ops.free for what dma_heap_buffer_add_region() has added.
 *
 * Context: as of that operation.
 */
void dma_heap_region_free(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	buffer->region->ops->free(buffer->region, phys, len);
}
EXPORT_SYMBOL_GPL(dma_heap_region_free);

/**
 * dma_heap_region_clear - zero a chunk before it goes back to its buffer's region
 * @buffer:	the buffer
 * @phys:	where the chunk starts
 * @len:	its length in bytes
 *
 * Whatever is given out is zero anyway.  This is for contents that must not stay in memory until
 * somebody else wants it.
 *
 * Context: within &dma_heap_buffer_ops.free, before dma_heap_region_free(); may sleep.
 * Return: 0, or -ENOMEM: it could not be mapped, and is as it was.
 */
int dma_heap_region_clear(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	const struct dmaheap_region_ops *ops = buffer->region->ops;

	return ops->clear ? ops->clear(buffer->region, phys, len) : 0;
}
EXPORT_SYMBOL_GPL(dma_heap_region_clear);
