// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that do what a test says: platform devices, which are made when asked for and are
 * behind no IOMMU, and PCI devices that the emulator has for tests (pci-testdev), which are
 * behind the machine's IOMMU if it has one.
 */
#include <linux/cleanup.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../compat/coherency.h"
#include "devices.h"

static DEFINE_IDA(platform_ids);

static int set_coherency(struct device *dev, u32 coherency)
{
	if (coherency == DMAHEAP_TEST_COHERENCY_DEFAULT)
		return 0;
	if (coherency > DMAHEAP_TEST_NONCOHERENT)
		return -EINVAL;
	return compat_set_coherent(dev, coherency == DMAHEAP_TEST_COHERENT);
}

static int configure(struct device *dev, const struct dmaheap_test_device *data)
{
	int err = set_coherency(dev, data->coherency);

	/* It is a mask, as of the address bits that are counted within a segment. */
	if (data->boundary & (data->boundary + 1))
		return -EINVAL;
	if (!err)
		err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(data->mask_bits));
	if (err)
		return err;
	/* What a device has that was never told otherwise. */
	dma_set_max_seg_size(dev, data->max_segment ?: SZ_64K);
	dma_set_seg_boundary(dev, data->boundary ?: DMA_BIT_MASK(32));
	return 0;
}

/* ---- platform ---- */

static const struct device_type platform_type = { .name = "dmaheap-test", .pm = &device_pm };

static struct device *platform_create(void)
{
	struct platform_device_info info = { .name = "dmaheap-test" };
	struct platform_device *pdev;

	info.id = ida_alloc(&platform_ids, GFP_KERNEL);
	if (info.id < 0)
		return ERR_PTR(info.id);
	info.dma_mask = DMA_BIT_MASK(64);
	pdev = platform_device_register_full(&info);
	if (IS_ERR(pdev)) {
		ida_free(&platform_ids, info.id);
		return ERR_CAST(pdev);
	}
	pdev->dev.type = &platform_type;
	return &pdev->dev;
}

static void platform_destroy(struct platform_device *pdev)
{
	int id = pdev->id;

	platform_device_unregister(pdev);
	ida_free(&platform_ids, id);
}

/* ---- PCI ---- */

struct pci_testdev {
	struct list_head link;
	struct pci_dev *pdev;
	struct importer *importer;
	bool taken;
	bool coherent; /* by itself */
};

/* Protects the list and who is taken, and by whom. */
static DEFINE_MUTEX(testdevs_lock);
static LIST_HEAD(testdevs);

static int testdev_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct pci_testdev *testdev = devm_kzalloc(&pdev->dev, sizeof(*testdev), GFP_KERNEL);
	int err = testdev ? pcim_enable_device(pdev) : -ENOMEM;

	if (err)
		return err;
	pci_set_master(pdev);
	testdev->pdev = pdev;
	testdev->coherent = dev_is_dma_coherent(&pdev->dev);
	pci_set_drvdata(pdev, testdev);
	guard(mutex)(&testdevs_lock);
	list_add_tail(&testdev->link, &testdevs);
	return 0;
}

static void testdev_remove(struct pci_dev *pdev)
{
	struct pci_testdev *testdev = pci_get_drvdata(pdev);

	guard(mutex)(&testdevs_lock);
	list_del(&testdev->link);
}

static const struct pci_device_id testdev_ids[] = { { PCI_DEVICE(0x1b36, 0x0005) }, {} };

static struct pci_driver testdev_driver = {
	.name = "dmaheap-test-pci",
	.id_table = testdev_ids,
	.probe = testdev_probe,
	.remove = testdev_remove,
	.driver.pm = &device_pm,
};

static struct device *pci_take(void)
{
	struct pci_testdev *testdev;

	guard(mutex)(&testdevs_lock);
	list_for_each_entry(testdev, &testdevs, link)
		if (!testdev->taken) {
			testdev->taken = true;
			return &testdev->pdev->dev;
		}
	return ERR_PTR(-ENODEV);
}

static void pci_give_back(struct pci_dev *pdev)
{
	struct pci_testdev *testdev = pci_get_drvdata(pdev);

	guard(mutex)(&testdevs_lock);
	compat_set_coherent(&pdev->dev, testdev->coherent);
	testdev->importer = NULL;
	testdev->taken = false;
}

/* ---- either ---- */

struct device *device_create_as(const struct dmaheap_test_device *data)
{
	struct device *dev;
	int err;

	if (!data->mask_bits || data->mask_bits > 64 || data->bus > DMAHEAP_TEST_PCI)
		return ERR_PTR(-EINVAL);
	dev = data->bus == DMAHEAP_TEST_PCI ? pci_take() : platform_create();
	if (IS_ERR(dev))
		return dev;
	err = configure(dev, data);
	if (err) {
		device_give_back(dev);
		return ERR_PTR(err);
	}
	return dev;
}

/* PCI devices have data of their own, which stays when the importer goes. */
void device_set_importer(struct device *dev, struct importer *importer)
{
	if (!dev_is_pci(dev)) {
		dev_set_drvdata(dev, importer);
		return;
	}
	guard(mutex)(&testdevs_lock);
	((struct pci_testdev *)dev_get_drvdata(dev))->importer = importer;
}

struct importer *device_importer(struct device *dev)
{
	if (!dev_is_pci(dev))
		return dev_get_drvdata(dev);
	guard(mutex)(&testdevs_lock);
	return ((struct pci_testdev *)dev_get_drvdata(dev))->importer;
}

void device_give_back(struct device *dev)
{
	if (dev_is_pci(dev))
		pci_give_back(to_pci_dev(dev));
	else
		platform_destroy(to_platform_device(dev));
}

int devices_init(void)
{
	return pci_register_driver(&testdev_driver);
}

void devices_exit(void)
{
	pci_unregister_driver(&testdev_driver);
}
