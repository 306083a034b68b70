/* SPDX-License-Identifier: GPL-2.0-only */
/* dmaheap: a heap of memory that suits one device, for the driver of that device. */
#ifndef _LINUX_DMA_HEAP_DEVICE_H
#define _LINUX_DMA_HEAP_DEVICE_H

#include <linux/dma-heap.h>

struct device;
struct dma_heap_device;

#define dma_heap_device_add dmaheap_device_add
#define dma_heap_device_remove dmaheap_device_remove

struct dma_heap_device *dma_heap_device_add(struct device *dev, const char *name);
void dma_heap_device_remove(struct dma_heap_device *heap);

#endif /* _LINUX_DMA_HEAP_DEVICE_H */
