/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ownership: where the newest bytes of a buffer are, and what must be done so that the next
 * access finds them.  Pure logic: what is said here is done elsewhere (access.c), and
 * tests/ownership explores all of it in user space.
 *
 * Bytes can be in several places.  Home is the buffer's own memory and the caches before it:
 *
 * - the CPU domain: the CPU and each device that snoops its caches;
 * - the memory domain: each device that does not, and reads and writes memory behind them.
 *
 * Two facts say which of both is right: @cpu_dirty and @cpu_stale.  The hardware knows for
 * each line of a cache if it was written, so that cleaning never harms what is in memory,
 * and both facts may hold at a time.
 *
 * Each mapping that the DMA layer has put behind a bounce buffer is a place besides: a copy,
 * which is old or not, and as a whole newer than home or not.
 *
 * An access has a begin, an end and a kind.  When one begins, the newest bytes are brought to
 * its place.  When one ends that wrote, its place has the newest bytes, and they are brought
 * to all places where an access is open: of importers that hold a mapping and pass it on by
 * fences, no begin will come.  By the same token an open access that may write may have
 * written whenever somebody begins.  If several in home and in copies may have, the
 * likeliest writer is taken at its word: who has said so by a bracket, before who has mapped
 * only to write (a camera), before who has mapped both ways (which also those ask for who only
 * read); then who began last.
 */
#ifndef _DMAHEAP_OWNERSHIP_H
#define _DMAHEAP_OWNERSHIP_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#endif

/**
 * enum dmaheap_access_kind - what an open access may do, and how it was begun
 *
 * Those that may write come last, the likeliest to have written at the very end.
 *
 * @DMAHEAP_MAPPED_READ:	a mapping by which the device reads
 * @DMAHEAP_BRACKETED_READ:	a job of a device, or of the CPU, that reads
 * @DMAHEAP_MAPPED_BOTH:	a mapping for both ways
 * @DMAHEAP_MAPPED_WRITE:	a mapping only for writing
 * @DMAHEAP_BRACKETED_WRITE:	a job that writes, or does both
 * @DMAHEAP_NR_ACCESS_KINDS:	how many there are
 */
enum dmaheap_access_kind {
	DMAHEAP_MAPPED_READ,
	DMAHEAP_BRACKETED_READ,
	DMAHEAP_MAPPED_BOTH,
	DMAHEAP_MAPPED_WRITE,
	DMAHEAP_BRACKETED_WRITE,
	DMAHEAP_NR_ACCESS_KINDS
};

static inline bool dmaheap_kind_writes(enum dmaheap_access_kind kind)
{
	return kind >= DMAHEAP_MAPPED_BOTH;
}

static inline bool dmaheap_kind_is_bracketed(enum dmaheap_access_kind kind)
{
	return kind == DMAHEAP_BRACKETED_READ || kind == DMAHEAP_BRACKETED_WRITE;
}

/**
 * struct dmaheap_place - where bytes of a buffer can be
 * @next:	next copy of the buffer
 * @open:	accesses here, begun and not ended, by kind
 * @since:	when the last of these began, by kind
 * @old:	of a copy: somebody else's bytes are newer
 * @copy_in:	of a copy: work to be done, see &struct dmaheap_work
 */
struct dmaheap_place {
	struct dmaheap_place *next;
	unsigned int open[DMAHEAP_NR_ACCESS_KINDS];
	unsigned long since[DMAHEAP_NR_ACCESS_KINDS];
	bool old;
	bool copy_in;
};

/**
 * struct dmaheap_ownership - where the newest bytes of a buffer are
 * @cpu:	the CPU domain
 * @memory:	the memory domain
 * @copies:	the bounced mappings, linked by their next
 * @newest:	the copy that is newer than home, or NULL
 * @cpu_dirty:	the CPU domain may have lines that are newer than memory
 * @cpu_stale:	memory was written behind the caches, lines there may be old
 * @clock:	counts begins
 */
struct dmaheap_ownership {
	struct dmaheap_place cpu;
	struct dmaheap_place memory;
	struct dmaheap_place *copies;
	struct dmaheap_place *newest;
	bool cpu_dirty;
	bool cpu_stale;
	unsigned long clock;
};

/**
 * struct dmaheap_work - what an event needs, to be done in this order
 * @copy_out:	copy this bounced copy home, through the caches; or NULL
 * @clean:	write the caches' dirty lines to memory
 * @invalidate:	drop the caches' lines
 * @copy_in:	copy what the caches show to each copy whose copy_in is set
 */
struct dmaheap_work {
	struct dmaheap_place *copy_out;
	bool clean;
	bool invalidate;
	bool copy_in;
};

/* A buffer that the CPU has just zeroed. */
void dmaheap_ownership_init(struct dmaheap_ownership *ownership);

/* No line of it is in the caches any more, but perhaps clean ones. */
void dmaheap_ownership_cleaned(struct dmaheap_ownership *ownership);

/* A copy comes, old as it is, and goes, with all accesses that are open there. */
void dmaheap_ownership_add_copy(struct dmaheap_ownership *ownership,
				struct dmaheap_place *copy);
void dmaheap_ownership_remove_copy(struct dmaheap_ownership *ownership,
				   struct dmaheap_place *copy, struct dmaheap_work *work);

/* An access begins: after @work, @place has the newest bytes. */
void dmaheap_ownership_begin(struct dmaheap_ownership *ownership, struct dmaheap_place *place,
			     enum dmaheap_access_kind kind, struct dmaheap_work *work);

/*
 * An access ends that is open at @begun: after @work, all places where accesses are open have
 * its bytes.  A job may begin at one device and end at another, hence @place.
 */
void dmaheap_ownership_end(struct dmaheap_ownership *ownership, struct dmaheap_place *begun,
			   struct dmaheap_place *place, enum dmaheap_access_kind kind,
			   struct dmaheap_work *work);

/* An access that was none, of somebody who is known to have written nothing by it. */
void dmaheap_ownership_forget(struct dmaheap_place *place, enum dmaheap_access_kind kind);

/* The same as an end for somebody who has written without an access. */
void dmaheap_ownership_write(struct dmaheap_ownership *ownership, struct dmaheap_place *place,
			     struct dmaheap_work *work);

/*
 * The same for an access to a part of the buffer by the CPU.  The work is for that part alone,
 * and whatever had the newest bytes of all the buffer has them afterwards.  Only if the begin
 * returns true, its work is for all of the buffer.
 */
bool dmaheap_ownership_begin_part(struct dmaheap_ownership *ownership,
				  struct dmaheap_place *place, enum dmaheap_access_kind kind,
				  struct dmaheap_work *work);
void dmaheap_ownership_end_part(struct dmaheap_ownership *ownership,
				struct dmaheap_place *place, enum dmaheap_access_kind kind,
				struct dmaheap_work *work);

#endif /* _DMAHEAP_OWNERSHIP_H */
