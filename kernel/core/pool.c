// SPDX-License-Identifier: GPL-2.0-only
/* The pool of a heap, what it keeps: see pool.h. */
#define pr_fmt(fmt) "dmaheap: " fmt

#include <linux/cpuset.h>
#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmstat.h>

#include "../compat/shrinker.h"
#include "core.h"
#include "pool.h"

/* Chunks moved at a time, so that nobody waits long for the lock. */
#define BATCH 64

/* Protects the list of pools. */
static DEFINE_MUTEX(pools_lock);
static LIST_HEAD(pools);

/* ---- how much is kept ---- */

static atomic_long_t kept;		   /* pages in all pools */
static unsigned long max_kept = ULONG_MAX; /* of them; as long as nobody has said */

/* dmaheap_pool_reserve - pages are going to be kept, if there is room for them */
bool dmaheap_pool_reserve(unsigned long nr)
{
	if (atomic_long_add_return(nr, &kept) <= READ_ONCE(max_kept))
		return true;
	atomic_long_sub(nr, &kept);
	return false;
}

/* dmaheap_pool_unreserve - they are not, or not any more */
void dmaheap_pool_unreserve(unsigned long nr)
{
	atomic_long_sub(nr, &kept);
}

/* Chunks of a node come into a state, or leave it. */
static void account(struct dmaheap_pool *pool, int nid, enum dmaheap_pool_state state, long nr)
{
	lockdep_assert_held(&pool->lock);
	pool->nodes[nid].nr_pages[state] += nr;
	pool->size += nr;
	mod_node_page_state(NODE_DATA(nid), NR_KERNEL_MISC_RECLAIMABLE, nr);
}

/* dmaheap_pool_pages - pages that are in a state */
unsigned long dmaheap_pool_pages(struct dmaheap_pool *pool, enum dmaheap_pool_state state)
{
	unsigned long nr = 0;
	int nid;

	for_each_node(nid)
		nr += READ_ONCE(pool->nodes[nid].nr_pages[state]);
	return nr;
}

void dmaheap_pool_count(struct dmaheap_pool *pool, enum dmaheap_pool_count count, u64 nr)
{
	guard(spinlock)(&pool->lock);
	pool->counts[count] += nr;
}

/* ---- chunks ---- */

/* Also of what the pool was never to have. */
static unsigned int order_index(struct page *chunk)
{
	return dmaheap_order_index(compound_order(chunk));
}

static void put_chunk(struct dmaheap_pool *pool, struct page *chunk,
		      enum dmaheap_pool_state state)
{
	int nid = page_to_nid(chunk);

	list_add(&chunk->lru, &pool->nodes[nid].chunks[state][order_index(chunk)]);
	account(pool, nid, state, compound_nr(chunk));
}

static unsigned long count_pages(const struct list_head *chunks)
{
	unsigned long nr = 0;
	struct page *chunk;

	list_for_each_entry(chunk, chunks, lru)
		nr += compound_nr(chunk);
	return nr;
}

/* Pages that nobody may get any more. */
static void lose(struct list_head *chunks)
{
	pr_err("the kernel's mapping of %lu KiB stays write-combined: they are lost\n",
	       count_pages(chunks) << (PAGE_SHIFT - 10));
	INIT_LIST_HEAD(chunks);
}

/*
 * dmaheap_pool_prepare - chunks of the page allocator become what the pool has
 *
 * -ENOMEM: they do not; what is in the list afterwards can be let go.
 */
int dmaheap_pool_prepare(struct dmaheap_pool *pool, struct list_head *chunks)
{
	int err = dmaheap_linear_map_combine(&pool->map, chunks);

	if (err == -EIO)
		lose(chunks);
	return err ? -ENOMEM : 0;
}

static int let_go(struct dmaheap_pool *pool, struct list_head *chunks, bool wait)
{
	struct page *chunk, *next;
	int err;

	err = dmaheap_linear_map_restore(&pool->map, chunks, wait);
	if (err == -EAGAIN)
		return err;
	if (err)
		lose(chunks);
	list_for_each_entry_safe(chunk, next, chunks, lru) {
		list_del(&chunk->lru);
		set_page_private(chunk, 0);
		/* Whoever still has a reference keeps it as long. */
		__free_pages(chunk, compound_order(chunk));
		cond_resched();
	}
	return err;
}

/* dmaheap_pool_let_go - give chunks that the pool does not keep to the page allocator */
void dmaheap_pool_let_go(struct dmaheap_pool *pool, struct list_head *chunks)
{
	if (!list_empty(chunks))
		let_go(pool, chunks, true);
}

/* ---- giving back ---- */

static unsigned long memory_pages(const struct dmaheap_memory *memory)
{
	return memory->chunks[memory->nr - 1].end >> PAGE_SHIFT;
}

static struct page *chunk_page(const struct dmaheap_memory *memory, unsigned int i)
{
	return pfn_to_page(PHYS_PFN(memory->chunks[i].phys));
}

static void let_memory_go(struct dmaheap_pool *pool, struct dmaheap_memory *memory)
{
	LIST_HEAD(chunks);
	unsigned int i;

	for (i = 0; i < memory->nr; i++)
		list_add_tail(&chunk_page(memory, i)->lru, &chunks);
	dmaheap_pool_let_go(pool, &chunks);
	kvfree(memory);
}

static bool keep(struct dmaheap_pool *pool, struct dmaheap_memory *memory)
{
	unsigned long nr = memory_pages(memory);

	guard(spinlock)(&pool->lock);
	if (pool->closed || !dmaheap_pool_reserve(nr))
		return false;
	memory->turn = pool->turn;
	list_add_tail(&memory->link, &pool->given);
	account(pool, page_to_nid(chunk_page(memory, 0)), DMAHEAP_GIVEN, nr);
	dmaheap_zero_queue(pool);
	return true;
}

static struct dmaheap_memory *take_given(struct dmaheap_pool *pool)
{
	struct dmaheap_memory *memory;

	guard(spinlock)(&pool->lock);
	memory = list_first_entry_or_null(&pool->given, struct dmaheap_memory, link);
	if (memory)
		list_del(&memory->link);
	return memory;
}

/*
 * May somebody else still use a chunk?  Of a buffer that died no mapping is left by which a page
 * could be found, so that it can only become less true.
 */
static bool is_held(struct page *chunk)
{
	return page_ref_count(chunk) != 1;
}

static void sort_chunk(struct dmaheap_pool *pool, const struct dmaheap_memory *memory,
		       unsigned int i)
{
	struct page *chunk = chunk_page(memory, i);

	account(pool, page_to_nid(chunk_page(memory, 0)), DMAHEAP_GIVEN,
		-(long)compound_nr(chunk));
	if (pool->closed || is_held(chunk)) {
		list_add(&chunk->lru, &pool->held);
		dmaheap_pool_unreserve(compound_nr(chunk));
		return;
	}
	set_page_private(chunk, memory->turn);
	put_chunk(pool, chunk, DMAHEAP_DIRTY);
}

static void sort_memory(struct dmaheap_pool *pool, struct dmaheap_memory *memory)
{
	unsigned int i = 0, end;

	while (i < memory->nr) {
		end = min(i + BATCH, memory->nr);
		scoped_guard(spinlock, &pool->lock)
			for (; i < end; i++)
				sort_chunk(pool, memory, i);
		cond_resched();
	}
	kvfree(memory);
}

/* What was found to be held, or the pool to be closed for, is not the pool's any more. */
static void let_held_go(struct dmaheap_pool *pool, bool wait)
{
	LIST_HEAD(held);

	scoped_guard(spinlock, &pool->lock)
		list_splice_init(&pool->held, &held);
	if (list_empty(&held) || let_go(pool, &held, wait) != -EAGAIN)
		return;
	guard(spinlock)(&pool->lock);
	list_splice(&held, &pool->held);
}

/*
 * dmaheap_pool_sort - see what was given back
 *
 * Without @wait it leaves what is held by others for later, if it would have to wait for somebody
 * who may be waiting for memory.
 */
void dmaheap_pool_sort(struct dmaheap_pool *pool, bool wait)
{
	struct dmaheap_memory *memory;

	while ((memory = take_given(pool)))
		sort_memory(pool, memory);
	let_held_go(pool, wait);
}

/*
 * One chunk is not worth a place in the list of what was given back: a program that takes and
 * gives single pages finds this one at once.
 */
static bool keep_single(struct dmaheap_pool *pool, struct dmaheap_memory *memory)
{
	struct page *chunk = chunk_page(memory, 0);

	if (memory->nr > 1 || is_held(chunk))
		return false;
	scoped_guard(spinlock, &pool->lock) {
		if (pool->closed || !dmaheap_pool_reserve(memory_pages(memory)))
			return false;
		set_page_private(chunk, pool->turn);
		put_chunk(pool, chunk, DMAHEAP_DIRTY);
		dmaheap_zero_queue(pool);
	}
	kvfree(memory);
	return true;
}

/* dmaheap_pool_give - the memory of a buffer that died; takes as long for any */
void dmaheap_pool_give(struct dmaheap_pool *pool, struct dmaheap_memory *memory)
{
	if (!memory->nr)
		kvfree(memory);
	else if (!keep_single(pool, memory) && !keep(pool, memory))
		let_memory_go(pool, memory);
}

/*
 * dmaheap_pool_add_clean - keep chunks for which there is room
 *
 * With @spare only as long as it is late.  -ENODEV: the heap is removed; -ECANCELED: it is not
 * late; -ENOSPC: there is no room any more.
 */
int dmaheap_pool_add_clean(struct dmaheap_pool *pool, struct list_head *chunks, bool spare)
{
	struct page *chunk, *next;

	guard(spinlock)(&pool->lock);
	if (pool->closed)
		return -ENODEV;
	if (spare && !pool->late)
		return -ECANCELED;
	/* There may be less room than when it was reserved. */
	if (atomic_long_read(&kept) > READ_ONCE(max_kept))
		return -ENOSPC;
	list_for_each_entry_safe(chunk, next, chunks, lru) {
		list_del(&chunk->lru);
		put_chunk(pool, chunk, DMAHEAP_CLEAN);
	}
	return 0;
}

/* ---- taking ---- */

/* May the task have all pages from a node?  Else the page allocator knows what to do. */
static bool may_use_node(int nid)
{
#ifdef CONFIG_NUMA
	const struct mempolicy *policy = current->mempolicy;

	if (policy && policy->mode != MPOL_LOCAL &&
	    (policy->mode == MPOL_INTERLEAVE || !node_isset(nid, policy->nodes)))
		return false;
#endif
	return node_isset(nid, cpuset_current_mems_allowed);
}

/* Some of them, so that nobody waits long for the lock. */
static unsigned int take_some(struct dmaheap_pool *pool, enum dmaheap_pool_state state,
			      const struct dmaheap_pool_wish *wish, int nid, unsigned int nr,
			      struct list_head *chunks)
{
	struct list_head *from = &pool->nodes[nid].chunks[state][wish->index];
	unsigned int order = dmaheap_orders[wish->index], n;
	struct page *chunk;
	long pages;

	guard(spinlock)(&pool->lock);
	pool->used[wish->index] = pool->turn;
	for (n = 0; n < min_t(unsigned int, nr, BATCH); n++) {
		chunk = list_first_entry_or_null(from, struct page, lru);
		if (!chunk || page_to_phys(chunk) + (PAGE_SIZE << order) - 1 > wish->highest)
			break;
		list_move_tail(&chunk->lru, chunks);
		set_page_private(chunk, 0);
	}
	if (!n)
		return 0;
	pages = (long)n << order;
	account(pool, nid, state, -pages);
	dmaheap_pool_unreserve(pages);
	pool->counts[DMAHEAP_HIT] += pages;
	if (state == DMAHEAP_DIRTY) {
		pool->counts[DMAHEAP_ZEROED_INLINE] += pages;
		pool->late = max(pool->late, wish->len);
	}
	return n;
}

static unsigned int take(struct dmaheap_pool *pool, enum dmaheap_pool_state state,
			 const struct dmaheap_pool_wish *wish, unsigned int nr,
			 struct list_head *chunks)
{
	unsigned int n = 0, some;
	int nid = numa_mem_id();

	if (!may_use_node(nid))
		return 0;
	do {
		some = take_some(pool, state, wish, nid, nr - n, chunks);
		n += some;
	} while (some && n < nr);
	return n;
}

/* Zeroes what is to be handed out at once; what cannot be is not, nor what nobody will get. */
static unsigned int zero_all(struct dmaheap_pool *pool, struct list_head *chunks)
{
	struct page *chunk, *next;
	unsigned int n = 0;
	LIST_HEAD(broken);

	list_for_each_entry_safe(chunk, next, chunks, lru) {
		if (!fatal_signal_pending(current) && dmaheap_zero(chunk))
			n++;
		else
			list_move(&chunk->lru, &broken);
	}
	dmaheap_pool_let_go(pool, &broken);
	return n;
}

/*
 * dmaheap_pool_take - chunks of an order, zeroed, to the end of a list
 *
 * As many as there are on this node.  What is dirty is zeroed here, for that costs less than to
 * ask the page allocator for more, and *@late becomes true.
 */
unsigned int dmaheap_pool_take(struct dmaheap_pool *pool, const struct dmaheap_pool_wish *wish,
			       struct list_head *chunks, bool *late)
{
	unsigned int clean = take(pool, DMAHEAP_CLEAN, wish, wish->nr, chunks), dirty;
	LIST_HEAD(zeroed);

	if (clean == wish->nr)
		return clean;
	dmaheap_pool_sort(pool, true);
	if (!take(pool, DMAHEAP_DIRTY, wish, wish->nr - clean, &zeroed))
		return clean;
	dirty = zero_all(pool, &zeroed);
	list_splice_tail(&zeroed, chunks);
	*late = true;
	return clean + dirty;
}

/* ---- zeroing by the thread ---- */

/* dmaheap_pool_next_turn - from now on it is another turn */
unsigned long dmaheap_pool_next_turn(struct dmaheap_pool *pool)
{
	guard(spinlock)(&pool->lock);
	return ++pool->turn;
}

/* dmaheap_pool_lacks - what to add so that next time the pages are zeroed in time; in bytes */
size_t dmaheap_pool_lacks(struct dmaheap_pool *pool)
{
	size_t late;

	guard(spinlock)(&pool->lock);
	late = pool->closed ? 0 : pool->late;
	if (pool->size >= 2 * (late >> PAGE_SHIFT))
		late = pool->late = 0;
	return late;
}

static struct page *oldest_dirty(struct dmaheap_pool *pool, unsigned long turn)
{
	unsigned int i;
	int nid;

	lockdep_assert_held(&pool->lock);
	for_each_node(nid)
		for (i = 0; i < dmaheap_nr_orders; i++) {
			struct list_head *dirty = &pool->nodes[nid].chunks[DMAHEAP_DIRTY][i];
			struct page *chunk;

			if (list_empty(dirty) || pool->used[i] == turn)
				continue;
			chunk = list_last_entry(dirty, struct page, lru);
			if (page_private(chunk) != turn)
				return chunk;
		}
	return NULL;
}

/*
 * dmaheap_pool_begin_zeroing - a dirty chunk that was not given back in this turn, or NULL
 *
 * None of an order as soon as somebody else has use for such.
 */
struct page *dmaheap_pool_begin_zeroing(struct dmaheap_pool *pool, unsigned long turn)
{
	struct page *chunk;

	guard(spinlock)(&pool->lock);
	chunk = pool->closed ? NULL : oldest_dirty(pool, turn);
	if (chunk) {
		list_del(&chunk->lru);
		account(pool, page_to_nid(chunk), DMAHEAP_DIRTY, -(long)compound_nr(chunk));
		account(pool, page_to_nid(chunk), DMAHEAP_ZEROING, compound_nr(chunk));
	}
	return chunk;
}

/* dmaheap_pool_end_zeroing - it is clean, or cannot become so */
void dmaheap_pool_end_zeroing(struct dmaheap_pool *pool, struct page *chunk, bool zeroed)
{
	unsigned long nr = compound_nr(chunk);
	LIST_HEAD(broken);

	scoped_guard(spinlock, &pool->lock) {
		account(pool, page_to_nid(chunk), DMAHEAP_ZEROING, -(long)nr);
		if (zeroed) {
			put_chunk(pool, chunk, DMAHEAP_CLEAN);
			pool->counts[DMAHEAP_ZEROED_BACKGROUND] += nr;
		} else {
			list_add(&chunk->lru, &broken);
			dmaheap_pool_unreserve(nr);
		}
	}
	dmaheap_pool_let_go(pool, &broken);
}

/* ---- shrinking ---- */

static unsigned long take_oldest(struct dmaheap_pool *pool, int nid,
				 enum dmaheap_pool_state state, unsigned long max,
				 struct list_head *chunks)
{
	unsigned int i, n = 0;
	unsigned long nr = 0;

	guard(spinlock)(&pool->lock);
	for (i = 0; i < dmaheap_nr_orders; i++) {
		struct list_head *from = &pool->nodes[nid].chunks[state][i];

		for (; n < BATCH && nr < max && !list_empty(from); n++) {
			nr += compound_nr(list_last_entry(from, struct page, lru));
			list_move(from->prev, chunks);
		}
	}
	account(pool, nid, state, -(long)nr);
	return nr;
}

static void put_back(struct dmaheap_pool *pool, enum dmaheap_pool_state state,
		     struct list_head *chunks)
{
	struct page *chunk, *next;

	guard(spinlock)(&pool->lock);
	list_for_each_entry_safe(chunk, next, chunks, lru) {
		list_del(&chunk->lru);
		put_chunk(pool, chunk, state);
	}
}

static unsigned long shrink(struct dmaheap_pool *pool, int nid, enum dmaheap_pool_state state,
			    unsigned long max, bool wait)
{
	unsigned long freed = 0, nr;

	while (freed < max) {
		LIST_HEAD(chunks);

		nr = take_oldest(pool, nid, state, max - freed, &chunks);
		if (!nr)
			break;
		if (let_go(pool, &chunks, wait) == -EAGAIN) {
			put_back(pool, state, &chunks);
			break;
		}
		dmaheap_pool_unreserve(nr);
		freed += nr;
		cond_resched();
	}
	return freed;
}

static unsigned long shrink_sorted(struct dmaheap_pool *pool, int nid, unsigned long max,
				   bool wait)
{
	static const enum dmaheap_pool_state states[] = { DMAHEAP_DIRTY, DMAHEAP_CLEAN };
	unsigned long freed = 0;
	unsigned int i;
	int n;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		for_each_node(n)
			if (freed < max && (nid == NUMA_NO_NODE || nid == n))
				freed += shrink(pool, n, states[i], max - freed, wait);
	return freed;
}

/*
 * dmaheap_pool_shrink - give pages to the page allocator, dirty ones first
 *
 * At least @nr, if there are so many, of one node or, with NUMA_NO_NODE, of any.  Without @wait
 * it gives none rather than wait for somebody who may be waiting for memory.  Returns how many.
 */
unsigned long dmaheap_pool_shrink(struct dmaheap_pool *pool, int nid, unsigned long nr,
				  bool wait)
{
	unsigned long freed;

	/* Who wants less does not want more. */
	scoped_guard(spinlock, &pool->lock)
		pool->late = 0;
	dmaheap_pool_sort(pool, wait);
	freed = shrink_sorted(pool, nid, nr, wait);
	/* One chunk is in the thread's hands. */
	while (wait && freed < nr && dmaheap_pool_pages(pool, DMAHEAP_ZEROING)) {
		usleep_range(100, 200);
		freed += shrink_sorted(pool, nid, nr - freed, wait);
	}
	return freed;
}

static unsigned long shrinker_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	const struct dmaheap_pool *pool = compat_shrinker_private(shrinker);
	const unsigned long *nr = pool->nodes[sc->nid].nr_pages;

	return (READ_ONCE(nr[DMAHEAP_CLEAN]) + READ_ONCE(nr[DMAHEAP_DIRTY]) + READ_ONCE(nr[DMAHEAP_GIVEN])) ?:
		       SHRINK_EMPTY;
}

static unsigned long shrinker_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct dmaheap_pool *pool = compat_shrinker_private(shrinker);
	unsigned long freed = dmaheap_pool_shrink(pool, sc->nid, sc->nr_to_scan, false);

	/* Else an allocation that got nowhere but here counts as one that got nowhere. */
	compat_account_reclaimed(freed);
	sc->nr_scanned = freed;
	return freed ?: SHRINK_STOP;
}

static unsigned long shrink_pools(unsigned long nr, bool wait)
{
	struct dmaheap_pool *pool;
	unsigned long freed = 0;

	lockdep_assert_held(&pools_lock);
	list_for_each_entry(pool, &pools, link)
		if (freed < nr)
			freed += dmaheap_pool_shrink(pool, NUMA_NO_NODE, nr - freed, wait);
	return freed;
}

/* Nobody is killed as long as there is anything left here. */
static int before_oom_kill(struct notifier_block *notifier, unsigned long unused, void *freed)
{
	if (mutex_trylock(&pools_lock)) {
		*(unsigned long *)freed += shrink_pools(ULONG_MAX, false);
		mutex_unlock(&pools_lock);
	}
	return NOTIFY_OK;
}

static struct notifier_block oom_notifier = { .notifier_call = before_oom_kill };

/* ---- the parameter ---- */

/*
 * dmaheap_parse_bytes - a number of bytes as people write it: 64M
 *
 * Unlike memparse(), it sees what is too large.  -EINVAL: it is, or is no number.
 */
int dmaheap_parse_bytes(const char *text, u64 *bytes)
{
	static const char suffixes[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	unsigned int shift = 0;
	const char *suffix;
	char number[24];

	if (!digits || digits >= sizeof(number))
		return -EINVAL;
	strscpy(number, text, digits + 1);
	suffix = text[digits] ? strchr(suffixes, toupper(text[digits])) : NULL;
	if (suffix)
		shift = 10 * (suffix - suffixes + 1);
	text += digits + !!suffix;
	if ((*text && strcmp(text, "\n")) || kstrtou64(number, 10, bytes))
		return -EINVAL;
	return check_shl_overflow(*bytes, shift, bytes) ? -EINVAL : 0;
}

static int set_pool_max(const char *text, const struct kernel_param *param)
{
	unsigned long nr;
	u64 bytes;
	int err = dmaheap_parse_bytes(text, &bytes);

	if (err)
		return err;
	guard(mutex)(&pools_lock);
	WRITE_ONCE(max_kept, min_t(u64, bytes >> PAGE_SHIFT, LONG_MAX));
	nr = atomic_long_read(&kept);
	if (nr > max_kept)
		shrink_pools(nr - max_kept, true);
	return 0;
}

static int get_pool_max(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%llu\n", (u64)READ_ONCE(max_kept) << PAGE_SHIFT);
}

static const struct kernel_param_ops pool_max_ops = {
	.set = set_pool_max,
	.get = get_pool_max,
};
module_param_cb(pool_max, &pool_max_ops, NULL, 0644);
MODULE_PARM_DESC(
	pool_max,
	"bytes that the pools of all heaps keep together; 0: none (default: an eighth of memory)");

/* ---- life ---- */

static const struct compat_shrinker_ops shrinker_ops = {
	.count = shrinker_count,
	.scan = shrinker_scan,
	/* Zeroing again is cheaper than reading from a disk again. */
	.seeks = DEFAULT_SEEKS / 2,
	.flags = SHRINKER_NUMA_AWARE,
};

static void init_nodes(struct dmaheap_pool *pool)
{
	unsigned int state, i;
	int nid;

	for (nid = 0; nid < nr_node_ids; nid++)
		for (state = 0; state < DMAHEAP_NR_SORTED; state++)
			for (i = 0; i < DMAHEAP_MAX_ORDERS; i++)
				INIT_LIST_HEAD(&pool->nodes[nid].chunks[state][i]);
}

/* dmaheap_pool_create - a pool for a heap that has its name, and that destroys it */
struct dmaheap_pool *dmaheap_pool_create(struct dma_heap *heap, enum dma_heap_pool kind)
{
	struct dmaheap_pool *pool =
		kvzalloc(struct_size(pool, nodes, nr_node_ids), GFP_KERNEL);

	if (!pool)
		return ERR_PTR(-ENOMEM);
	pool->heap = heap;
	pool->combined = kind == DMA_HEAP_POOL_WRITE_COMBINED;
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->given);
	INIT_LIST_HEAD(&pool->held);
	init_nodes(pool);
	dmaheap_zero_start(pool);
	if (dmaheap_linear_map_init(&pool->map, pool->combined))
		goto fail_map;
	pool->shrinker = compat_shrinker_register(&shrinker_ops, pool, dev_name(&heap->dev));
	if (!pool->shrinker)
		goto fail_shrinker;
	guard(mutex)(&pools_lock);
	list_add_tail(&pool->link, &pools);
	return pool;

fail_shrinker:
	dmaheap_linear_map_exit(&pool->map);
fail_map:
	kvfree(pool);
	return ERR_PTR(-ENOMEM);
}

/* dmaheap_pool_close - nothing is kept any more, though buffers of the heap may live on */
void dmaheap_pool_close(struct dmaheap_pool *pool)
{
	scoped_guard(spinlock, &pool->lock)
		pool->closed = true;
	dmaheap_zero_stop(pool);
	dmaheap_pool_shrink(pool, NUMA_NO_NODE, ULONG_MAX, true);
}

/* dmaheap_pool_destroy - with its heap, when nobody can call any more */
void dmaheap_pool_destroy(struct dmaheap_pool *pool)
{
	scoped_guard(mutex, &pools_lock)
		list_del(&pool->link);
	compat_shrinker_unregister(pool->shrinker);
	/* Of a buffer that was populated late, something may still have been underway then. */
	dmaheap_pool_close(pool);
	dmaheap_linear_map_exit(&pool->map);
	kvfree(pool);
}

int dmaheap_pool_init(void)
{
	int err = dmaheap_zero_init();

	if (err)
		return err;
	if (max_kept == ULONG_MAX)
		max_kept = totalram_pages() / 8;
	register_oom_notifier(&oom_notifier);
	return 0;
}

void dmaheap_pool_exit(void)
{
	unregister_oom_notifier(&oom_notifier);
	dmaheap_zero_exit();
}
