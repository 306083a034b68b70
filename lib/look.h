/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of a look share: its buffers while they are collected, and reading of lines. */
#ifndef DMAHEAP_LOOK_H
#define DMAHEAP_LOOK_H

#include "private.h"

struct look_block;

/**
 * struct look_exporter - somebody who makes buffers
 * @name:	as the kernel calls it
 * @is_heap:	whether that is the name of a heap
 */
struct look_exporter {
	const char *name;
	bool is_heap;
};

/**
 * struct look_process - a process that there was when the look began
 * @pid:	its number
 * @command:	its name; NULL until somebody needs it
 * @started:	in ticks since the system did
 * @unreadable:	whether something of it may not be read
 */
struct look_process {
	pid_t pid;
	const char *command;
	uint64_t started;
	bool unreadable;
};

/**
 * struct look_buffer - a buffer that is being collected
 * @info:	what callers see; holders, devices and share are filled in at the end
 * @exporter:	who made it, or NULL
 * @holders:	processes, @info.holders_count of them
 * @devices:	names, @info.devices_count of them
 * @devices_known: whether somebody has listed them, even if there are none
 * @name_is_exact: whether the name comes from where all characters of it can be told
 */
struct look_buffer {
	struct dmaheap_buffer_info info;
	const struct look_exporter *exporter;
	struct dmaheap_holder *holders;
	const char **devices;
	bool devices_known;
	bool name_is_exact;
};

/**
 * struct dmaheap_look - what was seen
 * @context:	that it was made from
 * @blocks:	memory of all that the buffers point to
 * @buffers:	a hash table by inode while buffers are collected, then an array sorted by it
 * @room:	slots in the table, a power of two
 * @count:	buffers
 * @exporters:	all that were seen
 * @exporters_count: how many
 * @processes:	by what /proc lists
 * @processes_count: how many
 * @device:	number of the file system that buffers are files of; 0: not known yet
 * @sources:	that could be read
 * @unreadable:	processes that could not
 * @gaps:	&enum dmaheap_gap
 * @err:	memory has run out, or fds: nothing is added any more
 */
struct dmaheap_look {
	const struct dmaheap *context;
	struct look_block *blocks;
	struct look_buffer **buffers;
	size_t room;
	size_t count;
	struct look_exporter **exporters;
	size_t exporters_count;
	struct look_process *processes;
	size_t processes_count;
	dev_t device;
	unsigned int sources;
	unsigned int unreadable;
	unsigned int gaps;
	int err;
};

/* look.c; what gives a pointer gives NULL when memory has run out */
void *look_alloc(struct dmaheap_look *look, size_t size);
const char *look_keep(struct dmaheap_look *look, const char *text);
/* Room for one more behind @count elements of a @size; they may move. */
void *look_grow(struct dmaheap_look *look, void *array, size_t count, size_t size);
/* NULL: it was not seen yet */
struct look_buffer *look_lookup(const struct dmaheap_look *look, uint64_t inode);
struct look_buffer *look_add(struct dmaheap_look *look, uint64_t inode, unsigned int source);
void look_set_name(struct dmaheap_look *look, struct look_buffer *buffer, const char *name,
		   bool is_exact);
void look_set_exporter(struct dmaheap_look *look, struct look_buffer *buffer,
		       const char *name);
void look_add_device(struct dmaheap_look *look, struct look_buffer *buffer, const char *name);
/*
 * Notes what this process itself has run out of, which says nothing about what it looks at, and
 * ends the look.  Whether that is so.
 */
bool look_ran_out(struct dmaheap_look *look, int err);

/*
 * Takes a number in front of the character @after, and both from the text.  Signs and blanks are
 * no part of a number.
 */
bool look_number(char **text, int base, char after, uint64_t *number);
/* Undoes octal escapes, in place. */
void look_unescape(char *word);
typedef void look_line_fn(void *state, char *line);
/*
 * Calls for each line of a file, without its end.  Returns 0, 1 if there were others that are too
 * long for anything that we know, or a negative errno.
 */
int look_lines(int dir, const char *path, look_line_fn *each, void *state);

/* look_debug.c, look_proc.c: the sources; they set &dmaheap_look.sources */
void look_read_debugfs(struct dmaheap_look *look);
void look_read_processes(struct dmaheap_look *look);

#endif /* DMAHEAP_LOOK_H */
