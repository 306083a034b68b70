/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fuzzer of the ABI.  An input is a string of bytes, and every string is one: each call takes from
 * it what it needs, which call it is first of all, and the string's end is the end.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_MAX 512

/**
 * struct input - a string of bytes, and how far it has been read
 * @len:	bytes
 * @at:		where the next one is read
 * @bytes:	the string
 */
struct input {
	size_t len;
	size_t at;
	uint8_t bytes[INPUT_MAX];
};

/* The next bytes; 0 behind the end. */
uint64_t input_take(struct input *input, unsigned int bytes);
static inline bool input_ends(const struct input *input)
{
	return input->at >= input->len;
}

/*
 * calls.c: makes the calls that an input says, in this process, which is not to be used for anything
 * else afterwards.  Threads share all that calls work on, and nothing keeps one from another's.
 */
bool calls_prepare(void); /* false: there are no heaps just now */
void calls_make(struct input *input, unsigned long *made); /* adds to how many were made */
/* Lets go of all that they have left open, while somebody still looks at the code that runs. */
void calls_end(void);

/* disturb.c: if somebody is killed for want of memory, then this process, or another */
void be_killed_first(void);
void be_killed_never(void);
/* Without the rights that are above limits; and, in a group, where memory is limited for it. */
void be_limited(bool in_group);
/* Starts processes that do to the machine what hurts, until this one ends */
void disturb(void);
void leave_alone(void);
/* How often each of them has succeeded. */
void disturbances_print(void);

/* coverage.c: which of the kernel's code this process has been through */
bool coverage_open(void); /* false: the kernel does not tell */
void coverage_begin(void);
/* How much of it nobody had been through before. */
unsigned int coverage_end(void);
/* Of all so far. */
unsigned long coverage_total(void);
/* Of these, the ones in dmaheap_core, as offsets in its code, a line each. */
void coverage_print(void);

#endif /* FUZZ_H */
