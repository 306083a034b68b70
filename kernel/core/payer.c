// SPDX-License-Identifier: GPL-2.0-only
/* Memory cgroups that pay for pages: see charge.h. */
#include <linux/memcontrol.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "charge.h"

/*
 * dmaheap_payer_active - the memory cgroup that was made active
 *
 * Counted, or NULL.  A buffer keeps it: it may be populated by a process of another cgroup.
 */
struct mem_cgroup *dmaheap_payer_active(void)
{
#ifdef CONFIG_MEMCG
	struct mem_cgroup *payer = current->active_memcg;

	if (payer)
		css_get(&payer->css);
	return payer;
#else
	return NULL;
#endif
}

/* dmaheap_payer_of_nothing - the root of a memory cgroup, to which the kernel charges nothing */
struct mem_cgroup *dmaheap_payer_of_nothing(struct mem_cgroup *payer)
{
	struct mem_cgroup *above;

	while ((above = parent_mem_cgroup(payer)))
		payer = above;
	return payer;
}

/* ---- what they are going to pay for ---- */

#ifdef CONFIG_MEMCG
/* Pages by the number of a cgroup, with those of the cgroups below it; its lock protects them. */
static DEFINE_XARRAY(announced);

/* Nobody waits for memory under the lock: who is killed for want of it has to get out. */
static int store_locked(const struct mem_cgroup *payer, unsigned long pages)
{
	return xa_err(__xa_store(&announced, payer->css.id, xa_mk_value(pages),
				 GFP_NOWAIT | __GFP_NOWARN));
}

static int announce_locked(const struct mem_cgroup *payer, unsigned long pages)
{
	unsigned long all = pages + xa_to_value(xa_load(&announced, payer->css.id));

	lockdep_assert_held(&announced.xa_lock);
	return all > READ_ONCE(payer->memory.max) ? -ENOMEM : store_locked(payer, all);
}

/* Of a cgroup and those above it, up to one. */
static void taken_locked(struct mem_cgroup *payer, const struct mem_cgroup *end,
			 unsigned long pages)
{
	unsigned long left;

	lockdep_assert_held(&announced.xa_lock);
	for (; payer != end; payer = parent_mem_cgroup(payer)) {
		left = xa_to_value(xa_load(&announced, payer->css.id)) - pages;
		/* There is room for it already. */
		if (left)
			store_locked(payer, left);
		else
			__xa_erase(&announced, payer->css.id);
	}
}

/*
 * dmaheap_payer_announce - pages are going to be charged
 *
 * -ENOMEM: there could never be as many at a time.  Else whoever asks for more than he gets, again and
 * again, would keep others from having it.
 */
int dmaheap_payer_announce(struct mem_cgroup *payer, unsigned long pages)
{
	struct mem_cgroup *group;
	int err;

	if (!payer)
		return 0;
	guard(spinlock)(&announced.xa_lock);
	for (group = payer; group; group = parent_mem_cgroup(group)) {
		err = announce_locked(group, pages);
		if (err) {
			taken_locked(payer, group, pages);
			return err;
		}
	}
	return 0;
}

/* dmaheap_payer_taken - pages that were announced are charged, or not wanted any more */
void dmaheap_payer_taken(struct mem_cgroup *payer, unsigned long pages)
{
	if (!payer)
		return;
	guard(spinlock)(&announced.xa_lock);
	taken_locked(payer, NULL, pages);
}

/* dmaheap_payer_exit - nor is anybody about to pay */
void dmaheap_payer_exit(void)
{
	unsigned long id = 0;

	/* Not whether it has no node: one that had no room for an entry may be left. */
	WARN_ON(xa_find(&announced, &id, ULONG_MAX, XA_PRESENT));
	xa_destroy(&announced);
}
#else
int dmaheap_payer_announce(struct mem_cgroup *payer, unsigned long pages)
{
	return 0;
}

void dmaheap_payer_taken(struct mem_cgroup *payer, unsigned long pages)
{
}

void dmaheap_payer_exit(void)
{
}
#endif
