/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own mapping of all memory: on x86, no page may be mapped by two types at a time,
 * so that it is changed when a page is mapped write-combined elsewhere.
 */
#ifndef _DMAHEAP_COMPAT_LINEAR_MAP_H
#define _DMAHEAP_COMPAT_LINEAR_MAP_H

#include <linux/mm_types.h>

#ifdef CONFIG_X86
#include <asm/set_memory.h>

#define compat_linear_map_matters() true
#define compat_set_linear_wc set_pages_array_wc
#define compat_set_linear_wb set_pages_array_wb
#else
#define compat_linear_map_matters() false

static inline int compat_set_linear_wc(struct page **pages, int nr)
{
	return 0;
}

static inline int compat_set_linear_wb(struct page **pages, int nr)
{
	return 0;
}
#endif

#endif /* _DMAHEAP_COMPAT_LINEAR_MAP_H */
