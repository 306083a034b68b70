// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ownership: each access to a buffer begins and ends here, and sees to it that the
 * bytes it reads are the newest.
 *
 * The plain way: every access syncs.  One that begins fetches what devices may have
 * written that have the buffer open; one that ends after writing hands the bytes to all
 * that have it open.  So the copies of bounced devices are the same between accesses, and
 * fetching one that was not written does no harm, but for a case that cannot be told
 * apart here: two bounced devices that both hold the buffer open for writing, of which
 * one has written.
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

/* What devices that may write have written becomes visible to the CPU. */
static void fetch(struct dma_heap_buffer *buffer)
{
	struct dmaheap_mapping *mapping;

	lockdep_assert_held(&buffer->lock);
	list_for_each_entry(mapping, &buffer->mappings, link)
		if (mapping->writers)
			dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, DMA_FROM_DEVICE);
}

/* What the CPU sees becomes visible to all devices that have the buffer open. */
static void hand_out(struct dma_heap_buffer *buffer)
{
	struct dmaheap_mapping *mapping;

	lockdep_assert_held(&buffer->lock);
	list_for_each_entry(mapping, &buffer->mappings, link)
		if (mapping->readers || mapping->writers)
			dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt,
						    DMA_TO_DEVICE);
}

void dmaheap_begin_device(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			  enum dma_data_direction dir)
{
	bool may_be_writing = mapping->writers;

	fetch(buffer);
	mapping->readers += device_reads(dir);
	mapping->writers += device_writes(dir);
	/*
	 * Also for a device that only writes: it may write in part, and what it leaves
	 * alone must be right, in memory and in a bounce buffer.
	 */
	if (!may_be_writing)
		dma_sync_sgtable_for_device(mapping->dev, &mapping->sgt, DMA_TO_DEVICE);
}

void dmaheap_end_device(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			enum dma_data_direction dir)
{
	if (device_writes(dir))
		fetch(buffer);
	mapping->readers -= device_reads(dir);
	mapping->writers -= device_writes(dir);
	if (device_writes(dir))
		hand_out(buffer);
}

/* In either direction: who writes a part of a cache line needs the rest of it. */
void dmaheap_begin_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir)
{
	fetch(buffer);
}

void dmaheap_end_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir)
{
	if (dir != DMA_FROM_DEVICE) /* else the CPU has only read */
		hand_out(buffer);
}
