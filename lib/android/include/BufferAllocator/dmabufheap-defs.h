/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of Android's heaps, and ways to access: libdmabufheap(7). */
#ifndef DMABUFHEAP_DEFS_H
#define DMABUFHEAP_DEFS_H

#include <linux/dma-buf.h>

static const char kDmabufSystemHeapName[] = "system";
static const char kDmabufSystemUncachedHeapName[] = "system-uncached";

typedef enum {
	kSyncRead = DMA_BUF_SYNC_READ,
	kSyncWrite = DMA_BUF_SYNC_WRITE,
	kSyncReadWrite = DMA_BUF_SYNC_RW,
} SyncType;

#endif /* DMABUFHEAP_DEFS_H */
