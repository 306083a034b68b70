// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of memory fails once: each operation is repeated with its first, its second, its
 * third ... allocation failing, until it has none left to fail.  Each time it says so by an errno
 * that is documented, and publishes nothing.  Of memory that was set aside nothing is missing in the
 * end; of all other, tests/leaks says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"
#include "fail.h"

#define PAGE 4096UL
#define MOST_BUFFERS 256

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

/* Of chunks, a buffer is more than that, and more is paid for. */
static int run_allocate_least(void)
{
	buffer = heap_try(heap, 1);
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

/* With the mapping that is kept as long. */
static int run_detach(void)
{
	return result(ioctl(device, DMAHEAP_TEST_DETACH, &attachment));
}

static void clean_detach(bool done)
{
	check(done); /* as with all that follow */
	close(buffer);
}

static int run_close(void)
{
	return result(close(buffer));
}

static void clean_nothing(bool done)
{
	check(done);
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

static int run_munmap(void)
{
	return result(munmap(bytes, len));
}

/* The kernel needs memory for that, too. */
static void clean_munmap(bool done)
{
	clean_mmap(!done);
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

	/* Not for want of memory: the kernel tries again. */
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

static void have_pool(void)
{
	check_equal(run_fill(), 0);
}

static int run_drain(void)
{
	return result(pool_try("drain", "1T"));
}

static const struct operation of_heap[] = {
	{ "allocate", NULL, run_allocate, clean_allocate, { ENFILE, EMFILE }, false },
	{ "name", have_buffer, run_name, drop_buffer, {}, false },
	{ "attach", have_buffer, run_attach, clean_attach, {}, false },
	{ "map", have_attachment, run_map, clean_map, { EIO }, false },
	{ "unmap", have_mapping, run_unmap, clean_unmap, {}, true },
	{ "begin and end a job", have_mapping, run_job, clean_job, {}, true },
	{ "detach", have_mapping, run_detach, clean_detach, {}, true },
	{ "close", have_buffer, run_close, clean_nothing, {}, true },
};

static const struct operation of_cpu[] = {
	{ "begin and end an access", have_buffer, run_sync, drop_buffer, {}, true },
	{ "the same of a part", have_buffer, run_sync_part, drop_buffer, {}, true },
	{ "mmap", have_buffer, run_mmap, clean_mmap, {}, false },
	{ "fault", have_mmap, run_fault, clean_fault, {}, false },
	{ "munmap", have_mmap, run_munmap, clean_munmap, {}, true },
	{ "vmap", have_buffer, run_vmap, drop_buffer, {}, false },
};

static const struct operation of_pool[] = {
	{ "fill the pool", NULL, run_fill, clean_fill, {}, false },
	{ "drain the pool", have_pool, run_drain, clean_fill, {}, true },
};

/* What somebody pays for. */
static const struct operation of_payer[] = {
	{ "allocate", NULL, run_allocate_least, clean_allocate, { ENFILE, EMFILE }, false },
	{ "map", have_attachment, run_map, clean_map, { EIO }, false },
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

	fail_begin();
	/* Where mappings that are left show: the debugging of the DMA API is the first to give up. */
	check(!all_bounced() || !access(FAIL_SLOTS, F_OK));
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

/* ---- buffers that are paid for ---- */

#define CHARGE "/sys/module/dmaheap_core/parameters/charge"
#define GROUPS_ROOT "/tmp/cgroup"
#define GROUP GROUPS_ROOT "/payer"

/* Without the rights that are above limits. */
static void be_limited(void)
{
	static const int rights[] = { CAP_IPC_LOCK, CAP_SYS_RESOURCE };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3];
	size_t i;

	must(syscall(SYS_capget, &header, have));
	for (i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		have[rights[i] / 32].effective &= ~(1U << rights[i] % 32);
	must(syscall(SYS_capset, &header, have));
}

static void set_user_max(const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/class/dma_heap/%s/user_max", heap_name());
	file_write(path, text);
}

/* If what has failed were still paid for, there would not be all of the limit in the end. */
static void life_of_payer(const char *payer)
{
	if (!heap_kind()->chunk && !heap_kind()->late && !heap_has_pool())
		tap_skip("what is paid for here is as of other heaps");
	fail_begin();
	len = heap_rounded(1);
	heap = heap_open();
	device = device_new(64, 0);
	be_limited();
	set_user_max("16M");
	file_write(CHARGE, payer);
	fail_all(of_payer, sizeof(of_payer) / sizeof(of_payer[0]));
	close(must(heap_try(heap, 16 * MIB)));
	file_write(CHARGE, "none");
	set_user_max("0");
}

static void life_in_locked_memory(void)
{
	const struct rlimit limit = { 16 * MIB, 16 * MIB };

	must(setrlimit(RLIMIT_MEMLOCK, &limit));
	life_of_payer("memlock");
}

static void join(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	file_write(path, "0");
}

static void life_in_group(void)
{
	mkdir(GROUPS_ROOT, 0755);
	if (mount("none", GROUPS_ROOT, "cgroup2", 0, NULL))
		check_equal(errno, EBUSY);
	file_write(GROUPS_ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755))
		check_equal(errno, EEXIST);
	file_write(GROUP "/memory.max", "67108864");
	join(GROUP);
	life_of_payer("cgroup");
	join(GROUPS_ROOT);
	must(rmdir(GROUP));
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
	check_equal(run_add(), 0);
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
	{ "publish a heap", NULL, run_add, clean_add, {}, false },
	{ "remove a heap", have_heap, run_remove, clean_remove, {}, false },
};

/* Of no heap: once is enough. */
static void begin_once(void)
{
	if (getenv("HEAP"))
		tap_skip("it has nothing to do with the heap");
	fail_begin();
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
	check_equal(run_load(), 0);
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
	{ "load", NULL, run_load, clean_load, {}, false },
	{ "unload", have_module, run_unload, clean_unload, {}, false },
};

static const struct operation of_region_module[] = {
	/* Of a region that cannot be mapped, or claimed, the kernel does not say why. */
	{ "load", NULL, run_load, clean_load, { ENXIO, EBUSY }, false },
	{ "unload", have_module, run_unload, clean_unload, {}, false },
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
	TEST(life_in_locked_memory, "that of a buffer which locked memory pays for"),
	TEST(life_in_group, "and of one that a cgroup pays for"),
	TEST(modules_of_memory, "loading and unloading the modules of heaps of all of memory"),
	TEST(modules_of_devices, "of heaps that suit devices"),
	TEST(modules_of_regions, "of heaps of memory that was set aside"),
	TEST(modules_of_chunks, "the same, in chunks"),
	TEST(modules_of_areas, "of heaps of CMA"),
	TEST(modules_of_protected, "of heaps of protected memory"),
	TEST(module_of_all, "and of the core"),
};
TAP_MAIN(tests)
