/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The largest order of the page allocator is MAX_PAGE_ORDER since v6.8.  MAX_ORDER before was the
 * number of orders, and from v6.4 on the largest: one less is an order on either.
 */
#ifndef _DMAHEAP_COMPAT_MAX_ORDER_H
#define _DMAHEAP_COMPAT_MAX_ORDER_H

#include <linux/mmzone.h>

#ifdef MAX_PAGE_ORDER
#define COMPAT_MAX_ORDER MAX_PAGE_ORDER
#else
#define COMPAT_MAX_ORDER (MAX_ORDER - 1)
#endif

#endif /* _DMAHEAP_COMPAT_MAX_ORDER_H */
