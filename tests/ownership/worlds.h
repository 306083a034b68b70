/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model that kernel/core/ownership.c is explored against: one line of a cache with two
 * bytes in it, the memory behind it, and two bounce copies; of each byte it is known whether
 * it is the newest.  Such a state is a world.
 */
#ifndef WORLDS_H
#define WORLDS_H

#include <stdbool.h>
#include <stdint.h>

enum place { CPU, MEMORY, COPY, OTHER_COPY, NR_PLACES };
enum line { ABSENT, CLEAN, DIRTY };

/* Two bits of @newest are the bytes of a place; those of an absent line are 0. */
struct world {
	enum line line;
	uint8_t newest[NR_PLACES];
	/* Who has written and not ended the access yet; NR_PLACES: nobody. */
	enum place writer;
};

#define BOTH_BYTES 3
#define NR_WORLDS (3 * 4 * 4 * 4 * 4 * (NR_PLACES + 1))

/* What an access at a place would read. */
uint8_t view(const struct world *world, enum place place);

/* Somebody writes; a device behind the caches, memory. */
void write_bytes(struct world *world, enum place place, uint8_t bytes);

/* ---- work ---- */

enum operation { COPY_OUT, CLEAN_LINES, INVALIDATE, COPY_IN };

struct step {
	enum operation operation;
	enum place copy;
};

void do_step(struct world *world, const struct step *step);

/* ---- sets of worlds, by their numbers ---- */

struct worlds {
	uint64_t bits[(NR_WORLDS + 63) / 64];
};

unsigned int number_of(const struct world *world);
struct world world_of(unsigned int number);

bool worlds_add(struct worlds *worlds, const struct world *world);
void worlds_remove(struct worlds *worlds, unsigned int number);

#define for_each_world(number, worlds) \
	for (number = 0; number < NR_WORLDS; number++) \
		if (!(worlds)->bits[number / 64]) \
			number |= 63; \
		else if ((worlds)->bits[number / 64] >> number % 64 & 1)

/* All that may come of these worlds while the places in @writers, a mask, may write. */
void worlds_wait(struct worlds *worlds, unsigned int writers);

#endif /* WORLDS_H */
