// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer: memory from a heap with a dma-buf around it.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "check.h"
#include "core.h"

/* For arrays as large as a caller makes them: they may fail, and kill nobody. */
#define GFP_META (GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Makes room for one more chunk. */
static int buffer_grow(struct dma_heap_buffer *buffer)
{
	unsigned int max = buffer->max_chunks ? 2 * buffer->max_chunks : 8;
	struct dmaheap_chunk *chunks;

	if (buffer->nr_chunks < buffer->max_chunks)
		return 0;
	chunks = kvmalloc_array(max, sizeof(*chunks), GFP_META);
	if (!chunks)
		return -ENOMEM;
	if (buffer->nr_chunks)
		memcpy(chunks, buffer->chunks, buffer->nr_chunks * sizeof(*chunks));
	kvfree(buffer->chunks);
	buffer->chunks = chunks;
	buffer->max_chunks = max;
	return 0;
}

static size_t buffer_filled(const struct dma_heap_buffer *buffer)
{
	return buffer->nr_chunks ? buffer->chunks[buffer->nr_chunks - 1].end : 0;
}

/**
 * dma_heap_buffer_add - give memory to a buffer that is being populated
 * @buffer:	the buffer
 * @phys:	physical address of memory with struct page, page-aligned
 * @len:	bytes, whole pages, at most dma_heap_buffer_missing()
 *
 * Each page must be counted by itself or, for larger orders, be part of a compound page
 * (__GFP_COMP): mappings take references.  By one of these somebody may still hold a page
 * when it comes back by &dma_heap_buffer_ops.free, which therefore drops a reference
 * (__free_pages(), put_page()) and does not reuse the page by itself.
 *
 * Context: within &dma_heap_buffer_ops.populate; may sleep.
 * Return: 0, and the memory is the buffer's: it comes back by &dma_heap_buffer_ops.free.
 * -ENOMEM or, when an argument is wrong, -EINVAL: it remains the caller's.
 */
int dma_heap_buffer_add(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	size_t filled = buffer_filled(buffer);
	int err;

	if (WARN_ON_ONCE(!len || !PAGE_ALIGNED(phys | len) || len > buffer->size - filled ||
			 !pfn_valid(PHYS_PFN(phys))))
		return -EINVAL;
	err = buffer_grow(buffer);
	if (err)
		return err;
	buffer->chunks[buffer->nr_chunks++] = (struct dmaheap_chunk){
		.phys = phys,
		.end = filled + len,
	};
	return 0;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_add);

/**
 * dma_heap_buffer_missing - how much memory a buffer still lacks
 * @buffer:	the buffer
 *
 * Context: within &dma_heap_buffer_ops.populate.
 * Return: bytes.
 */
size_t dma_heap_buffer_missing(const struct dma_heap_buffer *buffer)
{
	return buffer->size - buffer_filled(buffer);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_missing);

/**
 * dma_heap_buffer_heap - the heap that a buffer belongs to
 * @buffer:	the buffer
 *
 * Context: within the operations of the buffer.
 * Return: the heap; valid as long as the buffer.
 */
struct dma_heap *dma_heap_buffer_heap(const struct dma_heap_buffer *buffer)
{
	return buffer->heap;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_heap);

/*
 * dmaheap_buffer_chunk - the memory from an offset to the end of its chunk
 *
 * @offset must be within the buffer.  Returns the bytes there are and puts the
 * physical address into @phys.
 */
size_t dmaheap_buffer_chunk(const struct dma_heap_buffer *buffer, size_t offset,
			    phys_addr_t *phys)
{
	unsigned int low = 0, high = buffer->nr_chunks - 1;
	size_t start;

	/* The first chunk that ends behind the offset. */
	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (buffer->chunks[middle].end > offset)
			high = middle;
		else
			low = middle + 1;
	}
	start = low ? buffer->chunks[low - 1].end : 0;
	*phys = buffer->chunks[low].phys + (offset - start);
	return buffer->chunks[low].end - offset;
}

static struct dma_heap_buffer *buffer_create(struct dma_heap *heap,
					     const struct dma_heap_buffer_ops *ops, size_t len)
{
	struct dma_heap_buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);

	if (!buffer)
		return NULL;
	get_device(&heap->dev);
	buffer->heap = heap;
	buffer->ops = ops;
	buffer->size = len;
	mutex_init(&buffer->making);
	mutex_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->mappings);
	INIT_LIST_HEAD(&buffer->checked);
	dmaheap_ownership_init(&buffer->ownership);
	buffer->pid = task_tgid_nr(current);
	get_task_comm(buffer->comm, current->group_leader);
	return buffer;
}

static void buffer_destroy(struct dma_heap_buffer *buffer)
{
	size_t start = 0;
	unsigned int i;

	dmaheap_mapping_unmake(&buffer->cache);
	for (i = 0; i < buffer->nr_chunks; i++) {
		struct dmaheap_chunk *chunk = &buffer->chunks[i];

		buffer->ops->free(buffer, chunk->phys, chunk->end - start);
		start = chunk->end;
	}
	kvfree(buffer->chunks);
	mutex_destroy(&buffer->lock);
	mutex_destroy(&buffer->making);
	dma_heap_put(buffer->heap);
	kfree(buffer);
}

/*
 * Who passes a buffer on by fences ends its access by a fence that signals: only then are
 * its bytes there to be synchronised.  The dma-buf layer waits, too, but after this call.
 */
static long wait_for_devices(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	bool write = dir != DMA_FROM_DEVICE;

	return dma_resv_wait_timeout(dmabuf->resv, dma_resv_usage_rw(write), true,
				     MAX_SCHEDULE_TIMEOUT);
}

/* dmaheap_begin_cpu_access - for the CPU to read or write a part, which is in the buffer */
int dmaheap_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir,
			     size_t offset, size_t len)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;
	long err = wait_for_devices(dmabuf, dir);

	if (err < 0)
		return err;
	guard(mutex)(&buffer->lock);
	dmaheap_begin_cpu(buffer, dir, offset, len);
	return 0;
}

void dmaheap_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir, size_t offset,
			    size_t len)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;

	scoped_guard(mutex, &buffer->lock)
		dmaheap_end_cpu(buffer, dir, offset, len);
	dmaheap_check_unmap(buffer);
}

static int buffer_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	return dmaheap_begin_cpu_access(dmabuf, dir, 0, dmabuf->size);
}

static int buffer_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	dmaheap_end_cpu_access(dmabuf, dir, 0, dmabuf->size);
	return 0;
}

static void *map_pages(struct dma_heap_buffer *buffer)
{
	unsigned long i, nr_pages = buffer->size >> PAGE_SHIFT;
	struct page **pages = kvmalloc_array(nr_pages, sizeof(*pages), GFP_META);
	void *vaddr;

	if (!pages)
		return NULL;
	for (i = 0; i < nr_pages;) {
		phys_addr_t phys;
		size_t len = dmaheap_buffer_chunk(buffer, i << PAGE_SHIFT, &phys);

		for (; len; len -= PAGE_SIZE, phys += PAGE_SIZE)
			pages[i++] = pfn_to_page(PHYS_PFN(phys));
	}
	vaddr = vmap(pages, nr_pages, VM_MAP, dmaheap_cpu_prot(buffer, PAGE_KERNEL));
	kvfree(pages);
	return vaddr;
}

/*
 * The dma-buf layer counts the users: it asks for the first, takes back with the last,
 * and does not let a buffer die in between.
 */
static int buffer_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;

	guard(mutex)(&buffer->making);
	if (WARN_ON_ONCE(buffer->vaddr))
		return -EBUSY;
	buffer->vaddr = map_pages(buffer);
	if (!buffer->vaddr)
		return -ENOMEM;
	scoped_guard(mutex, &buffer->lock)
		dmaheap_begin_vmap(buffer);
	iosys_map_set_vaddr(map, buffer->vaddr);
	return 0;
}

static void buffer_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;

	guard(mutex)(&buffer->making);
	scoped_guard(mutex, &buffer->lock)
		dmaheap_end_vmap(buffer);
	vunmap(buffer->vaddr);
	buffer->vaddr = NULL;
	iosys_map_clear(map);
}

static void buffer_release(struct dma_buf *dmabuf)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;

	dmaheap_debugfs_del(buffer);
	dmaheap_check_release(buffer);
	buffer_destroy(buffer);
}

static const struct dma_buf_ops buffer_dma_buf_ops = {
	.attach = dmaheap_attach,
	.detach = dmaheap_detach,
	.map_dma_buf = dmaheap_map,
	.unmap_dma_buf = dmaheap_unmap,
	.begin_cpu_access = buffer_begin_cpu_access,
	.end_cpu_access = buffer_end_cpu_access,
	.mmap = dmaheap_mmap,
	.vmap = buffer_vmap,
	.vunmap = buffer_vunmap,
	.release = buffer_release,
};

/* dmaheap_buffer_of - what stands behind a dma-buf, or NULL if it is not one of ours */
struct dma_heap_buffer *dmaheap_buffer_of(const struct dma_buf *dmabuf)
{
	return dmabuf->ops == &buffer_dma_buf_ops ? dmabuf->priv : NULL;
}

static int buffer_populate(struct dma_heap_buffer *buffer)
{
	int err = buffer->ops->populate(buffer);

	if (!err && WARN_ON_ONCE(dma_heap_buffer_missing(buffer)))
		return -EINVAL;
	return err ?: dmaheap_pass_caches(buffer);
}

/**
 * dma_heap_buffer_export - make a dma-buf of a heap's memory
 * @heap:	the heap
 * @ops:	where the memory comes from and goes to; must stay as long as the heap's module
 * @len:	bytes, whole pages
 * @fd_flags:	access mode of the dma-buf's file
 *
 * What a heap's &dma_heap_ops.allocate consists of.  The buffer is populated at once
 * and holds the heap and the heap's module until it dies.
 *
 * Context: process context, may sleep.
 * Return: the dma-buf or an ERR_PTR(): -ENOMEM, -ENFILE, or what @ops->populate said;
 * then all that had been added was freed.
 */
struct dma_buf *dma_heap_buffer_export(struct dma_heap *heap,
				       const struct dma_heap_buffer_ops *ops, size_t len,
				       u32 fd_flags)
{
	struct dma_buf_export_info info = {
		.exp_name = dma_heap_get_name(heap),
		.owner = heap->owner,
		.ops = &buffer_dma_buf_ops,
		.size = len,
		.flags = fd_flags,
	};
	struct dma_heap_buffer *buffer = buffer_create(heap, ops, len);
	struct dma_buf *dmabuf;
	int err;

	if (!buffer)
		return ERR_PTR(-ENOMEM);
	err = buffer_populate(buffer);
	if (err) {
		buffer_destroy(buffer);
		return ERR_PTR(err);
	}
	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		buffer_destroy(buffer);
		return dmabuf;
	}
	/* The buffer is the dma-buf's now, and goes with it by buffer_release(). */
	buffer->dmabuf = dmabuf;
	buffer->ino = file_inode(dmabuf->file)->i_ino;
	dmaheap_debugfs_add(buffer);
	return dmabuf;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_export);
