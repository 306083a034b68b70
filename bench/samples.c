// SPDX-License-Identifier: GPL-2.0-only
/* The samples, and the clock they are taken by. */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sample {
	const char *row, *peer;
	uint64_t size, value;
	unsigned int index; /* within its series */
};

static struct sample *samples;
static size_t nr, room;

static void grow(void)
{
	room = room ? 2 * room : 16384;
	samples = realloc(samples, room * sizeof(*samples));
	if (samples)
		return;
	note("no memory for %zu samples", room);
	exit(1);
}

static bool same_series(const struct sample *a, const struct sample *b)
{
	return a->size == b->size && !strcmp(a->row, b->row) && !strcmp(a->peer, b->peer);
}

void record(const char *row, const char *peer, uint64_t size, uint64_t value)
{
	if (nr == room)
		grow();
	samples[nr++] = (struct sample){ row, peer, size, value, 0 };
}

/* Samples of all series lie in the order in which they were taken. */
static void number_samples(void)
{
	struct series {
		struct sample *of;
		unsigned int nr;
	} series[256];
	size_t i, j, known = 0;

	for (i = 0; i < nr; i++) {
		for (j = 0; j < known && !same_series(series[j].of, &samples[i]); j++)
			;
		if (j == known && known < sizeof(series) / sizeof(series[0]))
			series[known++] = (struct series){ &samples[i], 0 };
		samples[i].index = series[j].nr++;
	}
}

size_t samples_print(void)
{
	size_t printed = nr, i;

	number_samples();
	for (i = 0; i < nr; i++)
		printf("%s,%s,%s,%" PRIu64 ",%u,%" PRIu64 "\n", samples[i].row,
		       row_unit(samples[i].row), samples[i].peer, samples[i].size,
		       samples[i].index, samples[i].value);
	fflush(stdout);
	nr = 0;
	return printed;
}

void sleep_until(uint64_t time)
{
	struct timespec at = { .tv_sec = time / 1000000000, .tv_nsec = time % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

void pause_ms(unsigned int ms)
{
	sleep_until(now() + ms * MS);
}
