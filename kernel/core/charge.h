/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who pays for a buffer that a program has asked for.
 *
 * The parameter charge says it for all heaps: nobody; the user, whose locked memory the buffer is
 * then a part of; or the memory cgroup of the process, which is charged for each page as it comes
 * from the page allocator.  Such a buffer gets no page that cannot be charged, from a pool or by
 * moving others out of it.  Besides, each heap counts how much each user has, and may have a limit to
 * that.
 *
 * Whoever has paid goes on doing so until the buffer is gone, whoever has it then.
 */
#ifndef _DMAHEAP_CHARGE_H
#define _DMAHEAP_CHARGE_H

#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct dma_heap;
struct mem_cgroup;
struct user_struct;

/**
 * struct dmaheap_users - what each user has of a heap
 * @lock:	protects what follows, and the counts of the users
 * @tree:	users that have anything, by number: whoever has many numbers shall slow nobody down
 * @max:	pages that each may have; 0: any number
 */
struct dmaheap_users {
	struct mutex lock;
	struct rb_root tree;
	unsigned long max;
};

struct dmaheap_user;

/**
 * struct dmaheap_charge - what somebody pays for a buffer
 * @pages:	how many; 0: nobody pays
 * @user:	who has them of the heap
 * @locked:	whose locked memory they are, or NULL; counted
 */
struct dmaheap_charge {
	unsigned long pages;
	struct dmaheap_user *user;
	struct user_struct *locked;
};

void dmaheap_users_init(struct dmaheap_users *users);
void dmaheap_users_destroy(struct dmaheap_users *users);
int dmaheap_charge(struct dmaheap_users *users, unsigned long pages,
		   struct dmaheap_charge *charge);
void dmaheap_uncharge(struct dmaheap_users *users, struct dmaheap_charge *charge);
struct mem_cgroup *dmaheap_payer_of_program(void);

/* payer.c: memory cgroups */
struct mem_cgroup *dmaheap_payer_active(void);
struct mem_cgroup *dmaheap_payer_of_nothing(struct mem_cgroup *payer);
int dmaheap_payer_announce(struct mem_cgroup *payer, unsigned long pages);
void dmaheap_payer_taken(struct mem_cgroup *payer, unsigned long pages);
void dmaheap_payer_exit(void);

#endif /* _DMAHEAP_CHARGE_H */
