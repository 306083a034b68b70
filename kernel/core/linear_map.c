// SPDX-License-Identifier: GPL-2.0-only
/* Changing the kernel's own mapping of pages: see linear_map.h. */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "../compat/linear_map.h"
#include "linear_map.h"

#define BATCH 8192

int dmaheap_linear_map_init(struct dmaheap_linear_map *map, bool combined)
{
	mutex_init(&map->lock);
	if (!combined || !compat_linear_map_matters())
		return 0;
	map->pages = kvmalloc_array(BATCH, sizeof(*map->pages), GFP_KERNEL);
	return map->pages ? 0 : -ENOMEM;
}

void dmaheap_linear_map_exit(struct dmaheap_linear_map *map)
{
	kvfree(map->pages);
	mutex_destroy(&map->lock);
}

static int change(struct dmaheap_linear_map *map, struct list_head *chunks,
		  int (*change_pages)(struct page **pages, int nr))
{
	struct page *chunk;
	size_t nr = 0, i;
	int err = 0;

	lockdep_assert_held(&map->lock);
	list_for_each_entry(chunk, chunks, lru)
		for (i = 0; i < compound_nr(chunk) && !err; i++) {
			map->pages[nr++] = chunk + i;
			if (nr < BATCH)
				continue;
			err = change_pages(map->pages, nr);
			nr = 0;
			cond_resched();
		}
	return err || !nr ? err : change_pages(map->pages, nr);
}

int dmaheap_linear_map_combine(struct dmaheap_linear_map *map, struct list_head *chunks)
{
	int err;

	if (!map->pages || list_empty(chunks))
		return 0;
	guard(mutex)(&map->lock);
	err = change(map, chunks, compat_set_linear_wc);
	/* Also of what was changed only in part. */
	if (err && change(map, chunks, compat_set_linear_wb))
		return -EIO;
	return err ? -ENOMEM : 0;
}

int dmaheap_linear_map_restore(struct dmaheap_linear_map *map, struct list_head *chunks,
			       bool wait)
{
	int err;

	if (!map->pages || list_empty(chunks))
		return 0;
	if (wait)
		mutex_lock(&map->lock);
	else if (!mutex_trylock(&map->lock))
		return -EAGAIN;
	err = change(map, chunks, compat_set_linear_wb);
	mutex_unlock(&map->lock);
	return err ? -EIO : 0;
}
