// SPDX-License-Identifier: GPL-2.0-only
/* What only heaps of regions do: of CMA, carveouts, chunks, and protected memory. */
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

/* ---- CMA ---- */

static void cma_alignment(void)
{
	static const uint64_t sizes[] = { 4096, 64 * KIB, 1 * MIB, 5 * MIB };
	static const uint64_t aligned[] = { 4096, 64 * KIB, 1 * MIB, 1 * MIB };
	int device = device_new(64, 0xffffffff);
	unsigned int i;

	heap_use("camera@90000000");
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

	heap_use("camera@90000000");
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
	check(!module_try("dmaheap_cma", ""));
	check(log_says("dmaheap_cma: this kernel has no area of CMA"));
	module_drop("dmaheap_chunk");
	check(!module_try("dmaheap_chunk", "area=none"));
	check(log_says("area=none: this kernel has no default area of CMA"));
	must(module_load("dmaheap_chunk"));
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
	module_drop("dmaheap_chunk");
	module_drop("dmaheap_carveout");
	return has_device_tree() ? 0x9c000000 : 0x64000000;
}

static unsigned long long memory_to_chunk(void)
{
	module_drop("dmaheap_chunk");
	module_drop("dmaheap_carveout");
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
		if (module_try("dmaheap_carveout", parameters))
			tap_fail(__FILE__, __LINE__, "%s: is accepted", parameters);
		if (!log_says(rows[i].says))
			tap_fail(__FILE__, __LINE__, "%s: the log does not say: %s",
				 parameters, rows[i].says);
	}
	/* After all that, nothing is claimed. */
	snprintf(text, 256, "a:32M@%#llx", base);
	check(module_try("dmaheap_carveout", parameters));
	heap_use("a");
	close(heap_buffer(32 * MIB));
	must(module_unload("dmaheap_carveout"));
	load_both();
}

/* Where nothing answers. */
static void carveout_of_nothing(void)
{
	if (has_device_tree())
		tap_skip("here, to touch nothing is an error of the machine");
	module_drop("dmaheap_carveout");
	check(!module_try("dmaheap_carveout", "regions=a:1M@0x8000000000"));
	check(log_says("region a: there is no memory at"));
	must(module_load("dmaheap_carveout"));
}

/* Where the kernel's struct pages end, a region has to end, too. */
static void carveout_of_both(void)
{
	if (!cmdline_has("memmap=192M$0x174000000"))
		tap_skip("no memory without struct page was set aside here");
	module_drop("dmaheap_carveout");
	check(!module_try("dmaheap_carveout", "regions=a:128M@0x174000000"));
	check(log_says("the kernel has struct pages up to 0x0000000178000000"));
	check(module_try("dmaheap_carveout", "regions=a:64M@0x174000000,b:64M@0x178000000"));
	must(module_unload("dmaheap_carveout"));
	must(module_load("dmaheap_carveout"));
}

/* On x86: that nobody maps it by another type, the kernel has to be told. */
static void carveout_type(void)
{
	FILE *list = fopen("/sys/kernel/debug/x86/pat_memtype_list", "r");
	bool found = false;
	char line[256];

	heap_use("video");
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

	heap_use("far");
	fd = heap_buffer(LEN);
	if (device_try(device, fd, &map)) {
		check(all_bounced());
		return;
	}
	if (!behind_iommu()) {
		check_equal(map.segments, LEN / MIB);
		check(map.first >= 0x178000000 && map.last < 0x17c000000);
	}
	check_errno(device_try(device_of_bits(32), fd, &map), EIO);
	check(log_says("a buffer of heap far lies beyond the device's DMA mask of 32 bits"));
}

/* ---- chunks ---- */

static void close_all(void)
{
	int fd;

	for (fd = 3; fd < 64; fd++)
		close(fd);
}

/* Only where all devices are bounced may a device not map such memory. */
static bool is_mapped(int device, int fd, struct dmaheap_test_map *map)
{
	if (!device_try(device, fd, map))
		return true;
	check_equal(errno, EIO);
	check(all_bounced());
	return false;
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
		check(!module_try("dmaheap_chunk", parameters));
		check(log_says("a chunk is 64K, 128K, ... up to 16M"));
	}
	for (i = 0; i < 2; i++) {
		snprintf(parameters, sizeof(parameters), "chunk=%lluK regions=a:32M@%#llx",
			 right[i] / KIB, base);
		check(module_try("dmaheap_chunk", parameters));
		heap_use("a");
		if (is_mapped(device, heap_buffer(right[i] + 1), &map)) {
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
	check(module_try("dmaheap_chunk", parameters));
	heap_use("a");
	if (is_mapped(device, heap_buffer(MIB), &map) && !behind_iommu())
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
	module_drop("dmaheap_chunk");
	check(module_try("dmaheap_chunk", "chunk=16M area=a"));
	heap_use("a");
	if (is_mapped(device_new(64, 0xffffffff), heap_buffer(MIB), &map) && !behind_iommu() &&
	    !all_bounced())
		check(map.alignment >= 16 * MIB);
	close_all();
	must(module_unload("dmaheap_chunk"));
	must(module_load("dmaheap_chunk"));
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
	heap_use(protected_name());
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
	int allowed = device_of_bits(64), too = device_of_bits(64),
	    stranger = device_of_bits(64), fd;
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
	int device = device_of_bits(64);
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

static const struct test tests[] = {
	TEST(cma_alignment, "CMA: one segment, of the area, aligned to its size up to 1 MiB"),
	TEST(cma_is_no_other, "CMA: when the area is full, nothing comes from elsewhere"),
	TEST(cma_refuses, "CMA: without any, the module says so and does not load"),
	TEST(carveout_parameters, "carveouts: each wrong parameter is refused, and why"),
	TEST(carveout_of_nothing, "carveouts: where there is no memory"),
	TEST(carveout_type, "carveouts: noted as write-combined"),
	TEST(carveout_of_both, "carveouts: with and without struct page are two"),
	TEST(carveout_without_pages, "carveouts: of memory without struct page"),
	TEST(chunk_parameters, "chunks: of 64 KiB and of 16 MiB, and nothing between powers"),
	TEST(chunk_of_area, "chunks: of 16 MiB, of an area of CMA"),
	TEST(protected_from_the_cpu, "protected: mmap and CPU access are EPERM"),
	TEST(protected_devices, "protected: only devices that are allowed attach"),
	TEST(protected_for_a_driver, "protected: allocated by a driver"),
	TEST(protected_by_a_backend_that_fails,
	     "protected: memory that cannot be lent or reclaimed"),
};
TAP_MAIN(tests)
