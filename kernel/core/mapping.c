// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer as devices see it: a scatter list per attachment, made for that device.
 *
 * A mapping is made once and kept until detach, for all directions: who may touch the
 * bytes when is said by the accesses that importers begin and end (access.c), not by
 * making and unmaking the mapping.
 */
#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "../compat/bounce.h"
#include "core.h"

/* What one segment of a device's scatter list must respect. */
struct segment_limits {
	size_t max;		/* bytes, whole pages */
	unsigned long boundary; /* a segment does not cross a multiple of this, plus 1 */
};

static int segment_limits_of(struct device *dev, struct segment_limits *limits)
{
	limits->max = min_t(size_t, dma_get_max_seg_size(dev), dma_max_mapping_size(dev));
	limits->max = min_t(size_t, limits->max, UINT_MAX) & PAGE_MASK;
	limits->boundary = dma_get_seg_boundary(dev);
	/* Importers walk the list by pages: no segment may be smaller. */
	if (!limits->max || limits->boundary < PAGE_SIZE - 1)
		return -EINVAL;
	return 0;
}

/* The next segment of a buffer: from offset, as long as chunk and limits allow. */
static size_t next_segment(const struct dma_heap_buffer *buffer, size_t offset,
			   const struct segment_limits *limits, phys_addr_t *phys)
{
	size_t len = min(dmaheap_buffer_chunk(buffer, offset, phys), limits->max);
	unsigned long room = limits->boundary - (*phys & limits->boundary);

	/* room + 1 bytes are left, which may be more than can be counted. */
	return min(len - 1, room) + 1;
}

/* The IOMMU's view of the device, or NULL if the device uses physical addresses. */
static struct iommu_domain *translation_of(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type != IOMMU_DOMAIN_IDENTITY ? domain : NULL;
}

/* Whether something stands between the device's addresses and physical ones. */
static bool is_translated(struct device *dev)
{
	return get_dma_ops(dev) || translation_of(dev);
}

/*
 * Can a device get at memory, by itself or by bouncing?  The DMA layer answers a "no"
 * with a warning and a backtrace, which no user should be able to cause.
 */
static bool is_reachable(struct device *dev, phys_addr_t phys, size_t len)
{
	if (compat_can_bounce(dev))
		return true;
	if (compat_must_bounce(dev))
		return false;
	return dma_capable(dev, phys_to_dma(dev, phys), len, true);
}

static int check_reachable(struct dma_heap_buffer *buffer, struct device *dev,
			   const struct segment_limits *limits)
{
	phys_addr_t phys;
	size_t offset, len;

	if (!dev->dma_mask)
		return -EIO;
	if (!dma_addressing_limited(dev) || is_translated(dev))
		return 0;
	for (offset = 0; offset < buffer->size; offset += len) {
		len = next_segment(buffer, offset, limits, &phys);
		if (!is_reachable(dev, phys, len)) {
			dev_warn_ratelimited(
				dev,
				"dmaheap: a buffer of heap %s lies beyond the device's DMA mask of %d bits, and nothing can bounce it\n",
				dma_heap_get_name(buffer->heap), fls64(dma_get_mask(dev)));
			return -EIO;
		}
	}
	return 0;
}

static int fill_sg_table(struct dma_heap_buffer *buffer, struct sg_table *sgt,
			 const struct segment_limits *limits)
{
	unsigned int nents = 0;
	struct scatterlist *sg;
	phys_addr_t phys;
	size_t offset, len;
	int err;

	for (offset = 0; offset < buffer->size; offset += len, nents++)
		len = next_segment(buffer, offset, limits, &phys);
	err = sg_alloc_table(sgt, nents, GFP_KERNEL);
	if (err)
		return err;
	for (offset = 0, sg = sgt->sgl; offset < buffer->size;
	     offset += len, sg = sg_next(sg)) {
		len = next_segment(buffer, offset, limits, &phys);
		sg_set_page(sg, pfn_to_page(PHYS_PFN(phys)), len, 0);
	}
	return 0;
}

/*
 * Importers get the list itself, but where the kernel was built to scramble the page links
 * of what it hands out (CONFIG_DMABUF_DEBUG): the DMA layer needs them for each sync.
 */
static int make_handed_out(struct dmaheap_mapping *mapping)
{
	struct scatterlist *from, *to = NULL;
	unsigned int i;
	int err;

	if (!IS_ENABLED(CONFIG_DMABUF_DEBUG)) {
		mapping->handed_out = mapping->sgt;
		return 0;
	}
	err = sg_alloc_table(&mapping->handed_out, mapping->sgt.orig_nents, GFP_KERNEL);
	if (err)
		return err;
	for_each_sgtable_sg(&mapping->sgt, from, i) {
		to = to ? sg_next(to) : mapping->handed_out.sgl;
		sg_set_page(to, sg_page(from), from->length, from->offset);
		sg_dma_address(to) = sg_dma_address(from);
		sg_dma_len(to) = sg_dma_len(from);
	}
	mapping->handed_out.nents = mapping->sgt.nents;
	return 0;
}

/* Does an address of the device lead elsewhere than to the memory itself? */
static bool is_elsewhere(struct device *dev, dma_addr_t addr, phys_addr_t phys)
{
	struct iommu_domain *domain = translation_of(dev);

	if (domain)
		return iommu_iova_to_phys(domain, addr) != phys;
	if (get_dma_ops(dev)) /* who knows: a copy that is none only costs a call */
		return dma_need_sync(dev, addr);
	return dma_to_phys(dev, addr) != phys;
}

/*
 * dmaheap_mapping_bounced - how many bytes of a part are behind a bounce buffer
 *
 * The part is looked at piece by piece: each lies in one chunk and in one of the device's
 * segments.
 */
size_t dmaheap_mapping_bounced(struct dma_heap_buffer *buffer,
			       const struct dmaheap_mapping *mapping, size_t offset,
			       size_t len)
{
	size_t start = 0, end = offset + len, bounced = 0, piece;
	struct scatterlist *sg;
	phys_addr_t phys;
	unsigned int i;

	for_each_sgtable_dma_sg(&mapping->sgt, sg, i) {
		size_t segment_end = start + sg_dma_len(sg);

		while (offset < min(segment_end, end)) {
			piece = min(dmaheap_buffer_chunk(buffer, offset, &phys),
				    min(segment_end, end) - offset);
			if (is_elsewhere(mapping->dev, sg_dma_address(sg) + (offset - start),
					 phys))
				bounced += piece;
			offset += piece;
		}
		start = segment_end;
	}
	return bounced;
}

void dmaheap_mapping_unmake(struct dmaheap_mapping *mapping)
{
	if (!mapping->sgt.sgl)
		return;
	dma_unmap_sgtable(mapping->dev, &mapping->sgt, DMA_BIDIRECTIONAL,
			  DMA_ATTR_SKIP_CPU_SYNC);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		sg_free_table(&mapping->handed_out);
	sg_free_table(&mapping->sgt); /* leaves sgl NULL: not mapped */
}

int dmaheap_mapping_make(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping)
{
	struct segment_limits limits;
	int err;

	lockdep_assert_held(&buffer->making);
	err = segment_limits_of(mapping->dev, &limits);
	if (!err)
		err = check_reachable(buffer, mapping->dev, &limits);
	if (!err)
		err = fill_sg_table(buffer, &mapping->sgt, &limits);
	if (err)
		return err;
	err = dma_map_sgtable(mapping->dev, &mapping->sgt, DMA_BIDIRECTIONAL,
			      DMA_ATTR_SKIP_CPU_SYNC);
	if (err) {
		sg_free_table(&mapping->sgt);
		return err;
	}
	err = make_handed_out(mapping);
	if (err)
		dmaheap_mapping_unmake(mapping);
	return err;
}

/* From now on accesses of the device find the mapping. */
static void publish(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping)
{
	struct dmaheap_ownership *ownership = &buffer->ownership;

	guard(mutex)(&buffer->lock);
	if (mapping->bounced) {
		dmaheap_ownership_add_copy(ownership, &mapping->copy);
		mapping->place = &mapping->copy;
	} else {
		mapping->place = mapping->coherent ? &ownership->cpu : &ownership->memory;
	}
}

/* All that a device's accesses need. */
static int make_accessible(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping)
{
	int err = dmaheap_mapping_make(buffer, mapping);

	if (err)
		return err;
	mapping->coherent = dev_is_dma_coherent(mapping->dev);
	mapping->bounced = dmaheap_mapping_bounced(buffer, mapping, 0, buffer->size);
	if (!mapping->bounced && !mapping->coherent)
		err = dmaheap_cache_prepare(buffer);
	if (err)
		dmaheap_mapping_unmake(mapping);
	else
		publish(buffer, mapping);
	return err;
}

int dmaheap_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;
	struct dmaheap_mapping *mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);

	if (!mapping)
		return -ENOMEM;
	mapping->dev = attachment->dev;
	attachment->priv = mapping;
	guard(mutex)(&buffer->lock);
	list_add_tail(&mapping->link, &buffer->mappings);
	return 0;
}

void dmaheap_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;
	struct dmaheap_mapping *mapping = attachment->priv;

	scoped_guard(mutex, &buffer->lock) {
		dmaheap_end_all(buffer, mapping);
		list_del(&mapping->link);
	}
	dmaheap_mapping_unmake(mapping);
	kfree(mapping);
}

struct sg_table *dmaheap_map(struct dma_buf_attachment *attachment,
			     enum dma_data_direction dir)
{
	struct dma_heap_buffer *buffer = attachment->dmabuf->priv;
	struct dmaheap_mapping *mapping = attachment->priv;
	int err = 0;

	scoped_guard(mutex, &buffer->making)
		if (!mapping->place)
			err = make_accessible(buffer, mapping);
	if (err)
		return ERR_PTR(err);
	guard(mutex)(&buffer->lock);
	dmaheap_begin_mapped(buffer, mapping, dir);
	return &mapping->handed_out;
}

void dmaheap_unmap(struct dma_buf_attachment *attachment, struct sg_table *sgt,
		   enum dma_data_direction dir)
{
	struct dma_heap_buffer *buffer = attachment->dmabuf->priv;

	guard(mutex)(&buffer->lock);
	dmaheap_end_mapped(buffer, attachment->priv, dir);
}
