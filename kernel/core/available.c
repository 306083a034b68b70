// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much of the whole of memory a buffer may take.
 *
 * A buffer cannot be swapped out: one that is too large for memory first pushes everybody else's
 * pages out and then, as the next to ask for memory may not fail, makes the kernel kill somebody.  So
 * it is refused before anything is taken.  And as taking takes time, what one has announced and has
 * not got yet does not count as available to the next.
 */
#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/cpuset.h>
#include <linux/gfp.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/spinlock.h>
#include <linux/vmstat.h>

#include "core.h"

/* Pages, of all buffers; and of those that may be of one node only.  They become more under the lock. */
static DEFINE_SPINLOCK(announcing);
static atomic_long_t announced;
static atomic_long_t announced_on[MAX_NUMNODES];

/* ---- what there is ---- */

/**
 * struct amount - of memory, in pages
 * @all:	how much there is, for the page allocator
 * @free:	of that, that nobody has
 * @freeable:	of that, besides, that nobody would miss for long
 */
struct amount {
	unsigned long all;
	unsigned long free;
	unsigned long freeable;
};

static unsigned long less(unsigned long pages, unsigned long others)
{
	return pages - min(pages, others);
}

/* Neither in an area of CMA nor kept by the kernel for itself or for who needs low memory. */
static unsigned long free_in(struct zone *zone)
{
	return less(zone_page_state(zone, NR_FREE_PAGES),
		    zone_page_state(zone, NR_FREE_CMA_PAGES) + zone->_watermark[WMARK_HIGH] +
			    zone->lowmem_reserve[gfp_zone(GFP_USER | __GFP_HIGHMEM)]);
}

/* Caches of the kernel, and what pools have. */
static unsigned long caches_on(const pg_data_t *node)
{
	long pages = atomic_long_read(&node->vm_stat[NR_SLAB_RECLAIMABLE_B]) +
		     atomic_long_read(&node->vm_stat[NR_KERNEL_MISC_RECLAIMABLE]);

	return max(pages, 0L);
}

/*
 * As much as si_mem_available() would say, but only of zones that a page which cannot be moved comes
 * from.  Nor does it count that others could be swapped out: they would have to come back.
 */
static void add_node(struct amount *amount, pg_data_t *node)
{
	unsigned long files = 0, low = 0, caches = caches_on(node);
	int i;

	for (i = 0; i < ZONE_MOVABLE; i++) {
		struct zone *zone = &node->node_zones[i];

		amount->all += zone_managed_pages(zone);
		amount->free += free_in(zone);
		files += zone_page_state(zone, NR_ZONE_ACTIVE_FILE) +
			 zone_page_state(zone, NR_ZONE_INACTIVE_FILE);
		low += zone->_watermark[WMARK_LOW];
	}
	/* A little of it is in use. */
	amount->freeable +=
		less(files, min(files / 2, low)) + less(caches, min(caches / 2, low));
}

/* On one node, or all. */
static struct amount count_memory(const nodemask_t *nodes)
{
	struct amount amount = {};
	int nid;

	for_each_online_node(nid)
		if (!nodes || node_isset(nid, *nodes))
			add_node(&amount, NODE_DATA(nid));
	return amount;
}

/* What others have announced, they have as good as taken; @pooled are taken from a pool besides. */
static bool fits(unsigned long pages, unsigned long others, unsigned long pooled,
		 const struct amount *amount)
{
	/* What shall be left for whoever needs some next. */
	unsigned long all = others + pages + amount->all / 32;

	return all <= amount->free || all + pooled <= amount->free + amount->freeable;
}

/* dmaheap_is_plenty_free - so much that taking some costs nobody anything */
bool dmaheap_is_plenty_free(unsigned long pages)
{
	struct amount amount = count_memory(NULL);

	amount.freeable = 0;
	return fits(pages, atomic_long_read(&announced), 0, &amount);
}

static bool is_too_much(unsigned long pages)
{
	return pages > totalram_pages() / 2;
}

/* ---- what there is for the current task ---- */

/*
 * dmaheap_usable_nodes - those that the current task may have unmovable pages from
 *
 * Where it would rather have them from is no matter.
 */
void dmaheap_usable_nodes(nodemask_t *nodes)
{
#ifdef CONFIG_NUMA
	const struct mempolicy *policy = current->mempolicy;
#endif

	nodes_and(*nodes, cpuset_current_mems_allowed, node_states[N_MEMORY]);
#ifdef CONFIG_NUMA
	/* The kernel goes by a policy that leaves something of all that, and not only what is movable. */
	if (policy && policy->mode == MPOL_BIND && nodes_intersects(policy->nodes, *nodes) &&
	    nodes_intersects(policy->nodes, node_states[N_HIGH_MEMORY]))
		nodes_and(*nodes, *nodes, policy->nodes);
#endif
}

/* Not from all. */
static bool is_bound(nodemask_t *nodes)
{
	dmaheap_usable_nodes(nodes);
	return !nodes_equal(*nodes, node_states[N_MEMORY]);
}

/* The node that the current task is bound to, or NUMA_NO_NODE. */
static int only_node(void)
{
	nodemask_t nodes;

	return is_bound(&nodes) && nodes_weight(nodes) == 1 ? first_node(nodes) : NUMA_NO_NODE;
}

/* What others have announced who are bound to the same node counts; what the rest gets may lie elsewhere. */
static bool fits_nodes(unsigned long pages, unsigned long mine, unsigned long pooled)
{
	nodemask_t nodes;
	struct amount amount;
	unsigned long others = 0;

	if (!is_bound(&nodes))
		return true;
	if (nodes_weight(nodes) == 1)
		others = less(atomic_long_read(&announced_on[first_node(nodes)]), mine);
	amount = count_memory(&nodes);
	return fits(pages, others, pooled, &amount);
}

/* ---- announcements ---- */

static void add_announced(const struct dmaheap_announcement *mine, long pages)
{
	atomic_long_add(pages, &announced);
	if (mine->nid != NUMA_NO_NODE)
		atomic_long_add(pages, &announced_on[mine->nid]);
}

static bool fits_machine(unsigned long pages, unsigned long others, unsigned long pooled)
{
	struct amount amount = count_memory(NULL);

	return fits(pages, others, pooled, &amount);
}

/* All or nothing, also for a moment, and of who pays: of two who ask at a time, one gets it. */
static int announce_more(struct dmaheap_announcement *mine, unsigned long more,
			 unsigned long pooled)
{
	unsigned long pages = mine->pages + more;
	int err;

	if (!mine->pages)
		mine->nid = mine->anywhere ? NUMA_NO_NODE : only_node();
	guard(spinlock)(&announcing);
	if (!mine->anywhere && !fits_nodes(pages, mine->pages, pooled))
		return -ENOMEM;
	if (!fits_machine(pages, atomic_long_read(&announced) - mine->pages, pooled))
		return -ENOMEM;
	err = dmaheap_payer_announce(mine->payer, more);
	if (err)
		return err;
	add_announced(mine, more);
	mine->pages = pages;
	return 0;
}

/*
 * dmaheap_announce - pages are going to be taken, or -ENOMEM
 *
 * So many as are then announced at least, and @pooled besides from a pool.
 */
int dmaheap_announce(struct dmaheap_announcement *mine, unsigned long pages,
		     unsigned long pooled)
{
	unsigned long more = less(pages, mine->pages);

	if (is_too_much(pages + pooled))
		return -ENOMEM;
	return more ? announce_more(mine, more, pooled) : 0;
}

/* dmaheap_taken - some of them are taken, or not wanted any more; ULONG_MAX: all of them */
void dmaheap_taken(struct dmaheap_announcement *mine, unsigned long pages)
{
	pages = min(pages, mine->pages);
	if (!pages)
		return;
	mine->pages -= pages;
	add_announced(mine, -(long)pages);
	dmaheap_payer_taken(mine->payer, pages);
}

/* dmaheap_available_exit - nobody is about to take anything, or it would be kept from others for ever */
void dmaheap_available_exit(void)
{
	int nid;

	WARN_ON(atomic_long_read(&announced));
	for_each_node(nid)
		WARN_ON(atomic_long_read(&announced_on[nid]));
	dmaheap_payer_exit();
}

/**
 * dma_heap_check_available - refuse what could never be had of the whole of memory
 * @len:	bytes
 *
 * For who takes them later; who takes them now announces that by dma_heap_buffer_announce().
 *
 * Context: process context.
 * Return: 0, or -ENOMEM: more than half of memory, or more than is available.
 */
int dma_heap_check_available(size_t len)
{
	unsigned long pages = len >> PAGE_SHIFT;

	if (is_too_much(pages) || !fits_machine(pages, atomic_long_read(&announced), 0))
		return -ENOMEM;
	return 0;
}
EXPORT_SYMBOL_GPL(dma_heap_check_available);

static int buffer_announce(struct dma_heap_buffer *buffer, bool anywhere)
{
	lockdep_assert_held(&buffer->making);
	buffer->announced.anywhere = anywhere;
	return dmaheap_announce(&buffer->announced,
				dma_heap_buffer_missing(buffer) >> PAGE_SHIFT, 0);
}

/**
 * dma_heap_buffer_announce - a buffer is about to take all that it lacks of the whole of memory
 * @buffer:	the buffer
 *
 * Before the first of it is taken.  Until the buffer has got it, or populating it has failed, nobody
 * else counts on it.
 *
 * Context: within &dma_heap_buffer_ops.populate.
 * Return: 0, or -ENOMEM: it would be more than half of memory, more than is available, or more than is
 * available on the nodes that the current task may have memory from.
 */
int dma_heap_buffer_announce(struct dma_heap_buffer *buffer)
{
	return buffer_announce(buffer, false);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_announce);

/**
 * dma_heap_buffer_announce_anywhere - the same, of whatever node
 * @buffer:	the buffer
 *
 * Of what does not come from where the current task may have memory from: the DMA API has it near
 * the device.
 *
 * Context: within &dma_heap_buffer_ops.populate.
 * Return: 0, or -ENOMEM: it would be more than half of memory, or more than is available.
 */
int dma_heap_buffer_announce_anywhere(struct dma_heap_buffer *buffer)
{
	return buffer_announce(buffer, true);
}
EXPORT_SYMBOL_GPL(dma_heap_buffer_announce_anywhere);
