// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ownership: each access to a buffer begins and ends here, and sees to it that the
 * bytes it reads are the newest.
 *
 * The plain way: every access syncs.  A device's access syncs the device's own mapping;
 * an access of the CPU syncs each mapping that a device has open meanwhile.
 */
#include <linux/dma-mapping.h>

#include "core.h"

static bool device_reads(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE || dir == DMA_BIDIRECTIONAL;
}

static bool device_writes(enum dma_data_direction dir)
{
	return dir == DMA_FROM_DEVICE || dir == DMA_BIDIRECTIONAL;
}

void dmaheap_begin_device(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			  enum dma_data_direction dir)
{
	lockdep_assert_held(&buffer->lock);
	mapping->readers += device_reads(dir);
	mapping->writers += device_writes(dir);
	/*
	 * Also for a device that only writes: it may write in part, and what it leaves
	 * alone must be right, in memory and in a bounce buffer.
	 */
	dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt, DMA_TO_DEVICE);
}

void dmaheap_end_device(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			enum dma_data_direction dir)
{
	lockdep_assert_held(&buffer->lock);
	mapping->readers -= device_reads(dir);
	mapping->writers -= device_writes(dir);
	if (device_writes(dir))
		dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, DMA_FROM_DEVICE);
}

void dmaheap_begin_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir)
{
	struct dmaheap_mapping *mapping;

	lockdep_assert_held(&buffer->lock);
	/* In either direction: who writes a part of a cache line needs the rest of it. */
	list_for_each_entry(mapping, &buffer->mappings, link)
		if (mapping->writers)
			dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, DMA_FROM_DEVICE);
}

void dmaheap_end_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir)
{
	struct dmaheap_mapping *mapping;

	lockdep_assert_held(&buffer->lock);
	/* DMA_FROM_DEVICE: the CPU only read. */
	if (dir == DMA_FROM_DEVICE)
		return;
	list_for_each_entry(mapping, &buffer->mappings, link)
		if (mapping->readers || mapping->writers)
			dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt,
						    DMA_TO_DEVICE);
}
