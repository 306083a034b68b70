// SPDX-License-Identifier: GPL-2.0-only
/* A heap for each carveout: memory that nobody else may use, found in the device tree or given
 * by parameter.  A buffer is one piece.
 */
#define pr_fmt(fmt) "dmaheap_carveout: " fmt

#include <linux/dma-heap-region.h>
#include <linux/list.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>

#define COMPATIBLE "dmaheap,carveout"

static char *regions[16];
static unsigned int nr_regions;
/* Physical addresses: not for a kernel that is locked down. */
module_param_hw_array(regions, charp, iomem, &nr_regions, 0444);
MODULE_PARM_DESC(regions, "NAME:SIZE@BASE,... as in video:64M@0x80000000");

static int carveout_populate(struct dma_heap_buffer *buffer)
{
	struct dma_heap *heap = dma_heap_buffer_heap(buffer);

	return dma_heap_buffer_add_region(buffer, dma_heap_get_drvdata(heap),
					  dma_heap_buffer_missing(buffer), PAGE_SIZE);
}

static const struct dma_heap_buffer_ops carveout_buffer_ops = {
	.populate = carveout_populate,
	.free = dma_heap_region_free,
	.pages = DMA_HEAP_PAGES_LENT,
};

static struct dma_buf *carveout_allocate(struct dma_heap *heap, unsigned long len,
					 u32 fd_flags, u64 heap_flags)
{
	return dma_heap_buffer_export(heap, &carveout_buffer_ops, len, fd_flags);
}

static const struct dma_heap_ops carveout_ops = {
	.allocate = carveout_allocate,
};

static LIST_HEAD(carveouts);

static int __init carveout_init(void)
{
	int err = dma_heap_regions_find(&carveouts, regions, nr_regions, COMPATIBLE);

	if (!err && list_empty(&carveouts)) {
		pr_err("there is no carveout: neither regions= nor a node of the device tree compatible with " COMPATIBLE
		       " names one\n");
		err = -ENODEV;
	}
	if (!err)
		err = dma_heap_regions_publish(&carveouts, &carveout_ops, NULL);
	if (err)
		dma_heap_regions_drop(&carveouts);
	return err;
}
module_init(carveout_init);

static void __exit carveout_exit(void)
{
	dma_heap_regions_drop(&carveouts);
}
module_exit(carveout_exit);

/* So that the module is loaded where the device tree wants its heaps. */
static const struct of_device_id carveout_ids[] = { { .compatible = COMPATIBLE }, {} };
MODULE_DEVICE_TABLE(of, carveout_ids);

MODULE_DESCRIPTION("DMA-BUF heaps of carveouts");
MODULE_LICENSE("GPL");
