// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions that are carveouts: memory that nobody else may use.
 *
 * Some the kernel maps, as it does all of its memory, and has only kept away from: these have
 * pages.  The others it knows nothing of; they are mapped write-combined, and only while they
 * are zeroed.
 */
#define pr_fmt(fmt) "dmaheap: " fmt

#include <linux/bitmap.h>
#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/of_reserved_mem.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core.h"
#include "region.h"

/* As much of a carveout is mapped at a time. */
#define WINDOW SZ_4M

/**
 * struct carveout - memory that nobody else may use
 * @region:	what is known of it elsewhere
 * @base:	where it starts
 * @size:	bytes
 * @claimed:	that it is ours, for all to see in /proc/iomem; NULL: the device tree says so
 * @combined:	whether it was noted that all map it write-combined (x86)
 * @lock:	protects @taken
 * @taken:	a bit for each page: whether it was given to a buffer
 * @link:	in the list of all carveouts, under its lock
 */
struct carveout {
	struct dma_heap_region region;
	phys_addr_t base;
	size_t size;
	struct resource *claimed;
	bool combined;
	struct mutex lock;
	unsigned long *taken;
	struct list_head link;
};

/* Protects the list, and that no two in it overlap. */
static DEFINE_MUTEX(carveouts_lock);
static LIST_HEAD(carveouts);

static struct carveout *carveout_of(struct dma_heap_region *region)
{
	return container_of(region, struct carveout, region);
}

/* ---- the memory ---- */

static void *map_window(const struct carveout *carveout, phys_addr_t phys, size_t len)
{
	if (carveout->region.pages == DMA_HEAP_PAGES_NONE)
		return memremap(phys, len, MEMREMAP_WC);
	return phys_to_virt(phys);
}

static void unmap_window(const struct carveout *carveout, void *window)
{
	if (carveout->region.pages == DMA_HEAP_PAGES_NONE)
		memunmap(window);
}

/* The same, of less if there is no memory to map more, after a second if there is none for anything. */
static void *map_any_window(const struct carveout *carveout, phys_addr_t phys, size_t *len)
{
	void *window;
	int i;

	for (i = 0; i < 100; i++) {
		window = map_window(carveout, phys, *len);
		if (window)
			return window;
		if (*len > PAGE_SIZE)
			*len = PAGE_SIZE;
		else
			msleep(10);
	}
	return NULL;
}

/* Who allocates is told that it failed; but what cannot be zeroed when it is freed is lost. */
static int zero(const struct carveout *carveout, phys_addr_t phys, size_t len, bool may_fail)
{
	while (len) {
		size_t part = min_t(size_t, len, WINDOW);
		void *window;

		if (may_fail && fatal_signal_pending(current))
			return -EINTR;
		window = may_fail ? map_window(carveout, phys, part) :
				    map_any_window(carveout, phys, &part);
		if (!window)
			return -ENOMEM;
		memset(window, 0, part);
		unmap_window(carveout, window);
		phys += part;
		len -= part;
		cond_resched();
	}
	return 0;
}

/* Does a page keep what is written to it?  Somebody may have meant other memory: it is put back. */
static bool is_memory(const struct carveout *carveout, phys_addr_t phys)
{
	static const u64 patterns[] = { 0x5555555555555555, 0xaaaaaaaaaaaaaaaa };
	u64 *window = map_window(carveout, phys, PAGE_SIZE), old;
	bool kept = true;
	unsigned int i;

	if (!window)
		return false;
	old = READ_ONCE(*window);
	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		WRITE_ONCE(*window, patterns[i]);
		mb(); /* past the buffers that combine writes */
		kept = kept && READ_ONCE(*window) == patterns[i];
	}
	WRITE_ONCE(*window, old);
	unmap_window(carveout, window);
	return kept;
}

static size_t nr_pages(const struct carveout *carveout)
{
	return carveout->size >> PAGE_SHIFT;
}

/* The first free piece that fits: where it starts, or @carveout's end if there is none. */
static size_t take(struct carveout *carveout, size_t nr, size_t align)
{
	size_t mask = align - 1, first;

	guard(mutex)(&carveout->lock);
	first = bitmap_find_next_zero_area_off(carveout->taken, nr_pages(carveout), 0, nr,
					       mask, PHYS_PFN(carveout->base) & mask);
	if (first >= nr_pages(carveout))
		return nr_pages(carveout);
	bitmap_set(carveout->taken, first, nr);
	return first;
}

static void carveout_free(struct dma_heap_region *region, phys_addr_t phys, size_t len)
{
	struct carveout *carveout = carveout_of(region);

	guard(mutex)(&carveout->lock);
	bitmap_clear(carveout->taken, (phys - carveout->base) >> PAGE_SHIFT,
		     len >> PAGE_SHIFT);
}

static int carveout_clear(struct dma_heap_region *region, phys_addr_t phys, size_t len)
{
	return zero(carveout_of(region), phys, len, false);
}

static int carveout_alloc(struct dma_heap_region *region, size_t len, size_t align,
			  phys_addr_t *phys)
{
	struct carveout *carveout = carveout_of(region);
	size_t first;
	int err;

	/* Before it is counted in bits, of which there are not so many. */
	if (len > carveout->size)
		return -ENOMEM;
	first = take(carveout, len >> PAGE_SHIFT, align >> PAGE_SHIFT);
	if (first == nr_pages(carveout))
		return -ENOMEM;
	*phys = carveout->base + (first << PAGE_SHIFT);
	err = zero(carveout, *phys, len, true);
	if (err)
		carveout_free(region, *phys, len);
	return err;
}

/* ---- claiming it ---- */

static int overlaps_another(const struct carveout *carveout, const char *what)
{
	struct carveout *other;

	lockdep_assert_held(&carveouts_lock);
	list_for_each_entry(other, &carveouts, link)
		if (carveout->base < other->base + other->size &&
		    other->base < carveout->base + carveout->size) {
			pr_err("region %s overlaps region %s at %pa\n", what,
			       other->region.name, &other->base);
			return -EBUSY;
		}
	return 0;
}

static int claim(struct carveout *carveout, const char *what)
{
	int err;

	guard(mutex)(&carveouts_lock);
	err = overlaps_another(carveout, what);
	if (!err)
		list_add_tail(&carveout->link, &carveouts);
	return err;
}

/* What was never given back must never be given to anybody else: the claim stays, for good. */
static bool is_lost(const struct carveout *carveout)
{
	size_t lost = carveout->taken ? bitmap_weight(carveout->taken, nr_pages(carveout)) : 0;

	if (lost)
		pr_err("region %s: %zu KiB were not given back, so that it cannot be used again\n",
		       carveout->region.name, lost << (PAGE_SHIFT - 10));
	return lost;
}

static void carveout_close(struct dma_heap_region *region)
{
	struct carveout *carveout = carveout_of(region);

	if (is_lost(carveout)) {
		/* In /proc/iomem or, of the device tree's regions, in our list. */
		if (!carveout->claimed)
			__module_get(THIS_MODULE);
		kmemleak_not_leak(carveout);
		return;
	}
	scoped_guard(mutex, &carveouts_lock)
		list_del(&carveout->link);
	if (carveout->combined)
		arch_io_free_memtype_wc(carveout->base, carveout->size);
	kvfree(carveout->taken);
	if (carveout->claimed)
		release_mem_region(carveout->base, carveout->size);
	mutex_destroy(&carveout->lock);
	kfree(carveout->region.name);
	kfree(carveout);
}

static const struct dmaheap_region_ops carveout_ops = {
	.alloc = carveout_alloc,
	.free = carveout_free,
	.clear = carveout_clear,
	.close = carveout_close,
};

/*
 * Has all of it a struct page, or nothing?  The one is mapped in one way and the other in another,
 * and a buffer must not be both.
 */
static int check_pages(const struct carveout *carveout, const char *what)
{
	unsigned long first = PHYS_PFN(carveout->base), pfn;

	for (pfn = first; pfn < first + nr_pages(carveout); pfn++)
		if (pfn_valid(pfn) != pfn_valid(first)) {
			phys_addr_t border = PFN_PHYS(pfn);

			pr_err("region %s is refused: the kernel has struct pages up to %pa, or from there on; make it two regions\n",
			       what, &border);
			return -EINVAL;
		}
	return 0;
}

static int check_memory(struct carveout *carveout, const char *what)
{
	phys_addr_t last = carveout->base + carveout->size - PAGE_SIZE;

	if (is_memory(carveout, carveout->base) && is_memory(carveout, last))
		return 0;
	pr_err("region %s: there is no memory at %pa, or it cannot be mapped write-combined\n",
	       what, &carveout->base);
	return -ENXIO;
}

/* Sees to it that it is there, and that nobody maps it by another type. */
static int prepare(struct carveout *carveout, const char *what)
{
	int err;

	carveout->taken = kvcalloc(BITS_TO_LONGS(nr_pages(carveout)), sizeof(*carveout->taken),
				   GFP_KERNEL);
	if (!carveout->taken)
		return -ENOMEM;
	err = check_pages(carveout, what);
	if (!err)
		err = check_memory(carveout, what);
	if (err || carveout->region.pages != DMA_HEAP_PAGES_NONE)
		return err;
	err = arch_io_reserve_memtype_wc(carveout->base, carveout->size);
	carveout->combined = !err;
	if (err)
		pr_err("region %s is mapped otherwise than write-combined: %pe\n", what,
		       ERR_PTR(err));
	return err;
}

static struct dma_heap_region *carveout_open(phys_addr_t base, size_t size,
					     enum dma_heap_pages pages, const char *what)
{
	struct carveout *carveout = kzalloc(sizeof(*carveout), GFP_KERNEL);
	int err;

	if (!carveout)
		return ERR_PTR(-ENOMEM);
	carveout->region.ops = &carveout_ops;
	carveout->region.pages = pages;
	carveout->region.size = size;
	carveout->region.name = what;
	carveout->base = base;
	carveout->size = size;
	mutex_init(&carveout->lock);
	err = claim(carveout, what);
	if (err) {
		kfree(carveout);
		return ERR_PTR(err);
	}
	err = prepare(carveout, what);
	if (err) {
		carveout->region.name = NULL; /* whoever gave it has it still */
		carveout_close(&carveout->region);
		return ERR_PTR(err);
	}
	return &carveout->region;
}

/* ---- of the device tree ---- */

/*
 * dmaheap_carveout_of - a region that the device tree has reserved; @mapped: that it has not
 * taken away from the kernel's own mapping
 */
struct dma_heap_region *dmaheap_carveout_of(const struct reserved_mem *rmem, bool mapped)
{
	if (!PAGE_ALIGNED(rmem->base | rmem->size) || !rmem->size || !rmem->base) {
		pr_err("region %s is not made of whole pages: %pa bytes at %pa\n", rmem->name,
		       &rmem->size, &rmem->base);
		return ERR_PTR(-EINVAL);
	}
	/* What lies beyond the memory that the kernel knows, it does not map either. */
	if (region_intersects(rmem->base, rmem->size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_INTERSECTS)
		mapped = false;
	return carveout_open(rmem->base, rmem->size,
			     mapped ? DMA_HEAP_PAGES_LENT : DMA_HEAP_PAGES_NONE, rmem->name);
}

/* ---- by parameter: NAME:SIZE@BASE ---- */

struct bounds {
	unsigned long long base, size;
};

/* A number of the kind that kernel parameters have: 64M, 0x80000000. */
static bool parse_number(const char **text, char delimiter, unsigned long long *number)
{
	char *end;

	if (!isdigit(**text))
		return false;
	*number = memparse(*text, &end);
	if (*end != delimiter)
		return false;
	*text = end + !!delimiter;
	return true;
}

static const char *fault_of(const struct bounds *bounds)
{
	if (!bounds->size || !bounds->base || !PAGE_ALIGNED(bounds->base | bounds->size))
		return "size and base must be whole pages, and not 0";
	if (bounds->base + bounds->size - 1 < bounds->base ||
	    bounds->base + bounds->size - 1 > PHYS_ADDR_MAX || bounds->size > SIZE_MAX)
		return "it ends beyond all addresses";
	if (region_intersects(bounds->base, bounds->size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return "it overlaps memory that the kernel uses (see /proc/iomem): reserve it first, by the device tree or by memmap=";
	return NULL;
}

/* Makes the claim known, and fails if somebody else has made one. */
static struct dma_heap_region *claim_bounds(const struct bounds *bounds, const char *name)
{
	struct dma_heap_region *region;
	struct resource *claimed = request_mem_region(bounds->base, bounds->size, name);

	if (!claimed) {
		pr_err("region %s clashes with another user of that memory (see /proc/iomem)\n",
		       name);
		return ERR_PTR(-EBUSY);
	}
	region = carveout_open(bounds->base, bounds->size, DMA_HEAP_PAGES_NONE, name);
	if (IS_ERR(region))
		release_mem_region(bounds->base, bounds->size);
	else
		carveout_of(region)->claimed = claimed;
	return region;
}

/*
 * dmaheap_carveout_parse - a region by the text of a parameter; @name has room for all of it,
 * lives as long as the region, and gets the part before the colon
 */
struct dma_heap_region *dmaheap_carveout_parse(const char *text, char *name)
{
	const char *numbers = strchr(text, ':'), *fault;
	struct bounds bounds;

	if (!numbers || numbers == text) {
		pr_err("'%s' names no region: NAME:SIZE@BASE\n", text);
		return ERR_PTR(-EINVAL);
	}
	memcpy(name, text, numbers - text);
	name[numbers++ - text] = '\0';
	if (!parse_number(&numbers, '@', &bounds.size) ||
	    !parse_number(&numbers, '\0', &bounds.base)) {
		pr_err("'%s' is no region: NAME:SIZE@BASE, as in video:64M@0x80000000\n",
		       text);
		return ERR_PTR(-EINVAL);
	}
	fault = fault_of(&bounds);
	if (fault) {
		pr_err("region %s is refused: %s\n", text, fault);
		return ERR_PTR(-EINVAL);
	}
	return claim_bounds(&bounds, name);
}
