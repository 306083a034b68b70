// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps whose buffers are made of equal chunks, each aligned to its size: for devices that have
 * no IOMMU, or a coarse one.
 */
#define pr_fmt(fmt) "dmaheap_chunk: " fmt

#include <linux/align.h>
#include <linux/dma-heap-region.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/sizes.h>

#define COMPATIBLE "dmaheap,chunk"
#define PROPERTY "dmaheap,chunk-size"

static char *regions[16];
static unsigned int nr_regions;
/* Physical addresses: not for a kernel that is locked down. */
module_param_hw_array(regions, charp, iomem, &nr_regions, 0444);
MODULE_PARM_DESC(regions, "NAME:SIZE@BASE,... as in tiles:64M@0x80000000");

static char *area;
module_param(area, charp, 0444);
MODULE_PARM_DESC(area, "name of a heap that takes its chunks from the default area of CMA");

static char *chunk = "1M";
module_param(chunk, charp, 0444);
MODULE_PARM_DESC(chunk, "size of a chunk, 64K to 16M, a power of two (default 1M)");

/* What @chunk says; for heaps of the device tree only if they say nothing. */
static size_t default_size;

static bool is_valid(u64 size)
{
	return size >= max_t(u64, SZ_64K, PAGE_SIZE) && size <= SZ_16M && is_power_of_2(size);
}

static size_t chunk_size(const struct dma_heap_region *region)
{
	u32 size;

	/* Was checked when the heap was published. */
	if (of_property_read_u32(dma_heap_region_node(region), PROPERTY, &size))
		return default_size;
	return size;
}

static int chunk_populate(struct dma_heap_buffer *buffer)
{
	struct dma_heap_region *region = dma_heap_get_drvdata(dma_heap_buffer_heap(buffer));
	size_t size = chunk_size(region);
	int err = 0;

	while (!err && dma_heap_buffer_missing(buffer))
		err = dma_heap_buffer_add_region(buffer, region, size, size);
	return err;
}

static const struct dma_heap_buffer_ops chunk_buffer_ops = {
	.populate = chunk_populate,
	.free = dma_heap_region_free,
	.pages = DMA_HEAP_PAGES_LENT,
};

static struct dma_buf *chunk_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				      u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &chunk_buffer_ops, len, fd_flags);
}

/* The last chunk is a whole one, too: a buffer is as long as its chunks. */
static size_t chunk_granule(struct dma_heap *heap)
{
	return chunk_size(dma_heap_get_drvdata(heap));
}

static const struct dma_heap_ops chunk_ops = {
	.allocate = chunk_allocate,
	.granule = chunk_granule,
};

static LIST_HEAD(chunked);

static int parse_size(void)
{
	char *end;
	u64 size = memparse(chunk, &end);

	if (*end || !is_valid(size)) {
		pr_err("chunk=%s: a chunk is 64K, 128K, ... up to 16M\n", chunk);
		return -EINVAL;
	}
	default_size = size;
	return 0;
}

static int check_nodes(void)
{
	struct device_node *node;
	u32 size;

	for_each_compatible_node(node, NULL, COMPATIBLE)
		if (!of_property_read_u32(node, PROPERTY, &size) && !is_valid(size)) {
			pr_err("%pOF: " PROPERTY
			       " is %#x: a chunk is 64 KiB, 128 KiB, ... up to 16 MiB\n",
			       node, size);
			of_node_put(node);
			return -EINVAL;
		}
	return 0;
}

static int find_regions(void)
{
	int err = dma_heap_regions_find(&chunked, regions, nr_regions, COMPATIBLE);

	if (!err && area) {
		err = dma_heap_regions_share_area(&chunked, area);
		if (err == -ENODEV)
			pr_err("area=%s: this kernel has no default area of CMA\n", area);
	}
	if (!err && list_empty(&chunked)) {
		pr_err("there is no memory: neither regions= nor area= nor a node of the device tree compatible with " COMPATIBLE
		       " names any\n");
		err = -ENODEV;
	}
	return err;
}

static int __init chunk_init(void)
{
	int err = parse_size();

	if (!err)
		err = check_nodes();
	if (!err)
		err = find_regions();
	if (!err)
		err = dma_heap_regions_publish(&chunked, &chunk_ops, NULL);
	if (err)
		dma_heap_regions_drop(&chunked);
	return err;
}
module_init(chunk_init);

static void __exit chunk_exit(void)
{
	dma_heap_regions_drop(&chunked);
}
module_exit(chunk_exit);

/* So that the module is loaded where the device tree wants its heaps. */
static const struct of_device_id chunk_ids[] = { { .compatible = COMPATIBLE }, {} };
MODULE_DEVICE_TABLE(of, chunk_ids);

MODULE_DESCRIPTION("DMA-BUF heaps of equal chunks");
MODULE_LICENSE("GPL");
