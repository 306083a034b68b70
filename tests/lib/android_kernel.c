// SPDX-License-Identifier: GPL-2.0-only
/* android_kernel.c: a kernel with heaps and ION, for tests of Android's interface. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dmaheap.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "../../lib/android/ion.h"
#include "android_kernel.h"

struct fake fake;

/* Protects the counters, of which threads that allocate share one kernel's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static char root[64];
static struct stat ion_stat;

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __real_dmaheap_new(struct dmaheap **context);
int __wrap_dmaheap_new(struct dmaheap **context);

static int fails(int err)
{
	if (!err)
		return 0;
	errno = err;
	return -1;
}

/* ---- files ---- */

int __wrap_dmaheap_new(struct dmaheap **context)
{
	int err = __real_dmaheap_new(context);

	return err ? err : dmaheap_set_root(*context, DMAHEAP_ROOT_DEV, root);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);

	return length >= wanted && !strcmp(text + length - wanted, end);
}

static int open_ion(int flags)
{
	char path[80];

	if (fake.ion == ION_NONE)
		return fails(ENOENT);
	snprintf(path, sizeof(path), "%s/ion", root);
	return __real_open64(path, flags);
}

static int open_node(int folder, const char *path, int flags, mode_t mode)
{
	if (!strcmp(path, ION_DEVICE))
		return open_ion(flags);
	if (ends_with(path, "/forbidden") && !(flags & O_PATH))
		return fails(EACCES);
	if (strstr(path, "/dma_heap/") && !(flags & O_PATH))
		__atomic_fetch_add(&fake.opens, 1, __ATOMIC_RELAXED);
	return __real_openat64(folder, path, flags, mode);
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
}

int __wrap_open64(const char *path, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = open_node(AT_FDCWD, path, flags, mode_of(flags, arguments));
	va_end(arguments);
	return fd;
}

int __wrap_openat64(int folder, const char *path, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = open_node(folder, path, flags, mode_of(flags, arguments));
	va_end(arguments);
	return fd;
}

int __wrap_access(const char *path, int mode)
{
	if (strcmp(path, ION_DEVICE))
		return __real_access(path, mode);
	return fake.ion == ION_NONE ? fails(ENOENT) : 0;
}

/* ---- buffers ---- */

static int new_buffer(size_t len)
{
	int fd = memfd_create("buffer", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (len + 4095) & ~4095UL))
		abort();
	return fd;
}

static int heap_ioctl(struct dma_heap_allocation_data *data)
{
	if (fails(fake.heap_error))
		return -1;
	if (!data->len || data->fd || data->fd_flags != (O_RDWR | O_CLOEXEC) ||
	    data->heap_flags)
		return fails(EINVAL);
	fake.len = data->len;
	fake.from_heaps++;
	data->fd = new_buffer(data->len);
	return 0;
}

static int buffer_ioctl(int fd, unsigned long request, const void *data)
{
	if (fd < 0)
		return fails(EBADF);
	if (request == DMA_BUF_SET_NAME_B) {
		snprintf(fake.name, sizeof(fake.name), "%s", (const char *)data);
		return 0;
	}
	if (request != DMA_BUF_IOCTL_SYNC)
		return fails(ENOTTY);
	fake.sync_flags = ((const struct dma_buf_sync *)data)->flags;
	return fails(fake.sync_error);
}

/* ---- ION ---- */

static int modern_alloc(struct ion_new_allocation_data *data)
{
	if (fails(fake.ion_error))
		return -1;
	fake.len = data->len;
	fake.mask = data->heap_id_mask;
	fake.flags = data->flags;
	fake.from_ion++;
	data->fd = new_buffer(data->len);
	return 0;
}

static int modern_query(struct ion_heap_query *query)
{
	static const struct ion_heap_data heaps[] = {
		{ .name = "beyond", .heap_id = 32 },
		{ .name = "ion_system_heap", .heap_id = 3 },
		{ .name = "camera", .heap_id = 5 },
	};
	size_t count = sizeof(heaps) / sizeof(heaps[0]);

	if (query->cnt < count)
		return fails(EINVAL);
	memcpy((void *)(uintptr_t)query->heaps, heaps, sizeof(heaps));
	query->cnt = count;
	return 0;
}

static int modern_ioctl(unsigned long request, void *data)
{
	if (request == ION_IOC_NEW_ALLOC)
		return modern_alloc(data);
	return request == ION_IOC_HEAP_QUERY ? modern_query(data) : fails(ENOTTY);
}

static int legacy_alloc(struct ion_allocation_data *data)
{
	if (fails(fake.ion_error))
		return -1;
	fake.len = data->len;
	fake.align = data->align;
	fake.mask = data->heap_id_mask;
	fake.flags = data->flags;
	fake.handles++;
	data->handle = 7;
	return 0;
}

static int legacy_free(const struct ion_handle_data *data)
{
	if (data->handle != 7)
		return fails(EINVAL);
	fake.handles--;
	return 0;
}

static int legacy_share(struct ion_fd_data *data)
{
	if (data->handle != 7 || fake.handles < 1)
		return fails(EINVAL);
	if (fails(fake.share_error))
		return -1;
	fake.from_ion++;
	data->fd = new_buffer(fake.len);
	return 0;
}

static int legacy_ioctl(unsigned long request, void *data)
{
	switch (request) {
	case ION_IOC_ALLOC: return legacy_alloc(data);
	case ION_IOC_FREE: return legacy_free(data);
	case ION_IOC_SHARE: return legacy_share(data);
	case ION_IOC_SYNC: fake.ion_syncs++; return fails(fake.sync_error);
	}
	return fails(ENOTTY);
}

static int any_ioctl(int fd, unsigned long request, void *data)
{
	if (fake.interrupts > 0 && fake.interrupts--)
		return fails(EINTR);
	if (fake_is_ion(fd))
		return (fake.ion == ION_LEGACY ? legacy_ioctl : modern_ioctl)(request, data);
	if (request == DMA_HEAP_IOCTL_ALLOC)
		return heap_ioctl(data);
	if (_IOC_TYPE(request) == 'b')
		return buffer_ioctl(fd, request, data);
	return __real_ioctl(fd, request, data);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *data;
	int result;

	va_start(arguments, request);
	data = va_arg(arguments, void *);
	va_end(arguments);
	pthread_mutex_lock(&lock);
	result = any_ioctl(fd, request, data);
	pthread_mutex_unlock(&lock);
	return result;
}

bool fake_is_ion(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == ion_stat.st_ino && st.st_dev == ion_stat.st_dev;
}

/* ---- starting and stopping ---- */

static void add_heap(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/dma_heap/%s", root, name);
	if (symlink("/dev/null", path))
		abort();
}

static void add_ion(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/ion", root);
	close(__real_open64(path, O_CREAT | O_RDONLY, 0600));
	if (stat(path, &ion_stat))
		abort();
}

void fake_start(enum fake_ion ion, const char *const *heaps)
{
	char path[80];

	memset(&fake, 0, sizeof(fake));
	fake.ion = ion;
	strcpy(root, "/tmp/android.XXXXXX");
	if (!mkdtemp(root))
		abort();
	add_ion();
	if (!heaps)
		return;
	snprintf(path, sizeof(path), "%s/dma_heap", root);
	if (mkdir(path, 0700))
		abort();
	for (; *heaps; heaps++)
		add_heap(*heaps);
}

void fake_stop(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -r %s", root);
	if (system(command))
		abort();
}

#ifdef ANDROID_KERNEL_FROM_ENVIRONMENT
/* For programs that know nothing of it: by $ION, which is "modern" or "legacy" if there is ION. */
__attribute__((constructor)) static void start_from_environment(void)
{
	static const char *const heaps[] = { "system", "system-uncached", NULL };
	const char *ion = getenv("ION");

	if (!ion)
		fake_start(ION_NONE, heaps);
	else
		fake_start(strcmp(ion, "legacy") ? ION_MODERN : ION_LEGACY, NULL);
	atexit(fake_stop);
}
#endif
