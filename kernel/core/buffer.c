// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer: memory from a heap with a dma-buf around it.
 */
#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../compat/vmap_pfn.h"
#include "check.h"
#include "core.h"
#include "pool.h"
#include "trace.h"

/* For arrays as large as a caller makes them: they may fail, and kill nobody. */
#define GFP_META (GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* dmaheap_reserve - make room for as many chunks as a buffer is going to have */
int dmaheap_reserve(struct dma_heap_buffer *buffer, unsigned int room)
{
	struct dmaheap_memory *old = buffer->memory, *memory;

	if (old && old->room >= room)
		return 0;
	memory = kvmalloc(struct_size(memory, chunks, room), GFP_META);
	if (!memory)
		return -ENOMEM;
	memory->room = room;
	memory->nr = old ? old->nr : 0;
	memory->charged = buffer->payer;
	if (old) {
		memcpy(memory->chunks, old->chunks, old->nr * sizeof(*old->chunks));
		kvfree(old);
	}
	buffer->memory = memory;
	return 0;
}

/* Makes room for one more chunk. */
static int buffer_grow(struct dma_heap_buffer *buffer)
{
	const struct dmaheap_memory *memory = buffer->memory;

	if (memory && memory->nr < memory->room)
		return 0;
	/* There may be none of it that has any room. */
	return dmaheap_reserve(buffer, max(8U, memory ? 2 * memory->room : 0));
}

static size_t buffer_filled(const struct dma_heap_buffer *buffer)
{
	const struct dmaheap_memory *memory = buffer->memory;

	return memory && memory->nr ? memory->chunks[memory->nr - 1].end : 0;
}

/**
 * dma_heap_buffer_add - give memory to a buffer that is being populated
 * @buffer:	the buffer
 * @phys:	physical address, page-aligned, of memory as &dma_heap_buffer_ops.pages says
 * @len:	bytes, whole pages, at most dma_heap_buffer_missing()
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
			 (buffer->pages != DMA_HEAP_PAGES_NONE && !pfn_valid(PHYS_PFN(phys)))))
		return -EINVAL;
	err = buffer_grow(buffer);
	if (err)
		return err;
	buffer->memory->chunks[buffer->memory->nr++] = (struct dmaheap_chunk){
		.phys = phys,
		.end = filled + len,
	};
	dmaheap_taken(&buffer->announced, len >> PAGE_SHIFT);
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
 * dma_heap_buffer_gfp - what a heap has to tell the page allocator besides its own wishes
 * @buffer:	the buffer
 *
 * For heaps that take pages by themselves: so that they are charged to the memory cgroup which pays
 * for the buffer, if one does (the parameter charge of dmaheap_core).
 *
 * Context: within &dma_heap_buffer_ops.populate.
 * Return: %__GFP_ACCOUNT or 0.
 */
gfp_t dma_heap_buffer_gfp(const struct dma_heap_buffer *buffer)
{
	return buffer->payer ? __GFP_ACCOUNT : 0;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_gfp);

/**
 * dma_heap_buffer_size - how large a buffer is
 * @buffer:	the buffer
 *
 * Context: within the operations of the buffer.
 * Return: bytes, whole pages.
 */
size_t dma_heap_buffer_size(const struct dma_heap_buffer *buffer)
{
	return buffer->size;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_size);

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

/**
 * dma_heap_buffer_set_priv - keep the heap's own data with a buffer
 * @buffer:	the buffer
 * @priv:	the data
 *
 * Context: within the operations of the buffer.
 */
void dma_heap_buffer_set_priv(struct dma_heap_buffer *buffer, void *priv)
{
	buffer->priv = priv;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_set_priv);

/**
 * dma_heap_buffer_get_priv - the heap's own data of a buffer
 * @buffer:	the buffer
 *
 * Context: within the operations of the buffer.
 * Return: what was set, or NULL.
 */
void *dma_heap_buffer_get_priv(const struct dma_heap_buffer *buffer)
{
	return buffer->priv;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_get_priv);

/**
 * dma_heap_buffer_set_cpu - say how the CPU gets at a buffer, where that depends
 * @buffer:	the buffer
 * @cpu:	as &dma_heap_buffer_ops.cpu, in whose place it is.  Not to or from
 *		%DMA_HEAP_CPU_NONE, which has to be known before there is memory
 *
 * Context: within &dma_heap_buffer_ops.populate.
 */
void dma_heap_buffer_set_cpu(struct dma_heap_buffer *buffer, enum dma_heap_cpu cpu)
{
	buffer->cpu = cpu;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_set_cpu);

/**
 * dma_heap_buffer_chunk - the memory from an offset to the end of its chunk
 * @buffer:	the buffer
 * @offset:	in bytes, less than what the buffer has
 * @phys:	the physical address there; out
 *
 * Context: within the operations of the buffer, once there is memory at @offset.
 * Return: bytes up to the end of the chunk.
 */
size_t dma_heap_buffer_chunk(const struct dma_heap_buffer *buffer, size_t offset,
			     phys_addr_t *phys)
{
	const struct dmaheap_chunk *chunks = buffer->memory->chunks;
	unsigned int low = 0, high = buffer->memory->nr - 1;
	size_t start;

	/* The first chunk that ends behind the offset. */
	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (chunks[middle].end > offset)
			high = middle;
		else
			low = middle + 1;
	}
	start = low ? chunks[low - 1].end : 0;
	*phys = chunks[low].phys + (offset - start);
	return chunks[low].end - offset;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_chunk);

/*
 * Its own, and what the kernel makes for a dma-buf besides: that is charged to nobody (see
 * export_charged()), so as much is taken with the buffer, or there could be any number of them.
 */
static struct dma_heap_buffer *alloc_charged(void)
{
	return kzalloc(sizeof(struct dma_heap_buffer) + sizeof(struct dma_buf) +
			       sizeof(struct file) + sizeof(struct inode) +
			       sizeof(struct dentry),
		       GFP_META | __GFP_ACCOUNT);
}

static struct dma_heap_buffer *buffer_create(struct dma_heap *heap,
					     const struct dma_heap_buffer_ops *ops, size_t len)
{
	struct mem_cgroup *payer = dmaheap_payer_active();
	struct dma_heap_buffer *buffer =
		payer ? alloc_charged() : kzalloc(sizeof(*buffer), GFP_KERNEL);

	if (!buffer) {
		mem_cgroup_put(payer);
		return NULL;
	}
	get_device(&heap->dev);
	buffer->heap = heap;
	buffer->ops = ops;
	buffer->size = len;
	buffer->cpu = ops->cpu;
	buffer->pages = ops->pages;
	mutex_init(&buffer->making);
	mutex_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->mappings);
	INIT_LIST_HEAD(&buffer->checked);
	dmaheap_ownership_init(&buffer->ownership);
	buffer->payer = payer;
	buffer->announced.payer = payer;
	buffer->pid = task_tgid_nr(current);
	strscpy(buffer->comm, current->group_leader->comm, sizeof(buffer->comm));
	return buffer;
}

/*
 * Whoever is in a memory cgroup that has nothing left is killed at the next page that it cannot do
 * without.  So some has to be left.
 */
static int check_headroom(void)
{
	const unsigned int order = 3; /* 32 KiB, with pages of 4 */
	struct page *pages;

	pages = alloc_pages(GFP_USER | __GFP_ACCOUNT | __GFP_COMP | __GFP_NOWARN |
				    __GFP_RETRY_MAYFAIL,
			    order);
	if (!pages)
		return -ENOMEM;
	__free_pages(pages, order);
	return 0;
}

/* Who pays may be another than who needs its memory now. */
static int populate_charged(struct dma_heap_buffer *buffer)
{
	struct mem_cgroup *outer;
	int err;

	if (!buffer->payer)
		return buffer->ops->populate(buffer);
	outer = set_active_memcg(buffer->payer);
	err = buffer->ops->populate(buffer) ?: check_headroom();
	set_active_memcg(outer);
	return err;
}

static int buffer_populate(struct dma_heap_buffer *buffer)
{
	bool cpu_none = buffer->ops->cpu == DMA_HEAP_CPU_NONE;
	int err = populate_charged(buffer);

	dmaheap_taken(&buffer->announced, ULONG_MAX);
	if (!err && WARN_ON_ONCE(dma_heap_buffer_missing(buffer) ||
				 (buffer->cpu == DMA_HEAP_CPU_NONE) != cpu_none ||
				 (buffer->pages == DMA_HEAP_PAGES_NONE &&
				  buffer->cpu == DMA_HEAP_CPU_CACHED)))
		err = -EINVAL;
	if (err)
		return err;
	if (buffer->ahead)
		dmaheap_was_cleaned(buffer);
	else if (buffer->cpu != DMA_HEAP_CPU_CACHED)
		err = dmaheap_pass_caches(buffer);
	return err;
}

static void free_chunks(struct dma_heap_buffer *buffer)
{
	struct dmaheap_memory *memory = buffer->memory;
	size_t start = 0;
	unsigned int i;

	for (i = 0; i < memory->nr && buffer->ops->free; i++) {
		struct dmaheap_chunk *chunk = &memory->chunks[i];

		buffer->ops->free(buffer, chunk->phys, chunk->end - start);
		start = chunk->end;
		cond_resched();
	}
	kvfree(memory);
}

static void buffer_unpopulate(struct dma_heap_buffer *buffer)
{
	dmaheap_cache_forget(buffer);
	if (buffer->ops->release)
		buffer->ops->release(buffer);
	if (buffer->pooled)
		dmaheap_pool_give(buffer->heap->pool, buffer->memory);
	else if (buffer->memory)
		free_chunks(buffer);
	buffer->memory = NULL;
	buffer->pooled = false;
	buffer->ahead = false;
	buffer->region = NULL;
	buffer->cpu = buffer->ops->cpu;
	buffer->pages = buffer->ops->pages;
}

/*
 * dmaheap_settle - a buffer has memory from now on, if it has not got it before
 *
 * What fails leaves no memory, and may succeed the next time.
 */
int dmaheap_settle(struct dma_heap_buffer *buffer)
{
	int err;

	lockdep_assert_held(&buffer->making);
	if (buffer->memory)
		return 0;
	err = buffer_populate(buffer);
	if (err)
		buffer_unpopulate(buffer);
	return err;
}

/* dmaheap_buffer_destroy - with its memory, and nobody pays for it any more */
void dmaheap_buffer_destroy(struct dma_heap_buffer *buffer)
{
	if (buffer->memory)
		buffer_unpopulate(buffer);
	dmaheap_uncharge(&buffer->heap->users, &buffer->charge);
	mem_cgroup_put(buffer->payer);
	mutex_destroy(&buffer->lock);
	mutex_destroy(&buffer->making);
	dma_heap_put(buffer->heap);
	kfree(buffer);
}

/* dmaheap_settle_for_cpu - the same for the CPU, which may not be let at every memory */
int dmaheap_settle_for_cpu(struct dma_heap_buffer *buffer)
{
	int err;

	if (buffer->ops->cpu == DMA_HEAP_CPU_NONE)
		return -EPERM;
	if (!buffer->ops->late)
		return 0;
	guard(mutex)(&buffer->making);
	buffer->scattered = true;
	err = dmaheap_settle(buffer);
	buffer->scattered = false;
	return err;
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
	long err = dmaheap_settle_for_cpu(buffer);

	if (!err)
		err = wait_for_devices(dmabuf, dir);
	if (err < 0)
		return err;
	guard(mutex)(&buffer->lock);
	dmaheap_begin_cpu(buffer, dir, offset, len);
	return 0;
}

int dmaheap_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir, size_t offset,
			   size_t len)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;
	int err = dmaheap_settle_for_cpu(buffer); /* it may not have begun */

	if (err)
		return err;
	scoped_guard(mutex, &buffer->lock)
		dmaheap_end_cpu(buffer, dir, offset, len);
	dmaheap_check_unmap(buffer);
	return 0;
}

static int buffer_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	return dmaheap_begin_cpu_access(dmabuf, dir, 0, dmabuf->size);
}

static int buffer_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	return dmaheap_end_cpu_access(dmabuf, dir, 0, dmabuf->size);
}

static void *map_pages(struct dma_heap_buffer *buffer, pgprot_t prot)
{
	unsigned long i, nr_pages = buffer->size >> PAGE_SHIFT;
	struct page **pages = kvmalloc_array(nr_pages, sizeof(*pages), GFP_META);
	void *vaddr;

	if (!pages)
		return NULL;
	for (i = 0; i < nr_pages;) {
		phys_addr_t phys;
		size_t len = dma_heap_buffer_chunk(buffer, i << PAGE_SHIFT, &phys);

		for (; len; len -= PAGE_SIZE, phys += PAGE_SIZE)
			pages[i++] = pfn_to_page(PHYS_PFN(phys));
	}
	vaddr = vmap(pages, nr_pages, VM_MAP, prot);
	kvfree(pages);
	return vaddr;
}

/* Of memory without pages, only the numbers of its page frames are known. */
static void *map_frames(struct dma_heap_buffer *buffer, pgprot_t prot)
{
	unsigned long i, nr = buffer->size >> PAGE_SHIFT;
	unsigned long *frames = kvmalloc_array(nr, sizeof(*frames), GFP_META);
	void *vaddr;

	if (!frames)
		return NULL;
	for (i = 0; i < nr;) {
		phys_addr_t phys;
		size_t len = dma_heap_buffer_chunk(buffer, i << PAGE_SHIFT, &phys);

		for (; len; len -= PAGE_SIZE, phys += PAGE_SIZE)
			frames[i++] = PHYS_PFN(phys);
	}
	vaddr = compat_vmap_pfn(frames, nr, prot);
	kvfree(frames);
	return vaddr;
}

/* Memory that is not the kernel's, and is in one piece. */
static bool is_remapped(const struct dma_heap_buffer *buffer)
{
	return buffer->pages == DMA_HEAP_PAGES_NONE && buffer->memory->nr == 1;
}

static void *map_memory(struct dma_heap_buffer *buffer)
{
	pgprot_t prot = dmaheap_cpu_prot(buffer, PAGE_KERNEL);

	if (is_remapped(buffer))
		return memremap(buffer->memory->chunks[0].phys, buffer->size, MEMREMAP_WC);
	return dmaheap_has_pages(buffer) ? map_pages(buffer, prot) : map_frames(buffer, prot);
}

static void unmap_memory(struct dma_heap_buffer *buffer)
{
	if (is_remapped(buffer))
		memunmap(buffer->vaddr);
	else
		vunmap(buffer->vaddr);
}

/*
 * The dma-buf layer counts the users: it asks for the first, takes back with the last,
 * and does not let a buffer die in between.
 */
static int buffer_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;
	int err = dmaheap_settle_for_cpu(buffer);

	if (err)
		return err;
	guard(mutex)(&buffer->making);
	if (WARN_ON_ONCE(buffer->vaddr))
		return -EBUSY;
	buffer->vaddr = map_memory(buffer);
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
	unmap_memory(buffer);
	buffer->vaddr = NULL;
	iosys_map_clear(map);
}

static void buffer_release(struct dma_buf *dmabuf)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;

	trace_dmaheap_free(buffer);
	dmaheap_debugfs_del(buffer);
	dmaheap_check_release(buffer);
	if (!dmaheap_linger(buffer))
		dmaheap_buffer_destroy(buffer);
}

#define BUFFER_DMA_BUF_OPS \
	.attach = dmaheap_attach, .detach = dmaheap_detach, .map_dma_buf = dmaheap_map, \
	.unmap_dma_buf = dmaheap_unmap, .begin_cpu_access = buffer_begin_cpu_access, \
	.end_cpu_access = buffer_end_cpu_access, .mmap = dmaheap_mmap, \
	.release = buffer_release

static const struct dma_buf_ops buffer_dma_buf_ops = {
	BUFFER_DMA_BUF_OPS,
	.vmap = buffer_vmap,
	.vunmap = buffer_vunmap,
};

/*
 * Of buffers that the CPU does not get at: the dma-buf layer takes a refusal by vmap for a
 * driver's mistake and warns with a backtrace, but knows of exporters that have none.
 */
static const struct dma_buf_ops protected_dma_buf_ops = {
	BUFFER_DMA_BUF_OPS,
};

static const struct dma_buf_ops *dma_buf_ops_of(const struct dma_heap_buffer_ops *ops)
{
	return ops->cpu == DMA_HEAP_CPU_NONE ? &protected_dma_buf_ops : &buffer_dma_buf_ops;
}

/* dmaheap_buffer_of - what stands behind a dma-buf, or NULL if it is not one of ours */
struct dma_heap_buffer *dmaheap_buffer_of(const struct dma_buf *dmabuf)
{
	if (dmabuf->ops != &buffer_dma_buf_ops && dmabuf->ops != &protected_dma_buf_ops)
		return NULL;
	return dmabuf->priv;
}

static int settle_early(struct dma_heap_buffer *buffer)
{
	if (buffer->ops->late)
		return buffer->payer ? check_headroom() : 0;
	guard(mutex)(&buffer->making);
	return dmaheap_settle(buffer);
}

/*
 * The kernel charges a file to the memory cgroup that is active, and kills somebody of that cgroup if
 * it has nothing left: buffers fill cgroups to the last page, if only for a moment.
 */
static struct dma_buf *export_charged(const struct dma_heap_buffer *buffer,
				      const struct dma_buf_export_info *info)
{
	struct mem_cgroup *outer;
	struct dma_buf *dmabuf;

	if (!buffer->payer)
		return dma_buf_export(info);
	outer = set_active_memcg(dmaheap_payer_of_nothing(buffer->payer));
	dmabuf = dma_buf_export(info);
	set_active_memcg(outer);
	return dmabuf;
}

/**
 * dma_heap_buffer_export - make a dma-buf of a heap's memory
 * @heap:	the heap
 * @ops:	where the memory comes from and goes to; must stay as long as the heap's module
 * @len:	bytes, whole pages
 * @fd_flags:	access mode of the dma-buf's file
 *
 * What a heap's &dma_heap_ops.allocate consists of.  The buffer is populated at once, unless
 * @ops says later, and holds the heap and the heap's module until it dies.
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
		.exp_name = dev_name(&heap->dev),
		.owner = heap->owner,
		.ops = dma_buf_ops_of(ops),
		.size = len,
		.flags = fd_flags,
	};
	struct dma_heap_buffer *buffer = buffer_create(heap, ops, len);
	struct dma_buf *dmabuf;
	int err;

	if (!buffer)
		return ERR_PTR(-ENOMEM);
	err = settle_early(buffer);
	if (err) {
		dmaheap_buffer_destroy(buffer);
		return ERR_PTR(err);
	}
	info.priv = buffer;
	dmabuf = export_charged(buffer, &info);
	if (IS_ERR(dmabuf)) {
		dmaheap_buffer_destroy(buffer);
		return dmabuf;
	}
	/* The buffer is the dma-buf's now, and goes with it by buffer_release(). */
	buffer->dmabuf = dmabuf;
	buffer->ino = file_inode(dmabuf->file)->i_ino;
	dmaheap_debugfs_add(buffer);
	trace_dmaheap_alloc(buffer);
	return dmabuf;
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_export);
