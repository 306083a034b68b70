// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics of a heap, in sysfs: /sys/class/dma_heap/<heap>/cache/ and, of a heap that has one,
 * pool/, where the pool can also be filled and drained (or class dmaheap).
 */
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sysfs.h>

#include "core.h"
#include "pool.h"

static struct dma_heap *heap_of(struct device *dev)
{
	return container_of(dev, struct dma_heap, dev);
}

/* ---- cache ---- */

/* dmaheap_skipped - work not done that syncing everywhere would have done, in bytes */
u64 dmaheap_skipped(u64 cleaned, u64 invalidated, u64 bounced, u64 everywhere)
{
	u64 done = cleaned + invalidated + bounced;

	/* A buffer that is accessed once only can need what is otherwise done elsewhere. */
	return everywhere > done ? everywhere - done : 0;
}

static u64 bytes_of(struct device *dev, enum dmaheap_count count)
{
	return atomic64_read(&heap_of(dev)->bytes[count]);
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

/* ---- pool ---- */

static ssize_t show_pool_pages(struct device *dev, enum dmaheap_pool_state state,
			       enum dmaheap_pool_state last, char *text)
{
	struct dmaheap_pool *pool = heap_of(dev)->pool;

	guard(spinlock)(&pool->lock);
	return sysfs_emit(text, "%llu\n",
			  (u64)dmaheap_pool_pages(pool, state, last) << PAGE_SHIFT);
}

static ssize_t clean_bytes_show(struct device *dev, struct device_attribute *attribute,
				char *text)
{
	return show_pool_pages(dev, DMAHEAP_CLEAN, DMAHEAP_CLEAN, text);
}
static DEVICE_ATTR_RO(clean_bytes);

static ssize_t dirty_bytes_show(struct device *dev, struct device_attribute *attribute,
				char *text)
{
	return show_pool_pages(dev, DMAHEAP_DIRTY, DMAHEAP_ZEROING, text);
}
static DEVICE_ATTR_RO(dirty_bytes);

static ssize_t show_pool_count(struct device *dev, enum dmaheap_pool_count count, char *text)
{
	struct dmaheap_pool *pool = heap_of(dev)->pool;

	guard(spinlock)(&pool->lock);
	return sysfs_emit(text, "%llu\n", pool->counts[count] << PAGE_SHIFT);
}

#define POOL_ATTRIBUTE(name, count) \
	static ssize_t name##_show(struct device *dev, struct device_attribute *attribute, \
				   char *text) \
	{ \
		return show_pool_count(dev, count, text); \
	} \
	static DEVICE_ATTR_RO(name)

POOL_ATTRIBUTE(hit_bytes, DMAHEAP_HIT);
POOL_ATTRIBUTE(missed_bytes, DMAHEAP_MISSED);
POOL_ATTRIBUTE(zeroed_inline_bytes, DMAHEAP_ZEROED_INLINE);
POOL_ATTRIBUTE(zeroed_background_bytes, DMAHEAP_ZEROED_BACKGROUND);

/* Whole pages, and not 0. */
static int parse_pages(const char *text, size_t *bytes)
{
	u64 number;
	int err = dmaheap_parse_bytes(text, &number);

	if (err)
		return err;
	if (!number || number > ULONG_MAX - (PAGE_SIZE - 1))
		return -EINVAL;
	*bytes = PAGE_ALIGN(number);
	return 0;
}

static ssize_t fill_store(struct device *dev, struct device_attribute *attribute,
			  const char *text, size_t len)
{
	size_t bytes;
	int err = parse_pages(text, &bytes);

	if (!err)
		err = dmaheap_pool_fill(heap_of(dev)->pool, bytes);
	return err ?: len;
}
static DEVICE_ATTR_WO(fill);

static ssize_t drain_store(struct device *dev, struct device_attribute *attribute,
			   const char *text, size_t len)
{
	static const struct dmaheap_shrink how = { .nid = NUMA_NO_NODE, .wait = true };
	size_t bytes;
	int err = parse_pages(text, &bytes);

	if (err)
		return err;
	dmaheap_pool_shrink(heap_of(dev)->pool, &how, bytes >> PAGE_SHIFT);
	return len;
}
static DEVICE_ATTR_WO(drain);

static struct attribute *pool_attributes[] = {
	&dev_attr_clean_bytes.attr,
	&dev_attr_dirty_bytes.attr,
	&dev_attr_hit_bytes.attr,
	&dev_attr_missed_bytes.attr,
	&dev_attr_zeroed_inline_bytes.attr,
	&dev_attr_zeroed_background_bytes.attr,
	&dev_attr_fill.attr,
	&dev_attr_drain.attr,
	NULL,
};

static const struct attribute_group pool_group = {
	.name = "pool",
	.attrs = pool_attributes,
};

/* ---- limits ---- */

static ssize_t user_max_show(struct device *dev, struct device_attribute *attribute,
			     char *text)
{
	struct dmaheap_users *users = &heap_of(dev)->users;

	return sysfs_emit(text, "%llu\n", (u64)READ_ONCE(users->max) << PAGE_SHIFT);
}

static ssize_t user_max_store(struct device *dev, struct device_attribute *attribute,
			      const char *text, size_t len)
{
	struct dmaheap_users *users = &heap_of(dev)->users;
	u64 bytes;
	int err = dmaheap_parse_bytes(text, &bytes);

	if (err)
		return err;
	/* Less than a page is no more than none, and 0 would be any number. */
	if (bytes && bytes < PAGE_SIZE)
		return -EINVAL;
	guard(mutex)(&users->lock);
	WRITE_ONCE(users->max, min_t(u64, bytes >> PAGE_SHIFT, ULONG_MAX));
	return len;
}
static DEVICE_ATTR_RW(user_max);

static struct attribute *limit_attributes[] = {
	&dev_attr_user_max.attr,
	NULL,
};

static const struct attribute_group limit_group = {
	.attrs = limit_attributes,
};

/* dmaheap_statistics_of - what a heap has in sysfs */
const struct attribute_group **dmaheap_statistics_of(const struct dma_heap *heap)
{
	static const struct attribute_group *plain[] = { &cache_group, &limit_group, NULL };
	static const struct attribute_group *pooled[] = { &cache_group, &pool_group,
							  &limit_group, NULL };

	return heap->pool ? pooled : plain;
}
