/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pool of a heap: pages of buffers that died, kept for those to come and zeroed meanwhile.
 *
 * close() only hands the memory over.  It is sorted later, by whoever first wants to know what
 * there is: chunks that nobody else holds are dirty until a thread of idle priority has zeroed
 * them.  That leaves alone chunks of a size that is just being used: a program without pause gets
 * its pages back at once and zeroes them itself, while they are in its CPU's caches, and finds all
 * of them, none in the thread's hands.  If a program with pauses comes back too early for the thread, the
 * thread adds pages, so that one buffer's can be zeroed while the other's are taken.
 *
 * What is kept counts as reclaimable, all pools together keep no more than the parameter pool_max
 * says, and a shrinker and, at the very end, the OOM killer get all of it back.  When they are full,
 * what has lain there for a while makes room for what was just in use.
 */
#ifndef _DMAHEAP_POOL_H
#define _DMAHEAP_POOL_H

#include <linux/dma-heap.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/sched/clock.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "core.h"
#include "linear_map.h"

struct compat_shrinker;

/**
 * enum dmaheap_pool_state - of pages in a pool
 * @DMAHEAP_CLEAN:	zeroed and, where devices do not snoop, in memory, not in caches
 * @DMAHEAP_DIRTY:	to be zeroed
 * @DMAHEAP_NR_SORTED:	states up to here are in lists, by order
 * @DMAHEAP_GIVEN:	given back and not sorted yet
 * @DMAHEAP_ZEROING:	in the hands of the thread
 * @DMAHEAP_LEAVING:	in the hands of who gives them to the page allocator, if they can be given
 * @DMAHEAP_NR_STATES:	how many there are
 */
enum dmaheap_pool_state {
	DMAHEAP_CLEAN,
	DMAHEAP_DIRTY,
	DMAHEAP_NR_SORTED,
	DMAHEAP_GIVEN = DMAHEAP_NR_SORTED,
	DMAHEAP_ZEROING,
	DMAHEAP_LEAVING,
	DMAHEAP_NR_STATES
};

/**
 * enum dmaheap_pool_count - pages that are counted
 * @DMAHEAP_HIT:	came from the pool
 * @DMAHEAP_MISSED:	came from the page allocator
 * @DMAHEAP_ZEROED_INLINE: came from the pool dirty, and an allocation waited for the zeroing
 * @DMAHEAP_ZEROED_BACKGROUND: zeroed by the thread
 * @DMAHEAP_NR_POOL_COUNTS: how many there are
 */
enum dmaheap_pool_count {
	DMAHEAP_HIT,
	DMAHEAP_MISSED,
	DMAHEAP_ZEROED_INLINE,
	DMAHEAP_ZEROED_BACKGROUND,
	DMAHEAP_NR_POOL_COUNTS
};

/* Time in units of 1024 ns, which wraps around; of two CPUs it may differ by a little. */
static inline unsigned long dmaheap_pool_now(void)
{
	return local_clock() >> 10;
}

/* Chunks moved at a time, so that nobody waits long for the lock. */
#define DMAHEAP_POOL_BATCH 64U

/**
 * struct dmaheap_pool_list - what a pool has of chunks of one size
 * @chunks:	by lru, by state.  What comes goes to the front, where allocations take from; the
 *		thread takes the oldest.  A chunk's private says when it was given back
 * @wanted:	when somebody last wanted such
 */
struct dmaheap_pool_list {
	struct list_head chunks[DMAHEAP_NR_SORTED];
	unsigned long wanted;
};

/**
 * struct dmaheap_pool_node - what a pool has of a NUMA node
 * @lists:	by order
 * @nr_pages:	by state; what is not sorted yet counts for the node of its first page
 */
struct dmaheap_pool_node {
	struct dmaheap_pool_list lists[DMAHEAP_MAX_ORDERS];
	unsigned long nr_pages[DMAHEAP_NR_STATES];
};

/**
 * struct dmaheap_pool - the pool of a heap
 * @heap:	whose it is; frees it
 * @link:	in the list of all pools, under its lock
 * @combined:	whether the CPU maps the pages write-combined: the kernel's own mapping of them is
 *		changed as long as they are here
 * @map:	what that takes
 * @shrinker:	by which reclaim gets pages back
 * @zeroing:	the thread's work
 * @letting_go:	work of others, at their priority
 * @lock:	protects what follows
 * @closed:	nothing is kept any more
 * @late:	bytes of the largest buffer of which some pages were not zeroed in time, until more
 *		were added for that
 * @late_nid:	the node that they were to come from
 * @given:	&struct dmaheap_memory, oldest first
 * @held:	chunks that others hold, by lru: not the pool's any more, and to be let go
 * @size:	pages in any state
 * @counts:	pages, by &enum dmaheap_pool_count
 * @nodes:	one for each NUMA node
 */
struct dmaheap_pool {
	struct dma_heap *heap;
	struct list_head link;
	bool combined;
	struct dmaheap_linear_map map;
	struct compat_shrinker *shrinker;
	struct kthread_work zeroing;
	struct work_struct letting_go;

	spinlock_t lock;
	bool closed;
	size_t late;
	int late_nid;
	struct list_head given;
	struct list_head held;
	unsigned long size;
	u64 counts[DMAHEAP_NR_POOL_COUNTS];
	struct dmaheap_pool_node nodes[];
};

/**
 * struct dmaheap_pool_wish - chunks that somebody wants
 * @index:	their order, as one of the list of orders
 * @nr:		how many
 * @highest:	physical address that none may lie beyond
 * @len:	bytes of the buffer that they are for
 */
struct dmaheap_pool_wish {
	unsigned int index;
	unsigned int nr;
	phys_addr_t highest;
	size_t len;
};

/**
 * struct dmaheap_shrink - how to give pages to the page allocator, dirty ones first
 * @nid:	of this node, or NUMA_NO_NODE
 * @wait:	also wait for somebody who may himself be waiting for memory, and for pages that are
 *		just being zeroed or sorted
 * @idle:	only what nobody has used for a while
 */
struct dmaheap_shrink {
	int nid;
	bool wait;
	bool idle;
};

/* pool.c: what is kept */
int dmaheap_pool_init(void);
void dmaheap_pool_exit(void);
struct dmaheap_pool *dmaheap_pool_create(struct dma_heap *heap, enum dma_heap_pool kind);
void dmaheap_pool_close(struct dmaheap_pool *pool);
void dmaheap_pool_destroy(struct dmaheap_pool *pool);
unsigned int dmaheap_pool_take(struct dmaheap_pool *pool, const struct dmaheap_pool_wish *wish,
			       struct list_head *chunks, bool *late);
void dmaheap_pool_give(struct dmaheap_pool *pool, struct dmaheap_memory *memory);
int dmaheap_pool_prepare(struct dmaheap_pool *pool, struct list_head *chunks);
int dmaheap_pool_add_clean(struct dmaheap_pool *pool, struct list_head *chunks,
			   unsigned long *nr);
int dmaheap_pool_let_go(struct dmaheap_pool *pool, struct list_head *chunks, bool wait);
void dmaheap_pool_put(struct dmaheap_pool *pool, struct page *chunk,
		      enum dmaheap_pool_state state);
void dmaheap_pool_put_oldest(struct dmaheap_pool *pool, struct page *chunk,
			     enum dmaheap_pool_state state);
void dmaheap_pool_account(struct dmaheap_pool *pool, int nid, enum dmaheap_pool_state state,
			  long nr);
void dmaheap_pool_take_back(struct dmaheap_pool *pool, struct list_head *chunks,
			    unsigned long pages);
void dmaheap_pool_sort(struct dmaheap_pool *pool);
void dmaheap_pool_let_held_go(struct dmaheap_pool *pool, bool wait);
unsigned long dmaheap_pool_pages(struct dmaheap_pool *pool, enum dmaheap_pool_state state,
				 enum dmaheap_pool_state last);
void dmaheap_pool_count(struct dmaheap_pool *pool, enum dmaheap_pool_count count, u64 nr);

size_t dmaheap_pool_lacks(struct dmaheap_pool *pool, int *nid);
struct page *dmaheap_pool_begin_zeroing(struct dmaheap_pool *pool, unsigned long since);
void dmaheap_pool_end_zeroing(struct dmaheap_pool *pool, struct page *chunk, bool zeroed);

/* reclaim.c: how much is kept, and giving it back */
void dmaheap_reclaim_init(void);
void dmaheap_reclaim_exit(void);
int dmaheap_reclaim_start(struct dmaheap_pool *pool);
void dmaheap_reclaim_stop(struct dmaheap_pool *pool);
bool dmaheap_pool_reserve(unsigned long nr);
void dmaheap_pool_unreserve(unsigned long nr);
bool dmaheap_pool_is_overfull(void);
unsigned long dmaheap_make_room(unsigned long nr);
unsigned long dmaheap_pool_shrink(struct dmaheap_pool *pool, const struct dmaheap_shrink *how,
				  unsigned long nr);
int dmaheap_parse_bytes(const char *text, u64 *bytes);

/* zero.c: pages become zero, at once or in the background */
int dmaheap_zero_init(void);
void dmaheap_zero_exit(void);
bool dmaheap_zero(struct page *chunk);
void dmaheap_zero_start(struct dmaheap_pool *pool);
void dmaheap_zero_queue(struct dmaheap_pool *pool);
void dmaheap_zero_stop(struct dmaheap_pool *pool);

#endif /* _DMAHEAP_POOL_H */
