// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kprobes on the kernel's own functions, which count what is done, and do it where there is a
 * shadow: a page has what the caches hold, and its shadow has what is in memory.  A line is
 * dirty if the page differs from what it was when the line was last the same as memory.
 */
#include <linux/cleanup.h>
#include <linux/dma-direction.h>
#include <linux/iosys-map.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "witness.h"

#define LINE 64
/* What is in memory before anything is cleaned: somebody's old bytes. */
#define OLD 0xa5

static atomic64_t cleaned, invalidated, copied_in, copied_out;
static bool is_witnessing;

/* ---- shadows ---- */

struct shadow_page {
	u8 *cached;	      /* the page itself */
	u8 memory[PAGE_SIZE]; /* behind the caches */
	u8 clean[PAGE_SIZE];  /* what lines were when last the same in both */
};

struct shadow {
	struct list_head link;
	struct dma_buf *dmabuf;
	unsigned long nr_pages;
	struct shadow_page *pages[];
};

/* &struct shadow_page by the number of the page frame. */
static DEFINE_XARRAY(shadows);
/* Protects against that pages lose their shadows. */
static DEFINE_MUTEX(shadows_lock);
/* Protects the contents of pages' shadows; taken in kprobes. */
static DEFINE_RAW_SPINLOCK(lines_lock);

static bool is_dirty(const struct shadow_page *page, size_t line)
{
	return memcmp(page->cached + line, page->clean + line, LINE);
}

static void write_back(struct shadow_page *page, size_t line)
{
	if (!is_dirty(page, line))
		return;
	memcpy(page->memory + line, page->cached + line, LINE);
	memcpy(page->clean + line, page->cached + line, LINE);
}

static void refetch(struct shadow_page *page, size_t line)
{
	memcpy(page->cached + line, page->memory + line, LINE);
	memcpy(page->clean + line, page->memory + line, LINE);
}

static void for_lines(phys_addr_t phys, size_t len,
		      void (*work)(struct shadow_page *page, size_t line))
{
	phys_addr_t line = ALIGN_DOWN(phys, LINE), end = phys + len;
	unsigned long flags;

	raw_spin_lock_irqsave(&lines_lock, flags);
	while (line < end) {
		struct shadow_page *page = xa_load(&shadows, PHYS_PFN(line));

		if (page)
			work(page, offset_in_page(line));
		line = page ? line + LINE : PFN_PHYS(PHYS_PFN(line) + 1);
	}
	raw_spin_unlock_irqrestore(&lines_lock, flags);
}

bool shadow_touch(phys_addr_t phys, void *bytes, size_t len, bool write)
{
	struct shadow_page *page = xa_load(&shadows, PHYS_PFN(phys));
	unsigned long flags;
	u8 *memory;

	if (!page)
		return false;
	memory = page->memory + offset_in_page(phys);
	raw_spin_lock_irqsave(&lines_lock, flags);
	memcpy(write ? memory : bytes, write ? bytes : memory, len);
	raw_spin_unlock_irqrestore(&lines_lock, flags);
	return true;
}

void shadow_evict(u64 seed)
{
	struct shadow_page *page;
	struct rnd_state random;
	unsigned long index, flags;
	size_t line;

	prandom_seed_state(&random, seed);
	guard(mutex)(&shadows_lock);
	xa_for_each(&shadows, index, page) {
		raw_spin_lock_irqsave(&lines_lock, flags);
		for (line = 0; line < PAGE_SIZE; line += LINE)
			if (prandom_u32_state(&random) % 4 == 0) {
				write_back(page, line);
				refetch(page, line);
			}
		raw_spin_unlock_irqrestore(&lines_lock, flags);
	}
}

static int shadow_add_page(struct shadow *shadow, unsigned long i, void *vaddr)
{
	struct page *page = vmalloc_to_page(vaddr);
	struct shadow_page *copy = kvmalloc(sizeof(*copy), GFP_KERNEL);
	int err;

	if (!copy)
		return -ENOMEM;
	if (!page_is_ram(page_to_pfn(page))) { /* nor is it in any cache */
		kvfree(copy);
		return -EOPNOTSUPP;
	}
	copy->cached = page_address(page);
	memset(copy->memory, OLD, PAGE_SIZE);
	memset(copy->clean, OLD, PAGE_SIZE);
	err = xa_insert(&shadows, page_to_pfn(page), copy, GFP_KERNEL);
	if (err) {
		kvfree(copy);
		return err;
	}
	shadow->pages[i] = copy;
	return 0;
}

static void shadow_destroy(struct shadow *shadow)
{
	unsigned long i;

	lockdep_assert_held(&shadows_lock);
	for (i = 0; i < shadow->nr_pages && shadow->pages[i]; i++)
		xa_erase(&shadows, page_to_pfn(virt_to_page(shadow->pages[i]->cached)));
	synchronize_rcu(); /* kprobes have done with them */
	while (i--)
		kvfree(shadow->pages[i]);
	dma_buf_put(shadow->dmabuf);
	list_del(&shadow->link);
	kvfree(shadow);
}

void shadow_destroy_all(struct list_head *list)
{
	struct shadow *shadow, *next;

	guard(mutex)(&shadows_lock);
	list_for_each_entry_safe(shadow, next, list, link)
		shadow_destroy(shadow);
}

int shadow_create(struct dma_buf *dmabuf, struct list_head *list)
{
	unsigned long i, nr = dmabuf->size >> PAGE_SHIFT;
	struct iosys_map map;
	struct shadow *shadow;
	int err;

	if (!is_witnessing || !IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE))
		return -EOPNOTSUPP;
	if (dmabuf->size > SZ_64M) /* of which it takes three times as much */
		return -E2BIG;
	shadow = kvzalloc(struct_size(shadow, pages, nr), GFP_KERNEL);
	if (!shadow)
		return -ENOMEM;
	err = dma_buf_vmap_unlocked(dmabuf, &map);
	if (err) {
		kvfree(shadow);
		return err;
	}
	get_dma_buf(dmabuf);
	shadow->dmabuf = dmabuf;
	shadow->nr_pages = nr;
	guard(mutex)(&shadows_lock);
	list_add(&shadow->link, list);
	for (i = 0; i < nr && !err; i++)
		err = shadow_add_page(shadow, i, map.vaddr + (i << PAGE_SHIFT));
	/* Its pages were all that was wanted, not an access that stays. */
	dma_buf_vunmap_unlocked(dmabuf, &map);
	if (err)
		shadow_destroy(shadow);
	return err;
}

/* ---- kprobes ---- */

static int sees_clean(struct kprobe *probe, struct pt_regs *regs)
{
	phys_addr_t phys = regs_get_kernel_argument(regs, 0);
	size_t len = regs_get_kernel_argument(regs, 1);

	atomic64_add(len, &cleaned);
	for_lines(phys, len, write_back);
	return 0;
}

static int sees_invalidate(struct kprobe *probe, struct pt_regs *regs)
{
	phys_addr_t phys = regs_get_kernel_argument(regs, 0);
	size_t len = regs_get_kernel_argument(regs, 1);

	if (regs_get_kernel_argument(regs, 2) == DMA_TO_DEVICE)
		return 0; /* it does nothing */
	atomic64_add(len, &invalidated);
	for_lines(phys, len, refetch);
	return 0;
}

static int sees_copy_in(struct kprobe *probe, struct pt_regs *regs)
{
	atomic64_add(regs_get_kernel_argument(regs, 2), &copied_in);
	return 0;
}

static int sees_copy_out(struct kprobe *probe, struct pt_regs *regs)
{
	atomic64_add(regs_get_kernel_argument(regs, 2), &copied_out);
	return 0;
}

/* Of those that share a handler, the first that the kernel has. */
static struct kprobe probes[] = {
	{ .symbol_name = "arch_sync_dma_for_device", .pre_handler = sees_clean },
	{ .symbol_name = "arch_sync_dma_for_cpu", .pre_handler = sees_invalidate },
	{ .symbol_name = "__swiotlb_sync_single_for_device", .pre_handler = sees_copy_in },
	{ .symbol_name = "swiotlb_sync_single_for_device", .pre_handler = sees_copy_in },
	{ .symbol_name = "__swiotlb_sync_single_for_cpu", .pre_handler = sees_copy_out },
	{ .symbol_name = "swiotlb_sync_single_for_cpu", .pre_handler = sees_copy_out },
};
static bool is_set[ARRAY_SIZE(probes)];

/* A kernel without what is looked for has no witness, but tests that need none. */
void witness_init(void)
{
	unsigned int i, copies = 0, caches = 0;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		is_set[i] = !register_kprobe(&probes[i]);
		*(i < 2 ? &caches : &copies) += is_set[i];
	}
	is_witnessing = copies == 2 &&
			(caches == 2 || !IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE));
}

void witness_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (is_set[i])
			unregister_kprobe(&probes[i]);
}

int witness_read(struct dmaheap_test_witness *seen)
{
	if (!is_witnessing)
		return -EOPNOTSUPP;
	seen->cleaned = atomic64_read(&cleaned);
	seen->invalidated = atomic64_read(&invalidated);
	seen->copied_in = atomic64_read(&copied_in);
	seen->copied_out = atomic64_read(&copied_out);
	return 0;
}
