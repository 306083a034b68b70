/* SPDX-License-Identifier: GPL-2.0-only */
/* Repeats operations with their first, second, third ... allocation of memory failing. */
#ifndef FAIL_H
#define FAIL_H

#include <stdbool.h>
#include <stddef.h>

/* Slots of bounce buffers that are in use, where the kernel says so: mappings that are left hold some. */
#define FAIL_SLOTS "/sys/kernel/debug/swiotlb/io_tlb_used"

/**
 * struct operation - what is to fail
 * @name:	of it
 * @prepare:	what it needs; nothing fails in it
 * @run:	it; 0 or a negative errno
 * @clean:	undoes both; told whether it had succeeded
 * @errors:	errnos that are documented besides ENOMEM; 0 ends
 * @needs_none:	whether it may have no allocation at all; else that would mean that none is seen
 */
struct operation {
	const char *name;
	void (*prepare)(void);
	int (*run)(void);
	void (*clean)(bool done);
	int errors[4];
	bool needs_none;
};

/* Before anything else, as root: all allocations can be told to fail. */
void fail_begin(void);

/*
 * Each operation, until no allocation is left to fail.  Ends the test if it says what is not documented,
 * publishes or leaves anything when it has failed, or lacks anything when it has not.
 */
void fail_all(const struct operation *operations, size_t nr);

#endif /* FAIL_H */
