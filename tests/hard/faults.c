// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of memory fails once: each operation is repeated with its first, its second, its
 * third ... allocation failing, until it has none left to fail.  Each time it says so by an errno
 * that is documented, and publishes nothing.  Of memory that was set aside nothing is missing in the
 * end; of all other, tests/leaks says so.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define PAGE 4096UL
#define MOST 20000
#define MOST_BUFFERS 256
#define DEBUG "/sys/kernel/debug/"
#define SLOTS DEBUG "swiotlb/io_tlb_used"

static int nth_fd = -1;

/* All allocations can be told to fail, also those that would wait for reclaim. */
static void begin(void)
{
	/* Hundreds of rounds, on a slow kernel: the guest has a limit of its own. */
	alarm(3000);
	nth_fd = must(open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC));
	file_write(DEBUG "failslab/ignore-gfp-wait", "N");
	file_write(DEBUG "failslab/verbose", "0");
	file_write(DEBUG "fail_page_alloc/ignore-gfp-wait", "N");
	file_write(DEBUG "fail_page_alloc/ignore-gfp-highmem", "N");
	file_write(DEBUG "fail_page_alloc/min-order", "0");
	file_write(DEBUG "fail_page_alloc/verbose", "0");
}

static void arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	must(pwrite(nth_fd, text, len, 0));
}

/* How many allocations were left before the one that was to fail; 0: it has failed. */
static unsigned int disarm(void)
{
	char text[16] = "";

	must(pread(nth_fd, text, sizeof(text) - 1, 0));
	must(pwrite(nth_fd, "0", 1, 0));
	return atoi(text);
}

/**
 * struct operation - what is to fail
 * @name:	of it
 * @prepare:	what it needs; nothing fails in it
 * @run:	it; 0 or a negative errno
 * @clean:	undoes both; told whether it had succeeded
 * @errors:	errnos that are documented besides ENOMEM; 0 ends
 */
struct operation {
	const char *name;
	void (*prepare)(void);
	int (*run)(void);
	void (*clean)(bool done);
	int errors[4];
};

static bool is_documented(const struct operation *operation, int err)
{
	const int *error;

	if (err == -ENOMEM)
		return true;
	for (error = operation->errors; *error; error++)
		if (err == -*error)
			return true;
	return false;
}

/* In a folder, and in those in it. */
static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char below[512];
	int n = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			n += count_entries(below);
	}
	if (dir)
		closedir(dir);
	return n;
}

static int count_modules(void)
{
	FILE *file = must(fopen("/proc/modules", "r"));
	char line[512];
	int n = 0;

	while (fgets(line, sizeof(line), file))
		n++;
	fclose(file);
	return n;
}

/* What shows from outside; and the slots of bounce buffers that are in use. */
struct published {
	int buffers, nodes, heaps, classes, modules, debugfs, bounced;
};

static struct published look(void)
{
	return (struct published){
		/* Which goes with the core. */
		.buffers = access(DEBUG "dmaheap/buffers", F_OK) ? 0 : table_length(),
		.nodes = count_entries("/dev/dma_heap"),
		.heaps = count_entries("/sys/devices/virtual/dma_heap"),
		.classes = count_entries("/sys/class/dma_heap"),
		.modules = count_modules(),
		.debugfs = count_entries(DEBUG "dmaheap"),
		.bounced = access(SLOTS, F_OK) ? 0 : sum_of(SLOTS, "%lld"),
	};
}

static bool is_same(struct published one, struct published other)
{
	return !memcmp(&one, &other, sizeof(one));
}

/* By the kernel's custom, nobody minds if a file of debugfs cannot be made. */
static bool is_whole(struct published one, struct published other)
{
	other.debugfs = one.debugfs;
	return is_same(one, other);
}

/* One round; false: nothing was left to fail.  @done is what shows when the operation has succeeded. */
static bool fail_once(const struct operation *operation, unsigned int nth,
		      struct published *done)
{
	struct published before = look();
	unsigned int left;
	int err;

	pools_drain(); /* what it takes has to come from the kernel */
	if (operation->prepare)
		operation->prepare();
	arm(nth);
	err = operation->run();
	left = disarm();
	if (nth == MOST)
		*done = look();
	/* Also if it could do without what it did not get. */
	if (!err && !is_whole(*done, look()))
		tap_fail(__FILE__, __LINE__,
			 "%s: allocation %u failed, and something is missing", operation->name,
			 nth);
	if (operation->clean)
		operation->clean(!err);
	if (err && !is_documented(operation, err))
		tap_fail(__FILE__, __LINE__, "%s: allocation %u failed, and it said %s",
			 operation->name, nth, strerror(-err));
	if (err && left)
		tap_fail(__FILE__, __LINE__, "%s: %s without a fault", operation->name,
			 strerror(-err));
	if (!is_same(before, look()))
		tap_fail(__FILE__, __LINE__, "%s: allocation %u failed, and something is left",
			 operation->name, nth);
	return !left;
}

static void fail_each(const struct operation *operation)
{
	struct published done;
	unsigned int nth;

	fail_once(operation, MOST, &done); /* what is allocated but once */
	for (nth = 1; nth < MOST && fail_once(operation, nth, &done); nth++)
		;
	check(nth < MOST);
	tap_say("%s: %u allocations", operation->name, nth - 1);
}

static void fail_all(const struct operation *operations, size_t nr)
{
	size_t i;

	begin();
	for (i = 0; i < nr; i++)
		fail_each(&operations[i]);
}

/* ---- what operations work on ---- */

static size_t len;
static int heap = -1, buffer = -1, device = -1;
static uint32_t attachment;
static void *bytes;

static int result(int value)
{
	return value < 0 ? -errno : 0;
}

static void have_buffer(void)
{
	buffer = must(heap_try(heap, len));
}

static void drop_buffer(bool done)
{
	(void)done;
	close(buffer);
}

/* ---- buffers of a heap ---- */

static int run_allocate(void)
{
	buffer = heap_try(heap, len);
	return result(buffer);
}

static void clean_allocate(bool done)
{
	if (done)
		close(buffer);
}

static int run_attach(void)
{
	struct dmaheap_test_attach attach = { .fd = buffer };
	int err = result(ioctl(device, DMAHEAP_TEST_ATTACH, &attach));

	attachment = attach.id;
	return err;
}

static void clean_attach(bool done)
{
	if (done)
		device_detach(device, attachment);
	close(buffer);
}

static void have_attachment(void)
{
	have_buffer();
	attachment = device_attach(device, buffer);
}

static int run_map(void)
{
	struct dmaheap_test_map map = { .id = attachment };

	return result(ioctl(device, DMAHEAP_TEST_MAP, &map));
}

static void clean_map(bool done)
{
	if (done)
		device_unmap(device, attachment, BOTH_WAYS);
	clean_attach(true);
}

static void have_mapping(void)
{
	have_attachment();
	device_map(device, attachment, BOTH_WAYS);
}

static int run_unmap(void)
{
	struct dmaheap_test_map map = { .id = attachment };

	return result(ioctl(device, DMAHEAP_TEST_UNMAP, &map));
}

static void clean_unmap(bool done)
{
	check(done); /* nobody could do anything about it */
	clean_attach(true);
}

static int run_job(void)
{
	struct dmaheap_test_job job = { .id = attachment };

	if (ioctl(device, DMAHEAP_TEST_BEGIN, &job))
		return -errno;
	return result(ioctl(device, DMAHEAP_TEST_END, &job));
}

static void clean_job(bool done)
{
	(void)done;
	clean_map(true);
}

static int run_mmap(void)
{
	bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, buffer, 0);
	return bytes == MAP_FAILED ? -errno : 0;
}

static void clean_mmap(bool done)
{
	if (done)
		munmap(bytes, len);
	close(buffer);
}

static void have_mmap(void)
{
	have_buffer();
	bytes = buffer_map(buffer, len);
}

static sigjmp_buf after_fault;

static void on_bus_error(int signal)
{
	(void)signal;
	siglongjmp(after_fault, 1);
}

static int run_fault(void)
{
	volatile char *touched = bytes;
	size_t at;

	if (sigsetjmp(after_fault, 1))
		return -EFAULT;
	signal(SIGBUS, on_bus_error);
	for (at = 0; at < len; at += PAGE)
		touched[at] = 1;
	return 0;
}

static void clean_fault(bool done)
{
	(void)done;
	signal(SIGBUS, SIG_DFL);
	clean_mmap(true);
}

static int run_vmap(void)
{
	char seen[64];
	struct dmaheap_test_vmap vmap = {
		.fd = buffer,
		.len = sizeof(seen),
		.bytes = (uintptr_t)seen,
	};

	return result(ioctl(device, DMAHEAP_TEST_VMAP, &vmap));
}

static int run_sync(void)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };

	if (ioctl(buffer, DMA_BUF_IOCTL_SYNC, &sync))
		return -errno;
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	return result(ioctl(buffer, DMA_BUF_IOCTL_SYNC, &sync));
}

static int run_sync_part(void)
{
	struct dma_heap_sync_data part = {
		.fd = buffer,
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
		.offset = PAGE,
		.len = PAGE,
	};

	if (ioctl(heap, DMA_HEAP_IOCTL_SYNC, &part))
		return -errno;
	part.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	return result(ioctl(heap, DMA_HEAP_IOCTL_SYNC, &part));
}

static int run_name(void)
{
	return result(ioctl(buffer, DMA_BUF_SET_NAME, "a name that is somewhat long"));
}

static int run_fill(void)
{
	return result(pool_try("fill", "3M"));
}

static void clean_fill(bool done)
{
	(void)done;
	pools_drain();
}

static const struct operation of_heap[] = {
	{ "allocate", NULL, run_allocate, clean_allocate, { ENFILE, EMFILE } },
	{ "name", have_buffer, run_name, drop_buffer, {} },
	{ "attach", have_buffer, run_attach, clean_attach, {} },
	{ "map", have_attachment, run_map, clean_map, { EIO } },
	{ "unmap", have_mapping, run_unmap, clean_unmap, {} },
	{ "begin and end a job", have_mapping, run_job, clean_job, {} },
};

static const struct operation of_cpu[] = {
	{ "begin and end an access", have_buffer, run_sync, drop_buffer, {} },
	{ "the same of a part", have_buffer, run_sync_part, drop_buffer, {} },
	{ "mmap", have_buffer, run_mmap, clean_mmap, {} },
	{ "fault", have_mmap, run_fault, clean_fault, { EFAULT } },
	{ "vmap", have_buffer, run_vmap, drop_buffer, {} },
};

static const struct operation of_pool[] = {
	{ "fill the pool", NULL, run_fill, clean_fill, {} },
};

/* How many buffers a region has memory for: fewer, if the least part of it is missing. */
static unsigned int room(void)
{
	int fds[MOST_BUFFERS];
	unsigned int n = 0, i;

	if (!heap_kind()->size || heap_kind()->shared)
		return 0;
	while (n < MOST_BUFFERS && (fds[n] = heap_try(heap, MIB)) >= 0)
		n++;
	check(n && n < MOST_BUFFERS);
	for (i = 0; i < n; i++)
		close(fds[i]);
	return n;
}

static void life(void)
{
	unsigned int before;

	begin();
	/* Where mappings that are left show: the debugging of the DMA API is the first to give up. */
	check(!all_bounced() || !access(SLOTS, F_OK));
	len = heap_rounded(2 * MIB + 68 * KIB);
	heap = heap_open();
	device = device_new(64, 0);
	before = room();
	fail_all(of_heap, sizeof(of_heap) / sizeof(of_heap[0]));
	if (!heap_kind()->is_protected)
		fail_all(of_cpu, sizeof(of_cpu) / sizeof(of_cpu[0]));
	if (heap_has_pool())
		fail_all(of_pool, sizeof(of_pool) / sizeof(of_pool[0]));
	check_equal(room(), before);
}

/* ---- heaps ---- */

static int run_add(void)
{
	struct dmaheap_test_heap heap_to_add = { .name = "short-lived" };

	return result(ioctl(device, DMAHEAP_TEST_ADD, &heap_to_add));
}

static void clean_add(bool done)
{
	struct dmaheap_test_heap added = { .name = "short-lived" };

	if (done)
		must(ioctl(device, DMAHEAP_TEST_REMOVE, &added));
}

static void have_heap(void)
{
	must(run_add());
}

static int run_remove(void)
{
	struct dmaheap_test_heap added = { .name = "short-lived" };

	return result(ioctl(device, DMAHEAP_TEST_REMOVE, &added));
}

static void clean_remove(bool done)
{
	check(done);
}

static const struct operation of_core[] = {
	{ "publish a heap", NULL, run_add, clean_add, {} },
	{ "remove a heap", have_heap, run_remove, clean_remove, {} },
};

/* Of no heap: once is enough. */
static void begin_once(void)
{
	if (getenv("HEAP"))
		tap_skip("it has nothing to do with the heap");
	begin();
}

static void publishing(void)
{
	begin_once();
	device = device_open();
	fail_all(of_core, sizeof(of_core) / sizeof(of_core[0]));
}

/* ---- modules ---- */

static const char *module;
static char parameters[512];
static void *image;
static size_t image_len;

/* Read before anything fails. */
static void read_image(void)
{
	struct utsname names;
	char path[256];
	int fd;

	uname(&names);
	snprintf(path, sizeof(path), "/lib/modules/%s/%s.ko", names.release, module);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	image_len = must(lseek(fd, 0, SEEK_END));
	image = must((void *)malloc(image_len));
	check_equal(must(pread(fd, image, image_len, 0)), image_len);
	close(fd);
}

static int run_load(void)
{
	return result(syscall(SYS_init_module, image, image_len, parameters));
}

static void clean_load(bool done)
{
	if (done)
		must(module_unload(module));
}

static void have_module(void)
{
	must(run_load());
}

static int run_unload(void)
{
	return result(module_unload(module));
}

static void clean_unload(bool done)
{
	check(done);
}

static const struct operation of_module[] = {
	{ "load", NULL, run_load, clean_load, {} },
	{ "unload", have_module, run_unload, clean_unload, {} },
};

static const struct operation of_region_module[] = {
	/* Of a region that cannot be mapped, or claimed, the kernel does not say why. */
	{ "load", NULL, run_load, clean_load, { ENXIO, EBUSY } },
	{ "unload", have_module, run_unload, clean_unload, {} },
};

/* Somebody may still be about to let go of it. */
static void unload(const char *name)
{
	int i;

	for (i = 0; i < 50 && module_unload(name); i++) {
		check_equal(errno, EAGAIN);
		usleep(100000);
	}
	check(i < 50);
}

/* Whoever needs the module has to go first. */
static void fail_module(const char *name, const char *user,
			const struct operation operations[2])
{
	if (user)
		unload(user);
	module = name;
	unload(module);
	tap_say("module %s", module);
	module_parameters(module, parameters, sizeof(parameters));
	read_image();
	fail_all(operations, 2);
	must(module_load(module));
	free(image);
	if (user)
		must(module_load(user));
}

static void modules_of_memory(void)
{
	begin_once();
	fail_module("dmaheap_system", NULL, of_module);
	fail_module("dmaheap_contig", NULL, of_module);
}

static void modules_of_devices(void)
{
	begin_once();
	fail_module("dmaheap_negotiated", NULL, of_module);
	fail_module("dmaheap_skeleton", NULL, of_module);
	fail_module("dmaheap_device", "dmaheap_owner", of_module);
}

static void modules_of_regions(void)
{
	begin_once();
	fail_module("dmaheap_carveout", NULL, of_region_module);
}

static void modules_of_chunks(void)
{
	begin_once();
	fail_module("dmaheap_chunk", NULL, of_region_module);
}

static void modules_of_areas(void)
{
	begin_once();
	fail_module("dmaheap_cma", NULL, of_module);
}

static void modules_of_protected(void)
{
	begin_once();
	fail_module("dmaheap_protected_reference", NULL, of_region_module);
	fail_module("dmaheap_protected", "dmaheap_protected_reference", of_module);
}

#define MODULES 32

/* Our modules, the newest first: who needs others comes before them. */
static int list_modules(char names[MODULES][64])
{
	FILE *file = must(fopen("/proc/modules", "r"));
	char line[512];
	int n = 0;

	while (n < MODULES && fgets(line, sizeof(line), file))
		n += sscanf(line, "%63s", names[n]) == 1 && !strncmp(names[n], "dmaheap", 7);
	fclose(file);
	return n;
}

/* The one that all others need. */
static void module_of_all(void)
{
	char names[MODULES][64];
	int n, i;

	begin_once();
	n = list_modules(names);
	for (i = 0; i < n; i++)
		if (strcmp(names[i], "dmaheap_core"))
			unload(names[i]);
	fail_module("dmaheap_core", NULL, of_module);
	for (i = n; i--;)
		must(module_load(names[i]));
}

static const struct test tests[] = {
	TEST(publishing, "publishing and removing a heap"),
	TEST(life, "a buffer's life"),
	TEST(modules_of_memory, "loading and unloading the modules of heaps of all of memory"),
	TEST(modules_of_devices, "of heaps that suit devices"),
	TEST(modules_of_regions, "of heaps of memory that was set aside"),
	TEST(modules_of_chunks, "the same, in chunks"),
	TEST(modules_of_areas, "of heaps of CMA"),
	TEST(modules_of_protected, "of heaps of protected memory"),
	TEST(module_of_all, "and of the core"),
};
TAP_MAIN(tests)
