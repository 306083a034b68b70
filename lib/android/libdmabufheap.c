// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libdmabufheap.c: Android's interface to DMA-BUF heaps, on libdmaheap.
 *
 * Heaps are opened once and stay open, so that threads only wait for one another while a heap is
 * looked up, not while memory is allocated.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <dmaheap.h>
#include <linux/dma-heap.h>
#include <BufferAllocator/BufferAllocatorWrapper.h>

#include "ion.h"

/* A heap that was used before. */
struct open_heap {
	struct open_heap *next;
	struct dmaheap_heap *heap;
};

/* What ION has in place of a heap. */
struct mapping {
	struct mapping *next;
	struct ion_place place;
	char name[];
};

/**
 * struct state - what an allocator is
 * @lock:	protects the context and both lists
 * @context:	NULL: there is none, see @err
 * @err:	why not
 * @heaps:	that are open
 * @mappings:	by name of a heap
 * @ion:	never changes
 */
struct state {
	pthread_mutex_t lock;
	struct dmaheap *context;
	int err;
	struct open_heap *heaps;
	struct mapping *mappings;
	struct ion ion;
};

/* In C++ it is a class with one member. */
struct BufferAllocator {
	struct state *state;
};

/* Android's functions say what went wrong by their result or by errno, or both. */
static int result(int value)
{
	if (value < 0)
		errno = -value;
	return value;
}

static struct state *state_of(const BufferAllocator *allocator, int *err)
{
	*err = allocator ? -ENOMEM : -EINVAL;
	return allocator ? allocator->state : NULL;
}

/* ---- mappings to ION ---- */

static struct mapping *find_mapping(const struct state *state, const char *name)
{
	struct mapping *mapping;

	for (mapping = state->mappings; mapping; mapping = mapping->next)
		if (!strcmp(mapping->name, name))
			break;
	return mapping;
}

static int add_mapping(struct state *state, const char *name, struct ion_place place)
{
	size_t size = strlen(name) + 1;
	struct mapping *mapping = malloc(sizeof(*mapping) + size);

	if (!mapping)
		return -ENOMEM;
	mapping->place = place;
	memcpy(mapping->name, name, size);
	mapping->next = state->mappings;
	state->mappings = mapping;
	return 0;
}

static int set_mapping(struct state *state, const char *name, struct ion_place place)
{
	struct mapping *mapping;
	int err = 0;

	pthread_mutex_lock(&state->lock);
	mapping = find_mapping(state, name);
	if (mapping)
		mapping->place = place;
	else
		err = add_mapping(state, name, place);
	pthread_mutex_unlock(&state->lock);
	return err;
}

/* By a mapping, or else by a heap of ION that has that very name. */
static int find_place(struct state *state, const char *name, struct ion_place *place)
{
	const struct mapping *mapping;

	pthread_mutex_lock(&state->lock);
	mapping = find_mapping(state, name);
	if (mapping)
		*place = mapping->place;
	pthread_mutex_unlock(&state->lock);
	if (mapping)
		return 0;
	place->flags = 0;
	return ion_find(&state->ion, name, &place->mask);
}

static int map_by_name(struct state *state, const char *name, const char *ion_name,
		       unsigned int flags)
{
	struct ion_place place = { .flags = flags };
	int err = ion_find(&state->ion, ion_name, &place.mask);

	return err ? err : set_mapping(state, name, place);
}

static int map_by_mask(struct state *state, const char *name, unsigned int mask,
		       unsigned int flags)
{
	struct ion_place place = { .mask = mask, .flags = flags };

	return mask ? set_mapping(state, name, place) : -EINVAL;
}

/* What everybody takes for granted; not each ION calls its heap so, and then there is no mapping. */
static void map_system(struct state *state, const char *name, unsigned int flags)
{
	if (state->ion.fd < 0)
		return;
	if (state->ion.legacy)
		map_by_mask(state, name, ION_LEGACY_SYSTEM_MASK, flags);
	else
		map_by_name(state, name, ION_SYSTEM_HEAP, flags);
}

/* ---- allocators ---- */

static struct state *new_state(void)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	pthread_mutex_init(&state->lock, NULL);
	state->err = dmaheap_new(&state->context);
	ion_open_device(&state->ion);
	map_system(state, kDmabufSystemHeapName, ION_FLAG_CACHED);
	map_system(state, kDmabufSystemUncachedHeapName, 0);
	return state;
}

static void free_lists(struct state *state)
{
	struct open_heap *heap, *next_heap;
	struct mapping *mapping, *next_mapping;

	for (heap = state->heaps; heap; heap = next_heap) {
		next_heap = heap->next;
		dmaheap_close(heap->heap);
		free(heap);
	}
	for (mapping = state->mappings; mapping; mapping = next_mapping) {
		next_mapping = mapping->next;
		free(mapping);
	}
}

void dmabufheap_construct(BufferAllocator *allocator)
{
	allocator->state = new_state();
}

void dmabufheap_destruct(BufferAllocator *allocator)
{
	struct state *state = allocator->state;

	if (!state)
		return;
	free_lists(state);
	dmaheap_free(state->context);
	ion_close_device(&state->ion);
	pthread_mutex_destroy(&state->lock);
	free(state);
}

BufferAllocator *CreateDmabufHeapBufferAllocator(void)
{
	BufferAllocator *allocator = malloc(sizeof(*allocator));

	if (!allocator)
		return NULL;
	dmabufheap_construct(allocator);
	if (allocator->state)
		return allocator;
	free(allocator);
	return NULL;
}

void FreeDmabufHeapBufferAllocator(BufferAllocator *allocator)
{
	if (!allocator)
		return;
	dmabufheap_destruct(allocator);
	free(allocator);
}

/* ---- allocating ---- */

static struct open_heap *find_heap(const struct state *state, const char *name)
{
	struct open_heap *heap;

	for (heap = state->heaps; heap; heap = heap->next)
		if (!strcmp(dmaheap_heap_info(heap->heap)->name, name))
			break;
	return heap;
}

static int add_heap(struct state *state, const char *name, struct open_heap **heap)
{
	struct open_heap *new = malloc(sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	err = state->context ? dmaheap_open(state->context, name, &new->heap) : state->err;
	if (err) {
		free(new);
		return err;
	}
	new->next = state->heaps;
	state->heaps = new;
	*heap = new;
	return 0;
}

/* The fd of a heap, which is open as long as the allocator lives; or a negative errno. */
static int heap_fd(struct state *state, const char *name)
{
	struct open_heap *heap;
	int err = 0;

	pthread_mutex_lock(&state->lock);
	heap = find_heap(state, name);
	if (!heap)
		err = add_heap(state, name, &heap);
	pthread_mutex_unlock(&state->lock);
	return err ? err : dmaheap_heap_fd(heap->heap);
}

static int allocate_from_heap(int heap, size_t len)
{
	struct dma_heap_allocation_data data = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int err = ion_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data);

	return err ? err : (int)data.fd;
}

/* -ENOENT: ION has nothing in place of that heap, or there is no ION */
static int allocate_from_ion(struct state *state, const char *name, size_t len,
			     unsigned int flags, size_t align)
{
	struct ion_place place;
	int err;

	if (state->ion.fd < 0)
		return -ENOENT;
	err = find_place(state, name, &place);
	if (err)
		return err;
	place.flags |= flags;
	return ion_allocate(&state->ion, len, align, place);
}

/* Who is asked second is heard if the first did not have that heap at all. */
static int allocate(struct state *state, const char *name, size_t len, unsigned int flags,
		    size_t align)
{
	int heap = heap_fd(state, name);
	int fd = heap < 0 ? heap : allocate_from_heap(heap, len);
	int ion_fd;

	if (fd >= 0)
		return fd;
	ion_fd = allocate_from_ion(state, name, len, flags, align);
	return ion_fd >= 0 || (heap < 0 && ion_fd != -ENOENT) ? ion_fd : fd;
}

int DmabufHeapAlloc(BufferAllocator *allocator, const char *heap_name, size_t len,
		    unsigned int heap_flags, size_t legacy_align)
{
	int err;
	struct state *state = state_of(allocator, &err);

	if (!state)
		return result(err);
	if (!heap_name)
		return result(-EINVAL);
	return result(allocate(state, heap_name, len, heap_flags, legacy_align));
}

int DmabufHeapAlloc2(BufferAllocator *allocator, const char *heap_name, size_t len,
		     unsigned int heap_flags)
{
	return DmabufHeapAlloc(allocator, heap_name, len, heap_flags, 0);
}

/* Whether anybody has such memory; one that may not be used is there all the same. */
static bool is_there(struct state *state, const char *name)
{
	int heap = heap_fd(state, name);
	struct ion_place place;

	if (heap != -ENOENT && heap != -ENOSYS)
		return true;
	return state->ion.fd >= 0 && !find_place(state, name, &place);
}

int DmabufHeapAllocSystem(BufferAllocator *allocator, bool cpu_access, size_t len,
			  unsigned int heap_flags, size_t legacy_align)
{
	const char *name = kDmabufSystemHeapName;
	int err;
	struct state *state = state_of(allocator, &err);

	if (!state)
		return result(err);
	if (!cpu_access && is_there(state, kDmabufSystemUncachedHeapName))
		name = kDmabufSystemUncachedHeapName;
	return result(allocate(state, name, len, heap_flags, legacy_align));
}

int DmabufHeapAllocSystem2(BufferAllocator *allocator, bool cpu_access, size_t len,
			   unsigned int heap_flags)
{
	return DmabufHeapAllocSystem(allocator, cpu_access, len, heap_flags, 0);
}

int MapDmabufHeapNameToIonHeap(BufferAllocator *allocator, const char *heap_name,
			       const char *ion_heap_name, unsigned int ion_heap_flags,
			       unsigned int legacy_ion_heap_mask,
			       unsigned int legacy_ion_heap_flags)
{
	int err;
	struct state *state = state_of(allocator, &err);

	if (!state)
		return result(err);
	if (!heap_name || !ion_heap_name)
		return result(-EINVAL);
	if (state->ion.fd < 0 || heap_fd(state, heap_name) >= 0)
		return 0;
	if (state->ion.legacy || !*ion_heap_name)
		return result(map_by_mask(state, heap_name, legacy_ion_heap_mask,
					  legacy_ion_heap_flags));
	return result(map_by_name(state, heap_name, ion_heap_name, ion_heap_flags));
}

/* ---- using ---- */

int DmabufSetName(BufferAllocator *allocator, unsigned int dmabuf_fd, const char *name)
{
	char cut[DMAHEAP_NAME_MAX + 1] = "";
	int err;

	(void)allocator;
	if (!name) {
		errno = EINVAL;
		return -1;
	}
	memcpy(cut, name, strnlen(name, DMAHEAP_NAME_MAX));
	err = ion_ioctl(dmabuf_fd, DMA_BUF_SET_NAME_B, cut);
	return result(err) ? -1 : 0;
}

static int sync_legacy(const struct state *state, int fd, int (*custom)(int, int, void *),
		       void *data)
{
	int ion_fd, ret;

	if (!custom)
		return ion_sync(&state->ion, fd);
	/* It is not promised that it does not close it. */
	ion_fd = fcntl(state->ion.fd, F_DUPFD_CLOEXEC, 0);
	if (ion_fd < 0)
		return -errno;
	ret = custom(ion_fd, fd, data);
	close(ion_fd);
	return ret;
}

static int sync_buffer(BufferAllocator *allocator, unsigned int fd, uint64_t flags,
		       int (*custom)(int, int, void *), void *data)
{
	struct dma_buf_sync sync = { .flags = flags };
	int err;
	struct state *state = state_of(allocator, &err);

	if (!state)
		return err;
	if (state->ion.fd >= 0 && state->ion.legacy)
		return sync_legacy(state, fd, custom, data);
	return ion_ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
}

int DmabufHeapCpuSyncStart(BufferAllocator *allocator, unsigned int dmabuf_fd,
			   SyncType sync_type, int (*legacy_ion_cpu_sync)(int, int, void *),
			   void *custom_data)
{
	return result(sync_buffer(allocator, dmabuf_fd, DMA_BUF_SYNC_START | sync_type,
				  legacy_ion_cpu_sync, custom_data));
}

int DmabufHeapCpuSyncStart2(BufferAllocator *allocator, unsigned int dmabuf_fd,
			    SyncType sync_type)
{
	return DmabufHeapCpuSyncStart(allocator, dmabuf_fd, sync_type, NULL, NULL);
}

int DmabufHeapCpuSyncEnd(BufferAllocator *allocator, unsigned int dmabuf_fd,
			 SyncType sync_type, int (*legacy_ion_cpu_sync)(int, int, void *),
			 void *custom_data)
{
	return result(sync_buffer(allocator, dmabuf_fd, DMA_BUF_SYNC_END | sync_type,
				  legacy_ion_cpu_sync, custom_data));
}

int DmabufHeapCpuSyncEnd2(BufferAllocator *allocator, unsigned int dmabuf_fd,
			  SyncType sync_type)
{
	return DmabufHeapCpuSyncEnd(allocator, dmabuf_fd, sync_type, NULL, NULL);
}

bool CheckIonSupport(void)
{
	return !access(ION_DEVICE, R_OK);
}

/* ---- names ---- */

static size_t names_length(const struct dmaheap_heaps *heaps)
{
	size_t length = 0;

	for (size_t i = 0; i < dmaheap_heaps_count(heaps); i++)
		length += strlen(dmaheap_heaps_get(heaps, i)->name) + 1;
	return length;
}

static char *join_names(const struct dmaheap_heaps *heaps)
{
	char *names = calloc(1, names_length(heaps) + 1);
	char *end = names;

	for (size_t i = 0; names && i < dmaheap_heaps_count(heaps); i++)
		end = stpcpy(end, dmaheap_heaps_get(heaps, i)->name) + 1;
	return names;
}

char *dmabufheap_names(void)
{
	struct dmaheap *context = NULL;
	struct dmaheap_heaps *heaps;
	char *names = NULL;

	if (!dmaheap_new(&context) && !dmaheap_list(context, &heaps)) {
		names = join_names(heaps);
		dmaheap_heaps_free(heaps);
	}
	dmaheap_free(context);
	return names;
}
