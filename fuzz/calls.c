// SPDX-License-Identifier: GPL-2.0-only
/* What an input can do: the calls, and where they take their arguments from. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "../kernel/test/test.h"
#include "fuzz.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_HEAPS 32
/* So few that calls meet what others have made. */
#define MAX_FDS 6
#define MAX_DEVICES 3
#define MAX_MAPS 4
#define MAX_FILES 128
#define SIZE_MAX_SANE (8ULL << 20) /* mostly: so that calls are many, and memory lasts */

static int heaps[MAX_HEAPS], nr_heaps;
static char heap_names[MAX_HEAPS][64];
/* Of sysfs and debugfs, to be read and written: first those of all heaps together. */
static int files[MAX_FILES], nr_files, nr_common_files;
static int fds[MAX_FDS]; /* buffers and sync files */
static int devices[MAX_DEVICES];
static struct map {
	char *bytes;
	size_t len;
} maps[MAX_MAPS];
static struct dma_heap_sync_data part; /* that was begun last */
static _Thread_local char *memory_end; /* behind it there is none, and before it some */
static _Thread_local sigjmp_buf after_fault;

/* ---- what there is to begin with ---- */

/* Where the kernel has heaps of its own, that class is theirs; what they do is not asked here. */
static const char *class_of_ours(void)
{
	return access("/sys/class/dmaheap", F_OK) ? "/sys/class/dma_heap" :
						    "/sys/class/dmaheap";
}

static void open_heaps(void)
{
	DIR *dir = opendir(class_of_ours());
	struct dirent *entry;
	char path[300];

	while (dir && (entry = readdir(dir)) && nr_heaps < MAX_HEAPS) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/dev/dma_heap/%s", entry->d_name);
		heaps[nr_heaps] = open(path, O_RDWR | O_CLOEXEC);
		if (heaps[nr_heaps] >= 0)
			snprintf(heap_names[nr_heaps++], sizeof(heap_names[0]), "%.63s",
				 entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static void open_file(const char *path)
{
	static const int ways[] = { O_RDWR, O_WRONLY, O_RDONLY }; /* whatever it allows */
	int fd = -1;
	size_t i;

	for (i = 0; i < LENGTH(ways) && fd < 0 && nr_files < MAX_FILES; i++)
		fd = open(path, ways[i] | O_CLOEXEC);
	if (fd >= 0)
		files[nr_files++] = fd;
}

static void open_common_files(void)
{
	static const char *const names[] = {
		"/sys/module/dmaheap_core/parameters/pool_max",
		"/sys/module/dmaheap_core/parameters/charge",
		"/sys/module/dmaheap_core/parameters/check",
		"/sys/kernel/debug/dmaheap/buffers",
		"/sys/kernel/debug/dmaheap/lingering",
		"/sys/kernel/debug/dmaheap/mistakes",
		"/sys/kernel/debug/tracing/events/dmaheap/enable",
		"/proc/sys/vm/drop_caches",
	};
	size_t i;

	for (i = 0; i < LENGTH(names); i++)
		open_file(names[i]);
	nr_common_files = nr_files;
}

static void open_files_of_heaps(void)
{
	static const char *const names[] = { "pool/fill",	    "pool/drain",
					     "pool/clean_bytes",    "pool/dirty_bytes",
					     "pool/hit_bytes",	    "cache/cleaned_bytes",
					     "cache/skipped_bytes", "user_max" };
	const char *class = class_of_ours();
	DIR *dir = opendir(class);
	struct dirent *entry;
	char path[400];
	size_t i;

	while (dir && (entry = readdir(dir)))
		for (i = 0; entry->d_name[0] != '.' && i < LENGTH(names); i++) {
			snprintf(path, sizeof(path), "%s/%s/%s", class, entry->d_name,
				 names[i]);
			open_file(path);
		}
	if (dir)
		closedir(dir);
}

static void make_memory(void)
{
	const size_t len = 1 << _IOC_SIZEBITS;
	char *memory = mmap(NULL, 2 * len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	if (memory == MAP_FAILED || mprotect(memory + len, len, PROT_NONE)) {
		perror("fuzz: mmap");
		exit(1);
	}
	memory_end = memory + len;
}

bool calls_prepare(void)
{
	int i;

	for (i = 0; i < MAX_FDS; i++)
		fds[i] = -1;
	for (i = 0; i < MAX_DEVICES; i++)
		devices[i] = -1;
	open_heaps();
	open_common_files();
	open_files_of_heaps();
	return nr_heaps > 0;
}

/* ---- arguments ---- */

static uint64_t take(struct input *input, uint64_t limit)
{
	return input_take(input, limit > 256 ? 2 : 1) % limit;
}

/* Numbers that are likely to be taken wrongly, and others. */
static uint64_t take_number(struct input *input)
{
	static const uint64_t edges[] = {
		0,	    1,		4095,
		4096,	    4097,	65536,
		1 << 20,    2 << 20,	(2 << 20) + 4096,
		0x7fffffff, 0x80000000, 0xffffffff,
		1ULL << 32, 1ULL << 47, INT64_MAX,
		1ULL << 63, UINT64_MAX, UINT64_MAX - 4095,
	};
	uint64_t kind = take(input, 8);

	if (kind < 3)
		return edges[take(input, LENGTH(edges))];
	if (kind < 6)
		return take(input, 1 << 14) * 4096 + (kind == 5 ? take(input, 4096) : 0);
	return input_take(input, 8);
}

/* Mostly a number below that; for once, any. */
static uint64_t take_below(struct input *input, uint64_t limit)
{
	unsigned int bytes = limit > 256 ? 2 : 1;
	uint64_t number = input_take(input, bytes);

	return number >> (8 * bytes - 4) == 15 ? take_number(input) : number % limit;
}

/* What could be had, but would take minutes on a slow kernel, is less; what is refused is as it was. */
static uint64_t not_too_long(uint64_t size)
{
	return size >= 128ULL << 20 && size < 2560ULL << 20 ? size % (128ULL << 20) : size;
}

static uint64_t take_size(struct input *input)
{
	uint64_t size = not_too_long(take_number(input));

	/* Mostly such that there are, and that do not take long. */
	return take(input, 16) ? size % SIZE_MAX_SANE : size;
}

/* One of those there are, mostly. */
static int take_fd(struct input *input, const int *from, int nr)
{
	uint64_t kind = take(input, 16);

	if (kind == 0)
		return (int)take_number(input);
	if (kind == 1)
		return heaps[take(input, nr_heaps)];
	return from[take(input, nr)];
}

static int *slot(struct input *input, int *from, int nr)
{
	return &from[take(input, nr)];
}

static void drop(int *where)
{
	if (*where > 2)
		close(*where);
	*where = -1;
}

/* What was there goes; 0 and up are the standard files, which stay. */
static void put(int *where, int fd)
{
	if (fd < 3)
		return;
	drop(where);
	*where = fd;
}

/* What a slot has; if nothing, what most calls can do something with. */
static int have_buffer(struct input *input)
{
	struct dma_heap_allocation_data data = { .len = 300 << 10,
						 .fd_flags = O_RDWR | O_CLOEXEC };
	int *where = slot(input, fds, MAX_FDS);

	if (*where < 0 && !ioctl(heaps[take(input, nr_heaps)], DMA_HEAP_IOCTL_ALLOC, &data))
		put(where, data.fd);
	return *where;
}

static int have_device(struct input *input)
{
	struct dmaheap_test_device data = { .mask_bits = 64 };
	int *where = slot(input, devices, MAX_DEVICES);

	if (*where < 0)
		put(where, open(DMAHEAP_TEST_NODE, O_RDWR | O_CLOEXEC));
	ioctl(*where, DMAHEAP_TEST_DEVICE, &data);
	return *where;
}

/*
 * Mostly as it is; or as of one whose structure is shorter or longer than ours, as the number says, and
 * ends where memory does, or a byte before.
 */
static int call_heap(struct input *input, int heap, unsigned long number, void *data)
{
	static const unsigned int sizes[] = { 0,  8,  11, 12, 13,   16,
					      23, 31, 32, 33, 4096, _IOC_SIZEMASK };
	unsigned int size, own = _IOC_SIZE(number);
	char *bytes;
	int err;

	if (take(input, 8))
		return ioctl(heap, number, data);
	if (!memory_end)
		make_memory();
	size = sizes[take(input, LENGTH(sizes))];
	own = own < size ? own : size;
	bytes = memory_end - size;
	memcpy(bytes, data, own);
	err = ioctl(heap, _IOC(_IOC_DIR(number), _IOC_TYPE(number), _IOC_NR(number), size),
		    bytes + take(input, 2));
	memcpy(data, bytes, own);
	return err;
}

/* ---- calls ---- */

static void do_allocate(struct input *input)
{
	struct dma_heap_allocation_data data = {
		.len = take_size(input),
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	uint64_t odd = take(input, 8);

	if (odd == 0)
		data.fd_flags = take_number(input);
	if (odd == 1)
		data.heap_flags = take_number(input);
	if (odd == 2)
		data.fd = take_number(input);
	if (!call_heap(input, heaps[take(input, nr_heaps)], DMA_HEAP_IOCTL_ALLOC, &data))
		put(slot(input, fds, MAX_FDS), data.fd);
}

/* Any number and size, and a pointer that may lead nowhere. */
static void do_any_ioctl(struct input *input)
{
	static const unsigned char types[] = { 'H', 'b', 'T', '>' };
	uint64_t argument[16];
	unsigned int number = _IOC(take(input, 4), types[take(input, 4)], take(input, 256),
				   take(input, 4) ? take(input, 128) : take(input, 1 << 14));
	bool to_device = take(input, 2);
	size_t i;

	for (i = 0; i < 16; i++)
		argument[i] = i < 6 ? take_number(input) : 0;
	ioctl(to_device ? take_fd(input, devices, MAX_DEVICES) : take_fd(input, fds, MAX_FDS),
	      number, take(input, 8) ? (void *)argument : (void *)take_number(input));
}

/* Mostly a page or some of a buffer, and the end of what was begun: else all is refused. */
static void do_sync_part(struct input *input)
{
	struct dma_heap_sync_data data = part;
	uint64_t kind = take(input, 8);

	if (!kind)
		data = (struct dma_heap_sync_data){
			.fd = take_fd(input, fds, MAX_FDS),
			.flags = take_number(input),
			.offset = take_number(input),
			.len = take_number(input),
			.pad = take(input, 2),
		};
	else if (kind < 5)
		data = (struct dma_heap_sync_data){
			.fd = have_buffer(input),
			.flags = DMA_BUF_SYNC_START | (1 + take(input, 3)),
			.offset = take(input, 80) * 4096,
			.len = 1 + take(input, 1 << 14),
		};
	else
		data.flags |= DMA_BUF_SYNC_END;
	if (!call_heap(input, heaps[take(input, nr_heaps)], DMA_HEAP_IOCTL_SYNC, &data))
		part = data;
}

static void do_sync(struct input *input)
{
	struct dma_buf_sync sync = {
		.flags = take(input, 8) ? take(input, 8) : take_number(input),
	};

	ioctl(take_fd(input, fds, MAX_FDS), DMA_BUF_IOCTL_SYNC, &sync);
}

static void do_name(struct input *input)
{
	char name[64];
	size_t i;

	for (i = 0; i < sizeof(name); i++)
		name[i] = input_take(input, 1);
	ioctl(take_fd(input, fds, MAX_FDS), DMA_BUF_SET_NAME, name);
}

static void do_fence(struct input *input)
{
	struct dma_buf_export_sync_file data = { .flags = take_below(input, 5), .fd = -1 };
	int buffer = take_fd(input, fds, MAX_FDS);

	if (take(input, 2)) {
		data.fd = take_fd(input, fds, MAX_FDS);
		ioctl(buffer, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &data);
	} else if (!ioctl(buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &data)) {
		put(slot(input, fds, MAX_FDS), data.fd);
	}
}

static struct map *take_map(struct input *input)
{
	return &maps[take(input, MAX_MAPS)];
}

static void drop_map(struct map *map)
{
	if (map->bytes)
		munmap(map->bytes, map->len);
	map->bytes = NULL;
}

/* An address that large pages fit at, where nothing else is. */
static char *take_address(struct input *input)
{
	return (char *)(0x100000000000 + take(input, 64) * (1UL << 21));
}

/* At such an address, or any. */
static void do_mmap(struct input *input)
{
	static const int flags[] = { MAP_SHARED, MAP_SHARED, MAP_SHARED | MAP_POPULATE,
				     MAP_PRIVATE };
	struct map *map = take_map(input);
	size_t len = take_size(input);
	int fd = take_fd(input, fds, MAX_FDS), flag = flags[take(input, 4)];
	char *hint = take(input, 2) ? NULL : take_address(input);
	off_t offset = take(input, 2) ? 0 : (off_t)take_number(input);
	char *bytes = mmap(hint, len, take(input, 8), flag, fd, offset);

	if (bytes == MAP_FAILED)
		return;
	drop_map(map);
	*map = (struct map){ bytes, len };
}

static void do_munmap(struct input *input)
{
	struct map *map = take_map(input);
	size_t from, len;

	if (!map->bytes)
		return;
	if (take(input, 2)) {
		drop_map(map);
		return;
	}
	/* A part of it: the rest is still there, and touching it is a fault to be caught. */
	from = take_number(input) % map->len & ~4095UL;
	len = take_number(input) % map->len;
	munmap(map->bytes + from, len < map->len - from ? len : map->len - from);
}

/* Elsewhere, what lies behind a place of it too, with its length or another; what stays is as it was. */
static void move(struct input *input, struct map *map, size_t from)
{
	char *to = take_address(input), *moved;
	size_t len = take(input, 4) ? map->len - from : take_size(input);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	if (!take(input, 4))
		flags |= MREMAP_DONTUNMAP;
	moved = mremap(map->bytes + from, map->len - from, len, flags, to);
	if (moved == MAP_FAILED)
		return;
	/* What another slot has there is gone: touching it finds this one. */
	if (from)
		munmap(map->bytes, from);
	*map = (struct map){ moved, len };
}

static void do_change_map(struct input *input)
{
	static const int advices[] = { MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
				       MADV_DONTFORK, MADV_WILLNEED, MADV_COLD,
				       MADV_PAGEOUT };
	struct map *map = take_map(input);
	size_t from, len;

	if (!map->bytes)
		return;
	from = take_number(input) % map->len & ~4095UL;
	len = 1 + take_number(input) % (map->len - from);
	switch (take(input, 3)) {
	case 0: mprotect(map->bytes + from, len, take(input, 8)); break;
	case 1: madvise(map->bytes + from, len, advices[take(input, 7)]); break;
	default: move(input, map, from);
	}
}

static void on_fault(int signal)
{
	siglongjmp(after_fault, signal);
}

static void do_touch(struct input *input)
{
	const struct map *map = take_map(input);
	bool write = take(input, 2);
	size_t at, step = 4096ULL << take(input, 10);

	if (!map->bytes || sigsetjmp(after_fault, 1))
		return;
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	for (at = take(input, 4096); at < map->len; at += step)
		if (write)
			((volatile char *)map->bytes)[at] = 1;
		else
			(void)((volatile char *)map->bytes)[at];
}

/* The kernel's own hands in a mapping. */
static void do_pin(struct input *input)
{
	const struct map *map = take_map(input);
	struct iovec piece = { map->bytes, map->len };
	int ends[2];

	if (!map->bytes || pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return;
	vmsplice(ends[1], &piece, 1, SPLICE_F_NONBLOCK);
	/* Held for some time. */
	put(slot(input, fds, MAX_FDS), ends[0]);
	close(ends[1]);
}

static void do_file(struct input *input)
{
	int fd = take_fd(input, fds, MAX_FDS);
	struct pollfd waits = { .fd = fd, .events = POLLIN | POLLOUT };
	char bytes[64];

	switch (take(input, 6)) {
	case 0: lseek(fd, (off_t)take_number(input), take(input, 4)); break;
	case 1: (void)!read(fd, bytes, sizeof(bytes)); break;
	case 2: (void)!ftruncate(fd, (off_t)take_number(input)); break;
	case 3: poll(&waits, 1, 0); break;
	case 4: put(slot(input, fds, MAX_FDS), fcntl(fd, F_DUPFD_CLOEXEC, 3)); break;
	default: put(slot(input, fds, MAX_FDS), dup(heaps[take(input, nr_heaps)]));
	}
}

static void do_close(struct input *input)
{
	drop(take(input, 4) ? slot(input, fds, MAX_FDS) : slot(input, devices, MAX_DEVICES));
}

static void do_device(struct input *input)
{
	static const uint32_t masks[] = { 64, 64, 40, 36, 32, 31, 30, 24 };
	uint64_t mask = take_below(input, LENGTH(masks));
	struct dmaheap_test_device data = {
		.mask_bits = mask < LENGTH(masks) ? masks[mask] : mask,
		.coherency = take_below(input, 4),
		.max_segment = take(input, 2) ? 0 : take_number(input),
		.boundary = take(input, 4) ? 0 : take_number(input),
	};
	int device = open(DMAHEAP_TEST_NODE, O_RDWR | O_CLOEXEC);

	if (mask >= LENGTH(masks))
		data.bus = take_below(input, 2);
	if (device >= 0 && !ioctl(device, DMAHEAP_TEST_DEVICE, &data))
		put(slot(input, devices, MAX_DEVICES), device);
	else if (device >= 0)
		close(device);
}

/* Mostly mapped at once: little happens to what is only attached. */
static void do_attach(struct input *input)
{
	struct dmaheap_test_attach attach = { .fd = have_buffer(input) };
	struct dmaheap_test_map map = { .direction = take_below(input, 3) };
	uint64_t kind = take(input, 8);
	int device = have_device(input);

	if (ioctl(device, DMAHEAP_TEST_ATTACH, &attach) || kind < 2)
		return;
	if (kind == 2)
		ioctl(device, DMAHEAP_TEST_REQUIRE_CONTIGUOUS, &attach.id);
	map.id = attach.id;
	ioctl(device, DMAHEAP_TEST_MAP, &map);
}

static void do_job(struct input *input)
{
	static const unsigned long calls[] = { DMAHEAP_TEST_DETACH, DMAHEAP_TEST_MAP,
					       DMAHEAP_TEST_MAP,    DMAHEAP_TEST_UNMAP,
					       DMAHEAP_TEST_BEGIN,  DMAHEAP_TEST_END };
	/* Each begins with a number and a direction. */
	struct dmaheap_test_map map = {
		.id = take_below(input, 4),
		.direction = take_below(input, 4),
	};

	ioctl(take_fd(input, devices, MAX_DEVICES), calls[take(input, 6)], &map);
}

static void do_device_access(struct input *input)
{
	static char bytes[8192];
	struct dmaheap_test_access data = {
		.id = take_below(input, 4),
		.write = take(input, 2),
		.offset = take_number(input),
		.len = take(input, 8) ? take(input, sizeof(bytes)) : take_number(input),
		.bytes = (uintptr_t)bytes,
	};

	/* No more than there is room for is written to us; or nowhere. */
	if (data.len > sizeof(bytes))
		data.bytes = 0;
	ioctl(take_fd(input, devices, MAX_DEVICES), DMAHEAP_TEST_ACCESS, &data);
}

static void do_vmap(struct input *input)
{
	static char bytes[8192];
	struct dmaheap_test_vmap data = {
		.fd = take_fd(input, fds, MAX_FDS),
		.flags = take(input, 5),
		.offset = take_number(input),
		.len = take_below(input, sizeof(bytes)),
		.bytes = (uintptr_t)bytes,
	};
	int32_t fd = data.fd;
	int device = take_fd(input, devices, MAX_DEVICES);

	/* No more than there is room for is written to us; or nowhere. */
	if (data.len > sizeof(bytes))
		data.bytes = 0;
	switch (take(input, 6)) {
	case 0: ioctl(device, DMAHEAP_TEST_KEEP_VMAP, &fd); break;
	case 1: ioctl(device, DMAHEAP_TEST_LEAVE_OPEN, &fd); break;
	default: ioctl(device, DMAHEAP_TEST_VMAP, &data);
	}
}

/* What only looks, or moves what caches would hold. */
static void do_look(struct input *input)
{
	union {
		struct dmaheap_test_name name;
		struct dmaheap_test_witness witness;
		uint64_t number;
	} data = { .number = take_number(input) };
	int32_t fd = take_fd(input, fds, MAX_FDS);
	int device = take_fd(input, devices, MAX_DEVICES);

	switch (take(input, 8)) {
	case 0: ioctl(device, DMAHEAP_TEST_UNCACHED, &data); break;
	case 1: ioctl(device, DMAHEAP_TEST_WITNESS, &data); break;
	case 2:
	case 3: ioctl(device, DMAHEAP_TEST_NAME, &data); break;
	case 4:
	case 5: ioctl(device, DMAHEAP_TEST_SHADOW, &fd); break;
	default: ioctl(device, DMAHEAP_TEST_EVICT, &data);
	}
}

/* Of heaps that come and go: mostly such that they meet. */
static void take_name(struct input *input, char name[64])
{
	uint64_t kind = take_below(input, 3), len, i;

	memset(name, 0, 64);
	if (kind < 3) {
		snprintf(name, 64, "fuzz%d", (int)kind);
	} else if (kind % 2) { /* of another */
		snprintf(name, 64, "%s", heap_names[take(input, nr_heaps)]);
	} else {
		len = take(input, 65);
		for (i = 0; i < len; i++)
			name[i] = input_take(input, 1);
	}
}

/* As a driver does: one of the heaps there are, or of those that come and go. */
static void hold_heap(struct input *input, int device)
{
	struct dmaheap_test_heap heap = {};

	if (take(input, 4))
		snprintf(heap.name, sizeof(heap.name), "%s",
			 heap_names[take(input, nr_heaps)]);
	else
		take_name(input, heap.name);
	ioctl(device, DMAHEAP_TEST_HOLD, &heap);
}

static void do_client(struct input *input)
{
	struct dmaheap_test_alloc data = { .len = take_size(input),
					   .fd_flags = O_RDWR | O_CLOEXEC };
	uint64_t odd = take(input, 8);
	int device = have_device(input);

	if (odd == 0)
		data.fd_flags = take_number(input);
	if (odd == 1)
		data.heap_flags = take_number(input);
	if (take(input, 2))
		hold_heap(input, device);
	if (!ioctl(device, DMAHEAP_TEST_ALLOC, &data))
		put(slot(input, fds, MAX_FDS), data.fd);
}

/* A heap that comes and goes, also while somebody has it open; mostly it lends what another has. */
static void do_heap(struct input *input)
{
	struct dma_heap_allocation_data data = { .len = take_size(input),
						 .fd_flags = O_CLOEXEC };
	struct dmaheap_test_heap heap = {};
	int device = have_device(input), fd;
	char path[80];

	take_name(input, heap.name);
	snprintf(path, sizeof(path), "/dev/dma_heap/%.63s", heap.name);
	if (take(input, 3) == 0) {
		ioctl(device, DMAHEAP_TEST_REMOVE, &heap);
		return;
	}
	if (take(input, 4))
		hold_heap(input, device);
	ioctl(device, DMAHEAP_TEST_ADD, &heap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	put(slot(input, fds, MAX_FDS), fd);
	if (!ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &data))
		put(slot(input, fds, MAX_FDS), data.fd);
}

static void do_read_or_write(struct input *input)
{
	static const char *const words[] = { "0",    "1",	"4096",	  "3M", "64M",	"1T",
					     "none", "memlock", "cgroup", "-1", "many", "" };
	int nr = take(input, 2) && nr_common_files ? nr_common_files : nr_files;
	int file = nr ? files[take(input, nr)] : -1;
	char text[4096];
	int len;

	if (take(input, 2)) {
		(void)!pread(file, text, sizeof(text), take(input, 4) ? 0 : take(input, 512));
		return;
	}
	if (take(input, 4))
		len = snprintf(text, sizeof(text), "%s", words[take(input, 12)]);
	else
		len = snprintf(text, sizeof(text), "%llu",
			       (unsigned long long)not_too_long(take_number(input)));
	(void)!pwrite(file, text, len, 0);
}

/* Some more often than others. */
static void (*const calls[])(struct input *) = {
	do_allocate, do_allocate, do_allocate,	    do_any_ioctl, do_sync_part,	    do_sync,
	do_sync,     do_name,	  do_fence,	    do_mmap,	  do_mmap,	    do_munmap,
	do_touch,    do_touch,	  do_change_map,    do_pin,	  do_file,	    do_close,
	do_close,    do_device,	  do_device,	    do_attach,	  do_attach,	    do_job,
	do_job,	     do_job,	  do_device_access, do_vmap,	  do_read_or_write, do_heap,
	do_look,     do_client,	  do_heap,
};

void calls_make(struct input *input, unsigned long *made)
{
	while (!input_ends(input)) {
		calls[take(input, LENGTH(calls))](input);
		__atomic_add_fetch(made, 1, __ATOMIC_RELAXED);
	}
}

void calls_end(void)
{
	int i;

	for (i = 0; i < MAX_FDS; i++)
		drop(&fds[i]);
	for (i = 0; i < MAX_MAPS; i++)
		drop_map(&maps[i]);
	for (i = 0; i < MAX_DEVICES; i++)
		drop(&devices[i]);
}
