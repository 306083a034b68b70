// SPDX-License-Identifier: GPL-2.0-only
/* Pages become zero: at once, or by a thread that runs when nobody else wants to. */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <uapi/linux/sched/types.h>

#include "core.h"
#include "pool.h"

/*
 * For how long what was just given back is left alone, in microseconds: longer than a program
 * without pause takes to ask for it again, shorter than a frame.
 */
#define NAP_MIN 500
#define NAP_MAX 1000

static struct kthread_worker worker;
static struct task_struct *thread;

/* dmaheap_zero - false: the chunk has a page whose memory has failed, and must not be used */
bool dmaheap_zero(struct page *chunk)
{
	unsigned long i;

	for (i = 0; i < compound_nr(chunk); i++) {
		if (PageHWPoison(chunk + i))
			return false;
		clear_highpage(chunk + i);
		/* As of one that is fresh: its instructions may be cached. */
		flush_dcache_page(chunk + i);
		cond_resched();
	}
	return true;
}

static void zero_older(struct dmaheap_pool *pool, unsigned long since)
{
	struct page *chunk;

	while ((chunk = dmaheap_pool_begin_zeroing(pool, since)))
		dmaheap_pool_end_zeroing(
			pool, chunk, dmaheap_zero(chunk) && !dmaheap_cache_ahead(pool, chunk));
}

static bool has_work(struct dmaheap_pool *pool)
{
	lockdep_assert_held(&pool->lock);
	return !pool->closed && (!list_empty(&pool->given) || pool->late ||
				 dmaheap_pool_pages(pool, DMAHEAP_DIRTY, DMAHEAP_DIRTY));
}

/* A turn: zero what has lain for a while, and come back as long as there is more. */
static void zero_work(struct kthread_work *work)
{
	struct dmaheap_pool *pool = container_of(work, struct dmaheap_pool, zeroing);
	unsigned long start = dmaheap_pool_now();
	size_t lacks;
	int nid;

	usleep_range(NAP_MIN, NAP_MAX);
	dmaheap_pool_sort(pool);
	zero_older(pool, start);
	lacks = dmaheap_pool_lacks(pool, &nid);
	if (lacks)
		dmaheap_pool_top_up(pool, lacks, nid);
	guard(spinlock)(&pool->lock);
	if (lacks)
		WRITE_ONCE(pool->late, 0); /* also if there was nothing to spare */
	if (has_work(pool))
		dmaheap_zero_queue(pool);
}

/* dmaheap_zero_queue - there is something to be zeroed */
void dmaheap_zero_queue(struct dmaheap_pool *pool)
{
	lockdep_assert_held(&pool->lock);
	kthread_queue_work(&worker, &pool->zeroing);
}

void dmaheap_zero_start(struct dmaheap_pool *pool)
{
	kthread_init_work(&pool->zeroing, zero_work);
}

/* dmaheap_zero_stop - of a pool that is closed, so that nothing is queued again */
void dmaheap_zero_stop(struct dmaheap_pool *pool)
{
	kthread_cancel_work_sync(&pool->zeroing);
}

int dmaheap_zero_init(void)
{
	static const struct sched_attr idle = { .sched_policy = SCHED_IDLE };
	int err;

	kthread_init_worker(&worker);
	thread = kthread_create(kthread_worker_fn, &worker, "dmaheap-zero");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	err = sched_setattr_nocheck(thread, &idle);
	if (err) {
		kthread_stop(thread);
		return err;
	}
	wake_up_process(thread);
	return 0;
}

void dmaheap_zero_exit(void)
{
	kthread_stop(thread);
}
