// SPDX-License-Identifier: GPL-2.0-only
/* A memory cgroup pays for what its processes allocate, of whatever heap. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define CHARGE "/sys/module/dmaheap_core/parameters/charge"
#define GROUPS_ROOT "/tmp/cgroup"
#define GROUP GROUPS_ROOT "/limited"
#define LIMIT (64 * MIB)
#define MOST 100

static uint64_t group_number(const char *file)
{
	char path[128];
	FILE *from;
	unsigned long long number;

	snprintf(path, sizeof(path), GROUP "/%s", file);
	from = fopen(path, "r");
	check(from && fscanf(from, "%llu", &number) == 1);
	fclose(from);
	return number;
}

static void make_group(void)
{
	mkdir(GROUPS_ROOT, 0755);
	if (mount("none", GROUPS_ROOT, "cgroup2", 0, NULL) && errno != EBUSY)
		tap_skip("the kernel has no cgroups");
	if (access(GROUPS_ROOT "/memory.stat", F_OK))
		tap_skip("the kernel charges no memory to cgroups");
	file_write(GROUPS_ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755))
		check_equal(errno, EEXIST);
	file_write(GROUP "/memory.max", "67108864");
	file_write(CHARGE, "cgroup");
}

static void drop_group(void)
{
	file_write(CHARGE, "none");
	check(group_number("memory.current") < 8 * MIB);
	must(rmdir(GROUP));
}

static void join(const char *group)
{
	char path[128], pid[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	snprintf(pid, sizeof(pid), "%d", getpid());
	file_write(path, pid);
}

/* In a process of its own, of that group; what it checks and fails ends this test, too. */
static void in_group(void (*run)(int heap), int heap)
{
	int status;

	if (!must(fork())) {
		join(GROUP);
		run(heap);
		_exit(0);
	}
	must(wait(&status));
	check_equal(status, 0);
}

/* With its memory, also of a heap that gives it only when it is needed. */
static int have(int heap, size_t len)
{
	int fd = heap_try(heap, len), err;
	char *bytes;

	if (fd < 0 || !heap_kind()->late)
		return fd;
	bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bytes != MAP_FAILED) {
		munmap(bytes, len);
		return fd;
	}
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static void up_to_the_limit(int heap)
{
	int fds[MOST], n = 0, err;

	while (n < MOST && (fds[n] = have(heap, MIB)) >= 0)
		n++;
	err = errno;
	tap_say("%s: %d MiB of 64", heap_name(), n);
	check_equal(err, ENOMEM);
	/* What the process is besides has its part, too. */
	check(n >= 48 && n <= 64);
	check(group_number("memory.current") >= n * MIB);
	while (n--)
		close(fds[n]);
	check(group_number("memory.current") < 8 * MIB);
	close(must(have(heap, MIB)));
}

static void limit_of(const char *name)
{
	long long kills = sum_of("/proc/vmstat", "oom_kill %lld");
	int heap;

	heap_use(name);
	heap = heap_open();
	make_group();
	in_group(up_to_the_limit, heap);
	/* Others pay for themselves. */
	close(must(heap_try(heap, 4 * MIB)));
	check_equal(sum_of("/proc/vmstat", "oom_kill %lld"), kills);
	drop_group();
}

static void limit_of_system(void)
{
	limit_of("system");
}

static void limit_of_uncached(void)
{
	limit_of("system-uncached");
}

static void limit_of_contiguous(void)
{
	limit_of("system-contiguous");
}

static void limit_of_device(void)
{
	if (meminfo_try("CmaTotal") > 0)
		tap_skip("devices have memory of CMA here, which nobody pays for");
	limit_of("test-device");
}

static void limit_of_negotiated(void)
{
	limit_of("negotiated");
}

static void limit_of_skeleton(void)
{
	limit_of("skeleton");
}

/* No page is given that was moved free, however much of it there is. */
static void more_than_an_order(int heap)
{
	check_errno(heap_try(heap, 80 * MIB), ENOMEM);
	check_errno(heap_try(heap, 32 * MIB), ENOMEM);
	check(group_number("memory.current") < 8 * MIB);
}

static void contiguous(void)
{
	int heap;

	heap_use("system-contiguous");
	heap = heap_open();
	make_group();
	in_group(more_than_an_order, heap);
	drop_group();
}

/* Nothing is charged to the root of all groups, and nothing kept from it. */
static void root_of_all(void)
{
	int heap;

	heap_use("system-contiguous");
	heap = heap_open();
	make_group();
	close(must(heap_try(heap, 16 * MIB)));
	drop_group();
}

/* In a group that has so much. */
static void nobody_killed(void (*run)(int heap), const char *limit)
{
	long long kills = sum_of("/proc/vmstat", "oom_kill %lld");
	int heap = heap_open();

	make_group();
	file_write(GROUP "/memory.max", limit);
	in_group(run, heap);
	check_equal(sum_of("/proc/vmstat", "oom_kill %lld"), kills);
	drop_group();
}

/* Of which each has little but what the kernel needs for a file. */
static void small_ones(int heap)
{
	const struct rlimit limit = { 8192, 8192 };
	int err, n = 0;

	must(setrlimit(RLIMIT_NOFILE, &limit));
	must(dup2(heap, 8000)); /* so that its table of files need not grow */
	must(mlockall(MCL_CURRENT | MCL_FUTURE));
	while (n < 7900 && heap_try(heap, 4096) >= 0)
		n++;
	err = errno;
	tap_say("%d of 4 KiB", n);
	check_equal(err, ENOMEM);
	check(n > 500);
}

static void many_small(void)
{
	/* What finds wrong accesses makes each of the kernel's structures twice as large. */
	nobody_killed(small_ones, cmdline_has("page_poison=1") ? "16777216" : "8388608");
}

static void many_late(void)
{
	heap_use("negotiated");
	many_small();
}

#define THREADS 8
#define EACH 400

static int heap_of_all;
static _Atomic bool over, refused;
static pthread_barrier_t all_there; /* none has to be made when nothing is left */

/* At the limit for most of the time. */
static void *take_and_close(void *unused)
{
	int fds[EACH], n = 0, fd;

	(void)unused;
	pthread_barrier_wait(&all_there);
	while (!over) {
		fd = n < EACH ? heap_try(heap_of_all, 4096) : -1;
		if (fd >= 0) {
			fds[n++] = fd;
			continue;
		}
		refused |= n < EACH;
		if (n)
			close(fds[--n]);
	}
	return NULL;
}

/* So that one of them has all that is left while another has its file made. */
static void small_ones_at_a_time(int heap)
{
	const struct rlimit limit = { 8192, 8192 };
	pthread_t threads[THREADS];
	pthread_attr_t attributes;
	int i;

	heap_of_all = heap;
	must(setrlimit(RLIMIT_NOFILE, &limit));
	must(dup2(heap, 8000));
	must(mlockall(MCL_CURRENT | MCL_FUTURE));
	pthread_barrier_init(&all_there, NULL, THREADS);
	pthread_attr_init(&attributes);
	check(!pthread_attr_setstacksize(&attributes, 128 * KIB)); /* arm64 takes no less */
	for (i = 0; i < THREADS; i++)
		check(!pthread_create(&threads[i], &attributes, take_and_close, NULL));
	sleep(8);
	over = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check(refused);
}

static void many_at_a_time(void)
{
	nobody_killed(small_ones_at_a_time, "8388608");
}

/* Whoever has filled the group up can still have a little of other memory. */
static void fill_and_go_on(int heap)
{
	const struct rlimit limit = { 8192, 8192 };
	const size_t little = 16 * KIB;
	size_t len;
	char *bytes;

	must(setrlimit(RLIMIT_NOFILE, &limit));
	must(dup2(heap, 8000));
	for (len = MIB; len >= 4096; len /= 16) {
		while (have(heap, len) >= 0)
			;
		check_equal(errno, ENOMEM);
	}
	bytes = mmap(NULL, little, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(bytes != MAP_FAILED);
	memset(bytes, 1, little);
}

static void room_behind_late(void)
{
	heap_use("negotiated");
	nobody_killed(fill_and_go_on, "67108864");
}

/* Asked for in the group, needed by somebody else. */
static void ask_and_leave(int heap)
{
	int fd = must(heap_try(heap, 32 * MIB));

	check(group_number("memory.current") < 8 * MIB);
	join(GROUPS_ROOT);
	memset(buffer_map(fd, 32 * MIB), 1, 32 * MIB);
	check(group_number("memory.current") >= 32 * MIB);
	close(fd);
}

#define ASKERS 4

static int told[2];

/* More than the group may ever have, again and again. */
static void *ask_in_vain(void *unused)
{
	const uint64_t most = meminfo("MemTotal") * 9 / 20;
	uint64_t len;
	int i;

	(void)unused;
	for (i = 0;; i++) {
		for (len = most; len > LIMIT; len /= 2)
			check_errno(heap_try(heap_of_all, len), ENOMEM);
		if (i == 1)
			must(write(told[1], "", 1));
	}
	return NULL;
}

static void ask_and_ask(int heap)
{
	pthread_t threads[ASKERS];
	int i;

	heap_of_all = heap;
	for (i = 0; i < ASKERS; i++)
		check(!pthread_create(&threads[i], NULL, ask_in_vain, NULL));
	for (;;)
		pause();
}

/* What somebody asks for in vain is not kept from others. */
static void nothing_kept(void)
{
	int heap = heap_open(), status, i;
	pid_t asker;
	char bytes[ASKERS];

	make_group();
	must(pipe(told));
	asker = must(fork());
	if (!asker) {
		join(GROUP);
		ask_and_ask(heap);
	}
	for (i = 0; i < ASKERS; i++)
		check_equal(must(read(told[0], bytes, 1)), 1);
	/* Which looks whether there is as much, and takes it later. */
	heap_use("negotiated");
	heap = heap_open();
	for (i = 0; i < 1000; i++) {
		close(must(heap_try(heap, meminfo("MemTotal") / 3)));
		usleep(1000);
	}
	check_equal(waitpid(asker, &status, WNOHANG), 0);
	must(kill(asker, SIGKILL));
	must(waitpid(asker, &status, 0));
	drop_group();
}

static void needed_by_another(void)
{
	int heap;

	heap_use("negotiated");
	heap = heap_open();
	make_group();
	in_group(ask_and_leave, heap);
	drop_group();
}

static void ask_as_driver(int device)
{
	struct dmaheap_test_alloc data = { .len = 32 * MIB, .fd_flags = O_CLOEXEC };

	must(ioctl(device, DMAHEAP_TEST_ALLOC, &data));
	check(group_number("memory.current") < 8 * MIB);
	close(data.fd);
}

static void driver(void)
{
	struct dmaheap_test_heap heap = {};
	int device = device_open();

	snprintf(heap.name, sizeof(heap.name), "%s", heap_name());
	must(ioctl(device, DMAHEAP_TEST_HOLD, &heap));
	make_group();
	in_group(ask_as_driver, device);
	drop_group();
}

static void as_much_as_it_has(int heap)
{
	const uint64_t half = heap_kind()->size / 2;
	int fd = must(heap_try(heap, half));

	check(group_number("memory.current") < 8 * MIB);
	close(fd);
}

/* It is no cgroup's: whose it is says user_max. */
static void set_aside(void)
{
	const struct heap_kind *kind;
	int heap, tried = 0;

	make_group();
	file_write(GROUP "/memory.max", "16777216");
	for (kind = heap_kinds; kind->name; kind++) {
		must(setenv("HEAP", kind->name, 1));
		if (!kind->size || access(heap_node(), F_OK))
			continue;
		heap = heap_open();
		in_group(as_much_as_it_has, heap);
		close(heap);
		tried++;
	}
	drop_group();
	if (!tried)
		tap_skip("no memory is set aside here");
}

static void thirty_two(int heap)
{
	int fd = must(heap_try(heap, 32 * MIB));

	check(group_number("memory.current") >= 32 * MIB);
	close(fd);
	check(group_number("memory.current") < 8 * MIB);
}

static void thirty_two_of_nobody(int heap)
{
	int fd = must(heap_try(heap, 32 * MIB));

	check(group_number("memory.current") < 8 * MIB);
	close(fd);
}

/* What nobody has paid for is in the pool, and what somebody has is not. */
static void pool(void)
{
	int heap = heap_open();

	make_group();
	file_write(CHARGE, "none");
	in_group(thirty_two_of_nobody, heap);
	file_write(CHARGE, "cgroup");
	in_group(thirty_two, heap);
	file_write(CHARGE, "none");
	in_group(thirty_two_of_nobody, heap);
	drop_group();
}

static const struct test tests[] = {
	TEST(limit_of_system, "over the limit it is ENOMEM, and nobody is killed"),
	TEST(limit_of_uncached, "so it is of memory that the CPU does not cache"),
	TEST(limit_of_contiguous, "of contiguous memory"),
	TEST(limit_of_device, "of a device's"),
	TEST(limit_of_negotiated, "of one that waits for devices"),
	TEST(limit_of_skeleton, "and of single pages"),
	TEST(contiguous, "what cannot be charged is not given"),
	TEST(root_of_all, "but all of it where nobody pays"),
	TEST(many_small, "nor is anybody killed for many small buffers"),
	TEST(many_late, "nor for many that have nothing yet, of which there is an end, too"),
	TEST(many_at_a_time, "nor while others ask at the same time"),
	TEST(room_behind_late, "nor for memory that comes late"),
	TEST(nothing_kept, "what somebody asks for in vain is not kept from others"),
	TEST(needed_by_another, "who has asked pays, not who needs it first"),
	TEST(driver, "nobody pays for what a driver has asked for"),
	TEST(set_aside, "nor for memory that was set aside"),
	TEST(pool, "a pool has pages of nobody, and keeps them"),
};

TAP_MAIN(tests)
