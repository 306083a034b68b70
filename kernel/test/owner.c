// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that publishes a heap of its device, as drivers of cameras and codecs would.  It has 32 bits;
 * on a platform the bus has one more, and has memory in their upper half.
 */
#include <linux/dma-direct.h>
#include <linux/dma-heap-device.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/slab.h>

static bool pci;
module_param(pci, bool, 0444);
MODULE_PARM_DESC(
	pci,
	"the device is the last of QEMU's pci-testdev, which an IOMMU may be before (default: a platform device)");

static struct platform_device *pdev;
static struct pci_dev *testdev;
static struct dma_heap_device *heap;

static struct device *find_testdev(void)
{
	struct pci_dev *next = NULL;

	while ((next = pci_get_device(0x1b36, 0x0005, next))) {
		pci_dev_put(testdev);
		testdev = pci_dev_get(next);
	}
	return testdev ? &testdev->dev : ERR_PTR(-ENODEV);
}

/* As of a bus with dma-ranges; freed with the device. */
static int set_up_bus(struct device *dev)
{
	struct bus_dma_region *map = kcalloc(2, sizeof(*map), GFP_KERNEL);

	if (!map)
		return -ENOMEM;
	map->dma_start = SZ_4G;
	map->size = SZ_4G;
#ifdef DMAHEAP_HAVE_BUS_OFFSET
	map->offset = map->cpu_start - map->dma_start;
#endif
	dev->dma_range_map = map;
	return 0;
}

static struct device *make_device(void)
{
	const struct platform_device_info info = {
		.name = "dmaheap-test-owner",
		.id = PLATFORM_DEVID_NONE,
		.dma_mask = DMA_BIT_MASK(32),
	};
	int err;

	pdev = platform_device_register_full(&info);
	if (IS_ERR(pdev))
		return ERR_CAST(pdev);
	err = set_up_bus(&pdev->dev);
	if (!err)
		return &pdev->dev;
	platform_device_unregister(pdev);
	return ERR_PTR(err);
}

static void drop_device(void)
{
	if (pci)
		pci_dev_put(testdev);
	else
		platform_device_unregister(pdev);
}

static int __init owner_init(void)
{
	struct device *dev = pci ? find_testdev() : make_device();
	int err;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	dma_set_max_seg_size(dev, UINT_MAX);
	err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(pci ? 32 : 33));
	if (!err) {
		heap = dma_heap_device_add(dev, "test-device");
		err = PTR_ERR_OR_ZERO(heap);
	}
	if (err)
		drop_device();
	return err;
}
module_init(owner_init);

static void __exit owner_exit(void)
{
	dma_heap_device_remove(heap);
	drop_device();
}
module_exit(owner_exit);

MODULE_DESCRIPTION("Test: a driver with a heap of its device");
MODULE_LICENSE("GPL");
