/* SPDX-License-Identifier: GPL-2.0-only */
/* bench: what its parts know of each other. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define MS 1000000ULL /* nanoseconds */

#define FRAME 12441600ULL /* a frame of 3840 x 2160 pixels, NV12 */
#define LARGE (512 * MIB)

/* ---- main.c ---- */

/* -n: of a series, unless its row has its own number. */
extern unsigned int samples_wanted;

/* As many as a row has of its own, or what was asked for, if that is fewer. */
static inline unsigned int at_most(unsigned int samples)
{
	return samples_wanted < samples ? samples_wanted : samples;
}

/* What a row's values are: "ns", "count", ... */
const char *row_unit(const char *row);

/* What happens, to stderr: a line each, with "bench: " before it. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);

/* ---- samples.c ---- */

/* Keeps a value of a row, until the row is through: nothing is printed while it is measured. */
void record(const char *row, const char *peer, uint64_t size, uint64_t value);
/* Prints what was kept, as CSV; returns how many values that were. */
size_t samples_print(void);

static inline uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* By the clock of now(). */
void sleep_until(uint64_t time);
void pause_ms(unsigned int ms);

/* ---- peers.c: where buffers come from ---- */

struct buffer {
	int fd;
	int memfd; /* what is under a udmabuf; else -1 */
};

#define MAX_PEERS 16

struct peer {
	const char *name;
	char node[64];
	int fd;
	uint64_t longest; /* bytes of a buffer; 0: the peer has no limit of its own */
	bool failed;	  /* in the row that runs: it is left out of the rest */
	int (*allocate)(const struct peer *peer, uint64_t len, struct buffer *buffer);
};

/* Opens all there are; returns their number.  Says which are missing. */
unsigned int peers_open(void);
/* -H: a heap by name. */
void peers_add(const char *name);

/* for (peer = peer_first(); peer; peer = peer_next(peer)), without those that have failed. */
struct peer *peer_first(void);
struct peer *peer_next(struct peer *peer);
/* By name; NULL: there is none. */
struct peer *peer_find(const char *name);
/* All may try again, buffers of another size; but not those whose limit that is beyond. */
void peers_begin(const char *row, uint64_t size);

/* Says what the peer could not do, with errno, and leaves it out of the rest of the row. */
__attribute__((format(printf, 2, 3))) void peer_fail(struct peer *peer, const char *format,
						     ...);

/*
 * Allocates.  What is timed is peer->allocate() or buffer_allocate(); then buffer_settle()
 * puts away what a program does not need any more.  false: the peer has failed.
 */
bool buffer_allocate(struct peer *peer, uint64_t len, struct buffer *buffer);
void buffer_settle(struct buffer *buffer);
void buffer_free(struct buffer *buffer);
/* Both, where neither is timed. */
bool buffer_make(struct peer *peer, uint64_t len, struct buffer *buffer);

/* One buffer of each peer, for the row that has begun; freed by buffers_drop(). */
void buffers_make(struct buffer buffers[MAX_PEERS], uint64_t len);
void buffers_drop(struct buffer buffers[MAX_PEERS]);
/* The peer's place in such arrays. */
unsigned int peer_index(const struct peer *peer);

/* ---- files.c ---- */

/* A number in a file, that follows a key if there is one; -1: there is none. */
long long number_in(const char *path, const char *key);
bool write_number(const char *path, long long number);
/* A number of /proc/meminfo in bytes, 0: there is none. */
long long meminfo(const char *key);
/* Whether so much is available; else says that the row is left out.  Nobody is to be killed. */
bool memory_is_there(const char *row, uint64_t bytes);

/* Our pool of pages: what it may hold, in bytes. */
#define POOL_MAX "/sys/module/dmaheap_core/parameters/pool_max"
/* A file of the pool of the heap dmaheap; a buffer that the next call uses again. */
const char *pool_file(const char *name);
/* What it holds; -1: there is no pool. */
long long pool_size(void);
/*
 * A pause of some milliseconds, and longer if our pool needs that to clear its pages: so that
 * its work in the background does not fall into what is measured next, of whatever peer.
 */
void pause_between(void);

/* What machine this is, as "#KEY=VALUE" lines. */
void describe_machine(void);

/* ---- the test device ---- */

/* "non-coherent", "coherent" or "none": what the rows of devices are measured with. */
const char *device_kind(void);

/* ---- rows ---- */

void row_paced(void);
void row_allocate(void);
void row_back_to_back(void);
void row_busy_back_to_back(void);
void row_threads(void);
void row_map(void);
void row_touch(void);
void row_map_unmap(void);
void row_import(void);
void row_cpu_access(void);
void row_memory(void);
void row_oom(void);

#endif /* BENCH_H */
