// SPDX-License-Identifier: LGPL-2.1-or-later
/* ion.c: buffers of ION, modern and legacy. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ion.h"

int ion_ioctl(int fd, unsigned long request, void *data)
{
	int result;

	do
		result = ioctl(fd, request, data);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : 0;
}

/* Modern ION has no handles, and so no ioctl to free them. */
static bool ion_has_handles(int fd)
{
	struct ion_handle_data none = { .handle = 0 };

	return ion_ioctl(fd, ION_IOC_FREE, &none) != -ENOTTY;
}

static void ion_learn_heaps(struct ion *ion)
{
	struct ion_heap_query query = {
		.cnt = ION_HEAPS_MAX,
		.heaps = (uintptr_t)ion->heaps,
	};

	if (ion_ioctl(ion->fd, ION_IOC_HEAP_QUERY, &query))
		return;
	ion->heaps_count = query.cnt < ION_HEAPS_MAX ? query.cnt : ION_HEAPS_MAX;
}

void ion_open_device(struct ion *ion)
{
	ion->fd = open(ION_DEVICE, O_RDONLY | O_CLOEXEC);
	if (ion->fd < 0)
		return;
	ion->legacy = ion_has_handles(ion->fd);
	if (!ion->legacy)
		ion_learn_heaps(ion);
}

void ion_close_device(struct ion *ion)
{
	if (ion->fd >= 0)
		close(ion->fd);
}

int ion_find(const struct ion *ion, const char *name, unsigned int *mask)
{
	const struct ion_heap_data *heap;

	for (heap = ion->heaps; heap < ion->heaps + ion->heaps_count; heap++) {
		if (heap->heap_id >= ION_HEAPS_MAX ||
		    strncmp(heap->name, name, sizeof(heap->name)))
			continue;
		*mask = 1U << heap->heap_id;
		return 0;
	}
	return -ENOENT;
}

/* The fd holds the buffer from then on, and the handle is let go. */
static int ion_share(const struct ion *ion, int handle)
{
	struct ion_fd_data share = { .handle = handle, .fd = -1 };
	struct ion_handle_data gone = { .handle = handle };
	int err = ion_ioctl(ion->fd, ION_IOC_SHARE, &share);

	ion_ioctl(ion->fd, ION_IOC_FREE, &gone);
	return err ? err : share.fd;
}

static int ion_allocate_legacy(const struct ion *ion, size_t len, size_t align,
			       struct ion_place place)
{
	struct ion_allocation_data data = {
		.len = len,
		.align = align,
		.heap_id_mask = place.mask,
		.flags = place.flags,
	};
	int err = ion_ioctl(ion->fd, ION_IOC_ALLOC, &data);

	return err ? err : ion_share(ion, data.handle);
}

int ion_allocate(const struct ion *ion, size_t len, size_t align, struct ion_place place)
{
	struct ion_new_allocation_data data = {
		.len = len,
		.heap_id_mask = place.mask,
		.flags = place.flags,
	};
	int err;

	if (ion->legacy)
		return ion_allocate_legacy(ion, len, align, place);
	err = ion_ioctl(ion->fd, ION_IOC_NEW_ALLOC, &data);
	return err ? err : (int)data.fd;
}

int ion_sync(const struct ion *ion, int fd)
{
	struct ion_fd_data data = { .fd = fd };

	return ion_ioctl(ion->fd, ION_IOC_SYNC, &data);
}
