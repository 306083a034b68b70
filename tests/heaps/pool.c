// SPDX-License-Identifier: GPL-2.0-only
/* The pool of a heap: what is kept, for how long, and that nobody ever sees what was in it. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../disk.h"
#include "pool.h"

static void kept(void)
{
	uint64_t missed, hit, zeroed;

	run_on(0);
	begin(256 * MIB);
	missed = pool_number("missed_bytes");
	hit = pool_number("hit_bytes");
	zeroed = pool_number("zeroed_background_bytes");
	give_back(LEN);
	check_equal(pool_number("missed_bytes") - missed, LEN);
	pool_settle();
	check_equal(pool_number("clean_bytes"), LEN);
	check_equal(pool_number("zeroed_background_bytes") - zeroed, LEN);
	give_back(LEN);
	check_equal(pool_number("missed_bytes") - missed, LEN);
	check_equal(pool_number("hit_bytes") - hit, LEN);
}

/* Without a moment between, what is dirty is taken before the page allocator is asked. */
static void taken_dirty(void)
{
	uint64_t missed, inline_, background;
	int i;

	begin(256 * MIB);
	inline_ = pool_number("zeroed_inline_bytes");
	background = pool_number("zeroed_background_bytes");
	missed = pool_number("missed_bytes");
	for (i = 0; i < 50; i++)
		give_back(LEN);
	pool_settle();
	inline_ = pool_number("zeroed_inline_bytes") - inline_;
	background = pool_number("zeroed_background_bytes") - background;
	missed = pool_number("missed_bytes") - missed;
	tap_say("%llu KiB zeroed at once, %llu KiB by the thread, %llu KiB new", inline_ / KIB,
		background / KIB, missed / KIB);
	check(inline_);
	/* The thread may just have had something in its hands. */
	check(missed <= 4 * LEN);
	check_equal(inline_ + background, 50 * LEN);
}

/*
 * A program that comes back too early, but not at once: from then on the pool has enough for two
 * such buffers, and no more.  Where the kernel's own mapping would have to change for that, it
 * has to be asked.
 */
static void grown(void)
{
	const bool grows = strcmp(heap_kind()->name, "system-uncached");
	uint64_t inline_;
	int i;

	run_on(0); /* what another node has does not help */
	begin(256 * MIB);
	give_back(LEN);
	pool_settle();
	check_equal(pool_size(), LEN);
	inline_ = pool_number("zeroed_inline_bytes");
	for (i = 0; i < 10 || pool_number("zeroed_inline_bytes") == inline_; i++)
		give_back(LEN);
	pool_settle();
	for (i = 0; i < 200 && pool_size() < 2 * LEN; i++)
		usleep(10000);
	if (!grows) {
		/* But for chunks that the thread just had in its hands. */
		check(pool_size() < 2 * LEN);
		must(pool_try("fill", "8M"));
	}
	check(pool_size() >= 2 * LEN && pool_size() < 4 * LEN);
	pool_settle();
	for (i = 0; i < 10; i++) {
		inline_ = pool_number("zeroed_inline_bytes");
		give_back(LEN);
		check_equal(pool_number("zeroed_inline_bytes"), inline_);
		pool_settle();
	}
}

static void zeroed(void)
{
	const int buffers = 10000;
	uint64_t hit, background, taken = 0;
	size_t len;
	char *bytes;
	int i, fd;

	begin(64 * MIB);
	hit = pool_number("hit_bytes");
	background = pool_number("zeroed_background_bytes");
	srand(1);
	for (i = 0; i < buffers; i++) {
		/* Mostly small ones, sometimes a frame. */
		len = (1 + rand() % (i % 100 ? 48 : 1600)) * PAGE;
		fd = heap_buffer(len);
		bytes = buffer_map(fd, len);
		if (!is_zero(bytes, len))
			tap_fail(__FILE__, __LINE__, "buffer %d of %zu bytes is not zero", i,
				 len);
		memset(bytes, 0xa5, len);
		munmap(bytes, len);
		close(fd);
		taken += len;
		if (!(i % 20)) /* the thread has its turn, too */
			pool_settle();
	}
	hit = pool_number("hit_bytes") - hit;
	background = pool_number("zeroed_background_bytes") - background;
	tap_say("%llu of %llu MiB came from the pool, and the thread zeroed %llu MiB",
		hit / MIB, taken / MIB, background / MIB);
	check(hit > taken / 2);
	check(background > taken / 40);
}

/* Devices look at memory, not at caches. */
static void zeroed_for_devices(void)
{
	int device = device_new(64, 0), i;
	char *bytes = must((char *)malloc(LEN));

	begin(256 * MIB);
	for (i = 0; i < 10; i++) {
		int fd = heap_buffer(LEN);
		uint32_t id = device_attach_and_map(device, fd);

		device_read(device, id, 0, bytes, LEN);
		check(is_zero(bytes, LEN));
		memset(bytes, 0x5a, LEN);
		device_write(device, id, 0, bytes, LEN);
		device_detach(device, id);
		close(fd);
		if (i % 2)
			pool_settle();
	}
	free(bytes);
}

/* What was made ready ahead of time is where such devices look. */
static void ready_ahead(void)
{
	struct dmaheap_test_witness before, after;
	int device = device_new(64, 0), fd;
	uint32_t id;

	run_on(0); /* to which node pages go back */
	begin(256 * MIB);
	if (!has_caches() || all_bounced() || !witness(&before))
		tap_skip("nothing to be seen where all devices snoop, or are bounced");
	give_back(LEN);
	pool_settle();
	check(witness(&before));
	fd = heap_buffer(LEN);
	id = device_attach_and_map(device, fd);
	check(witness(&after));
	check_equal(after.cleaned - before.cleaned, 0);
	device_detach(device, id);
	close(fd);
	/* And what the page allocator gives is not. */
	pools_drain();
	fd = heap_buffer(LEN);
	check(witness(&before));
	device_attach_and_map(device, fd);
	check(witness(&after));
	if (!heap_kind()->uncached)
		check(after.cleaned - before.cleaned >= LEN);
}

/* ---- pages that somebody else holds ---- */

static void held_by_a_pipe(void)
{
	const size_t len = 4 * MIB, held = 16 * PAGE;
	int fd, ends[2], i;
	char *bytes, *seen = must((char *)malloc(held));
	struct iovec piece;
	long long before;

	if (heap_is_uncounted())
		tap_skip("nobody can hold them");
	begin(256 * MIB);
	before = available();
	fd = heap_buffer(len);
	bytes = buffer_map(fd, len);
	fill(bytes, len, 0, 1);
	must(pipe(ends));
	must(fcntl(ends[1], F_SETPIPE_SZ, 64 * PAGE));
	piece = (struct iovec){ bytes + MIB, held };
	check_equal(must(vmsplice(ends[1], &piece, 1, 0)), held);
	munmap(bytes, len);
	close(fd);
	pool_settle();
	/* The chunk that those pages are in is nobody's but the pipe's. */
	check(pool_size() < len);
	for (i = 0; i < 20; i++)
		give_back(len);
	check_equal(must(read(ends[0], seen, held)), held);
	check(is_filled(seen, held, MIB, 1));
	close(ends[0]);
	close(ends[1]);
	check(before - available() < 8 * (long long)MIB);
}

static int disk = -1;
static char *slow_bytes;

static void *read_slowly(void *len)
{
	return (void *)pread(disk, slow_bytes, (size_t)len, 0);
}

/* The disk has not answered, and the buffer is gone. */
static void held_by_direct_io(void)
{
	const size_t len = 4 * MIB, held = 256 * KIB;
	pthread_t thread;
	void *result;
	int fd;

	if (heap_is_uncounted())
		tap_skip("nobody can hold them");
	begin(256 * MIB);
	disk = disk_open();
	fd = heap_buffer(len);
	slow_bytes = buffer_map(fd, len);
	slow_bytes[0] = 1;
	check_equal(pthread_create(&thread, NULL, read_slowly, (void *)held), 0);
	disk_wait(held);
	munmap(slow_bytes, len);
	close(fd);
	pool_settle();
	check(pool_size() < len);
	disk_answer(0xa5);
	pthread_join(thread, &result);
	check_equal((long)result, held);
	disk_close(disk);
}

/* ---- the thread ---- */

/* The folder of the thread in /proc, or of any by its name. */
static void find_thread(char *path, size_t size)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char name[64];
	FILE *file;

	check(proc);
	while ((entry = readdir(proc))) {
		snprintf(path, size, "/proc/%.20s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && !strcmp(name, "dmaheap-zero\n")) {
			fclose(file);
			closedir(proc);
			*strrchr(path, '/') = 0;
			return;
		}
		fclose(file);
	}
	tap_fail(__FILE__, __LINE__, "there is no thread dmaheap-zero");
}

/* Policy and ticks of CPU time. */
static void thread_stat(int *policy, long *ticks)
{
	char path[64], line[1024], *word;
	unsigned long user, system;
	FILE *file;
	int i;

	find_thread(path, sizeof(path) - 8);
	strcat(path, "/stat");
	file = fopen(path, "r");
	check(file && fgets(line, sizeof(line), file));
	fclose(file);
	word = strrchr(line, ')');
	check(sscanf(word, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		     &system) == 2);
	*ticks = user + system;
	/* It is the 41st word, and the second ends with the parenthesis. */
	for (i = 2; i < 41; i++)
		word = strchr(word + 1, ' ');
	*policy = atoi(word);
}

static void spin(void)
{
	while (1)
		;
}

static void idle_priority(void)
{
	enum { BUFFERS = 128 };
	const size_t len = 4 * MIB;
	int fds[BUFFERS], policy, i;
	uint64_t dirty;
	pid_t busy[4];
	long ticks;

	begin(1ULL << 40);
	thread_stat(&policy, &ticks);
	check_equal(policy, SCHED_IDLE);
	/* Work for it, and no CPU that has nothing better to do. */
	for (i = 0; i < 4; i++)
		if (!(busy[i] = must(fork())))
			spin();
	for (i = 0; i < BUFFERS; i++)
		fds[i] = heap_buffer(len);
	for (i = 0; i < BUFFERS; i++)
		close(fds[i]);
	sleep(3);
	dirty = pool_number("dirty_bytes");
	for (i = 0; i < 4; i++) {
		kill(busy[i], SIGKILL);
		waitpid(busy[i], NULL, 0);
	}
	tap_say("%llu of %llu MiB are left to be zeroed after 3 s beside 4 busy processes",
		dirty / MIB, BUFFERS * len / MIB);
	check(dirty > BUFFERS * len / 2);
	/* And then it has them. */
	pool_settle();
	check_equal(pool_number("clean_bytes"), BUFFERS * len);
}

/* ---- nodes ---- */

/* Bytes of a mapping that are on a node. */
static uint64_t bytes_on(const void *bytes, int node)
{
	FILE *file = fopen("/proc/self/numa_maps", "r");
	char line[512], word[16], *found;
	unsigned long long start;
	uint64_t pages = 0;

	check(file);
	snprintf(word, sizeof(word), " N%d=", node);
	while (fgets(line, sizeof(line), file)) {
		found = strstr(line, word);
		if (found && sscanf(line, "%llx", &start) == 1 && start == (uintptr_t)bytes)
			pages = strtoull(found + strlen(word), NULL, 10);
	}
	fclose(file);
	return pages * PAGE;
}

static void by_node(void)
{
	int fds[2], cpu;
	char *bytes;

	begin(256 * MIB);
	if (access("/sys/devices/system/node/node1", F_OK))
		tap_skip("this machine has one node");
	if (heap_is_uncounted())
		tap_skip("where its pages are cannot be seen");
	for (cpu = 0; cpu < 2; cpu++) {
		run_on(cpu);
		must(pool_try("fill", "8M"));
	}
	check_equal(pool_number("clean_bytes"), 16 * MIB);
	for (cpu = 0; cpu < 2; cpu++) {
		run_on(cpu);
		fds[cpu] = heap_buffer(8 * MIB);
		bytes = buffer_map(fds[cpu], 8 * MIB);
		fill(bytes, 8 * MIB, 0, 1);
		check_equal(bytes_on(bytes, cpu), 8 * MIB);
	}
	check_equal(pool_number("clean_bytes"), 0);
	munmap(bytes, 8 * MIB);
	close(fds[0]);
	close(fds[1]);
	pool_settle();
	/* Given back, it is kept for where it lies; and whoever wants another node gets that. */
	must(syscall(SYS_set_mempolicy, MPOL_BIND, (unsigned long[]){ 1 }, 8));
	bytes = buffer_map(heap_buffer(12 * MIB), 12 * MIB);
	fill(bytes, 12 * MIB, 0, 1);
	check_equal(bytes_on(bytes, 0), 12 * MIB);
	run_on(0);
	bytes = buffer_map(heap_buffer(12 * MIB), 12 * MIB);
	fill(bytes, 12 * MIB, 0, 1);
	check_equal(bytes_on(bytes, 0), 12 * MIB);
}

/* ---- parameters ---- */

static void orders(void)
{
	char path[] = "/sys/module/dmaheap_core/parameters/orders";
	const char *module = heap_kind()->modules[0];

	needs_pool();
	for (; module_unload("dmaheap_test") && errno == EBUSY;)
		tap_skip("the test device is in use");
	module_unload("dmaheap_upstream");
	must(module_unload(module));
	if (module_unload("dmaheap_core")) {
		must(module_load("dmaheap_test"));
		must(module_load(module));
		tap_skip("other heaps use dmaheap_core");
	}
	check(!module_try("dmaheap_core", "orders=4,9,0"));
	check(log_says("orders: numbers up to"));
	check(!module_try("dmaheap_core", "orders=9,4"));
	check(!module_try("dmaheap_core", "orders=40,0"));
	check(!module_try("dmaheap_core", "pool_max=lots"));
	check(!module_try("dmaheap_core", "pool_max=16777216T"));
	check(module_try("dmaheap_core", "orders=4,0 pool_max=16M"));
	check(!access(path, F_OK));
	check_equal(pool_max(), 16 * MIB);
	must(module_load(module));
	give_back(LEN);
	pool_settle();
	check_equal(pool_size(), LEN);
	must(module_unload(module));
	must(module_unload("dmaheap_core"));
	must(module_load(module));
	must(module_load("dmaheap_test"));
	module_load("dmaheap_upstream");
}

static void only_root(void)
{
	int status;

	needs_pool();
	if (!must(fork())) {
		must(setuid(65534));
		check_equal(pool_try("fill", "1M"), -1);
		check_equal(errno, EACCES);
		check(pool_size() != UINT64_MAX); /* but everybody may look */
		_exit(0);
	}
	must(wait(&status));
	check_equal(status, 0);
}

static const struct test tests[] = {
	TEST(kept, "pages of a buffer that died are zeroed and used again"),
	TEST(taken_dirty, "without a pause they are zeroed at once, and never twice"),
	TEST(grown, "a pool that was too late grows, once"),
	TEST(zeroed, "10 000 buffers of random sizes, each zero"),
	TEST(zeroed_for_devices, "zero for devices, too"),
	TEST(ready_ahead, "what was made ready ahead needs no maintenance"),
	TEST(held_by_a_pipe, "pages that a pipe holds are not used again"),
	TEST(held_by_direct_io, "nor those that a disk still writes to"),
	TEST(idle_priority, "zeroing runs at idle priority, beside nobody"),
	TEST(by_node, "each node has its own"),
	TEST(orders, "parameters: sizes of chunks, and how much is kept"),
	TEST(only_root, "only root fills and drains"),
};
TAP_MAIN(tests)
