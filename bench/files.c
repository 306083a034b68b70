// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel says of itself in files. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CLASS "/sys/class/"
#define PAUSE 5 /* ms */

/* Whether a line begins with the key, as a word. */
static bool has_key(const char *line, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(line, key, len) && strchr(": \t", line[len]);
}

long long number_in(const char *path, const char *key)
{
	FILE *file = fopen(path, "r");
	long long number = -1;
	char line[256];

	if (!file)
		return -1;
	while (number < 0 && fgets(line, sizeof(line), file))
		if (!key)
			number = atoll(line);
		else if (has_key(line, key))
			number = atoll(line + strlen(key) + 1);
	fclose(file);
	return number;
}

bool write_number(const char *path, long long number)
{
	FILE *file = fopen(path, "w");
	bool written = file && fprintf(file, "%lld\n", number) > 0;

	/* It is by closing that it is written. */
	return file && !fclose(file) && written;
}

long long meminfo(const char *key)
{
	long long kib = number_in("/proc/meminfo", key);

	return kib > 0 ? kib * (long long)KIB : 0;
}

bool memory_is_there(const char *row, uint64_t bytes)
{
	uint64_t available = meminfo("MemAvailable"), wanted = bytes + 128 * MIB;

	if (available >= wanted)
		return true;
	note("%s is left out: it takes %llu MiB of memory, and %llu MiB are available", row,
	     (unsigned long long)(wanted / MIB), (unsigned long long)(available / MIB));
	return false;
}

/* ---- our pool ---- */

const char *pool_file(const char *name)
{
	const struct peer *dmaheap = peer_find("dmaheap");
	static char path[160];

	/* Where the kernel has a class dma_heap of its own, ours is called otherwise. */
	snprintf(path, sizeof(path), "%s%s/%s/pool/%s", CLASS,
		 access(CLASS "dmaheap", F_OK) ? "dma_heap" : "dmaheap",
		 dmaheap ? strrchr(dmaheap->node, '/') + 1 : "system", name);
	return path;
}

long long pool_size(void)
{
	long long clean = number_in(pool_file("clean_bytes"), NULL);
	long long dirty = number_in(pool_file("dirty_bytes"), NULL);

	return clean < 0 || dirty < 0 ? -1 : clean + dirty;
}

void pause_between(void)
{
	long long dirty, before;

	pause_ms(PAUSE);
	dirty = number_in(pool_file("dirty_bytes"), NULL);
	/* It may well keep some of them dirty. */
	for (before = dirty + 1; dirty > 0 && dirty < before;
	     dirty = number_in(pool_file("dirty_bytes"), NULL)) {
		before = dirty;
		pause_ms(PAUSE);
	}
}

/* ---- the machine ---- */

/* The rest of the first line that begins with a key; without one, of the first. */
static bool text_in(const char *path, const char *key, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	char line[4096];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		const char *from = line;

		if (key && !has_key(line, key))
			continue;
		if (key)
			from = strchr(line, ':') ? strchr(line, ':') + 2 : line;
		snprintf(text, size, "%.*s", (int)strcspn(from, "\n"), from);
		found = true;
	}
	fclose(file);
	return found;
}

void describe_machine(void)
{
	struct utsname system;
	struct peer *peer;
	char text[256];

	uname(&system);
	printf("#kernel=%s\n#arch=%s\n", system.release, system.machine);
	if (text_in("/proc/cpuinfo", "model name", text, sizeof(text)) ||
	    text_in("/proc/device-tree/model", NULL, text, sizeof(text)))
		printf("#cpu=%s\n", text);
	printf("#cpus=%ld\n#memory=%lld\n", sysconf(_SC_NPROCESSORS_ONLN),
	       meminfo("MemTotal"));
	printf("#samples=%u\n#device=%s\n", samples_wanted, device_kind());
	for (peer = peer_first(); peer; peer = peer_next(peer))
		printf("#peer_%s=%s\n", peer->name, peer->node);
	if (number_in(POOL_MAX, NULL) >= 0)
		printf("#pool_max=%lld\n", number_in(POOL_MAX, NULL));
	printf("row,unit,peer,size,index,value\n");
	fflush(stdout);
}
