// SPDX-License-Identifier: GPL-2.0-only
/* See fail.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"
#include "fail.h"

#define MOST 20000
#define DEBUG "/sys/kernel/debug/"

static int nth_fd = -1;

/* All allocations can be told to fail, also those that would wait for reclaim. */
void fail_begin(void)
{
	/* Hundreds of rounds, on a slow kernel: the guest has a limit of its own. */
	alarm(3000);
	nth_fd = must(open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC));
	file_write(DEBUG "failslab/ignore-gfp-wait", "N");
	file_write(DEBUG "failslab/verbose", "0");
	file_write(DEBUG "fail_page_alloc/ignore-gfp-wait", "N");
	file_write(DEBUG "fail_page_alloc/ignore-gfp-highmem", "N");
	file_write(DEBUG "fail_page_alloc/min-order", "0");
	file_write(DEBUG "fail_page_alloc/verbose", "0");
}

static void arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	must(pwrite(nth_fd, text, len, 0));
}

/* How many allocations were left before the one that was to fail; 0: it has failed. */
static unsigned int disarm(void)
{
	char text[16] = "";

	must(pread(nth_fd, text, sizeof(text) - 1, 0));
	must(pwrite(nth_fd, "0", 1, 0));
	return atoi(text);
}

static bool is_documented(const struct operation *operation, int err)
{
	const int *error;

	if (err == -ENOMEM)
		return true;
	for (error = operation->errors; *error; error++)
		if (err == -*error)
			return true;
	return false;
}

/* In a folder, and in those in it. */
static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char below[512];
	int n = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			n += count_entries(below);
	}
	if (dir)
		closedir(dir);
	return n;
}

static int count_lines(const char *path)
{
	FILE *file = must(fopen(path, "r"));
	char line[512];
	int n = 0;

	while (fgets(line, sizeof(line), file))
		n++;
	fclose(file);
	return n;
}

/* What shows from outside; and the slots of bounce buffers that are in use. */
struct published {
	int buffers, nodes, numbers, heaps, classes, modules, debugfs, bounced;
};

static struct published look(void)
{
	return (struct published){
		/* Which goes with the core. */
		.buffers = access(DEBUG "dmaheap/buffers", F_OK) ? 0 : table_length(),
		.nodes = count_entries("/dev/dma_heap"),
		.numbers = count_lines("/proc/devices"),
		.heaps = count_entries("/sys/devices/virtual/dma_heap"),
		.classes = count_entries("/sys/class/dma_heap"),
		.modules = count_lines("/proc/modules"),
		.debugfs = count_entries(DEBUG "dmaheap"),
		.bounced = access(FAIL_SLOTS, F_OK) ? 0 : sum_of(FAIL_SLOTS, "%lld"),
	};
}

static bool is_same(struct published one, struct published other)
{
	return !memcmp(&one, &other, sizeof(one));
}

/* By the kernel's custom, nobody minds if a file of debugfs cannot be made. */
static bool is_whole(struct published one, struct published other)
{
	other.debugfs = one.debugfs;
	return is_same(one, other);
}

/* One round; false: nothing was left to fail.  @done is what shows when the operation has succeeded. */
static bool fail_once(const struct operation *operation, unsigned int nth,
		      struct published *done)
{
	struct published before = look();
	unsigned int left;
	int err;

	pools_drain(); /* what it takes has to come from the kernel */
	if (operation->prepare)
		operation->prepare();
	arm(nth);
	err = operation->run();
	left = disarm();
	if (nth == MOST)
		*done = look();
	/* Also if it could do without what it did not get. */
	if (!err && !is_whole(*done, look()))
		tap_fail(__FILE__, __LINE__,
			 "%s: allocation %u failed, and something is missing", operation->name,
			 nth);
	if (operation->clean)
		operation->clean(!err);
	if (err && !is_documented(operation, err))
		tap_fail(__FILE__, __LINE__, "%s: allocation %u failed, and it said %s",
			 operation->name, nth, strerror(-err));
	if (err && left)
		tap_fail(__FILE__, __LINE__, "%s: %s without a fault", operation->name,
			 strerror(-err));
	if (!is_same(before, look()))
		tap_fail(__FILE__, __LINE__, "%s: allocation %u failed, and something is left",
			 operation->name, nth);
	return !left;
}

static void fail_each(const struct operation *operation)
{
	struct published done;
	unsigned int nth;

	fail_once(operation, MOST, &done); /* what is allocated but once */
	for (nth = 1; nth < MOST && fail_once(operation, nth, &done); nth++)
		;
	check(nth < MOST);
	check(nth > 1 || operation->needs_none);
	tap_say("%s: %u allocations", operation->name, nth - 1);
}

void fail_all(const struct operation *operations, size_t nr)
{
	size_t i;

	fail_begin();
	for (i = 0; i < nr; i++)
		fail_each(&operations[i]);
}
