/* SPDX-License-Identifier: GPL-2.0-only */
/* What the CPU does with a dma-buf in the kernel. */
#ifndef _DMAHEAP_TEST_CPU_H
#define _DMAHEAP_TEST_CPU_H

#include <linux/iosys-map.h>

#include "test.h"

struct dma_buf;

/* A dma-buf that is kept mapped, counted, or NULL. */
struct cpu_mapping {
	struct dma_buf *dmabuf;
	struct iosys_map map;
};

/* Reads or writes by dma_buf_vmap(). */
int cpu_touch(const struct dmaheap_test_vmap *data);

/* Begins an access, and does not end it. */
int cpu_leave_open(int fd);

/* -EBUSY: there is one. */
int cpu_map(struct cpu_mapping *mapping, int fd);
void cpu_unmap(struct cpu_mapping *mapping);

#endif /* _DMAHEAP_TEST_CPU_H */
