// SPDX-License-Identifier: GPL-2.0-only
/* Rows about mapping a buffer into a process. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/perf_event.h>

#define MAPS 50
#define TOUCHES 10
#define HUGE (2 * MIB) /* what one entry of a page table can map, on most machines */

static void *map(int fd, void *where, int flags)
{
	return mmap(where, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);
}

/* ---- mmap and munmap ---- */

static void map_once(struct peer *peer, int fd, bool keep)
{
	uint64_t time = now();
	void *bytes = map(fd, NULL, 0);

	if (bytes == MAP_FAILED) {
		peer_fail(peer, "mmap of %llu bytes", LARGE);
		return;
	}
	munmap(bytes, LARGE);
	time = now() - time;
	if (keep)
		record("map_512M", peer->name, LARGE, time);
}

void row_map(void)
{
	struct buffer buffers[MAX_PEERS];
	struct peer *peer;
	unsigned int i;

	peers_begin("map_512M", LARGE);
	buffers_make(buffers, LARGE);
	for (i = 0; i <= at_most(MAPS); i++)
		for (peer = peer_first(); peer; peer = peer_next(peer))
			map_once(peer, buffers[peer_index(peer)].fd, i);
	buffers_drop(buffers);
}

/* ---- first touch ---- */

/* Page faults of this process, or -1: the kernel does not count them so. */
static int fault_counter(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t faults_by_perf(int counter)
{
	uint64_t faults;

	return read(counter, &faults, sizeof(faults)) == sizeof(faults) ? faults : 0;
}

static uint64_t faults_by_rusage(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

struct faults {
	uint64_t perf, rusage;
};

static struct faults faults_so_far(int counter)
{
	return (struct faults){ faults_by_perf(counter), faults_by_rusage() };
}

/* The one that has seen more: they differ in faults that were tried again. */
static uint64_t faults_since(const struct faults *before, int counter)
{
	struct faults after = faults_so_far(counter);
	uint64_t perf = after.perf - before->perf, rusage = after.rusage - before->rusage;

	return perf > rusage ? perf : rusage;
}

/* A place at which a large mapping can be made of large entries. */
static char *place_reserve(void)
{
	char *place = mmap(NULL, LARGE + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		return NULL;
	return place + (HUGE - (uintptr_t)place % HUGE);
}

static void touch_pages(char *bytes)
{
	size_t page = sysconf(_SC_PAGESIZE), offset;

	for (offset = 0; offset < LARGE; offset += page)
		*(volatile char *)(bytes + offset) = 1;
}

static void touch_once(struct peer *peer, int fd, char *place, int counter)
{
	struct faults before;
	uint64_t time, faults;

	if (map(fd, place, MAP_FIXED) == MAP_FAILED) {
		peer_fail(peer, "mmap of %llu bytes", LARGE);
		return;
	}
	before = faults_so_far(counter);
	time = now();
	touch_pages(place);
	time = now() - time;
	faults = faults_since(&before, counter);
	/* Back to what was reserved. */
	mmap(place, LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	record("touch_512M", peer->name, LARGE, time);
	record("touch_512M_faults", peer->name, LARGE, faults);
}

void row_touch(void)
{
	int counter = fault_counter();
	char *place = place_reserve();
	struct buffer buffers[MAX_PEERS];
	struct peer *peer;
	unsigned int i;

	if (!place) {
		note("touch_512M: there are no %llu bytes of addresses left", LARGE);
		return;
	}
	if (counter < 0)
		note("touch_512M: no perf_event here: faults are counted by getrusage() alone");
	peers_begin("touch_512M", LARGE);
	buffers_make(buffers, LARGE);
	for (i = 0; i < at_most(TOUCHES); i++)
		for (peer = peer_first(); peer; peer = peer_next(peer))
			touch_once(peer, buffers[peer_index(peer)].fd, place, counter);
	buffers_drop(buffers);
	close(counter);
}
