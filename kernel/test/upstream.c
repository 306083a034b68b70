// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap as one writes it for the kernel's own framework: nothing of the exporter, an own
 * dma-buf, and the plain names.  That it builds and works says that the API is the same.
 *
 * It serves one page per buffer, to the CPU and to devices.
 */
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

static struct sg_table *upstream_map(struct dma_buf_attachment *attachment,
				     enum dma_data_direction dir)
{
	struct page *page = attachment->dmabuf->priv;
	struct sg_table *sgt = kmalloc(sizeof(*sgt), GFP_KERNEL);
	int err;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	err = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (err)
		goto free;
	sg_set_page(sgt->sgl, page, PAGE_SIZE, 0);
	err = dma_map_sgtable(attachment->dev, sgt, dir, 0);
	if (!err)
		return sgt;
	sg_free_table(sgt);
free:
	kfree(sgt);
	return ERR_PTR(err);
}

static void upstream_unmap(struct dma_buf_attachment *attachment, struct sg_table *sgt,
			   enum dma_data_direction dir)
{
	dma_unmap_sgtable(attachment->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static int upstream_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return vm_insert_page(vma, vma->vm_start, dmabuf->priv);
}

static void upstream_release(struct dma_buf *dmabuf)
{
	put_page(dmabuf->priv);
}

static const struct dma_buf_ops upstream_buf_ops = {
	.map_dma_buf = upstream_map,
	.unmap_dma_buf = upstream_unmap,
	.mmap = upstream_mmap,
	.release = upstream_release,
};

static struct dma_buf *upstream_allocate(struct dma_heap *heap, unsigned long len,
					 u32 fd_flags, u64 heap_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dma_buf *dmabuf;
	struct page *page;

	if (len > PAGE_SIZE)
		return ERR_PTR(-ENOMEM);
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!page)
		return ERR_PTR(-ENOMEM);
	exp_info.exp_name = dma_heap_get_name(heap);
	exp_info.ops = &upstream_buf_ops;
	exp_info.size = len;
	exp_info.flags = fd_flags;
	exp_info.priv = page;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf))
		put_page(page);
	return dmabuf;
}

static const struct dma_heap_ops upstream_ops = {
	.allocate = upstream_allocate,
};

static struct dma_heap *upstream_heap;

static int __init upstream_init(void)
{
	struct dma_heap_export_info exp_info = {
		.name = "upstream",
		.ops = &upstream_ops,
	};

	upstream_heap = dma_heap_add(&exp_info);
	if (IS_ERR(upstream_heap))
		return PTR_ERR(upstream_heap);
	return 0;
}
module_init(upstream_init);

/* The kernel's own framework has no way back; here is the one line that adds it. */
static void __exit upstream_exit(void)
{
	dma_heap_remove(upstream_heap);
}
module_exit(upstream_exit);

MODULE_DESCRIPTION("Test: a heap written for the kernel's own framework");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
