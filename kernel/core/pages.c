// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of the whole of memory for buffers: scattered, in chunks as large as there are.
 */
#define pr_fmt(fmt) "dmaheap: " fmt

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "../compat/max_order.h"
#include "core.h"
#include "pool.h"
#include "trace.h"

/*
 * Sizes of chunks, largest first.  They are what IOMMUs and page tables hold in one
 * entry: 2 MiB on arm64 and x86 with pages of 4 KiB, 1 MiB and 64 KiB on arm; a single
 * page is always the last resort.  Sizes in bytes: an order means something else where
 * a page is 16 or 64 KiB.
 */
static const size_t chunk_sizes[] = { SZ_2M, SZ_1M, SZ_64K, PAGE_SIZE };

unsigned int dmaheap_orders[DMAHEAP_MAX_ORDERS];
unsigned int dmaheap_nr_orders;
module_param_array_named(orders, dmaheap_orders, uint, &dmaheap_nr_orders, 0444);
MODULE_PARM_DESC(
	orders,
	"sizes of chunks of memory, as orders of pages, largest first; the last is 0 (default: those of 2 MiB, 1 MiB, 64 KiB and a page)");

static void set_default_orders(void)
{
	unsigned int i, order;

	for (i = 0; i < ARRAY_SIZE(chunk_sizes); i++) {
		order = get_order(chunk_sizes[i]);
		if (chunk_sizes[i] >= PAGE_SIZE && order <= COMPAT_MAX_ORDER &&
		    (!dmaheap_nr_orders || order < dmaheap_orders[dmaheap_nr_orders - 1]))
			dmaheap_orders[dmaheap_nr_orders++] = order;
	}
}

int dmaheap_pages_init(void)
{
	unsigned int i;

	if (!dmaheap_nr_orders)
		set_default_orders();
	for (i = 0; i < dmaheap_nr_orders; i++)
		if (dmaheap_orders[i] > COMPAT_MAX_ORDER ||
		    (i && dmaheap_orders[i] >= dmaheap_orders[i - 1]))
			break;
	if (i < dmaheap_nr_orders || dmaheap_orders[i - 1]) {
		pr_err("orders: numbers up to %d, each less than the one before, the last 0\n",
		       COMPAT_MAX_ORDER);
		return -EINVAL;
	}
	return 0;
}

/* dmaheap_order_index - which of the orders of chunks it is; it is one of them */
unsigned int dmaheap_order_index(unsigned int order)
{
	unsigned int i;

	for (i = 0; i < dmaheap_nr_orders - 1; i++)
		if (dmaheap_orders[i] == order)
			break;
	return i;
}

/*
 * Single pages are reclaimed for, but nobody is killed for them; a chunk is taken only
 * if it is there.  All fail silently: the caller is told.
 */
static gfp_t gfp_of(unsigned int order, bool charged)
{
	gfp_t gfp = GFP_USER | __GFP_ZERO | __GFP_COMP | __GFP_NOWARN;

	if (charged)
		gfp |= __GFP_ACCOUNT;
	if (order)
		return (gfp & ~__GFP_RECLAIM) | __GFP_NORETRY;
	return gfp | __GFP_RETRY_MAYFAIL;
}

/* Where to look for memory that ends at or before an address, at first. */
static gfp_t zone_below(phys_addr_t highest)
{
	if (highest > DMA_BIT_MASK(32))
		return __GFP_HIGHMEM;
	return IS_ENABLED(CONFIG_ZONE_DMA32) ? __GFP_DMA32 : __GFP_DMA;
}

/* And where next: __GFP_DMA is the lowest there is, if there is one. */
static gfp_t zone_below_that(gfp_t zone)
{
	if (zone == __GFP_HIGHMEM && IS_ENABLED(CONFIG_ZONE_DMA32))
		return __GFP_DMA32;
	return IS_ENABLED(CONFIG_ZONE_DMA) ? __GFP_DMA : zone;
}

/*
 * dmaheap_alloc_below - memory that does not lie beyond an address
 *
 * What comes from a zone may lie too high nevertheless: zones do not end where a device's mask
 * does.  Then the next one is tried.
 */
struct page *dmaheap_alloc_below(phys_addr_t highest, unsigned int order, gfp_t gfp)
{
	gfp_t zone = zone_below(highest), next;
	struct page *page;

	for (;; zone = next) {
		page = alloc_pages(gfp | zone, order);
		if (!page || page_to_phys(page) + (PAGE_SIZE << order) - 1 <= highest)
			return page;
		__free_pages(page, order);
		next = zone_below_that(zone);
		if (next == zone)
			return NULL;
	}
}

/* ---- gathering chunks ---- */

/**
 * struct gathering - chunks for a buffer
 * @pool:	where to look first, or NULL
 * @highest:	physical address that nothing may lie beyond
 * @len:	bytes wanted
 * @missing:	bytes still to be found
 * @taken:	pages that the pool had; it may have them back
 * @announced:	of what the page allocator is still to give
 * @chunks:	what was found, by lru, largest first
 * @nr:		how many
 * @charged:	whether a memory cgroup pays for them: then all come from the page allocator
 * @ahead:	whether all of it was made ready ahead of time
 * @late:	whether some was in the pool, but not ready
 * @filled:	pool that they are for, if not for a buffer; or NULL
 * @spare_for:	the same, if only what is free is taken for it, and only as long as it is late; or NULL
 * @nid:	node that it is taken from then
 */
struct gathering {
	struct dmaheap_pool *pool;
	phys_addr_t highest;
	size_t len;
	size_t missing;
	unsigned long taken;
	struct dmaheap_announcement *announced;
	struct list_head chunks;
	unsigned int nr;
	bool charged;
	bool ahead;
	bool late;
	struct dmaheap_pool *filled;
	struct dmaheap_pool *spare_for;
	int nid;
};

static struct page *allocate_chunk(const struct gathering *gathering, unsigned int order)
{
	gfp_t gfp = gfp_of(order, gathering->charged);

	if (!gathering->spare_for)
		return dmaheap_alloc_below(gathering->highest, order, gfp);
	gfp = (gfp & ~__GFP_RECLAIM) | __GFP_HIGHMEM | __GFP_THISNODE | __GFP_NORETRY;
	return alloc_pages_node(gathering->nid, gfp, order);
}

/* Does nobody wait for it any more? */
static int check_wanted(const struct gathering *gathering)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	if (gathering->filled && READ_ONCE(gathering->filled->closed))
		return -ENODEV;
	return gathering->spare_for && !READ_ONCE(gathering->spare_for->late) ? -ECANCELED : 0;
}

/* Chunks that memory has, until it has none of this order. */
static int allocate_chunks(struct gathering *gathering, unsigned int order, unsigned int nr,
			   struct list_head *chunks)
{
	struct page *page;
	int err;

	for (; nr; nr--) {
		err = check_wanted(gathering);
		if (err)
			return err;
		page = allocate_chunk(gathering, order);
		if (!page)
			break;
		list_add_tail(&page->lru, chunks);
		gathering->missing -= PAGE_SIZE << order;
		gathering->nr++;
		dmaheap_taken(gathering->announced, 1UL << order);
		cond_resched();
	}
	return 0;
}

/*
 * How many chunks may come from the page allocator?  What a pool was thought to have may be gone, or not
 * be for this buffer, and is announced only now; if that cannot be had, smaller chunks of the pool may do.
 */
static unsigned int may_allocate(struct gathering *gathering, unsigned int order,
				 unsigned int nr)
{
	if (dmaheap_announce(gathering->announced, (unsigned long)nr << order, 0))
		nr = min_t(unsigned long, nr, gathering->announced->pages >> order);
	return nr;
}

/* From the page allocator, and made as the pool has them. */
static int gather_new(struct gathering *gathering, unsigned int order, unsigned int nr)
{
	size_t missing = gathering->missing;
	LIST_HEAD(fresh);
	int err, lost = 0;

	nr = may_allocate(gathering, order, nr);
	err = allocate_chunks(gathering, order, nr, &fresh);
	if (list_empty(&fresh))
		return err;
	gathering->ahead = false;
	if (gathering->pool) {
		missing -= gathering->missing;
		dmaheap_pool_count(gathering->pool, DMAHEAP_MISSED, missing >> PAGE_SHIFT);
		trace_dmaheap_pool_miss(gathering->pool->heap, order, missing);
		lost = dmaheap_pool_prepare(gathering->pool, &fresh);
	}
	list_splice_tail(&fresh, &gathering->chunks);
	return err ?: lost;
}

/* As many chunks of an order as are missing and can be had. */
static int gather_order(struct gathering *gathering, unsigned int index)
{
	unsigned int order = dmaheap_orders[index], n = 0;
	struct dmaheap_pool_wish wish = {
		.index = index,
		.nr = gathering->missing >> (PAGE_SHIFT + order),
		.highest = gathering->highest,
		.len = gathering->len,
	};

	if (!wish.nr)
		return 0;
	if (gathering->pool && !gathering->charged)
		n = dmaheap_pool_take(gathering->pool, &wish, &gathering->chunks,
				      &gathering->late);
	gathering->missing -= (size_t)n << (PAGE_SHIFT + order);
	gathering->nr += n;
	gathering->taken += (unsigned long)n << order;
	gathering->ahead &= !gathering->late;
	return n < wish.nr ? gather_new(gathering, order, wish.nr - n) : 0;
}

static int gather(struct gathering *gathering, size_t longest)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < dmaheap_nr_orders && !err && gathering->missing; i++)
		if (!dmaheap_orders[i] || PAGE_SIZE << dmaheap_orders[i] <= longest)
			err = gather_order(gathering, i);
	if (!err && fatal_signal_pending(current))
		err = -EINTR;
	return err;
}

static void let_go(struct gathering *gathering)
{
	struct page *chunk, *next;

	if (gathering->pool) {
		dmaheap_pool_take_back(gathering->pool, &gathering->chunks, gathering->taken);
		dmaheap_pool_let_go(gathering->pool, &gathering->chunks, true);
		return;
	}
	list_for_each_entry_safe(chunk, next, &gathering->chunks, lru)
		__free_pages(chunk, compound_order(chunk));
}

static void add_chunk(struct dmaheap_memory *memory, struct page *chunk)
{
	struct dmaheap_chunk *last = memory->nr ? &memory->chunks[memory->nr - 1] : NULL;

	memory->chunks[memory->nr++] = (struct dmaheap_chunk){
		.phys = page_to_phys(chunk),
		.end = (last ? last->end : 0) + (PAGE_SIZE << compound_order(chunk)),
	};
}

/* The buffer's from now on; on an error all that was gathered is free again. */
static int hand_over(struct gathering *gathering, struct dma_heap_buffer *buffer)
{
	unsigned int has = buffer->memory ? buffer->memory->nr : 0;
	int err = dmaheap_reserve(buffer, has + gathering->nr);
	struct page *chunk, *next;

	if (err) {
		let_go(gathering);
		return err;
	}
	list_for_each_entry_safe(chunk, next, &gathering->chunks, lru) {
		list_del(&chunk->lru);
		add_chunk(buffer->memory, chunk);
	}
	buffer->pooled = gathering->pool;
	buffer->ahead = gathering->ahead;
	return 0;
}

/* A range becomes chunks; what does not is free again. */
static int add_pieces(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t size,
		      size_t longest)
{
	size_t at, len;
	int err;

	for (at = 0; at < size; at += len) {
		len = min(size - at, longest);
		err = dma_heap_buffer_add(buffer, phys + at, len);
		if (err) {
			dma_heap_free_pages(buffer, phys + at, size - at);
			return err;
		}
	}
	return 0;
}

/*
 * Zones do not end where a mask of 30 or 31 bits does, so that none may have a page that is low
 * enough to give, though many are free: whoever is in the way is moved.  By whole pageblocks: nobody
 * can be moved out of what is left of one.
 */
static int add_ranges(struct dma_heap_buffer *buffer, phys_addr_t highest, size_t longest)
{
	const size_t most = pageblock_nr_pages << PAGE_SHIFT;
	size_t missing, size;
	struct page *page;
	int err = 0;

	while (!err && (missing = dma_heap_buffer_missing(buffer))) {
		size = min(missing, most);
		page = dmaheap_alloc_range(size >> PAGE_SHIFT, highest, true);
		if (!page)
			return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
		err = add_pieces(buffer, page_to_phys(page), size, longest);
	}
	return err;
}

static bool may_add_ranges(const struct dma_heap_buffer *buffer,
			   const struct gathering *gathering)
{
	/* Not for one who holds mmap_lock: see dma_heap_buffer_limits(). */
	return !gathering->pool && gathering->highest < DMA_BIT_MASK(32) &&
	       !buffer->scattered && !gathering->charged;
}

/* A pool has pages of one kind, and gets back all that a buffer has or nothing. */
static bool suits(const struct dma_heap_buffer *buffer, const struct dmaheap_pool *pool)
{
	return pool->combined == (buffer->cpu == DMA_HEAP_CPU_WRITE_COMBINED) &&
	       dma_heap_buffer_missing(buffer) == buffer->size;
}

/**
 * dma_heap_buffer_add_pages - give a buffer all that it lacks, scattered
 * @buffer:	the buffer
 * @highest:	physical address that nothing of it may lie beyond; PHYS_ADDR_MAX: anywhere
 * @longest:	bytes of the longest chunk; SIZE_MAX: as long as there are
 *
 * The pages are zeroed and counted (%DMA_HEAP_PAGES_COUNTED).  If the heap has a pool, they come
 * from there as far as it has some, and all go there afterwards by themselves: then nothing else
 * can be added to the buffer.  If not, dma_heap_free_pages() is the operation to free them.
 *
 * Context: within &dma_heap_buffer_ops.populate; may sleep.
 * Return: 0; -ENOMEM, also when it would be more than is available; -EINTR when a fatal signal
 * came; -EINVAL when the buffer does not suit the heap's pool.
 */
int dma_heap_buffer_add_pages(struct dma_heap_buffer *buffer, phys_addr_t highest,
			      size_t longest)
{
	struct dmaheap_pool *pool = buffer->heap->pool;
	struct gathering gathering = {
		.pool = pool,
		.announced = &buffer->announced,
		.highest = highest,
		.len = buffer->size,
		.missing = dma_heap_buffer_missing(buffer),
		.chunks = LIST_HEAD_INIT(gathering.chunks),
		.charged = buffer->payer,
		.ahead = pool,
	};
	unsigned long pages = gathering.missing >> PAGE_SHIFT, pooled = 0;
	int err;

	if (WARN_ON_ONCE(pool && !suits(buffer, pool)))
		return -EINVAL;
	if (pool && !gathering.charged)
		pooled = min(READ_ONCE(pool->size), pages);
	err = dmaheap_announce(&buffer->announced, pages - pooled, pooled);
	if (!err)
		err = gather(&gathering, longest);
	if (!err && gathering.missing && !may_add_ranges(buffer, &gathering))
		err = -ENOMEM;
	if (err) {
		let_go(&gathering);
		return err;
	}
	err = hand_over(&gathering, buffer);
	if (err)
		return err;
	return add_ranges(buffer, highest, max(round_down(longest, PAGE_SIZE), PAGE_SIZE));
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_add_pages);

/* Chunks become what the pool has of clean ones. */
static int make_clean(struct dmaheap_pool *pool, struct list_head *chunks)
{
	int err = dmaheap_pool_prepare(pool, chunks);
	struct page *chunk;

	list_for_each_entry(chunk, chunks, lru)
		if (!err)
			err = dmaheap_cache_ahead(pool, chunk);
	return err;
}

static int fill(struct dmaheap_pool *pool, struct gathering *gathering)
{
	unsigned long nr = gathering->len >> PAGE_SHIFT;
	int err;

	if (!dmaheap_pool_reserve(nr))
		return -ENOSPC;
	gathering->filled = pool;
	gathering->missing = gathering->len;
	INIT_LIST_HEAD(&gathering->chunks);
	err = gather(gathering, SIZE_MAX);
	if (!err && gathering->missing)
		err = -ENOMEM;
	if (!err)
		err = make_clean(pool, &gathering->chunks);
	if (!err)
		err = check_wanted(gathering);
	if (!err)
		err = dmaheap_pool_add_clean(pool, &gathering->chunks, &nr);
	dmaheap_pool_let_go(pool, &gathering->chunks, true);
	dmaheap_pool_unreserve(nr);
	return err;
}

/* dmaheap_pool_fill - make a pool ready for one more buffer of @len bytes, whole pages */
int dmaheap_pool_fill(struct dmaheap_pool *pool, size_t len)
{
	struct dmaheap_announcement announced = {};
	struct gathering gathering = {
		.highest = PHYS_ADDR_MAX,
		.len = len,
		.announced = &announced,
	};
	int err = dmaheap_announce(&announced, len >> PAGE_SHIFT, 0);

	if (!err)
		err = fill(pool, &gathering);
	dmaheap_taken(&announced, ULONG_MAX);
	return err;
}

/* dmaheap_pool_top_up - the same, if that costs nobody anything, and somebody was too early */
int dmaheap_pool_top_up(struct dmaheap_pool *pool, size_t len, int nid)
{
	struct dmaheap_announcement announced = {};
	struct gathering gathering = {
		.len = len,
		.announced = &announced,
		.spare_for = pool,
		.nid = nid,
	};
	int err = -ENOMEM;

	if (dmaheap_is_plenty_free(len >> PAGE_SHIFT))
		err = fill(pool, &gathering);
	dmaheap_taken(&announced, ULONG_MAX);
	return err;
}

/**
 * dma_heap_free_pages - give a chunk of pages back, whichever way they were allocated
 * @buffer:	the buffer
 * @phys:	where the chunk starts
 * @len:	its length in bytes
 *
 * An operation &dma_heap_buffer_ops.free for what dma_heap_buffer_add_pages() and
 * dma_heap_buffer_add_contiguous() have added.
 *
 * Context: as of that operation.
 */
void dma_heap_free_pages(struct dma_heap_buffer *buffer, phys_addr_t phys, size_t len)
{
	struct page *page = pfn_to_page(PHYS_PFN(phys));
	size_t i;

	if (PageHead(page)) {
		__free_pages(page, get_order(len));
		return;
	}
	for (i = 0; i < len >> PAGE_SHIFT; i++) {
		put_page(page + i);
		cond_resched();
	}
}
EXPORT_SYMBOL_GPL(dma_heap_free_pages);
