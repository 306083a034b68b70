// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry: heaps are published, found, used and revoked here.
 *
 * A heap is counted by its device.  Publishing holds one reference, each open node
 * one, each buffer one, and whoever found the heap by name another; what revokes it
 * is that its operations become NULL, and from then on all of these get -ENODEV.
 */
#define pr_fmt(fmt) "dmaheap: " fmt

#include <linux/ctype.h>
#include <linux/fcntl.h>
#include <linux/slab.h>

#include "core.h"
#include "pool.h"

/* Protects the list and that no two heaps in it share a name. */
static DEFINE_MUTEX(heaps_lock);
static LIST_HEAD(heaps);

/* A driver asks for "system" on any kernel; a person reads "system.dmaheap" in /dev. */
static bool heap_is_called(const struct dma_heap *heap, const char *name)
{
	return !strcmp(heap->name, name) || !strcmp(dev_name(&heap->dev), name);
}

static struct dma_heap *find_locked(const char *name)
{
	struct dma_heap *heap;

	lockdep_assert_held(&heaps_lock);
	list_for_each_entry(heap, &heaps, link)
		if (heap_is_called(heap, name))
			return heap;
	return NULL;
}

/*
 * A name becomes a file name in /dev and in sysfs, which also has a meaning for '!',
 * and a word in tables that scripts split at blanks.
 */
static bool name_is_valid(const char *name)
{
	const char *c;

	if (!name || !*name || *name == '.' || strlen(name) > 63)
		return false;
	for (c = name; *c; c++)
		if (!isascii(*c) || !isgraph(*c) || *c == '/' || *c == '!')
			return false;
	return true;
}

void dmaheap_free(struct device *dev)
{
	struct dma_heap *heap = container_of(dev, struct dma_heap, dev);

	if (heap->pool)
		dmaheap_pool_destroy(heap->pool);
	dmaheap_users_destroy(&heap->users);
	lockdep_unregister_key(&heap->lock_key);
	kfree(heap->name);
	kfree(heap);
}

static int add_pool(struct dma_heap *heap, enum dma_heap_pool kind)
{
	struct dmaheap_pool *pool;

	if (kind == DMA_HEAP_POOL_NONE)
		return 0;
	pool = dmaheap_pool_create(heap, kind);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	heap->pool = pool;
	return 0;
}

/* From here on the heap is freed by put_device(). */
static struct dma_heap *heap_create(const struct dma_heap_export_info *exp_info,
				    struct module *owner)
{
	struct dma_heap *heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	int err;

	if (!heap)
		return ERR_PTR(-ENOMEM);
	device_initialize(&heap->dev);
	heap->dev.release = dmaheap_free;
	/* A heap may allocate from another, and holds this then; two of each other would be wrong. */
	init_rwsem(&heap->lock);
	lockdep_register_key(&heap->lock_key);
	lockdep_set_class(&heap->lock, &heap->lock_key);
	dmaheap_users_init(&heap->users);
	heap->owner = owner;
	heap->priv = exp_info->priv;
	heap->ops = exp_info->ops;
	heap->granule = heap->ops->granule ? heap->ops->granule(heap) : PAGE_SIZE;
	heap->name = kstrdup(exp_info->name, GFP_KERNEL);
	err = heap->name ? 0 : -ENOMEM;
	if (!err)
		err = dev_set_name(&heap->dev, "%s%s", heap->name,
				   dmaheap_kernel_has(heap->name) ? ".dmaheap" : "");
	if (!err)
		err = add_pool(heap, exp_info->pool);
	if (err) {
		put_device(&heap->dev);
		return ERR_PTR(err);
	}
	heap->dev.groups = dmaheap_statistics_of(heap);
	return heap;
}

static int heap_publish(struct dma_heap *heap)
{
	int err;

	guard(mutex)(&heaps_lock);
	/* Not -EEXIST: modprobe takes that, from a module's init, for success. */
	if (find_locked(heap->name) || find_locked(dev_name(&heap->dev)))
		return -EBUSY;
	err = dmaheap_node_add(heap);
	if (!err)
		list_add_tail(&heap->link, &heaps);
	return err;
}

/* Waits for the calls under way; afterwards there are none, ever. */
static void heap_revoke(struct dma_heap *heap)
{
	guard(rwsem_write)(&heap->lock);
	WRITE_ONCE(heap->ops, NULL);
}

/**
 * dmaheap_add - publish a heap; drivers call dma_heap_add(@exp_info)
 * @exp_info:	name, operations and data of the heap
 * @owner:	module that holds the operations; filled in by dma_heap_add()
 *
 * On return the heap is at /dev/dma_heap/<name>, made by root for root (mode 0660),
 * and can be found by name.  Where the kernel's own framework has published the name,
 * the node is <name>.dmaheap, and the log says so.
 *
 * Context: process context, may sleep.
 * Return: the heap, to be given to dma_heap_remove(), or an ERR_PTR():
 * -EINVAL when the name is empty, starts with a dot, is longer than 63 bytes, or holds
 * '/', '!', a blank or anything outside printable ASCII, or when there is no allocate
 * operation; -EBUSY when a heap of that name is published; -ENOMEM; -ENOSPC when there
 * are too many heaps.  On an error nothing is published.
 */
struct dma_heap *dmaheap_add(const struct dma_heap_export_info *exp_info, struct module *owner)
{
	struct dma_heap *heap;
	int err;

	if (!name_is_valid(exp_info->name)) {
		pr_err("a heap cannot be named '%s'\n", exp_info->name ?: "");
		return ERR_PTR(-EINVAL);
	}
	if (!exp_info->ops || !exp_info->ops->allocate) {
		pr_err("heap %s cannot allocate\n", exp_info->name);
		return ERR_PTR(-EINVAL);
	}

	heap = heap_create(exp_info, owner);
	if (IS_ERR(heap))
		return heap;
	err = heap_publish(heap);
	if (err) {
		pr_err("heap %s could not be published: %pe\n", dev_name(&heap->dev),
		       ERR_PTR(err));
		/* The node may have been open for a moment. */
		heap_revoke(heap);
		put_device(&heap->dev);
		return ERR_PTR(err);
	}
	if (strcmp(heap->name, dev_name(&heap->dev)))
		pr_info("the kernel has a heap %s of its own; ours is /dev/dma_heap/%s\n",
			heap->name, dev_name(&heap->dev));
	return heap;
}
EXPORT_SYMBOL_GPL(dmaheap_add);

/**
 * dma_heap_remove - revoke a heap
 * @heap:	what dma_heap_add() returned; gone afterwards
 *
 * Waits for allocations under way.  On return the node is gone, the heap's operations
 * are never called again, and who still has the node open or found the heap by name
 * gets -ENODEV.  Buffers of the heap live on; each holds the heap's module.  What its pool has
 * goes to the page allocator.
 *
 * Context: process context, may sleep.  Not from within an operation of the heap.
 */
void dma_heap_remove(struct dma_heap *heap)
{
	/* Who fills it stops then, whom the removal of its file in sysfs waits for. */
	if (heap->pool)
		dmaheap_pool_close(heap->pool);
	dmaheap_node_del(heap);
	/* The name is taken until the node is gone. */
	scoped_guard(mutex, &heaps_lock)
		list_del(&heap->link);
	heap_revoke(heap);
	put_device(&heap->dev);
}
EXPORT_SYMBOL_GPL(dma_heap_remove);

/**
 * dma_heap_get_drvdata - the data that a heap's driver published it with
 * @heap:	the heap
 *
 * Context: any.
 * Return: &dma_heap_export_info.priv.
 */
void *dma_heap_get_drvdata(struct dma_heap *heap)
{
	return heap->priv;
}
EXPORT_SYMBOL_GPL(dma_heap_get_drvdata);

/**
 * dma_heap_get_name - the name of a heap's node under /dev/dma_heap/
 * @heap:	the heap
 *
 * Context: any.
 * Return: the name; valid as long as the caller's reference on the heap.
 */
const char *dma_heap_get_name(struct dma_heap *heap)
{
	return dev_name(&heap->dev);
}
EXPORT_SYMBOL_GPL(dma_heap_get_name);

/**
 * dma_heap_find_by_name - find a published heap and take a reference
 * @name:	the name that the heap was added by or that of its node; all of it must match
 *
 * The reference keeps the heap's name valid, not its module in memory: when the heap
 * is removed, dma_heap_buffer_alloc() answers -ENODEV.
 *
 * Context: process context, may sleep.
 * Return: the heap, to be dropped by dma_heap_put(), or NULL if there is none.
 */
struct dma_heap *dma_heap_find_by_name(const char *name)
{
	struct dma_heap *heap;

	guard(mutex)(&heaps_lock);
	heap = find_locked(name);
	if (heap)
		get_device(&heap->dev);
	return heap;
}
EXPORT_SYMBOL_GPL(dma_heap_find_by_name);

/**
 * dma_heap_put - drop a reference taken by dma_heap_find_by_name()
 * @heap:	the heap, or NULL
 *
 * Context: process context, may sleep.
 */
void dma_heap_put(struct dma_heap *heap)
{
	if (heap)
		put_device(&heap->dev);
}
EXPORT_SYMBOL_GPL(dma_heap_put);

int dmaheap_check_request(u64 len, u32 fd_flags, u64 heap_flags)
{
	if (!len || len > ULONG_MAX - (PAGE_SIZE - 1))
		return -EINVAL;
	if (fd_flags & ~DMA_HEAP_VALID_FD_FLAGS)
		return -EINVAL;
	if (heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS)
		return -EINVAL;
	return 0;
}

/* dmaheap_rounded - bytes of a heap's buffer that @len were asked for of; 0: more than can be said */
size_t dmaheap_rounded(const struct dma_heap *heap, size_t len)
{
	return len > ULONG_MAX - (heap->granule - 1) ? 0 : ALIGN(len, heap->granule);
}

static struct dma_buf *allocate_locked(struct dma_heap *heap, size_t len, u32 fd_flags,
				       u64 heap_flags)
{
	struct dma_buf *dmabuf;

	lockdep_assert_held_read(&heap->lock);
	if (!heap->ops)
		return ERR_PTR(-ENODEV);
	/* If its init failed after all, the module would go whoever held it. */
	if (heap->owner && data_race(heap->owner->state) == MODULE_STATE_COMING)
		return ERR_PTR(-EAGAIN);
	dmabuf = heap->ops->allocate(heap, len, fd_flags, heap_flags);
	/*
	 * Nothing holds the heap's module yet but a removal that waits for our lock.  Of one
	 * that is about to go, dma_buf_export() says -ENOENT.
	 */
	if (dmabuf == ERR_PTR(-ENOENT))
		return ERR_PTR(-ENODEV);
	return dmabuf;
}

/**
 * dma_heap_buffer_alloc - allocate a buffer from a heap, for a driver
 * @heap:	the heap, by dma_heap_find_by_name()
 * @len:	bytes; rounded up to whole pages, or what else the heap's buffers are made of
 * @fd_flags:	access mode for file descriptors made of the buffer later, and O_CLOEXEC,
 *		which has no effect here
 * @heap_flags:	0
 *
 * The same as %DMA_HEAP_IOCTL_ALLOC, but for the file descriptor: dma_buf_fd() makes
 * one when needed.
 *
 * Context: process context, may sleep.
 * Return: a zeroed dma-buf, to be dropped by dma_buf_put(), or an ERR_PTR(): -EINVAL
 * when @len is 0 or cannot be rounded up, or a flag is unknown; -ENODEV when the heap
 * was removed or its module is being unloaded; -EAGAIN when that is still being loaded;
 * -EINTR when a fatal signal came; -ENFILE when the system has too many open files; -ENOMEM.
 */
struct dma_buf *dma_heap_buffer_alloc(struct dma_heap *heap, size_t len, u32 fd_flags,
				      u64 heap_flags)
{
	size_t size = dmaheap_rounded(heap, len);
	struct dma_buf *dmabuf;
	int err = dmaheap_check_request(len, fd_flags, heap_flags);

	if (err)
		return ERR_PTR(err);
	if (!size)
		return ERR_PTR(-ENOMEM);
	/* Killable: a removal may be waiting ahead of us for a long allocation. */
	err = down_read_killable(&heap->lock);
	if (err)
		return ERR_PTR(err);
	dmabuf = allocate_locked(heap, size, fd_flags, heap_flags);
	up_read(&heap->lock);
	return dmabuf;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_alloc);
