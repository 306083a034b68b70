// SPDX-License-Identifier: GPL-2.0-only
/* What only one kind of heap does. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define PAGE 4096UL
#define LEN (8 * MIB)

/* ---- what all use ---- */

static void use_heap(const char *name)
{
	must(setenv("HEAP", name, 1));
	if (access(heap_node(), F_OK))
		tap_skip("there is no heap %s here", name);
}

/* Has the kernel said this since the test began? */
static bool log_says(const char *text)
{
	static char log[4 << 20];
	char *start = log, *mark;
	int len = klogctl(3 /* read all */, log, sizeof(log) - 1);

	check(len > 0);
	log[len] = '\0';
	while ((mark = strstr(start, "test: ")))
		start = mark + 1;
	return strstr(start, text);
}

static bool has_high_memory(void)
{
	return meminfo("MemTotal") > 4096 * (long long)MIB;
}

static uint32_t attach_and_map(int device, int fd)
{
	uint32_t id = device_attach(device, fd);

	device_map(device, id, BOTH_WAYS);
	return id;
}

static int platform_device(unsigned int mask_bits)
{
	struct dmaheap_test_device data = { .mask_bits = mask_bits };
	int device = device_open();

	if (all_bounced() && mask_bits < 32)
		tap_skip("bounce buffers lie beyond a mask of %u bits", mask_bits);
	if (!ioctl(device, DMAHEAP_TEST_DEVICE, &data))
		return device;
	tap_skip("no device here can have a mask of %u bits", mask_bits);
}

/* modprobe with parameters; whether it succeeded. */
static bool loads(const char *module, const char *parameters)
{
	char command[512];

	snprintf(command, sizeof(command), "modprobe %s %s 2>/dev/null", module, parameters);
	return !system(command);
}

static void unload_if_loaded(const char *module)
{
	if (module_unload(module))
		check_equal(errno, ENOENT);
}

/* ---- system-uncached ---- */

static uint64_t uncached_bytes(void)
{
	uint64_t bytes = 0;

	if (ioctl(device_open(), DMAHEAP_TEST_UNCACHED, &bytes))
		tap_skip("here the kernel's own mapping of memory does not change");
	return bytes;
}

/* The kernel's own mapping is of the same type as long as the buffer lives, and no longer. */
static void uncached_linear_map(void)
{
	static const uint64_t sizes[] = { 4096, LEN, 100 * MIB + 4096 };
	uint64_t before = uncached_bytes();
	unsigned int i;
	int fd;

	use_heap("system-uncached");
	for (i = 0; i < 3; i++) {
		fd = heap_buffer(sizes[i]);
		check_equal(uncached_bytes() - before, sizes[i]);
		close(fd);
		check_equal(uncached_bytes(), before);
	}
}

static void uncached_refuses(void)
{
	struct dmaheap_test_map map;
	int fd;

	use_heap("system-uncached");
	fd = heap_buffer(24 * MIB);
	if (all_bounced()) {
		check_errno(device_try(device_new(64, 0), fd, &map), EIO);
		check(log_says("all its accesses are bounced, which those to a buffer of heap "
			       "system-uncached cannot be"));
		return;
	}
	if (behind_iommu() || !has_high_memory())
		tap_skip("no device needs a bounce buffer here");
	check_errno(device_try(device_new(32, 0), fd, &map), EIO);
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

	use_heap("system-contiguous");
	if (!cmdline_has("init_on_alloc=0") || all_bounced() || behind_iommu() ||
	    access("/sys/module/ext4", F_OK))
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

/* ---- CMA ---- */

static void cma_alignment(void)
{
	static const uint64_t sizes[] = { 4096, 64 * KIB, 1 * MIB, 5 * MIB };
	static const uint64_t aligned[] = { 4096, 64 * KIB, 1 * MIB, 1 * MIB };
	int device = device_new(64, 0xffffffff);
	unsigned int i;

	use_heap("camera@90000000");
	if (all_bounced() || behind_iommu())
		tap_skip("addresses of bounce buffers, or an IOMMU's, say nothing");
	for (i = 0; i < 4; i++) {
		struct dmaheap_test_map map = device_map(
			device, device_attach(device, heap_buffer(sizes[i])), BOTH_WAYS);

		check_equal(map.segments, 1);
		check(map.alignment >= aligned[i]);
		check(map.first >= 0x90000000 && map.last < 0x94000000);
	}
}

/* The allocator is asked for the area, not for memory: when that is full, it is full. */
static void cma_is_no_other(void)
{
	int heap, n = 0;

	use_heap("camera@90000000");
	heap = heap_open();
	while (n < 80 && heap_try(heap, MIB) >= 0)
		n++;
	check_equal(errno, ENOMEM);
	check(n > 32 && n <= 64);
	/* Smaller ones and single pages do not come from elsewhere either. */
	while (heap_try(heap, 2 * PAGE) >= 0)
		check(++n < 1000);
	check_equal(errno, ENOMEM);
	check_errno(heap_try(heap, PAGE), ENOMEM);
}

static void cma_refuses(void)
{
	if (meminfo_try("CmaTotal") > 0)
		tap_skip("there is CMA here");
	check(!loads("dmaheap_cma", ""));
	check(log_says("dmaheap_cma: this kernel has no area of CMA"));
	check(!loads("dmaheap_chunk", "area=none") || true);
}

/* ---- carveouts ---- */

static bool has_device_tree(void)
{
	return !access("/proc/device-tree/reserved-memory/tiles@9c000000", F_OK);
}

/*
 * 32 MiB that were kept from the kernel, and no module has claimed.  What the device tree wants
 * a heap of, the module that makes it has.
 */
static unsigned long long memory_to_carve(void)
{
	unload_if_loaded("dmaheap_chunk");
	unload_if_loaded("dmaheap_carveout");
	return has_device_tree() ? 0x9c000000 : 0x64000000;
}

static unsigned long long memory_to_chunk(void)
{
	unload_if_loaded("dmaheap_chunk");
	unload_if_loaded("dmaheap_carveout");
	return has_device_tree() ? 0x94000000 : 0x64000000;
}

static void load_both(void)
{
	must(module_load("dmaheap_carveout"));
	must(module_load("dmaheap_chunk"));
}

static void carveout_parameters(void)
{
	static const struct {
		const char *text; /* printed with where there is memory, plus a and plus b */
		const char *says;
		uint64_t a, b;
	} rows[] = {
		{ "video", "names no region: NAME:SIZE@BASE", 0, 0 },
		{ ":1M@%#llx", "names no region", 0, 0 },
		{ "a:@%#llx", "is no region", 0, 0 },
		{ "a:1M", "is no region", 0, 0 },
		{ "a:1M@", "is no region", 0, 0 },
		{ "a:1M@%#llxx", "is no region", 0, 0 },
		{ "a:-1M@%#llx", "is no region", 0, 0 },
		{ "a:1Q@%#llx", "is no region", 0, 0 },
		{ "a:0@%#llx", "must be whole pages, and not 0", 0, 0 },
		{ "a:1M@0", "must be whole pages, and not 0", 0, 0 },
		{ "a:4097@%#llx", "must be whole pages", 0, 0 },
		{ "a:1M@%#llx", "must be whole pages", 0x800, 0 },
		{ "a:1M@0xfffffffffffff000", "ends beyond all addresses", 0, 0 },
		{ "a:0xfffffffffffff000@%#llx", "ends beyond all addresses", 0, 0 },
		{ "a:1M@0x42000000", "overlaps memory that the kernel uses", 0, 0 },
		{ "a:512M@%#llx", "overlaps memory that the kernel uses", 0, 0 },
		{ "a:1M@%#llx,b:1M@%#llx", "clashes with another user", 0, 0 },
		{ "a:2M@%#llx,b:1M@%#llx", "clashes with another user", 0, 0x1000 },
		{ "a:1M@%#llx,a:1M@%#llx", "heap a could not be published", 0, MIB },
		{ "a/b:1M@%#llx", "cannot be named 'a/b'", 0, 0 },
	};
	char parameters[300] = "regions=", *text = parameters + strlen(parameters);
	unsigned long long base = memory_to_carve();
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, 256, rows[i].text, base + rows[i].a, base + rows[i].b);
		if (loads("dmaheap_carveout", parameters))
			tap_fail(__FILE__, __LINE__, "%s: is accepted", parameters);
		if (!log_says(rows[i].says))
			tap_fail(__FILE__, __LINE__, "%s: the log does not say: %s",
				 parameters, rows[i].says);
	}
	/* After all that, nothing is claimed. */
	snprintf(text, 256, "a:32M@%#llx", base);
	check(loads("dmaheap_carveout", parameters));
	use_heap("a");
	close(heap_buffer(32 * MIB));
	must(module_unload("dmaheap_carveout"));
	load_both();
}

/* Where nothing answers. */
static void carveout_of_nothing(void)
{
	if (has_device_tree())
		tap_skip("here, to touch nothing is an error of the machine");
	unload_if_loaded("dmaheap_carveout");
	check(!loads("dmaheap_carveout", "regions=a:1M@0x8000000000"));
	check(log_says("region a: there is no memory at"));
	must(module_load("dmaheap_carveout"));
}

/* On x86: that nobody maps it by another type, the kernel has to be told. */
static void carveout_type(void)
{
	FILE *list = fopen("/sys/kernel/debug/x86/pat_memtype_list", "r");
	bool found = false;
	char line[256];

	use_heap("video");
	if (!list)
		tap_skip("here, types of memory are not listed");
	while (fgets(line, sizeof(line), list))
		found = found || (strstr(line, "0x0000000064000000-0x0000000068000000") &&
				  strstr(line, "write-combining"));
	check(found);
}

/* Memory that there is no struct page of at all. */
static void carveout_without_pages(void)
{
	int device = device_new(64, MIB), fd;
	struct dmaheap_test_map map;

	use_heap("far");
	fd = heap_buffer(LEN);
	if (device_try(device, fd, &map)) {
		check(all_bounced());
		return;
	}
	check_equal(map.segments, behind_iommu() ? map.segments : LEN / MIB);
	check_errno(device_try(platform_device(32), fd, &map), EIO);
	check(log_says("a buffer of heap far lies beyond the device's DMA mask of 32 bits"));
}

/* ---- chunks ---- */

static void close_all(void)
{
	int fd;

	for (fd = 3; fd < 64; fd++)
		close(fd);
}

static void chunk_parameters(void)
{
	static const char *const wrong[] = { "3M", "32K", "32M", "0", "1Mx", "-1" };
	static const uint64_t right[] = { 64 * KIB, 16 * MIB };
	int device = device_new(64, 0xffffffff);
	struct dmaheap_test_map map;
	char parameters[128];
	unsigned long long base = memory_to_chunk();
	unsigned int i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(parameters, sizeof(parameters), "chunk=%s regions=a:32M@%#llx",
			 wrong[i], base);
		check(!loads("dmaheap_chunk", parameters));
		check(log_says("a chunk is 64K, 128K, ... up to 16M"));
	}
	for (i = 0; i < 2; i++) {
		snprintf(parameters, sizeof(parameters), "chunk=%lluK regions=a:32M@%#llx",
			 right[i] / KIB, base);
		check(loads("dmaheap_chunk", parameters));
		use_heap("a");
		if (!device_try(device, heap_buffer(right[i] + 1), &map)) {
			check_equal(map.segments, behind_iommu() ? 1 : 2);
			check(behind_iommu() || map.shortest == right[i]);
			check(map.alignment >= right[i] || behind_iommu());
		}
		close_all();
		device = device_new(64, 0xffffffff);
		must(module_unload("dmaheap_chunk"));
	}
	/* Aligned, also in a region that is not: there is room for one. */
	snprintf(parameters, sizeof(parameters), "chunk=16M regions=a:31M@%#llx", base + MIB);
	check(loads("dmaheap_chunk", parameters));
	use_heap("a");
	if (!device_try(device, heap_buffer(MIB), &map) && !behind_iommu())
		check_equal(map.first, base + 16 * MIB);
	check_errno(heap_try(heap_open(), MIB), ENOMEM);
	close_all();
	must(module_unload("dmaheap_chunk"));
	load_both();
}

/* Chunks that are aligned to more than the allocator of the area can be asked for. */
static void chunk_of_area(void)
{
	struct dmaheap_test_map map;

	if (meminfo_try("CmaTotal") <= 0)
		tap_skip("there is no CMA here");
	unload_if_loaded("dmaheap_chunk");
	check(loads("dmaheap_chunk", "chunk=16M area=a"));
	use_heap("a");
	if (!device_try(device_new(64, 0xffffffff), heap_buffer(MIB), &map) &&
	    !behind_iommu() && !all_bounced())
		check(map.alignment >= 16 * MIB);
	close_all();
	must(module_unload("dmaheap_chunk"));
	must(module_load("dmaheap_chunk"));
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
	use_heap(heap);
}

/* Its heap's memory is such that the device needs no bounce buffer. */
static void suits(unsigned int mask_bits, uint64_t len)
{
	int device = platform_device(mask_bits), fd;
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
	int device = platform_device(64), other = platform_device(64);
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
	use_heap(device_name(other));
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
	int device = platform_device(64), other = platform_device(64), fd, heap;
	char *bytes;

	bind_as(device, "short-lived");
	heap = heap_open();
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
		id = attach_and_map(other, fd);
		device_read(other, id, 0, seen, LEN);
		check(is_filled(seen, LEN, 0, 1));
	}
	munmap(bytes, LEN);
}

/* ---- protected ---- */

/* What the device tree has, or parameters. */
static const char *protected_name(void)
{
	return access("/dev/dma_heap/protected@a0000000", F_OK) ? "protected" :
								  "protected@a0000000";
}

static void use_protected(void)
{
	use_heap(protected_name());
}

static void protected_from_the_cpu(void)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	struct dma_heap_sync_data part = { .flags = sync.flags, .len = PAGE };
	int fd;

	use_protected();
	fd = heap_buffer(MIB);
	part.fd = fd;
	check_errno((long)mmap(NULL, MIB, PROT_READ, MAP_SHARED, fd, 0), EPERM);
	check_errno((long)mmap(NULL, MIB, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	check_errno(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), EPERM);
	check_errno(ioctl(heap_open(), DMA_HEAP_IOCTL_SYNC, &part), EPERM);
	sync.flags |= DMA_BUF_SYNC_END;
	part.flags |= DMA_BUF_SYNC_END;
	check_errno(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), EPERM);
	check_errno(ioctl(heap_open(), DMA_HEAP_IOCTL_SYNC, &part), EPERM);
}

static void protected_devices(void)
{
	int allowed = platform_device(64), too = platform_device(64),
	    stranger = platform_device(64), fd;
	struct dmaheap_test_map map;

	use_protected();
	fd = heap_buffer(MIB);
	check_errno(device_try(stranger, fd, &map), EPERM);
	check(log_says("may not use protected memory of heap protected"));
	if (all_bounced()) {
		check_errno(device_try(allowed, fd, &map), EIO);
		return;
	}
	must(device_try(allowed, fd, &map));
	must(device_try(too, fd, &map));
}

#define REFERENCE "/sys/module/dmaheap_protected_reference/parameters/"

static void protected_by_a_backend_that_fails(void)
{
	int heap, fd, n = 0, fds[40];

	use_protected();
	heap = heap_open();
	check_equal(file_number(REFERENCE "lent"), 0);
	fd = heap_buffer(2 * MIB);
	check_equal(file_number(REFERENCE "lent"), 2 * MIB);
	close(fd);
	check_equal(file_number(REFERENCE "lent"), 0);
	/* What cannot be lent is not leaked: the whole region can be had afterwards. */
	file_write(REFERENCE "lend_fails", "1");
	check_errno(heap_try(heap, 20 * MIB), EIO);
	check_errno(heap_try(heap, 20 * MIB), EIO);
	file_write(REFERENCE "lend_fails", "0");
	close(must(heap_try(heap, 32 * MIB)));
	/* What cannot be reclaimed is never given to anybody again. */
	fd = heap_buffer(8 * MIB);
	file_write(REFERENCE "reclaim_fails", "1");
	close(fd);
	file_write(REFERENCE "reclaim_fails", "0");
	check(log_says("could not be reclaimed"));
	while (n < 40 && (fds[n] = heap_try(heap, MIB)) >= 0)
		n++;
	check_equal(n, 24);
	while (n--)
		close(fds[n]);
	/* Not even if the module is loaded anew; so this is the last test of it. */
	close(heap);
	must(module_unload("dmaheap_protected_reference"));
	check(log_says("8192 KiB were not given back"));
	check(module_load("dmaheap_protected_reference") < 0);
	check(log_says("clashes with another user") || log_says("overlaps region"));
}

/* Firmware that must be there before any program runs. */
static void protected_for_a_driver(void)
{
	struct dmaheap_test_heap name = {};
	struct dmaheap_test_alloc data = { .len = MIB };
	int device = platform_device(64);
	struct dmaheap_test_map map;
	char in[1000], out[1000];

	use_protected();
	strcpy(name.name, protected_name());
	must(ioctl(device, DMAHEAP_TEST_HOLD, &name));
	must(ioctl(device, DMAHEAP_TEST_ALLOC, &data));
	if (all_bounced())
		tap_skip("all devices here are bounced, which this memory must not be");
	must(device_try(device, data.fd, &map));
	fill(in, sizeof(in), 0, 1);
	device_write(device, map.id, 5000, in, sizeof(in));
	device_read(device, map.id, 5000, out, sizeof(out));
	check(!memcmp(in, out, sizeof(in)));
}

/* ---- negotiated ---- */

static int limited(unsigned int mask_bits, unsigned int max_segment)
{
	use_heap("negotiated");
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

	use_heap("negotiated");
	must(device_try(platform_device(24), heap_buffer(256 * KIB), &map));
	check(map.last < 1ULL << 24);
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
	int any = limited(64, 0), one = limited(64, 0xffffffff), fd = heap_buffer(LEN);
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
	/* None snoops: uncached. */
	fd = heap_buffer(LEN);
	id = attach_and_map(one, fd);
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
	id = attach_and_map(one, mixed);
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
	attach_and_map(first, fd);
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

	use_heap("negotiated");
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
	use_heap("system-contiguous");
	id = device_attach(device, heap_buffer(LEN));
	must(ioctl(device, DMAHEAP_TEST_REQUIRE_CONTIGUOUS, &id));
	use_heap("skeleton");
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
	TEST(cma_alignment, "CMA: one segment, of the area, aligned to its size up to 1 MiB"),
	TEST(cma_is_no_other, "CMA: when the area is full, nothing comes from elsewhere"),
	TEST(cma_refuses, "CMA: without any, the module says so and does not load"),
	TEST(carveout_parameters, "carveouts: each wrong parameter is refused, and why"),
	TEST(carveout_of_nothing, "carveouts: where there is no memory"),
	TEST(carveout_type, "carveouts: noted as write-combined"),
	TEST(carveout_without_pages, "carveouts: of memory without struct page"),
	TEST(chunk_parameters, "chunks: of 64 KiB and of 16 MiB, and nothing between powers"),
	TEST(chunk_of_area, "chunks: of 16 MiB, of an area of CMA"),
	TEST(device_of_32_bits, "device: memory for 32 bits"),
	TEST(device_of_24_bits, "device: memory for 24 bits"),
	TEST(device_bound_by_name, "device: bound and unbound by name"),
	TEST(device_goes, "device: when it goes, its heap does, and its buffers stay"),
	TEST(protected_from_the_cpu, "protected: mmap and CPU access are EPERM"),
	TEST(protected_devices, "protected: only devices that are allowed attach"),
	TEST(protected_for_a_driver, "protected: allocated by a driver"),
	TEST(protected_by_a_backend_that_fails,
	     "protected: memory that cannot be lent or reclaimed"),
	TEST(negotiated_mask, "negotiated: the narrowest mask"),
	TEST(negotiated_24_bits, "negotiated: a mask of 24 bits"),
	TEST(negotiated_segments, "negotiated: the shortest segments"),
	TEST(negotiated_contiguous, "negotiated: contiguous, if one needs it"),
	TEST(negotiated_uncached, "negotiated: uncached, if no device snoops"),
	TEST(negotiated_too_late, "negotiated: who comes too late is told what does not fit"),
	TEST(negotiated_cpu_first, "negotiated: after the CPU, it is scattered pages"),
	TEST(negotiated_takes_late, "negotiated: no memory before the first access"),
	TEST(require_contiguous, "other heaps say whether they are contiguous"),
};
TAP_MAIN(tests)
