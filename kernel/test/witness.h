/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel does to caches and bounce buffers, seen from outside of the code under
 * test, and memory behind caches for machines that have none, such as emulated ones.
 */
#ifndef _DMAHEAP_WITNESS_H
#define _DMAHEAP_WITNESS_H

#include <linux/dma-buf.h>
#include <linux/list.h>
#include <linux/types.h>

#include "test.h"

void witness_init(void);
void witness_exit(void);
int witness_read(struct dmaheap_test_witness *seen);

/* Memory behind the caches for a dma-buf, noted in a list; and its end for all in the list. */
int shadow_create(struct dma_buf *dmabuf, struct list_head *list);
void shadow_destroy_all(struct list_head *list);

/* Reads or writes within a page, of the memory behind the caches; false: it has none. */
bool shadow_touch(phys_addr_t phys, void *bytes, size_t len, bool write);

/* Drops lines by chance. */
void shadow_evict(u64 seed);

#endif /* _DMAHEAP_WITNESS_H */
