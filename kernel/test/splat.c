// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap_splat: does on loading what a kernel should never do, to test who watches it. */
#include <linux/bug.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/processor.h>
#include <linux/string.h>

static char *how = "";
module_param(how, charp, 0);
MODULE_PARM_DESC(how, "what to do: warn, panic, hang, taint, fail");

static int __init splat_init(void)
{
	if (!strcmp(how, "warn"))
		WARN(1, "dmaheap_splat: on purpose\n");
	else if (!strcmp(how, "panic"))
		panic("dmaheap_splat: on purpose\n");
	else if (!strcmp(how, "taint"))
		add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	else if (!strcmp(how, "fail"))
		return -EIO;
	else if (!strcmp(how, "hang"))
		for (;;)
			cpu_relax();
	return 0;
}
module_init(splat_init);

static void __exit splat_exit(void)
{
}
module_exit(splat_exit);

MODULE_DESCRIPTION("Test: a kernel that goes wrong on purpose");
MODULE_LICENSE("GPL");
