// SPDX-License-Identifier: GPL-2.0-only
/* The library on real kernels, with real heaps: ours, and where there is one, the kernel's. */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dmaheap.h>

#include "../tap.h"

#define PAGE 4096UL
#define LARGE (2UL << 20)
#define LEN (2 * LARGE + 3 * PAGE)

static struct dmaheap *context;

/* Of the library, which says more than errno does. */
#define good(call) \
	do { \
		int err_ = (call); \
		if (err_) \
			tap_fail(__FILE__, __LINE__, "%s gave %d: %s", #call, err_, \
				 dmaheap_message(context)); \
	} while (0)

#define says(words) \
	do { \
		if (!strstr(dmaheap_message(context), words)) \
			tap_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", \
				 dmaheap_message(context), words); \
	} while (0)

static bool kernel_has_heaps(void)
{
	return !access("/sys/class/dmaheap", F_OK);
}

static void begin(void)
{
	good(dmaheap_new(&context));
}

/* Ours, whatever it is called here. */
static struct dmaheap_heap *ours(const char *name)
{
	char beside[64];
	struct dmaheap_heap *heap;

	if (!context)
		begin();
	snprintf(beside, sizeof(beside), "%s.dmaheap", name);
	if (dmaheap_open(context, beside, &heap))
		good(dmaheap_open(context, name, &heap));
	return heap;
}

static struct dmaheap_buffer *buffer_of(struct dmaheap_heap *heap, size_t size)
{
	struct dmaheap_request request = { .size = size, .name = "guest" };
	struct dmaheap_buffer *buffer;

	good(dmaheap_allocate(heap, &request, &buffer));
	return buffer;
}

static struct dmaheap_buffer *buffer_new(size_t size)
{
	return buffer_of(ours("system"), size);
}

/* Writes and reads all of a buffer, as a program should. */
static void use(struct dmaheap_buffer *buffer)
{
	size_t i, size = dmaheap_buffer_size(buffer);
	unsigned char *bytes;

	good(dmaheap_buffer_map(buffer, DMAHEAP_READ_WRITE, (void **)&bytes));
	good(dmaheap_buffer_begin(buffer, DMAHEAP_READ_WRITE));
	for (i = 0; i < size; i += PAGE) {
		check_equal(bytes[i], 0);
		bytes[i] = (unsigned char)(i / PAGE + 1);
	}
	good(dmaheap_buffer_end(buffer, DMAHEAP_READ_WRITE));
	good(dmaheap_buffer_begin(buffer, DMAHEAP_READ));
	for (i = 0; i < size; i += PAGE)
		check_equal(bytes[i], (unsigned char)(i / PAGE + 1));
	good(dmaheap_buffer_end(buffer, DMAHEAP_READ));
	good(dmaheap_buffer_unmap(buffer));
}

/* ---- heaps ---- */

static const struct dmaheap_heap_info *find(const struct dmaheap_heaps *heaps,
					    const char *name)
{
	size_t i;

	for (i = 0; i < dmaheap_heaps_count(heaps); i++)
		if (!strcmp(dmaheap_heaps_get(heaps, i)->name, name))
			return dmaheap_heaps_get(heaps, i);
	tap_fail(__FILE__, __LINE__, "there is no %s", name);
}

static void lists_heaps(void)
{
	const char *name = kernel_has_heaps() ? "system.dmaheap" : "system";
	const struct dmaheap_heap_info *info;
	struct dmaheap_heaps *heaps;
	struct stat st;

	begin();
	good(dmaheap_list(context, &heaps));
	info = find(heaps, name);
	must(stat(info->node, &st));
	check_equal(info->device, st.st_rdev);
	check_equal(info->origin, DMAHEAP_ORIGIN_DMAHEAP);
	check_equal(info->properties, DMAHEAP_CACHED | DMAHEAP_SCATTERED);
	check(info->readable);
	if (kernel_has_heaps())
		check_equal(find(heaps, "system")->origin, DMAHEAP_ORIGIN_KERNEL);
	dmaheap_heaps_free(heaps);
}

static void allocates_from_each(void)
{
	const struct dmaheap_heap_info *info;
	struct dmaheap_heaps *heaps;
	struct dmaheap_buffer *buffer;
	struct dmaheap_heap *heap;
	size_t i;

	begin();
	good(dmaheap_list(context, &heaps));
	for (i = 0; i < dmaheap_heaps_count(heaps); i++) {
		info = dmaheap_heaps_get(heaps, i);
		if (strstr(info->name, "protected"))
			continue;
		tap_say("%s", info->name);
		good(dmaheap_open(context, info->name, &heap));
		buffer = buffer_of(heap, LEN);
		check_equal(dmaheap_buffer_origin(buffer), info->origin);
		check(dmaheap_buffer_size(buffer) >= LEN);
		dmaheap_close(heap);
		use(buffer);
		good(dmaheap_buffer_free(buffer));
	}
	dmaheap_heaps_free(heaps);
}

static void may_not_open(void)
{
	struct dmaheap_need need = { .required = DMAHEAP_CACHED };
	struct dmaheap_request request = { .size = 1 };
	struct dmaheap_buffer *buffer;
	struct dmaheap_heaps *heaps;
	struct dmaheap_heap *heap;

	begin();
	must(setgid(65534));
	must(setuid(65534));
	good(dmaheap_list(context, &heaps));
	check(!find(heaps, "system")->readable);
	dmaheap_heaps_free(heaps);
	check_equal(dmaheap_open(context, "system", &heap), -EACCES);
	says("/dev/dma_heap/system: permission denied; a udev rule");
	check_equal(dmaheap_open_for(context, &need, &heap), -EACCES);
	check_equal(dmaheap_allocate_for(context, &need, &request, &buffer), -EACCES);
}

static void outlives_its_heap(void)
{
	struct dmaheap_request request = { .size = PAGE };
	struct dmaheap_heap *heap = ours("system-contiguous"), *other;
	struct dmaheap_buffer *buffer;

	must(syscall(SYS_delete_module, "dmaheap_contig", O_NONBLOCK));
	check_equal(dmaheap_allocate(heap, &request, &buffer), -ENODEV);
	says("the heap is gone");
	check_equal(dmaheap_open(context, "system-contiguous", &other), -ENOENT);
	check_equal(system("modprobe dmaheap_contig"), 0);
	dmaheap_close(heap);
}

static void by_need(void)
{
	struct dmaheap_need contiguous = { .required = DMAHEAP_CONTIGUOUS };
	struct dmaheap_need uncached = { .required = DMAHEAP_UNCACHED };
	struct dmaheap_need any = { .required = 0 };
	struct dmaheap_heap *heap;

	begin();
	good(dmaheap_open_for(context, &contiguous, &heap));
	check(!strcmp(dmaheap_heap_info(heap)->name, "system-contiguous"));
	dmaheap_close(heap);
	good(dmaheap_open_for(context, &uncached, &heap));
	check(!strcmp(dmaheap_heap_info(heap)->name, "system-uncached"));
	dmaheap_close(heap);
	good(dmaheap_open_for(context, &any, &heap));
	check_equal(dmaheap_heap_info(heap)->origin, DMAHEAP_ORIGIN_DMAHEAP);
	check_equal(dmaheap_heap_info(heap)->properties, DMAHEAP_CACHED | DMAHEAP_SCATTERED);
	dmaheap_close(heap);
}

/* ---- the chain ---- */

/* A /dev with only these. */
static void use_dev(const char *const *nodes)
{
	char dir[] = "/tmp/dev.XXXXXX", link[64], path[64];

	check(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/dma_heap", dir);
	must(mkdir(path, 0755));
	for (; *nodes; nodes++) {
		struct stat st;

		snprintf(path, sizeof(path), "/dev/%s", *nodes);
		snprintf(link, sizeof(link), "%s/%s", dir, *nodes);
		if (stat(path, &st))
			tap_skip("this kernel has no %s", path);
		must(mknod(link, S_IFCHR | 0600, st.st_rdev));
	}
	good(dmaheap_set_root(context, DMAHEAP_ROOT_DEV, dir));
}

static void chain_serves(const char *const *nodes, const char *heap,
			 enum dmaheap_origin origin)
{
	struct dmaheap_need need = { .required = DMAHEAP_CACHED };
	struct dmaheap_request request = { .size = LEN - 1, .name = "guest" };
	struct dmaheap_buffer *buffer;

	begin();
	use_dev(nodes);
	good(dmaheap_allocate_for(context, &need, &request, &buffer));
	check(!strcmp(dmaheap_buffer_heap(buffer), heap));
	check_equal(dmaheap_buffer_origin(buffer), origin);
	check_equal(dmaheap_buffer_size(buffer), LEN);
	use(buffer);
	good(dmaheap_buffer_free(buffer));
}

static void chain_ours(void)
{
	static const char *const nodes[] = { "udmabuf", "dma_heap/system",
					     "dma_heap/system.dmaheap", NULL };

	if (kernel_has_heaps())
		chain_serves(nodes, "system.dmaheap", DMAHEAP_ORIGIN_DMAHEAP);
	else
		chain_serves((const char *const[]){ "udmabuf", "dma_heap/system", NULL },
			     "system", DMAHEAP_ORIGIN_DMAHEAP);
}

static void chain_kernels(void)
{
	static const char *const nodes[] = { "udmabuf", "dma_heap/system", NULL };

	if (!kernel_has_heaps())
		tap_skip("this kernel has no heaps of its own");
	chain_serves(nodes, "system", DMAHEAP_ORIGIN_KERNEL);
}

static void chain_udmabuf(void)
{
	static const char *const nodes[] = { "udmabuf", NULL };

	chain_serves(nodes, "udmabuf", DMAHEAP_ORIGIN_UDMABUF);
}

/* More than there is: each says why. */
static void chain_ends(void)
{
	struct dmaheap_need need = { .required = DMAHEAP_CACHED };
	struct dmaheap_request request = { .size = (size_t)1 << 40 };
	struct dmaheap_buffer *buffer;

	begin();
	check_equal(dmaheap_allocate_for(context, &need, &request, &buffer), -ENOMEM);
	tap_say("%s", dmaheap_message(context));
	says("/dev/dma_heap/system: ");
	says("system-contiguous: there is no such memory now");
	says("udmabuf");
}

/* ---- buffers ---- */

/* What the kernel says the buffer's name is. */
static bool is_named(int fd, const char *name)
{
	char path[64], line[128], wanted[64];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(wanted, sizeof(wanted), "name:\t%s\n", name);
	file = fopen(path, "r");
	check(file);
	while (fgets(line, sizeof(line), file))
		found |= !strcmp(line, wanted);
	fclose(file);
	return found;
}

static void has_its_name(void)
{
	struct dmaheap_buffer *buffer = buffer_new(1);
	const char *longest = "a name of 31 bytes, so it fits!";

	check_equal(dmaheap_buffer_name_status(buffer), 0);
	check(is_named(dmaheap_buffer_fd(buffer), "guest"));
	good(dmaheap_buffer_set_name(buffer, longest));
	check(is_named(dmaheap_buffer_fd(buffer), longest));
}

static void allows_what_was_wanted(void)
{
	struct dmaheap_request request = { .size = PAGE, .access = DMAHEAP_READ };
	struct dmaheap_buffer *buffer;
	void *bytes;

	begin();
	good(dmaheap_allocate(ours("system"), &request, &buffer));
	check_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ_WRITE, &bytes), -EACCES);
	says("its fd does not allow this access");
	good(dmaheap_buffer_map(buffer, DMAHEAP_READ, &bytes));
	check_equal(*(char *)bytes, 0);
}

static void imports(void)
{
	struct dmaheap_buffer *buffer = buffer_new(LEN), *other;
	struct dmaheap_heaps *heaps;
	struct dmaheap_heap *heap;
	int ends[2], fd;
	size_t i;

	good(dmaheap_import(context, dmaheap_buffer_fd(buffer), &other));
	check_equal(dmaheap_buffer_inode(other), dmaheap_buffer_inode(buffer));
	check_equal(dmaheap_buffer_size(other), LEN);
	must(pipe(ends));
	check_equal(dmaheap_import(context, ends[0], &other), -EINVAL);
	fd = must(memfd_create("memory", 0));
	check_equal(dmaheap_import(context, fd, &other), -EINVAL);
	/* Heaps answer ioctls, too. */
	good(dmaheap_list(context, &heaps));
	for (i = 0; i < dmaheap_heaps_count(heaps); i++) {
		good(dmaheap_open(context, dmaheap_heaps_get(heaps, i)->name, &heap));
		check_equal(dmaheap_import(context, dmaheap_heap_fd(heap), &other), -EINVAL);
	}
}

/* A number of the area that starts at an address, in KiB. */
static unsigned long smaps(const void *bytes, const char *key)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long long start, end;
	unsigned long number = 0;
	size_t length = strlen(key);
	bool here = false;
	char line[512];

	check(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			here = start == (uintptr_t)bytes;
		else if (here && !strncmp(line, key, length))
			number = strtoul(line + length, NULL, 10);
	}
	fclose(file);
	return number;
}

static void maps_by_large_pages(void)
{
	struct dmaheap_buffer *buffer = buffer_new(LEN);
	struct utsname name;
	char *bytes;
	size_t i;

	good(dmaheap_buffer_map(buffer, DMAHEAP_READ_WRITE, (void **)&bytes));
	check_equal((uintptr_t)bytes % LARGE, 0);
	for (i = 0; i < LEN; i += PAGE)
		bytes[i] = 1;
	check_equal(smaps(bytes, "Size:"), LEN / 1024);
	must(uname(&name));
	tap_say("%s: %lu KiB by large pages", name.release, smaps(bytes, "FilePmdMapped:"));
	if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		tap_skip("this kernel has no large pages");
	check_equal(smaps(bytes, "FilePmdMapped:"), 2 * LARGE / 1024);
}

/* ---- accesses ---- */

static void use_part(struct dmaheap_buffer *buffer)
{
	good(dmaheap_buffer_begin_part(buffer, DMAHEAP_WRITE, PAGE, 100));
	check_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_READ, PAGE, 100), -EPROTO);
	good(dmaheap_buffer_end_part(buffer, DMAHEAP_WRITE, PAGE, 100));
	check_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_WRITE, LEN, 1), -EINVAL);
}

static void parts_of_ours(void)
{
	struct dmaheap_heap *heap = ours("system");
	struct dmaheap_buffer *buffer = buffer_of(heap, LEN);

	dmaheap_close(heap);
	use_part(buffer);
	good(dmaheap_buffer_free(buffer));
}

/* Without /sys it shows when it is tried. */
static void parts_of_nobody_knows_whose(void)
{
	struct dmaheap_buffer *buffer;

	begin();
	good(dmaheap_set_root(context, DMAHEAP_ROOT_SYS, "/nowhere"));
	buffer = buffer_new(LEN);
	check_equal(dmaheap_buffer_origin(buffer), DMAHEAP_ORIGIN_UNKNOWN);
	use_part(buffer);
	good(dmaheap_buffer_free(buffer));
}

static void no_parts_of_the_kernels(void)
{
	struct dmaheap_buffer *buffer;
	struct dmaheap_heap *heap;
	int i;

	if (!kernel_has_heaps())
		tap_skip("this kernel has no heaps of its own");
	begin();
	for (i = 0; i < 2; i++) {
		good(dmaheap_open(context, "system", &heap));
		buffer = buffer_of(heap, LEN);
		check_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ, 0, 1),
			    -EOPNOTSUPP);
		use(buffer);
		good(dmaheap_buffer_free(buffer));
		dmaheap_close(heap);
		good(dmaheap_set_root(context, DMAHEAP_ROOT_SYS, "/nowhere"));
	}
}

static void frees_in_the_middle(void)
{
	struct dmaheap_buffer *buffer = buffer_new(LEN);
	void *bytes;

	good(dmaheap_buffer_map(buffer, DMAHEAP_READ, &bytes));
	good(dmaheap_buffer_begin(buffer, DMAHEAP_READ));
	good(dmaheap_buffer_begin_part(buffer, DMAHEAP_WRITE, 0, 1));
	check_equal(dmaheap_buffer_unmap(buffer), -EPROTO);
	check_equal(dmaheap_buffer_free(buffer), -EPROTO);
}

static void protected_memory(void)
{
	struct dmaheap_buffer *buffer;
	void *bytes;

	if (access("/dev/dma_heap/protected", F_OK))
		tap_skip("there is no protected memory");
	begin();
	buffer = buffer_of(ours("protected"), PAGE);
	check_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ, &bytes), -EPERM);
	says("it is protected from the CPU");
	check_equal(dmaheap_buffer_begin(buffer, DMAHEAP_READ), -EPERM);
	check_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ, 0, 1), -EPERM);
	good(dmaheap_import(context, dmaheap_buffer_fd(buffer), &buffer));
}

/* ---- sharing ---- */

static void waits_and_fences(void)
{
	struct dmaheap_buffer *buffer = buffer_new(LEN);
	int fence = -1;

	good(dmaheap_buffer_wait(buffer, DMAHEAP_READ, 0));
	good(dmaheap_buffer_wait(buffer, DMAHEAP_READ_WRITE, -1));
	good(dmaheap_buffer_export_fence(buffer, DMAHEAP_READ_WRITE, &fence));
	good(dmaheap_buffer_import_fence(buffer, DMAHEAP_WRITE, fence));
	good(dmaheap_buffer_wait(buffer, DMAHEAP_READ_WRITE, 0));
	must(close(fence));
	check_equal(dmaheap_buffer_import_fence(buffer, DMAHEAP_WRITE, 0), -EINVAL);
}

static void child_writes(int socket)
{
	struct dmaheap_buffer *buffer;
	char *bytes;

	good(dmaheap_buffer_receive(context, socket, &buffer));
	check_equal(dmaheap_buffer_size(buffer), LEN);
	good(dmaheap_buffer_map(buffer, DMAHEAP_READ_WRITE, (void **)&bytes));
	good(dmaheap_buffer_begin(buffer, DMAHEAP_WRITE));
	memset(bytes, 'x', LEN);
	good(dmaheap_buffer_end(buffer, DMAHEAP_WRITE));
	good(dmaheap_buffer_free(buffer));
}

static void between_processes(void)
{
	struct dmaheap_buffer *buffer = buffer_new(LEN);
	int ends[2], status;
	char *bytes;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	if (!must(fork())) {
		child_writes(ends[1]);
		_exit(0);
	}
	good(dmaheap_buffer_send(buffer, ends[0]));
	must(wait(&status));
	check_equal(status, 0);
	good(dmaheap_buffer_map(buffer, DMAHEAP_READ, (void **)&bytes));
	good(dmaheap_buffer_begin(buffer, DMAHEAP_READ));
	check_equal(bytes[0], 'x');
	check_equal(bytes[LEN - 1], 'x');
	good(dmaheap_buffer_end(buffer, DMAHEAP_READ));
	good(dmaheap_buffer_free(buffer));
}

static const struct test tests[] = {
	TEST(lists_heaps, "a list says what there is to a heap, and whose it is"),
	TEST(allocates_from_each, "each heap's buffers can be written and read"),
	TEST(may_not_open, "who may not open a heap is told so"),
	TEST(outlives_its_heap, "a heap that is unloaded while it is open"),
	TEST(by_need, "the heap that a need opens"),
	TEST(chain_ours, "our heap serves before the kernel's"),
	TEST(chain_kernels, "the kernel's heap serves where ours is not"),
	TEST(chain_udmabuf, "udmabuf serves without any heap"),
	TEST(chain_ends, "if nobody serves, each says why"),
	TEST(has_its_name, "the kernel has the name"),
	TEST(allows_what_was_wanted, "a buffer to be read is not mapped to be written"),
	TEST(imports, "dma-bufs are imported, and nothing else"),
	TEST(maps_by_large_pages, "a mapping by large pages"),
	TEST(parts_of_ours, "parts, also when the heap was closed"),
	TEST(parts_of_nobody_knows_whose, "parts without /sys"),
	TEST(no_parts_of_the_kernels, "the kernel's heaps have no parts"),
	TEST(frees_in_the_middle, "a buffer is freed in the middle of an access"),
	TEST(protected_memory, "protected memory cannot be mapped nor accessed"),
	TEST(waits_and_fences, "waiting, and fences there and back"),
	TEST(between_processes, "another process writes what was sent to it"),
};

TAP_MAIN(tests)
