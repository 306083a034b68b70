// SPDX-License-Identifier: GPL-2.0-only
/* Where a process has been in the kernel, by KCOV. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define KCOV "/sys/kernel/debug/kcov"
#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0

#define ROOM (256 << 10) /* places of one input */
#define SEEN_BITS 22

static int fd = -1;
static unsigned long *places; /* the first is how many follow */
/* By a hash of the place: two that fall together count as one. */
static uint8_t seen[1 << (SEEN_BITS - 3)];
static unsigned long total;

/* Of the core's code: where it lies, and which return addresses in it were seen. */
#define CORE "/sys/module/dmaheap_core/sections/.text"
#define CORE_MAX (1UL << 20)
static unsigned long core;
static uint8_t core_seen[CORE_MAX / 8];

static unsigned long find_core(void)
{
	FILE *file = fopen(CORE, "r");
	unsigned long start = 0;

	if (file && fscanf(file, "%lx", &start) != 1)
		start = 0;
	if (file)
		fclose(file);
	return start;
}

bool coverage_open(void)
{
	core = find_core();
	fd = open(KCOV, O_RDWR);
	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, ROOM))
		return false;
	/* Shared, so that a parent sees what its child leaves. */
	places = mmap(NULL, ROOM * sizeof(*places), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return places != MAP_FAILED;
}

void coverage_begin(void)
{
	if (!places)
		return;
	ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC);
	__atomic_store_n(&places[0], 0, __ATOMIC_RELAXED);
}

static bool is_new(unsigned long place)
{
	uint32_t hash = (place * 0x9e3779b97f4a7c15ULL) >> (64 - SEEN_BITS);
	uint8_t bit = 1 << (hash & 7);
	bool found = !(seen[hash >> 3] & bit);
	unsigned long offset = place - core;

	seen[hash >> 3] |= bit;
	if (core && offset < CORE_MAX)
		core_seen[offset / 8] |= 1 << offset % 8;
	return found;
}

unsigned int coverage_end(void)
{
	unsigned long i, nr = places ? places[0] : 0;
	unsigned int found = 0;

	for (i = 1; i <= nr && i < ROOM; i++)
		found += is_new(places[i]);
	total += found;
	return found;
}

void coverage_print(void)
{
	unsigned long offset;

	for (offset = 0; offset < CORE_MAX; offset++)
		if (core_seen[offset / 8] & 1 << offset % 8)
			printf("place %#lx\n", offset);
}

unsigned long coverage_total(void)
{
	return total;
}
