// SPDX-License-Identifier: GPL-2.0-only
/* Who pays for a buffer: see charge.h. */
#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
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

/* dmaheap_charges_cgroup - whether pages for the current process are its cgroup's */
bool dmaheap_charges_cgroup(void)
{
	return READ_ONCE(charging) == CHARGE_CGROUP && !(current->flags & PF_KTHREAD);
}

/* ---- locked memory ---- */

/* As mlock() has it, but by user: what a process has locked, others of that user have not left. */
static int charge_locked(struct dmaheap_charge *charge)
{
	unsigned long max = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user = current_user();

	if (atomic_long_add_return(charge->pages, &user->locked_vm) > max &&
	    !capable(CAP_IPC_LOCK)) {
		atomic_long_sub(charge->pages, &user->locked_vm);
		return -ENOMEM;
	}
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
 * @link:	in the heap's list
 * @uid:	who it is
 * @pages:	how many; never 0
 */
struct dmaheap_user {
	struct list_head link;
	kuid_t uid;
	unsigned long pages;
};

void dmaheap_users_init(struct dmaheap_users *users)
{
	mutex_init(&users->lock);
	INIT_LIST_HEAD(&users->list);
	users->max = 0;
}

/* dmaheap_users_destroy - of a heap of which no buffer is left */
void dmaheap_users_destroy(struct dmaheap_users *users)
{
	WARN_ON_ONCE(!list_empty(&users->list));
	mutex_destroy(&users->lock);
}

static struct dmaheap_user *user_of(struct dmaheap_users *users, kuid_t uid)
{
	struct dmaheap_user *user;

	lockdep_assert_held(&users->lock);
	list_for_each_entry(user, &users->list, link)
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

static int charge_user(struct dmaheap_users *users, struct dmaheap_charge *charge)
{
	struct dmaheap_user *user;

	guard(mutex)(&users->lock);
	user = user_of(users, current_uid());
	/* Neither sum can overflow: no heap has so much. */
	if (users->max && charge->pages + (user ? user->pages : 0) > users->max &&
	    !capable(CAP_SYS_RESOURCE))
		return -EDQUOT;
	if (!user) {
		user = kmalloc(sizeof(*user), GFP_KERNEL);
		if (!user)
			return -ENOMEM;
		*user = (struct dmaheap_user){ .uid = current_uid() };
		list_add(&user->link, &users->list);
	}
	user->pages += charge->pages;
	charge->user = user;
	return 0;
}

static void uncharge_user(struct dmaheap_users *users, struct dmaheap_charge *charge)
{
	struct dmaheap_user *user = charge->user;

	guard(mutex)(&users->lock);
	user->pages -= charge->pages;
	charge->user = NULL;
	if (user->pages)
		return;
	list_del(&user->link);
	kfree(user);
}

/* ---- */

/*
 * dmaheap_charge - the current process pays for pages of a heap
 *
 * Before they are taken, so that who may not have them takes none from others.  -EDQUOT: it would
 * have more of this heap than each user may; -ENOMEM: more locked than it may.
 */
int dmaheap_charge(struct dmaheap_users *users, unsigned long pages,
		   struct dmaheap_charge *charge)
{
	int err;

	/* More than there can be of any memory; and no sum of such overflows. */
	if (pages > LONG_MAX >> PAGE_SHIFT)
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
