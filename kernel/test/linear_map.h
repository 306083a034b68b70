/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own mapping of all memory, and by which type it maps. */
#ifndef _DMAHEAP_TEST_LINEAR_MAP_H
#define _DMAHEAP_TEST_LINEAR_MAP_H

#include <linux/types.h>

/* How many bytes of memory are not mapped cached; -EOPNOTSUPP: it cannot be seen here. */
int linear_map_uncached(u64 *bytes);

#endif /* _DMAHEAP_TEST_LINEAR_MAP_H */
