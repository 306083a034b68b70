/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shrinkers are allocated by the kernel since v6.7, with data of their own.  What they have freed
 * is counted by a call since v6.5, before that by writing to a field.
 */
#ifndef _DMAHEAP_COMPAT_SHRINKER_H
#define _DMAHEAP_COMPAT_SHRINKER_H

#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>

struct compat_shrinker_ops {
	unsigned long (*count)(struct shrinker *shrinker, struct shrink_control *sc);
	unsigned long (*scan)(struct shrinker *shrinker, struct shrink_control *sc);
	int seeks;
	unsigned int flags;
};

#ifdef DMAHEAP_HAVE_SHRINKER_ALLOC
static inline void *compat_shrinker_private(const struct shrinker *shrinker)
{
	return shrinker->private_data;
}

/* Returns NULL when there is no memory. */
static inline struct compat_shrinker *
compat_shrinker_register(const struct compat_shrinker_ops *ops, void *private,
			 const char *name)
{
	struct shrinker *shrinker = shrinker_alloc(ops->flags, "dmaheap-%s", name);

	if (!shrinker)
		return NULL;
	shrinker->count_objects = ops->count;
	shrinker->scan_objects = ops->scan;
	shrinker->seeks = ops->seeks;
	shrinker->private_data = private;
	shrinker_register(shrinker);
	return (struct compat_shrinker *)shrinker;
}

static inline void compat_shrinker_unregister(struct compat_shrinker *shrinker)
{
	shrinker_free((struct shrinker *)shrinker);
}
#else
struct compat_shrinker {
	struct shrinker shrinker;
	void *private;
};

static inline void *compat_shrinker_private(const struct shrinker *shrinker)
{
	return container_of(shrinker, const struct compat_shrinker, shrinker)->private;
}

static inline struct compat_shrinker *
compat_shrinker_register(const struct compat_shrinker_ops *ops, void *private,
			 const char *name)
{
	struct compat_shrinker *compat = kzalloc(sizeof(*compat), GFP_KERNEL);

	if (!compat)
		return NULL;
	compat->private = private;
	compat->shrinker.count_objects = ops->count;
	compat->shrinker.scan_objects = ops->scan;
	compat->shrinker.seeks = ops->seeks;
	compat->shrinker.flags = ops->flags;
	if (register_shrinker(&compat->shrinker, "dmaheap-%s", name)) {
		kfree(compat);
		return NULL;
	}
	return compat;
}

static inline void compat_shrinker_unregister(struct compat_shrinker *compat)
{
	unregister_shrinker(&compat->shrinker);
	kfree(compat);
}
#endif

/* Pages that reclaim has freed elsewhere than in the page cache; within a shrinker. */
static inline void compat_account_reclaimed(unsigned long pages)
{
#ifdef DMAHEAP_HAVE_ACCOUNT_RECLAIMED
	mm_account_reclaimed_pages(pages);
#else
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
#endif
}

#endif /* _DMAHEAP_COMPAT_SHRINKER_H */
