// SPDX-License-Identifier: GPL-2.0-only
/* Who pays for a buffer: see charge.h. */
#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "charge.h"

/* ---- the parameter ---- */

enum charging { CHARGE_NOBODY, CHARGE_MEMLOCK, CHARGE_CGROUP };

static const char *const chargings[] = {
	[CHARGE_NOBODY] = "none",
	[CHARGE_MEMLOCK] = "memlock",
	[CHARGE_CGROUP] = "cgroup",
};

static enum charging charging;

static int set_charging(const char *text, const struct kernel_param *param)
{
	int i = sysfs_match_string(chargings, text);

	if (i < 0)
		return i;
	if (i == CHARGE_CGROUP && mem_cgroup_disabled())
		return -EOPNOTSUPP;
	WRITE_ONCE(charging, i);
	return 0;
}

static int get_charging(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%s\n", chargings[READ_ONCE(charging)]);
}

static const struct kernel_param_ops charging_ops = {
	.set = set_charging,
	.get = get_charging,
};
module_param_cb(charge, &charging_ops, NULL, 0644);
MODULE_PARM_DESC(
	charge,
	"who pays for what a program allocates from now on: none, memlock (the user's RLIMIT_MEMLOCK) or cgroup (the process's memory cgroup) (default: none)");

/* ---- memory cgroups ---- */

/*
 * dmaheap_payer_of_program - the memory cgroup that pays for what the current process asks for
 *
 * Counted, or NULL: none does.  To be made active while the heap makes the buffer.
 */
struct mem_cgroup *dmaheap_payer_of_program(void)
{
	struct mem_cgroup *payer = NULL;

	if (READ_ONCE(charging) == CHARGE_CGROUP)
		payer = get_mem_cgroup_from_mm(current->mm);
	/* Nothing is charged to the root of all. */
	if (payer && !parent_mem_cgroup(payer)) {
		mem_cgroup_put(payer);
		payer = NULL;
	}
	return payer;
}

/* ---- locked memory ---- */

/* As mlock() has it, but by user: what a process has locked, others of that user have not left. */
static int charge_locked(struct dmaheap_charge *charge)
{
	unsigned long max = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user = current_user();
	long before = atomic_long_read(&user->locked_vm), after;

	/* Never more than it may be, not even for a moment: others of that user look at it, too. */
	do {
		if (check_add_overflow(before, (long)charge->pages, &after) ||
		    ((unsigned long)after > max && !capable(CAP_IPC_LOCK)))
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &before, after));
	charge->locked = get_uid(user);
	return 0;
}

static void uncharge_locked(struct dmaheap_charge *charge)
{
	if (!charge->locked)
		return;
	atomic_long_sub(charge->pages, &charge->locked->locked_vm);
	free_uid(charge->locked);
	charge->locked = NULL;
}

/* ---- by heap ---- */

/**
 * struct dmaheap_user - what a user has of a heap
 * @node:	in the heap's tree
 * @uid:	who it is
 * @charges:	for how many buffers; the last one takes the record along
 * @pages:	how much they are
 */
struct dmaheap_user {
	struct rb_node node;
	kuid_t uid;
	unsigned long charges;
	unsigned long pages;
};

void dmaheap_users_init(struct dmaheap_users *users)
{
	mutex_init(&users->lock);
	users->tree = RB_ROOT;
	users->max = 0;
}

/* dmaheap_users_destroy - of a heap of which no buffer is left */
void dmaheap_users_destroy(struct dmaheap_users *users)
{
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&users->tree));
	mutex_destroy(&users->lock);
}

static struct dmaheap_user *user_at(const struct rb_node *node)
{
	return container_of(node, struct dmaheap_user, node);
}

static int compare_uid(const void *uid, const struct rb_node *node)
{
	uid_t wanted = __kuid_val(*(const kuid_t *)uid), this = __kuid_val(user_at(node)->uid);

	return wanted < this ? -1 : wanted > this;
}

static bool is_before(struct rb_node *one, const struct rb_node *other)
{
	return compare_uid(&user_at(one)->uid, other) < 0;
}

static struct dmaheap_user *user_of(struct dmaheap_users *users, kuid_t uid)
{
	struct rb_node *node;

	lockdep_assert_held(&users->lock);
	node = rb_find(&uid, &users->tree, compare_uid);
	return node ? user_at(node) : NULL;
}

/* -EAGAIN: there is no record of the user yet, and @spare is NULL; it is taken if not. */
static int charge_record(struct dmaheap_users *users, struct dmaheap_charge *charge,
			 struct dmaheap_user **spare)
{
	struct dmaheap_user *user;
	unsigned long pages;

	guard(mutex)(&users->lock);
	user = user_of(users, current_uid());
	/* What is asked for is charged before anybody has looked whether there is so much. */
	if (check_add_overflow(charge->pages, user ? user->pages : 0, &pages))
		return -ENOMEM;
	if (users->max && pages > users->max && !capable(CAP_SYS_RESOURCE))
		return -EDQUOT;
	if (!user) {
		user = *spare;
		if (!user)
			return -EAGAIN;
		*spare = NULL;
		*user = (struct dmaheap_user){ .uid = current_uid() };
		rb_add(&user->node, &users->tree, is_before);
	}
	user->charges++;
	user->pages = pages;
	charge->user = user;
	return 0;
}

/* Nothing is allocated under the lock: buffers that die take it, too. */
static int charge_user(struct dmaheap_users *users, struct dmaheap_charge *charge)
{
	struct dmaheap_user *spare = NULL;
	int err = charge_record(users, charge, &spare);

	if (err != -EAGAIN)
		return err;
	spare = kmalloc(sizeof(*spare), GFP_KERNEL);
	err = spare ? charge_record(users, charge, &spare) : -ENOMEM;
	kfree(spare);
	return err;
}

static void uncharge_user(struct dmaheap_users *users, struct dmaheap_charge *charge)
{
	struct dmaheap_user *user = charge->user;

	guard(mutex)(&users->lock);
	user->pages -= charge->pages;
	charge->user = NULL;
	if (--user->charges)
		return;
	rb_erase(&user->node, &users->tree);
	kfree(user);
}

/* ---- */

/*
 * dmaheap_charge - the current process pays for pages of a heap
 *
 * Before they are taken, so that who may not have them takes none from others; only what a heap has from
 * another is looked at afterwards.  -EDQUOT: it would have more of this heap than
 * each user may; -ENOMEM: more locked than it may.
 */
int dmaheap_charge(struct dmaheap_users *users, unsigned long pages,
		   struct dmaheap_charge *charge)
{
	int err;

	if (pages > LONG_MAX >> PAGE_SHIFT) /* more than there can be of any memory */
		return -ENOMEM;
	*charge = (struct dmaheap_charge){ .pages = pages };
	err = charge_user(users, charge);
	if (err)
		return err;
	if (READ_ONCE(charging) == CHARGE_MEMLOCK)
		err = charge_locked(charge);
	if (err)
		uncharge_user(users, charge);
	return err;
}

/* dmaheap_uncharge - they are gone */
void dmaheap_uncharge(struct dmaheap_users *users, struct dmaheap_charge *charge)
{
	if (!charge->user)
		return;
	uncharge_locked(charge);
	uncharge_user(users, charge);
	charge->pages = 0;
}
