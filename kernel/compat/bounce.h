/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the DMA layer can bounce for a device: no kernel offers this as a call, and
 * where the pool of bounce buffers lies moved into a structure of its own by commit
 * 158dbe9c9a3d ("swiotlb: separate memory pool data from other allocator data", v6.6).
 */
#ifndef _DMAHEAP_COMPAT_BOUNCE_H
#define _DMAHEAP_COMPAT_BOUNCE_H

#include <linux/dma-direct.h>
#include <linux/swiotlb.h>

/* Is there a bounce buffer for the device at addresses that it can reach? */
static inline bool compat_can_bounce(struct device *dev)
{
#ifdef CONFIG_SWIOTLB
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	phys_addr_t start, end;

	if (!mem || !mem->nslabs)
		return false;
#ifdef CONFIG_SWIOTLB_DYNAMIC
	if (mem->can_grow)
		return true; /* it grows where the device's mask allows */
#endif
#ifdef DMAHEAP_HAVE_SWIOTLB_POOL
	start = mem->defpool.start;
	end = mem->defpool.end;
#else
	start = mem->start;
	end = mem->end;
#endif
	return dma_capable(dev, phys_to_dma(dev, start), end - start, true);
#else
	return false;
#endif
}

/* Is everything bounced for the device, also what it could reach? */
static inline bool compat_must_bounce(struct device *dev)
{
	return is_swiotlb_force_bounce(dev);
}

/* Nothing is bounced for the device from now on: before it maps anything. */
static inline void compat_never_bounce(struct device *dev)
{
#ifdef CONFIG_SWIOTLB
	dev->dma_io_tlb_mem = NULL;
#endif
}

/* What one device is bounced by, or has its memory from, the other is and has, too. */
static inline void compat_bounce_alike(struct device *dev, const struct device *other)
{
#ifdef CONFIG_SWIOTLB
	dev->dma_io_tlb_mem = other->dma_io_tlb_mem;
#endif
}

#endif /* _DMAHEAP_COMPAT_BOUNCE_H */
