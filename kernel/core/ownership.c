// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ownership: which work an event needs, and where the newest bytes are afterwards.
 *
 *	event                             work                        then
 *	begin in the memory domain        clean if dirty              not dirty
 *	begin in the CPU domain           invalidate if stale         not stale
 *	begin at a copy                   the same, then copy in,     not old
 *	                                  if the copy is old
 *	any, while a copy is newest       copy out first              dirty
 *	end of a write, CPU domain                                    dirty, copies old
 *	end of a write, memory domain                                 stale, copies old
 *	end of a write at a copy                                      newest, others old
 *	any of these ends                 as for a begin in each place where
 *	                                  an access is still open
 *
 * For a begin, "dirty", "stale", "old" and "newest" include that an open access may have made
 * it so.  What is stale is cleaned before it is invalidated if it may be dirty, too.
 */
#include "ownership.h"

static bool is_copy(const struct dmaheap_ownership *ownership,
		    const struct dmaheap_place *place)
{
	return place != &ownership->cpu && place != &ownership->memory;
}

static bool is_open(const struct dmaheap_place *place)
{
	unsigned int kind;

	for (kind = 0; kind < DMAHEAP_NR_ACCESS_KINDS; kind++)
		if (place->open[kind])
			return true;
	return false;
}

/* May an access that is open here have written just now? */
static bool may_write(const struct dmaheap_place *place)
{
	return place->open[DMAHEAP_MAPPED_BOTH] || place->open[DMAHEAP_BRACKETED_WRITE] ||
	       place->open[DMAHEAP_MAPPED_WRITE];
}

/* All places: the CPU domain, the memory domain, the copies. */
static struct dmaheap_place *next_place(struct dmaheap_ownership *ownership,
					struct dmaheap_place *place)
{
	if (place == &ownership->cpu)
		return &ownership->memory;
	return place == &ownership->memory ? ownership->copies : place->next;
}

#define for_each_place(place, ownership) \
	for (place = &(ownership)->cpu; place; place = next_place(ownership, place))
#define for_each_copy(place, ownership) \
	for (place = (ownership)->copies; place; place = (place)->next)

/* The kind of the likeliest writer at a place where there are any. */
static enum dmaheap_access_kind likeliest_kind(const struct dmaheap_place *place)
{
	unsigned int kind = DMAHEAP_NR_ACCESS_KINDS - 1;

	while (!place->open[kind])
		kind--;
	return kind;
}

/* Who of two places with writers is likelier to have written last? */
static bool is_likelier(const struct dmaheap_place *a, const struct dmaheap_place *b)
{
	enum dmaheap_access_kind of_a = likeliest_kind(a), of_b = likeliest_kind(b);

	return of_a != of_b ? of_a > of_b : a->since[of_a] > b->since[of_b];
}

/* The copy that is newer than home, or may be; NULL if none is. */
static struct dmaheap_place *newest_copy(struct dmaheap_ownership *ownership)
{
	struct dmaheap_place *place, *likeliest = NULL;

	for_each_place(place, ownership)
		if (may_write(place) && (!likeliest || is_likelier(place, likeliest)))
			likeliest = place;
	if (likeliest && is_copy(ownership, likeliest))
		return likeliest;
	return ownership->newest;
}

static void make_old(struct dmaheap_ownership *ownership, const struct dmaheap_place *newest)
{
	struct dmaheap_place *copy;

	for_each_copy(copy, ownership)
		copy->old = copy != newest;
}

/*
 * Adds the work that brings the newest bytes to a place: from the copy @source or, if that is
 * NULL, from home.  With @meanwhile, what is open in home may have written just now.
 */
static void bring(const struct dmaheap_ownership *ownership, struct dmaheap_place *source,
		  struct dmaheap_place *target, bool meanwhile, struct dmaheap_work *work)
{
	bool dirty = ownership->cpu_dirty || may_write(&ownership->cpu);
	bool stale = ownership->cpu_stale || (meanwhile && may_write(&ownership->memory));

	if (target == source)
		return;
	if (is_copy(ownership, target)) {
		bool written =
			source || may_write(&ownership->cpu) || may_write(&ownership->memory);

		if (!target->old && !(meanwhile && written))
			return;
		target->copy_in = work->copy_in = true;
	}
	if (source) {
		work->copy_out = source;
		work->clean |= target == &ownership->memory;
	} else if (target == &ownership->memory) {
		work->clean |= dirty;
	} else if (stale) {
		work->clean |= dirty;
		work->invalidate = true;
	}
}

/* The same for all places where an access is open, but for the one that has them. */
static void bring_to_open(struct dmaheap_ownership *ownership, struct dmaheap_place *newest,
			  struct dmaheap_work *work)
{
	struct dmaheap_place *place;

	for_each_place(place, ownership)
		if (place != newest && is_open(place))
			bring(ownership, ownership->newest, place, false, work);
}

/*
 * The facts after the work.  When a copy is newest, home is not stale: it was brought up to date
 * before the copy was, and who has written since has made the copy old.
 */
static void apply(struct dmaheap_ownership *ownership, const struct dmaheap_work *work)
{
	struct dmaheap_place *copy;

	if (work->copy_out) {
		ownership->newest = NULL;
		ownership->cpu_dirty = true;
	}
	if (work->clean)
		ownership->cpu_dirty = false;
	if (work->invalidate)
		ownership->cpu_stale = false;
	for_each_copy(copy, ownership)
		if (copy->copy_in)
			copy->old = false;
}

/* The facts after a write. */
static void wrote(struct dmaheap_ownership *ownership, struct dmaheap_place *place)
{
	bool copy = is_copy(ownership, place);

	make_old(ownership, place);
	ownership->newest = copy ? place : NULL;
	ownership->cpu_dirty |= place == &ownership->cpu;
	ownership->cpu_stale |= place == &ownership->memory;
}

static void start_work(struct dmaheap_ownership *ownership, struct dmaheap_work *work)
{
	struct dmaheap_place *copy;

	*work = (struct dmaheap_work){};
	for_each_copy(copy, ownership)
		copy->copy_in = false;
}

static void open_access(struct dmaheap_ownership *ownership, struct dmaheap_place *place,
			enum dmaheap_access_kind kind)
{
	place->open[kind]++;
	place->since[kind] = ++ownership->clock;
}

void dmaheap_ownership_init(struct dmaheap_ownership *ownership)
{
	*ownership = (struct dmaheap_ownership){ .cpu_dirty = true };
}

void dmaheap_ownership_cleaned(struct dmaheap_ownership *ownership)
{
	ownership->cpu_dirty = false;
}

void dmaheap_ownership_add_copy(struct dmaheap_ownership *ownership,
				struct dmaheap_place *copy)
{
	*copy = (struct dmaheap_place){ .next = ownership->copies, .old = true };
	ownership->copies = copy;
}

void dmaheap_ownership_remove_copy(struct dmaheap_ownership *ownership,
				   struct dmaheap_place *copy, struct dmaheap_work *work)
{
	struct dmaheap_place **link = &ownership->copies;

	start_work(ownership, work);
	if (may_write(copy))
		wrote(ownership, copy);
	if (ownership->newest == copy) {
		bring(ownership, copy, &ownership->cpu, false, work);
		bring_to_open(ownership, copy, work);
		apply(ownership, work);
	}
	while (*link != copy)
		link = &(*link)->next;
	*link = copy->next;
}

void dmaheap_ownership_begin(struct dmaheap_ownership *ownership, struct dmaheap_place *place,
			     enum dmaheap_access_kind kind, struct dmaheap_work *work)
{
	start_work(ownership, work);
	bring(ownership, newest_copy(ownership), place, true, work);
	apply(ownership, work);
	open_access(ownership, place, kind);
}

void dmaheap_ownership_forget(struct dmaheap_place *place, enum dmaheap_access_kind kind)
{
	place->open[kind]--;
}

void dmaheap_ownership_write(struct dmaheap_ownership *ownership, struct dmaheap_place *place,
			     struct dmaheap_work *work)
{
	start_work(ownership, work);
	wrote(ownership, place);
	bring_to_open(ownership, place, work);
	apply(ownership, work);
}

void dmaheap_ownership_end(struct dmaheap_ownership *ownership, struct dmaheap_place *begun,
			   struct dmaheap_place *place, enum dmaheap_access_kind kind,
			   struct dmaheap_work *work)
{
	start_work(ownership, work);
	begun->open[kind]--;
	if (!dmaheap_kind_writes(kind))
		return;
	/* What leaves at another place than it entered may have been written in both. */
	if (begun != place)
		wrote(ownership, begun);
	wrote(ownership, place);
	bring_to_open(ownership, begun == place ? place : NULL, work);
	apply(ownership, work);
}

bool dmaheap_ownership_begin_part(struct dmaheap_ownership *ownership,
				  struct dmaheap_place *place, enum dmaheap_access_kind kind,
				  struct dmaheap_work *work)
{
	struct dmaheap_place *source = newest_copy(ownership);
	/* The newest bytes would be here and there: nothing could tell what is where. */
	bool whole = source && dmaheap_kind_writes(kind);

	start_work(ownership, work);
	bring(ownership, source, place, true, work);
	if (whole)
		apply(ownership, work);
	/* The lines that it was copied to are dirty, which is a fact for all. */
	if (work->copy_out && !work->clean)
		ownership->cpu_dirty = true;
	open_access(ownership, place, kind);
	return whole;
}

void dmaheap_ownership_end_part(struct dmaheap_ownership *ownership,
				struct dmaheap_place *place, enum dmaheap_access_kind kind,
				struct dmaheap_work *work)
{
	bool home = !ownership->newest, in_memory = place == &ownership->memory;
	struct dmaheap_place *copy;

	start_work(ownership, work);
	place->open[kind]--;
	if (!dmaheap_kind_writes(kind))
		return;
	for_each_copy(copy, ownership)
		if (!copy->old)
			copy->copy_in = work->copy_in = true;
	if (!in_memory) {
		work->clean = is_open(&ownership->memory) || (home && !ownership->cpu_dirty);
		return;
	}
	work->invalidate =
		work->copy_in || is_open(&ownership->cpu) || (home && !ownership->cpu_stale);
	work->clean = work->invalidate && (ownership->cpu_dirty || may_write(&ownership->cpu));
}
