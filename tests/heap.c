// SPDX-License-Identifier: GPL-2.0-only
#include "heap.h"

#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm.h>
#include <drm_mode.h>

#include "tap.h"

const struct heap_kind heap_kinds[] = {
	{ .name = "system", .modules = { "dmaheap_system" }, .longest = 2 * MIB },
	{ .name = "system-uncached",
	  .modules = { "dmaheap_system" },
	  .longest = 2 * MIB,
	  .uncached = true },
	{ .name = "system-contiguous", .modules = { "dmaheap_contig" } },
	{ .name = "default_cma_region",
	  .modules = { "dmaheap_cma" },
	  .size = 64 * MIB,
	  .uncounted = true,
	  .shared = true },
	{ .name = "camera@90000000",
	  .modules = { "dmaheap_cma" },
	  .size = 64 * MIB,
	  .uncounted = true,
	  .shared = true },
	{ .name = "video",
	  .modules = { "dmaheap_carveout" },
	  .size = 64 * MIB,
	  .uncached = true,
	  .uncounted = true },
	{ .name = "far",
	  .modules = { "dmaheap_carveout" },
	  .size = 64 * MIB,
	  .uncached = true,
	  .uncounted = true },
	{ .name = "video@94000000",
	  .modules = { "dmaheap_carveout" },
	  .size = 64 * MIB,
	  .uncached = true,
	  .uncounted = true },
	{ .name = "audio@98000000",
	  .modules = { "dmaheap_carveout" },
	  .size = 64 * MIB,
	  .uncounted = true },
	{ .name = "tiles",
	  .modules = { "dmaheap_chunk" },
	  .size = 64 * MIB,
	  .chunk = MIB,
	  .longest = MIB,
	  .uncached = true,
	  .uncounted = true },
	{ .name = "tiles@9c000000",
	  .modules = { "dmaheap_chunk" },
	  .size = 64 * MIB,
	  .chunk = MIB,
	  .longest = MIB,
	  .uncached = true,
	  .uncounted = true },
	{ .name = "cma-chunks",
	  .modules = { "dmaheap_chunk" },
	  .size = 64 * MIB,
	  .chunk = MIB,
	  .longest = MIB,
	  .uncounted = true,
	  .shared = true },
	{ .name = "test-device",
	  .modules = { "dmaheap_owner", "dmaheap_device" },
	  .longest = 1,
	  .uncounted = true,
	  .counted_behind_iommu = true,
	  .owner_may_go = true },
	{ .name = "protected",
	  .modules = { "dmaheap_protected_reference", "dmaheap_protected" },
	  .size = 32 * MIB,
	  .uncached = true,
	  .uncounted = true,
	  .is_protected = true },
	{ .name = "protected@a0000000",
	  .modules = { "dmaheap_protected_reference", "dmaheap_protected" },
	  .size = 32 * MIB,
	  .uncached = true,
	  .uncounted = true,
	  .is_protected = true },
	{ .name = "negotiated",
	  .modules = { "dmaheap_negotiated" },
	  .longest = 2 * MIB,
	  .late = true },
	{ .name = "skeleton", .modules = { "dmaheap_skeleton" }, .longest = 4 * KIB },
	{}
};

/* Where the kernel has a heap of the name, ours has another. */
const char *heap_name(void)
{
	static char name[64];
	const char *wanted = getenv("HEAP") ?: "system";
	char path[128];

	snprintf(path, sizeof(path), "/dev/dma_heap/%s.dmaheap", wanted);
	snprintf(name, sizeof(name), "%s%s", wanted, access(path, F_OK) ? "" : ".dmaheap");
	return name;
}

void heap_use(const char *name)
{
	must(setenv("HEAP", name, 1));
	if (access(heap_node(), F_OK))
		tap_skip("there is no heap %s here", name);
}

const struct heap_kind *heap_kind(void)
{
	static const struct heap_kind other;
	const char *name = getenv("HEAP") ?: "system";
	const struct heap_kind *kind;

	for (kind = heap_kinds; kind->name; kind++)
		if (!strcmp(kind->name, name))
			return kind;
	return &other;
}

bool heap_is_direct(void)
{
	return heap_kind()->uncached || heap_kind()->is_protected;
}

bool heap_is_uncounted(void)
{
	if (heap_kind()->counted_behind_iommu && behind_iommu())
		return false;
		/* On x86, the kernel's own mapping of uncached pages is uncached, too. */
#if defined(__x86_64__)
	return heap_kind()->uncounted;
#else
	return heap_kind()->uncounted || heap_kind()->uncached;
#endif
}

uint64_t heap_rounded(uint64_t len)
{
	uint64_t unit = heap_kind()->chunk ?: (uint64_t)sysconf(_SC_PAGESIZE);

	return (len + unit - 1) / unit * unit;
}

const char *heap_node(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap_name());
	return path;
}

int heap_open(void)
{
	return must(open(heap_node(), O_RDWR | O_CLOEXEC));
}

int heap_try(int heap, uint64_t len)
{
	struct dma_heap_allocation_data data = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) ? -1 : (int)data.fd;
}

int heap_buffer(uint64_t len)
{
	int heap = heap_open(), fd = must(heap_try(heap, len));

	close(heap);
	return fd;
}

void *buffer_map(int fd, size_t len)
{
	return must(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

void buffer_sync(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	must(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync));
}

void cpu_begin(int fd, uint64_t flags)
{
	buffer_sync(fd, DMA_BUF_SYNC_START | flags);
}

void cpu_end(int fd, uint64_t flags)
{
	buffer_sync(fd, DMA_BUF_SYNC_END | flags);
}

unsigned long buffer_inode(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st.st_ino;
}

static uint32_t mix(uint64_t place, uint32_t seed)
{
	uint64_t x = (place + 1) * 0x9e3779b97f4a7c15ULL ^ (uint64_t)seed << 32;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return x >> 32;
}

void fill(void *bytes, size_t len, uint64_t offset, uint32_t seed)
{
	uint8_t *p = bytes;
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = mix((offset + i) / 4, seed) >> 8 * ((offset + i) % 4);
}

bool is_filled(const void *bytes, size_t len, uint64_t offset, uint32_t seed)
{
	const uint8_t *p = bytes;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != (uint8_t)(mix((offset + i) / 4, seed) >> 8 * ((offset + i) % 4)))
			return false;
	return true;
}

bool is_zero(const void *bytes, size_t len)
{
	const char *p = bytes;

	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

bool table_line(int fd, char *line, size_t size)
{
	FILE *table = fopen("/sys/kernel/debug/dmaheap/buffers", "r");
	unsigned long inode = buffer_inode(fd);
	bool found = false;

	check(table);
	while (!found && fgets(line, size, table))
		found = strtoul(line, NULL, 10) == inode;
	fclose(table);
	return found;
}

int table_length(void)
{
	FILE *table = fopen("/sys/kernel/debug/dmaheap/buffers", "r");
	int lines = -1; /* the heading */
	char line[512];

	check(table);
	while (fgets(line, sizeof(line), table))
		lines++;
	fclose(table);
	return lines;
}

long long meminfo_try(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "r");
	long long kib = -1;
	char line[256];

	check(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
			kib = atoll(line + strlen(key) + 1);
	fclose(file);
	return kib < 0 ? -1 : kib * 1024;
}

long long meminfo(const char *key)
{
	long long bytes = meminfo_try(key);

	check(bytes >= 0);
	return bytes;
}

long long sum_of(const char *path, const char *format)
{
	FILE *file = fopen(path, "r");
	long long sum = 0, number;
	char line[256];

	check(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, format, &number) == 1)
			sum += number;
	fclose(file);
	return sum;
}

long long available(void)
{
	pools_drain();
	return meminfo("MemAvailable") +
	       sum_of("/proc/zoneinfo", " count: %lld") * sysconf(_SC_PAGESIZE);
}

int memory_hold(size_t len)
{
	int fd = must(memfd_create("held", MFD_CLOEXEC));

	must(fallocate(fd, 0, 0, len));
	return fd;
}

int memory_hold_all_but(size_t rest)
{
	long long held = 0, more;
	int fd = memory_hold(MIB);

	pools_drain();
	while ((more = meminfo("MemAvailable") - (long long)rest) > (long long)MIB) {
		must(fallocate(fd, 0, held, more));
		held += more;
	}
	return fd;
}

long long pages_given_out(void)
{
	return sum_of("/proc/vmstat", "pgalloc_%*s %lld");
}

bool cmdline_has(const char *word)
{
	FILE *file = fopen("/proc/cmdline", "r");
	char line[4096] = "";

	check(file);
	check(fgets(line, sizeof(line), file));
	fclose(file);
	return strstr(line, word);
}

/* A line of /vm/modules is a module's name and its parameters. */
void module_parameters(const char *name, char *parameters, size_t size)
{
	FILE *file = fopen("/vm/modules", "r");
	size_t len = strlen(name);
	char line[512];

	check(file);
	parameters[0] = '\0';
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len) && line[len] == ' ')
			snprintf(parameters, size, "%.*s", (int)strcspn(line + len, "\n"),
				 line + len);
	fclose(file);
}

int module_load(const char *name)
{
	char parameters[512], command[640];

	module_parameters(name, parameters, sizeof(parameters));
	snprintf(command, sizeof(command), "modprobe %s%s", name, parameters);
	return system(command) ? -1 : 0;
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK);
}

bool module_try(const char *name, const char *parameters)
{
	char command[512];

	snprintf(command, sizeof(command), "modprobe %s %s 2>/dev/null", name, parameters);
	return !system(command);
}

void module_drop(const char *name)
{
	if (module_unload(name))
		check_equal(errno, ENOENT);
}

/* Each test is marked in the log by a line. */
bool log_says(const char *text)
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

int device_open(void)
{
	return must(open(DMAHEAP_TEST_NODE, O_RDWR | O_CLOEXEC));
}

bool behind_iommu(void)
{
	return getenv("BUS") && !strcmp(getenv("BUS"), "pci");
}

bool all_bounced(void)
{
	return cmdline_has("swiotlb=force") && !behind_iommu();
}

enum dmaheap_test_bus device_bus(void)
{
	return behind_iommu() ? DMAHEAP_TEST_PCI : DMAHEAP_TEST_PLATFORM;
}

int device_of(enum dmaheap_test_coherency coherency, unsigned int mask_bits)
{
	struct dmaheap_test_device data = {
		.mask_bits = mask_bits,
		.coherency = coherency,
		.bus = device_bus(),
	};
	int device = device_open();

	if (!ioctl(device, DMAHEAP_TEST_DEVICE, &data))
		return device;
	close(device);
	return -1;
}

/* One that does not snoop, where there are such: nothing is hidden from it. */
int device_new(unsigned int mask_bits, unsigned int max_segment)
{
	struct dmaheap_test_device data = {
		.mask_bits = mask_bits,
		.max_segment = max_segment,
		.bus = device_bus(),
		.coherency = DMAHEAP_TEST_NONCOHERENT,
	};
	int device = device_open();

	if (!ioctl(device, DMAHEAP_TEST_DEVICE, &data))
		return device;
	check_equal(errno, EOPNOTSUPP);
	data.coherency = DMAHEAP_TEST_COHERENCY_DEFAULT;
	must(ioctl(device, DMAHEAP_TEST_DEVICE, &data));
	return device;
}

uint32_t device_attach(int device, int fd)
{
	struct dmaheap_test_attach data = { .fd = fd };

	must(ioctl(device, DMAHEAP_TEST_ATTACH, &data));
	return data.id;
}

int device_try(int device, int fd, struct dmaheap_test_map *map)
{
	struct dmaheap_test_attach data = { .fd = fd };

	if (ioctl(device, DMAHEAP_TEST_ATTACH, &data))
		return -1;
	*map = (struct dmaheap_test_map){ .id = data.id, .direction = BOTH_WAYS };
	return ioctl(device, DMAHEAP_TEST_MAP, map);
}

int device_of_bits(unsigned int mask_bits)
{
	struct dmaheap_test_device data = { .mask_bits = mask_bits };
	int device = device_open();

	if (all_bounced() && mask_bits < 32)
		tap_skip("bounce buffers lie beyond a mask of %u bits", mask_bits);
	if (!ioctl(device, DMAHEAP_TEST_DEVICE, &data))
		return device;
	tap_skip("no device here can have a mask of %u bits", mask_bits);
}

uint32_t device_attach_and_map(int device, int fd)
{
	uint32_t id = device_attach(device, fd);

	device_map(device, id, BOTH_WAYS);
	return id;
}

const char *device_name(int device)
{
	static struct dmaheap_test_name data;

	must(ioctl(device, DMAHEAP_TEST_NAME, &data));
	return data.name;
}

void device_detach(int device, uint32_t id)
{
	must(ioctl(device, DMAHEAP_TEST_DETACH, &id));
}

struct dmaheap_test_map device_map(int device, uint32_t id, uint32_t direction)
{
	struct dmaheap_test_map data = { .id = id, .direction = direction };

	must(ioctl(device, DMAHEAP_TEST_MAP, &data));
	return data;
}

void device_unmap(int device, uint32_t id, uint32_t direction)
{
	struct dmaheap_test_map data = { .id = id, .direction = direction };

	must(ioctl(device, DMAHEAP_TEST_UNMAP, &data));
}

static void device_access(int device, uint32_t id, uint64_t offset, void *bytes, size_t len,
			  bool write)
{
	size_t done, n;

	for (done = 0; done < len; done += n) {
		struct dmaheap_test_access data = {
			.id = id,
			.write = write,
			.offset = offset + done,
			.bytes = (uintptr_t)bytes + done,
		};

		n = len - done < MIB ? len - done : MIB;
		data.len = n;
		must(ioctl(device, DMAHEAP_TEST_ACCESS, &data));
	}
}

void device_read(int device, uint32_t id, uint64_t offset, void *bytes, size_t len)
{
	device_access(device, id, offset, bytes, len, false);
}

void device_write(int device, uint32_t id, uint64_t offset, const void *bytes, size_t len)
{
	device_access(device, id, offset, (void *)bytes, len, true);
}

void device_begin(int device, uint32_t id, uint32_t direction)
{
	struct dmaheap_test_job data = { .id = id, .direction = direction };

	must(ioctl(device, DMAHEAP_TEST_BEGIN, &data));
}

void device_end(int device, uint32_t id, uint32_t direction)
{
	struct dmaheap_test_job data = { .id = id, .direction = direction };

	must(ioctl(device, DMAHEAP_TEST_END, &data));
}

/* The file that holds what belongs to no device. */
static int common_device(void)
{
	static int device = -1;

	if (device < 0)
		device = device_open();
	return device;
}

bool witness(struct dmaheap_test_witness *seen)
{
	if (!ioctl(common_device(), DMAHEAP_TEST_WITNESS, seen))
		return true;
	check_equal(errno, EOPNOTSUPP);
	return false;
}

int cached_buffer(uint64_t len)
{
	int32_t fd = heap_buffer(len);

	/* What the CPU maps past its caches is not in them. */
	if (heap_kind()->uncached)
		return fd;
	if (ioctl(common_device(), DMAHEAP_TEST_SHADOW, &fd))
		check_equal(errno, EOPNOTSUPP);
	return fd;
}

bool has_caches(void)
{
	int device = device_of(DMAHEAP_TEST_NONCOHERENT, 64);

	if (device < 0)
		return false;
	close(device);
	return true;
}

void evict(uint64_t seed)
{
	must(ioctl(common_device(), DMAHEAP_TEST_EVICT, &seed));
}

/* Where the kernel has a framework of its own, the plain class is its. */
static const char *class_name(void)
{
	return access("/sys/class/dmaheap", F_OK) ? "dma_heap" : "dmaheap";
}

static const char *heap_file(const char *folder, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "/sys/class/%s/%s/%s/%s", class_name(), heap_name(),
		 folder, name);
	return path;
}

uint64_t heap_counter(const char *name)
{
	return file_number(heap_file("cache", name));
}

bool heap_has_pool(void)
{
	return !access(heap_file("pool", "fill"), F_OK);
}

uint64_t pool_number(const char *name)
{
	return file_number(heap_file("pool", name));
}

uint64_t pool_size(void)
{
	/* In this order: what is zeroed meanwhile counts twice rather than not at all. */
	uint64_t dirty = pool_number("dirty_bytes");

	return dirty + pool_number("clean_bytes");
}

void pool_settle(void)
{
	int tries;

	for (tries = 0; pool_number("dirty_bytes") && tries < 2000; tries++)
		usleep(10000);
	check_equal(pool_number("dirty_bytes"), 0);
}

int pool_try(const char *name, const char *text)
{
	int fd = open(heap_file("pool", name), O_WRONLY | O_CLOEXEC), error;
	ssize_t written = fd < 0 ? -1 : write(fd, text, strlen(text));

	error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return written < 0 ? -1 : 0;
}

void pools_drain(void)
{
	char pattern[64];
	glob_t files;
	size_t i;

	snprintf(pattern, sizeof(pattern), "/sys/class/%s/*/pool/drain", class_name());
	if (glob(pattern, 0, NULL, &files))
		return;
	for (i = 0; i < files.gl_pathc; i++)
		file_write(files.gl_pathv[i], "1T");
	globfree(&files);
}

#define POOL_MAX "/sys/module/dmaheap_core/parameters/pool_max"

uint64_t pool_max(void)
{
	return file_number(POOL_MAX);
}

void pool_set_max(uint64_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	file_write(POOL_MAX, text);
}

void part_sync(int fd, uint64_t flags, uint64_t offset, uint64_t len)
{
	struct dma_heap_sync_data data = {
		.fd = fd,
		.flags = flags,
		.offset = offset,
		.len = len,
	};
	static int heap = -1;

	if (heap < 0)
		heap = heap_open();
	must(ioctl(heap, DMA_HEAP_IOCTL_SYNC, &data));
}

uint64_t file_number(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t number;

	if (!file || fscanf(file, "%" SCNu64, &number) != 1)
		tap_fail(__FILE__, __LINE__, "no number in %s", path);
	fclose(file);
	return number;
}

void file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		tap_fail(__FILE__, __LINE__, "cannot write '%s' to %s: %s", text, path,
			 strerrorname_np(errno));
	close(fd);
}

int vgem_open(void)
{
	int number, fd;

	for (number = 0; number < 8; number++) {
		char path[64], name[8] = "";
		struct drm_version version = { .name_len = sizeof(name) - 1, .name = name };

		snprintf(path, sizeof(path), "/dev/dri/card%d", number);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && !ioctl(fd, DRM_IOCTL_VERSION, &version) &&
		    !strcmp(name, "vgem"))
			return fd;
	}
	tap_skip("no vgem on this kernel");
}

int foreign_buffer(uint64_t len)
{
	struct drm_mode_create_dumb dumb = { .width = len / 4, .height = 1, .bpp = 32 };
	struct drm_prime_handle prime = { .flags = O_RDWR | O_CLOEXEC };
	int drm = vgem_open();

	must(ioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &dumb));
	prime.handle = dumb.handle;
	must(ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	close(drm);
	return prime.fd;
}
