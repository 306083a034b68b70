// SPDX-License-Identifier: LGPL-2.1-or-later
/* Accesses of the CPU: to all of a buffer, or to a part. */
#include <errno.h>
#include <stdlib.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "private.h"

_Static_assert(DMAHEAP_READ == DMA_BUF_SYNC_READ && DMAHEAP_WRITE == DMA_BUF_SYNC_WRITE,
	       "what is asked for is passed on as it is");

bool access_is_valid(unsigned int access)
{
	return access && !(access & ~DMAHEAP_READ_WRITE);
}

static int sync_all(const struct dmaheap_buffer *buffer, unsigned int access, uint64_t when)
{
	struct dma_buf_sync sync = { .flags = when | access };

	return ioctl_patiently(buffer->fd, DMA_BUF_IOCTL_SYNC, &sync);
}

static int sync_part(const struct dmaheap_buffer *buffer, const struct part *part,
		     uint64_t when)
{
	struct dma_heap_sync_data sync = {
		.fd = buffer->fd,
		.flags = when | part->access,
		.offset = part->offset,
		.len = part->size,
	};

	return ioctl_patiently(buffer->heap->fd, DMA_HEAP_IOCTL_SYNC, &sync);
}

static int access_failed(const struct dmaheap_buffer *buffer, int err, const char *step)
{
	const char *reason;

	switch (err) {
	case -EPERM: reason = "it is protected from the CPU"; break;
	case -EPROTO: reason = "no such access has begun"; break;
	case -EINVAL: reason = "not an access, or not within the buffer"; break;
	case -EOPNOTSUPP: reason = "its heap has none of parts; access all of it"; break;
	case -ENODEV: reason = "the heap is gone; access all of it"; break;
	default: return context_fail(buffer->context, err, step, "fd %d", buffer->fd);
	}
	return context_fail_because(buffer->context, err, reason, step, "fd %d", buffer->fd);
}

int dmaheap_buffer_begin(struct dmaheap_buffer *buffer, unsigned int access)
{
	int err = access_is_valid(access) ? sync_all(buffer, access, DMA_BUF_SYNC_START) :
					    -EINVAL;

	if (err < 0)
		return access_failed(buffer, err, "begin an access");
	buffer->open[access]++;
	return 0;
}

int dmaheap_buffer_end(struct dmaheap_buffer *buffer, unsigned int access)
{
	int err = -EPROTO;

	if (!access_is_valid(access))
		err = -EINVAL;
	else if (buffer->open[access])
		err = sync_all(buffer, access, DMA_BUF_SYNC_END);
	if (err < 0)
		return access_failed(buffer, err, "end an access");
	buffer->open[access]--;
	return 0;
}

static int part_check(const struct dmaheap_buffer *buffer, const struct part *part)
{
	if (!access_is_valid(part->access) || !part->size || part->offset > buffer->size ||
	    part->size > buffer->size - part->offset)
		return -EINVAL;
	/* The kernel's own heaps do not know it. */
	if (!buffer->heap || buffer->origin == DMAHEAP_ORIGIN_KERNEL)
		return -EOPNOTSUPP;
	return 0;
}

static int part_begin(struct dmaheap_buffer *buffer, const struct part *part)
{
	struct part *begun;
	int err = part_check(buffer, part);

	if (err)
		return err;
	begun = malloc(sizeof(*begun));
	if (!begun)
		return -ENOMEM;
	err = sync_part(buffer, part, DMA_BUF_SYNC_START);
	if (err < 0) {
		free(begun);
		/* All that could be wrong with the part has been looked at. */
		return err == -EINVAL || err == -ENOTTY ? -EOPNOTSUPP : err;
	}
	*begun = *part;
	begun->next = buffer->parts;
	buffer->parts = begun;
	return 0;
}

int dmaheap_buffer_begin_part(struct dmaheap_buffer *buffer, unsigned int access,
			      size_t offset, size_t size)
{
	struct part part = { .access = access, .offset = offset, .size = size };
	int err = part_begin(buffer, &part);

	return err ? access_failed(buffer, err, "begin an access to a part") : 0;
}

/* Where the list has it, or its end. */
static struct part **part_find(struct dmaheap_buffer *buffer, const struct part *part)
{
	struct part **at;

	for (at = &buffer->parts; *at; at = &(*at)->next)
		if ((*at)->access == part->access && (*at)->offset == part->offset &&
		    (*at)->size == part->size)
			break;
	return at;
}

static int part_end(struct dmaheap_buffer *buffer, const struct part *part)
{
	struct part **at, *begun;
	int err = part_check(buffer, part);

	if (err)
		return err;
	at = part_find(buffer, part);
	begun = *at;
	if (!begun)
		return -EPROTO;
	err = sync_part(buffer, begun, DMA_BUF_SYNC_END);
	if (err < 0)
		return err;
	*at = begun->next;
	free(begun);
	return 0;
}

int dmaheap_buffer_end_part(struct dmaheap_buffer *buffer, unsigned int access, size_t offset,
			    size_t size)
{
	struct part part = { .access = access, .offset = offset, .size = size };
	int err = part_end(buffer, &part);

	return err ? access_failed(buffer, err, "end an access to a part") : 0;
}

bool access_is_open(const struct dmaheap_buffer *buffer)
{
	return buffer->open[DMAHEAP_READ] || buffer->open[DMAHEAP_WRITE] ||
	       buffer->open[DMAHEAP_READ_WRITE] || buffer->parts;
}

void access_end_all(struct dmaheap_buffer *buffer)
{
	unsigned int access;
	struct part *part;

	for (access = DMAHEAP_READ; access <= DMAHEAP_READ_WRITE; access++)
		for (; buffer->open[access]; buffer->open[access]--)
			sync_all(buffer, access, DMA_BUF_SYNC_END);
	while ((part = buffer->parts)) {
		buffer->parts = part->next;
		sync_part(buffer, part, DMA_BUF_SYNC_END);
		free(part);
	}
}
