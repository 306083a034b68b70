// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ownership: each access to a buffer begins and ends here, and sees to it that the
 * bytes it reads are the newest.
 *
 * The plain way: every access syncs.  One that ends after writing hands its bytes to all
 * devices that have the buffer open, so that their copies, where they are bounced, are the
 * newest, too.  One that begins fetches what such devices may have written meanwhile; a
 * copy that was not written is the same as what it replaces, and does no harm.  What
 * cannot be told apart here is which of two bounced devices has written that both hold
 * the buffer open for writing, without ending an access.
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

	/* While the CPU writes, its bytes are the newest, and nobody has got them yet. */
	if (!buffer->cpu_writers)
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
	lockdep_assert_held(&buffer->lock);
	mapping->readers -= device_reads(dir);
	mapping->writers -= device_writes(dir);
	if (!device_writes(dir))
		return;
	/* Of this one it is known that it has written, of others it is not. */
	dma_sync_sgtable_for_cpu(mapping->dev, &mapping->sgt, DMA_FROM_DEVICE);
	hand_out(buffer);
}

/* In either direction: who writes a part of a cache line needs the rest of it. */
void dmaheap_begin_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir)
{
	fetch(buffer);
	buffer->cpu_writers += dir != DMA_FROM_DEVICE;
}

void dmaheap_end_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir)
{
	if (dir == DMA_FROM_DEVICE) /* the CPU has only read */
		return;
	/* A program may end what it has never begun. */
	buffer->cpu_writers -= !!buffer->cpu_writers;
	hand_out(buffer);
}
