/* SPDX-License-Identifier: GPL-2.0-only */
/* A device's own area of CMA: a field that only some kernels have. */
#ifndef _DMAHEAP_COMPAT_AREA_H
#define _DMAHEAP_COMPAT_AREA_H

#include <linux/device.h>

/* One device is to have the other's. */
static inline void compat_share_area(struct device *dev, const struct device *other)
{
#ifdef CONFIG_DMA_CMA
	dev->cma_area = other->cma_area;
#endif
}

#endif /* _DMAHEAP_COMPAT_AREA_H */
