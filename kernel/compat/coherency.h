/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a device snoops the caches: a field that only some architectures have, or a flag. */
#ifndef _DMAHEAP_COMPAT_COHERENCY_H
#define _DMAHEAP_COMPAT_COHERENCY_H

#include <linux/device.h>
#include <linux/errno.h>

/* Before the device's DMA mask is set.  -EOPNOTSUPP: here, all devices snoop. */
static inline int compat_set_coherent(struct device *dev, bool coherent)
{
#if !defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) && \
	!defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) && \
	!defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU_ALL)
	return coherent ? 0 : -EOPNOTSUPP;
#elif defined(DMAHEAP_HAVE_COHERENT_FLAG)
	dev_assign_dma_coherent(dev, coherent);
	return 0;
#else
	dev->dma_coherent = coherent;
	return 0;
#endif
}

#endif /* _DMAHEAP_COMPAT_COHERENCY_H */
