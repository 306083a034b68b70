// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer as devices see it: a scatter list per attachment, made for that device.
 *
 * A mapping is made once and kept until detach, for all directions: who may touch the
 * bytes when is said by the accesses that importers begin and end (access.c), not by
 * making and unmaking the mapping.
 */
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "core.h"

/* dmaheap_has_pages - also memory that the kernel does not count may have a struct page each */
bool dmaheap_has_pages(const struct dma_heap_buffer *buffer)
{
	return buffer->pages != DMA_HEAP_PAGES_NONE ||
	       pfn_valid(PHYS_PFN(buffer->memory->chunks[0].phys));
}

static int fill_sg_table(struct dma_heap_buffer *buffer, struct sg_table *sgt,
			 const struct dmaheap_segment_limits *limits)
{
	unsigned int nents = 0;
	struct scatterlist *sg;
	phys_addr_t phys;
	size_t offset, len;
	int err;

	for (offset = 0; offset < buffer->size; offset += len, nents++)
		len = dmaheap_next_segment(buffer, offset, limits, &phys);
	err = sg_alloc_table(sgt, nents, GFP_KERNEL);
	if (err)
		return err;
	for (offset = 0, sg = sgt->sgl; offset < buffer->size;
	     offset += len, sg = sg_next(sg)) {
		len = dmaheap_next_segment(buffer, offset, limits, &phys);
		if (dmaheap_has_pages(buffer))
			sg_set_page(sg, pfn_to_page(PHYS_PFN(phys)), len, 0);
		else
			sg_set_page(sg, NULL, len, 0);
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
	struct iommu_domain *domain = dmaheap_translation_of(dev);

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
			piece = min(dma_heap_buffer_chunk(buffer, offset, &phys),
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

/* ---- memory without pages, which the DMA API maps piece by piece ---- */

static void unmap_resources(struct dmaheap_mapping *mapping, struct scatterlist *end)
{
	struct scatterlist *sg;

	for (sg = mapping->sgt.sgl; sg != end; sg = sg_next(sg))
		dma_unmap_resource(mapping->dev, sg_dma_address(sg), sg_dma_len(sg),
				   DMA_BIDIRECTIONAL, DMA_ATTR_SKIP_CPU_SYNC);
}

static int map_resources(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping)
{
	struct scatterlist *sg;
	size_t offset = 0;
	phys_addr_t phys;
	unsigned int i;

	for_each_sgtable_sg(&mapping->sgt, sg, i) {
		dma_heap_buffer_chunk(buffer, offset, &phys);
		sg_dma_address(sg) =
			dma_map_resource(mapping->dev, phys, sg->length, DMA_BIDIRECTIONAL,
					 DMA_ATTR_SKIP_CPU_SYNC);
		if (dma_mapping_error(mapping->dev, sg_dma_address(sg))) {
			unmap_resources(mapping, sg);
			return -EIO;
		}
		sg_dma_len(sg) = sg->length;
		offset += sg->length;
	}
	mapping->sgt.nents = mapping->sgt.orig_nents;
	return 0;
}

/* ---- any memory ---- */

static int map(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping)
{
	mapping->resources = !dmaheap_has_pages(buffer);
	if (mapping->resources)
		return map_resources(buffer, mapping);
	return dma_map_sgtable(mapping->dev, &mapping->sgt, DMA_BIDIRECTIONAL,
			       DMA_ATTR_SKIP_CPU_SYNC);
}

void dmaheap_mapping_unmake(struct dmaheap_mapping *mapping)
{
	if (!mapping->sgt.sgl)
		return;
	if (mapping->resources)
		unmap_resources(mapping, NULL);
	else
		dma_unmap_sgtable(mapping->dev, &mapping->sgt, DMA_BIDIRECTIONAL,
				  DMA_ATTR_SKIP_CPU_SYNC);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		sg_free_table(&mapping->handed_out);
	sg_free_table(&mapping->sgt); /* leaves sgl NULL: not mapped */
}

int dmaheap_mapping_make(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping)
{
	struct dmaheap_segment_limits limits;
	int err;

	lockdep_assert_held(&buffer->making);
	err = dmaheap_segment_limits(buffer, mapping->dev, &limits);
	if (!err)
		err = dmaheap_check_reachable(buffer, mapping->dev, &limits);
	if (!err)
		err = fill_sg_table(buffer, &mapping->sgt, &limits);
	if (err)
		return err;
	err = map(buffer, mapping);
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

/* Can what the device writes, or is to read, be hidden by caches? */
static bool has_two_domains(const struct dma_heap_buffer *buffer,
			    const struct dmaheap_mapping *mapping)
{
	return !mapping->bounced && (!mapping->coherent || buffer->cpu != DMA_HEAP_CPU_CACHED);
}

/* All that a device's accesses need. */
static int make_accessible(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping)
{
	int err = dmaheap_settle(buffer);

	if (!err)
		err = dmaheap_check_contiguous(buffer, mapping);
	if (!err)
		err = dmaheap_mapping_make(buffer, mapping);
	if (err)
		return err;
	mapping->coherent = dev_is_dma_coherent(mapping->dev);
	mapping->bounced = 0;
	if (buffer->cpu == DMA_HEAP_CPU_CACHED) /* nothing else is */
		mapping->bounced = dmaheap_mapping_bounced(buffer, mapping, 0, buffer->size);
	if (has_two_domains(buffer, mapping))
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
	int err = 0;

	if (!mapping)
		return -ENOMEM;
	mapping->dev = attachment->dev;
	if (buffer->ops->attach)
		err = buffer->ops->attach(buffer, mapping->dev);
	/* Held on, so that the memory is not settled without a look at this device. */
	guard(mutex)(&buffer->making);
	if (!err)
		err = dmaheap_check_fit(buffer, mapping);
	if (err) {
		kfree(mapping);
		return err;
	}
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
