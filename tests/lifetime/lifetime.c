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
#include <sys/wait.h>
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
static atomic_int allocated, refused;

/* Allocates as long as there is a heap, and waits for the next one. */
static void *allocate(void *node)
{
	while (!stop) {
		int fd, heap = open(node, O_RDWR | O_CLOEXEC);

		while (heap >= 0 && !stop && (fd = heap_try(heap, 256 * KIB)) >= 0) {
			allocated++;
			close(fd);
		}
		if (heap >= 0) {
			refused += errno == ENODEV;
			close(heap);
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
	tap_say("%d buffers, %d fds revoked, %d times in use", allocated, refused, busy);
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

static bool killed_in_time(unsigned int microseconds)
{
	int done[2], status;
	char byte;
	pid_t child;

	must(pipe(done));
	child = must(fork());
	if (!child) {
		heap_try(heap_open(), 512 * MIB);
		_exit(write(done[1], "!", 1) != 1);
	}
	close(done[1]);
	usleep(microseconds);
	kill(child, SIGKILL);
	must(waitpid(child, &status, 0));
	status = read(done[0], &byte, 1);
	close(done[0]);
	return !status;
}

static void killed_while_allocating(void)
{
	long long before, slab;
	unsigned int i, in_time = 0;

	killed_in_time(1000000); /* what is allocated once is not a leak */
	before = available();
	slab = meminfo("Slab");
	for (i = 0; i < 20; i++)
		in_time += killed_in_time(10000 + 10000 * i);
	tap_say("%u of %u allocations were killed in the middle", in_time, i);
	check(in_time >= 5);
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

/* Fragments memory into single pages: a large buffer is then made of small chunks. */
static void fragmented(void)
{
	const size_t len = 256 * MIB;
	char *bytes = must(mmap(NULL, 2 * len, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	size_t at;
	int fd;

	must(madvise(bytes, 2 * len, MADV_NOHUGEPAGE));
	memset(bytes, 1, 2 * len);
	for (at = 0; at < 2 * len; at += 2 * PAGE)
		must(madvise(bytes + at, PAGE, MADV_DONTNEED));
	fd = heap_buffer(len / 2);
	fill(buffer_map(fd, len / 2), len / 2, 0, 1);
	check(is_filled(buffer_map(fd, len / 2), len / 2, 0, 1));
}

static const struct test tests[] = {
	TEST(buffer_holds_module, "a buffer holds its heap's module"),
	TEST(mapping_holds_module, "so does a mapping alone; then the module unloads"),
	TEST(heap_fd_does_not, "an fd of the heap does not, and answers ENODEV afterwards"),
	TEST(core_is_held, "the core is held by its heaps"),
	TEST(all_unload, "all modules unload, and leave no class, node or folder"),
	TEST(load_and_unload, "50 times unloaded and loaded under 4 allocating threads"),
	TEST(killed_while_allocating, "killed in the middle of 512 MiB: nothing is left"),
	TEST(out_of_memory, "all of memory taken: ENOMEM, and everything comes back"),
	TEST(fragmented, "a large buffer in fragmented memory"),
};
TAP_MAIN(tests)
