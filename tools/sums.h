/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a look's buffers is whose, added up. */
#ifndef TOOL_SUMS_H
#define TOOL_SUMS_H

#include <dmaheap.h>

/**
 * struct sum - what a process or a heap has
 * @pid:	of the process; 0: it is a heap
 * @started:	when it was; another process may get its number later
 * @name:	command, or name of the heap
 * @buffers:	how many
 * @fds:	how many
 * @mappings:	how many
 * @size:	bytes of the buffers
 * @share:	of these, what falls upon this process
 * @mapped:	bytes of the mappings
 */
struct sum {
	pid_t pid;
	uint64_t started;
	char *name;
	uint64_t buffers;
	uint64_t fds;
	uint64_t mappings;
	uint64_t size;
	uint64_t share;
	uint64_t mapped;
};

/**
 * struct sums - many of them
 * @all:	processes by pid, then heaps by name
 * @count:	how many
 * @room:	for how many
 */
struct sums {
	struct sum *all;
	size_t count;
	size_t room;
};

enum sums_of {
	SUMS_OF_PROCESSES = 1 << 0,
	SUMS_OF_HEAPS = 1 << 1,
};

/* They live on when the look is freed.  End the program if there is no memory. */
void sums_make(struct sums *sums, const struct dmaheap_look *look, unsigned int of);
void sums_free(struct sums *sums);
/* Who was the same there; NULL: nobody. */
const struct sum *sums_find(const struct sums *sums, const struct sum *like);

#endif /* TOOL_SUMS_H */
