// SPDX-License-Identifier: GPL-2.0-only
/*
 * All sequences of accesses, as far as they go, against a model of what hardware may do.
 *
 * The model (worlds.h) knows nothing of the facts that kernel/core/ownership.c keeps.  What
 * may happen between two events (the cache fetches the line, drops it, writes it back; somebody whose access is
 * open writes one of the bytes) makes a set of worlds of it, and each event must be right in
 * all of them: who begins sees the newest bytes, who has an access open sees those of a write
 * that ends, no byte is lost.  And each piece of work must be needed: left out by itself, it
 * makes at least one world go wrong.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kernel/core/ownership.h"
#include "worlds.h"

static const char *const operation_names[] = { "copy out", "clean", "invalidate", "copy in" };

/* ---- a buffer: what is explored ---- */

struct buffer {
	struct dmaheap_ownership ownership;
	struct dmaheap_place copies[2];
	struct worlds worlds;
	/* The model's own books, for the policy which of several writers is believed. */
	unsigned int open[NR_PLACES][DMAHEAP_NR_ACCESS_KINDS];
	unsigned int began[NR_PLACES][DMAHEAP_NR_ACCESS_KINDS];
	/* Writers who have lost that right by another's begin, as a mask of places. */
	unsigned int barred;
	/* Parts that are accessed: 0 without the line, 1 with it. */
	unsigned int parts[2][DMAHEAP_NR_ACCESS_KINDS];
	bool had_part;	/* with the line, ever */
	bool uncleaned; /* something was copied out, and not cleaned since */
	bool unsure;	/* something was written that nobody has said where, or that */
	unsigned int events;
};

enum event_type { BEGIN, END, BEGIN_PART, END_PART, REATTACH, WRITE, FORGET };

struct event {
	enum event_type type;
	enum place place;
	enum place begun; /* of an end */
	bool here;	  /* of a part: the line is in it */
	enum dmaheap_access_kind kind;
};

/* How the exploration goes. */
static struct {
	bool cpu_in_memory; /* write-combined */
	unsigned int copies;
} mode = { false, 1 };

static unsigned long nr_events, nr_steps;

/* Where the CPU's accesses are. */
static enum place cpu_place(void)
{
	return mode.cpu_in_memory ? MEMORY : CPU;
}

static struct dmaheap_place *place_of(struct buffer *buffer, enum place place)
{
	switch (place) {
	case CPU: return &buffer->ownership.cpu;
	case MEMORY: return &buffer->ownership.memory;
	default: return &buffer->copies[place - COPY];
	}
}

static struct dmaheap_place *moved(struct dmaheap_place *place, const struct buffer *from,
				   struct buffer *to)
{
	return place ? (void *)((char *)to + ((char *)place - (const char *)from)) : NULL;
}

static void buffer_copy(struct buffer *to, const struct buffer *from)
{
	unsigned int i;

	*to = *from;
	to->ownership.copies = moved(from->ownership.copies, from, to);
	to->ownership.newest = moved(from->ownership.newest, from, to);
	for (i = 0; i < 2; i++)
		to->copies[i].next = moved(from->copies[i].next, from, to);
}

static void buffer_init(struct buffer *buffer)
{
	struct world world = { .line = DIRTY, .newest[CPU] = BOTH_BYTES, .writer = NR_PLACES };
	unsigned int i;

	memset(buffer, 0, sizeof(*buffer));
	dmaheap_ownership_init(&buffer->ownership);
	for (i = 0; i < mode.copies; i++)
		dmaheap_ownership_add_copy(&buffer->ownership, &buffer->copies[i]);
	worlds_add(&buffer->worlds, &world);
}

static bool may_write(const struct buffer *buffer, enum place place)
{
	unsigned int kind;

	for (kind = DMAHEAP_MAPPED_BOTH; kind < DMAHEAP_NR_ACCESS_KINDS; kind++)
		if (buffer->open[place][kind])
			return true;
	return false;
}

static bool is_home(enum place place)
{
	return place == CPU || place == MEMORY;
}

static bool is_same_side(enum place a, enum place b)
{
	return a == b || (is_home(a) && is_home(b));
}

/* All that may be writing, as a mask. */
static unsigned int writers_of(const struct buffer *buffer)
{
	unsigned int place, kind, mask = 0;

	for (place = 0; place < NR_PLACES; place++)
		for (kind = DMAHEAP_MAPPED_BOTH; kind < DMAHEAP_NR_ACCESS_KINDS; kind++) {
			unsigned int open = buffer->open[place][kind];

			if (place == cpu_place())
				open -= buffer->parts[0][kind];
			mask |= !!open << place;
		}
	return mask & ~buffer->barred;
}

/*
 * The place that is believed to have written last when somebody begins; NR_PLACES if nobody
 * may.  Of two that have nothing but a copy between them only one can be: a job comes before a
 * mapping, one only for writing before one for both ways, and then the later one.
 */
static enum place believed(const struct buffer *buffer)
{
	unsigned int place, kind, best = NR_PLACES, best_kind = 0;

	for (place = 0; place < NR_PLACES; place++)
		for (kind = DMAHEAP_MAPPED_BOTH; kind < DMAHEAP_NR_ACCESS_KINDS; kind++)
			if (buffer->open[place][kind] &&
			    (kind > best_kind ||
			     (kind == best_kind &&
			      buffer->began[place][kind] > buffer->began[best][kind]))) {
				best_kind = kind;
				best = place;
			}
	return best;
}

static bool is_open(const struct buffer *buffer, enum place place)
{
	unsigned int kind;

	for (kind = 0; kind < DMAHEAP_NR_ACCESS_KINDS; kind++)
		if (buffer->open[place][kind])
			return true;
	return false;
}

/* ---- what must be so ---- */

/*
 * Whose write is believed by an event; NR_PLACES if it is nobody's.  Behind a copy, nobody can
 * keep both sides' bytes: others have no right to have written, nor to write on.
 */
static enum place believed_by(const struct buffer *buffer, const struct event *event)
{
	switch (event->type) {
	case BEGIN:
	case BEGIN_PART: return believed(buffer);
	case END_PART:
		if (!event->here)
			return NR_PLACES;
		/* fall through */
	case END: return dmaheap_kind_writes(event->kind) ? event->place : NR_PLACES;
	case REATTACH: return may_write(buffer, event->place) ? event->place : NR_PLACES;
	case WRITE: return event->place;
	case FORGET: break;
	}
	return NR_PLACES;
}

/* Leaves the worlds, and the writers, that keep to the rules. */
static void keep_rules(struct buffer *buffer, const struct event *event)
{
	enum place writer = believed_by(buffer, event);
	unsigned int number, place;

	for_each_world(number, &buffer->worlds) {
		struct world world = world_of(number);

		if (world.writer == NR_PLACES)
			continue;
		/* Who is forgotten has not written. */
		if (event->type == FORGET ?
			    world.writer == event->place :
			    writer != NR_PLACES && !is_same_side(world.writer, writer))
			worlds_remove(&buffer->worlds, number);
	}
	if (writer == NR_PLACES)
		return;
	for (place = 0; place < NR_PLACES; place++)
		if (may_write(buffer, place) && !is_same_side(place, writer))
			buffer->barred |= 1U << place;
	/* Who begins, and all after an end, have the newest bytes. */
	if (event->type == BEGIN)
		buffer->barred &= ~(1U << event->place);
	else if (event->type == END || event->type == REATTACH || event->type == WRITE)
		buffer->barred = 0;
}

/* Is a world right after an event? */
static bool is_right(const struct buffer *buffer, const struct world *before,
		     const struct world *after, const struct event *event)
{
	bool wrote = event->type == WRITE ||
		     (event->type == END && dmaheap_kind_writes(event->kind));
	uint8_t anywhere = 0;
	unsigned int place;

	for (place = 0; place < COPY + mode.copies; place++)
		anywhere |= view(after, place);
	if (anywhere != BOTH_BYTES)
		return false;
	if (event->type == BEGIN || (event->type == BEGIN_PART && event->here))
		return view(after, event->place) == BOTH_BYTES;
	/* Of a write that is not the one that ends, nobody was told yet. */
	if ((wrote ||
	     (event->type == END_PART && dmaheap_kind_writes(event->kind) && event->here)) &&
	    (before->writer == NR_PLACES || before->writer == event->place ||
	     before->writer == event->begun))
		for (place = 0; place < NR_PLACES; place++)
			if (is_open(buffer, place) && view(after, place) != BOTH_BYTES)
				return false;
	return true;
}

static struct world after_steps(const struct world *before, const struct step *steps,
				unsigned int nr, unsigned int without)
{
	struct world world = *before;
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (i != without)
			do_step(&world, &steps[i]);
	return world;
}

static void say_world(const struct world *was, const struct world *is)
{
	static const char *const lines[] = { "absent", "clean", "dirty" };
	const struct world *worlds[] = { was, is };
	unsigned int i;

	for (i = 0; i < 2; i++)
		printf("# %s: line %s, newest bytes in cache %x, memory %x, copies %x %x\n",
		       i ? "after" : "before", lines[worlds[i]->line], worlds[i]->newest[CPU],
		       worlds[i]->newest[MEMORY], worlds[i]->newest[COPY],
		       worlds[i]->newest[OTHER_COPY]);
}

static bool all_right(const struct buffer *buffer, const struct worlds *before,
		      const struct event *event, const struct step *steps, unsigned int nr,
		      unsigned int without)
{
	unsigned int number;

	for_each_world(number, before) {
		struct world was = world_of(number);
		struct world is = after_steps(&was, steps, nr, without);

		if (!is_right(buffer, &was, &is, event)) {
			if (without == nr)
				say_world(&was, &is);
			return false;
		}
	}
	return true;
}

/* ---- an event ---- */

static unsigned int steps_of(struct buffer *buffer, const struct dmaheap_work *work,
			     struct step *steps)
{
	unsigned int nr = 0, i;

	if (work->copy_out)
		steps[nr++] =
			(struct step){ COPY_OUT, COPY + (work->copy_out - buffer->copies) };
	if (work->clean)
		steps[nr++] = (struct step){ CLEAN_LINES, 0 };
	if (work->invalidate)
		steps[nr++] = (struct step){ INVALIDATE, 0 };
	for (i = 0; i < mode.copies; i++)
		if (work->copy_in && buffer->copies[i].copy_in)
			steps[nr++] = (struct step){ COPY_IN, COPY + i };
	return nr;
}

/* What the code under test says of an event. */
struct answer {
	struct dmaheap_work work;
	bool whole; /* the work is for all of the buffer */
};

/* Asks the code under test for the work, and notes the event in the model's books. */
static struct answer happen(struct buffer *buffer, const struct event *event)
{
	struct dmaheap_ownership *ownership = &buffer->ownership;
	struct dmaheap_place *place = place_of(buffer, event->place);
	struct answer answer = { .whole = true };

	switch (event->type) {
	case BEGIN:
		dmaheap_ownership_begin(ownership, place, event->kind, &answer.work);
		break;
	case BEGIN_PART:
		answer.whole = dmaheap_ownership_begin_part(ownership, place, event->kind,
							    &answer.work);
		break;
	case END:
		dmaheap_ownership_end(ownership, place_of(buffer, event->begun), place,
				      event->kind, &answer.work);
		break;
	case END_PART:
		dmaheap_ownership_end_part(ownership, place, event->kind, &answer.work);
		answer.whole = false;
		break;
	case WRITE: dmaheap_ownership_write(ownership, place, &answer.work); return answer;
	case FORGET:
		dmaheap_ownership_forget(place, event->kind);
		buffer->open[event->place][event->kind]--;
		return answer;
	case REATTACH:
		dmaheap_ownership_remove_copy(ownership, place, &answer.work);
		memset(buffer->open[event->place], 0, sizeof(buffer->open[event->place]));
		return answer;
	}
	if (event->type == BEGIN || event->type == BEGIN_PART) {
		buffer->open[event->place][event->kind]++;
		buffer->parts[event->here][event->kind] += event->type == BEGIN_PART;
		buffer->began[event->place][event->kind] = buffer->events;
	} else {
		buffer->open[event->begun][event->kind]--;
		buffer->parts[event->here][event->kind] -= event->type == END_PART;
	}
	return answer;
}

static void say(const struct event *event)
{
	static const char *const types[] = { "begin",	 "end",	     "begin part",
					     "end part", "reattach", "write without begin",
					     "forget" };
	static const char *const places[] = { "CPU domain", "memory domain", "copy",
					      "other copy" };
	static const char *const kinds[] = { "mapped to read", "job that reads", "mapped both",
					     "mapped to write", "job that writes" };

	printf("#   %s, %s, %s", types[event->type], places[event->place], kinds[event->kind]);
	if (event->type == BEGIN_PART || event->type == END_PART)
		printf(event->here ? ", with the line" : ", without the line");
	if (event->type == END && event->begun != event->place)
		printf(", begun in the %s", places[event->begun]);
	printf("\n");
}

/*
 * Must all work be needed?  Not for a line alone that was part of what was synced by itself:
 * it has already what others still lack, and it is not remembered which part it was.
 */
static bool needs_all(const struct buffer *buffer, const struct event *event)
{
	unsigned int kind, open = 0;

	if (event->type == REATTACH || event->type == END_PART || event->type == FORGET)
		return false;
	/* Which device of a chain has written is not known, nor what nobody has begun. */
	if (buffer->unsure)
		return false;
	for (kind = 0; kind < DMAHEAP_NR_ACCESS_KINDS; kind++)
		open += buffer->parts[0][kind] + buffer->parts[1][kind];
	if (buffer->had_part || open)
		return false;
	return event->type != BEGIN_PART || event->here;
}

/* Somebody has written both bytes without asking: there is nothing older to be kept. */
static void all_written(struct worlds *worlds, enum place place)
{
	struct worlds after = {};
	unsigned int number;

	for_each_world(number, worlds) {
		struct world world = world_of(number);

		write_bytes(&world, place, BOTH_BYTES);
		world.writer = NR_PLACES;
		worlds_add(&after, &world);
	}
	*worlds = after;
}

/* A world after an event: whose write was told, and what went with a copy. */
static struct world after_event(const struct world *was, const struct event *event,
				const struct step *steps, unsigned int nr)
{
	struct world is = after_steps(was, steps, nr, nr);
	bool wrote = (event->type == END || (event->type == END_PART && event->here)) &&
		     dmaheap_kind_writes(event->kind);

	if (wrote && (is.writer == event->place || is.writer == event->begun))
		is.writer = NR_PLACES;
	if (event->type == REATTACH) {
		is.newest[event->place] = 0;
		if (is.writer == event->place)
			is.writer = NR_PLACES;
	}
	return is;
}

/* Lets an event be over in all worlds; says if bytes have gone with it. */
static bool be_over(struct buffer *buffer, const struct worlds *before,
		    const struct event *event, const struct step *steps, unsigned int nr)
{
	struct worlds after = {};
	unsigned int number;
	bool lost = false;

	for_each_world(number, before) {
		struct world was = world_of(number);
		struct world is = after_event(&was, event, steps, nr);

		lost |= (view(&is, CPU) | view(&is, MEMORY) | is.newest[COPY] |
			 is.newest[OTHER_COPY]) != BOTH_BYTES;
		worlds_add(&after, &is);
	}
	buffer->worlds = after;
	if (event->type == REATTACH)
		dmaheap_ownership_add_copy(&buffer->ownership, place_of(buffer, event->place));
	if (lost)
		printf("# bytes are nowhere any more:\n");
	return !lost;
}

/* Applies an event; says what is wrong with the code under test and returns false. */
static bool try_event(struct buffer *buffer, const struct event *event)
{
	struct answer answer;
	struct worlds before;
	struct step steps[8];
	unsigned int nr, i;
	bool must, part = event->type == BEGIN_PART || event->type == END_PART;

	buffer->events++;
	buffer->unsure |= event->type == WRITE || event->type == FORGET ||
			  (event->type == END && event->begun != event->place);
	nr_events++;
	worlds_wait(&buffer->worlds, writers_of(buffer));
	/* For writers who should not be, more may be done than they deserve. */
	must = needs_all(buffer, event) && !buffer->barred;
	keep_rules(buffer, event);
	before = buffer->worlds;
	if (event->type == WRITE)
		all_written(&before, event->place);
	answer = happen(buffer, event);
	nr = steps_of(buffer, &answer.work, steps);
	if (part && !answer.whole && !event->here)
		nr = 0;
	nr_steps += nr;
	if (event->type != REATTACH && !all_right(buffer, &before, event, steps, nr, nr)) {
		printf("# old bytes are read, or bytes are lost, after %u steps of work:\n",
		       nr);
		return false;
	}
	for (i = 0; i < nr && must; i++)
		if (all_right(buffer, &before, event, steps, nr, i)) {
			printf("# to %s is needless:\n", operation_names[steps[i].operation]);
			return false;
		}
	buffer->had_part |= part && event->here;
	return be_over(buffer, &before, event, steps, nr);
}

/* Is it one access alone by which a place may be written? */
static bool is_only_writer(const struct buffer *buffer, enum place place,
			   enum dmaheap_access_kind kind)
{
	unsigned int other, n = 0;

	for (other = DMAHEAP_MAPPED_BOTH; other < DMAHEAP_NR_ACCESS_KINDS; other++)
		n += buffer->open[place][other];
	return n == 1 && buffer->open[place][kind];
}

static unsigned int possible_events(const struct buffer *buffer, struct event *events)
{
	unsigned int nr = 0, place, kind, here;

	for (place = 0; place < COPY + mode.copies; place++)
		for (kind = 0; kind < DMAHEAP_NR_ACCESS_KINDS; kind++) {
			unsigned int whole = buffer->open[place][kind];

			events[nr++] = (struct event){ BEGIN, place, 0, 0, kind };
			if (place == cpu_place())
				whole -= buffer->parts[0][kind] + buffer->parts[1][kind];
			if (whole)
				events[nr++] = (struct event){ END, place, place, 0, kind };
			if (kind == DMAHEAP_MAPPED_BOTH && is_only_writer(buffer, place, kind))
				events[nr++] = (struct event){ FORGET, place, place, 0, kind };
			/* A chain of devices has its end at another device. */
			if (whole && is_home(place) && dmaheap_kind_is_bracketed(kind))
				events[nr++] = (struct event){ END, !place, place, 0, kind };
		}
	for (kind = DMAHEAP_BRACKETED_READ; kind <= DMAHEAP_BRACKETED_WRITE;
	     kind += DMAHEAP_BRACKETED_WRITE - DMAHEAP_BRACKETED_READ)
		for (here = 0; here < 2; here++) {
			events[nr++] =
				(struct event){ BEGIN_PART, cpu_place(), 0, here, kind };
			if (buffer->parts[here][kind])
				events[nr++] = (struct event){ END_PART, cpu_place(),
							       cpu_place(), here, kind };
		}
	for (place = COPY; place < COPY + mode.copies; place++)
		events[nr++] = (struct event){ REATTACH, place, place, 0, 0 };
	/* Behind its caches, the CPU had better not: lines there may be dirty. */
	if (!mode.cpu_in_memory)
		events[nr++] = (struct event){ WRITE, CPU, 0, 0, 0 };
	return nr;
}

/* ---- states seen, by a hash of 128 bits ---- */

struct seen {
	uint64_t (*keys)[2];
	size_t size, used;
};

static uint64_t hash(uint64_t seed, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t h = seed;

	for (; len >= 8; len -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 32;
	}
	for (; len; len--, p++)
		h = (h ^ *p) * 0x100000001b3ULL;
	return h;
}

/* How many writers began before this one; 0 if it is none. */
static unsigned int nth_writer(const struct buffer *buffer, unsigned int place,
			       unsigned int kind)
{
	unsigned int other, of, n = 0;

	if (!buffer->open[place][kind] || !dmaheap_kind_writes(kind))
		return 0;
	for (other = 0; other < NR_PLACES; other++)
		for (of = DMAHEAP_MAPPED_BOTH; of < DMAHEAP_NR_ACCESS_KINDS; of++)
			n += buffer->open[other][of] &&
			     buffer->began[other][of] < buffer->began[place][kind];
	return n;
}

/* What of a state matters for the future: of times only their order. */
static void state_key(const struct buffer *buffer, uint64_t key[2])
{
	const struct dmaheap_ownership *ownership = &buffer->ownership;
	struct {
		uint8_t facts[8]; /* the last one is the model's */
		uint8_t open[NR_PLACES][DMAHEAP_NR_ACCESS_KINDS];
		uint8_t parts[2][DMAHEAP_NR_ACCESS_KINDS];
		uint8_t order[NR_PLACES][DMAHEAP_NR_ACCESS_KINDS];
		uint8_t had_part;
		uint8_t unsure;
		uint8_t pad[4];
		struct worlds worlds;
	} state;
	unsigned int place, kind, i;

	memset(&state, 0, sizeof(state));
	state.facts[0] = ownership->cpu_dirty;
	state.facts[1] = ownership->cpu_stale;
	state.facts[2] = ownership->newest ? 1 + (ownership->newest - buffer->copies) : 0;
	for (i = 0; i < 2; i++)
		state.facts[3 + i] = buffer->copies[i].old;
	state.facts[7] = buffer->barred;
	for (place = 0; place < NR_PLACES; place++)
		for (kind = 0; kind < DMAHEAP_NR_ACCESS_KINDS; kind++) {
			state.open[place][kind] = buffer->open[place][kind];
			state.order[place][kind] = nth_writer(buffer, place, kind);
		}
	for (kind = 0; kind < DMAHEAP_NR_ACCESS_KINDS; kind++)
		for (i = 0; i < 2; i++)
			state.parts[i][kind] = buffer->parts[i][kind];
	state.had_part = buffer->had_part;
	state.unsure = buffer->unsure;
	state.worlds = buffer->worlds;
	key[0] = hash(1, &state, sizeof(state));
	key[1] = hash(0x123456789abcdefULL, &state, sizeof(state)) | 1;
}

static bool seen_add(struct seen *seen, const uint64_t key[2]);

static void seen_grow(struct seen *seen)
{
	struct seen larger = { .size = seen->size ? 2 * seen->size : 1 << 16 };
	size_t i;

	larger.keys = calloc(larger.size, sizeof(*larger.keys));
	if (!larger.keys) {
		printf("Bail out! no memory\n");
		exit(1);
	}
	for (i = 0; i < seen->size; i++)
		if (seen->keys[i][1])
			seen_add(&larger, seen->keys[i]);
	free(seen->keys);
	*seen = larger;
}

static bool seen_add(struct seen *seen, const uint64_t key[2])
{
	size_t i;

	if (2 * seen->used >= seen->size)
		seen_grow(seen);
	for (i = key[0] & (seen->size - 1); seen->keys[i][1]; i = (i + 1) & (seen->size - 1))
		if (seen->keys[i][0] == key[0] && seen->keys[i][1] == key[1])
			return false;
	memcpy(seen->keys[i], key, sizeof(seen->keys[i]));
	seen->used++;
	return true;
}

/* ---- explorations ---- */

/* A state on the frontier, with the events that led to it, for the report. */
struct node {
	struct buffer buffer;
	struct event path[8];
};

struct frontier {
	struct node *nodes;
	size_t nr, max;
};

static void frontier_add(struct frontier *frontier, const struct node *node)
{
	struct node *to;

	if (frontier->nr == frontier->max) {
		size_t max = frontier->max ? 2 * frontier->max : 1024, i;
		struct node *nodes = malloc(max * sizeof(*nodes));

		if (!nodes) {
			printf("Bail out! no memory\n");
			exit(1);
		}
		for (i = 0; i < frontier->nr; i++) {
			nodes[i] = frontier->nodes[i];
			buffer_copy(&nodes[i].buffer, &frontier->nodes[i].buffer);
		}
		free(frontier->nodes);
		frontier->nodes = nodes;
		frontier->max = max;
	}
	to = &frontier->nodes[frontier->nr++];
	*to = *node;
	buffer_copy(&to->buffer, &node->buffer);
}

/* Extends all states by all events; false, and the path is printed, if one is wrong. */
static bool extend(const struct frontier *now, struct frontier *next, struct seen *seen,
		   unsigned int depth)
{
	struct event events[128];
	unsigned int nr, i, j;
	size_t n;

	for (n = 0; n < now->nr; n++) {
		nr = possible_events(&now->nodes[n].buffer, events);
		for (i = 0; i < nr; i++) {
			struct node node = now->nodes[n];
			uint64_t key[2];

			buffer_copy(&node.buffer, &now->nodes[n].buffer);
			node.path[depth] = events[i];
			if (!try_event(&node.buffer, &events[i])) {
				for (j = 0; j <= depth; j++)
					say(&node.path[j]);
				return false;
			}
			state_key(&node.buffer, key);
			if (next && seen_add(seen, key))
				frontier_add(next, &node);
		}
	}
	return true;
}

static bool explore(unsigned int depth)
{
	struct frontier now = {}, next = {};
	struct seen seen = {};
	struct node start;
	bool right = true;
	unsigned int d;

	nr_events = nr_steps = 0;
	memset(&start, 0, sizeof(start));
	buffer_init(&start.buffer);
	frontier_add(&now, &start);
	for (d = 0; d < depth && right; d++) {
		right = extend(&now, d + 1 < depth ? &next : NULL, &seen, d);
		free(now.nodes);
		now = next;
		next = (struct frontier){};
	}
	free(now.nodes);
	free(seen.keys);
	printf("# %lu events, %zu states, %lu steps of work\n", nr_events, seen.used,
	       nr_steps);
	return right && nr_steps;
}

/* Long sequences, with two copies: as far as chance goes. */
static bool wander(unsigned int walks, unsigned int length)
{
	uint64_t random = 20191122;
	struct event events[128], path[64];
	unsigned int walk, i, j, nr;

	nr_events = nr_steps = 0;
	printf("# seed %" PRIu64 "\n", random);
	for (walk = 0; walk < walks; walk++) {
		struct buffer buffer;

		buffer_init(&buffer);
		for (i = 0; i < length; i++) {
			nr = possible_events(&buffer, events);
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			path[i] = events[(random >> 33) % nr];
			if (!try_event(&buffer, &path[i])) {
				for (j = 0; j <= i; j++)
					say(&path[j]);
				return false;
			}
		}
	}
	printf("# %lu events, %lu steps of work\n", nr_events, nr_steps);
	return nr_steps;
}

static int number, failed;

static void report(bool right, const char *text)
{
	failed += !right;
	printf("%sok %d - %s\n", right ? "" : "not ", ++number, text);
}

int main(int argc, char **argv)
{
	unsigned int depth = argc > 1 ? atoi(argv[1]) : 6;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# program: ownership\n1..3\n");
	mode.copies = 1;
	report(explore(depth),
	       "sequences of 6 accesses: nothing old is read, nothing needless done");
	mode.cpu_in_memory = true;
	report(explore(depth - 1),
	       "the same of 5 for a CPU that reads and writes behind its caches");
	mode.cpu_in_memory = false;
	mode.copies = 2;
	report(wander(10000, 40), "random sequences of 40 with two copies");
	return failed > 0;
}
