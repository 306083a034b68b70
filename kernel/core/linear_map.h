/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own mapping of all memory, where it must not differ from others of the same page
 * (x86): it is changed before pages are mapped write-combined, and back before anybody else
 * gets them.
 */
#ifndef _DMAHEAP_LINEAR_MAP_H
#define _DMAHEAP_LINEAR_MAP_H

#include <linux/mutex.h>

struct list_head;
struct page;

/**
 * struct dmaheap_linear_map - what changing it takes
 * @lock:	protects @pages.  Memory is allocated under it, so that reclaim must not wait for it
 * @pages:	each change flushes caches and TLBs of all CPUs, so it is made for many pages at a
 *		time.  There is room for them ahead: giving pages back must not fail for want of it.
 *		NULL where mappings do not differ, or may
 */
struct dmaheap_linear_map {
	struct mutex lock;
	struct page **pages;
};

/* -ENOMEM: there is no room for the pages. */
int dmaheap_linear_map_init(struct dmaheap_linear_map *map, bool combined);
void dmaheap_linear_map_exit(struct dmaheap_linear_map *map);

/* Changes it for chunks in a list, by lru.  On an error what was changed is changed back. */
int dmaheap_linear_map_combine(struct dmaheap_linear_map *map, struct list_head *chunks);

/*
 * Changes it back.  -EAGAIN: somebody is at it, and @wait is false.  After any other error nobody
 * may get the pages any more.
 */
int dmaheap_linear_map_restore(struct dmaheap_linear_map *map, struct list_head *chunks,
			       bool wait);

#endif /* _DMAHEAP_LINEAR_MAP_H */
