/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel for tests of Android's interface, with heaps and with ION of either kind, in place of
 * this machine's: the linker redirects open(), ioctl(), ... to it (with the names of 64-bit files).
 */
#ifndef ANDROID_KERNEL_H
#define ANDROID_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

enum fake_ion {
	ION_NONE,
	ION_MODERN, /* "ion_system_heap" is 3, "camera" 5, "beyond" 32 */
	ION_LEGACY,
};

/**
 * struct fake - the kernel; its counters start at 0 by fake_start()
 * @ion:	which it has
 * @heap_error:	errno of allocating from heaps, or 0
 * @ion_error:	the same of ION
 * @share_error: the same of sharing a handle of legacy ION
 * @sync_error:	the same of accesses
 * @interrupts:	ioctls that a signal ends before one succeeds
 * @opens:	of heaps
 * @from_heaps:	buffers
 * @from_ion:	buffers
 * @handles:	of legacy ION that were not freed
 * @ion_syncs:	that were left to legacy ION
 * @len:	of the last buffer that was asked for
 * @align:	the same
 * @mask:	the same
 * @flags:	the same
 * @sync_flags:	of the last access
 * @name:	that was given last
 */
struct fake {
	enum fake_ion ion;
	int heap_error;
	int ion_error;
	int share_error;
	int sync_error;
	int interrupts;
	int opens;
	int from_heaps;
	int from_ion;
	int handles;
	int ion_syncs;
	size_t len;
	size_t align;
	unsigned int mask;
	unsigned int flags;
	unsigned long long sync_flags;
	char name[64];
};

extern struct fake fake;

/*
 * With these heaps, NULL-ended; or NULL: without even a folder for them.  Of the heap "forbidden"
 * only the node is there.
 */
void fake_start(enum fake_ion ion, const char *const *heaps);
void fake_stop(void);
/* Whether it is an fd of /dev/ion. */
bool fake_is_ion(int fd);

#endif /* ANDROID_KERNEL_H */
