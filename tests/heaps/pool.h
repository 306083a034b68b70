/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of pools begin with; each ends the test on failure. */
#ifndef POOL_H
#define POOL_H

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define PAGE 4096UL
/* Chunks of all sizes. */
#define LEN (7 * MIB + 72 * KIB)

static inline void needs_pool(void)
{
	if (!heap_has_pool())
		tap_skip("this heap has no pool");
}

static inline void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set));
}

/* From now on the pool is empty and may keep this much. */
static inline void begin(uint64_t max)
{
	needs_pool();
	pools_drain();
	pool_set_max(max);
	check_equal(pool_size(), 0);
}

/* A buffer full of bytes that are somebody's, given back. */
static inline void give_back(size_t len)
{
	int fd = heap_buffer(len);
	char *bytes = buffer_map(fd, len);

	memset(bytes, 0xa5, len);
	munmap(bytes, len);
	close(fd);
}

#endif /* POOL_H */
