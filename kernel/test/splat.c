// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaheap_splat: does on loading what a kernel should never do, to test who watches it.
 *
 * What sanitizers are to see leaves a kernel without them broken: see tests/hard/sanitizers.
 */
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/panic.h>
#include <linux/platform_device.h>
#include <linux/preempt.h>
#include <linux/processor.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timer.h>

static char *how = "";
module_param(how, charp, 0);

/* ---- what any kernel sees ---- */

static int splat_warn(void)
{
	WARN(1, "dmaheap_splat: on purpose\n");
	return 0;
}

static int splat_panic(void)
{
	panic("dmaheap_splat: on purpose\n");
}

static int splat_taint(void)
{
	add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	return 0;
}

static int splat_fail(void)
{
	return -EIO;
}

static int splat_hang(void)
{
	for (;;)
		cpu_relax();
	return 0;
}

/* ---- what sanitizers see ---- */

/* KASAN: one byte too many. */
static int splat_overrun(void)
{
	size_t len = 13;
	char *bytes = kmalloc(len, GFP_KERNEL);

	if (!bytes)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(len);
	WRITE_ONCE(bytes[len], 1);
	kfree(bytes);
	return 0;
}

/* UBSAN: by more bits than there are. */
static int splat_shift(void)
{
	unsigned int by = BITS_PER_LONG;
	unsigned long shifted;

	OPTIMIZER_HIDE_VAR(by);
	shifted = 1UL << by;
	OPTIMIZER_HIDE_VAR(shifted);
	return 0;
}

/* DEBUG_ATOMIC_SLEEP */
static int splat_sleep(void)
{
	preempt_disable();
	might_sleep();
	preempt_enable();
	return 0;
}

/* Lockdep: two locks in both orders. */
static int splat_order(void)
{
	static DEFINE_MUTEX(one);
	static DEFINE_MUTEX(other);

	mutex_lock(&one);
	mutex_lock(&other);
	mutex_unlock(&other);
	mutex_unlock(&one);
	mutex_lock(&other);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&other);
	return 0;
}

static void never(struct timer_list *timer)
{
}

/* DEBUG_OBJECTS: freed while it waits, and taken from the timers by who sees that. */
static int splat_object(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return -ENOMEM;
	timer_setup(timer, never, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
	return 0;
}

/* DMA_API_DEBUG: unmapped, but never mapped. */
static int splat_dma(void)
{
	const struct platform_device_info info = {
		.name = "dmaheap-splat",
		.dma_mask = DMA_BIT_MASK(32),
	};
	struct platform_device *pdev = platform_device_register_full(&info);

	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	dma_unmap_page(&pdev->dev, SZ_1M, PAGE_SIZE, DMA_TO_DEVICE);
	platform_device_unregister(pdev);
	return 0;
}

/* kmemleak */
static int splat_leak(void)
{
	return kzalloc(100, GFP_KERNEL) ? 0 : -ENOMEM;
}

/* PAGE_OWNER */
static int splat_page(void)
{
	return alloc_page(GFP_KERNEL) ? 0 : -ENOMEM;
}

/* By an access that KASAN, which reports but one mistake, does not look at. */
static __no_sanitize_address noinline void write_to(unsigned long *address)
{
	WRITE_ONCE(*address, 0);
}

/* PAGE_POISONING: written to after it was freed, which is seen when it is given out again. */
static int splat_poison(void)
{
	struct page *pages[64], *page = alloc_page(GFP_KERNEL);
	size_t i;

	if (!page)
		return -ENOMEM;
	__free_page(page);
	write_to(page_address(page));
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = alloc_page(GFP_KERNEL);
	while (i--)
		if (pages[i])
			__free_page(pages[i]);
	return 0;
}

/* DEBUG_LIST: taken out of a list twice. */
static int splat_list(void)
{
	static struct list_head entry;
	static LIST_HEAD(list);

	list_add(&entry, &list);
	list_del(&entry);
	list_del(&entry);
	return 0;
}

static unsigned long raced;

static int racer(void *unused)
{
	while (!kthread_should_stop()) {
		raced++;
		cond_resched();
	}
	return 0;
}

/* KCSAN: two at a time, for so long that it looks at one of them. */
static int splat_race(void)
{
	struct task_struct *one = kthread_run(racer, NULL, "dmaheap-race"), *other;

	if (IS_ERR(one))
		return PTR_ERR(one);
	other = kthread_run(racer, NULL, "dmaheap-race");
	msleep(5000);
	kthread_stop(one);
	return IS_ERR(other) ? PTR_ERR(other) : kthread_stop(other);
}

/* ---- */

static const struct splat {
	const char *name;
	int (*make)(void);
} splats[] = {
	{ "warn", splat_warn },	    { "panic", splat_panic },	{ "taint", splat_taint },
	{ "fail", splat_fail },	    { "hang", splat_hang },	{ "overrun", splat_overrun },
	{ "shift", splat_shift },   { "sleep", splat_sleep },	{ "order", splat_order },
	{ "object", splat_object }, { "dma", splat_dma },	{ "leak", splat_leak },
	{ "page", splat_page },	    { "poison", splat_poison }, { "list", splat_list },
	{ "race", splat_race },
};
MODULE_PARM_DESC(
	how,
	"what to do: warn, panic, taint, fail, hang; for sanitizers: overrun, shift, sleep, order, object, dma, leak, page, poison, list, race");

static int __init splat_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(splats); i++)
		if (!strcmp(how, splats[i].name))
			return splats[i].make();
	return -EINVAL;
}
module_init(splat_init);

static void __exit splat_exit(void)
{
}
module_exit(splat_exit);

MODULE_DESCRIPTION("Test: a kernel that goes wrong on purpose");
MODULE_LICENSE("GPL");
