/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contiguous memory by moving pages.
 *
 * alloc_contig_range(): what it is told of the range besides its bounds was the migration type,
 * and is a set of flags since v6.16.  A kernel without CONFIG_CONTIG_ALLOC has none.
 *
 * Whether a driver can move a page of its own: __PageMovable() was renamed in v6.17.
 */
#ifndef _DMAHEAP_COMPAT_CONTIG_H
#define _DMAHEAP_COMPAT_CONTIG_H

#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>

static inline int compat_alloc_contig_range(unsigned long first, unsigned long end, gfp_t gfp)
{
#ifndef CONFIG_CONTIG_ALLOC
	return -EOPNOTSUPP;
#elif defined(DMAHEAP_HAVE_ACR_FLAGS)
	return alloc_contig_range(first, end, ACR_FLAGS_NONE, gfp);
#else
	return alloc_contig_range(first, end, MIGRATE_MOVABLE, gfp);
#endif
}

static inline bool compat_has_movable_ops(struct page *page)
{
#ifdef DMAHEAP_HAVE_MOVABLE_OPS
	return page_has_movable_ops(page);
#else
	return __PageMovable(page);
#endif
}

#endif /* _DMAHEAP_COMPAT_CONTIG_H */
