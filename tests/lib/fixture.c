// SPDX-License-Identifier: GPL-2.0-only
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/magic.h>
#include <linux/udmabuf.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE 4096UL

/* ---- the kernel ---- */

struct failure {
	const char *object;
	unsigned long call;
	int err;
	unsigned int times;
};

static struct {
	struct failure failures[16];
	size_t failures_count;
	struct {
		unsigned long call;
		unsigned int times;
	} calls[32];
	/* Of each fd of a heap, its name. */
	char heaps[256][32];
	/* Inodes of memfds that pass as dma-bufs. */
	ino_t buffers[64];
	size_t buffers_count;
	uint64_t sync_flags;
	uint32_t fd_flags;
	int poll_result;
	const char *room;
	size_t room_size;
	unsigned int memory_left;
	bool memory_failed;
} kernel;

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_fstatfs64(int fd, struct statfs *fs);
int __wrap_fstatfs64(int fd, struct statfs *fs);
void *__real_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __real_faccessat(int dir, const char *path, int mode, int flags);
int __wrap_faccessat(int dir, const char *path, int mode, int flags);
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *header, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *header, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *header, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *header, int flags);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
int __real_vasprintf(char **text, const char *format, va_list args);
int __wrap_vasprintf(char **text, const char *format, va_list args);
int __wrap_asprintf(char **text, const char *format, ...);
char *__real_realpath(const char *path, char *buffer);
char *__wrap_realpath(const char *path, char *buffer);

void kernel_fail(const char *object, unsigned long call, int err, unsigned int times)
{
	assert_true(kernel.failures_count < NR(kernel.failures));
	kernel.failures[kernel.failures_count++] =
		(struct failure){ .object = object, .call = call, .err = err, .times = times };
}

static void count_call(unsigned long call)
{
	size_t i;

	for (i = 0; i < NR(kernel.calls); i++) {
		if (kernel.calls[i].call && kernel.calls[i].call != call)
			continue;
		kernel.calls[i].call = call;
		kernel.calls[i].times++;
		return;
	}
}

unsigned int kernel_calls(unsigned long call)
{
	size_t i;

	for (i = 0; i < NR(kernel.calls); i++)
		if (kernel.calls[i].call == call)
			return kernel.calls[i].times;
	return 0;
}

/* Whether a call is to fail; then errno says how. */
static bool fails(const char *object, unsigned long call)
{
	struct failure *failure = kernel.failures;

	count_call(call);
	for (; failure < kernel.failures + kernel.failures_count; failure++) {
		if (!failure->times || failure->call != call)
			continue;
		if (failure->object && (!object || strcmp(failure->object, object)))
			continue;
		failure->times--;
		errno = failure->err;
		return true;
	}
	return false;
}

uint64_t kernel_sync_flags(void)
{
	return kernel.sync_flags;
}

uint32_t kernel_fd_flags(void)
{
	return kernel.fd_flags;
}

void kernel_poll(int result)
{
	kernel.poll_result = result;
}

static bool is_buffer(int fd)
{
	struct stat st;
	size_t i;

	if (fstat(fd, &st))
		return false;
	for (i = 0; i < kernel.buffers_count; i++)
		if (kernel.buffers[i] == st.st_ino)
			return true;
	return false;
}

int kernel_buffer(size_t size)
{
	int fd = __real_memfd_create("dma-buf", MFD_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)((size + PAGE - 1) & ~(PAGE - 1))), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(kernel.buffers_count < NR(kernel.buffers));
	kernel.buffers[kernel.buffers_count++] = st.st_ino;
	return fd;
}

/* The name of a heap, or "udmabuf", that a path leads to; NULL: neither. */
static const char *object_of_path(const char *path)
{
	const char *heap = strstr(path, "/dma_heap/"), *name = strrchr(path, '/');

	if (heap)
		return heap + strlen("/dma_heap/");
	return name && !strcmp(name, "/udmabuf") ? "udmabuf" : NULL;
}

int __wrap_open64(const char *path, int flags, ...)
{
	const char *object = object_of_path(path);
	struct stat st;
	va_list args;
	mode_t mode = 0;
	int fd;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	if (!object || (flags & O_CREAT))
		return __real_open64(path, flags, mode);
	if (fails(object, CALL_OPEN) || stat(path, &st))
		return -1;
	/* An empty file stands for a node; one that has something in it stays a file. */
	fd = __real_open64(st.st_size ? path : "/dev/null", flags);
	assert_in_range(fd, 0, NR(kernel.heaps) - 1);
	snprintf(kernel.heaps[fd], sizeof(kernel.heaps[fd]), "%s", object);
	return fd;
}

static int do_allocate(struct dma_heap_allocation_data *data)
{
	assert_int_equal(data->fd, 0);
	assert_int_equal(data->heap_flags, 0);
	kernel.fd_flags = data->fd_flags;
	data->fd = (uint32_t)kernel_buffer(data->len);
	return 0;
}

static int do_export(struct dma_buf_export_sync_file *data)
{
	data->fd = __real_open64("/dev/null", O_RDONLY | O_CLOEXEC);
	return data->fd < 0 ? -1 : 0;
}

static int do_udmabuf(const struct udmabuf_create *data)
{
	assert_int_equal(fcntl((int)data->memfd, F_GET_SEALS) & F_SEAL_SHRINK, F_SEAL_SHRINK);
	assert_int_equal(data->size % PAGE, 0);
	return kernel_buffer(data->size);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *data;

	va_start(args, request);
	data = va_arg(args, void *);
	va_end(args);
	if (request == DMA_BUF_IOCTL_SYNC)
		kernel.sync_flags = ((struct dma_buf_sync *)data)->flags;
	if (request == DMA_HEAP_IOCTL_SYNC)
		kernel.sync_flags = ((struct dma_heap_sync_data *)data)->flags;
	assert_in_range(fd, 0, NR(kernel.heaps) - 1);
	if (fails(is_buffer(fd) ? "buffer" : kernel.heaps[fd], request))
		return -1;
	switch (request) {
	case DMA_HEAP_IOCTL_ALLOC: return do_allocate(data);
	case DMA_BUF_IOCTL_EXPORT_SYNC_FILE: return do_export(data);
	case UDMABUF_CREATE: return do_udmabuf(data);
	default: return 0;
	}
}

int __wrap_fstatfs64(int fd, struct statfs *fs)
{
	int result = __real_fstatfs64(fd, fs);

	if (!result && is_buffer(fd))
		fs->f_type = DMA_BUF_MAGIC;
	return result;
}

void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	if (fails(fd < 0 ? "nothing" : "buffer", CALL_MMAP))
		return MAP_FAILED;
	at = __real_mmap64(at, size, prot, flags, fd, offset);
	if (fd < 0) {
		kernel.room = at;
		kernel.room_size = size;
	}
	return at;
}

size_t kernel_room(const char **start)
{
	*start = kernel.room;
	return kernel.room_size;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	if (fails(NULL, CALL_POLL))
		return -1;
	return kernel.poll_result >= 0 ? kernel.poll_result : __real_poll(fds, count, timeout);
}

int __wrap_faccessat(int dir, const char *path, int mode, int flags)
{
	return fails(object_of_path(path), CALL_ACCESS) ?
		       -1 :
		       __real_faccessat(dir, path, mode, flags);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	return fails(NULL, CALL_MEMFD) ? -1 : __real_memfd_create(name, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *header, int flags)
{
	return fails(NULL, CALL_SEND) ? -1 : __real_sendmsg(fd, header, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *header, int flags)
{
	return fails(NULL, CALL_RECEIVE) ? -1 : __real_recvmsg(fd, header, flags);
}

/* ---- memory ---- */

void memory_fail(unsigned int nth)
{
	kernel.memory_left = nth;
	kernel.memory_failed = false;
}

bool memory_has_failed(void)
{
	return kernel.memory_failed;
}

static bool no_memory(void)
{
	if (!kernel.memory_left || --kernel.memory_left)
		return false;
	kernel.memory_failed = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return no_memory() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
	return no_memory() ? NULL : __real_strdup(text);
}

int __wrap_vasprintf(char **text, const char *format, va_list args)
{
	return no_memory() ? -1 : __real_vasprintf(text, format, args);
}

int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = __wrap_vasprintf(text, format, args);
	va_end(args);
	return length;
}

char *__wrap_realpath(const char *path, char *buffer)
{
	return no_memory() ? NULL : __real_realpath(path, buffer);
}

void memory_sweep(int (*run)(void *data), void *data)
{
	unsigned int nth, fds = count_fds();
	int err;

	for (nth = 1;; nth++) {
		memory_fail(nth);
		err = run(data);
		if (!memory_has_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(count_fds(), fds);
	}
	memory_fail(0);
	assert_int_equal(err, 0);
	assert_true(nth > 1);
}

/* ---- the folder ---- */

static char *path_of(const struct fixture *fixture, const char *path, char *full)
{
	assert_true(snprintf(full, 256, "%s/%s", fixture->root, path) < 256);
	return full;
}

/* All folders above it. */
static void make_parents(const char *full)
{
	char path[256], *slash = path;

	snprintf(path, sizeof(path), "%s", full);
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		assert_true(!mkdir(path, 0755) || errno == EEXIST);
		*slash = '/';
	}
}

void fixture_write(const struct fixture *fixture, const char *path, const char *text)
{
	char full[256];
	FILE *file;

	make_parents(path_of(fixture, path, full));
	file = fopen(full, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

void fixture_folder(const struct fixture *fixture, const char *path)
{
	char full[256];

	make_parents(path_of(fixture, path, full));
	assert_true(!mkdir(full, 0755) || errno == EEXIST);
}

void fixture_link(const struct fixture *fixture, const char *path, const char *to)
{
	char full[256];

	make_parents(path_of(fixture, path, full));
	assert_int_equal(symlink(to, full), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void fixture_remove(const struct fixture *fixture, const char *path)
{
	char full[256];

	nftw(path_of(fixture, path, full), remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void fixture_heap(const struct fixture *fixture, const char *name, enum dmaheap_origin origin)
{
	char path[128];

	snprintf(path, sizeof(path), "dev/dma_heap/%s", name);
	fixture_write(fixture, path, "");
	snprintf(path, sizeof(path), "sys/class/dma_heap/%s%s", name,
		 origin == DMAHEAP_ORIGIN_DMAHEAP ? "/cache" : "");
	if (origin != DMAHEAP_ORIGIN_UNKNOWN)
		fixture_folder(fixture, path);
}

struct dmaheap_heap *fixture_open(const struct fixture *fixture, const char *name)
{
	struct dmaheap_heap *heap = NULL;

	assert_int_equal(dmaheap_open(fixture->context, name, &heap), 0);
	assert_non_null(heap);
	return heap;
}

struct dmaheap_buffer *fixture_buffer(const struct fixture *fixture)
{
	struct dmaheap_request request = { .size = PAGE };
	struct dmaheap_buffer *buffer = NULL;
	struct dmaheap_heap *heap;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	heap = fixture_open(fixture, "system");
	assert_int_equal(dmaheap_allocate(heap, &request, &buffer), 0);
	dmaheap_close(heap);
	return buffer;
}

static void set_roots(const struct fixture *fixture)
{
	static const char *const names[] = { "dev", "sys", "sys/kernel/debug", "proc", "etc" };
	char path[256];
	size_t i;

	for (i = 0; i < NR(names); i++)
		assert_int_equal(dmaheap_set_root(fixture->context, (enum dmaheap_root)i,
						  path_of(fixture, names[i], path)),
				 0);
}

int fixture_setup(void **state)
{
	struct fixture *fixture = __real_calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	memset(&kernel, 0, sizeof(kernel));
	kernel.poll_result = -1;
	unsetenv("DMAHEAP_HEAPS");
	strcpy(fixture->root, "/tmp/dmaheap-test.XXXXXX");
	assert_non_null(mkdtemp(fixture->root));
	assert_int_equal(dmaheap_new(&fixture->context), 0);
	set_roots(fixture);
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	memory_fail(0);
	dmaheap_free(fixture->context);
	fixture_remove(fixture, "");
	free(fixture);
	return 0;
}

unsigned int count_fds(void)
{
	unsigned int count = 0;
	int fd;

	for (fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}
