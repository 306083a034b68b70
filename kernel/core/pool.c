// SPDX-License-Identifier: GPL-2.0-only
/* The pool of a heap, what it keeps: see pool.h. */
#define pr_fmt(fmt) "dmaheap: " fmt

#include <linux/cpuset.h>
#include <linux/kernel.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "core.h"
#include "pool.h"

/* dmaheap_pool_account - pages of a node come into a state, or leave it */
void dmaheap_pool_account(struct dmaheap_pool *pool, int nid, enum dmaheap_pool_state state,
			  long nr)
{
	unsigned long *of_state = &pool->nodes[nid].nr_pages[state];

	lockdep_assert_held(&pool->lock);
	/* Some only want to know about how many there are, and take no lock. */
	WRITE_ONCE(*of_state, *of_state + nr);
	WRITE_ONCE(pool->size, pool->size + nr);
	/* What leaves is free before that is known here. */
	if (state != DMAHEAP_LEAVING)
		mod_node_page_state(NODE_DATA(nid), NR_KERNEL_MISC_RECLAIMABLE, nr);
}

/* dmaheap_pool_pages - pages that are in a state, or up to another */
unsigned long dmaheap_pool_pages(struct dmaheap_pool *pool, enum dmaheap_pool_state state,
				 enum dmaheap_pool_state last)
{
	unsigned long nr = 0;
	int nid;

	lockdep_assert_held(&pool->lock);
	for (; state <= last; state++)
		for_each_node(nid)
			nr += pool->nodes[nid].nr_pages[state];
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

static struct dmaheap_pool_list *list_of(struct dmaheap_pool *pool, struct page *chunk)
{
	return &pool->nodes[page_to_nid(chunk)].lists[order_index(chunk)];
}

/* dmaheap_pool_put - a chunk comes into a state */
void dmaheap_pool_put(struct dmaheap_pool *pool, struct page *chunk,
		      enum dmaheap_pool_state state)
{
	list_add(&chunk->lru, &list_of(pool, chunk)->chunks[state]);
	dmaheap_pool_account(pool, page_to_nid(chunk), state, compound_nr(chunk));
}

/* dmaheap_pool_put_oldest - the same, of one that has been there for longer than all others */
void dmaheap_pool_put_oldest(struct dmaheap_pool *pool, struct page *chunk,
			     enum dmaheap_pool_state state)
{
	list_add_tail(&chunk->lru, &list_of(pool, chunk)->chunks[state]);
	dmaheap_pool_account(pool, page_to_nid(chunk), state, compound_nr(chunk));
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

/*
 * dmaheap_pool_let_go - give chunks that the pool does not keep to the page allocator
 *
 * Without @wait it is -EAGAIN, and they are still there, if it would have to wait for somebody
 * who may be waiting for memory.  -EIO: they are lost.
 */
int dmaheap_pool_let_go(struct dmaheap_pool *pool, struct list_head *chunks, bool wait)
{
	struct page *chunk, *next;
	int err;

	if (list_empty(chunks))
		return 0;
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
	dmaheap_pool_let_go(pool, &chunks, true);
	kvfree(memory);
}

static bool keep(struct dmaheap_pool *pool, struct dmaheap_memory *memory)
{
	unsigned long nr = memory_pages(memory);

	guard(spinlock)(&pool->lock);
	if (pool->closed || !dmaheap_pool_reserve(nr))
		return false;
	memory->given = dmaheap_pool_now();
	memory->sorted = 0;
	list_add_tail(&memory->link, &pool->given);
	dmaheap_pool_account(pool, page_to_nid(chunk_page(memory, 0)), DMAHEAP_GIVEN, nr);
	dmaheap_zero_queue(pool);
	return true;
}

/*
 * May somebody else still use a chunk?  Of a buffer that died no mapping is left by which a page
 * could be found, so that it can only become less true.
 */
static bool is_held(struct page *chunk)
{
	return page_ref_count(chunk) != 1;
}

/* A chunk that is not the pool's any more, and that is to be let go by who may wait for that. */
static void put_held(struct dmaheap_pool *pool, struct page *chunk)
{
	lockdep_assert_held(&pool->lock);
	list_add(&chunk->lru, &pool->held);
	dmaheap_pool_unreserve(compound_nr(chunk));
	queue_work(system_unbound_wq, &pool->letting_go);
}

static void sort_chunk(struct dmaheap_pool *pool, const struct dmaheap_memory *memory,
		       unsigned int i)
{
	struct page *chunk = chunk_page(memory, i);

	dmaheap_pool_account(pool, page_to_nid(chunk_page(memory, 0)), DMAHEAP_GIVEN,
			     -(long)compound_nr(chunk));
	if (pool->closed || is_held(chunk)) {
		put_held(pool, chunk);
		return;
	}
	set_page_private(chunk, memory->given);
	dmaheap_pool_put(pool, chunk, DMAHEAP_DIRTY);
}

/*
 * Of what was given back first, which stays in the list as long as there is more of it: whoever
 * sorts may be interrupted for long, and others go on then.
 */
static bool sort_some(struct dmaheap_pool *pool)
{
	struct dmaheap_memory *memory;
	unsigned int end;

	scoped_guard(spinlock, &pool->lock) {
		memory = list_first_entry_or_null(&pool->given, struct dmaheap_memory, link);
		if (!memory)
			return false;
		end = min(memory->sorted + DMAHEAP_POOL_BATCH, memory->nr);
		while (memory->sorted < end)
			sort_chunk(pool, memory, memory->sorted++);
		if (end < memory->nr)
			return true;
		list_del(&memory->link);
	}
	kvfree(memory);
	return true;
}

/* dmaheap_pool_sort - see what was given back */
void dmaheap_pool_sort(struct dmaheap_pool *pool)
{
	while (sort_some(pool))
		cond_resched();
}

/*
 * dmaheap_pool_let_held_go - give what others hold to the page allocator
 *
 * Without @wait it leaves that to a worker, if it would have to wait for somebody who may be waiting
 * for memory.
 */
void dmaheap_pool_let_held_go(struct dmaheap_pool *pool, bool wait)
{
	LIST_HEAD(held);

	scoped_guard(spinlock, &pool->lock)
		list_splice_init(&pool->held, &held);
	if (dmaheap_pool_let_go(pool, &held, wait) != -EAGAIN)
		return;
	guard(spinlock)(&pool->lock);
	list_splice(&held, &pool->held);
	queue_work(system_unbound_wq, &pool->letting_go);
}

/* Not the thread: the kernel's mapping changes under a lock, which it might keep for long. */
static void letting_go_work(struct work_struct *work)
{
	dmaheap_pool_let_held_go(container_of(work, struct dmaheap_pool, letting_go), true);
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
		set_page_private(chunk, dmaheap_pool_now());
		dmaheap_pool_put(pool, chunk, DMAHEAP_DIRTY);
		dmaheap_zero_queue(pool);
	}
	kvfree(memory);
	return true;
}

/* What nobody wants any more makes room; what there is no room for then is let go. */
static void make_fit(struct dmaheap_pool *pool, struct dmaheap_memory *memory)
{
	unsigned long room;
	LIST_HEAD(rest);

	room = dmaheap_make_room(memory_pages(memory));
	while (memory->nr && memory_pages(memory) > room)
		list_add(&chunk_page(memory, --memory->nr)->lru, &rest);
	dmaheap_pool_let_go(pool, &rest, true);
}

/* dmaheap_pool_give - the memory of a buffer that died; if there is room, as fast for any */
void dmaheap_pool_give(struct dmaheap_pool *pool, struct dmaheap_memory *memory)
{
	if (memory->charged) {
		let_memory_go(pool, memory);
		return;
	}
	if (memory->nr && (keep_single(pool, memory) || keep(pool, memory)))
		return;
	if (memory->nr && !READ_ONCE(pool->closed))
		make_fit(pool, memory);
	if (!memory->nr)
		kvfree(memory);
	else if (!keep(pool, memory))
		let_memory_go(pool, memory);
}

static int add_some(struct dmaheap_pool *pool, struct list_head *chunks, unsigned long *nr)
{
	struct page *chunk;
	unsigned int n;

	guard(spinlock)(&pool->lock);
	if (pool->closed)
		return -ENODEV;
	/* There may be less room than when it was reserved. */
	if (dmaheap_pool_is_overfull())
		return -ENOSPC;
	for (n = 0; n < DMAHEAP_POOL_BATCH && !list_empty(chunks); n++) {
		chunk = list_first_entry(chunks, struct page, lru);
		list_del(&chunk->lru);
		set_page_private(chunk, dmaheap_pool_now());
		dmaheap_pool_put(pool, chunk, DMAHEAP_CLEAN);
		*nr -= compound_nr(chunk);
	}
	return 0;
}

/*
 * dmaheap_pool_add_clean - keep chunks, for whose *@nr pages there was room
 *
 * -ENODEV: the heap is removed; -ENOSPC: there is no room any more.  What is left then, *@nr pages
 * of it, is the caller's.
 */
int dmaheap_pool_add_clean(struct dmaheap_pool *pool, struct list_head *chunks,
			   unsigned long *nr)
{
	int err = 0;

	while (!err && !list_empty(chunks)) {
		err = add_some(pool, chunks, nr);
		cond_resched();
	}
	return err;
}

static bool take_some_back(struct dmaheap_pool *pool, struct list_head *chunks,
			   unsigned long *pages)
{
	struct page *chunk;
	unsigned int n;

	guard(spinlock)(&pool->lock);
	for (n = 0; n < DMAHEAP_POOL_BATCH; n++) {
		chunk = list_first_entry_or_null(chunks, struct page, lru);
		if (!chunk || pool->closed || *pages < compound_nr(chunk) ||
		    !dmaheap_pool_reserve(compound_nr(chunk)))
			return false;
		*pages -= compound_nr(chunk);
		list_del(&chunk->lru);
		set_page_private(chunk, dmaheap_pool_now());
		dmaheap_pool_put(pool, chunk, DMAHEAP_DIRTY);
		dmaheap_zero_queue(pool);
	}
	return true;
}

/*
 * dmaheap_pool_take_back - pages that were taken, of who has failed
 *
 * They are zeroed again, though they are zero: not all may be so in memory, where devices look.
 * What there is no room for any more stays in the list.
 */
void dmaheap_pool_take_back(struct dmaheap_pool *pool, struct list_head *chunks,
			    unsigned long pages)
{
	while (take_some_back(pool, chunks, &pages))
		cond_resched();
}

/* ---- taking ---- */

/* May the task have all pages from a node?  Else the page allocator knows what to do. */
static bool may_use_node(int nid)
{
#ifdef CONFIG_NUMA
	const struct mempolicy *policy = current->mempolicy;

	/* Those that name nodes, but not those that take turns. */
	if (policy && policy->mode != MPOL_LOCAL &&
	    !((policy->mode == MPOL_PREFERRED || policy->mode == MPOL_PREFERRED_MANY ||
	       policy->mode == MPOL_BIND) &&
	      node_isset(nid, policy->nodes)))
		return false;
#endif
	return node_isset(nid, cpuset_current_mems_allowed);
}

/*
 * The thread will add some.  Not where the kernel's mapping has to change: that takes a lock, which
 * a thread of idle priority could keep from others for long.
 */
static void note_late(struct dmaheap_pool *pool, int nid, size_t len)
{
	lockdep_assert_held(&pool->lock);
	if (pool->combined || len <= pool->late)
		return;
	WRITE_ONCE(pool->late, len);
	pool->late_nid = nid;
}

/* Some of them, so that nobody waits long for the lock. */
static unsigned int take_some(struct dmaheap_pool *pool, enum dmaheap_pool_state state,
			      const struct dmaheap_pool_wish *wish, int nid, unsigned int nr,
			      struct list_head *chunks)
{
	struct dmaheap_pool_list *list = &pool->nodes[nid].lists[wish->index];
	unsigned int order = dmaheap_orders[wish->index], n;
	struct page *chunk;
	long pages;

	guard(spinlock)(&pool->lock);
	list->wanted = dmaheap_pool_now();
	for (n = 0; n < min_t(unsigned int, nr, DMAHEAP_POOL_BATCH); n++) {
		chunk = list_first_entry_or_null(&list->chunks[state], struct page, lru);
		if (!chunk || page_to_phys(chunk) + (PAGE_SIZE << order) - 1 > wish->highest)
			break;
		list_move_tail(&chunk->lru, chunks);
		set_page_private(chunk, 0);
	}
	if (!n)
		return 0;
	pages = (long)n << order;
	dmaheap_pool_account(pool, nid, state, -pages);
	dmaheap_pool_unreserve(pages);
	pool->counts[DMAHEAP_HIT] += pages;
	if (state == DMAHEAP_DIRTY) {
		pool->counts[DMAHEAP_ZEROED_INLINE] += pages;
		note_late(pool, nid, wish->len);
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
	dmaheap_pool_let_go(pool, &broken, true);
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
	dmaheap_pool_sort(pool);
	if (!take(pool, DMAHEAP_DIRTY, wish, wish->nr - clean, &zeroed))
		return clean;
	dirty = zero_all(pool, &zeroed);
	list_splice_tail(&zeroed, chunks);
	*late = true;
	return clean + dirty;
}

/* ---- zeroing by the thread ---- */

static unsigned long node_pages(const struct dmaheap_pool_node *node)
{
	unsigned long nr = 0;
	unsigned int state;

	for (state = 0; state < DMAHEAP_NR_STATES; state++)
		nr += node->nr_pages[state];
	return nr;
}

/*
 * dmaheap_pool_lacks - what to add so that next time the pages are zeroed in time
 *
 * In bytes, and of node *@nid.
 */
size_t dmaheap_pool_lacks(struct dmaheap_pool *pool, int *nid)
{
	guard(spinlock)(&pool->lock);
	*nid = pool->late_nid;
	if (pool->closed || !pool->late ||
	    node_pages(&pool->nodes[*nid]) >= 2 * (pool->late >> PAGE_SHIFT))
		WRITE_ONCE(pool->late, 0);
	return pool->late;
}

static struct page *oldest_dirty(struct dmaheap_pool *pool, unsigned long since)
{
	unsigned int i;
	int nid;

	lockdep_assert_held(&pool->lock);
	for_each_node(nid)
		for (i = 0; i < dmaheap_nr_orders; i++) {
			struct dmaheap_pool_list *list = &pool->nodes[nid].lists[i];
			struct page *chunk;

			if (list_empty(&list->chunks[DMAHEAP_DIRTY]) ||
			    time_after_eq(list->wanted, since))
				continue;
			chunk = list_last_entry(&list->chunks[DMAHEAP_DIRTY], struct page,
						lru);
			if (time_before(page_private(chunk), since))
				return chunk;
		}
	return NULL;
}

/*
 * dmaheap_pool_begin_zeroing - a dirty chunk that was given back before @since, or NULL
 *
 * None of an order that somebody wanted since.
 */
struct page *dmaheap_pool_begin_zeroing(struct dmaheap_pool *pool, unsigned long since)
{
	struct page *chunk;

	guard(spinlock)(&pool->lock);
	chunk = pool->closed ? NULL : oldest_dirty(pool, since);
	if (chunk) {
		list_del(&chunk->lru);
		dmaheap_pool_account(pool, page_to_nid(chunk), DMAHEAP_DIRTY,
				     -(long)compound_nr(chunk));
		dmaheap_pool_account(pool, page_to_nid(chunk), DMAHEAP_ZEROING,
				     compound_nr(chunk));
	}
	return chunk;
}

/* dmaheap_pool_end_zeroing - it is clean, or cannot become so */
void dmaheap_pool_end_zeroing(struct dmaheap_pool *pool, struct page *chunk, bool zeroed)
{
	unsigned long nr = compound_nr(chunk);

	guard(spinlock)(&pool->lock);
	dmaheap_pool_account(pool, page_to_nid(chunk), DMAHEAP_ZEROING, -(long)nr);
	if (!zeroed) {
		put_held(pool, chunk);
		return;
	}
	dmaheap_pool_put(pool, chunk, DMAHEAP_CLEAN);
	pool->counts[DMAHEAP_ZEROED_BACKGROUND] += nr;
}

/* ---- life ---- */

static void init_node(struct dmaheap_pool_node *node)
{
	unsigned int state, i;

	for (i = 0; i < DMAHEAP_MAX_ORDERS; i++) {
		node->lists[i].wanted = dmaheap_pool_now();
		for (state = 0; state < DMAHEAP_NR_SORTED; state++)
			INIT_LIST_HEAD(&node->lists[i].chunks[state]);
	}
}

/* dmaheap_pool_create - a pool for a heap that has its name, and that destroys it */
struct dmaheap_pool *dmaheap_pool_create(struct dma_heap *heap, enum dma_heap_pool kind)
{
	struct dmaheap_pool *pool =
		kvzalloc(struct_size(pool, nodes, nr_node_ids), GFP_KERNEL);
	int nid;

	if (!pool)
		return ERR_PTR(-ENOMEM);
	pool->heap = heap;
	pool->combined = kind == DMA_HEAP_POOL_WRITE_COMBINED;
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->given);
	INIT_LIST_HEAD(&pool->held);
	INIT_WORK(&pool->letting_go, letting_go_work);
	for (nid = 0; nid < nr_node_ids; nid++)
		init_node(&pool->nodes[nid]);
	dmaheap_zero_start(pool);
	if (dmaheap_linear_map_init(&pool->map, pool->combined))
		goto fail_map;
	if (dmaheap_reclaim_start(pool))
		goto fail_reclaim;
	return pool;

fail_reclaim:
	dmaheap_linear_map_exit(&pool->map);
fail_map:
	kvfree(pool);
	return ERR_PTR(-ENOMEM);
}

/* dmaheap_pool_close - nothing is kept any more, though buffers of the heap may live on */
void dmaheap_pool_close(struct dmaheap_pool *pool)
{
	static const struct dmaheap_shrink how = { .nid = NUMA_NO_NODE, .wait = true };

	scoped_guard(spinlock, &pool->lock) {
		WRITE_ONCE(pool->closed, true);
		WRITE_ONCE(pool->late, 0);
	}
	dmaheap_zero_stop(pool);
	dmaheap_pool_shrink(pool, &how, ULONG_MAX);
	cancel_work_sync(&pool->letting_go);
	dmaheap_pool_let_held_go(pool, true);
}

/* dmaheap_pool_destroy - with its heap, when nobody can call any more */
void dmaheap_pool_destroy(struct dmaheap_pool *pool)
{
	dmaheap_reclaim_stop(pool);
	/* Of a buffer that was populated late, something may still have been underway then. */
	dmaheap_pool_close(pool);
	dmaheap_linear_map_exit(&pool->map);
	kvfree(pool);
}

int dmaheap_pool_init(void)
{
	int err = dmaheap_zero_init();

	if (!err)
		dmaheap_reclaim_init();
	return err;
}

void dmaheap_pool_exit(void)
{
	dmaheap_reclaim_exit();
	dmaheap_zero_exit();
}
