// SPDX-License-Identifier: GPL-2.0-only
/* What pools may keep, and how they give it back: see pool.h. */
#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "../compat/shrinker.h"
#include "core.h"
#include "pool.h"

/* What has lain for longer makes room for what was just in use: a second, of dmaheap_pool_now(). */
#define IDLE_TIME (NSEC_PER_SEC >> 10)

/* Protects the list of pools. */
static DEFINE_MUTEX(pools_lock);
static LIST_HEAD(pools);

/* ---- how much is kept ---- */

static atomic_long_t kept; /* pages in all pools */
/* Pages of each node that were: so that who waits for them sees that there are more. */
static atomic_long_t given_back[MAX_NUMNODES];
static unsigned long max_kept = ULONG_MAX; /* of them; as long as nobody has said */

/* dmaheap_pool_reserve - pages are going to be kept, if there is room for them */
bool dmaheap_pool_reserve(unsigned long nr)
{
	long now = atomic_long_read(&kept);

	/* Never more, not even for a moment: somebody else would find no room for it. */
	do {
		if (now + nr > READ_ONCE(max_kept))
			return false;
	} while (!atomic_long_try_cmpxchg(&kept, &now, now + nr));
	/* If it was made less meanwhile, either we see that or who did sees us. */
	if (now + nr <= READ_ONCE(max_kept))
		return true;
	atomic_long_sub(nr, &kept);
	return false;
}

/* dmaheap_pool_unreserve - they are not, or not any more */
void dmaheap_pool_unreserve(unsigned long nr)
{
	atomic_long_sub(nr, &kept);
}

/* dmaheap_pool_is_overfull - more is kept than may be, since that was made less */
bool dmaheap_pool_is_overfull(void)
{
	return atomic_long_read(&kept) > READ_ONCE(max_kept);
}

static unsigned long room(void)
{
	unsigned long max = READ_ONCE(max_kept), now = atomic_long_read(&kept);

	return now < max ? max - now : 0;
}

/* ---- shrinking ---- */

static struct page *oldest(const struct list_head *chunks, bool idle)
{
	struct page *chunk;

	if (list_empty(chunks))
		return NULL;
	chunk = list_last_entry(chunks, struct page, lru);
	if (idle && time_before(dmaheap_pool_now(), page_private(chunk) + IDLE_TIME))
		return NULL;
	return chunk;
}

static unsigned long take_oldest(struct dmaheap_pool *pool, int nid,
				 enum dmaheap_pool_state state, bool idle, unsigned long max,
				 struct list_head *chunks)
{
	unsigned int i, n = 0;
	unsigned long nr = 0;
	struct page *chunk;

	guard(spinlock)(&pool->lock);
	for (i = 0; i < dmaheap_nr_orders; i++) {
		const struct list_head *from = &pool->nodes[nid].lists[i].chunks[state];

		for (; n < DMAHEAP_POOL_BATCH && nr < max; n++) {
			chunk = oldest(from, idle);
			if (!chunk)
				break;
			list_move(&chunk->lru, chunks);
			nr += compound_nr(chunk);
		}
	}
	dmaheap_pool_account(pool, nid, state, -(long)nr);
	dmaheap_pool_account(pool, nid, DMAHEAP_LEAVING, nr);
	return nr;
}

/* They have left, or are back: the list has those. */
static void end_leaving(struct dmaheap_pool *pool, int nid, enum dmaheap_pool_state state,
			unsigned long nr, struct list_head *chunks)
{
	struct page *chunk, *next;

	guard(spinlock)(&pool->lock);
	dmaheap_pool_account(pool, nid, DMAHEAP_LEAVING, -(long)nr);
	if (list_empty(chunks))
		return;
	list_for_each_entry_safe(chunk, next, chunks, lru) {
		list_del(&chunk->lru);
		dmaheap_pool_put_oldest(pool, chunk, state);
	}
	if (!pool->closed)
		dmaheap_zero_queue(pool);
}

static unsigned long shrink_state(struct dmaheap_pool *pool, const struct dmaheap_shrink *how,
				  int nid, enum dmaheap_pool_state state, unsigned long max)
{
	unsigned long freed = 0, nr;
	int err;

	while (freed < max) {
		LIST_HEAD(chunks);

		nr = take_oldest(pool, nid, state, how->idle, max - freed, &chunks);
		if (!nr)
			break;
		err = dmaheap_pool_let_go(pool, &chunks, how->wait);
		end_leaving(pool, nid, state, nr, &chunks);
		if (err == -EAGAIN)
			break;
		dmaheap_pool_unreserve(nr);
		atomic_long_add(nr, &given_back[nid]);
		freed += nr;
		cond_resched();
	}
	return freed;
}

static unsigned long shrink_sorted(struct dmaheap_pool *pool, const struct dmaheap_shrink *how,
				   unsigned long max)
{
	static const enum dmaheap_pool_state states[] = { DMAHEAP_DIRTY, DMAHEAP_CLEAN };
	unsigned long freed = 0;
	unsigned int i;
	int nid;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		for_each_node(nid)
			if (freed < max && (how->nid == NUMA_NO_NODE || how->nid == nid))
				freed += shrink_state(pool, how, nid, states[i], max - freed);
	return freed;
}

/* Being zeroed, sorted or given back by somebody else. */
static bool has_underway(struct dmaheap_pool *pool)
{
	guard(spinlock)(&pool->lock);
	return dmaheap_pool_pages(pool, DMAHEAP_GIVEN, DMAHEAP_LEAVING);
}

/* dmaheap_pool_shrink - give at least @nr pages, if there are so many; returns how many */
unsigned long dmaheap_pool_shrink(struct dmaheap_pool *pool, const struct dmaheap_shrink *how,
				  unsigned long nr)
{
	unsigned long freed = 0;
	bool underway;

	scoped_guard(spinlock, &pool->lock) {
		/* What comes meanwhile is not meant. */
		nr = min(nr, pool->size);
		/* Who wants less does not want more. */
		if (!how->idle)
			WRITE_ONCE(pool->late, 0);
	}
	for (;;) {
		/* What comes from there afterwards is found by what follows. */
		underway = has_underway(pool);
		dmaheap_pool_sort(pool);
		dmaheap_pool_let_held_go(pool, how->wait);
		freed += shrink_sorted(pool, how, nr - freed);
		/* Nor was there what somebody else took meanwhile, and may have to put back. */
		underway |= has_underway(pool);
		if (!how->wait || freed >= nr || !underway)
			return freed;
		usleep_range(100, 200);
	}
}

static unsigned long shrink_pools(const struct dmaheap_shrink *how, unsigned long nr)
{
	struct dmaheap_pool *pool;
	unsigned long freed = 0;

	lockdep_assert_held(&pools_lock);
	list_for_each_entry(pool, &pools, link)
		if (freed < nr)
			freed += dmaheap_pool_shrink(pool, how, nr - freed);
	return freed;
}

/*
 * dmaheap_make_room - so that @nr more pages can be kept, for what has lain for long
 *
 * Returns how many can.
 */
unsigned long dmaheap_make_room(unsigned long nr)
{
	static const struct dmaheap_shrink how = { .nid = NUMA_NO_NODE, .idle = true };

	if (room() < nr && mutex_trylock(&pools_lock)) {
		shrink_pools(&how, nr - min(nr, room()));
		mutex_unlock(&pools_lock);
	}
	return room();
}

/* ---- when the kernel asks ---- */

static unsigned long shrinker_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	const struct dmaheap_pool *pool = compat_shrinker_private(shrinker);
	const unsigned long *nr = pool->nodes[sc->nid].nr_pages;
	unsigned long sum = 0;
	int state;

	for (state = DMAHEAP_CLEAN; state <= DMAHEAP_GIVEN; state++)
		sum += READ_ONCE(nr[state]);
	return sum ?: SHRINK_EMPTY;
}

static unsigned long shrinker_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	const struct dmaheap_shrink how = { .nid = sc->nid };
	unsigned long freed =
		dmaheap_pool_shrink(compat_shrinker_private(shrinker), &how, sc->nr_to_scan);

	/* Else an allocation that got nowhere but here counts as one that got nowhere. */
	compat_account_reclaimed(freed);
	sc->nr_scanned = freed;
	return freed ?: SHRINK_STOP;
}

static const struct compat_shrinker_ops shrinker_ops = {
	.count = shrinker_count,
	.scan = shrinker_scan,
	/* Zeroing again is cheaper than reading from a disk again. */
	.seeks = DEFAULT_SEEKS / 2,
	.flags = SHRINKER_NUMA_AWARE,
};

static unsigned long given_back_on(const nodemask_t *nodes)
{
	unsigned long sum = 0;
	int nid;

	for_each_node_mask(nid, *nodes)
		sum += atomic_long_read(&given_back[nid]);
	return sum;
}

/* Also what somebody has in hand, who may be about to give it back. */
static bool have_any_on(const nodemask_t *nodes)
{
	struct dmaheap_pool *pool;
	int nid, state;

	lockdep_assert_held(&pools_lock);
	list_for_each_entry(pool, &pools, link)
		for_each_node_mask(nid, *nodes)
			for (state = 0; state < DMAHEAP_NR_STATES; state++)
				if (READ_ONCE(pool->nodes[nid].nr_pages[state]))
					return true;
	return false;
}

/* False: there is more, or somebody else is at it. */
static bool empty_pools_on(const nodemask_t *nodes)
{
	struct dmaheap_shrink how = {};
	bool is_empty;

	if (!mutex_trylock(&pools_lock))
		return false;
	for_each_node_mask(how.nid, *nodes)
		shrink_pools(&how, ULONG_MAX);
	is_empty = !have_any_on(nodes);
	mutex_unlock(&pools_lock);
	return is_empty;
}

/* With all of its threads: then the kernel lets it have what it lacks, and kills nobody else for it. */
static bool is_dying(void)
{
	return fatal_signal_pending(current) &&
	       READ_ONCE(current->signal->flags) & SIGNAL_GROUP_EXIT &&
	       !READ_ONCE(current->signal->core_state);
}

/*
 * Nobody is killed as long as there is anything left here that would help: of nodes that the one who has
 * no memory may have a buffer's from, and not what somebody else has just taken.  Whoever is about to give it
 * back, with the locks that this takes, gets a second for that, but no more: he may himself be waiting
 * for memory.  Who is to die already is not kept from it: what he lacks may be of a node that only his
 * mapping is bound to, which nobody can see here.
 */
static int before_oom_kill(struct notifier_block *notifier, unsigned long unused, void *freed)
{
	unsigned long before, nr = 0;
	nodemask_t nodes;
	unsigned int i;

	if (is_dying())
		return NOTIFY_OK;
	dmaheap_usable_nodes(&nodes);
	before = given_back_on(&nodes);
	for (i = 0; i < 100; i++) {
		bool is_empty = empty_pools_on(&nodes);

		nr = given_back_on(&nodes) - before;
		if (nr || is_empty)
			break;
		msleep(10);
	}
	*(unsigned long *)freed += nr;
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

static bool is_overfull(void)
{
	static const struct dmaheap_shrink how = { .nid = NUMA_NO_NODE };
	unsigned long nr, max = READ_ONCE(max_kept);

	guard(mutex)(&pools_lock);
	nr = atomic_long_read(&kept);
	if (nr > max)
		shrink_pools(&how, nr - max);
	return dmaheap_pool_is_overfull();
}

static int set_pool_max(const char *text, const struct kernel_param *param)
{
	u64 bytes;
	int err = dmaheap_parse_bytes(text, &bytes);

	if (err)
		return err;
	WRITE_ONCE(max_kept, min_t(u64, bytes >> PAGE_SHIFT, LONG_MAX));
	smp_mb(); /* pairs with that of dmaheap_pool_reserve()'s exchange */
	/* What the thread or who is filling a pool has in hand; nobody is kept from the lock. */
	while (is_overfull() && !fatal_signal_pending(current))
		usleep_range(100, 200);
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

/* dmaheap_reclaim_start - from now on a pool gives pages back; -ENOMEM */
int dmaheap_reclaim_start(struct dmaheap_pool *pool)
{
	pool->shrinker =
		compat_shrinker_register(&shrinker_ops, pool, dev_name(&pool->heap->dev));
	if (!pool->shrinker)
		return -ENOMEM;
	guard(mutex)(&pools_lock);
	list_add_tail(&pool->link, &pools);
	return 0;
}

/* dmaheap_reclaim_stop - nobody else looks at the pool any more */
void dmaheap_reclaim_stop(struct dmaheap_pool *pool)
{
	scoped_guard(mutex, &pools_lock)
		list_del(&pool->link);
	compat_shrinker_unregister(pool->shrinker);
}

void dmaheap_reclaim_init(void)
{
	if (max_kept == ULONG_MAX)
		max_kept = totalram_pages() / 8;
	register_oom_notifier(&oom_notifier);
}

void dmaheap_reclaim_exit(void)
{
	unregister_oom_notifier(&oom_notifier);
	WARN_ON(atomic_long_read(&kept));
}
