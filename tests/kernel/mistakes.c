// SPDX-License-Identifier: GPL-2.0-only
/* The checker of ownership: what it reports, and what it does not. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm.h>

#include "../heap.h"
#include "../tap.h"

#define LEN (64 * KIB)
#define CHECK "/sys/module/dmaheap_core/parameters/check"
#define TRACING "/sys/kernel/tracing/"

static int kernel_log;

/* Switches the checker on, for all that follows in the log. */
static void start(void)
{
	kernel_log = must(open("/dev/kmsg", O_RDONLY | O_NONBLOCK));
	must(lseek(kernel_log, 0, SEEK_END));
	file_write(CHECK, "1");
}

/* The log since then; more than is ever in it fits. */
static const char *log_text(void)
{
	static char text[256 * 1024];
	size_t used = strlen(text);
	ssize_t len;

	while ((len = read(kernel_log, text + used, sizeof(text) - used - 1)) > 0)
		used += len;
	text[used] = '\0';
	return text;
}

static unsigned int times(const char *text, const char *word)
{
	unsigned int n = 0;

	while ((text = strstr(text, word))) {
		n++;
		text += strlen(word);
	}
	return n;
}

static long count(const char *kind)
{
	FILE *file = must(fopen("/sys/kernel/debug/dmaheap/mistakes", "r"));
	char name[64];
	long n, found = -1;

	check(fscanf(file, "%*s %*s") == 0);
	while (fscanf(file, "%63s %ld", name, &n) == 2)
		if (!strcmp(name, kind))
			found = n;
	fclose(file);
	check(found >= 0);
	return found;
}

static long count_all(void)
{
	return count("overlap") + count("end-without-begin") + count("mmap-outside") +
	       count("left-open") + count("chain-of-copies");
}

/* A device that brackets its jobs. */
struct importer {
	int device;
	uint32_t id;
};

static struct importer importer_new(int fd)
{
	struct importer importer = { .device = device_new(64, 0) };

	importer.id = device_attach(importer.device, fd);
	device_map(importer.device, importer.id, BOTH_WAYS);
	return importer;
}

static int try_end(struct importer *importer, uint32_t direction)
{
	struct dmaheap_test_job job = { .id = importer->id, .direction = direction };

	return ioctl(importer->device, DMAHEAP_TEST_END, &job);
}

static void overlap(void)
{
	int fd = heap_buffer(LEN);
	struct importer importer = importer_new(fd);
	char inode[64];
	const char *text;
	long before;

	start();
	before = count("overlap");
	device_begin(importer.device, importer.id, FROM_DEVICE);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check_equal(count("overlap"), before + 1);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	device_end(importer.device, importer.id, FROM_DEVICE);
	/* Both sides are named, with the process, the heap, the buffer and both stacks. */
	text = log_text();
	snprintf(inode, sizeof(inode), "buffer %lu of heap %s", buffer_inode(fd), heap_name());
	check(strstr(text, "an access overlaps with one that writes"));
	check(strstr(text, inode));
	check(strstr(text, "the CPU, mistakes reads"));
	check(strstr(text, "dmaheap-test"));
	check(strstr(text, "in mistakes["));
	check(strstr(text, "dma_buf_ioctl"));
	check(strstr(text, "begin_device_access"));
	check_equal(times(text, "dmaheap: mistake:"), 1);
}

static void overlapping_devices(void)
{
	int fd = heap_buffer(LEN);
	struct importer one = importer_new(fd), other = importer_new(fd);
	long before;

	start();
	before = count("overlap");
	device_begin(one.device, one.id, TO_DEVICE);
	device_begin(other.device, other.id, BOTH_WAYS);
	check_equal(count("overlap"), before + 1);
	device_end(other.device, other.id, BOTH_WAYS);
	device_end(one.device, one.id, TO_DEVICE);
	device_begin(one.device, one.id, FROM_DEVICE);
	device_end(one.device, one.id, FROM_DEVICE);
	device_begin(other.device, other.id, FROM_DEVICE);
	device_end(other.device, other.id, FROM_DEVICE);
	check_equal(count("overlap"), before + 1);
}

static void once(void)
{
	int fd = heap_buffer(LEN);
	struct importer importer = importer_new(fd);
	long before;
	int i;

	start();
	before = count("overlap");
	for (i = 0; i < 3; i++) {
		device_begin(importer.device, importer.id, FROM_DEVICE);
		cpu_begin(fd, DMA_BUF_SYNC_READ);
		cpu_end(fd, DMA_BUF_SYNC_READ);
		device_end(importer.device, importer.id, FROM_DEVICE);
	}
	check_equal(count("overlap"), before + 3);
	check_equal(times(log_text(), "dmaheap: mistake:"), 1);
	/* Another importer is another matter. */
	prctl(PR_SET_NAME, "another");
	device_begin(importer.device, importer.id, FROM_DEVICE);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check_equal(times(log_text(), "dmaheap: mistake:"), 2);
	check(strstr(log_text(), "the CPU, another reads"));
}

static void end_without_begin(void)
{
	int fd = heap_buffer(LEN);
	struct importer importer = importer_new(fd);
	long before;

	start();
	before = count("end-without-begin");
	check_errno(try_end(&importer, FROM_DEVICE), EINVAL);
	check_equal(count("end-without-begin"), before + 1);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	check_equal(count("end-without-begin"), before + 2);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	check_equal(count("end-without-begin"), before + 3);
	check(strstr(log_text(), "the CPU, mistakes ends that it reads"));
	check(strstr(log_text(), "ends that it writes"));
	check(strstr(log_text(), "end_device_access"));
}

static void mmap_outside(void)
{
	int fd = heap_buffer(LEN), status;
	volatile char *bytes = buffer_map(fd, LEN);
	long before;

	start();
	before = count("mmap-outside");
	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	bytes[0] = 1;
	bytes[LEN - 1] = 1;
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	check_equal(count("mmap-outside"), before);
	bytes[0] = 2;
	check_equal(count("mmap-outside"), before + 1);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check_equal(bytes[0], 2);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	check_equal(bytes[0], 2);
	check_equal(count("mmap-outside"), before + 2);
	check_equal(times(log_text(), "outside of DMA_BUF_IOCTL_SYNC"), 1);
	check(strstr(log_text(), "the CPU, mistakes writes at offset 0"));
	/* A part is enough. */
	part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, 0, 1);
	check_equal(bytes[0], 2);
	part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, 0, 1);
	check_equal(count("mmap-outside"), before + 2);
	/* Another process, by its own mapping. */
	if (!must(fork())) {
		prctl(PR_SET_NAME, "outsider");
		((volatile char *)buffer_map(fd, LEN))[4096] = 1;
		_exit(0);
	}
	must(wait(&status));
	check_equal(count("mmap-outside"), before + 3);
	check(strstr(log_text(), "the CPU, outsider writes at offset 4096"));
}

static void left_open(void)
{
	int fd = heap_buffer(LEN);
	struct importer importer = importer_new(fd);
	long before;

	start();
	before = count("left-open");
	device_begin(importer.device, importer.id, FROM_DEVICE);
	device_detach(importer.device, importer.id);
	check_equal(count("left-open"), before + 1);
	check(strstr(log_text(), "dmaheap-test"));
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	close(importer.device);
	close(fd);
	check_equal(count("left-open"), before + 2);
	check(strstr(log_text(), "the CPU, mistakes reads, and has begun it"));
	/* And who has taken the chance to end it away. */
	check(strstr(log_text(), "is detached, in mistakes["));
	check(strstr(log_text(), "dmaheap_detach"));
	check(strstr(log_text(), "gives the buffer up as the last one, in mistakes["));
}

/* Where its functions were, nobody is told. */
static void left_by_module(void)
{
	int fd = heap_buffer(LEN), device = device_open();

	start();
	must(ioctl(device, DMAHEAP_TEST_LEAVE_OPEN, &fd));
	close(device);
	must(module_unload("dmaheap_test"));
	close(fd);
	must(module_load("dmaheap_test"));
	check(strstr(log_text(), "reads, and has begun it"));
	check(strstr(log_text(), "(of a module that is gone)"));
	check(!strstr(log_text(), " 0xffff"));
}

/* What looks like a mistake and is none. */
static void no_mistakes(void)
{
	int fd = heap_buffer(LEN), holder = device_new(64, 0), status, go[2];
	struct importer one = importer_new(fd), other = importer_new(fd);
	uint32_t held = device_attach(holder, fd);
	volatile char *bytes = buffer_map(fd, LEN);
	long before;
	char c;

	start();
	before = count_all();
	/* An importer that knows nothing of it, and holds a mapping. */
	device_map(holder, held, BOTH_WAYS);
	cpu_begin(fd, DMA_BUF_SYNC_RW);
	bytes[0]++;
	cpu_end(fd, DMA_BUF_SYNC_RW);
	device_unmap(holder, held, BOTH_WAYS);
	/* One process whose threads share the work. */
	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	/* Readers side by side. */
	device_begin(one.device, one.id, TO_DEVICE);
	device_begin(other.device, other.id, TO_DEVICE);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check_equal(bytes[0], 1);
	device_end(one.device, one.id, TO_DEVICE);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	device_end(other.device, other.id, TO_DEVICE);
	/* A chain: it begins at one device and ends at another, if they see the same bytes. */
	device_begin(one.device, one.id, BOTH_WAYS);
	if (all_bounced())
		device_end(one.device, one.id, BOTH_WAYS);
	else
		device_end(other.device, other.id, BOTH_WAYS);
	/* Two processes in parts of their own. */
	must(pipe(go));
	part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, 0, 4096);
	if (!must(fork())) {
		part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, 8192, 4096);
		bytes[8192] = 1;
		part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 8192, 4096);
		must(write(go[1], "!", 1));
		_exit(0);
	}
	must(read(go[0], &c, 1));
	bytes[0] = 1;
	part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 0, 4096);
	must(wait(&status));
	check_equal(status, 0);
	check_equal(count_all(), before);
	check_equal(times(log_text(), "dmaheap:"), 0);
}

/* The same part in two processes is one. */
static void overlapping_parts(void)
{
	int fd = heap_buffer(LEN), status;
	long before;

	start();
	before = count("overlap");
	part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, 0, 8192);
	if (!must(fork())) {
		part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, 4096, 4096);
		part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, 4096, 4096);
		_exit(0);
	}
	must(wait(&status));
	check_equal(count("overlap"), before + 1);
}

/* Parts that share a cache line, but no byte. */
static void parts_of_a_line(void)
{
	int fd = heap_buffer(LEN), status;
	long before;

	start();
	before = count_all();
	part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, 0, 32);
	if (!must(fork())) {
		part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, 32, 32);
		part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 32, 32);
		_exit(0);
	}
	must(wait(&status));
	part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 0, 32);
	check_equal(count_all(), before);
}

static void chain_of_copies(void)
{
	int fd = heap_buffer(LEN);
	struct importer one = importer_new(fd), other = importer_new(fd);
	long before;

	if (!all_bounced())
		tap_skip("devices here work on the same bytes");
	start();
	before = count("chain-of-copies");
	device_begin(one.device, one.id, BOTH_WAYS);
	check_errno(try_end(&other, BOTH_WAYS), EXDEV);
	check_equal(count("chain-of-copies"), before + 1);
	check(strstr(log_text(), "a job ends at a device that has not seen its bytes"));
}

static void vgem(void)
{
	int drm = vgem_open(), fd = heap_buffer(LEN);
	struct drm_prime_handle prime = { .fd = fd };
	struct drm_gem_close gem = {};
	volatile char *bytes = buffer_map(fd, LEN);
	long before;

	start();
	before = count_all();
	must(ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime));
	cpu_begin(fd, DMA_BUF_SYNC_RW);
	bytes[0]++;
	cpu_end(fd, DMA_BUF_SYNC_RW);
	gem.handle = prime.handle;
	must(ioctl(drm, DRM_IOCTL_GEM_CLOSE, &gem));
	close(fd);
	close(drm);
	munmap((void *)bytes, LEN);
	check_equal(count_all(), before);
	check_equal(times(log_text(), "dmaheap:"), 0);
}

static void off(void)
{
	int fd = heap_buffer(LEN);
	struct importer importer = importer_new(fd);
	volatile char *bytes = buffer_map(fd, LEN);
	long before = count_all();

	file_write(CHECK, "0");
	device_begin(importer.device, importer.id, FROM_DEVICE);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	bytes[0] = 1;
	check_errno(try_end(&importer, TO_DEVICE), EINVAL);
	check_equal(count_all(), before);
	/* What was begun while it was off is no mistake when it is on. */
	start();
	before = count_all();
	device_end(importer.device, importer.id, FROM_DEVICE);
	check_equal(count_all(), before);
	/* Nor is what was noted before it was off. */
	device_begin(importer.device, importer.id, FROM_DEVICE);
	file_write(CHECK, "0");
	device_end(importer.device, importer.id, FROM_DEVICE);
	file_write(CHECK, "1");
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	check_equal(count_all(), before);
}

static void tracepoints(void)
{
	int fd = heap_buffer(LEN), trace;
	struct importer importer = importer_new(fd);
	static char text[128 * 1024];
	char inode[32];

	if (access(TRACING "events/dmaheap", F_OK))
		tap_skip("this kernel has no tracing");
	/* It hooks the scheduler, which is patched while it runs: emulators may trip over that. */
	file_write(TRACING "options/record-cmd", "0");
	start();
	file_write(TRACING "events/dmaheap/enable", "1");
	device_begin(importer.device, importer.id, FROM_DEVICE);
	device_end(importer.device, importer.id, FROM_DEVICE);
	part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, 4096, 4096);
	part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, 4096, 4096);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	file_write(TRACING "events/dmaheap/enable", "0");
	trace = must(open(TRACING "trace", O_RDONLY));
	must(read(trace, text, sizeof(text) - 1));
	snprintf(inode, sizeof(inode), "ino=%lu heap=%s", buffer_inode(fd), heap_name());
	check(strstr(text, inode));
	check(strstr(text, "dmaheap_begin_access: ino="));
	check(strstr(text, "direction=from-device offset=0 len=65536"));
	check(strstr(text, "who=cpu direction=from-device offset=4096 len=4096"));
	check(strstr(text, "dmaheap_end_access: ino="));
	check(strstr(text, "kind=end-without-begin who=the CPU, mistakes"));
	if (has_caches() && !all_bounced())
		check(strstr(text, "op=invalidate who=cpu offset=4096 len=4096"));
	if (all_bounced())
		check(strstr(text, "op=copy-out who=dmaheap-test"));
}

static const struct test tests[] = {
	TEST(overlap, "the CPU reads while a device writes: reported, with both sides"),
	TEST(overlapping_devices, "a device writes while another reads"),
	TEST(once, "a mistake is reported once for each importer, and always counted"),
	TEST(end_without_begin, "the end of what was not begun, by a device and by the CPU"),
	TEST(mmap_outside, "a mapping used outside of a bracket"),
	TEST(left_by_module, "the same by a module that has gone before"),
	TEST(left_open, "what is still open when the device or the buffer goes"),
	TEST(overlapping_parts, "two processes in the same part"),
	TEST(parts_of_a_line, "parts of one cache line are no mistake"),
	TEST(chain_of_copies, "a chain of devices that have copies"),
	TEST(no_mistakes, "holders, readers, chains and parts are no mistakes"),
	TEST(vgem, "nothing is reported of vgem"),
	TEST(off, "off, it counts nothing; on again, it knows what it has not seen"),
	TEST(tracepoints, "tracepoints tell of accesses, cache maintenance and mistakes"),
};
TAP_MAIN(tests)
