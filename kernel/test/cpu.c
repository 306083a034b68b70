// SPDX-License-Identifier: GPL-2.0-only
/* What the CPU does with a dma-buf in the kernel: see cpu.h. */
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/uaccess.h>

#include "cpu.h"

static unsigned long touch_vaddr(void *vaddr, const struct dmaheap_test_vmap *data)
{
	void __user *user = u64_to_user_ptr(data->bytes);

	return data->flags & DMAHEAP_TEST_VMAP_WRITE ? copy_from_user(vaddr, user, data->len) :
						       copy_to_user(user, vaddr, data->len);
}

static int touch_bracketed(struct dma_buf *dmabuf, void *vaddr,
			   const struct dmaheap_test_vmap *data)
{
	enum dma_data_direction dir =
		data->flags & DMAHEAP_TEST_VMAP_WRITE ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
	unsigned long left;
	int err = dma_buf_begin_cpu_access(dmabuf, dir);

	if (err)
		return err;
	left = touch_vaddr(vaddr, data);
	err = dma_buf_end_cpu_access(dmabuf, dir);
	return left ? -EFAULT : err;
}

static int touch_vmap(struct dma_buf *dmabuf, const struct dmaheap_test_vmap *data)
{
	struct iosys_map map;
	int err;

	if (data->offset > dmabuf->size || data->len > dmabuf->size - data->offset)
		return -EINVAL;
	err = dma_buf_vmap_unlocked(dmabuf, &map);
	if (err)
		return err;
	if (data->flags & DMAHEAP_TEST_VMAP_UNBRACKETED)
		err = touch_vaddr(map.vaddr + data->offset, data) ? -EFAULT : 0;
	else
		err = touch_bracketed(dmabuf, map.vaddr + data->offset, data);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	return err;
}

int cpu_touch(const struct dmaheap_test_vmap *data)
{
	struct dma_buf *dmabuf = dma_buf_get(data->fd);
	int err;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	err = touch_vmap(dmabuf, data);
	dma_buf_put(dmabuf);
	return err;
}

int cpu_leave_open(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	int err;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	err = dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE);
	dma_buf_put(dmabuf);
	return err;
}

int cpu_map(struct cpu_mapping *mapping, int fd)
{
	struct dma_buf *dmabuf;
	int err;

	if (mapping->dmabuf)
		return -EBUSY;
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	err = dma_buf_vmap_unlocked(dmabuf, &mapping->map);
	if (err)
		dma_buf_put(dmabuf);
	else
		mapping->dmabuf = dmabuf;
	return err;
}

void cpu_unmap(struct cpu_mapping *mapping)
{
	if (!mapping->dmabuf)
		return;
	dma_buf_vunmap_unlocked(mapping->dmabuf, &mapping->map);
	dma_buf_put(mapping->dmabuf);
	mapping->dmabuf = NULL;
}
