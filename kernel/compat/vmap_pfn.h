/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmap_pfn(): a kernel has it only if one of its own drivers has asked for it (CONFIG_VMAP_PFN);
 * Debian's have.  Without, memory of which there is no struct page is mapped if it is contiguous.
 */
#ifndef _DMAHEAP_COMPAT_VMAP_PFN_H
#define _DMAHEAP_COMPAT_VMAP_PFN_H

#include <linux/vmalloc.h>

static inline void *compat_vmap_pfn(unsigned long *pfns, unsigned int count, pgprot_t prot)
{
#ifdef DMAHEAP_HAVE_VMAP_PFN
	return vmap_pfn(pfns, count, prot);
#else
	return NULL;
#endif
}

#endif /* _DMAHEAP_COMPAT_VMAP_PFN_H */
