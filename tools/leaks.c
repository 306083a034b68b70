// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap leaks: what has grown between two looks. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "sums.h"
#include "tool.h"

enum {
	LOOK,
	KIND,
	PID,
	NAME,
	BUFFERS,
	FDS,
	SIZE,
	TOTAL,
	COLUMNS,
};

static const struct column columns[] = {
	[LOOK] = { "LOOK", KIND_NUMBER, IN_JSON, 0, "which it was, after the first" },
	[KIND] = { "KIND", KIND_WORD, SHOWN, 0, "process or heap" },
	[PID] = { "PID", KIND_NUMBER, SHOWN, 0, "of the process" },
	[NAME] = { "NAME", KIND_TEXT, SHOWN, 0, "of the process or the heap" },
	[BUFFERS] = { "BUFFERS", KIND_CHANGE, SHOWN, 0, "how many more since the first look" },
	[FDS] = { "FDS", KIND_CHANGE, SHOWN, 0, "how many more" },
	[SIZE] = { "SIZE", KIND_SIZE_CHANGE, SHOWN, 0, "bytes more" },
	[TOTAL] = { "TOTAL", KIND_SIZE, SHOWN, 0, "bytes of all its buffers now" },
	{ NULL },
};

/**
 * struct watch - how it is looked
 * @interval:	seconds between looks; 0: until a key or a signal
 * @count:	of looks after the first
 * @signals:	that end it
 * @status:	exit code, by what could be read
 * @first:	what there was at the first look
 * @table:	of all looks in JSON, else of this one
 */
struct watch {
	unsigned int interval;
	unsigned int count;
	int signals;
	int status;
	struct sums first;
	struct table *table;
};

static int look(const struct tool *tool, struct watch *watch, struct sums *sums)
{
	struct dmaheap_look *seen;
	int err = dmaheap_look(tool->context, 0, &seen);

	if (err)
		return tool_fail(tool, err);
	sums_make(sums, seen, SUMS_OF_PROCESSES | SUMS_OF_HEAPS);
	/* Said once is enough. */
	if (!watch->status)
		watch->status = tool_look_status(seen, false);
	dmaheap_look_free(seen);
	return TOOL_DONE;
}

static bool has_grown(const struct sum *now, const struct sum *before)
{
	return now->size > before->size || now->buffers > before->buffers ||
	       now->fds > before->fds;
}

static void add_row(struct table *table, unsigned int number, const struct sum *now,
		    const struct sum *before)
{
	const struct value row[COLUMNS] = {
		[LOOK] = value_number(number),
		[KIND] = value_text(now->pid ? "process" : "heap"),
		[PID] = { .known = now->pid, .number = now->pid },
		[NAME] = value_text(now->name),
		[BUFFERS] = value_number(now->buffers - before->buffers),
		[FDS] = value_number(now->fds - before->fds),
		[SIZE] = value_number(now->size - before->size),
		[TOTAL] = value_number(now->size),
	};

	table_add(table, row);
}

static void compare(const struct watch *watch, unsigned int number, const struct sums *sums)
{
	static const struct sum nothing;

	for (size_t i = 0; i < sums->count; i++) {
		const struct sum *now = &sums->all[i];
		const struct sum *before = sums_find(&watch->first, now);

		if (!before)
			before = &nothing;
		if (has_grown(now, before))
			add_row(watch->table, number, now, before);
	}
}

static int look_again(const struct tool *tool, struct watch *watch, unsigned int number)
{
	struct sums sums;
	int status = look(tool, watch, &sums);
	size_t rows;

	if (status)
		return status;
	if (!watch->table)
		watch->table = table_new(tool, TABLE_PLAIN);
	rows = table_rows(watch->table);
	compare(watch, number, &sums);
	sums_free(&sums);
	if (table_rows(watch->table) == rows)
		tool_note("leaks: nothing has grown");
	if (!tool->json) {
		table_finish(watch->table);
		watch->table = NULL;
	}
	return TOOL_DONE;
}

/* A key is waited for on a terminal only: else there is always something to read, or an end. */
static enum tool_event wait_for_next(const struct watch *watch)
{
	int input = isatty(STDIN_FILENO) && !watch->interval ? STDIN_FILENO : -1;
	enum tool_event event;
	char line[256];

	if (input >= 0)
		tool_note("leaks: use the program in question, then press Enter");
	event = tool_wait(watch->signals, input,
			  watch->interval ? watch->interval * 1000 : -1);
	/* It was for this look, and neither for the next one nor for whoever reads after us. */
	if (event == EVENT_INPUT && read(input, line, sizeof(line)) < 0)
		tool_error(-errno, "read", "the terminal", NULL);
	return event;
}

static int watch_on(const struct tool *tool, struct watch *watch)
{
	enum tool_event event = EVENT_TIME;
	int status = TOOL_DONE;

	for (unsigned int i = 1; !status && i <= watch->count && event != EVENT_SIGNAL; i++) {
		event = wait_for_next(watch);
		status = look_again(tool, watch, i);
	}
	return status;
}

static int leaks(const struct tool *tool, struct watch *watch)
{
	int status = look(tool, watch, &watch->first);

	if (status)
		return status;
	watch->signals = signals_open();
	status = watch_on(tool, watch);
	close(watch->signals);
	if (watch->table)
		table_finish(watch->table);
	sums_free(&watch->first);
	return status ? status : watch->status;
}

int verb_leaks(struct tool *tool, int argc, char **argv)
{
	struct watch watch = { .count = 1 };
	const struct option_spec options[] = {
		{ "interval", 'i', "SECONDS", "between looks; else until Enter or a signal",
		  take_count, &watch.interval },
		{ "count", 'c', "COUNT", "of looks after the first", take_count,
		  &watch.count },
		{ NULL },
	};
	const struct usage usage = { .options = options, .columns = columns };
	int status = tool_options(tool, &usage, &argc, &argv);

	return status == TOOL_GO ? leaks(tool, &watch) : status;
}
