// SPDX-License-Identifier: GPL-2.0-only
/*
 * What devices can take: how long a segment may be, which addresses they reach, and whether
 * what they do not reach can be bounced.
 */
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>

#include "../compat/bounce.h"
#include "core.h"

/* dmaheap_next_segment - from offset, as long as chunk and limits allow */
size_t dmaheap_next_segment(const struct dma_heap_buffer *buffer, size_t offset,
			    const struct dmaheap_segment_limits *limits, phys_addr_t *phys)
{
	size_t len = min(dma_heap_buffer_chunk(buffer, offset, phys), limits->max);
	unsigned long room = limits->boundary - (*phys & limits->boundary);

	/* room + 1 bytes are left, which may be more than can be counted. */
	return min(len - 1, room) + 1;
}

/* dmaheap_translation_of - the IOMMU's view, or NULL if a device uses physical addresses */
struct iommu_domain *dmaheap_translation_of(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type != IOMMU_DOMAIN_IDENTITY ? domain : NULL;
}

/* Whether something stands between the device's addresses and physical ones. */
static bool is_translated(struct device *dev)
{
	return get_dma_ops(dev) || dmaheap_translation_of(dev);
}

/* Does a device reach all of a buffer by itself? */
static bool reaches_all(const struct dma_heap_buffer *buffer, struct device *dev)
{
	phys_addr_t phys;
	size_t offset, len;

	if (compat_must_bounce(dev) || is_translated(dev) || !dev->dma_mask)
		return false;
	for (offset = 0; offset < buffer->size && buffer->memory; offset += len) {
		len = dma_heap_buffer_chunk(buffer, offset, &phys);
		if (!dma_capable(dev, phys_to_dma(dev, phys), len, false))
			return false;
	}
	return true;
}

/*
 * dmaheap_segment_limits - of a device; says in the log why there are none
 *
 * A bounce buffer holds no more than 256 KiB, which is said of devices that may need one: it does
 * not matter if this buffer needs none.
 */
int dmaheap_segment_limits(const struct dma_heap_buffer *buffer, struct device *dev,
			   struct dmaheap_segment_limits *limits)
{
	limits->max = min_t(size_t, dma_get_max_seg_size(dev), UINT_MAX);
	if (!reaches_all(buffer, dev))
		limits->max = min_t(size_t, limits->max, dma_max_mapping_size(dev));
	limits->max &= PAGE_MASK;
	limits->boundary = dma_get_seg_boundary(dev);
	/* Importers walk the list by pages: no segment may be smaller. */
	if (limits->max && limits->boundary >= PAGE_SIZE - 1)
		return 0;
	dev_warn_ratelimited(
		dev,
		"dmaheap: takes segments of %u bytes up to a boundary of %#lx, but a page is the least\n",
		dma_get_max_seg_size(dev), limits->boundary);
	return -EINVAL;
}

/*
 * May what a device does to the buffer be done to a copy?  Not if the copying CPU would see
 * other bytes than the device, or may see none; and not if the memory was chosen to suit all
 * devices, but for those of which everything is bounced.
 */
static bool may_bounce(const struct dma_heap_buffer *buffer, struct device *dev)
{
	if (buffer->cpu != DMA_HEAP_CPU_CACHED)
		return false;
	return !buffer->ops->late || compat_must_bounce(dev);
}

/*
 * Can a device get at memory, by itself or by bouncing?  The DMA layer answers a "no"
 * with a warning and a backtrace, which no user should be able to cause.
 */
static bool is_reachable(const struct dma_heap_buffer *buffer, struct device *dev,
			 phys_addr_t phys, size_t len)
{
	if (may_bounce(buffer, dev) && compat_can_bounce(dev))
		return true;
	if (compat_must_bounce(dev))
		return false;
	return dma_capable(dev, phys_to_dma(dev, phys), len,
			   buffer->pages != DMA_HEAP_PAGES_NONE);
}

static int refuse(const struct dma_heap_buffer *buffer, struct device *dev)
{
	const char *heap = dma_heap_get_name(buffer->heap);

	if (compat_must_bounce(dev))
		dev_warn_ratelimited(
			dev,
			"dmaheap: all its accesses are bounced, which those to a buffer of heap %s cannot be\n",
			heap);
	else
		dev_warn_ratelimited(
			dev,
			"dmaheap: a buffer of heap %s lies beyond the device's DMA mask of %d bits, and %s\n",
			heap, fls64(dma_get_mask(dev)),
			may_bounce(buffer, dev) ? "nothing can bounce it" :
						  "is not to be bounced");
	return -EIO;
}

/* dmaheap_check_reachable - can a device get at all of the buffer?  If not, the log says why. */
int dmaheap_check_reachable(const struct dma_heap_buffer *buffer, struct device *dev,
			    const struct dmaheap_segment_limits *limits)
{
	phys_addr_t phys;
	size_t offset, len;

	if (!dev->dma_mask)
		return -EIO;
	if (is_translated(dev))
		return 0;
	/* What every device reaches need not be looked at. */
	if (may_bounce(buffer, dev) && !dma_addressing_limited(dev))
		return 0;
	for (offset = 0; offset < buffer->size; offset += len) {
		len = dmaheap_next_segment(buffer, offset, limits, &phys);
		if (!is_reachable(buffer, dev, phys, len))
			return refuse(buffer, dev);
	}
	return 0;
}

/* dmaheap_check_contiguous - is the memory in one piece, if a device needs that? */
int dmaheap_check_contiguous(const struct dma_heap_buffer *buffer,
			     const struct dmaheap_mapping *mapping)
{
	if (!mapping->contiguous || buffer->memory->nr == 1 || is_translated(mapping->dev))
		return 0;
	dev_warn_ratelimited(
		mapping->dev,
		"dmaheap: needs contiguous memory, but the buffer of heap %s was settled on %u pieces\n",
		dma_heap_get_name(buffer->heap), buffer->memory->nr);
	return -EIO;
}

/*
 * dmaheap_check_fit - is a device that attaches, or says what it needs, too late for that?
 *
 * Of most buffers, the first map will tell.
 */
int dmaheap_check_fit(const struct dma_heap_buffer *buffer,
		      const struct dmaheap_mapping *mapping)
{
	struct dmaheap_segment_limits limits;
	int err;

	lockdep_assert_held(&buffer->making);
	if (!buffer->memory || !mapping->dev->dma_mask || may_bounce(buffer, mapping->dev))
		return 0;
	err = dmaheap_segment_limits(buffer, mapping->dev, &limits);
	if (!err)
		err = dmaheap_check_reachable(buffer, mapping->dev, &limits);
	return err ?: dmaheap_check_contiguous(buffer, mapping);
}

/* ---- of all devices that are attached ---- */

/* The last byte that a device reaches by itself. */
static phys_addr_t highest_of(struct device *dev)
{
	u64 mask = dma_get_mask(dev);

	if (dev->bus_dma_limit)
		mask = min(mask, dev->bus_dma_limit);
	return dma_to_phys(dev, mask);
}

static void narrow(struct dma_heap_limits *limits, const struct dma_heap_buffer *buffer,
		   const struct dmaheap_mapping *mapping)
{
	struct device *dev = mapping->dev;
	bool bounced = compat_must_bounce(dev);
	size_t longest = dma_get_max_seg_size(dev);

	if (bounced || dev_is_dma_coherent(dev))
		limits->snooped = true;
	else
		limits->unsnooped = true;
	if (is_translated(dev))
		return;
	if (bounced)
		longest = min(longest, dma_max_mapping_size(dev));
	else
		limits->highest = min(limits->highest, highest_of(dev));
	limits->longest = min(limits->longest, max(longest & PAGE_MASK, PAGE_SIZE));
	if (mapping->contiguous)
		limits->contiguity = DMA_HEAP_CONTIGUOUS_REQUIRED;
	else if (longest >= buffer->size && limits->contiguity == DMA_HEAP_SCATTERED)
		limits->contiguity = DMA_HEAP_CONTIGUOUS_PREFERRED;
}

/**
 * dma_heap_buffer_limits - what suits every device that is attached to a buffer
 * @buffer:	the buffer
 * @limits:	filled in
 *
 * Devices behind an IOMMU set no limits, nor do those without a DMA mask, which cannot map.  If
 * it is the CPU that wants the memory, contiguous memory is not asked for.
 *
 * Context: within &dma_heap_buffer_ops.populate of a heap that is populated late.
 */
void dma_heap_buffer_limits(struct dma_heap_buffer *buffer, struct dma_heap_limits *limits)
{
	struct dmaheap_mapping *mapping;

	lockdep_assert_held(&buffer->making);
	*limits = (struct dma_heap_limits){ .highest = PHYS_ADDR_MAX, .longest = SIZE_MAX };
	guard(mutex)(&buffer->lock);
	list_for_each_entry(mapping, &buffer->mappings, link)
		if (mapping->dev->dma_mask)
			narrow(limits, buffer, mapping);
	/*
	 * To find contiguous memory, other people's pages may have to be moved, which is not for
	 * one who holds mmap_lock.
	 */
	if (buffer->scattered)
		limits->contiguity = DMA_HEAP_SCATTERED;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_limits);

/**
 * dma_heap_require_contiguous - say that a device cannot scatter
 * @attachment:	the device's attachment, not mapped yet
 *
 * For drivers of devices that take one address and no IOMMU is before, between dma_buf_attach()
 * and the first map of whoever.  Only heaps that choose their memory by the devices attached
 * can heed it; of others the answer tells whether it is contiguous by itself.
 *
 * Context: process context; may sleep.
 * Return: 0; -EOPNOTSUPP when the buffer is another exporter's; -EIO when the buffer's memory
 * was chosen before, and is not contiguous: the log says so.
 */
int dma_heap_require_contiguous(struct dma_buf_attachment *attachment)
{
	struct dma_heap_buffer *buffer = dmaheap_buffer_of(attachment->dmabuf);
	struct dmaheap_mapping *mapping = attachment->priv;
	int err;

	if (!buffer)
		return -EOPNOTSUPP;
	guard(mutex)(&buffer->making);
	mapping->contiguous = true;
	err = buffer->memory ? dmaheap_check_contiguous(buffer, mapping) : 0;
	if (err)
		mapping->contiguous = false;
	return err;
}
EXPORT_SYMBOL_GPL(dma_heap_require_contiguous);
