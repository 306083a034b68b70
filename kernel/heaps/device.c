// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heaps of memory that suits one device: what the DMA API gives its driver.  The driver
 * publishes one, or whoever administers the machine does for a platform device.
 */
#define pr_fmt(fmt) "dmaheap_device: " fmt

#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/dma-direct.h>
#include <linux/dma-heap-buffer.h>
#include <linux/dma-heap-device.h>
#include <linux/dma-heap-region.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../compat/area.h"
#include "../compat/bounce.h"
#include "../compat/coherency.h"
#include "../compat/max_order.h"

/**
 * struct dma_heap_device - the heap of a device
 * @own:	a device of our own, to which the DMA API gives what it would give the other, and which
 *		has it freed when that one, its driver or its area of CMA are long gone.  Counted: by
 *		who has the heap published, and by each buffer
 * @mask:	of @own
 * @limits:	of @own, for its segments
 * @dev:	the device; as long as @heap is published, and counted as long
 * @heap:	the heap, as long as it is published
 */
struct dma_heap_device {
	struct device own;
	u64 mask;
	struct device_dma_parameters limits;
	struct device *dev;
	struct dma_heap *heap;
};

/**
 * struct piece - what the DMA API gave for a buffer by one call
 * @link:	in the buffer's list
 * @size:	bytes
 * @sgt:	by dma_alloc_noncontiguous(), or NULL
 * @pages:	by dma_alloc_pages(), or NULL
 * @addr:	where these are to the device
 */
struct piece {
	struct list_head link;
	size_t size;
	struct sg_table *sgt;
	struct page *pages;
	dma_addr_t addr;
};

/* What a buffer has, and from where. */
struct holding {
	struct dma_heap_device *owner;
	struct list_head pieces;
};

/* ---- a device of our own ---- */

static void device_heap_free(struct device *own)
{
	kfree(container_of(own, struct dma_heap_device, own));
}

/* Nobody needs it any more but for buffers, which need its own only. */
static void device_heap_put(struct dma_heap_device *heap)
{
	put_device(heap->dev);
	put_device(&heap->own);
}

/* Where the bus has memory: the last region has no size.  The kernel frees it with the device. */
static int copy_map(struct device *own, const struct device *dev)
{
	const struct bus_dma_region *map = dev->dma_range_map;
	size_t nr = 1;

	if (!map)
		return 0;
	while (map[nr - 1].size)
		nr++;
	own->dma_range_map = kmemdup(map, nr * sizeof(*map), GFP_KERNEL);
	return own->dma_range_map ? 0 : -ENOMEM;
}

/* All that the DMA API looks at, where no IOMMU translates. */
static int imitate(struct dma_heap_device *heap)
{
	struct device *own = &heap->own, *dev = heap->dev;
	int err;

	heap->mask = *dev->dma_mask;
	own->dma_mask = &heap->mask;
	own->coherent_dma_mask = dev->coherent_dma_mask;
	own->bus_dma_limit = dev->bus_dma_limit;
	own->dma_parms = &heap->limits;
	if (dev->dma_parms)
		heap->limits = *dev->dma_parms;
	set_dev_node(own, dev_to_node(dev));
	compat_share_area(own, dev);
	compat_bounce_alike(own, dev);
	err = compat_set_coherent(own, dev_is_dma_coherent(dev));
	if (!err)
		err = dev_set_name(own, "%s", dev_name(dev));
	return err ?: copy_map(own, dev);
}

static struct dma_heap_device *device_heap_create(struct device *dev)
{
	struct dma_heap_device *heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	int err;

	if (!heap)
		return ERR_PTR(-ENOMEM);
	device_initialize(&heap->own);
	heap->own.release = device_heap_free;
	heap->dev = get_device(dev);
	err = imitate(heap);
	if (!err)
		return heap;
	device_heap_put(heap);
	return ERR_PTR(err);
}

/* ---- buffers ---- */

static gfp_t gfp_of(size_t size)
{
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN;

	/* As large as there are, but nobody is killed for the smallest either. */
	return gfp | (size > PAGE_SIZE ? __GFP_NORETRY : __GFP_RETRY_MAYFAIL);
}

static int add_segments(struct dma_heap_buffer *buffer, struct sg_table *sgt)
{
	struct scatterlist *sg;
	unsigned int i;
	int err;

	for_each_sgtable_sg(sgt, sg, i) {
		err = dma_heap_buffer_add(buffer, sg_phys(sg), sg->length);
		if (err)
			return err;
	}
	return 0;
}

/* What is larger than the page allocator has comes from an area of CMA, or not at all. */
static bool is_set_aside(size_t size)
{
	return get_order(size) > COMPAT_MAX_ORDER;
}

/* It need not be longer. */
static size_t longest_piece(const struct holding *holding)
{
	size_t longest = dma_get_max_seg_size(&holding->owner->own) & PAGE_MASK;

	return max(longest, PAGE_SIZE);
}

static bool alloc_piece(struct piece *piece, struct device *dev, bool set_aside, gfp_t gfp)
{
	if (!set_aside) {
		piece->sgt =
			dma_alloc_noncontiguous(dev, piece->size, DMA_BIDIRECTIONAL, gfp, 0);
		return piece->sgt;
	}
	/* The debugging of the DMA API wants that call to give no more than a segment of the device. */
	piece->pages = dma_alloc_pages(dev, piece->size, &piece->addr, DMA_BIDIRECTIONAL, gfp);
	if (!piece->pages)
		return false;
	/* And that one asks. */
	if (!dma_mapping_error(dev, piece->addr))
		return true;
	dma_free_pages(dev, piece->size, piece->pages, piece->addr, DMA_BIDIRECTIONAL);
	return false;
}

static void free_piece(const struct piece *piece, struct device *dev)
{
	if (piece->pages)
		dma_free_pages(dev, piece->size, piece->pages, piece->addr, DMA_BIDIRECTIONAL);
	else
		dma_free_noncontiguous(dev, piece->size, piece->sgt, DMA_BIDIRECTIONAL);
}

/* -EAGAIN: there is none as long. */
static int add_piece(struct dma_heap_buffer *buffer, struct holding *holding, size_t size)
{
	struct piece *piece = kzalloc(sizeof(*piece), GFP_KERNEL);

	if (!piece)
		return -ENOMEM;
	piece->size = size;
	if (!alloc_piece(piece, &holding->owner->own, is_set_aside(size),
			 gfp_of(size) | dma_heap_buffer_gfp(buffer))) {
		kfree(piece);
		return -EAGAIN;
	}
	list_add(&piece->link, &holding->pieces);
	if (piece->pages)
		return dma_heap_buffer_add(buffer, page_to_phys(piece->pages), size);
	return add_segments(buffer, piece->sgt);
}

/* Before the first piece that others could have, all that is missing is announced. */
static int add_some(struct dma_heap_buffer *buffer, struct holding *holding, size_t *size)
{
	int err;

	if (is_set_aside(*size))
		return add_piece(buffer, holding, *size);
	err = dma_heap_buffer_announce_anywhere(buffer);
	if (err)
		return err;
	/* All in one piece, or as long as the page allocator's are: of those nothing is left over. */
	if (*size > longest_piece(holding) || *size < dma_heap_buffer_size(buffer))
		*size = rounddown_pow_of_two(min(*size, longest_piece(holding)));
	return add_piece(buffer, holding, *size);
}

/*
 * Contiguous; where there is nothing as long, or the device does not take it, in pieces as long as
 * there are.
 */
static int device_populate(struct dma_heap_buffer *buffer)
{
	struct dma_heap_device *owner = dma_heap_get_drvdata(dma_heap_buffer_heap(buffer));
	size_t missing, size = dma_heap_buffer_missing(buffer);
	struct holding *holding;
	int err = dma_heap_check_available(size - min(size, dma_heap_areas_size()));

	if (err) /* nothing is taken in vain */
		return err;
	holding = kzalloc(sizeof(*holding), GFP_KERNEL);
	if (!holding)
		return -ENOMEM;
	get_device(&owner->own);
	holding->owner = owner;
	INIT_LIST_HEAD(&holding->pieces);
	dma_heap_buffer_set_priv(buffer, holding);
	while ((missing = dma_heap_buffer_missing(buffer))) {
		if (fatal_signal_pending(current))
			return -EINTR;
		size = min(size, missing);
		err = add_some(buffer, holding, &size);
		if (err == -EAGAIN && size > PAGE_SIZE)
			size = rounddown_pow_of_two(size - 1);
		else if (err)
			return err == -EAGAIN ? -ENOMEM : err;
		cond_resched();
	}
	return 0;
}

static void device_release(struct dma_heap_buffer *buffer)
{
	struct holding *holding = dma_heap_buffer_get_priv(buffer);
	struct piece *piece, *next;

	if (!holding)
		return;
	list_for_each_entry_safe(piece, next, &holding->pieces, link) {
		free_piece(piece, &holding->owner->own);
		kfree(piece);
	}
	put_device(&holding->owner->own);
	kfree(holding);
	dma_heap_buffer_set_priv(buffer, NULL);
}

static const struct dma_heap_buffer_ops device_buffer_ops = {
	.populate = device_populate,
	.release = device_release,
	.pages = DMA_HEAP_PAGES_LENT,
};

/* ---- buffers of a device before an IOMMU ---- */

/* To which all memory is one piece. */
static int translated_populate(struct dma_heap_buffer *buffer)
{
	return dma_heap_buffer_add_pages(buffer, PHYS_ADDR_MAX, SIZE_MAX);
}

static const struct dma_heap_buffer_ops translated_buffer_ops = {
	.populate = translated_populate,
	.free = dma_heap_free_pages,
};

static bool is_translated(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type != IOMMU_DOMAIN_IDENTITY;
}

/* ---- */

static struct dma_buf *device_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags,
				       u64 heap_flags)
{
	struct dma_heap_device *owner = dma_heap_get_drvdata(heap);

	return dma_heap_buffer_export(
		heap, is_translated(owner->dev) ? &translated_buffer_ops : &device_buffer_ops,
		len, fd_flags);
}

static const struct dma_heap_ops device_ops = {
	.allocate = device_allocate,
};

/* ---- drivers ---- */

/**
 * dma_heap_device_add - publish a heap of memory that suits a device
 * @dev:	the device, with its DMA masks and the limits of its segments set
 * @name:	what the heap is called
 *
 * The memory is what the DMA API gives the device, as it is set up now: within its coherent DMA mask,
 * from its own area of CMA if it has one; and before an IOMMU any.
 *
 * Context: process context, may sleep.
 * Return: the heap, to be removed when the driver unbinds, or an ERR_PTR(): -EINVAL when the
 * device has no DMA mask or the name is none, -EBUSY when a heap of that name is published,
 * -ENOMEM.
 */
struct dma_heap_device *dma_heap_device_add(struct device *dev, const char *name)
{
	struct dma_heap_device *heap;
	struct dma_heap_export_info info = { .name = name, .ops = &device_ops };

	if (!dev->dma_mask || !*dev->dma_mask || !dev->coherent_dma_mask) {
		dev_err(dev, "dmaheap: has no DMA mask, so that no memory could suit it\n");
		return ERR_PTR(-EINVAL);
	}
	heap = device_heap_create(dev);
	if (IS_ERR(heap))
		return heap;
	info.priv = heap;
	heap->heap = dma_heap_add(&info);
	if (IS_ERR(heap->heap)) {
		struct dma_heap *err = heap->heap;

		device_heap_put(heap);
		return ERR_CAST(err);
	}
	return heap;
}
EXPORT_SYMBOL_GPL(dma_heap_device_add);

/**
 * dma_heap_device_remove - remove the heap of a device
 * @heap:	what dma_heap_device_add() returned; gone afterwards
 *
 * Buffers live on; they do not need the device.
 *
 * Context: process context, may sleep.
 */
void dma_heap_device_remove(struct dma_heap_device *heap)
{
	dma_heap_remove(heap->heap);
	device_heap_put(heap);
}
EXPORT_SYMBOL_GPL(dma_heap_device_remove);

/* ---- by name, for platform devices ---- */

static char *devices[16];
static unsigned int nr_devices;
module_param_array(devices, charp, &nr_devices, 0444);
MODULE_PARM_DESC(devices, "DEVICE[=HEAP],...: platform devices, and what to call their heaps");

/* The heap of a device that was named; @heap is its own then. */
struct bound {
	struct list_head link;
	struct dma_heap_device *heap;
};

/* Protects the list, and that nothing is added to it when the module goes. */
static DEFINE_MUTEX(bound_lock);
static LIST_HEAD(bound);
static bool is_closed = true;

static void unbind_locked(struct bound *one)
{
	lockdep_assert_held(&bound_lock);
	list_del(&one->link);
	dma_heap_device_remove(one->heap);
	kfree(one);
}

static struct bound *find_locked(const struct device *dev)
{
	struct bound *one;

	lockdep_assert_held(&bound_lock);
	list_for_each_entry(one, &bound, link)
		if (one->heap->dev == dev)
			return one;
	return NULL;
}

static int bind_locked(struct device *dev, const char *name)
{
	struct bound *one;

	lockdep_assert_held(&bound_lock);
	if (find_locked(dev)) {
		dev_err(dev, "dmaheap: has a heap already\n");
		return -EBUSY;
	}
	if (dev->of_node && !dev->driver) {
		dev_err(dev, "dmaheap: has no driver, which would have set up its DMA\n");
		return -ENODEV;
	}
	one = kzalloc(sizeof(*one), GFP_KERNEL);
	if (!one)
		return -ENOMEM;
	one->heap = dma_heap_device_add(dev, name);
	if (IS_ERR(one->heap)) {
		int err = PTR_ERR(one->heap);

		kfree(one);
		return err;
	}
	list_add(&one->link, &bound);
	return 0;
}

static int call_for_device(const char *name, int (*call)(struct device *dev, const char *heap),
			   const char *heap)
{
	struct device *dev = bus_find_device_by_name(&platform_bus_type, NULL, name);
	int err = -ENODEV;

	if (!dev) {
		pr_err("there is no platform device '%s' (see /sys/bus/platform/devices)\n",
		       name);
		return -ENODEV;
	}
	/* Nor does its driver come or go meanwhile. */
	device_lock(dev);
	scoped_guard(mutex, &bound_lock)
		if (!is_closed)
			err = call(dev, heap);
	device_unlock(dev);
	put_device(dev);
	return err;
}

/* DEVICE[=HEAP]: names of devices may hold colons. */
static int bind(const char *text)
{
	char *copy = kstrdup(text, GFP_KERNEL), *heap, *name;
	int err;

	if (!copy)
		return -ENOMEM;
	heap = strim(copy);
	name = strsep(&heap, "=");
	err = call_for_device(name, bind_locked, heap ?: name);
	kfree(copy);
	return err;
}

static int unbind_device(struct device *dev, const char *unused)
{
	struct bound *one = find_locked(dev);

	if (!one)
		return -ENOENT;
	unbind_locked(one);
	return 0;
}

static int set_bind(const char *text, const struct kernel_param *param)
{
	return bind(text);
}

static int set_unbind(const char *text, const struct kernel_param *param)
{
	char *name = kstrdup(text, GFP_KERNEL);
	int err;

	if (!name)
		return -ENOMEM;
	err = call_for_device(strim(name), unbind_device, NULL);
	kfree(name);
	return err;
}

static const struct kernel_param_ops bind_ops = { .set = set_bind };
module_param_cb(bind, &bind_ops, NULL, 0200);
MODULE_PARM_DESC(bind, "write DEVICE[=HEAP] to publish a heap; at load time: devices=");

static const struct kernel_param_ops unbind_ops = { .set = set_unbind };
module_param_cb(unbind, &unbind_ops, NULL, 0200);
MODULE_PARM_DESC(unbind, "write DEVICE to remove its heap");

/* A device that goes, or whose driver does, has no heap any more. */
static int device_event(struct notifier_block *block, unsigned long event, void *data)
{
	if (event != BUS_NOTIFY_DEL_DEVICE && event != BUS_NOTIFY_UNBIND_DRIVER)
		return NOTIFY_DONE;
	scoped_guard(mutex, &bound_lock)
		unbind_device(data, NULL);
	return NOTIFY_OK;
}

static struct notifier_block device_notifier = { .notifier_call = device_event };

static void close_all(void)
{
	struct bound *one, *next;

	scoped_guard(mutex, &bound_lock) {
		is_closed = true;
		list_for_each_entry_safe(one, next, &bound, link)
			unbind_locked(one);
	}
	bus_unregister_notifier(&platform_bus_type, &device_notifier);
}

static int __init device_init(void)
{
	unsigned int i;
	int err = bus_register_notifier(&platform_bus_type, &device_notifier);

	if (err)
		return err;
	scoped_guard(mutex, &bound_lock)
		is_closed = false;
	for (i = 0; i < nr_devices && !err; i++)
		err = bind(devices[i]);
	if (err)
		close_all();
	return err;
}
module_init(device_init);

static void __exit device_exit(void)
{
	close_all();
}
module_exit(device_exit);

MODULE_DESCRIPTION("DMA-BUF heaps of memory that suits one device");
MODULE_LICENSE("GPL");
