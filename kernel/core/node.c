// SPDX-License-Identifier: GPL-2.0-only
/*
 * The character devices under /dev/dma_heap/, and the ABI behind them.
 */
#define pr_fmt(fmt) "dmaheap: " fmt

#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/kdev_t.h>
#include <linux/memcontrol.h>
#include <linux/platform_device.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>
#include <uapi/linux/dma-buf.h>

#include "../compat/class.h"
#include "core.h"

/* The kernel's own framework, where it is built in, has the class's plain name. */
#define CLASS_NAME (IS_ENABLED(CONFIG_DMABUF_HEAPS) ? "dmaheap" : "dma_heap")
#define MAX_HEAPS 256

static dev_t first_node;
static DEFINE_IDA(minors);

/* One ioctl: the argument is copied in, and back if the call succeeded so far. */
struct node_ioctl {
	unsigned int number;
	unsigned int min_size; /* a caller's shorter structure has no use */
	long (*call)(struct dma_heap *heap, void *arg, void __user *user, size_t size);
};

/*
 * The buffer pays to the heap that it is of: a heap may take it from another, which it then holds, and
 * whose buffers may be longer than what was asked for.  Of what a heap exports by itself nobody knows
 * when it goes, and what it gives a second time, maybe to two at a time, is paid for.
 */
static int pay(struct dma_heap *heap, struct dma_buf *dmabuf, struct dmaheap_charge *charge)
{
	struct dma_heap_buffer *buffer = dmaheap_buffer_of(dmabuf);
	int err = 0;

	if (!buffer || atomic_read(&buffer->paid)) {
		dmaheap_uncharge(&heap->users, charge);
		return 0;
	}
	if (buffer->heap != heap || buffer->size >> PAGE_SHIFT != charge->pages) {
		dmaheap_uncharge(&heap->users, charge);
		err = dmaheap_charge(&buffer->heap->users, buffer->size >> PAGE_SHIFT, charge);
	}
	if (err)
		return err;
	/* Who was first pays. */
	if (atomic_xchg(&buffer->paid, true))
		dmaheap_uncharge(&buffer->heap->users, charge);
	else
		buffer->charge = *charge;
	return 0;
}

static struct dma_buf *allocate_charged(struct dma_heap *heap,
					const struct dma_heap_allocation_data *data)
{
	size_t size = dmaheap_rounded(heap, data->len);
	struct mem_cgroup *payer, *outer;
	struct dmaheap_charge charge;
	struct dma_buf *dmabuf;
	int err = size ? dmaheap_charge(&heap->users, size >> PAGE_SHIFT, &charge) : -ENOMEM;

	if (err) /* of a heap that is gone nobody can have too much */
		return ERR_PTR(READ_ONCE(heap->ops) ? err : -ENODEV);
	payer = dmaheap_payer_of_program();
	outer = set_active_memcg(payer);
	dmabuf = dma_heap_buffer_alloc(heap, data->len, data->fd_flags, data->heap_flags);
	set_active_memcg(outer);
	mem_cgroup_put(payer);
	if (IS_ERR(dmabuf)) {
		dmaheap_uncharge(&heap->users, &charge);
		return dmabuf;
	}
	err = pay(heap, dmabuf, &charge);
	if (!err)
		return dmabuf;
	dma_buf_put(dmabuf);
	return ERR_PTR(err);
}

static long ioctl_alloc(struct dma_heap *heap, void *arg, void __user *user, size_t size)
{
	struct dma_heap_allocation_data *data = arg;
	struct dma_buf *dmabuf;
	int err, fd;

	if (data->fd)
		return -EINVAL;
	/* Before len becomes a size_t, which may be shorter. */
	err = dmaheap_check_request(data->len, data->fd_flags, data->heap_flags);
	if (err)
		return err;
	dmabuf = allocate_charged(heap, data);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	fd = get_unused_fd_flags(data->fd_flags);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}
	data->fd = fd;
	/* An installed fd cannot be taken back: first make sure that the caller learns it. */
	if (copy_to_user(user, data, size)) {
		put_unused_fd(fd);
		dma_buf_put(dmabuf);
		return -EFAULT;
	}
	dma_buf_fd_install(dmabuf, fd);
	return 0;
}

/* Which way the bytes go, from the devices' side: as for DMA_BUF_IOCTL_SYNC. */
static enum dma_data_direction direction_of(u64 flags)
{
	switch (flags & DMA_BUF_SYNC_RW) {
	case DMA_BUF_SYNC_READ: return DMA_FROM_DEVICE;
	case DMA_BUF_SYNC_WRITE: return DMA_TO_DEVICE;
	case DMA_BUF_SYNC_RW: return DMA_BIDIRECTIONAL;
	default: return DMA_NONE;
	}
}

static int sync_range(struct dma_buf *dmabuf, const struct dma_heap_sync_data *data)
{
	enum dma_data_direction dir = direction_of(data->flags);

	if (!dmaheap_buffer_of(dmabuf) || data->flags & ~(u64)DMA_BUF_SYNC_VALID_FLAGS_MASK ||
	    dir == DMA_NONE)
		return -EINVAL;
	if (!data->len || data->offset > dmabuf->size ||
	    data->len > dmabuf->size - data->offset)
		return -EINVAL;
	if (!(data->flags & DMA_BUF_SYNC_END))
		return dmaheap_begin_cpu_access(dmabuf, dir, data->offset, data->len);
	return dmaheap_end_cpu_access(dmabuf, dir, data->offset, data->len);
}

static long ioctl_sync(struct dma_heap *heap, void *arg, void __user *user, size_t size)
{
	const struct dma_heap_sync_data *data = arg;
	struct dma_buf *dmabuf;
	int err;

	if (data->pad)
		return -EINVAL;
	if (!READ_ONCE(heap->ops)) /* nothing of it is called, but so says the ABI */
		return -ENODEV;
	dmabuf = dma_buf_get(data->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	err = sync_range(dmabuf, data);
	dma_buf_put(dmabuf);
	return err;
}

static const struct node_ioctl ioctls[] = {
	{
		.number = DMA_HEAP_IOCTL_ALLOC,
		.min_size = offsetofend(struct dma_heap_allocation_data, fd),
		.call = ioctl_alloc,
	},
	{
		.number = DMA_HEAP_IOCTL_SYNC,
		.min_size = sizeof(struct dma_heap_sync_data),
		.call = ioctl_sync,
	},
};

static const struct node_ioctl *find_ioctl(unsigned int number)
{
	const unsigned int size_bits = _IOC_SIZEMASK << _IOC_SIZESHIFT;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		if (!((ioctls[i].number ^ number) & ~size_bits))
			return &ioctls[i];
	return NULL;
}

static long node_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	union {
		struct dma_heap_allocation_data alloc;
		struct dma_heap_sync_data sync;
	} data = {};
	const struct node_ioctl *ioctl = find_ioctl(number);
	void __user *user = (void __user *)arg;
	size_t size;

	if (!ioctl)
		return -ENOTTY;
	if (_IOC_SIZE(number) < ioctl->min_size)
		return -EINVAL;
	size = min(_IOC_SIZE(number), _IOC_SIZE(ioctl->number));
	if (copy_from_user(&data, user, size))
		return -EFAULT;
	return ioctl->call(file->private_data, &data, user, size);
}

static int node_open(struct inode *inode, struct file *file)
{
	struct dma_heap *heap = container_of(inode->i_cdev, struct dma_heap, cdev);

	/* Only to say it early: each call asks again, under the lock. */
	if (!READ_ONCE(heap->ops))
		return -ENODEV;
	get_device(&heap->dev);
	file->private_data = heap;
	return nonseekable_open(inode, file);
}

static int node_release(struct inode *inode, struct file *file)
{
	dma_heap_put(file->private_data);
	return 0;
}

static const struct file_operations node_fops = {
	.owner = THIS_MODULE,
	.open = node_open,
	.release = node_release,
	.unlocked_ioctl = node_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static char *node_name(compat_devnode_device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0660;
	/* Without a name, a node that is to go would stay. */
	return kasprintf(GFP_KERNEL | __GFP_NOFAIL, "dma_heap/%s", dev_name(dev));
}

static struct class node_class = {
	.name = CLASS_NAME,
	.devnode = node_name,
};

/*
 * dmaheap_kernel_has - has the kernel's own framework published a heap of this name?
 *
 * It keeps no registry that a module could ask, but its devices are in sysfs, and
 * there the tree of virtual devices is reached without a path of any mount.
 */
bool dmaheap_kernel_has(const char *name)
{
	static const char *const steps[] = { "virtual", "dma_heap" };
	struct kernfs_node *parent, *child;
	unsigned int i;

	if (!IS_ENABLED(CONFIG_DMABUF_HEAPS))
		return false;
	parent = platform_bus.kobj.parent->sd;
	kernfs_get(parent);
	for (i = 0; i <= ARRAY_SIZE(steps) && parent; i++) {
		child = kernfs_find_and_get(parent, i < ARRAY_SIZE(steps) ? steps[i] : name);
		kernfs_put(parent);
		parent = child;
	}
	kernfs_put(parent);
	return parent;
}

int dmaheap_node_add(struct dma_heap *heap)
{
	int minor = ida_alloc_max(&minors, MAX_HEAPS - 1, GFP_KERNEL);
	int err;

	if (minor < 0)
		return minor;
	heap->dev.class = &node_class;
	heap->dev.devt = first_node + minor;
	cdev_init(&heap->cdev, &node_fops);
	heap->cdev.owner = THIS_MODULE;
	err = cdev_device_add(&heap->cdev, &heap->dev);
	if (err)
		ida_free(&minors, minor);
	return err;
}

void dmaheap_node_del(struct dma_heap *heap)
{
	cdev_device_del(&heap->cdev, &heap->dev);
	ida_free(&minors, heap->dev.devt - first_node);
}

int dmaheap_node_init(void)
{
	int err = alloc_chrdev_region(&first_node, 0, MAX_HEAPS, CLASS_NAME);

	if (err)
		return err;
	err = class_register(&node_class);
	if (err)
		unregister_chrdev_region(first_node, MAX_HEAPS);
	return err;
}

void dmaheap_node_exit(void)
{
	class_unregister(&node_class);
	unregister_chrdev_region(first_node, MAX_HEAPS);
	ida_destroy(&minors);
}
