// SPDX-License-Identifier: GPL-2.0-only
/* The in-kernel API, by way of dmaheap_test, and the heap in upstream's shape. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define PAGE 4096UL

static int hold(int client, const char *name, struct dmaheap_test_heap *heap)
{
	memset(heap, 0, sizeof(*heap));
	snprintf(heap->name, sizeof(heap->name), "%s", name);
	return ioctl(client, DMAHEAP_TEST_HOLD, heap);
}

static int publish(int driver, const char *name)
{
	struct dmaheap_test_heap heap = {};

	snprintf(heap.name, sizeof(heap.name), "%s", name);
	return ioctl(driver, DMAHEAP_TEST_ADD, &heap);
}

static int unpublish(int driver, const char *name)
{
	struct dmaheap_test_heap heap = {};

	snprintf(heap.name, sizeof(heap.name), "%s", name);
	return ioctl(driver, DMAHEAP_TEST_REMOVE, &heap);
}

static int kernel_alloc(int client, uint64_t len, uint32_t fd_flags, uint64_t heap_flags)
{
	struct dmaheap_test_alloc data = {
		.len = len,
		.fd_flags = fd_flags,
		.heap_flags = heap_flags,
	};

	return ioctl(client, DMAHEAP_TEST_ALLOC, &data) ? -1 : data.fd;
}

static int count_nodes(void)
{
	DIR *nodes = opendir("/dev/dma_heap");
	int n = 0;

	check(nodes);
	while (readdir(nodes))
		n++;
	closedir(nodes);
	return n;
}

static void found(void)
{
	struct dmaheap_test_heap heap;
	int client = device_open();

	must(hold(client, heap_name(), &heap));
	check(!strcmp(heap.name, heap_name()));
}

/* A driver asks for "system", on any kernel. */
static void found_by_plain_name(void)
{
	struct dmaheap_test_heap heap;

	must(hold(device_open(), "system", &heap));
	check(!strcmp(heap.name, "system") || !strcmp(heap.name, "system.dmaheap"));
}

static void whole_name(void)
{
	static const char *const names[] = {
		"",
		"s",
		"syste",
		"systemx",
		"system ",
		"System",
		"system.",
		"system.dmahea",
		"/dev/dma_heap/system",
		"nothing",
	};
	struct dmaheap_test_heap heap;
	int client = device_open();
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_errno(hold(client, names[i], &heap), ENOENT);
}

static int holding(void)
{
	struct dmaheap_test_heap heap;
	int client = device_open();

	must(hold(client, heap_name(), &heap));
	return client;
}

static void allocates(void)
{
	int client = holding(), buffers = table_length();
	int fd = must(kernel_alloc(client, 3 * MIB + 1, O_RDWR | O_CLOEXEC, 0));
	char *bytes = buffer_map(fd, 3 * MIB + PAGE);

	check_equal(lseek(fd, 0, SEEK_END), 3 * MIB + PAGE);
	check_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	check(is_zero(bytes, 3 * MIB + PAGE));
	munmap(bytes, 3 * MIB + PAGE);
	check_equal(table_length(), buffers + 1);
	close(fd);
	check_equal(table_length(), buffers);
}

static void refuses(void)
{
	int client = holding();

	check_errno(kernel_alloc(client, 0, O_RDWR, 0), EINVAL);
	check_errno(kernel_alloc(client, UINT64_MAX, O_RDWR, 0), EINVAL);
	check_errno(kernel_alloc(client, PAGE, O_NONBLOCK, 0), EINVAL);
	check_errno(kernel_alloc(client, PAGE, O_RDWR, 1), EINVAL);
	check_errno(kernel_alloc(client, PAGE, O_RDWR, 1ULL << 63), EINVAL);
	check_errno(kernel_alloc(client, 1ULL << 63, O_RDWR, 0), ENOMEM);
	check_errno(kernel_alloc(client, meminfo("MemTotal"), O_RDWR, 0), ENOMEM);
}

static void duplicate(void)
{
	int driver = device_open(), nodes;

	must(publish(driver, "twice"));
	nodes = count_nodes();
	check_errno(publish(driver, "twice"), EBUSY);
	check_errno(publish(driver, heap_name()), EBUSY);
	check_errno(publish(driver, "system"), EBUSY);
	check_equal(count_nodes(), nodes);
	must(unpublish(driver, "twice"));
	check_equal(count_nodes(), nodes - 1);
	must(publish(driver, "twice"));
}

static void bad_names(void)
{
	static const char *const names[] = {
		"", ".", "..", ".hidden", "a/b", "/", "a!b", "a b", "a\nb", "a\tb", "\xc3\xa4",
	};
	int driver = device_open(), nodes = count_nodes();
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_errno(publish(driver, names[i]), EINVAL);
	check_equal(count_nodes(), nodes);
}

static void good_names(void)
{
	static const char *const names[] = {
		"a",
		"linux,cma",
		"vidbuf@80000000",
		"default_cma_region",
		"a-b_c.d:e",
		"123456789012345678901234567890123456789012345678901234567890123",
	};
	int driver = device_open();
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		struct stat st;

		must(publish(driver, names[i]));
		snprintf(path, sizeof(path), "/dev/dma_heap/%s", names[i]);
		must(stat(path, &st));
		check_equal(st.st_mode & 07777, 0660);
		must(unpublish(driver, names[i]));
		check_errno(stat(path, &st), ENOENT);
	}
}

static void removed(void)
{
	int driver = device_open(), client = device_open(), heap;
	struct dmaheap_test_heap found;

	must(publish(driver, "passing"));
	heap = must(open("/dev/dma_heap/passing", O_RDWR));
	must(hold(client, "passing", &found));
	check_errno(heap_try(heap, PAGE), ENOMEM); /* its own answer */
	check_errno(kernel_alloc(client, PAGE, O_RDWR, 0), ENOMEM);

	must(unpublish(driver, "passing"));
	check_errno(heap_try(heap, PAGE), ENODEV);
	check_errno(kernel_alloc(client, PAGE, O_RDWR, 0), ENODEV);
	check_errno(open("/dev/dma_heap/passing", O_RDWR), ENOENT);
	check_errno(hold(device_open(), "passing", &found), ENOENT);
	/* One that comes after it is another heap. */
	must(publish(driver, "passing"));
	check_errno(heap_try(heap, PAGE), ENODEV);
	check_errno(kernel_alloc(client, PAGE, O_RDWR, 0), ENODEV);
}

static void many(void)
{
	int driver = device_open(), i;
	char name[16];

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "heap%d", i);
		if (publish(driver, name))
			break;
	}
	check_equal(errno, ENOSPC);
	check(i > 200);
	close(driver); /* removes them all */
	check_errno(open("/dev/dma_heap/heap0", O_RDWR), ENOENT);
	must(publish(device_open(), "heap0"));
}

static void upstream(void)
{
	int heap = must(open("/dev/dma_heap/upstream", O_RDWR)), fd = must(heap_try(heap, 1));
	int device = device_new(64, 0);
	uint32_t id = device_attach(device, fd);
	char *bytes = buffer_map(fd, PAGE), seen[PAGE];

	check(is_zero(bytes, PAGE));
	fill(bytes, PAGE, 0, 1);
	device_map(device, id, BOTH_WAYS);
	device_read(device, id, 0, seen, PAGE);
	check(is_filled(seen, PAGE, 0, 1));
	device_unmap(device, id, BOTH_WAYS);
	check_errno(heap_try(heap, PAGE + 1), ENOMEM);
	check_errno(heap_try(heap, 0), EINVAL);
	must(kernel_alloc(holding(), PAGE, O_RDWR, 0));
}

static int by_vmap(int client, int fd, bool write, uint64_t offset, void *bytes, size_t len)
{
	struct dmaheap_test_vmap data = {
		.fd = fd,
		.flags = write ? DMAHEAP_TEST_VMAP_WRITE : 0,
		.offset = offset,
		.len = len,
		.bytes = (uintptr_t)bytes,
	};

	return ioctl(client, DMAHEAP_TEST_VMAP, &data);
}

static void vmap(void)
{
	const size_t len = 5 * MIB + 68 * KIB;
	int client = device_open(), fd = heap_buffer(len), round;
	char *bytes = buffer_map(fd, len), *seen = must((char *)malloc(len));

	for (round = 0; round < 3; round++) {
		fill(bytes, len, 0, round);
		must(by_vmap(client, fd, false, 0, seen, len));
		check(is_filled(seen, len, 0, round));
		fill(seen, len, 0, 100 + round);
		must(by_vmap(client, fd, true, 0, seen, len));
		check(is_filled(bytes, len, 0, 100 + round));
	}
	must(by_vmap(client, fd, false, len - 1, seen, 1));
	check_errno(by_vmap(client, fd, false, len, seen, 1), EINVAL);
}

/* The vmap of a driver is bracketed, and shows what a device wrote that holds its mapping. */
static void vmap_beside_device(void)
{
	int device = device_new(64, 0), fd = heap_buffer(MIB);
	uint32_t id = device_attach(device, fd);
	char byte = 5, seen = 0;

	device_map(device, id, BOTH_WAYS);
	device_write(device, id, MIB - 1, &byte, 1);
	must(by_vmap(device, fd, false, MIB - 1, &seen, 1));
	check_equal(seen, 5);
	byte = 6;
	must(by_vmap(device, fd, true, MIB - 1, &byte, 1));
	device_read(device, id, MIB - 1, &seen, 1);
	check_equal(seen, 6);
}

/*
 * Where the kernel has a framework of its own, "system" is its and "system.dmaheap" ours;
 * else "system" is ours.
 */
static void names_beside_the_kernels(void)
{
	bool kernels_own = !strcmp(heap_name(), "system.dmaheap");
	char info[64], line[256], exporter[64] = "";
	int heap = must(open("/dev/dma_heap/system", O_RDWR)), fd, buffers = table_length();
	FILE *file;

	fd = must(heap_try(heap, PAGE));
	check_equal(table_length(), buffers + !kernels_own);
	snprintf(info, sizeof(info), "/proc/self/fdinfo/%d", fd);
	file = fopen(info, "r");
	while (fgets(line, sizeof(line), file))
		sscanf(line, "exp_name: %63s", exporter);
	check(!strcmp(exporter, "system"));
	check_equal(!access("/dev/dma_heap/system.dmaheap", F_OK), kernels_own);
	tap_say("the kernel %s", kernels_own ? "has heaps of its own" : "has no heaps");
}

static const struct test tests[] = {
	TEST(found, "a heap is found by the name of its node"),
	TEST(found_by_plain_name, "a heap is found by the name that it asked for"),
	TEST(whole_name, "only the whole name finds"),
	TEST(allocates, "a driver allocates a zeroed buffer, and drops it"),
	TEST(refuses, "a driver is refused what the ioctl refuses"),
	TEST(duplicate, "a name that is taken is EBUSY and publishes nothing"),
	TEST(bad_names, "names that cannot be a node are EINVAL and publish nothing"),
	TEST(good_names, "names of boards and regions make nodes, 0660"),
	TEST(removed, "a removed heap is ENODEV to open fds and references"),
	TEST(many, "too many heaps are ENOSPC, and all go with their driver"),
	TEST(upstream, "a heap written for the kernel's own framework works"),
	TEST(vmap, "the kernel maps a buffer, and shares its bytes"),
	TEST(vmap_beside_device, "the kernel's mapping shows what a device wrote"),
	TEST(names_beside_the_kernels, "system is the kernel's where it has one, else ours"),
};
TAP_MAIN(tests)
