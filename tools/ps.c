// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap ps: processes that hold buffers. */
#include <limits.h>

#include "sums.h"
#include "tool.h"

enum {
	PID,
	COMMAND,
	BUFFERS,
	FDS,
	MAPPINGS,
	SIZE,
	SHARE,
	MAPPED,
	COLUMNS,
};

static const struct column columns[] = {
	[PID] = { "PID", KIND_NUMBER, SHOWN, 0, "of the process" },
	[COMMAND] = { "COMMAND", KIND_TEXT, SHOWN, 0, "its name" },
	[BUFFERS] = { "BUFFERS", KIND_NUMBER, SHOWN, 0, "how many it holds" },
	[FDS] = { "FDS", KIND_NUMBER, SHOWN, 0, "how many of its fds are buffers" },
	[MAPPINGS] = { "MAPPINGS", KIND_NUMBER, SHOWN, 0, "how many of its mappings are" },
	[SIZE] = { "SIZE", KIND_SIZE, SHOWN, 0, "of the buffers, together" },
	[SHARE] = { "SHARE", KIND_SIZE, SHOWN, 0, "of its size, where others hold it, too" },
	[MAPPED] = { "MAPPED", KIND_SIZE, HIDDEN, 0, "bytes of the mappings" },
	{ NULL },
};

static void show(const struct tool *tool, const struct sums *sums, pid_t pid)
{
	struct table *table = table_new(tool, TABLE_PLAIN);

	for (size_t i = 0; i < sums->count; i++) {
		const struct sum *sum = &sums->all[i];
		const struct value row[COLUMNS] = {
			[PID] = value_number(sum->pid),
			[COMMAND] = value_text(sum->name),
			[BUFFERS] = value_number(sum->buffers),
			[FDS] = value_number(sum->fds),
			[MAPPINGS] = value_number(sum->mappings),
			[SIZE] = value_number(sum->size),
			[SHARE] = value_number(sum->share),
			[MAPPED] = value_number(sum->mapped),
		};

		if (!pid || sum->pid == pid)
			table_add(table, row);
	}
	table_finish(table);
}

static int ps(const struct tool *tool, pid_t pid)
{
	struct dmaheap_look *look;
	struct sums sums;
	int status, err = dmaheap_look(tool->context, pid, &look);

	if (err)
		return tool_fail(tool, err);
	sums_make(&sums, look, SUMS_OF_PROCESSES);
	show(tool, &sums, pid);
	sums_free(&sums);
	status = tool_look_status(look, true);
	dmaheap_look_free(look);
	return status;
}

int verb_ps(struct tool *tool, int argc, char **argv)
{
	const struct usage usage = { .operands = "[PID]", .columns = columns, .most = 1 };
	uint64_t pid = 0;
	int status = tool_options(tool, &usage, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	if (argc && (parse_number(argv[0], INT_MAX, &pid) || !pid))
		return tool_usage(tool, "'%s' is no number of a process", argv[0]);
	return ps(tool, pid);
}
