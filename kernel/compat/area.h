/* SPDX-License-Identifier: GPL-2.0-only */
/* A device's own area of CMA: a field that only some kernels have. */
#ifndef _DMAHEAP_COMPAT_AREA_H
#define _DMAHEAP_COMPAT_AREA_H

#include <linux/device.h>

static inline const void *compat_area_of(const struct device *dev)
{
#ifdef CONFIG_DMA_CMA
	return dev->cma_area;
#else
	return NULL;
#endif
}

#endif /* _DMAHEAP_COMPAT_AREA_H */
