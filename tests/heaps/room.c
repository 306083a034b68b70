// SPDX-License-Identifier: GPL-2.0-only
/* How much pools keep, and that they give it back when others need it. */
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"

/* ---- how much ---- */

static void limited(void)
{
	uint64_t before;
	int i, fds[8];

	begin(3 * LEN);
	for (i = 0; i < 8; i++)
		fds[i] = heap_buffer(LEN);
	for (i = 0; i < 8; i++)
		close(fds[i]);
	pool_settle();
	check_equal(pool_size(), 3 * LEN);
	/* Less from now on. */
	pool_set_max(LEN);
	/* Chunks are not divided. */
	check(pool_size() <= LEN && pool_size() > LEN - 2 * MIB);
	before = pool_number("hit_bytes");
	pool_set_max(0);
	check_equal(pool_size(), 0);
	for (i = 0; i < 4; i++)
		give_back(LEN);
	check_equal(pool_size(), 0);
	check_equal(pool_number("hit_bytes"), before);
}

/* Of a buffer that does not fit, as much as does. */
static void kept_in_part(void)
{
	begin(LEN / 2);
	give_back(LEN);
	pool_settle(); /* what becomes clean between two looks is missed by both */
	check(pool_size() <= LEN / 2 && pool_size() > LEN / 2 - 2 * MIB);
	begin(PAGE);
	give_back(LEN);
	check_equal(pool_size(), 0);
	give_back(5 * PAGE);
	pool_settle();
	check_equal(pool_size(), PAGE);
}

/* The pool is full of single pages, and nobody wants such any more. */
static void fill_with_pages(uint64_t max)
{
	static int fds[1024];
	const size_t len = 60 * KIB;
	unsigned int i, nr = max / len;

	for (i = 0; i < nr; i++)
		fds[i] = heap_buffer(len);
	for (i = 0; i < nr; i++)
		close(fds[i]);
	pool_settle();
	/* A large chunk may have made room for the last of them. */
	check(pool_size() > max - len - 2 * MIB);
}

/* After some buffers all come from the pool. */
static void check_makes_room(uint64_t max)
{
	uint64_t missed, before = pool_number("missed_bytes");
	int i, hits = 0;

	for (i = 0; i < 20 && hits < 5; i++) {
		give_back(LEN);
		missed = pool_number("missed_bytes");
		hits = missed == before ? hits + 1 : 0;
		before = missed;
	}
	check_equal(hits, 5);
	pool_settle();
	check(pool_size() >= LEN && pool_size() <= max);
}

static void room_made(void)
{
	run_on(0); /* so that it is one node's memory */
	begin(32 * MIB);
	fill_with_pages(32 * MIB);
	sleep(2);
	check_makes_room(32 * MIB);
}

/* What somebody uses does not. */
static void room_not_made(void)
{
	uint64_t before, missed = 0;
	int i;

	run_on(0);
	begin(8 * MIB);
	for (i = 0; i < 20; i++) {
		fill_with_pages(8 * MIB);
		before = pool_number("missed_bytes");
		give_back(2 * MIB);
		missed += pool_number("missed_bytes") - before;
	}
	/* Now and then pages have lain for long on a busy machine. */
	check(missed >= 15 * 2 * MIB);
}

static void room_made_by_others(void)
{
	const char *mine = heap_kind()->name,
		   *other = strcmp(mine, "system") ? "system" : "system-uncached";

	needs_pool();
	run_on(0);
	pools_drain();
	pool_set_max(32 * MIB);
	heap_use(other);
	must(pool_try("fill", "32M"));
	sleep(2);
	heap_use(mine);
	check_makes_room(32 * MIB);
	heap_use(other);
	check(pool_size() <= 32 * MIB - LEN);
	heap_use(mine);
}

static void filled(void)
{
	char text[32];
	uint64_t missed;

	run_on(0); /* pages are filled in for the node that it runs on */
	begin(64 * MIB);
	snprintf(text, sizeof(text), "%llu\n", LEN - 5);
	must(pool_try("fill", text));
	must(pool_try("fill", text));
	check_equal(pool_number("clean_bytes"), 2 * LEN);
	missed = pool_number("missed_bytes");
	give_back(LEN);
	check_equal(pool_number("missed_bytes"), missed);
	must(pool_try("fill", "1M"));
	pool_settle();
	must(pool_try("drain", "1"));
	check(pool_size() < 2 * LEN + MIB);
	must(pool_try("drain", "1G"));
	check_equal(pool_size(), 0);

	check_errno(pool_try("fill", "65M"), ENOSPC);
	check_equal(pool_size(), 0);
	pool_set_max(1ULL << 40);
	check_errno(pool_try("fill", "512G"), ENOMEM);
	check_equal(pool_size(), 0);
	check_errno(pool_try("fill", "0"), EINVAL);
	check_errno(pool_try("fill", "-1"), EINVAL);
	check_errno(pool_try("fill", "4096 "), EINVAL);
	check_errno(pool_try("fill", "x"), EINVAL);
	check_errno(pool_try("fill", "18446744073709551615"), EINVAL);
	check_errno(pool_try("fill", "18446744073709551616"), EINVAL);
	check_errno(pool_try("fill", "17179869185G"), EINVAL);
	check_errno(pool_try("drain", "much"), EINVAL);
}

/* Not even what the thread has in its hands. */
static void limited_at_once(void)
{
	int i;

	for (i = 0; i < 300; i++) {
		begin(256 * MIB);
		give_back(8 * MIB);
		usleep(500 + i * 20);
		pool_set_max(0);
		check_equal(pool_size(), 0);
	}
}

/* What is being filled in finds less room than there was. */
static void limited_meanwhile(void)
{
	int status, round;

	for (round = 0; round < 5; round++) {
		begin(1ULL << 40);
		if (!must(fork()))
			_exit(pool_try("fill", "256M") && errno != ENOSPC);
		usleep(10000 * round);
		pool_set_max(0);
		must(wait(&status));
		check_equal(status, 0);
		check_equal(pool_size(), 0);
	}
}

/* A heap that goes gives everything back. */
static void unloaded(void)
{
	const char *module = heap_kind()->modules[0];
	long long before;
	int i;

	needs_pool();
	before = available();
	pool_set_max(1ULL << 40);
	must(pool_try("fill", "256M"));
	for (i = 0; i < 8; i++)
		give_back(LEN);		 /* some of it dirty */
	check(pool_size() >= 250 * MIB); /* but for what moves just now */
	must(module_unload(module));
	check(before - available() < 16 * (long long)MIB);
	must(module_load(module));
	check_equal(pool_size(), 0);
}

/* ---- memory that others need ---- */

static bool stop;

/* Whoever gets a chunk that somebody else has, too, sees it. */
static void *allocate_on(void *heap)
{
	const size_t len = MIB + 72 * KIB;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		int fd = heap_try(*(int *)heap, len);
		char *bytes;

		if (fd < 0)
			continue;
		bytes = buffer_map(fd, len);
		check(is_zero(bytes, len));
		memset(bytes, (int)(intptr_t)&fd >> 12 | 1, len);
		check(bytes[0] == bytes[len - 1] && !memcmp(bytes, bytes + 1, len - 1));
		munmap(bytes, len);
		close(fd);
	}
	return NULL;
}

/* Reclaim takes pages away while threads allocate and give back. */
static void shrunk_under_load(void)
{
	pthread_t threads[3];
	int heap, i;

	begin(256 * MIB);
	heap = heap_open();
	for (i = 0; i < 3; i++)
		check_equal(pthread_create(&threads[i], NULL, allocate_on, &heap), 0);
	for (i = 0; i < 30; i++) {
		pool_try("fill", "16M");
		file_write("/proc/sys/vm/drop_caches", "2");
		usleep(20000);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	pool_settle();
	file_write("/proc/sys/vm/drop_caches", "2");
	check(pool_size() < 4 * MIB);
}

static void fill_pool(uint64_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	must(pool_try("fill", text));
	check(pool_size() >= bytes);
}

/* What the pool has is available already: it does not make more of it. */
static void not_counted_twice(void)
{
	uint64_t pool = meminfo("MemTotal") / 8, more, looked;
	unsigned long nodes = 3;
	int heap = heap_open();
	void *rest;

	begin(1ULL << 40);
	fill_pool(pool);
	pool = pool_size();
	/*
	 * So that it is not more than half of memory, which is refused anyhow.  In turns: a node that
	 * runs short takes some of the pool.
	 */
	syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, &nodes, 8 * sizeof(nodes));
	rest = mmap(NULL, meminfo("MemTotal") / 2, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	check(rest != MAP_FAILED);
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
	looked = pool_number("hit_bytes") + pool_number("missed_bytes");
	/* That there cannot be, and what is available seems to allow if the pool is added. */
	more = meminfo("MemFree") + pool + 8 * MIB;
	check(more < (uint64_t)meminfo("MemTotal") / 2);
	check_errno(heap_try(heap, more), ENOMEM);
	check_equal(pool_number("hit_bytes") + pool_number("missed_bytes"), looked);
	check_equal(pool_size(), pool);
}

/* ---- which memory there is ---- */

/* It is refused, and nothing was taken for it before that. */
static void refused_at_once(uint64_t len)
{
	uint64_t before = pool_number("missed_bytes");

	tap_say("asked for %" PRIu64 " MiB", (uint64_t)(len / MIB));
	check(len < (uint64_t)meminfo("MemTotal") / 2); /* more is refused anyhow */
	check_errno(heap_try(heap_open(), len), ENOMEM);
	check_equal(pool_number("missed_bytes"), before);
}

/* A sum over numbers of pages that follow a word in the parts of the zones of a name, in bytes. */
static uint64_t zones_sum(const char *zone, const char *word)
{
	FILE *file = must(fopen("/proc/zoneinfo", "r"));
	char line[256], name[32] = "";
	unsigned long pages, sum = 0;
	size_t len = strlen(word);
	char *at;

	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "Node %*d, zone %31s", name);
		at = line + strspn(line, " ");
		if (!strcmp(name, zone) && !strncmp(at, word, len) &&
		    sscanf(at + len, "%lu\n", &pages) == 1)
			sum += pages;
	}
	fclose(file);
	return sum * PAGE;
}

/* Buffers cannot be moved out of what is to be unplugged. */
static void not_of_movable(void)
{
	uint64_t movable = zones_sum("Movable", "pages free "), rest;

	if (movable < 128 * MIB)
		tap_skip("there is no ZONE_MOVABLE");
	begin(0);
	rest = available() - movable;
	heap_buffer(rest / 2);
	rest = available() - movable;
	refused_at_once(rest); /* some of it is for others */
	close(heap_buffer(rest / 2));
}

static uint64_t free_of_node(int node)
{
	char format[64];

	snprintf(format, sizeof(format), "Node %d MemFree: %%lld", node);
	return sum_of(node ? "/sys/devices/system/node/node1/meminfo" :
			     "/sys/devices/system/node/node0/meminfo",
		      format) *
	       KIB;
}

static void bind_to_other_node(void)
{
	unsigned long nodes = 1UL << 1;

	if (access("/sys/devices/system/node/node1", F_OK))
		tap_skip("there is one node");
	run_on(1);
	must(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 8 * sizeof(nodes)));
}

/* Whoever may have pages of one node only is not given what another one has. */
static void not_of_other_nodes(void)
{
	uint64_t rest;

	begin(0);
	bind_to_other_node();
	heap_buffer(free_of_node(1) / 3);
	rest = free_of_node(1);
	check(rest + 64 * MIB < free_of_node(0) + rest - 256 * MIB);
	refused_at_once(rest + 64 * MIB);
	close(heap_buffer(rest / 4));
}

/* The kernel has others give what could not be had of such a node, and so do we. */
static void not_bound_to_movable(void)
{
	const char *normal = "/sys/devices/system/node/has_normal_memory";
	unsigned long nodes = 1UL << 2;

	if (access("/sys/devices/system/node/node2", F_OK))
		tap_skip("there is no third node");
	check_equal(sum_of(normal, "0-%lld"), 1);
	begin(0);
	must(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 8 * sizeof(nodes)));
	close(heap_buffer(64 * MIB));
}

/* A pool that has nothing of that node does not help. */
static void not_of_their_pools(void)
{
	begin(256 * MIB);
	run_on(0);
	fill_pool(200 * MIB);
	bind_to_other_node();
	while (heap_try(heap_open(), 32 * MIB) >= 0)
		;
	refused_at_once(32 * MIB);
	check(pool_size() >= 200 * MIB);
}

static uint64_t oom_kills(void)
{
	return sum_of("/proc/vmstat", "oom_kill %lld");
}

/* Takes memory until the pool has none; the child is the one to be killed, if anybody. */
static int take_memory(void)
{
	const size_t len = meminfo("MemTotal");
	int status;

	if (!must(fork())) {
		char *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		size_t at;

		file_write("/proc/self/oom_score_adj", "1000");
		if (bytes == MAP_FAILED)
			_exit(1);
		for (at = 0; at < len && (at % MIB || pool_size()); at += PAGE)
			bytes[at] = 1;
		_exit(at == len);
	}
	must(wait(&status));
	return status;
}

static void nobody_is_killed(void)
{
	const uint64_t quarter = (uint64_t)meminfo("MemTotal") / 4;
	int round;

	needs_pool();
	for (round = 0; round < 3; round++) {
		uint64_t before = oom_kills();

		pool_set_max(2 * quarter);
		fill_pool(quarter);
		check_equal(take_memory(), 0);
		check_equal(oom_kills() - before, 0);
		check_equal(pool_size(), 0);
	}
}

static const struct test tests[] = {
	TEST(limited, "never more than pool_max, which can change"),
	TEST(limited_at_once, "and at once"),
	TEST(limited_meanwhile, "nor when that is lowered while it is being filled"),
	TEST(kept_in_part, "of what does not fit, as much as does"),
	TEST(room_made, "what has lain for long makes room"),
	TEST(room_not_made, "what is in use does not"),
	TEST(room_made_by_others, "another heap's makes room, too"),
	TEST(filled, "filled and drained by hand; what makes no sense is refused"),
	TEST(unloaded, "unloaded with a full pool"),
	TEST(shrunk_under_load, "shrunk while threads allocate"),
	TEST(not_counted_twice, "what it has is not counted as more memory"),
	TEST(not_of_movable, "nor is what must be movable"),
	TEST(not_of_other_nodes, "nor what is of a node that one may not use"),
	TEST(not_bound_to_movable, "but nobody is bound to what must be movable"),
	TEST(not_of_their_pools, "nor does it help what pools have of another node"),
	TEST(nobody_is_killed,
	     "3 programs take all memory: the pool empties, nobody is killed"),
};
TAP_MAIN(tests)
