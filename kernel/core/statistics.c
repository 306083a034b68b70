// SPDX-License-Identifier: GPL-2.0-only
/* Statistics of a heap, in sysfs: /sys/class/dma_heap/<heap>/cache/ (or class dmaheap). */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "core.h"

/* dmaheap_skipped - work not done that syncing everywhere would have done, in bytes */
u64 dmaheap_skipped(u64 cleaned, u64 invalidated, u64 bounced, u64 everywhere)
{
	u64 done = cleaned + invalidated + bounced;

	/* A buffer that is accessed once only can need what is otherwise done elsewhere. */
	return everywhere > done ? everywhere - done : 0;
}

static u64 bytes_of(struct device *dev, enum dmaheap_count count)
{
	return atomic64_read(&container_of(dev, struct dma_heap, dev)->bytes[count]);
}

/* Files that show one count each. */
#define BYTES_ATTRIBUTE(name, count) \
	static ssize_t name##_show(struct device *dev, struct device_attribute *attribute, \
				   char *text) \
	{ \
		return sysfs_emit(text, "%llu\n", bytes_of(dev, count)); \
	} \
	static DEVICE_ATTR_RO(name)

BYTES_ATTRIBUTE(cleaned_bytes, DMAHEAP_CLEANED);
BYTES_ATTRIBUTE(invalidated_bytes, DMAHEAP_INVALIDATED);
BYTES_ATTRIBUTE(bounced_bytes, DMAHEAP_BOUNCED);

static ssize_t skipped_bytes_show(struct device *dev, struct device_attribute *attribute,
				  char *text)
{
	return sysfs_emit(text, "%llu\n",
			  dmaheap_skipped(bytes_of(dev, DMAHEAP_CLEANED),
					  bytes_of(dev, DMAHEAP_INVALIDATED),
					  bytes_of(dev, DMAHEAP_BOUNCED),
					  bytes_of(dev, DMAHEAP_EVERYWHERE)));
}
static DEVICE_ATTR_RO(skipped_bytes);

static struct attribute *cache_attributes[] = {
	&dev_attr_cleaned_bytes.attr,
	&dev_attr_invalidated_bytes.attr,
	&dev_attr_bounced_bytes.attr,
	&dev_attr_skipped_bytes.attr,
	NULL,
};

static const struct attribute_group cache_group = {
	.name = "cache",
	.attrs = cache_attributes,
};

const struct attribute_group *dmaheap_statistics_groups[] = {
	&cache_group,
	NULL,
};
