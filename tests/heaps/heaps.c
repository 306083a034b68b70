// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every heap has to do, run over each that there is: allocation, exhaustion, fragmentation,
 * zeroing between users, mapping, unloading; and that nothing is missing when all are gone.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define PAGE 4096UL
#define MAX_BUFFERS 4096

static const struct heap_kind *kind;

/* ---- bytes, through whoever may get at them ---- */

static void write_bytes(int fd, const void *bytes, size_t len)
{
	if (kind->is_protected) {
		int device = device_new(64, 0);
		uint32_t id = device_attach(device, fd);

		device_map(device, id, FROM_DEVICE);
		device_write(device, id, 0, bytes, len);
		close(device);
	} else {
		void *mapped = buffer_map(fd, len);

		cpu_begin(fd, DMA_BUF_SYNC_WRITE);
		memcpy(mapped, bytes, len);
		cpu_end(fd, DMA_BUF_SYNC_WRITE);
		munmap(mapped, len);
	}
}

static void read_bytes(int fd, void *bytes, size_t len)
{
	if (kind->is_protected) {
		int device = device_new(64, 0);
		uint32_t id = device_attach(device, fd);

		device_map(device, id, TO_DEVICE);
		device_read(device, id, 0, bytes, len);
		close(device);
	} else {
		void *mapped = buffer_map(fd, len);

		cpu_begin(fd, DMA_BUF_SYNC_READ);
		memcpy(bytes, mapped, len);
		cpu_end(fd, DMA_BUF_SYNC_READ);
		munmap(mapped, len);
	}
}

static bool reads_zero(int fd, size_t len)
{
	char *bytes = must((char *)malloc(len));
	bool zero;

	memset(bytes, 0xff, len);
	read_bytes(fd, bytes, len);
	zero = is_zero(bytes, len);
	free(bytes);
	return zero;
}

/* Memory comes late to some, and is to be there now. */
static void settle(int fd)
{
	if (kind->late)
		munmap(buffer_map(fd, PAGE), PAGE);
}

/* ---- many buffers ---- */

static int fds[MAX_BUFFERS];

static void close_from(int first, int step, int n)
{
	for (; first < n; first += step)
		close(fds[first]);
}

/* As many as there are, up to a number; then it must be ENOMEM that ends it. */
static int take(uint64_t len, int max)
{
	int heap = heap_open(), n = 0;

	while (n < max && (fds[n] = heap_try(heap, len)) >= 0)
		n++;
	if (n < max)
		check_equal(errno, ENOMEM);
	close(heap);
	return n;
}

static void many_fds(void)
{
	struct rlimit limit = { MAX_BUFFERS + 64, MAX_BUFFERS + 64 };

	must(setrlimit(RLIMIT_NOFILE, &limit));
}

/*
 * Fails unless memory is back; some of it comes a little late.  Where the kernel's own mapping
 * was changed, it keeps tables for smaller pages: 8 bytes for each page, and they are not given
 * back.
 */
static void check_returned(long long before)
{
	long long lost = 0, tables = kind->uncached && !kind->size ? before / 512 : 0;
	int i;

	for (i = 0; i < 50; i++) {
		lost = before - available();
		if (lost <= 8 * (long long)MIB + tables)
			return;
		usleep(100000);
	}
	tap_fail(__FILE__, __LINE__, "%lld KiB are missing", lost / (long long)KIB);
}

/* ---- the tests ---- */

static void sizes(void)
{
	static const uint64_t sizes[] = { 1, 4096, 4097, 65536, 65537, MIB, 5 * MIB + 1 };
	long long before = available();
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd = heap_buffer(sizes[i]);

		check_equal(lseek(fd, 0, SEEK_END), heap_rounded(sizes[i]));
		check(reads_zero(fd, heap_rounded(sizes[i])));
		close(fd);
	}
	/* Of what was rounded up more than that, the rest is not lost. */
	for (i = 0; i < 40; i++)
		close(heap_buffer(2 * MIB + 4096));
	check_returned(before);
}

/* Of areas of CMA, whoever made them. */
static long long areas_allocations(void)
{
	return sum_of("/proc/vmstat", "cma_alloc_success %lld");
}

static void too_large(void)
{
	static const uint64_t sizes[] = { 1ULL << 40, 1ULL << 63, UINT64_MAX - 4095 };
	int heap = heap_open(), buffers = table_length();
	long long taken;
	unsigned int i;

	if (kind->size)
		check_errno(heap_try(heap, kind->size + 1), ENOMEM);
	taken = areas_allocations();
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		check_errno(heap_try(heap, sizes[i]), ENOMEM);
	/* Nothing is taken in vain, for which others would have to move. */
	check_equal(areas_allocations(), taken);
	check_errno(heap_try(heap, 0), EINVAL);
	check_errno(heap_try(heap, UINT64_MAX), EINVAL);
	check_equal(table_length(), buffers);
}

static void zeroed(void)
{
	/* More than the buddy allocator has in one piece, where the region is large enough. */
	const size_t len = kind->size && kind->size < 64 * MIB ? 4 * MIB : 6 * MIB;
	char *bytes = must((char *)malloc(len));
	int round, i;

	memset(bytes, 0xa5, len);
	for (round = 0; round < 2; round++) {
		/* In the second round the memory is what was filled in the first. */
		for (i = 0; i < 6; i++) {
			fds[i] = heap_buffer(len);
			check(reads_zero(fds[i], len));
			write_bytes(fds[i], bytes, len);
		}
		close_from(0, 1, 6);
	}
}

static void exhausted_region(void)
{
	const uint64_t len = kind->size / 8;
	int n = take(len, 9), again;

	/* What others have borrowed may not come back at once. */
	check(n == 8 || (kind->shared && n >= 4));
	check_equal(table_length(), n);
	close_from(0, 1, n);
	again = take(len, 9);
	check(again == n || (kind->shared && again >= 4));
	check(reads_zero(fds[0], len));
	close_from(0, 1, again);
}

static void exhausted_memory(void)
{
	long long before = available();
	int n = take(before / 64, 128);

	if (kind->late) /* nothing is taken before it is used */
		check_equal(n, 128);
	else
		check(n >= 24 && n < 128);
	check_equal(table_length(), n);
	close_from(0, 1, n);
	check_returned(before);
	close(heap_buffer(MIB));
}

static void exhausted(void)
{
	if (kind->size)
		exhausted_region();
	else
		exhausted_memory();
	check_equal(table_length(), 0);
}

/* Every other one of many buffers is free: what is scattered finds room, other memory has none. */
static void fragmented_region(void)
{
	const uint64_t unit = kind->chunk ?: 128 * KIB;
	int n = take(unit, MAX_BUFFERS);

	check(n >= (int)(kind->size / unit / 2));
	close_from(0, 2, n);
	if (kind->chunk)
		close(heap_buffer(n / 2 * unit));
	else if (!kind->shared)
		check_errno(heap_try(heap_open(), 2 * unit), ENOMEM);
	close(heap_buffer(unit));
	close_from(1, 2, n);
	close(heap_buffer(kind->shared ? kind->size / 4 : kind->size));
}

/* Of memory without a mapping, every other page is given back. */
static void fragmented_memory(void)
{
	const uint64_t held = 512 * MIB, len = 32 * MIB;
	int some, fd;
	uint64_t at;

	memory_hold_all_but(held + 192 * MIB);
	some = memory_hold(held);
	for (at = 0; at < held; at += 2 * PAGE)
		must(fallocate(some, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, PAGE));
	fd = heap_buffer(len);
	check(reads_zero(fd, len));
	close(fd);
}

static void fragmented(void)
{
	long long before = available();

	many_fds();
	if (kind->size)
		fragmented_region();
	else if (cmdline_has("page_poison=1"))
		tap_skip("a kernel that checks all takes its time for half of memory");
	else
		fragmented_memory();
	if (kind->size)
		check_returned(before);
}

/* The CPU and devices see each other's bytes; a scatter list shows what the memory is. */
static void mapped(void)
{
	const size_t len = 3 * MIB;
	int device = device_new(64, 0xffffffff), fd = cached_buffer(len);
	char *bytes = must((char *)malloc(len));
	struct dmaheap_test_map map;

	if (device_try(device, fd, &map)) {
		check_equal(errno, EIO);
		check(all_bounced() && heap_is_direct());
		tap_skip("all devices here are bounced, which this memory must not be");
	}
	if (!behind_iommu() && !all_bounced()) {
		if (!kind->longest)
			check_equal(map.segments, 1);
		if (kind->chunk) {
			check_equal(map.segments, len / kind->chunk);
			check_equal(map.shortest, kind->chunk);
			check_equal(map.longest, kind->chunk);
			check(map.alignment >= kind->chunk);
		}
	}
	fill(bytes, len, 0, 1);
	device_write(device, map.id, 0, bytes, len);
	device_unmap(device, map.id, BOTH_WAYS);
	memset(bytes, 0, len);
	read_bytes(fd, bytes, len);
	check(is_filled(bytes, len, 0, 1));
	fill(bytes, len, 0, 2);
	write_bytes(fd, bytes, len);
	memset(bytes, 0, len);
	device_map(device, map.id, TO_DEVICE);
	device_read(device, map.id, 0, bytes, len);
	check(is_filled(bytes, len, 0, 2));
}

static void by_the_kernel(void)
{
	char in[100], out[100];
	struct dmaheap_test_vmap touch = {
		.fd = heap_buffer(2 * MIB),
		.flags = DMAHEAP_TEST_VMAP_WRITE,
		.offset = MIB - 50,
		.len = sizeof(in),
		.bytes = (uintptr_t)in,
	};
	int device = device_open();

	memset(in, 0x77, sizeof(in));
	if (kind->is_protected) {
		check_errno(ioctl(device, DMAHEAP_TEST_VMAP, &touch), EINVAL);
		return;
	}
	must(ioctl(device, DMAHEAP_TEST_VMAP, &touch));
	touch.flags = 0;
	touch.bytes = (uintptr_t)out;
	must(ioctl(device, DMAHEAP_TEST_VMAP, &touch));
	check(!memcmp(in, out, sizeof(in)));
	check(!memcmp(buffer_map(touch.fd, 2 * MIB) + MIB - 50, in, sizeof(in)));
}

/* A process hands pages of a buffer to the kernel, and the buffer dies: they do not. */
static void pinned(void)
{
	const size_t len = 64 * KIB;
	int fd = heap_buffer(len), ends[2];
	char *bytes, *seen = must((char *)malloc(len));
	struct iovec iov;

	if (kind->is_protected)
		tap_skip("no process has this memory");
	bytes = buffer_map(fd, len);
	fill(bytes, len, 0, 3);
	iov = (struct iovec){ .iov_base = bytes, .iov_len = len };
	must(pipe(ends));
	if (heap_is_uncounted()) {
		check_errno(vmsplice(ends[1], &iov, 1, 0), EFAULT);
		return;
	}
	check_equal(vmsplice(ends[1], &iov, 1, 0), len);
	munmap(bytes, len);
	close(fd);
	close(heap_buffer(16 * MIB)); /* others' memory now, if it were free */
	check_equal(read(ends[0], seen, len), len);
	check(is_filled(seen, len, 0, 3));
}

static void unloads(void)
{
	char node[128];
	int fd = heap_buffer(MIB), i = kind->owner_may_go;

	settle(fd);
	snprintf(node, sizeof(node), "%s", heap_node());
	if (i)
		must(module_unload(kind->modules[0]));
	check_errno(module_unload(kind->modules[i]), EAGAIN);
	check(reads_zero(fd, MIB));
	close(fd);
	for (; kind->modules[i]; i++)
		must(module_unload(kind->modules[i]));
	check(access(node, F_OK));
	must(module_load(kind->modules[0]));
	close(heap_buffer(MIB));
}

static const struct test tests[] = {
	TEST(sizes, "sizes are rounded up, and all is zero"),
	TEST(too_large, "more than there is is ENOMEM, and leaves nothing"),
	TEST(zeroed, "memory is zeroed between users"),
	TEST(exhausted, "ENOMEM when all is taken; afterwards all is back"),
	TEST(fragmented, "between other buffers, what fits is found"),
	TEST(mapped, "the CPU and a device see each other's bytes"),
	TEST(by_the_kernel, "so does the kernel by vmap"),
	TEST(pinned, "pages that were handed to the kernel outlive the buffer, or are EFAULT"),
	TEST(unloads, "a buffer holds the module; then it unloads, and loads again"),
};

/* ---- all together ---- */

/* What must be there again; shared with the tests' processes. */
static struct totals {
	long long available;
	long long cma;
	uint64_t uncached;
	char text[2][65536];
} * before;

/* What the kernel says of types of memory, and of who claims it; where it says so. */
static const char *const texts[] = { "/sys/kernel/debug/x86/pat_memtype_list", "/proc/iomem" };

static void read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t len = file ? fread(text, 1, size - 1, file) : 0;

	text[len] = '\0';
	if (file)
		fclose(file);
}

static uint64_t uncached_bytes(void)
{
	uint64_t bytes = 0;

	if (ioctl(device_open(), DMAHEAP_TEST_UNCACHED, &bytes))
		check_equal(errno, EOPNOTSUPP);
	return bytes;
}

static void unload_all(void)
{
	const struct heap_kind *one;
	int i;

	/* Some modules are those of several heaps. */
	for (one = heap_kinds; one->name; one++)
		for (i = 0; one->modules[i]; i++)
			if (module_unload(one->modules[i]))
				check_equal(errno, ENOENT);
	check_equal(table_length(), 0);
}

static bool was_asked_for(const char *module)
{
	FILE *file = fopen("/vm/modules", "r");
	char line[512];
	bool found = false;

	check(file);
	while (fgets(line, sizeof(line), file))
		found = found || !strncmp(line, module, strcspn(line, " \n"));
	fclose(file);
	return found;
}

static void load_all(void)
{
	const struct heap_kind *one;

	for (one = heap_kinds; one->name; one++)
		if (was_asked_for(one->modules[0]))
			must(module_load(one->modules[0]));
}

static void take_totals(struct totals *totals)
{
	unsigned int i;

	totals->cma = meminfo_try("CmaFree"); /* -1: there is none */
	totals->uncached = uncached_bytes();
	totals->available = available();
	for (i = 0; i < 2; i++)
		read_text(texts[i], totals->text[i], sizeof(totals->text[i]));
}

static void all_load(void)
{
	unload_all();
	take_totals(before);
	load_all();
}

static void nothing_missing(void)
{
	/* A kernel that checks all keeps notes of what there once was. */
	const long long kept = (cmdline_has("page_poison=1") ? 256 : 32) * MIB;
	static struct totals after;
	unsigned int i;

	unload_all();
	take_totals(&after);
	load_all(); /* whatever was found */
	check_equal(after.uncached, before->uncached);
	for (i = 0; i < 2; i++)
		check(!strcmp(after.text[i], before->text[i]));
	check(after.available > before->available - kept);
	check(after.cma > before->cma - 4 * (long long)MIB);
}

static const struct test first[] = {
	TEST(all_load, "all modules unload, and load again"),
};

static const struct test last[] = {
	TEST(nothing_missing, "all unload: no memory, type of memory or claim is left behind"),
};

/* Each heap that there is; HEAP= only that one. */
int main(int argc, char **argv)
{
	const char *only = getenv("HEAP");
	int failed, n = 0;

	(void)argc;
	before = must(mmap(NULL, sizeof(*before), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	failed = tap_run(argv[0], first, 1);
	for (kind = heap_kinds; kind->name; kind++) {
		if (only && strcmp(only, kind->name))
			continue;
		setenv("HEAP", kind->name, 1);
		if (access(heap_node(), F_OK))
			continue;
		printf("# heap: %s\n", kind->name);
		failed |= tap_run(argv[0], tests, sizeof(tests) / sizeof(tests[0]));
		n++;
	}
	unsetenv("HEAP");
	failed |= tap_run(argv[0], last, 1);
	printf("# %d heaps\n", n);
	return failed || !n;
}
