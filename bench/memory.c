// SPDX-License-Identifier: GPL-2.0-only
/* Rows about memory: what a buffer costs beside its pages, and who gets it when it is short. */
#include "bench.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/membarrier.h>

/* ---- per buffer ---- */

#define BUFFERS 40
#define ROUNDS 9 /* some memory comes in smaller pieces, which cost more */

/*
 * The kernel keeps pages of objects that were freed, and puts new objects into the gaps of old
 * pages: by pages, 40 buffers can cost nothing at all.  So it is objects that are counted, by
 * kind.  Each buffer has a whole number of objects of a kind; what is less than half an object
 * per buffer is not the buffers', but what a CPU has set aside, or somebody else's.
 */
struct objects {
	char kind[32];
	long long used, size;
};

#define MAX_KINDS 512

struct kernel_memory {
	struct objects objects[MAX_KINDS];
	unsigned int kinds;
	long long
		pages; /* in bytes: allocations of the kernel that are too large for objects */
	long long percpu;
};

/* What each CPU has set aside counts as used until it is given up. */
static void give_up_free_objects(void)
{
	glob_t files;
	size_t i;

	if (glob("/sys/kernel/slab/*/shrink", GLOB_NOSORT, NULL, &files))
		return;
	for (i = 0; i < files.gl_pathc; i++)
		write_number(files.gl_pathv[i], 1);
	globfree(&files);
}

/* What was freed a moment ago, an inode for example, is so only after all its readers (RCU). */
static void wait_for_readers(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
		pause_ms(100);
	}
}

/* Returns bytes of the pages that all objects lie in; -1: the kernel does not tell. */
static long long count_objects(struct kernel_memory *memory)
{
	long long in_pages = 0, page = sysconf(_SC_PAGESIZE), pages, slabs;
	FILE *file = fopen("/proc/slabinfo", "r");
	struct objects *kind;
	char line[512];

	memory->kinds = 0;
	if (!file)
		return -1;
	while (memory->kinds < MAX_KINDS && fgets(line, sizeof(line), file)) {
		kind = &memory->objects[memory->kinds];
		if (sscanf(line,
			   "%31s %lld %*u %lld %*u %lld : %*s %*u %*u %*u : %*s %*u %lld",
			   kind->kind, &kind->used, &kind->size, &pages, &slabs) != 5)
			continue;
		in_pages += slabs * pages * page;
		memory->kinds++;
	}
	fclose(file);
	return in_pages;
}

/* KernelStack and PageTables are not of buffers: they come and go with processes. */
static bool kernel_memory(struct kernel_memory *memory)
{
	long long in_pages;

	wait_for_readers();
	give_up_free_objects();
	in_pages = count_objects(memory);
	if (in_pages < 0)
		return false;
	/* By reading, what each CPU has counted for itself is added up. */
	number_in("/proc/sys/vm/stat_refresh", NULL);
	memory->pages = meminfo("Slab") - in_pages + meminfo("VmallocUsed");
	memory->percpu = meminfo("Percpu");
	return true;
}

/* How many there are per buffer, as a whole number. */
static long long per_buffer(long long number)
{
	return (number + (number < 0 ? -BUFFERS / 2 : BUFFERS / 2)) / BUFFERS;
}

static long long used_before(const struct kernel_memory *before, const char *kind)
{
	unsigned int i;

	for (i = 0; i < before->kinds; i++)
		if (!strcmp(before->objects[i].kind, kind))
			return before->objects[i].used;
	return 0;
}

/* Bytes per buffer. */
static long long grown(const struct kernel_memory *before, const struct kernel_memory *after)
{
	long long page = sysconf(_SC_PAGESIZE);
	long long sum = per_buffer((after->pages - before->pages) / page) * page +
			per_buffer(after->percpu - before->percpu);
	const struct objects *kind;

	for (kind = after->objects; kind < after->objects + after->kinds; kind++)
		sum += per_buffer(kind->used - used_before(before, kind->kind)) * kind->size;
	return sum;
}

static unsigned int allocate_many(struct peer *peer, struct buffer *buffers)
{
	unsigned int nr;

	for (nr = 0; nr < BUFFERS; nr++)
		if (!buffer_make(peer, FRAME, &buffers[nr]))
			break;
	return nr;
}

/* A round before the first, which is not kept, makes what stays for all rounds. */
static void memory_round(struct peer *peer, bool keep)
{
	static struct kernel_memory before, after;
	struct buffer buffers[BUFFERS];
	unsigned int nr;
	bool known = kernel_memory(&before);

	nr = allocate_many(peer, buffers);
	known = known && kernel_memory(&after);
	while (nr)
		buffer_free(&buffers[--nr]);
	if (known && keep && !peer->failed && grown(&before, &after) > 0)
		record("memory_per_buffer", peer->name, FRAME, grown(&before, &after));
}

void row_memory(void)
{
	struct peer *peer;
	unsigned int round;

	peers_begin("memory_per_buffer", FRAME);
	if (access("/proc/slabinfo", R_OK)) {
		note("memory_per_buffer is left out: /proc/slabinfo cannot be read: %s",
		     strerror(errno));
		return;
	}
	if (!memory_is_there("memory_per_buffer", BUFFERS * FRAME))
		return;
	for (round = 0; round <= ROUNDS; round++)
		for (peer = peer_first(); peer; peer = peer_next(peer))
			memory_round(peer, round);
}

/* ---- when a program takes all of it ---- */

#define OOM_RUNS 3

struct glutton {
	pid_t pid;
	int ready; /* a byte comes out of it when all is taken */
	int go;	   /* closed: it may end */
};

static void say_ready(int fd)
{
	if (write(fd, "!", 1) != 1)
		_exit(1);
}

/*
 * Takes memory until the pool has none any more; if that is too much, this is the process to be
 * killed.
 */
__attribute__((noreturn)) static void take(size_t len, int ready, int go)
{
	size_t page = sysconf(_SC_PAGESIZE), offset;
	char *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char none;

	write_number("/proc/self/oom_score_adj", 1000);
	if (bytes == MAP_FAILED)
		_exit(1);
	madvise(bytes, len, MADV_NOHUGEPAGE);
	for (offset = 0; offset < len && (offset % MIB || pool_size()); offset += page)
		bytes[offset] = 1;
	if (offset < len)
		say_ready(ready);
	_exit(read(go, &none, 1) != 0); /* until our parent closes it */
}

static bool glutton_start(struct glutton *glutton, size_t len)
{
	int ready[2], go[2];

	if (pipe(ready) || pipe(go))
		return false;
	glutton->pid = fork();
	if (!glutton->pid) {
		close(ready[0]);
		close(go[1]);
		take(len, ready[1], go[0]);
	}
	close(ready[1]);
	close(go[0]);
	glutton->ready = ready[0];
	glutton->go = go[1];
	return glutton->pid > 0;
}

/* Until it has all, or is dead. */
static bool glutton_has_all(const struct glutton *glutton)
{
	char byte;

	return read(glutton->ready, &byte, 1) == 1;
}

static bool glutton_ends_well(const struct glutton *glutton)
{
	int status;

	close(glutton->go);
	close(glutton->ready);
	return waitpid(glutton->pid, &status, 0) == glutton->pid && !status;
}

static long long oom_kills(void)
{
	return number_in("/proc/vmstat", "oom_kill");
}

/* Nobody was killed before the pool was empty. */
static bool is_good(bool survived, long long kills, long long filled, long long left)
{
	note("oom: the program %s, %lld kills, pool %lld MiB before and %lld MiB after",
	     survived ? "has it" : "has died", kills, filled / (long long)MIB,
	     left / (long long)MIB);
	return survived && !kills && !left;
}

/* Filling may go on after it was asked for. */
static bool pool_fill(long long bytes)
{
	uint64_t end = now() + 30000 * MS;

	if (!write_number(pool_file("fill"), bytes)) {
		note("oom: %s cannot be written: %s", pool_file("fill"), strerror(errno));
		return false;
	}
	while (pool_size() < bytes / 10 * 9 && now() < end)
		pause_ms(100);
	if (pool_size() >= bytes / 10 * 9)
		return true;
	note("oom: the pool was to hold %lld bytes, and holds %lld", bytes, pool_size());
	return false;
}

static bool oom_run(long long quarter)
{
	long long kills = oom_kills(), filled, left;
	struct glutton glutton;
	bool survived;

	if (!pool_fill(quarter))
		return false;
	filled = pool_size();
	if (!glutton_start(&glutton, meminfo("MemTotal"))) {
		note("oom: no process can be started: %s", strerror(errno));
		return false;
	}
	survived = glutton_has_all(&glutton);
	left = pool_size();
	survived = glutton_ends_well(&glutton) && survived;
	record("oom", "dmaheap", quarter,
	       is_good(survived, oom_kills() - kills, filled, left));
	return true;
}

/* The pool is emptied before each run: what it has is then not available to begin with. */
static bool pool_restart(long long max)
{
	if (write_number(POOL_MAX, 0)) {
		pause_ms(500);
		if (write_number(POOL_MAX, max))
			return true;
	}
	note("oom: " POOL_MAX " cannot be written: %s", strerror(errno));
	return false;
}

void row_oom(void)
{
	long long old = number_in(POOL_MAX, NULL), page = sysconf(_SC_PAGESIZE);
	long long quarter = meminfo("MemTotal") / 4 / page * page;
	unsigned int run;

	if (old < 0 || access(pool_file("fill"), W_OK)) {
		note("oom is left out: there is no pool to be filled (%s)", pool_file("fill"));
		return;
	}
	for (run = 0; run < OOM_RUNS; run++)
		if (!pool_restart(quarter) || !oom_run(quarter))
			break;
	write_number(POOL_MAX, old);
}
