/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices that do what a test says. */
#ifndef _DMAHEAP_TEST_DEVICES_H
#define _DMAHEAP_TEST_DEVICES_H

#include <linux/device.h>

#include "test.h"

struct importer;

/* test.c: what devices do to their importer's mappings when the system is suspended */
extern const struct dev_pm_ops device_pm;

int devices_init(void);
void devices_exit(void);

struct device *device_create_as(const struct dmaheap_test_device *data);
void device_give_back(struct device *dev);

/* Whose device it is, NULL: nobody's. */
void device_set_importer(struct device *dev, struct importer *importer);
struct importer *device_importer(struct device *dev);

#endif /* _DMAHEAP_TEST_DEVICES_H */
