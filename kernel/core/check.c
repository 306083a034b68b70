// SPDX-License-Identifier: GPL-2.0-only
/* The checker of ownership mistakes: see check.h, and docs/ownership.md for its reports. */
#define pr_fmt(fmt) "dmaheap: " fmt

#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>

#include "check.h"
#include "core.h"
#include "trace.h"

#define STACK_DEPTH 24
#define NAME_LEN 64
/* Open accesses noted for a buffer: a program may begin any number. */
#define MAX_BRACKETS 64
/*
 * Importers are remembered so that each is reported once; of more than these, none is.  By
 * itself for devices: programs can have any number of names.
 */
#define MAX_REPORTED 256

DEFINE_STATIC_KEY_FALSE(dmaheap_checking);

enum mistake { OVERLAP, NOT_BEGUN, OUTSIDE, LEFT_OPEN, APART, NR_MISTAKES };

static const struct {
	const char *name; /* in debugfs and in the tracepoint */
	const char *text; /* in the log */
} mistakes[NR_MISTAKES] = {
	[OVERLAP] = { "overlap", "an access overlaps with one that writes" },
	[NOT_BEGUN] = { "end-without-begin", "the end of an access that was not begun" },
	[OUTSIDE] = { "mmap-outside", "a mapping is used outside of DMA_BUF_IOCTL_SYNC" },
	[LEFT_OPEN] = { "left-open", "an access is never ended" },
	[APART] = { "chain-of-copies", "a job ends at a device that has not seen its bytes" },
};

static atomic_long_t counts[NR_MISTAKES];

/* How often the checker was switched on: what was noted before is not known to be complete. */
static atomic_t generation;

/* Who does something where: an importer, by name, and the task that runs for it. */
struct witness {
	bool device; /* or a program */
	char who[NAME_LEN];
	char comm[TASK_COMM_LEN];
	pid_t pid;
	pid_t tgid;
	unsigned int depth;
	unsigned long stack[STACK_DEPTH];
};

/**
 * struct dmaheap_bracket - an access begun while the checker is on
 * @link:	in the buffer's list, under its lock
 * @generation:	of the checker, when it was noted
 * @owner:	whose it is, only to be compared; NULL: the CPU's
 * @dir:	its direction
 * @offset:	start of the part that is accessed, in bytes
 * @end:	offset behind it
 * @begin:	who began it
 */
struct dmaheap_bracket {
	struct list_head link;
	int generation;
	const struct dmaheap_mapping *owner;
	enum dma_data_direction dir;
	size_t offset;
	size_t end;
	struct witness begin;
};

/* ---- what was reported ---- */

struct reported {
	struct list_head link;
	enum mistake mistake;
	char who[NAME_LEN];
};

/* Protects the list, its length, and the log from mixed reports. */
static DEFINE_MUTEX(reports_lock);
static LIST_HEAD(reports);
static unsigned int nr_reports[2]; /* of programs, of devices */

static bool is_reported(enum mistake mistake, const char *who)
{
	struct reported *reported;

	lockdep_assert_held(&reports_lock);
	list_for_each_entry(reported, &reports, link)
		if (reported->mistake == mistake && !strcmp(reported->who, who))
			return true;
	return false;
}

/* Notes a mistake of an importer; false if it is not to be reported, again or at all. */
static bool report_first(enum mistake mistake, const char *who, bool device)
{
	struct reported *reported;

	if (nr_reports[device] >= MAX_REPORTED || is_reported(mistake, who))
		return false;
	reported = kmalloc(sizeof(*reported), GFP_NOWAIT | __GFP_NOWARN);
	if (!reported)
		return false;
	reported->mistake = mistake;
	strscpy(reported->who, who, sizeof(reported->who));
	list_add(&reported->link, &reports);
	if (++nr_reports[device] == MAX_REPORTED)
		pr_warn("mistakes of %d %s were reported: no more will be, until check is set again\n",
			MAX_REPORTED, device ? "devices" : "programs");
	return true;
}

static void forget_reports(void)
{
	struct reported *reported, *next;

	guard(mutex)(&reports_lock);
	list_for_each_entry_safe(reported, next, &reports, link)
		kfree(reported);
	INIT_LIST_HEAD(&reports);
	memset(nr_reports, 0, sizeof(nr_reports));
}

/* ---- witnesses ---- */

/* A process goes by its name: of a program that runs often, one run is enough. */
static void name_importer(const struct dmaheap_mapping *owner, char *name)
{
	if (owner)
		snprintf(name, NAME_LEN, "%s:%s", dev_driver_string(owner->dev),
			 dev_name(owner->dev));
	else
		snprintf(name, NAME_LEN, "the CPU, %s", current->group_leader->comm);
}

static void witness(struct witness *witness, const struct dmaheap_mapping *owner)
{
	witness->device = owner;
	name_importer(owner, witness->who);
	get_task_comm(witness->comm, current);
	witness->pid = task_pid_nr(current);
	witness->tgid = task_tgid_nr(current);
	witness->depth = stack_trace_save(witness->stack, STACK_DEPTH, 2);
}

/* A module may be gone whose function it was: of that, the kernel would print the address. */
static void print_function(unsigned long address)
{
	char name[128];

	snprintf(name, sizeof(name), "%pS", (void *)address);
	pr_warn("    %s\n", strstarts(name, "0x") ? "(of a module that is gone)" : name);
}

static void print_witness(const struct witness *witness, const char *text)
{
	unsigned int i;

	pr_warn("  %s %s, in %s[%d]:\n", witness->who, text, witness->comm, witness->pid);
	for (i = 0; i < witness->depth; i++)
		print_function(witness->stack[i]);
}

static const char *does(enum dma_data_direction dir, bool cpu)
{
	if (dir == DMA_BIDIRECTIONAL)
		return "reads and writes";
	return (dir == DMA_FROM_DEVICE) == cpu ? "reads" : "writes";
}

static bool writes(enum dma_data_direction dir, bool cpu)
{
	return dir != (cpu ? DMA_FROM_DEVICE : DMA_TO_DEVICE);
}

/* ---- mistakes ---- */

/*
 * Counts a mistake and reports it: @culprit is whose it is and @text what it does; @other, if
 * not NULL, is another side of it, and @other_text what that does.
 */
static void found(struct dma_heap_buffer *buffer, enum mistake mistake,
		  const struct witness *culprit, const char *text, const struct witness *other,
		  const char *other_text)
{
	atomic_long_inc(&counts[mistake]);
	trace_dmaheap_mistake(buffer, mistakes[mistake].name, culprit->who);
	guard(mutex)(&reports_lock);
	if (!report_first(mistake, culprit->who, culprit->device))
		return;
	pr_warn("mistake: %s\n", mistakes[mistake].text);
	pr_warn("  buffer %lu of heap %s, %zu bytes\n", buffer->ino,
		dma_heap_get_name(buffer->heap), buffer->size);
	print_witness(culprit, text);
	if (other)
		print_witness(other, other_text);
}

/* The same with an access that is open meanwhile, if there is one. */
static void found_with(struct dma_heap_buffer *buffer, enum mistake mistake,
		       const struct witness *culprit, const char *text,
		       const struct dmaheap_bracket *other)
{
	char other_text[64];

	if (!other) {
		found(buffer, mistake, culprit, text, NULL, NULL);
		return;
	}
	snprintf(other_text, sizeof(other_text), "%s meanwhile, and has begun it",
		 does(other->dir, !other->owner));
	found(buffer, mistake, culprit, text, &other->begin, other_text);
}

/*
 * Do two accesses get into each other's way?  Threads of one process that share the work of
 * the CPU do not, nor do processes in parts of their own.
 */
static bool overlaps(const struct dmaheap_bracket *a, const struct dmaheap_bracket *b)
{
	if (!writes(a->dir, !a->owner) && !writes(b->dir, !b->owner))
		return false;
	if (!a->owner && !b->owner && a->begin.tgid == b->begin.tgid)
		return false;
	return a->offset < b->end && b->offset < a->end;
}

static void drop_bracket(struct dmaheap_bracket *bracket)
{
	list_del(&bracket->link);
	kfree(bracket);
}

static void drop_outdated(struct dma_heap_buffer *buffer)
{
	struct dmaheap_bracket *bracket, *next;

	list_for_each_entry_safe(bracket, next, &buffer->checked, link)
		if (bracket->generation != atomic_read(&generation))
			drop_bracket(bracket);
}

static bool is_full(const struct dma_heap_buffer *buffer)
{
	const struct dmaheap_bracket *bracket;
	unsigned int n = 0;

	list_for_each_entry(bracket, &buffer->checked, link)
		n++;
	return n >= MAX_BRACKETS;
}

/* One is enough for the report. */
static void report_overlap(struct dma_heap_buffer *buffer,
			   const struct dmaheap_bracket *bracket)
{
	struct dmaheap_bracket *other;

	list_for_each_entry(other, &buffer->checked, link)
		if (overlaps(bracket, other)) {
			found_with(buffer, OVERLAP, &bracket->begin,
				   does(bracket->dir, !bracket->owner), other);
			return;
		}
}

void dmaheap_checked_begin(struct dma_heap_buffer *buffer, const struct dmaheap_mapping *owner,
			   enum dma_data_direction dir, size_t offset, size_t len)
{
	struct dmaheap_bracket *bracket;

	lockdep_assert_held(&buffer->lock);
	drop_outdated(buffer);
	if (is_full(buffer))
		return;
	bracket = kzalloc(sizeof(*bracket), GFP_NOWAIT | __GFP_NOWARN);
	if (!bracket)
		return; /* what is not noted is not missed */
	bracket->generation = atomic_read(&generation);
	bracket->owner = owner;
	bracket->dir = dir;
	bracket->offset = offset;
	bracket->end = offset + len;
	witness(&bracket->begin, owner);
	report_overlap(buffer, bracket);
	list_add(&bracket->link, &buffer->checked);
}

static bool is_same_importer(const struct dmaheap_bracket *bracket,
			     const struct dmaheap_mapping *owner)
{
	if (owner || bracket->owner)
		return bracket->owner == owner;
	return bracket->begin.tgid == task_tgid_nr(current);
}

/* How well does an open access match one that ends?  0: not at all. */
static int match(const struct dmaheap_bracket *bracket, const struct dmaheap_mapping *owner,
		 enum dma_data_direction dir, size_t offset, size_t end)
{
	if (!bracket->owner != !owner || bracket->dir != dir)
		return 0;
	/* It may have been passed on: to another process, along a chain of devices. */
	return 1 + is_same_importer(bracket, owner) +
	       2 * (bracket->offset == offset && bracket->end == end);
}

/* The access that ends. */
static struct dmaheap_bracket *find_bracket(struct dma_heap_buffer *buffer,
					    const struct dmaheap_mapping *owner,
					    enum dma_data_direction dir, size_t offset,
					    size_t end)
{
	struct dmaheap_bracket *bracket, *best = NULL;
	int found = 0;

	list_for_each_entry(bracket, &buffer->checked, link)
		if (match(bracket, owner, dir, offset, end) > found) {
			found = match(bracket, owner, dir, offset, end);
			best = bracket;
		}
	return best;
}

/* One that ends in another direction than it was begun, though it has that right. */
static struct dmaheap_bracket *find_similar(struct dma_heap_buffer *buffer,
					    const struct dmaheap_mapping *owner,
					    enum dma_data_direction dir)
{
	struct dmaheap_bracket *bracket;

	list_for_each_entry(bracket, &buffer->checked, link)
		if (is_same_importer(bracket, owner) &&
		    writes(bracket->dir, !owner) == writes(dir, !owner))
			return bracket;
	return NULL;
}

void dmaheap_checked_end(struct dma_heap_buffer *buffer, const struct dmaheap_mapping *owner,
			 enum dma_data_direction dir, size_t offset, size_t len, bool begun)
{
	struct dmaheap_bracket *bracket, *similar;
	struct witness culprit;
	char text[48];

	lockdep_assert_held(&buffer->lock);
	drop_outdated(buffer);
	bracket = begun ? find_bracket(buffer, owner, dir, offset, offset + len) : NULL;
	if (bracket) {
		drop_bracket(bracket);
		return;
	}
	similar = find_similar(buffer, owner, dir);
	if (begun && !similar)
		return; /* begun before the checker was on */
	witness(&culprit, owner);
	snprintf(text, sizeof(text), "ends that it %s", does(dir, !owner));
	found_with(buffer, NOT_BEGUN, &culprit, text,
		   list_first_entry_or_null(&buffer->checked, struct dmaheap_bracket, link));
	if (begun)
		drop_bracket(similar);
}

/* A chain of devices that do not work on the same bytes. */
void dmaheap_checked_apart(struct dma_heap_buffer *buffer, const struct dmaheap_mapping *owner,
			   enum dma_data_direction dir)
{
	struct witness culprit;
	char text[64];

	lockdep_assert_held(&buffer->lock);
	witness(&culprit, owner);
	snprintf(text, sizeof(text), "ends what it %s, begun elsewhere", does(dir, false));
	found(buffer, APART, &culprit, text, NULL, NULL);
}

/* What takes the chance to end an access away. */
static void leave_open(struct dma_heap_buffer *buffer, struct dmaheap_bracket *bracket,
		       const char *end)
{
	struct witness last;
	char text[64];

	if (static_branch_unlikely(&dmaheap_checking)) {
		snprintf(text, sizeof(text), "%s, and has begun it",
			 does(bracket->dir, !bracket->owner));
		witness(&last, bracket->owner);
		found(buffer, LEFT_OPEN, &bracket->begin, text, &last, end);
	}
	drop_bracket(bracket);
}

/* dmaheap_check_gone - an attachment goes */
void dmaheap_check_gone(struct dma_heap_buffer *buffer, const struct dmaheap_mapping *owner)
{
	struct dmaheap_bracket *bracket, *next;

	lockdep_assert_held(&buffer->lock);
	drop_outdated(buffer);
	list_for_each_entry_safe(bracket, next, &buffer->checked, link)
		if (bracket->owner == owner)
			leave_open(buffer, bracket, "is detached");
}

/* dmaheap_check_release - the buffer goes: nobody else has it any more */
void dmaheap_check_release(struct dma_heap_buffer *buffer)
{
	struct dmaheap_bracket *bracket, *next;

	drop_outdated(buffer);
	list_for_each_entry_safe(bracket, next, &buffer->checked, link)
		leave_open(buffer, bracket, "gives the buffer up as the last one");
}

/* ---- mappings of processes ---- */

/*
 * Takes all page-table entries away, so that the next use of a mapping shows itself by a
 * fault.  Not under the buffer's lock, which faults take.
 */
void dmaheap_checked_unmap(struct dma_heap_buffer *buffer)
{
	unmap_mapping_range(buffer->dmabuf->file->f_mapping, 0, 0, 1);
}

static bool is_cpu_open(struct dma_heap_buffer *buffer)
{
	static const enum dmaheap_access_kind kinds[] = { DMAHEAP_BRACKETED_READ,
							  DMAHEAP_BRACKETED_WRITE };
	unsigned int i;

	guard(mutex)(&buffer->lock);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (buffer->cpu_open[0][kinds[i]] || buffer->cpu_open[1][kinds[i]])
			return true;
	return false;
}

/*
 * Any open access of the CPU will do: processes that work together may leave it to one of
 * them.  Only the program's own access counts, not the kernel's for it, which cannot be told
 * from one that only enters pages ahead of time.
 */
void dmaheap_checked_fault(struct dma_heap_buffer *buffer, struct vm_fault *vmf)
{
	struct witness culprit;
	char text[96];

	if (!(vmf->flags & FAULT_FLAG_USER) || is_cpu_open(buffer))
		return;
	witness(&culprit, NULL);
	snprintf(text, sizeof(text), "%s at offset %lu, by the instruction at %#lx",
		 vmf->flags & FAULT_FLAG_WRITE ? "writes" : "reads", vmf->pgoff << PAGE_SHIFT,
		 instruction_pointer(task_pt_regs(current)));
	found(buffer, OUTSIDE, &culprit, text, NULL, NULL);
}

/* ---- seen from outside ---- */

void dmaheap_check_show(struct seq_file *file)
{
	unsigned int i;

	seq_puts(file, "KIND COUNT\n");
	for (i = 0; i < NR_MISTAKES; i++)
		seq_printf(file, "%s %ld\n", mistakes[i].name, atomic_long_read(&counts[i]));
}

void dmaheap_check_exit(void)
{
	forget_reports();
}

static int set_check(const char *value, const struct kernel_param *parameter)
{
	bool on;
	int err = kstrtobool(value ?: "y", &on);

	if (err)
		return err;
	if (!on) {
		static_branch_disable(&dmaheap_checking);
		return 0;
	}
	forget_reports();
	if (!static_key_enabled(&dmaheap_checking))
		atomic_inc(&generation);
	static_branch_enable(&dmaheap_checking);
	return 0;
}

static int get_check(char *value, const struct kernel_param *parameter)
{
	return sysfs_emit(value, "%c\n", static_key_enabled(&dmaheap_checking) ? 'Y' : 'N');
}

static const struct kernel_param_ops check_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = set_check,
	.get = get_check,
};
module_param_cb(check, &check_ops, NULL, 0644);
MODULE_PARM_DESC(check, "find accesses that break the rules of ownership (default: off)");
