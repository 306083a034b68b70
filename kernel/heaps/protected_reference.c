// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reference of how protected heaps are made: a carveout that the kernel does not map, lent in
 * name only.  A platform's driver would, in lend() and reclaim(), tell whatever guards the
 * memory: a firewall on the bus, or the firmware of the secure world.
 */
#define pr_fmt(fmt) "dmaheap_protected_reference: " fmt

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/dma-heap-protected.h>
#include <linux/err.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/string.h>

#define COMPATIBLE "dmaheap,protected"

static char *regions[16];
static unsigned int nr_regions;
/* Physical addresses: not for a kernel that is locked down. */
module_param_hw_array(regions, charp, iomem, &nr_regions, 0444);
MODULE_PARM_DESC(regions, "NAME:SIZE@BASE,... as in protected:64M@0x80000000");

static char *devices[16];
static unsigned int nr_devices;
module_param_array(devices, charp, &nr_devices, 0444);
MODULE_PARM_DESC(devices, "names of the devices that may attach");

/* What fails, for a look at what happens then. */
static bool lend_fails;
module_param(lend_fails, bool, 0644);
MODULE_PARM_DESC(lend_fails, "memory cannot be lent (default: it can)");

static bool reclaim_fails;
module_param(reclaim_fails, bool, 0644);
MODULE_PARM_DESC(reclaim_fails, "memory does not come back (default: it does)");

static atomic_long_t lent_bytes;

static int get_lent(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%ld\n", atomic_long_read(&lent_bytes));
}

static const struct kernel_param_ops lent_ops = { .get = get_lent };
module_param_cb(lent, &lent_ops, NULL, 0444);
MODULE_PARM_DESC(lent, "bytes that are lent just now");

static int reference_lend(void *priv, phys_addr_t phys, size_t len)
{
	if (READ_ONCE(lend_fails))
		return -EIO;
	atomic_long_add(len, &lent_bytes);
	return 0;
}

static int reference_reclaim(void *priv, phys_addr_t phys, size_t len)
{
	if (READ_ONCE(reclaim_fails))
		return -EIO;
	atomic_long_sub(len, &lent_bytes);
	return 0;
}

static bool reference_allows(void *priv, struct device *dev)
{
	unsigned int i;

	for (i = 0; i < nr_devices; i++)
		if (!strcmp(devices[i], dev_name(dev)))
			return true;
	return false;
}

static const struct dma_heap_protection_ops reference_ops = {
	.lend = reference_lend,
	.reclaim = reference_reclaim,
	.allows = reference_allows,
};

static LIST_HEAD(carveouts);
static struct dma_heap_protected *heaps;

static int __init reference_init(void)
{
	int err = dma_heap_regions_find(&carveouts, regions, nr_regions, COMPATIBLE);

	if (!err && list_empty(&carveouts)) {
		pr_err("there is no carveout: neither regions= nor a node of the device tree compatible with " COMPATIBLE
		       " names one\n");
		err = -ENODEV;
	}
	if (!err) {
		heaps = dma_heap_protected_add(&carveouts, &reference_ops, NULL);
		err = PTR_ERR_OR_ZERO(heaps);
	}
	if (err)
		dma_heap_regions_drop(&carveouts);
	return err;
}
module_init(reference_init);

static void __exit reference_exit(void)
{
	dma_heap_protected_remove(heaps);
}
module_exit(reference_exit);

/* So that the module is loaded where the device tree wants its heaps. */
static const struct of_device_id reference_ids[] = { { .compatible = COMPATIBLE }, {} };
MODULE_DEVICE_TABLE(of, reference_ids);

MODULE_DESCRIPTION("Reference backend of protected DMA-BUF heaps");
MODULE_LICENSE("GPL");
