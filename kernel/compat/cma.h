/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Areas of the contiguous memory allocator.  Kernels export cma_alloc() since v7.0; on older
 * ones an area is reached through dma_alloc_pages() for a device of our own that is bound to it.
 * That call turns to all of memory when the area is full, which must be told apart: pages of an
 * area are counted one by one, those of the buddy allocator only at the first.
 */
#ifndef _DMAHEAP_COMPAT_CMA_H
#define _DMAHEAP_COMPAT_CMA_H

#include <linux/cma.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/of_reserved_mem.h>
#include <linux/platform_device.h>

struct compat_cma {
#ifdef DMAHEAP_HAVE_CMA_ALLOC
	struct cma *area;
#else
	struct platform_device *pdev;
#endif
};

#ifdef DMAHEAP_HAVE_CMA_ALLOC

/* Pages of an area are as they were left. */
#define COMPAT_CMA_ZEROES false

/* Of a region of the device tree, or of none: the default area.  -ENODEV: there is none. */
static inline int compat_cma_open(struct compat_cma *cma, struct reserved_mem *rmem)
{
	cma->area = rmem ? rmem->priv : dev_get_cma_area(NULL);
	return cma->area ? 0 : -ENODEV;
}

static inline void compat_cma_close(struct compat_cma *cma)
{
}

/* NULL: there is no such range free in the area. */
static inline struct page *compat_cma_alloc(struct compat_cma *cma, size_t len,
					    unsigned int order)
{
	return cma_alloc(cma->area, len >> PAGE_SHIFT, order, true);
}

static inline void compat_cma_free(struct compat_cma *cma, struct page *page, size_t len)
{
	cma_release(cma->area, page, len >> PAGE_SHIFT);
}

#elif IS_ENABLED(CONFIG_DMA_CMA)

/* dma_alloc_pages() does, in each kernel that has no other way. */
#define COMPAT_CMA_ZEROES true

/* A single page would come from elsewhere, and could not be told apart. */
static inline size_t compat_cma_size(size_t len)
{
	return max_t(size_t, len, 2 * PAGE_SIZE);
}

static inline void compat_cma_free(struct compat_cma *cma, struct page *page, size_t len)
{
	struct device *dev = &cma->pdev->dev;

	dma_free_pages(dev, compat_cma_size(len), page, phys_to_dma(dev, page_to_phys(page)),
		       DMA_BIDIRECTIONAL);
}

/* The alignment is what the DMA layer asks for: that of the size, up to CMA_ALIGNMENT. */
static inline struct page *compat_cma_alloc(struct compat_cma *cma, size_t len,
					    unsigned int order)
{
	struct device *dev = &cma->pdev->dev;
	dma_addr_t addr;
	struct page *page =
		dma_alloc_pages(dev, compat_cma_size(len), &addr, DMA_BIDIRECTIONAL,
				GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);

	/* A mapping, too: kernels with DMA_API_DEBUG want to see its address checked. */
	if (page && (dma_mapping_error(dev, addr) || page_count(page + 1) != 1)) {
		compat_cma_free(cma, page, len);
		return NULL;
	}
	return page;
}

static inline void compat_cma_close(struct compat_cma *cma)
{
	platform_device_unregister(cma->pdev);
}

static inline int compat_cma_bind(struct compat_cma *cma, struct reserved_mem *rmem)
{
	struct page *page;

	/* Of a region that the kernel could not make an area of, nothing was set up. */
	if (rmem)
		return rmem->ops && rmem->ops->device_init && rmem->priv ?
			       rmem->ops->device_init(rmem, &cma->pdev->dev) :
			       -ENODEV;
	page = compat_cma_alloc(cma, PAGE_SIZE, 0);
	if (!page)
		return -ENODEV;
	compat_cma_free(cma, page, PAGE_SIZE);
	return 0;
}

static inline int compat_cma_open(struct compat_cma *cma, struct reserved_mem *rmem)
{
	const struct platform_device_info info = {
		.name = "dmaheap-cma",
		.id = PLATFORM_DEVID_AUTO,
		.dma_mask = DMA_BIT_MASK(64),
	};
	int err;

	cma->pdev = platform_device_register_full(&info);
	if (IS_ERR(cma->pdev))
		/* So the kernel says that it had no memory for a name. */
		return PTR_ERR(cma->pdev) == -EINVAL ? -ENOMEM : PTR_ERR(cma->pdev);
	err = dma_coerce_mask_and_coherent(&cma->pdev->dev, DMA_BIT_MASK(64));
	if (!err)
		err = compat_cma_bind(cma, rmem);
	if (err)
		compat_cma_close(cma);
	return err;
}

#else

#define COMPAT_CMA_ZEROES false

static inline int compat_cma_open(struct compat_cma *cma, struct reserved_mem *rmem)
{
	return -ENODEV;
}

static inline void compat_cma_close(struct compat_cma *cma)
{
}

static inline struct page *compat_cma_alloc(struct compat_cma *cma, size_t len,
					    unsigned int order)
{
	return NULL;
}

static inline void compat_cma_free(struct compat_cma *cma, struct page *page, size_t len)
{
}

#endif

#endif /* _DMAHEAP_COMPAT_CMA_H */
