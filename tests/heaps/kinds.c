// SPDX-License-Identifier: GPL-2.0-only
/* What only one kind of heap does, of those whose memory is not a region. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define PAGE 4096UL
#define LEN (8 * MIB)

static bool has_high_memory(void)
{
	return meminfo("MemTotal") > 4096 * (long long)MIB;
}

/* ---- a device's ---- */

/* Until others can have no more than a piece. */
static void take_what_there_is(size_t piece)
{
	int heap;

	heap_use("system");
	heap = heap_open();
	while (heap_try(heap, available() / 4 + piece) >= 0)
		;
	while (heap_try(heap, piece) >= 0)
		;
	check_equal(errno, ENOMEM);
}

/* What CMA has set aside for devices is not what others lack. */
static void device_area(void)
{
	const size_t len = 8 * MIB; /* more than the page allocator has in one piece */

	if (meminfo_try("CmaTotal") < 2 * (long long)len)
		tap_skip("there is no CMA here");
	file_write("/proc/sys/vm/drop_caches", "1");
	take_what_there_is(4 * MIB);
	heap_use("system-contiguous");
	check_errno(heap_try(heap_open(), len), ENOMEM);
	heap_use("test-device");
	close(heap_buffer(len));
}

/* Its mask has 33 bits, of which the lower half has no memory: what remains is 4 GiB of the CPU's. */
static void device_on_bus(void)
{
	int device = device_new(64, 0), fd;
	struct dmaheap_test_map map;

	if (all_bounced() || !has_high_memory())
		tap_skip("this machine's memory ends below 4 GiB, or is bounced");
	heap_use("test-device");
	fd = heap_buffer(64 * MIB);
	map = device_map(device, device_attach(device, fd), BOTH_WAYS);
	check(map.last < 4096 * MIB);
}

/* ---- system-uncached ---- */

static uint64_t uncached_bytes(void)
{
	uint64_t bytes = 0;

	if (ioctl(device_open(), DMAHEAP_TEST_UNCACHED, &bytes))
		tap_skip("here the kernel's own mapping of memory does not change");
	return bytes;
}

/*
 * The kernel's own mapping is of the same type as long as the buffer lives, or its pages are in
 * the pool, and no longer.
 */
static void uncached_linear_map(void)
{
	static const uint64_t sizes[] = { 4096, LEN, 100 * MIB + 4096 };
	uint64_t before;
	unsigned int i;
	int fd;

	heap_use("system-uncached");
	pools_drain();
	before = uncached_bytes();
	for (i = 0; i < 3; i++) {
		fd = heap_buffer(sizes[i]);
		check_equal(uncached_bytes() - before, sizes[i]);
		close(fd);
		pool_settle(); /* what becomes clean between two looks counts twice */
		check_equal(uncached_bytes() - before, pool_size());
		pools_drain();
		check_equal(uncached_bytes(), before);
	}
}

static void uncached_refuses(void)
{
	struct dmaheap_test_attach attach = {};
	int device;

	heap_use("system-uncached");
	attach.fd = heap_buffer(24 * MIB);
	if (all_bounced()) {
		device = device_new(64, 0);
		check_errno(ioctl(device, DMAHEAP_TEST_ATTACH, &attach), EIO);
		check(log_says("all its accesses are bounced, which those to a buffer of heap "
			       "system-uncached cannot be"));
		return;
	}
	if (behind_iommu() || !has_high_memory())
		tap_skip("no device needs a bounce buffer here");
	device = device_new(32, 0);
	check_errno(ioctl(device, DMAHEAP_TEST_ATTACH, &attach), EIO);
	check(log_says("a buffer of heap system-uncached lies beyond the device's DMA mask of "
		       "32 bits, and is not to be bounced"));
}

/* ---- system-contiguous ---- */

#define AT_A_TIME 8

/* A machine that has been running for a while: all memory is full of files. */
static void fill_page_cache(void)
{
	const char *make = "cd /tmp && truncate -s 8G image && mke2fs -F image >/dev/null && "
			   "mkdir -p /mnt && mount -t ext4 -o loop image /mnt && "
			   "truncate -s 6G /mnt/file";

	if (access("/mnt/file", F_OK))
		check(!system(make));
	check(!system("cat /mnt/file >/dev/null"));
}

static void contiguous_rate(void)
{
	int round, i, fds[AT_A_TIME], got = 0, tried = 0;
	long long free;

	heap_use("system-contiguous");
	if (!cmdline_has("init_on_alloc=0") || cmdline_has("page_poison=1") || all_bounced() ||
	    behind_iommu() || access("/sys/module/ext4", F_OK))
		tap_skip("measured where memory is that of a machine of everyday life");
	for (round = 0; round < 2; round++) {
		fill_page_cache();
		free = meminfo("MemFree");
		for (i = 0; i < AT_A_TIME; i++, tried++) {
			fds[i] = heap_try(heap_open(), 32 * MIB);
			got += fds[i] >= 0;
		}
		for (i = 0; i < AT_A_TIME; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
	tap_say("%d of %d buffers of 32 MiB, with %lld MiB free and %lld MiB of files", got,
		tried, free / (long long)MIB, meminfo("Cached") / (long long)MIB);
	check(got > tried * 3 / 4);
}

/* ---- of one device ---- */

#define BIND "/sys/module/dmaheap_device/parameters/bind"
#define UNBIND "/sys/module/dmaheap_device/parameters/unbind"

static int try_write(const char *path, const char *text)
{
	int fd = must(open(path, O_WRONLY | O_CLOEXEC)),
	    result = write(fd, text, strlen(text));
	int error = errno;

	close(fd);
	errno = error;
	return result < 0 ? -1 : 0;
}

static void bind_as(int device, const char *heap)
{
	char text[128];

	snprintf(text, sizeof(text), "%s=%s\n", device_name(device), heap);
	file_write(BIND, text);
	heap_use(heap);
}

/* Its heap's memory is such that the device needs no bounce buffer. */
static void suits(unsigned int mask_bits, uint64_t len)
{
	int device = device_of_bits(mask_bits), fd;
	struct dmaheap_test_map map;
	char *bytes = must((char *)malloc(len));

	bind_as(device, "its-own");
	fd = heap_buffer(len);
	must(device_try(device, fd, &map));
	check(map.last < 1ULL << mask_bits);
	fill(bytes, len, 0, 1);
	device_write(device, map.id, 0, bytes, len);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check(is_filled(buffer_map(fd, len), len, 0, 1));
	cpu_end(fd, DMA_BUF_SYNC_READ);
	if (!all_bounced())
		check_equal(heap_counter("bounced_bytes"), 0);
}

static void device_of_32_bits(void)
{
	suits(32, 24 * MIB);
}

static void device_of_24_bits(void)
{
	suits(24, 256 * KIB);
}

static void device_bound_by_name(void)
{
	int device = device_of_bits(64), other = device_of_bits(64);
	char text[128];

	bind_as(device, "mine");
	check_errno(try_write(BIND, "no-such-device"), ENODEV);
	check(log_says("there is no platform device 'no-such-device'"));
	check_errno(try_write(BIND, device_name(device)), EBUSY);
	snprintf(text, sizeof(text), "%s=mine", device_name(other));
	check_errno(try_write(BIND, text), EBUSY);
	snprintf(text, sizeof(text), "%s=a/b", device_name(other));
	check_errno(try_write(BIND, text), EINVAL);
	snprintf(text, sizeof(text), "%s=", device_name(other));
	check_errno(try_write(BIND, text), EINVAL);
	check_errno(try_write(UNBIND, device_name(other)), ENOENT);
	/* Without a name for it, the heap has the device's. */
	file_write(BIND, device_name(other));
	heap_use(device_name(other));
	close(heap_buffer(MIB));
	file_write(UNBIND, device_name(other));
	check(access(heap_node(), F_OK));
	close(other);
	file_write(UNBIND, device_name(device));
	must(setenv("HEAP", "mine", 1));
	check(access(heap_node(), F_OK));
}

/* The device goes: so does its heap, but not the buffers. */
static void device_goes(void)
{
	int device = device_of_bits(64), other = device_of_bits(64), fd, heap;
	long long before;
	char *bytes;

	bind_as(device, "short-lived");
	heap = heap_open();
	before = available();
	fd = heap_buffer(LEN);
	bytes = buffer_map(fd, LEN);
	close(device);
	check(access(heap_node(), F_OK));
	check_errno(heap_try(heap, PAGE), ENODEV);
	fill(bytes, LEN, 0, 1);
	if (all_bounced() || !has_caches()) {
		char *seen = must((char *)malloc(LEN));
		uint32_t id;

		cpu_end(fd, DMA_BUF_SYNC_WRITE);
		id = device_attach_and_map(other, fd);
		device_read(other, id, 0, seen, LEN);
		check(is_filled(seen, LEN, 0, 1));
		free(seen);
	}
	munmap(bytes, LEN);
	check(before - available() > (long long)LEN / 2);
	close(other);
	close(fd);
	usleep(100000); /* its file is closed a little late */
	check(before - available() < (long long)LEN / 2);
}

/* ---- negotiated ---- */

static int limited(unsigned int mask_bits, unsigned int max_segment)
{
	heap_use("negotiated");
	if (behind_iommu())
		tap_skip("devices behind an IOMMU set no limits");
	return device_new(mask_bits, max_segment);
}

/* The second device to attach has the narrower mask, the first maps first. */
static void negotiated_mask(void)
{
	int wide = limited(64, 0), narrow = limited(32, 0), fd = heap_buffer(24 * MIB);
	uint32_t first = device_attach(wide, fd), second = device_attach(narrow, fd);
	uint64_t bounced = heap_counter("bounced_bytes");
	struct dmaheap_test_map map = device_map(wide, first, BOTH_WAYS);

	device_map(narrow, second, BOTH_WAYS);
	if (all_bounced())
		return;
	check(map.last < 1ULL << 32);
	device_unmap(narrow, second, BOTH_WAYS);
	device_unmap(wide, first, BOTH_WAYS);
	cpu_begin(fd, DMA_BUF_SYNC_RW);
	cpu_end(fd, DMA_BUF_SYNC_RW);
	check_equal(heap_counter("bounced_bytes"), bounced);
}

static void negotiated_24_bits(void)
{
	struct dmaheap_test_map map;

	heap_use("negotiated");
	must(device_try(device_of_bits(24), heap_buffer(256 * KIB), &map));
	check(map.last < 1ULL << 24);
}

/* Where zones have no page that is low enough, others are moved out of many ranges. */
static void negotiated_30_bits(void)
{
	const size_t len = 12 * MIB;
	struct dmaheap_test_map map;
	int device, fds[8], i;

	heap_use("negotiated");
	if (behind_iommu())
		tap_skip("devices behind an IOMMU set no limits");
	device = device_of_bits(30);
	for (i = 0; i < 8; i++) {
		fds[i] = heap_buffer(len);
		map = device_map(device, device_attach(device, fds[i]), BOTH_WAYS);
		check(map.segments);
		cpu_begin(fds[i], DMA_BUF_SYNC_WRITE);
		fill(buffer_map(fds[i], len), len, 0, i);
		cpu_end(fds[i], DMA_BUF_SYNC_WRITE);
	}
	for (i = 0; i < 8; i++)
		check(is_filled(buffer_map(fds[i], len), len, 0, i));
}

static void negotiated_segments(void)
{
	int short_ones = limited(64, 64 * KIB), others = limited(64, MIB),
	    fd = heap_buffer(LEN);
	uint32_t second;
	struct dmaheap_test_map map;

	device_attach(short_ones, fd);
	second = device_attach(others, fd);
	map = device_map(others, second, BOTH_WAYS);
	check(map.longest <= 64 * KIB);
	check(map.longest >= PAGE);
}

static void negotiated_contiguous(void)
{
	int any = limited(64, 0), one = limited(32, 0xffffffff), fd = heap_buffer(LEN);
	uint32_t first = device_attach(any, fd), second = device_attach(one, fd);

	if (all_bounced())
		tap_skip("bounce buffers are in pieces");
	must(ioctl(one, DMAHEAP_TEST_REQUIRE_CONTIGUOUS, &second));
	device_map(any, first, BOTH_WAYS);
	check_equal(device_map(one, second, BOTH_WAYS).segments, 1);
}

static void negotiated_uncached(void)
{
	struct dmaheap_test_witness before, after;
	int fd, mixed, one = limited(64, 0), snooping;
	uint32_t id;
	char *bytes;

	if (!has_caches() || all_bounced() || !witness(&before))
		tap_skip("nothing to be seen where all devices snoop, or are bounced");
	pools_drain(); /* what is there is cleaned ahead */
	/* None snoops: uncached. */
	fd = heap_buffer(LEN);
	id = device_attach_and_map(one, fd);
	device_unmap(one, id, BOTH_WAYS);
	witness(&before);
	bytes = buffer_map(fd, LEN);
	cpu_begin(fd, DMA_BUF_SYNC_RW);
	fill(bytes, LEN, 0, 1);
	cpu_end(fd, DMA_BUF_SYNC_RW);
	device_map(one, id, BOTH_WAYS);
	witness(&after);
	check_equal(after.cleaned - before.cleaned + after.invalidated - before.invalidated,
		    0);
	/* One does: cached, so that the CPU's bytes are cleaned for the other. */
	mixed = heap_buffer(LEN);
	snooping = device_of(DMAHEAP_TEST_COHERENT, 64);
	device_attach(snooping, mixed);
	id = device_attach_and_map(one, mixed);
	device_unmap(one, id, BOTH_WAYS);
	bytes = buffer_map(mixed, LEN);
	witness(&before);
	cpu_begin(mixed, DMA_BUF_SYNC_WRITE);
	fill(bytes, LEN, 0, 1);
	cpu_end(mixed, DMA_BUF_SYNC_WRITE);
	device_map(one, id, BOTH_WAYS);
	witness(&after);
	check(after.cleaned - before.cleaned >= LEN);
}

static void negotiated_too_late(void)
{
	int first = limited(64, 64 * KIB), narrow = limited(32, 0), fd = heap_buffer(24 * MIB);
	struct dmaheap_test_map map;
	uint32_t id;

	if (all_bounced())
		tap_skip("what is bounced anyway fits anything");
	device_attach_and_map(first, fd);
	if (has_high_memory()) {
		check_errno(device_try(narrow, fd, &map), EIO);
		check(log_says("a buffer of heap negotiated lies beyond the device's DMA mask "
			       "of 32 bits"));
	}
	check_errno(device_try(limited(64, 2048), fd, &map), EINVAL);
	check(log_says("takes segments of 2048 bytes"));
	/* One that wants it in one piece. */
	id = device_attach(first, fd);
	check_errno(ioctl(first, DMAHEAP_TEST_REQUIRE_CONTIGUOUS, &id), EIO);
	check(log_says(
		"needs contiguous memory, but the buffer of heap negotiated was settled "
		"on"));
	device_map(first, id, BOTH_WAYS);
}

static void negotiated_cpu_first(void)
{
	int device = limited(64, 0xffffffff), fd = heap_buffer(LEN);
	struct dmaheap_test_map map;
	char *bytes = buffer_map(fd, LEN), *seen = must((char *)malloc(LEN));

	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	fill(bytes, LEN, 0, 1);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	must(device_try(device, fd, &map));
	if (!all_bounced())
		check(map.segments >= LEN / (2 * MIB));
	if (all_bounced() || !has_caches()) {
		device_read(device, map.id, 0, seen, LEN);
		check(is_filled(seen, LEN, 0, 1));
	}
}

static void negotiated_takes_late(void)
{
	uint64_t len = available() / 3;
	long long before;
	void *bytes;
	int fds[4], i;

	heap_use("negotiated");
	before = available();
	for (i = 0; i < 4; i++)
		fds[i] = heap_buffer(len);
	check(before - available() < 16 * (long long)MIB);
	for (i = 0; i < 4; i++) {
		bytes = mmap(NULL, len, PROT_READ, MAP_SHARED, fds[i], 0);
		if (bytes == MAP_FAILED)
			break;
	}
	check_equal(errno, ENOMEM);
	check(i >= 1 && i < 4);
	/* When there is room again, what failed before succeeds. */
	close(fds[0]);
	must(munmap(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fds[1], 0), PAGE));
}

static void require_contiguous(void)
{
	int device = device_new(64, 0), fd = foreign_buffer(MIB);
	uint32_t id = device_attach(device, fd);

	check_errno(ioctl(device, DMAHEAP_TEST_REQUIRE_CONTIGUOUS, &id), EOPNOTSUPP);
	heap_use("system-contiguous");
	id = device_attach(device, heap_buffer(LEN));
	must(ioctl(device, DMAHEAP_TEST_REQUIRE_CONTIGUOUS, &id));
	heap_use("skeleton");
	if (behind_iommu())
		tap_skip("before an IOMMU, any memory is contiguous");
	id = device_attach(device, heap_buffer(LEN));
	check_errno(ioctl(device, DMAHEAP_TEST_REQUIRE_CONTIGUOUS, &id), EIO);
}

static const struct test tests[] = {
	TEST(uncached_linear_map,
	     "uncached: the kernel's own mapping is so, too, and only then"),
	TEST(uncached_refuses, "uncached: a device that would be bounced is refused"),
	TEST(contiguous_rate, "contiguous: 32 MiB, though memory is full of files"),
	TEST(device_area, "device: CMA's, when nothing else is left"),
	TEST(device_of_32_bits, "device: memory for 32 bits"),
	TEST(device_of_24_bits, "device: memory for 24 bits"),
	TEST(device_on_bus, "device: memory that its bus has"),
	TEST(device_bound_by_name, "device: bound and unbound by name"),
	TEST(device_goes,
	     "device: when it goes, its heap does, its buffers stay, and nothing is lost"),
	TEST(negotiated_mask, "negotiated: the narrowest mask"),
	TEST(negotiated_24_bits, "negotiated: a mask of 24 bits"),
	TEST(negotiated_30_bits, "negotiated: a mask of 30 bits, many times"),
	TEST(negotiated_segments, "negotiated: the shortest segments"),
	TEST(negotiated_contiguous, "negotiated: contiguous, if one needs it"),
	TEST(negotiated_uncached, "negotiated: uncached, if no device snoops"),
	TEST(negotiated_too_late, "negotiated: who comes too late is told what does not fit"),
	TEST(negotiated_cpu_first, "negotiated: after the CPU, it is scattered pages"),
	TEST(negotiated_takes_late, "negotiated: no memory before the first access"),
	TEST(require_contiguous, "other heaps say whether they are contiguous"),
};
TAP_MAIN(tests)
