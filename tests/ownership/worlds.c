// SPDX-License-Identifier: GPL-2.0-only
/* What hardware may do; see worlds.h. */
#include "worlds.h"

unsigned int number_of(const struct world *world)
{
	unsigned int number = world->line, place;

	for (place = 0; place < NR_PLACES; place++)
		number = number * 4 + world->newest[place];
	return number * (NR_PLACES + 1) + world->writer;
}

struct world world_of(unsigned int number)
{
	struct world world;
	int place;

	world.writer = number % (NR_PLACES + 1);
	number /= NR_PLACES + 1;
	for (place = NR_PLACES - 1; place >= 0; place--) {
		world.newest[place] = number % 4;
		number /= 4;
	}
	world.line = number;
	return world;
}

uint8_t view(const struct world *world, enum place place)
{
	return world->newest[place == CPU && world->line == ABSENT ? MEMORY : place];
}

static void drop_line(struct world *world)
{
	world->line = ABSENT;
	world->newest[CPU] = 0;
}

static void clean_line(struct world *world)
{
	if (world->line != DIRTY)
		return;
	world->newest[MEMORY] = world->newest[CPU];
	world->line = CLEAN;
}

static void fetch_line(struct world *world)
{
	if (world->line != ABSENT)
		return;
	world->newest[CPU] = world->newest[MEMORY];
	world->line = CLEAN;
}

void write_bytes(struct world *world, enum place place, uint8_t bytes)
{
	unsigned int other;

	if (place == CPU) {
		fetch_line(world);
		world->line = DIRTY;
	}
	for (other = 0; other < NR_PLACES; other++)
		world->newest[other] &= ~bytes;
	world->newest[place] |= bytes;
	world->writer = place;
}

void worlds_remove(struct worlds *worlds, unsigned int number)
{
	worlds->bits[number / 64] &= ~(1ULL << number % 64);
}

bool worlds_add(struct worlds *worlds, const struct world *world)
{
	unsigned int number = number_of(world);
	uint64_t bit = 1ULL << number % 64;

	if (worlds->bits[number / 64] & bit)
		return false;
	worlds->bits[number / 64] |= bit;
	return true;
}

void worlds_wait(struct worlds *worlds, unsigned int writers)
{
	static unsigned int queue[NR_WORLDS];
	unsigned int first = 0, last = 0, number, place, byte;

	for_each_world(number, worlds)
		queue[last++] = number;
	while (first < last) {
		const struct world now = world_of(queue[first++]);
		struct world next[3 + 2 * NR_PLACES];
		unsigned int nr = 0, i;

		next[nr] = now;
		fetch_line(&next[nr++]);
		next[nr] = now;
		clean_line(&next[nr++]);
		if (now.line == CLEAN) {
			next[nr] = now;
			drop_line(&next[nr++]);
		}
		/* Only who owns the bytes writes. */
		for (place = 0; place < NR_PLACES; place++)
			for (byte = 1; byte < BOTH_BYTES; byte++)
				if (writers >> place & 1 && view(&now, place) == BOTH_BYTES) {
					next[nr] = now;
					write_bytes(&next[nr++], place, byte);
				}
		for (i = 0; i < nr; i++)
			if (worlds_add(worlds, &next[i]))
				queue[last++] = number_of(&next[i]);
	}
}

void do_step(struct world *world, const struct step *step)
{
	switch (step->operation) {
	case COPY_OUT: /* all of the line is written */
		world->line = DIRTY;
		world->newest[CPU] = world->newest[step->copy];
		break;
	case CLEAN_LINES: clean_line(world); break;
	case INVALIDATE: drop_line(world); break;
	case COPY_IN:
		fetch_line(world);
		world->newest[step->copy] = world->newest[CPU];
		break;
	}
}
