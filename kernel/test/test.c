// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaheap_test: importers, clients and heaps under a test's control; see test.h.
 *
 * For tests only: it lets root read and write DMA buffers by their device addresses.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-fence.h>
#include <linux/dma-heap-buffer.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "cpu.h"
#include "devices.h"
#include "linear_map.h"
#include "test.h"
#include "witness.h"

/**
 * struct importer - an open /dev/dmaheap_test
 * @lock:	protects all of it, but what is atomic; calls that are shared only read it, and are made
 *		against each other
 * @dev:	the device, or NULL
 * @attached:	&struct attached by id
 * @let_go:	mappings that it gave up when it was suspended
 * @taken_again: of these, those that it made anew when it was resumed
 * @kept:	dma-buf kept mapped for the kernel
 * @held:	the heap held, or NULL
 * @published:	&struct published
 * @shadows:	of dma-bufs, see witness.h
 */
struct importer {
	struct rw_semaphore lock;
	struct device *dev;
	struct xarray attached;
	u32 let_go;
	u32 taken_again;
	struct cpu_mapping kept;
	struct dma_heap *held;
	struct list_head published;
	struct list_head shadows;
};

/*
 * An attachment; @maps counts maps not yet unmapped by direction.  Our exporter keeps a mapping until
 * detach, so @sgt is valid as long as that, once there was one.
 */
struct attached {
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	atomic_t maps[DMA_NONE];
};

/* A heap published by a test; its buffers are @lender's, of which it has a reference, if any. */
struct published {
	struct list_head link;
	struct dma_heap *heap;
	struct dma_heap *lender;
	char name[64];
};

/* ---- devices ---- */

static long test_device(struct importer *importer, void *arg)
{
	struct device *dev;

	if (importer->dev)
		return -EBUSY;
	dev = device_create_as(arg);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	importer->dev = dev;
	device_set_importer(dev, importer);
	return 0;
}

/* ---- attachments ---- */

static long test_attach(struct importer *importer, void *arg)
{
	struct dmaheap_test_attach *data = arg;
	struct attached *attached;
	struct dma_buf *dmabuf;
	int err;

	if (!importer->dev)
		return -ENODEV;
	attached = kzalloc(sizeof(*attached), GFP_KERNEL);
	if (!attached)
		return -ENOMEM;
	dmabuf = dma_buf_get(data->fd);
	if (IS_ERR(dmabuf)) {
		err = PTR_ERR(dmabuf);
		goto free;
	}
	attached->attachment = dma_buf_attach(dmabuf, importer->dev);
	if (IS_ERR(attached->attachment)) {
		err = PTR_ERR(attached->attachment);
		goto put;
	}
	err = xa_alloc(&importer->attached, &data->id, attached, xa_limit_31b, GFP_KERNEL);
	if (!err)
		return 0; /* the attachment owns the reference to the dma-buf now */
	dma_buf_detach(dmabuf, attached->attachment);
put:
	dma_buf_put(dmabuf);
free:
	kfree(attached);
	return err;
}

static void detach(struct attached *attached)
{
	struct dma_buf *dmabuf = attached->attachment->dmabuf;
	unsigned int dir;

	for (dir = 0; dir < ARRAY_SIZE(attached->maps); dir++)
		while (atomic_dec_if_positive(&attached->maps[dir]) >= 0)
			dma_buf_unmap_attachment_unlocked(attached->attachment, attached->sgt,
							  dir);
	dma_buf_detach(dmabuf, attached->attachment);
	dma_buf_put(dmabuf);
	kfree(attached);
}

static long test_detach(struct importer *importer, void *arg)
{
	struct attached *attached = xa_erase(&importer->attached, *(u32 *)arg);

	if (!attached)
		return -ENOENT;
	detach(attached);
	return 0;
}

static void describe_table(struct device *dev, struct sg_table *sgt,
			   struct dmaheap_test_map *data)
{
	u64 boundary = dma_get_seg_boundary(dev);
	struct scatterlist *sg;
	unsigned int i;

	data->segments = sgt->nents;
	data->first = sg_dma_address(sgt->sgl);
	data->table = (uintptr_t)sgt;
	data->longest = 0;
	data->shortest = U32_MAX;
	data->crossings = 0;
	data->last = 0;
	data->alignment = 0;
	for_each_sgtable_dma_sg(sgt, sg, i) {
		u64 first = sg_dma_address(sg), last = first + sg_dma_len(sg) - 1;

		data->longest = max(data->longest, sg_dma_len(sg));
		data->shortest = min(data->shortest, sg_dma_len(sg));
		data->last = max(data->last, last);
		data->alignment |= first;
		data->crossings += (first & ~boundary) != (last & ~boundary);
	}
	data->alignment &= -data->alignment;
}

static long test_map(struct importer *importer, void *arg)
{
	struct dmaheap_test_map *data = arg;
	struct attached *attached = xa_load(&importer->attached, data->id);
	struct sg_table *sgt;

	if (!attached)
		return -ENOENT;
	if (data->direction >= DMA_NONE)
		return -EINVAL;
	sgt = dma_buf_map_attachment_unlocked(attached->attachment, data->direction);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	WRITE_ONCE(attached->sgt, sgt);
	smp_mb__before_atomic(); /* who sees the count finds the list: pairs with smp_rmb() */
	atomic_inc(&attached->maps[data->direction]);
	describe_table(importer->dev, sgt, data);
	return 0;
}

static long test_job(struct importer *importer, const struct dmaheap_test_job *data,
		     int (*call)(struct dma_buf_attachment *, enum dma_data_direction))
{
	struct attached *attached = xa_load(&importer->attached, data->id);
	bool cookie;
	int err;

	if (!attached)
		return -ENOENT;
	/* As a driver does whose fence signals next: lockdep knows what must not be there. */
	cookie = dma_fence_begin_signalling();
	err = call(attached->attachment, data->direction);
	dma_fence_end_signalling(cookie);
	return err;
}

static long test_begin(struct importer *importer, void *arg)
{
	return test_job(importer, arg, dma_heap_begin_device_access);
}

static long test_end(struct importer *importer, void *arg)
{
	return test_job(importer, arg, dma_heap_end_device_access);
}

static long test_require_contiguous(struct importer *importer, void *arg)
{
	struct attached *attached = xa_load(&importer->attached, *(u32 *)arg);

	return attached ? dma_heap_require_contiguous(attached->attachment) : -ENOENT;
}

static long test_name(struct importer *importer, void *arg)
{
	struct dmaheap_test_name *data = arg;

	if (!importer->dev)
		return -ENODEV;
	strscpy(data->name, dev_name(importer->dev), sizeof(data->name));
	data->let_go = importer->let_go;
	data->taken_again = importer->taken_again;
	return 0;
}

static bool is_mapped(const struct attached *attached)
{
	return atomic_read(&attached->maps[DMA_BIDIRECTIONAL]) ||
	       atomic_read(&attached->maps[DMA_TO_DEVICE]) ||
	       atomic_read(&attached->maps[DMA_FROM_DEVICE]);
}

static long test_unmap(struct importer *importer, void *arg)
{
	struct dmaheap_test_map *data = arg;
	struct attached *attached = xa_load(&importer->attached, data->id);

	if (!attached)
		return -ENOENT;
	if (data->direction >= DMA_NONE ||
	    atomic_dec_if_positive(&attached->maps[data->direction]) < 0)
		return -EINVAL;
	dma_buf_unmap_attachment_unlocked(attached->attachment, READ_ONCE(attached->sgt),
					  data->direction);
	return 0;
}

/* ---- suspend ---- */

/*
 * As of drivers that let go of all buffers while their device has no power.  No program runs
 * meanwhile, so @lock of importers is not needed.
 */
static int suspend(struct device *dev)
{
	struct importer *importer = device_importer(dev);
	struct attached *attached;
	unsigned long id;
	unsigned int dir;
	int i;

	if (!importer)
		return 0;
	xa_for_each(&importer->attached, id, attached)
		for (dir = 0; dir < ARRAY_SIZE(attached->maps); dir++)
			for (i = 0; i < atomic_read(&attached->maps[dir]);
			     i++, importer->let_go++)
				dma_buf_unmap_attachment_unlocked(attached->attachment,
								  attached->sgt, dir);
	return 0;
}

/* Maps as often as before, or as often as it can be; how often that was. */
static unsigned int map_again(struct attached *attached, unsigned int dir)
{
	int wanted = atomic_read(&attached->maps[dir]), mapped;
	struct sg_table *sgt;

	for (mapped = 0; mapped < wanted; mapped++) {
		sgt = dma_buf_map_attachment_unlocked(attached->attachment, dir);
		if (IS_ERR(sgt))
			break;
		attached->sgt = sgt;
	}
	atomic_set(&attached->maps[dir], mapped);
	return mapped;
}

static int resume(struct device *dev)
{
	struct importer *importer = device_importer(dev);
	struct attached *attached;
	unsigned long id;
	unsigned int dir;

	if (!importer)
		return 0;
	xa_for_each(&importer->attached, id, attached)
		for (dir = 0; dir < ARRAY_SIZE(attached->maps); dir++)
			importer->taken_again += map_again(attached, dir);
	return 0;
}

DEFINE_SIMPLE_DEV_PM_OPS(device_pm, suspend, resume);

/* ---- bytes as the device sees them ---- */

static phys_addr_t device_to_phys(struct device *dev, dma_addr_t addr)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (domain && domain->type != IOMMU_DOMAIN_IDENTITY)
		return iommu_iova_to_phys(domain, addr);
	return dma_to_phys(dev, addr);
}

static void touch(void *vaddr, void *bytes, size_t len, bool write)
{
	memcpy(write ? vaddr : bytes, write ? bytes : vaddr, len);
}

static void touch_coherent(struct page *page, size_t offset, void *bytes, size_t len,
			   bool write)
{
	void *vaddr = kmap_local_page(page);

	touch(vaddr + offset, bytes, len, write);
	kunmap_local(vaddr);
}

/* What the kernel does not map. */
static int touch_unmapped(phys_addr_t phys, void *bytes, size_t len, bool write)
{
	void *vaddr = memremap(phys, len, MEMREMAP_WC);

	if (!vaddr)
		return -ENOMEM;
	touch(vaddr, bytes, len, write);
	memunmap(vaddr);
	return 0;
}

/* A device that does not snoop reads memory, not the caches: so do we in its place. */
static int touch_page(struct device *dev, phys_addr_t phys, void *bytes, size_t len,
		      bool write)
{
	struct page *page = pfn_to_page(PHYS_PFN(phys));
	void *vaddr;

	if (!page_is_ram(PHYS_PFN(phys)))
		return touch_unmapped(phys, bytes, len, write);
	if (dev_is_dma_coherent(dev)) {
		touch_coherent(page, offset_in_page(phys), bytes, len, write);
		return 0;
	}
	if (shadow_touch(phys, bytes, len, write))
		return 0;
	vaddr = vmap(&page, 1, VM_MAP, pgprot_writecombine(PAGE_KERNEL));
	if (!vaddr)
		return -ENOMEM;
	touch(vaddr + offset_in_page(phys), bytes, len, write);
	vunmap(vaddr);
	return 0;
}

/* The device's address of a byte, and how many follow it in the same segment. */
static size_t find_address(struct sg_table *sgt, u64 offset, dma_addr_t *addr)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (offset < sg_dma_len(sg)) {
			*addr = sg_dma_address(sg) + offset;
			return sg_dma_len(sg) - offset;
		}
		offset -= sg_dma_len(sg);
	}
	return 0;
}

static int touch_device(struct device *dev, struct sg_table *sgt, u64 offset, void *bytes,
			size_t len, bool write)
{
	dma_addr_t addr;
	size_t n;
	int err;

	for (; len; len -= n, offset += n, bytes += n) {
		n = min(find_address(sgt, offset, &addr), len);
		if (!n)
			return -EINVAL;
		n = min(n, PAGE_SIZE - offset_in_page(addr));
		err = touch_page(dev, device_to_phys(dev, addr), bytes, n, write);
		if (err)
			return err;
	}
	return 0;
}

static long test_access(struct importer *importer, void *arg)
{
	const struct dmaheap_test_access *data = arg;
	struct attached *attached = xa_load(&importer->attached, data->id);
	void __user *user = u64_to_user_ptr(data->bytes);
	void *bytes;
	int err = 0;

	if (!attached)
		return -ENOENT;
	if (!is_mapped(attached))
		return -EINVAL;
	smp_rmb(); /* see test_map(); the count of test_unmap() is ordered by itself */
	if (!data->len || data->len > SZ_1M)
		return -EINVAL;
	bytes = kvzalloc(data->len, GFP_KERNEL);
	if (!bytes)
		return -ENOMEM;
	if (data->write && copy_from_user(bytes, user, data->len))
		err = -EFAULT;
	if (!err)
		err = touch_device(importer->dev, READ_ONCE(attached->sgt), data->offset,
				   bytes, data->len, data->write);
	if (!err && !data->write && copy_to_user(user, bytes, data->len))
		err = -EFAULT;
	kvfree(bytes);
	return err;
}

/* ---- the CPU in the kernel ---- */

static long test_vmap(struct importer *importer, void *arg)
{
	return cpu_touch(arg);
}

static long test_keep_vmap(struct importer *importer, void *arg)
{
	return cpu_map(&importer->kept, *(s32 *)arg);
}

static long test_leave_open(struct importer *importer, void *arg)
{
	return cpu_leave_open(*(s32 *)arg);
}

/* ---- what the kernel does ---- */

static long test_witness(struct importer *importer, void *arg)
{
	return witness_read(arg);
}

static long test_shadow(struct importer *importer, void *arg)
{
	struct dma_buf *dmabuf = dma_buf_get(*(s32 *)arg);
	int err;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	err = shadow_create(dmabuf, &importer->shadows);
	dma_buf_put(dmabuf);
	return err;
}

static long test_evict(struct importer *importer, void *arg)
{
	shadow_evict(*(u64 *)arg);
	return 0;
}

static long test_uncached(struct importer *importer, void *arg)
{
	return linear_map_uncached(arg);
}

/* ---- clients of heaps ---- */

static long test_hold(struct importer *importer, void *arg)
{
	struct dmaheap_test_heap *data = arg;
	struct dma_heap *heap;

	data->name[sizeof(data->name) - 1] = '\0';
	heap = dma_heap_find_by_name(data->name);
	if (!heap)
		return -ENOENT;
	dma_heap_put(importer->held);
	importer->held = heap;
	strscpy(data->name, dma_heap_get_name(heap), sizeof(data->name));
	return 0;
}

static long test_alloc(struct importer *importer, void *arg)
{
	struct dmaheap_test_alloc *data = arg;
	struct dma_buf *dmabuf;

	if (!importer->held)
		return -ENOENT;
	dmabuf = dma_heap_buffer_alloc(importer->held, data->len, data->fd_flags,
				       data->heap_flags);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	data->fd = dma_buf_fd(dmabuf, data->fd_flags);
	if (data->fd >= 0)
		return 0;
	dma_buf_put(dmabuf);
	return data->fd;
}

/* ---- heaps ---- */

static struct dma_buf *lent_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				     u64 heap_flags)
{
	const struct published *published = dma_heap_get_drvdata(heap);

	if (!published->lender)
		return ERR_PTR(-ENOMEM);
	return dma_heap_buffer_alloc(published->lender, len, fd_flags, heap_flags);
}

static const struct dma_heap_ops lent_ops = {
	.allocate = lent_allocate,
};

static void published_free(struct published *published)
{
	dma_heap_put(published->lender);
	kfree(published);
}

static long test_add(struct importer *importer, void *arg)
{
	struct dmaheap_test_heap *data = arg;
	struct dma_heap_export_info info = { .name = data->name, .ops = &lent_ops };
	struct published *published = kzalloc(sizeof(*published), GFP_KERNEL);
	int err;

	if (!published)
		return -ENOMEM;
	data->name[sizeof(data->name) - 1] = '\0';
	strscpy(published->name, data->name, sizeof(published->name));
	published->lender = importer->held;
	importer->held = NULL;
	info.priv = published;
	published->heap = dma_heap_add(&info);
	if (IS_ERR(published->heap)) {
		err = PTR_ERR(published->heap);
		published_free(published);
		return err;
	}
	if (WARN_ON(dma_heap_get_drvdata(published->heap) != published))
		pr_err("dmaheap_test: the heap's data is not what it was added with\n");
	list_add_tail(&published->link, &importer->published);
	return 0;
}

static void unpublish(struct published *published)
{
	list_del(&published->link);
	dma_heap_remove(published->heap);
	published_free(published);
}

static long test_remove(struct importer *importer, void *arg)
{
	const struct dmaheap_test_heap *data = arg;
	struct published *published;

	list_for_each_entry(published, &importer->published, link)
		if (!strncmp(published->name, data->name, sizeof(data->name))) {
			unpublish(published);
			return 0;
		}
	return -ENOENT;
}

/* ---- the node ---- */

static const struct test_ioctl {
	unsigned int number;
	long (*call)(struct importer *importer, void *arg);
	bool shared;
} ioctls[] = {
	/* clang-format off */
	{ DMAHEAP_TEST_DEVICE, test_device },
	{ DMAHEAP_TEST_ATTACH, test_attach },
	{ DMAHEAP_TEST_DETACH, test_detach },
	{ DMAHEAP_TEST_MAP, test_map, .shared = true },
	{ DMAHEAP_TEST_UNMAP, test_unmap, .shared = true },
	{ DMAHEAP_TEST_ACCESS, test_access, .shared = true },
	{ DMAHEAP_TEST_HOLD, test_hold },
	{ DMAHEAP_TEST_ALLOC, test_alloc, .shared = true },
	{ DMAHEAP_TEST_ADD, test_add },
	{ DMAHEAP_TEST_REMOVE, test_remove },
	{ DMAHEAP_TEST_VMAP, test_vmap, .shared = true },
	{ DMAHEAP_TEST_KEEP_VMAP, test_keep_vmap },
	{ DMAHEAP_TEST_BEGIN, test_begin, .shared = true },
	{ DMAHEAP_TEST_END, test_end, .shared = true },
	{ DMAHEAP_TEST_WITNESS, test_witness },
	{ DMAHEAP_TEST_SHADOW, test_shadow },
	{ DMAHEAP_TEST_EVICT, test_evict },
	{ DMAHEAP_TEST_REQUIRE_CONTIGUOUS, test_require_contiguous, .shared = true },
	{ DMAHEAP_TEST_NAME, test_name },
	{ DMAHEAP_TEST_UNCACHED, test_uncached },
	{ DMAHEAP_TEST_LEAVE_OPEN, test_leave_open },
	/* clang-format on */
};

static long call_locked(struct importer *importer, const struct test_ioctl *ioctl, void *arg)
{
	if (ioctl->shared) {
		guard(rwsem_read)(&importer->lock);
		return ioctl->call(importer, arg);
	}
	guard(rwsem_write)(&importer->lock);
	return ioctl->call(importer, arg);
}

static long call_ioctl(struct importer *importer, const struct test_ioctl *ioctl,
		       void __user *user)
{
	union {
		struct dmaheap_test_device device;
		struct dmaheap_test_attach attach;
		struct dmaheap_test_map map;
		struct dmaheap_test_access access;
		struct dmaheap_test_heap heap;
		struct dmaheap_test_alloc alloc;
		struct dmaheap_test_vmap vmap;
		struct dmaheap_test_job job;
		struct dmaheap_test_witness witness;
		struct dmaheap_test_name name;
		u64 seed;
	} data;
	long err;

	if (copy_from_user(&data, user, _IOC_SIZE(ioctl->number)))
		return -EFAULT;
	err = call_locked(importer, ioctl, &data);
	if (!err && _IOC_DIR(ioctl->number) & _IOC_READ &&
	    copy_to_user(user, &data, _IOC_SIZE(ioctl->number)))
		err = -EFAULT;
	return err;
}

static long test_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		if (ioctls[i].number == number)
			return call_ioctl(file->private_data, &ioctls[i], (void __user *)arg);
	return -ENOTTY;
}

static int test_open(struct inode *inode, struct file *file)
{
	struct importer *importer = kzalloc(sizeof(*importer), GFP_KERNEL);

	if (!importer)
		return -ENOMEM;
	init_rwsem(&importer->lock);
	xa_init_flags(&importer->attached, XA_FLAGS_ALLOC1);
	INIT_LIST_HEAD(&importer->published);
	INIT_LIST_HEAD(&importer->shadows);
	file->private_data = importer;
	return 0;
}

static int test_release(struct inode *inode, struct file *file)
{
	struct importer *importer = file->private_data;
	struct published *published, *next;
	struct attached *attached;
	unsigned long id;

	xa_for_each(&importer->attached, id, attached)
		detach(attached);
	xa_destroy(&importer->attached);
	if (importer->dev)
		device_give_back(importer->dev);
	cpu_unmap(&importer->kept);
	shadow_destroy_all(&importer->shadows);
	dma_heap_put(importer->held);
	list_for_each_entry_safe(published, next, &importer->published, link)
		unpublish(published);
	kfree(importer);
	return 0;
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
	.open = test_open,
	.release = test_release,
	.unlocked_ioctl = test_ioctl,
};

static struct miscdevice test_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmaheap_test",
	.fops = &test_fops,
	.mode = 0600,
};

static int __init test_init(void)
{
	int err = devices_init();

	if (err)
		return err;
	witness_init();
	err = misc_register(&test_misc);
	if (err) {
		witness_exit();
		devices_exit();
	}
	return err;
}
module_init(test_init);

static void __exit test_exit(void)
{
	misc_deregister(&test_misc);
	witness_exit();
	devices_exit();
}
module_exit(test_exit);

MODULE_DESCRIPTION("Test: devices, clients and heaps under a test's control");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
