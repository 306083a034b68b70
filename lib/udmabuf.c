// SPDX-License-Identifier: LGPL-2.1-or-later
/* Buffers without a heap: udmabuf makes one of a memfd. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/udmabuf.h>

#include "private.h"

#define STEP "allocate"

/* Memory that cannot shrink, which is what udmabuf insists on. */
static int memory_new(size_t size)
{
	int err, fd = memfd_create("dmaheap", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, (off_t)size) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int create_failed(struct dmaheap *context, int err, size_t size)
{
	if (err == -EINVAL)
		return context_fail_because(
			context, err,
			"perhaps more than udmabuf's parameters size_limit_mb and list_limit allow",
			STEP, "%zu bytes of udmabuf", size);
	return context_fail(context, err, STEP, "%zu bytes of udmabuf", size);
}

static int create(struct dmaheap *context, int device, size_t size)
{
	struct udmabuf_create data = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int fd, memory = memory_new(size);

	if (memory < 0)
		return context_fail(context, memory, STEP, "%zu bytes of a memfd", size);
	data.memfd = (__u32)memory;
	fd = ioctl_patiently(device, UDMABUF_CREATE, &data);
	close(memory);
	return fd < 0 ? create_failed(context, fd, size) : fd;
}

static int open_failed(struct dmaheap *context, int err)
{
	const char *dev = context->roots[DMAHEAP_ROOT_DEV];

	if (err == -ENOENT)
		return context_fail_because(context, err,
					    "there is none; try \"modprobe udmabuf\"", "open",
					    "%s/udmabuf", dev);
	return context_fail(context, err, "open", "%s/udmabuf", dev);
}

static int open_device(struct dmaheap *context)
{
	char *path = context_path(context, DMAHEAP_ROOT_DEV, "udmabuf");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	int err = path ? -errno : -ENOMEM;

	free(path);
	return fd < 0 ? open_failed(context, err) : fd;
}

int udmabuf_allocate(struct dmaheap *context, const struct dmaheap_request *request,
		     struct dmaheap_buffer **buffer)
{
	int fd, device;

	if (request->access && request->access != DMAHEAP_READ_WRITE)
		return context_fail_because(context, -EOPNOTSUPP,
					    "its buffers can always be read and written", STEP,
					    "udmabuf");
	device = open_device(context);
	if (device < 0)
		return device;
	fd = create(context, device, request_pages(request));
	close(device);
	if (fd < 0)
		return fd;
	return buffer_adopt(context, fd, NULL, DMAHEAP_ORIGIN_UDMABUF, request->name, buffer);
}
