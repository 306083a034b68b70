// SPDX-License-Identifier: LGPL-2.1-or-later
/* Buffers: where they come from, what they are called, and mapping them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/magic.h>

#include "private.h"

/* The kernel maps as large pages what lies at an address of as many bits. */
#define LARGE_PAGE ((size_t)2 << 20)

#ifndef DMA_BUF_MAGIC
#define DMA_BUF_MAGIC 0x444d4142
#endif

size_t request_pages(const struct dmaheap_request *request)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (request->size + page - 1) & ~(page - 1);
}

int request_check(struct dmaheap *context, const struct dmaheap_request *request)
{
	/* Neither can more be mapped nor rounded up. */
	const size_t most = PTRDIFF_MAX - LARGE_PAGE;

	if (!request->size || request->size > most)
		return context_fail_because(context, -EINVAL, "no buffer has such a size",
					    "allocate", "%zu bytes", request->size);
	if (request->access & ~DMAHEAP_READ_WRITE)
		return context_fail_because(context, -EINVAL,
					    "unknown bits; see enum dmaheap_access",
					    "allocate", "access %#x", request->access);
	if (request->name && strlen(request->name) > DMAHEAP_NAME_MAX)
		return context_fail_because(context, -ENAMETOOLONG, "more than 31 bytes",
					    "allocate", "name \"%s\"", request->name);
	return 0;
}

/* Only dma-bufs are of the kernel's file system for them. */
bool fd_is_dma_buf(int fd)
{
	struct statfs fs;

	errno = 0;
	return !fstatfs(fd, &fs) && fs.f_type == DMA_BUF_MAGIC;
}

static int buffer_measure(struct dmaheap_buffer *buffer)
{
	off_t size = lseek(buffer->fd, 0, SEEK_END);
	struct stat st;

	if (size < 0 || fstat(buffer->fd, &st))
		return -errno;
	buffer->size = (size_t)size;
	buffer->inode = st.st_ino;
	return 0;
}

static int buffer_rename(struct dmaheap_buffer *buffer, const char *name)
{
	int result = ioctl_patiently(buffer->fd, DMA_BUF_SET_NAME, (void *)name);

	buffer->name_status = result < 0 ? result : 0;
	return buffer->name_status;
}

int buffer_adopt(struct dmaheap *context, int fd, struct dmaheap_heap *heap,
		 enum dmaheap_origin origin, const char *name, struct dmaheap_buffer **buffer)
{
	struct dmaheap_buffer *made = calloc(1, sizeof(*made));
	int err = -ENOMEM;

	if (made) {
		*made = (struct dmaheap_buffer){ .context = context,
						 .fd = fd,
						 .origin = origin };
		err = buffer_measure(made);
	}
	if (err) {
		free(made);
		close(fd);
		return context_fail(context, err, "make a buffer", "fd %d", fd);
	}
	if (heap)
		made->heap = heap_get(heap);
	if (name)
		buffer_rename(made, name);
	*buffer = made;
	return 0;
}

static unsigned int fd_flags_of(unsigned int access)
{
	switch (access) {
	case DMAHEAP_READ: return O_CLOEXEC | O_RDONLY;
	case DMAHEAP_WRITE: return O_CLOEXEC | O_WRONLY;
	default: return O_CLOEXEC | O_RDWR;
	}
}

static int allocate_failed(const struct dmaheap_heap *heap, int err, size_t size)
{
	struct dmaheap *context = heap->context;
	const char *node = heap->info.node, *reason;

	switch (err) {
	case -ENODEV: reason = "the heap is gone; open it again"; break;
	case -EAGAIN: reason = "the heap's module is still being loaded; try again"; break;
	case -ENOMEM: reason = "there is no such memory now"; break;
	case -EDQUOT: reason = "more of it than each user may have (user_max in sysfs)"; break;
	case -ENOTTY: reason = "it is no heap"; break;
	default: return context_fail(context, err, "allocate", "%zu bytes of %s", size, node);
	}
	return context_fail_because(context, err, reason, "allocate", "%zu bytes of %s", size,
				    node);
}

int dmaheap_allocate(struct dmaheap_heap *heap, const struct dmaheap_request *request,
		     struct dmaheap_buffer **buffer)
{
	struct dma_heap_allocation_data data = {
		.len = request->size,
		.fd_flags = fd_flags_of(request->access),
	};
	enum dmaheap_origin origin = heap->info.origin;
	int err = request_check(heap->context, request);

	if (err)
		return err;
	err = ioctl_patiently(heap->fd, DMA_HEAP_IOCTL_ALLOC, &data);
	if (err < 0)
		return allocate_failed(heap, err, request->size);
	return buffer_adopt(heap->context, (int)data.fd, heap, origin, request->name, buffer);
}

int dmaheap_import(struct dmaheap *context, int fd, struct dmaheap_buffer **buffer)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return context_fail(context, -errno, "import", "fd %d", fd);
	if (!fd_is_dma_buf(copy)) {
		close(copy);
		return context_fail_because(context, -EINVAL, "it is no dma-buf", "import",
					    "fd %d", fd);
	}
	return buffer_adopt(context, copy, NULL, DMAHEAP_ORIGIN_IMPORTED, NULL, buffer);
}

int dmaheap_buffer_free(struct dmaheap_buffer *buffer)
{
	struct dmaheap *context;
	int fd, err = 0;

	if (!buffer)
		return 0;
	context = buffer->context;
	fd = buffer->fd;
	if (access_is_open(buffer))
		err = context_fail_because(context, -EPROTO,
					   "an access was still open, and has been ended",
					   "free", "fd %d", fd);
	access_end_all(buffer);
	if (buffer->bytes)
		munmap(buffer->bytes, buffer->size);
	close(fd);
	dmaheap_close(buffer->heap);
	free(buffer);
	return err;
}

int dmaheap_buffer_fd(const struct dmaheap_buffer *buffer)
{
	return buffer->fd;
}

size_t dmaheap_buffer_size(const struct dmaheap_buffer *buffer)
{
	return buffer->size;
}

enum dmaheap_origin dmaheap_buffer_origin(const struct dmaheap_buffer *buffer)
{
	return buffer->origin;
}

const char *dmaheap_buffer_heap(const struct dmaheap_buffer *buffer)
{
	if (buffer->heap)
		return buffer->heap->info.name;
	return buffer->origin == DMAHEAP_ORIGIN_UDMABUF ? "udmabuf" : NULL;
}

int dmaheap_buffer_name_status(const struct dmaheap_buffer *buffer)
{
	return buffer->name_status;
}

int dmaheap_buffer_set_name(struct dmaheap_buffer *buffer, const char *name)
{
	int err;

	if (strlen(name) > DMAHEAP_NAME_MAX)
		return context_fail_because(buffer->context, -ENAMETOOLONG,
					    "more than 31 bytes", "name", "\"%s\"", name);
	err = buffer_rename(buffer, name);
	if (err)
		return context_fail(buffer->context, err, "name", "\"%s\"", name);
	return 0;
}

ino_t dmaheap_buffer_inode(const struct dmaheap_buffer *buffer)
{
	return buffer->inode;
}

/* Maps over the aligned part of what is reserved, and gives the rest back. */
static void *map_within(char *room, size_t size, int prot, int fd)
{
	uintptr_t skew = -(uintptr_t)room & (LARGE_PAGE - 1);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), end = (size + page - 1) & ~(page - 1);
	void *bytes = mmap(room + skew, size, prot, MAP_SHARED | MAP_FIXED, fd, 0);
	int err = errno;

	if (bytes == MAP_FAILED) {
		munmap(room, size + LARGE_PAGE);
		errno = err;
		return MAP_FAILED;
	}
	if (skew)
		munmap(room, skew);
	if (skew + end < size + LARGE_PAGE)
		munmap(room + skew + end, LARGE_PAGE - skew - (end - size));
	return bytes;
}

/* So that the kernel can enter large pages; without room for that, anywhere. */
static void *map_aligned(size_t size, int prot, int fd)
{
	void *room = MAP_FAILED;

	if (size >= LARGE_PAGE && size <= PTRDIFF_MAX - LARGE_PAGE)
		room = mmap(NULL, size + LARGE_PAGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return mmap(NULL, size, prot, MAP_SHARED, fd, 0);
	return map_within(room, size, prot, fd);
}

static int map_failed(const struct dmaheap_buffer *buffer, int err)
{
	const char *reason;

	switch (err) {
	case -EPERM: reason = "it is protected from the CPU"; break;
	case -EACCES:
		reason = "its fd does not allow this access; reading is needed for any";
		break;
	default: return context_fail(buffer->context, err, "map", "fd %d", buffer->fd);
	}
	return context_fail_because(buffer->context, err, reason, "map", "fd %d", buffer->fd);
}

static int map_new(struct dmaheap_buffer *buffer, unsigned int access)
{
	int prot = (access & DMAHEAP_READ ? PROT_READ : 0) |
		   (access & DMAHEAP_WRITE ? PROT_WRITE : 0);
	void *bytes = map_aligned(buffer->size, prot, buffer->fd);

	if (bytes == MAP_FAILED)
		return map_failed(buffer, -errno);
	buffer->bytes = bytes;
	buffer->map_access = access;
	return 0;
}

int dmaheap_buffer_map(struct dmaheap_buffer *buffer, unsigned int access, void **bytes)
{
	int err = 0;

	if (!access_is_valid(access))
		return context_fail_because(buffer->context, -EINVAL,
					    "not an access; see enum dmaheap_access", "map",
					    "%#x", access);
	if (buffer->bytes && buffer->map_access != access)
		return context_fail_because(buffer->context, -EBUSY,
					    "it is mapped for another access; unmap it first",
					    "map", "fd %d", buffer->fd);
	if (!buffer->bytes)
		err = map_new(buffer, access);
	if (!err)
		*bytes = buffer->bytes;
	return err;
}

int dmaheap_buffer_unmap(struct dmaheap_buffer *buffer)
{
	if (!buffer->bytes)
		return context_fail_because(buffer->context, -EINVAL, "it is not mapped",
					    "unmap", "fd %d", buffer->fd);
	if (access_is_open(buffer))
		return context_fail_because(buffer->context, -EPROTO,
					    "an access is open; end it first", "unmap",
					    "fd %d", buffer->fd);
	munmap(buffer->bytes, buffer->size);
	buffer->bytes = NULL;
	return 0;
}
