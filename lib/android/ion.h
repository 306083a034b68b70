/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ION, which was in Android's kernels before DMA-BUF heaps, as a device to allocate from.  There
 * are two: "modern" since Linux 4.12, whose buffers are fds and whose heaps have names, and
 * "legacy", with handles and masks that one has to know.
 */
#ifndef DMABUFHEAP_ION_H
#define DMABUFHEAP_ION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/ioctl.h>

#define ION_DEVICE "/dev/ion"
/* A mask of heaps has so many bits. */
#define ION_HEAPS_MAX 32
#define ION_HEAP_NAME_LENGTH 32

/* The same in all kernels. */
#define ION_FLAG_CACHED 1
#define ION_LEGACY_SYSTEM_MASK (1 << 0)
#define ION_SYSTEM_HEAP "ion_system_heap"

/* ---- the kernel's ABI, legacy ---- */

struct ion_allocation_data {
	size_t len;
	size_t align;
	unsigned int heap_id_mask;
	unsigned int flags;
	int handle;
};

struct ion_handle_data {
	int handle;
};

struct ion_fd_data {
	int handle;
	int fd;
};

#define ION_IOC_ALLOC _IOWR('I', 0, struct ion_allocation_data)
#define ION_IOC_FREE _IOWR('I', 1, struct ion_handle_data)
#define ION_IOC_SHARE _IOWR('I', 4, struct ion_fd_data)
#define ION_IOC_SYNC _IOWR('I', 7, struct ion_fd_data)

/* ---- the kernel's ABI, modern ---- */

struct ion_new_allocation_data {
	uint64_t len;
	uint32_t heap_id_mask;
	uint32_t flags;
	uint32_t fd;
	uint32_t unused;
};

struct ion_heap_data {
	char name[ION_HEAP_NAME_LENGTH];
	uint32_t type;
	uint32_t heap_id;
	uint32_t reserved[3];
};

/* @cnt heaps fit at @heaps, an address; how many there are. */
struct ion_heap_query {
	uint32_t cnt;
	uint32_t reserved0;
	uint64_t heaps;
	uint32_t reserved1;
	uint32_t reserved2;
};

#define ION_IOC_NEW_ALLOC _IOWR('I', 0, struct ion_new_allocation_data)
#define ION_IOC_HEAP_QUERY _IOWR('I', 8, struct ion_heap_query)

/* ---- ours ---- */

/**
 * struct ion - the device, which is not changed any more once it is open
 * @fd:		-1: there is none
 * @legacy:	it is of before 4.12
 * @heaps:	by name, of one that is not
 * @heaps_count: how many
 */
struct ion {
	int fd;
	bool legacy;
	struct ion_heap_data heaps[ION_HEAPS_MAX];
	size_t heaps_count;
};

/**
 * struct ion_place - where to allocate
 * @mask:	of the ids of heaps
 * @flags:	as they understand them
 */
struct ion_place {
	unsigned int mask;
	unsigned int flags;
};

/* An ioctl that signals do not end.  0 or a negative errno */
int ion_ioctl(int fd, unsigned long request, void *data);
void ion_open_device(struct ion *ion);
void ion_close_device(struct ion *ion);
/* The mask of the heap of a name.  -ENOENT */
int ion_find(const struct ion *ion, const char *name, unsigned int *mask);
/* An fd, or a negative errno. */
int ion_allocate(const struct ion *ion, size_t len, size_t align, struct ion_place place);
int ion_sync(const struct ion *ion, int fd);

#endif /* DMABUFHEAP_ION_H */
