/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * __assign_str() needs no source since commit 2c92ca849fcc ("tracing/treewide: Remove second
 * parameter of __assign_str()", v6.10).
 */
#ifndef _DMAHEAP_COMPAT_ASSIGN_STR_H
#define _DMAHEAP_COMPAT_ASSIGN_STR_H

#ifdef DMAHEAP_HAVE_ASSIGN_STR_SOURCE
#define compat_assign_str(field, source) __assign_str(field, source)
#else
#define compat_assign_str(field, source) __assign_str(field)
#endif

#endif /* _DMAHEAP_COMPAT_ASSIGN_STR_H */
