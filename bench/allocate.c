// SPDX-License-Identifier: GPL-2.0-only
/* Rows about allocating and freeing. */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- paced ---- */

#define PERIOD (16 * MS)
/*
 * A peer's frames come in blocks, and those of others between them: within a block it is as
 * if there were no other.  What they left behind is gone after the frames of settling in.
 */
#define BLOCK 20
#define FIRST_WARM_UP 10
#define WARM_UP 5

/* Frames by peer that took longer than their period. */
static unsigned int late[MAX_PEERS];

/* The buffer lives for half of the period. */
static void paced_frame(struct peer *peer, uint64_t size, uint64_t start, bool keep)
{
	struct buffer buffer;
	uint64_t time;

	sleep_until(start);
	time = now();
	if (!buffer_allocate(peer, size, &buffer))
		return;
	time = now() - time;
	buffer_settle(&buffer);
	sleep_until(start + PERIOD / 2);
	buffer_free(&buffer);
	if (keep)
		record("paced", peer->name, size, time);
}

static void paced_block(struct peer *peer, uint64_t size, unsigned int warm_up,
			unsigned int frames)
{
	uint64_t start = now() + PERIOD;
	unsigned int i;

	for (i = 0; i < warm_up + frames && !peer->failed; i++, start += PERIOD) {
		/* After one that took too long, periods start anew: none follows in haste. */
		if (now() > start) {
			start = now();
			late[peer_index(peer)]++;
		}
		paced_frame(peer, size, start, i >= warm_up);
	}
}

void row_paced(void)
{
	static const uint64_t sizes[] = { FRAME, 4 * KIB };
	unsigned int done, frames, i;
	struct peer *peer;

	peers_begin("paced", FRAME);
	memset(late, 0, sizeof(late));
	for (done = 0; done < samples_wanted; done += frames) {
		frames = samples_wanted - done < BLOCK ? samples_wanted - done : BLOCK;
		for (i = 0; i < 2; i++)
			for (peer = peer_first(); peer; peer = peer_next(peer))
				paced_block(peer, sizes[i], done ? WARM_UP : FIRST_WARM_UP,
					    frames);
	}
	for (peer = peer_first(); peer; peer = peer_next(peer))
		if (late[peer_index(peer)])
			note("paced: %u frames of %s took longer than their 16 ms",
			     late[peer_index(peer)], peer->name);
}

/* ---- by size ---- */

static void allocate_and_free(struct peer *peer, uint64_t size, bool keep)
{
	struct buffer buffer;
	uint64_t time = now(), free_time;

	if (!buffer_allocate(peer, size, &buffer))
		return;
	time = now() - time;
	buffer_settle(&buffer);
	pause_ms(1);
	free_time = now();
	buffer_free(&buffer);
	free_time = now() - free_time;
	pause_between();
	if (!keep)
		return;
	record("allocate", peer->name, size, time);
	record("free", peer->name, size, free_time);
}

/* The first of a size is not kept. */
static void allocate_size(uint64_t size, unsigned int samples)
{
	struct peer *peer;
	unsigned int i;

	peers_begin("allocate", size);
	for (i = 0; i <= samples; i++)
		for (peer = peer_first(); peer; peer = peer_next(peer))
			allocate_and_free(peer, size, i);
}

void row_allocate(void)
{
	static const uint64_t sizes[] = { 4 * KIB, 64 * KIB, MIB,      2 * MIB,
					  FRAME,   32 * MIB, 128 * MIB };
	unsigned int i, samples;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		/* What takes long varies less. */
		samples = sizes[i] > FRAME ? (samples_wanted + 3) / 4 : samples_wanted;
		allocate_size(sizes[i], samples);
	}
}

/* ---- back to back ---- */

#define RUNS 5
#define CYCLES 200
#define BUSY_CYCLES 100

static bool cycle(struct peer *peer, uint64_t size)
{
	struct buffer buffer;

	if (!buffer_make(peer, size, &buffer))
		return false;
	buffer_free(&buffer);
	return true;
}

/* Nanoseconds per buffer. */
static bool run_cycles(struct peer *peer, unsigned int cycles, uint64_t *mean)
{
	uint64_t start;
	unsigned int i;

	for (i = 0; i < 3; i++) /* settling in */
		if (!cycle(peer, FRAME))
			return false;
	start = now();
	for (i = 0; i < cycles; i++)
		if (!cycle(peer, FRAME))
			return false;
	*mean = (now() - start) / cycles;
	return true;
}

static void back_to_back(struct peer *peer)
{
	uint64_t mean;

	if (run_cycles(peer, at_most(CYCLES), &mean))
		record("back_to_back", peer->name, FRAME, mean);
}

void row_back_to_back(void)
{
	struct peer *peer;
	unsigned int run;

	peers_begin("back_to_back", FRAME);
	for (run = 0; run < RUNS; run++)
		for (peer = peer_first(); peer; peer = peer_next(peer)) {
			back_to_back(peer);
			pause_between();
		}
}

/* ---- the same, without any idle time ---- */

static pid_t spin(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		;
}

static unsigned int spinners_start(pid_t *pids, unsigned int max)
{
	unsigned int nr = sysconf(_SC_NPROCESSORS_ONLN), i;

	nr = nr < max ? nr : max;
	for (i = 0; i < nr; i++)
		pids[i] = spin();
	return nr;
}

static void spinners_stop(const pid_t *pids, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (pids[i] > 0) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
}

static void busy_back_to_back(struct peer *peer, const char *name)
{
	uint64_t mean;

	if (run_cycles(peer, at_most(BUSY_CYCLES), &mean))
		record("busy_back_to_back", name, FRAME, mean);
}

static void without_pool(struct peer *dmaheap, long long pool_max)
{
	if (!write_number(POOL_MAX, 0)) {
		note("busy_back_to_back: " POOL_MAX " cannot be set to 0: %s",
		     strerror(errno));
		return;
	}
	busy_back_to_back(dmaheap, "dmaheap-no-pool");
	if (!write_number(POOL_MAX, pool_max))
		note("busy_back_to_back: " POOL_MAX " cannot be set to %lld again: %s",
		     pool_max, strerror(errno));
}

static void busy_run(long long pool_max)
{
	struct peer *peer;

	for (peer = peer_first(); peer; peer = peer_next(peer)) {
		busy_back_to_back(peer, peer->name);
		if (!strcmp(peer->name, "dmaheap") && pool_max > 0)
			without_pool(peer, pool_max);
	}
}

void row_busy_back_to_back(void)
{
	long long pool_max = number_in(POOL_MAX, NULL);
	unsigned int nr, run;
	pid_t pids[256];

	if (pool_max <= 0)
		note("busy_back_to_back: dmaheap-no-pool is left out: there is no pool (" POOL_MAX
		     ")");
	peers_begin("busy_back_to_back", FRAME);
	nr = spinners_start(pids, sizeof(pids) / sizeof(pids[0]));
	for (run = 0; run < RUNS; run++)
		busy_run(pool_max);
	spinners_stop(pids, nr);
}

/* ---- threads ---- */

struct crew {
	struct peer *peer;
	atomic_bool stop;
	atomic_bool failed;
	atomic_uint buffers;
	int error;
};

static void *work(void *arg)
{
	struct crew *crew = arg;
	struct buffer buffer;
	unsigned int buffers = 0;

	while (!crew->stop && !crew->failed) {
		buffer.memfd = -1;
		if (crew->peer->allocate(crew->peer, MIB, &buffer)) {
			crew->error = errno;
			crew->failed = true;
			break;
		}
		buffer_settle(&buffer);
		buffer_free(&buffer);
		buffers++;
	}
	crew->buffers += buffers;
	return NULL;
}

static void threads_run(struct peer *peer, unsigned int threads)
{
	struct crew crew = { .peer = peer };
	pthread_t ids[2];
	uint64_t start = now();
	unsigned int i, nr;

	for (nr = 0; nr < threads; nr++)
		if (pthread_create(&ids[nr], NULL, work, &crew))
			break;
	sleep_until(start + 1000 * MS);
	crew.stop = true;
	for (i = 0; i < nr; i++)
		pthread_join(ids[i], NULL);
	errno = crew.error;
	if (crew.failed)
		peer_fail(peer, "allocating %llu bytes", MIB);
	else if (nr == threads)
		record(threads == 1 ? "threads_1" : "threads_2", peer->name, MIB,
		       crew.buffers * 1000000000ULL / (now() - start));
}

void row_threads(void)
{
	struct peer *peer;
	unsigned int run, threads;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		note("threads: there is one CPU: two threads cannot be faster than one");
	peers_begin("threads", MIB);
	for (run = 0; run < RUNS; run++)
		for (threads = 1; threads <= 2; threads++)
			for (peer = peer_first(); peer; peer = peer_next(peer))
				threads_run(peer, threads);
}
