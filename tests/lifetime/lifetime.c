// SPDX-License-Identifier: GPL-2.0-only
/* Modules that come and go, processes that die, memory that runs out. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define PAGE 4096UL
#define MODULE "dmaheap_system"

static void buffer_holds_module(void)
{
	int fd = heap_buffer(MIB);

	check_errno(module_unload(MODULE), EAGAIN);
	check(is_zero(buffer_map(fd, MIB), MIB)); /* and all still works */
	munmap(buffer_map(fd, MIB), MIB);
}

static void mapping_holds_module(void)
{
	int fd = heap_buffer(MIB);
	char *bytes = buffer_map(fd, MIB);

	close(fd);
	check_errno(module_unload(MODULE), EAGAIN);
	fill(bytes, MIB, 0, 1);
	munmap(bytes, MIB);
	must(module_unload(MODULE));
	must(module_load(MODULE));
}

static void heap_fd_does_not(void)
{
	char node[128];
	int heap = heap_open();

	snprintf(node, sizeof(node), "%s", heap_node());
	must(module_unload(MODULE));
	check_errno(heap_try(heap, PAGE), ENODEV);
	check_errno(heap_try(heap, 0), EINVAL); /* wrong in any case */
	check_errno(open(node, O_RDWR), ENOENT);
	must(module_load(MODULE));
	check_errno(heap_try(heap, PAGE), ENODEV); /* the one it was is gone for good */
	must(heap_try(heap_open(), PAGE));
}

static void core_is_held(void)
{
	check_errno(module_unload("dmaheap_core"), EAGAIN);
}

/* A node that is open is the core's, even when the heap is gone with its module. */
static void heap_fd_holds_core(void)
{
	int heap = heap_open();

	must(module_unload("dmaheap_upstream"));
	must(module_unload("dmaheap_test"));
	must(module_unload(MODULE));
	check_errno(module_unload("dmaheap_core"), EAGAIN);
	check_errno(heap_try(heap, PAGE), ENODEV);
	close(heap);
	must(module_unload("dmaheap_core"));
	must(module_load(MODULE));
	must(module_load("dmaheap_test"));
	must(module_load("dmaheap_upstream"));
}

static void all_unload(void)
{
	bool kernels_own = !strcmp(heap_name(), "system.dmaheap");

	must(module_unload("dmaheap_upstream"));
	must(module_unload("dmaheap_test"));
	must(module_unload(MODULE));
	must(module_unload("dmaheap_core"));
	check(access("/dev/dmaheap_test", F_OK));
	check(access("/sys/kernel/debug/dmaheap", F_OK));
	check(access("/sys/class/dmaheap", F_OK));
	check_equal(!access("/sys/class/dma_heap", F_OK), kernels_own);
	check_equal(!access("/dev/dma_heap/system", F_OK), kernels_own);
	must(module_load(MODULE));
	must(module_load("dmaheap_test"));
	must(module_load("dmaheap_upstream"));
}

static atomic_bool stop;
static atomic_int allocated, revoked;

/* Allocates as long as there is this heap; only its going away is a reason to end. */
static void allocate_from(int heap)
{
	int fd;

	while (!stop) {
		fd = heap_try(heap, 256 * KIB);
		if (fd < 0 && errno == EAGAIN) /* the module is not loaded to its end */
			continue;
		if (fd < 0) {
			check_equal(errno, ENODEV);
			revoked++;
			return;
		}
		allocated++;
		close(fd);
	}
}

static void *allocate(void *node)
{
	while (!stop) {
		int heap = open(node, O_RDWR | O_CLOEXEC);

		if (heap >= 0) {
			allocate_from(heap);
			close(heap);
		} else {
			check(errno == ENOENT || errno == ENODEV || errno == ENXIO);
		}
	}
	return NULL;
}

static void load_and_unload(void)
{
	pthread_t threads[4];
	char node[128];
	int i, round, busy = 0;

	snprintf(node, sizeof(node), "%s", heap_node());
	for (i = 0; i < 4; i++)
		check_equal(pthread_create(&threads[i], NULL, allocate, node), 0);
	for (round = 0; round < 50; round++) {
		int before = allocated;

		while (allocated < before + 4)
			usleep(1000);
		while (module_unload(MODULE)) {
			check_equal(errno, EAGAIN);
			busy++;
		}
		must(module_load(MODULE));
	}
	stop = true;
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	tap_say("%d buffers, %d fds revoked, %d times in use", allocated, revoked, busy);
	check_equal(table_length(), 0);
}

/* Fails unless memory is back; files are closed, and pages freed, a little late. */
static void check_returned(long long before, long long tolerance)
{
	long long lost = 0;
	int i;

	for (i = 0; i < 50; i++) {
		lost = before - available();
		if (lost <= tolerance)
			return;
		usleep(100000);
	}
	tap_fail(__FILE__, __LINE__, "of %lld MiB that were available, %lld KiB are missing",
		 before / (long long)MIB, lost / (long long)KIB);
}

static long long microseconds(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Kills a process that allocates, and returns how many pages it had got. */
static long long killed_after(unsigned int delay)
{
	long long before = pages_given_out();
	int status;
	pid_t child = must(fork());

	if (!child) {
		heap_try(heap_open(), 512 * MIB);
		pause();
	}
	usleep(delay);
	kill(child, SIGKILL);
	must(waitpid(child, &status, 0));
	check_equal(WTERMSIG(status), SIGKILL);
	return pages_given_out() - before;
}

static void killed_while_allocating(void)
{
	const long long all = 512 * MIB / PAGE;
	unsigned int i, in_the_middle = 0;
	long long before, slab, took;
	int fd;

	before = pages_given_out();
	close(heap_buffer(512 * MIB)); /* what is allocated only once is not a leak */
	check(pages_given_out() >= before + all);
	/* The second time: an emulator may be slow when memory is first touched. */
	took = microseconds();
	fd = heap_buffer(512 * MIB);
	took = microseconds() - took;
	close(fd);
	before = available();
	slab = meminfo("Slab");
	for (i = 0; i < 20; i++) {
		long long pages = killed_after(took * (i + 1) / 20);

		in_the_middle += pages > all / 64 && pages < all * 63 / 64;
	}
	tap_say("%u of %u allocations were killed in the middle", in_the_middle, i);
	check(in_the_middle >= 3);
	check_equal(table_length(), 0);
	check_returned(before, 8 * MIB);
	check(meminfo("Slab") < slab + 4 * (long long)MIB);
}

static void out_of_memory(void)
{
	long long before = available();
	int heap = heap_open(), fds[1024], n = 0;

	while (n < 1024 && (fds[n] = heap_try(heap, before / 64)) >= 0)
		n++;
	check_equal(errno, ENOMEM);
	check(n >= 32); /* more than half of memory in all */
	check_equal(table_length(), n);
	while (n--)
		close(fds[n]);
	check_equal(table_length(), 0);
	check_returned(before, 8 * MIB);
}

#define ASKERS 6

/* Whether it got any. */
static void ask_often(int heap, size_t len)
{
	int got = 0, i, fd;

	for (i = 0; i < 10; i++) {
		fd = heap_try(heap, len);
		got += fd >= 0;
		if (fd >= 0)
			close(fd);
		else
			check_equal(errno, ENOMEM);
	}
	_exit(!got);
}

static void use_a_little(void)
{
	const size_t len = 8 * MIB;
	char *bytes;

	for (;;) {
		bytes = mmap(NULL, len, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		munmap(bytes, len);
	}
}

/* Each for something that there is, but not for all of them. */
static void too_much_at_a_time(void)
{
	long long kills = sum_of("/proc/vmstat", "oom_kill %lld");
	int heap = heap_open(), i, status, got = 0;
	pid_t other;

	memory_hold_all_but(1024 * MIB);
	other = must(fork());
	if (!other)
		use_a_little();
	for (i = 0; i < ASKERS; i++)
		if (!must(fork()))
			ask_often(heap, 400 * MIB);
	for (i = 0; i < ASKERS; i++) {
		must(wait(&status));
		check(WIFEXITED(status));
		got += !WEXITSTATUS(status);
	}
	tap_say("%d of %d got any", got, ASKERS);
	check(got);
	check_equal(waitpid(other, &status, WNOHANG), 0);
	must(kill(other, SIGKILL));
	must(waitpid(other, &status, 0));
	check_equal(sum_of("/proc/vmstat", "oom_kill %lld"), kills);
}

/* A swap area on each RAM disk; returns how much that is. */
static size_t swap_on(void)
{
	static struct {
		char boot[1024];
		uint32_t version, last_page;
		char rest[PAGE - 1024 - 8 - 10], magic[10];
	} header = { .version = 1 };
	size_t all = 0, len;
	char disk[32];
	int fd, i;

	module_drop("brd");
	if (!module_try("brd", "rd_nr=8 rd_size=32768"))
		tap_skip("this kernel has no brd");
	memcpy(header.magic, "SWAPSPACE2", 10);
	for (i = 0; i < 8; i++) {
		snprintf(disk, sizeof(disk), "/dev/ram%d", i);
		fd = must(open(disk, O_RDWR | O_CLOEXEC));
		len = must(lseek(fd, 0, SEEK_END));
		header.last_page = len / PAGE - 1;
		check_equal(pwrite(fd, &header, PAGE, 0), PAGE);
		close(fd);
		if (swapon(disk, 0))
			tap_skip("this kernel does not swap");
		all += len;
	}
	return all;
}

static void swap_off(void)
{
	char disk[32];
	int i;

	for (i = 0; i < 8; i++) {
		snprintf(disk, sizeof(disk), "/dev/ram%d", i);
		swapoff(disk);
	}
	module_drop("brd");
}

/* Nobody else is swapped out for a buffer that could not be. */
static void swap_is_not_for_buffers(void)
{
	int heap = heap_open(), err;
	size_t swap = swap_on();

	memory_hold_all_but(meminfo("MemTotal") / 3);
	errno = 0;
	heap_try(heap, meminfo("MemAvailable") - meminfo("MemTotal") / 32 + swap / 2);
	err = errno;
	swap_off();
	check_equal(err, ENOMEM);
}

/* What CPUs keep on lists is not available to others, and is up to an eighth of memory. */
static void keep_little_on_lists(bool little)
{
	file_write("/proc/sys/vm/percpu_pagelist_high_fraction", little ? "10000" : "0");
}

static void fragmented(void)
{
	const size_t pieces = 1024 * MIB, len = 320 * MIB;
	int device = device_new(64, 0xffffffff), fd, held;
	struct dmaheap_test_map map;
	long long left;
	size_t at;

	if (cmdline_has("swiotlb=force"))
		tap_skip("bounce buffers do not hold 320 MiB");
	memory_hold_all_but(pieces + 128 * MIB);
	/* Nobody puts the pieces together again meanwhile. */
	file_write("/proc/sys/vm/compaction_proactiveness", "0");
	held = memory_hold(pieces);
	keep_little_on_lists(true);
	for (at = 0; at < pieces; at += 2 * PAGE)
		must(fallocate(held, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, PAGE));
	left = meminfo("MemAvailable") / (long long)MIB;
	keep_little_on_lists(false);
	fd = heap_buffer(len);
	fill(buffer_map(fd, len), len, 0, 1);
	check(is_filled(buffer_map(fd, len), len, 0, 1));
	map = device_map(device, device_attach(device, fd), BOTH_WAYS);
	tap_say("%u segments for 320 MiB, of %lld MiB available", map.segments, left);
	check(map.segments > 32 * MIB / PAGE);
}

static const struct test tests[] = {
	TEST(buffer_holds_module, "a buffer holds its heap's module"),
	TEST(mapping_holds_module, "so does a mapping alone; then the module unloads"),
	TEST(heap_fd_does_not, "an fd of the heap does not, and answers ENODEV afterwards"),
	TEST(core_is_held, "the core is held by its heaps"),
	TEST(heap_fd_holds_core, "and by an fd of a heap that is gone"),
	TEST(all_unload, "all modules unload, and leave no class, node or folder"),
	TEST(load_and_unload, "50 times unloaded and loaded under 4 allocating threads"),
	TEST(killed_while_allocating, "killed in the middle of 512 MiB: nothing is left"),
	TEST(out_of_memory, "all of memory taken: ENOMEM, and everything comes back"),
	TEST(too_much_at_a_time, "several at a time, too much together: nobody is killed"),
	TEST(swap_is_not_for_buffers, "that others could be swapped out does not count"),
	TEST(fragmented, "a large buffer in fragmented memory"),
};
TAP_MAIN(tests)
