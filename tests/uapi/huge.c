// SPDX-License-Identifier: GPL-2.0-only
/* mmap() by large pages. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

/* Large pages, and a rest that is none. */
#define HUGE (2 * MIB)
#define LEN (4 * HUGE + 68 * KIB)
#define PAGE 4096UL

static char *map_at(int fd, size_t len, size_t skew, off_t offset, int prot)
{
	char *room = must(mmap(NULL, len + 3 * HUGE, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	char *at = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1)) + skew;

	return must(mmap(at, len, prot, MAP_SHARED | MAP_FIXED, fd, offset));
}

static char *map_aligned(int fd)
{
	return map_at(fd, LEN, 0, 0, PROT_READ | PROT_WRITE);
}

/* A number of the area that starts at an address, in bytes. */
static uint64_t smaps(const void *bytes, const char *key)
{
	FILE *file = must(fopen("/proc/self/smaps", "r"));
	unsigned long long start, end, number = 0;
	size_t key_len = strlen(key);
	bool here = false;
	char line[512];

	check(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			here = start == (uintptr_t)bytes;
		else if (here && !strncmp(line, key, key_len) && line[key_len] == ':')
			sscanf(line + key_len + 1, "%llu", &number);
	}
	fclose(file);
	return number * KIB;
}

static long faults(void)
{
	struct rusage usage;

	must(getrusage(RUSAGE_SELF, &usage));
	return usage.ru_minflt + usage.ru_majflt;
}

static void touch(const char *bytes, size_t len)
{
	size_t at;

	for (at = 0; at < len; at += PAGE)
		(void)*(volatile const char *)(bytes + at);
}

/* Page tables of the process, in bytes. */
static uint64_t tables(void)
{
	return sum_of("/proc/self/status", "VmPTE: %lld") * KIB;
}

static void needs_huge_pages(void)
{
	if (heap_kind()->longest != HUGE)
		tap_skip("this heap has no chunks of 2 MiB");
	if (heap_is_uncounted())
		tap_skip("what is mapped is not counted as pages");
}

static void seen(void)
{
	int fd = heap_buffer(LEN);
	char *bytes = map_aligned(fd);

	needs_huge_pages();
	touch(bytes, LEN);
	check_equal(smaps(bytes, "FilePmdMapped"), 4 * HUGE);
	check_equal(smaps(bytes, "Rss"), LEN);
	munmap(bytes, LEN);
	/* Shifted by a page against the large pages, there can be none. */
	bytes = map_at(fd, LEN, PAGE, 0, PROT_READ);
	touch(bytes, LEN);
	check_equal(smaps(bytes, "FilePmdMapped"), 0);
	check_equal(smaps(bytes, "Rss"), LEN);
	munmap(bytes, LEN);
	/* A part that begins in one: three are whole. */
	bytes = map_at(fd, LEN - PAGE, PAGE, PAGE, PROT_READ);
	touch(bytes, LEN - PAGE);
	check_equal(smaps(bytes, "FilePmdMapped"), 3 * HUGE);
}

/* Many large pages; of a region, which others may use, not all. */
static size_t many(void)
{
	return heap_kind()->size ? heap_kind()->size / 4 : 64 * MIB;
}

static void few_faults(void)
{
	const size_t len = many();
	int fd = heap_buffer(len);
	char *bytes;
	long before;

	/* So that no fault is for a page of the program itself: it stays there, and marked as used. */
	must(mlockall(MCL_CURRENT));
	bytes = map_at(fd, len, 0, 0, PROT_READ | PROT_WRITE);
	touch(__FILE__, 1);
	before = faults();
	touch(bytes, len);
	before = faults() - before;
	tap_say("%ld faults for %zu MiB, of which %llu MiB are large pages", before,
		(size_t)(len / MIB), smaps(bytes, "FilePmdMapped") / MIB);
	check(before <= (long)(len / HUGE));
	munmap(bytes, len);
	bytes = map_at(fd, len, PAGE, 0, PROT_READ | PROT_WRITE);
	before = faults();
	touch(bytes, len);
	check(faults() - before <= (long)(len / HUGE) + 1);
	munmap(bytes, len);
	/* Too short for a large page where it lies. */
	bytes = map_at(fd, HUGE + MIB, PAGE, 0, PROT_READ | PROT_WRITE);
	before = faults();
	touch(bytes, HUGE + MIB);
	check(faults() - before <= 2);
}

/* Of pages that nobody counts, only some kernels can enter large ones. */
static bool has_huge_frames(void)
{
	struct utsname kernel;
	int major, minor;

	must(uname(&kernel));
	check(sscanf(kernel.release, "%d.%d", &major, &minor) == 2);
	return major > 6 || (major == 6 && minor >= 12);
}

/* One entry needs no table of its own. */
static void no_tables(void)
{
	const size_t len = many();
	uint64_t before;
	char *bytes;
	int fd;

	if (!heap_is_uncounted())
		needs_huge_pages();
	else if (!has_huge_frames() || heap_kind()->chunk)
		tap_skip("these pages are entered one by one");
	else if (!heap_kind()->size || heap_kind()->shared)
		tap_skip("nothing says that this memory is aligned to 2 MiB");
	fd = heap_buffer(len);
	bytes = map_at(fd, len, 0, 0, PROT_READ | PROT_WRITE);
	touch(bytes, PAGE);
	before = tables();
	touch(bytes, len);
	check(tables() - before < len / HUGE * PAGE / 2);
}

static void bytes_right(void)
{
	int fd = heap_buffer(LEN);
	char *large = map_aligned(fd), *small = map_at(fd, LEN, PAGE, 0, PROT_READ);
	char *last = map_at(fd, HUGE + 68 * KIB, 0, 3 * HUGE, PROT_READ);

	needs_huge_pages();
	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	fill(large, LEN, 0, 1);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	check(is_filled(small, LEN, 0, 1));
	check(is_filled(last, HUGE + 68 * KIB, 3 * HUGE, 1));
	check_equal(smaps(last, "FilePmdMapped"), HUGE);
}

/* What splits a large entry loses no byte, and everything goes on. */
static void split(void)
{
	int fd = heap_buffer(LEN), status;
	char *bytes = map_aligned(fd);

	needs_huge_pages();
	fill(bytes, LEN, 0, 2);
	must(mprotect(bytes + PAGE, PAGE, PROT_READ));
	check(is_filled(bytes, LEN, 0, 2));
	must(mprotect(bytes + PAGE, PAGE, PROT_READ | PROT_WRITE));
	fill(bytes, LEN, 0, 3);
	check(is_filled(bytes, LEN, 0, 3));
	must(madvise(bytes + HUGE - PAGE, HUGE, MADV_DONTNEED));
	check(is_filled(bytes, LEN, 0, 3));
	must(munmap(bytes + HUGE + PAGE, PAGE));
	check(is_filled(bytes, HUGE + PAGE, 0, 3));
	check(is_filled(bytes + HUGE + 2 * PAGE, LEN - HUGE - 2 * PAGE, HUGE + 2 * PAGE, 3));
	if (!must(fork())) {
		check(is_filled(bytes, HUGE + PAGE, 0, 3));
		bytes[HUGE] = 77;
		_exit(0);
	}
	must(wait(&status));
	check_equal(status, 0);
	check_equal(bytes[HUGE], 77);
}

static void moved(void)
{
	int fd = heap_buffer(LEN);
	char *bytes = map_aligned(fd), *room;

	needs_huge_pages();
	fill(bytes, LEN, 0, 4);
	room = must(mmap(NULL, LEN + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	room = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1)) + 5 * PAGE;
	bytes = must(mremap(bytes, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, room));
	check(is_filled(bytes, LEN, 0, 4));
	fill(bytes, LEN, 0, 5);
	check(is_filled(map_aligned(fd), LEN, 0, 5));
}

static void by_request_without(void)
{
	int fd = heap_buffer(LEN);
	char *bytes;

	needs_huge_pages();
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	bytes = map_aligned(fd);
	fill(bytes, LEN, 0, 6);
	check(is_filled(bytes, LEN, 0, 6));
	check_equal(smaps(bytes, "FilePmdMapped"), 0);
}

static char *racing_bytes;
static pthread_barrier_t start;

static void *race(void *number)
{
	size_t i, pages = LEN / PAGE;

	pthread_barrier_wait(&start);
	for (i = 0; i < pages; i++) {
		size_t at = (i * 389 + (size_t)number * 257) % pages;

		racing_bytes[at * PAGE + (size_t)number] = 1 + (size_t)number;
		if (!(i % 256)) /* takes entries away from under the others */
			madvise(racing_bytes + (at & ~511UL) * PAGE, HUGE, MADV_DONTNEED);
	}
	return NULL;
}

static void racing(void)
{
	pthread_t threads[4];
	size_t i, t;
	int round;

	needs_huge_pages();
	for (round = 0; round < 10; round++) {
		int fd = heap_buffer(LEN);

		racing_bytes = map_aligned(fd);
		pthread_barrier_init(&start, NULL, 4);
		for (t = 0; t < 4; t++)
			check_equal(pthread_create(&threads[t], NULL, race, (void *)t), 0);
		for (t = 0; t < 4; t++)
			pthread_join(threads[t], NULL);
		for (i = 0; i < LEN; i += PAGE)
			for (t = 0; t < 4; t++)
				check_equal(racing_bytes[i + t], 1 + t);
		munmap(racing_bytes, LEN);
		close(fd);
	}
}

/* What was mapped is the page allocator's again, not held by a count that went wrong. */
static void nothing_held(void)
{
	long long before;
	int round;

	needs_huge_pages();
	before = available();
	for (round = 0; round < 100; round++) {
		int fd = heap_buffer(LEN);
		char *bytes = map_aligned(fd);

		touch(bytes, LEN);
		munmap(bytes + HUGE / 2, HUGE); /* halves of two large pages */
		munmap(bytes, LEN);
		close(fd);
	}
	check(before - available() < 16 * (long long)MIB);
}

static const struct test tests[] = {
	TEST(seen, "an aligned mapping is made of large pages, and the rest of small ones"),
	TEST(few_faults, "every page touched: one fault for 2 MiB"),
	TEST(no_tables, "large pages need no page tables"),
	TEST(bytes_right, "large and small pages show the same bytes"),
	TEST(split, "protecting, dropping, unmapping and forking a part"),
	TEST(moved, "moved to where no large page fits"),
	TEST(by_request_without, "a process that wants no large pages gets none"),
	TEST(racing, "4 threads touch what they take away from each other"),
	TEST(nothing_held, "100 times mapped and unmapped in parts: all memory is back"),
};
TAP_MAIN(tests)
