// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doing what ownership asks for, by the DMA API alone.
 *
 * Caches are maintained on a mapping of the buffer for a device of our own that does not
 * snoop: once per buffer, whichever importers are attached at that moment.  Bounce copies are
 * made on the importer's own mapping.
 */
#include <linux/cache.h>
#include <linux/dma-mapping.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../compat/bounce.h"
#include "../compat/coherency.h"
#include "core.h"
#include "pool.h"
#include "trace.h"

/* NULL where all devices snoop. */
static struct platform_device *cache_device;

static int configure(struct device *dev)
{
	int err = compat_set_coherent(dev, false);

	/* What is copied elsewhere has no lines in the caches to be maintained. */
	compat_never_bounce(dev);
	if (!err)
		err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (!err)
		dma_set_max_seg_size(dev, UINT_MAX);
	return err;
}

int dmaheap_cache_init(void)
{
	const struct platform_device_info info = {
		.name = "dmaheap",
		.id = PLATFORM_DEVID_NONE,
		.dma_mask = DMA_BIT_MASK(64),
	};
	int err;

	if (!IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE))
		return 0;
	cache_device = platform_device_register_full(&info);
	if (IS_ERR(cache_device))
		return PTR_ERR(cache_device);
	err = configure(&cache_device->dev);
	if (err)
		platform_device_unregister(cache_device);
	return err;
}

void dmaheap_cache_exit(void)
{
	platform_device_unregister(cache_device);
}

/*
 * dmaheap_cache_prepare - make sure that the caches can be maintained for a buffer
 *
 * Before a device that does not snoop gets at it.  The mapping stays as long as the buffer:
 * what such a device has written must still be invalidated when it is gone.
 */
int dmaheap_cache_prepare(struct dma_heap_buffer *buffer)
{
	struct dmaheap_mapping *cache;
	int err;

	lockdep_assert_held(&buffer->making);
	/* What the kernel does not map has no lines in the caches, and cannot be named there. */
	if (!cache_device || buffer->cache || buffer->pages == DMA_HEAP_PAGES_NONE)
		return 0;
	cache = kzalloc(sizeof(*cache), GFP_KERNEL);
	if (!cache)
		return -ENOMEM;
	cache->dev = &cache_device->dev;
	err = dmaheap_mapping_make(buffer, cache);
	if (err) {
		kfree(cache);
		return err;
	}
	guard(mutex)(&buffer->lock);
	buffer->cache = cache;
	return 0;
}

/* dmaheap_cache_forget - its memory goes */
void dmaheap_cache_forget(struct dma_heap_buffer *buffer)
{
	if (!buffer->cache)
		return;
	dmaheap_mapping_unmake(buffer->cache);
	kfree(buffer->cache);
	buffer->cache = NULL;
}

/*
 * dmaheap_cache_ahead - what was zeroed for a buffer to come is written to memory now
 *
 * And, if that buffer is to be mapped past the caches, leaves no line in them.
 */
int dmaheap_cache_ahead(struct dmaheap_pool *pool, struct page *chunk)
{
	enum dma_data_direction dir = pool->combined ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
	size_t len = PAGE_SIZE << compound_order(chunk);
	dma_addr_t addr;

	if (!cache_device)
		return 0;
	addr = dma_map_page(&cache_device->dev, chunk, 0, len, dir);
	if (dma_mapping_error(&cache_device->dev, addr))
		return -EIO;
	dma_unmap_page(&cache_device->dev, addr, len, dir);
	atomic64_add(len, &pool->heap->bytes[DMAHEAP_CLEANED]);
	if (pool->combined)
		atomic64_add(len, &pool->heap->bytes[DMAHEAP_INVALIDATED]);
	return 0;
}

/* Notes bytes for the buffer and for its heap. */
void dmaheap_count(struct dma_heap_buffer *buffer, enum dmaheap_count count, u64 bytes)
{
	lockdep_assert_held(&buffer->lock);
	buffer->bytes[count] += bytes;
	atomic64_add(bytes, &buffer->heap->bytes[count]);
}

static void sync_piece(struct device *dev, dma_addr_t addr, size_t len, bool for_cpu)
{
	if (for_cpu)
		dma_sync_single_for_cpu(dev, addr, len, DMA_FROM_DEVICE);
	else
		dma_sync_single_for_device(dev, addr, len, DMA_TO_DEVICE);
}

/* Part of a mapping, page by page: behind an IOMMU neighbours may lie apart. */
static void sync_part(struct dmaheap_mapping *mapping, size_t offset, size_t len, bool for_cpu)
{
	size_t start = 0, end = offset + len, piece;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(&mapping->sgt, sg, i) {
		size_t segment_end = start + sg_dma_len(sg);

		while (offset < min(segment_end, end)) {
			piece = min(PAGE_SIZE - offset_in_page(offset),
				    min(segment_end, end) - offset);
			sync_piece(mapping->dev, sg_dma_address(sg) + (offset - start), piece,
				   for_cpu);
			offset += piece;
			cond_resched();
		}
		start = segment_end;
	}
}

/* Of more than so much by one call, others on this CPU would notice. */
#define AT_ONCE SZ_32M

static void sync(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
		 size_t offset, size_t len, bool for_cpu)
{
	if (len < buffer->size || len > AT_ONCE)
		sync_part(mapping, offset, len, for_cpu);
	else if (for_cpu)
		dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, DMA_FROM_DEVICE);
	else
		dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt, DMA_TO_DEVICE);
}

static void maintain(struct dma_heap_buffer *buffer, bool invalidate, size_t offset,
		     size_t len)
{
	if (!buffer->cache) /* there are no two domains here */
		return;
	sync(buffer, buffer->cache, offset, len, invalidate);
	dmaheap_count(buffer, invalidate ? DMAHEAP_INVALIDATED : DMAHEAP_CLEANED, len);
	trace_dmaheap_cache_op(buffer, invalidate ? "invalidate" : "clean", NULL, offset, len);
}

static void copy(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping, bool out,
		 size_t offset, size_t len)
{
	size_t bounced = len < buffer->size ?
				 dmaheap_mapping_bounced(buffer, mapping, offset, len) :
				 mapping->bounced;

	sync(buffer, mapping, offset, len, out);
	dmaheap_count(buffer, DMAHEAP_BOUNCED, bounced);
	if (!mapping->coherent) /* the copy has lines in the caches, too */
		dmaheap_count(buffer, out ? DMAHEAP_INVALIDATED : DMAHEAP_CLEANED, len);
	trace_dmaheap_cache_op(buffer, out ? "copy-out" : "copy-in", mapping->dev, offset,
			       bounced);
}

/* dmaheap_cache_work - do it, for a part of the buffer, which is whole cache lines */
void dmaheap_cache_work(struct dma_heap_buffer *buffer, const struct dmaheap_work *work,
			size_t offset, size_t len)
{
	struct dmaheap_place *place;

	lockdep_assert_held(&buffer->lock);
	if (work->copy_out)
		copy(buffer, container_of(work->copy_out, struct dmaheap_mapping, copy), true,
		     offset, len);
	if (work->clean)
		maintain(buffer, false, offset, len);
	if (work->invalidate)
		maintain(buffer, true, offset, len);
	if (!work->copy_in)
		return;
	for (place = buffer->ownership.copies; place; place = place->next)
		if (place->copy_in)
			copy(buffer, container_of(place, struct dmaheap_mapping, copy), false,
			     offset, len);
}
