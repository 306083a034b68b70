// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap buffers, dmaheap who, dmaheap ps: who holds what. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* ---- buffers ---- */

enum {
	INODE,
	SIZE,
	SHARE,
	HEAP,
	NAME,
	EXPORTER,
	HOLDERS,
	DEVICES,
	SOURCE,
	PID,
	COMMAND,
	BUFFERS_COLUMNS,
};

static const struct column buffers_columns[] = {
	[INODE] = { "INODE", KIND_NUMBER, SHOWN, 0,
		    "by which the buffer is told from others" },
	[SIZE] = { "SIZE", KIND_SIZE, SHOWN, 0, "of it" },
	[SHARE] = { "SHARE", KIND_SIZE, SHOWN, 0, "of each of the processes that hold it" },
	[HEAP] = { "HEAP", KIND_WORD, SHOWN, 0, "that it came from" },
	[NAME] = { "NAME", KIND_TEXT, SHOWN, 0, "that somebody gave it" },
	[EXPORTER] = { "EXPORTER", KIND_TEXT, SHOWN, 0, "driver that made it" },
	[HOLDERS] = { "HOLDERS", KIND_LIST, SHOWN, 0,
		      "processes that hold it, as PID:COMMAND" },
	[DEVICES] = { "DEVICES", KIND_LIST, SHOWN, 0, "that are attached" },
	[SOURCE] = { "SOURCE", KIND_LIST, SHOWN, 0, "where it was found" },
	[PID] = { "PID", KIND_NUMBER, HIDDEN, 0, "process that allocated it" },
	[COMMAND] = { "COMMAND", KIND_TEXT, HIDDEN, 0, "name of that process, then" },
	{ NULL },
};

/* What is 0 if it is not known. */
static struct value known(uint64_t number)
{
	return number ? value_number(number) : (struct value){ 0 };
}

static void add_buffer(struct table *table, const struct dmaheap_buffer_info *buffer)
{
	struct value row[BUFFERS_COLUMNS] = {
		[INODE] = value_number(buffer->inode),
		[SIZE] = known(buffer->size),
		[SHARE] = known(buffer->share),
		[HEAP] = value_text(buffer->heap),
		[NAME] = value_text(buffer->name),
		[EXPORTER] = value_text(buffer->exporter),
		[PID] = known(buffer->allocator),
		[COMMAND] = value_text(buffer->command),
	};
	struct list holders, devices;
	char sources[64];

	list_open(&holders);
	list_open(&devices);
	for (size_t i = 0; i < buffer->holders_count; i++)
		list_add(&holders, "%d:%s", buffer->holders[i].pid,
			 buffer->holders[i].command);
	for (size_t i = 0; i < buffer->devices_count; i++)
		list_add(&devices, "%s", buffer->devices[i]);
	dmaheap_sources_print(buffer->sources, sources, sizeof(sources));
	row[HOLDERS] = list_value(&holders);
	if (buffer->devices)
		row[DEVICES] = list_value(&devices);
	row[SOURCE] = value_text(list_of_commas(sources));
	table_add(table, row);
	list_free(&holders);
	list_free(&devices);
}

static bool is_of(const struct dmaheap_buffer_info *buffer, const char *heap)
{
	return !heap || (buffer->heap && !strcmp(buffer->heap, heap));
}

static void show_buffers(const struct tool *tool, const struct dmaheap_look *look,
			 const char *heap)
{
	struct table *table = table_new(tool, TABLE_PLAIN);

	for (size_t i = 0; i < dmaheap_look_count(look); i++) {
		const struct dmaheap_buffer_info *buffer = dmaheap_look_get(look, i);

		if (is_of(buffer, heap))
			add_buffer(table, buffer);
	}
	table_finish(table);
}

static bool take_pid(const struct option_spec *option, const char *argument)
{
	uint64_t number;

	if (parse_number(argument, INT_MAX, &number) || !number) {
		tool_note("--%s: '%s' is no number of a process", option->name, argument);
		return false;
	}
	*(pid_t *)option->to = number;
	return true;
}

int verb_buffers(struct tool *tool, int argc, char **argv)
{
	const char *heap = NULL;
	pid_t pid = 0;
	const struct option_spec options[] = {
		{ "pid", 'p', "PID", "only those that this process holds", take_pid, &pid },
		{ "heap", 'H', "HEAP", "only those of this heap", take_text, &heap },
		{ NULL },
	};
	const struct usage usage = { .options = options, .columns = buffers_columns };
	struct dmaheap_look *look;
	int err, status = tool_options(tool, &usage, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	if (heap)
		status = tool_check_heap_name(tool, heap);
	if (status != TOOL_GO)
		return status;
	err = dmaheap_look(tool->context, pid, &look);
	if (err)
		return tool_fail(tool, err);
	show_buffers(tool, look, heap);
	status = tool_look_status(look, pid);
	dmaheap_look_free(look);
	return status;
}

/* ---- who ---- */

enum {
	WHO_KIND,
	WHO_PID,
	WHO_NAME,
	WHO_FDS,
	WHO_MAPPINGS,
	WHO_MAPPED,
	WHO_COLUMNS,
};

static const struct column who_columns[] = {
	[WHO_KIND] = { "KIND", KIND_WORD, SHOWN, 0, "process or device" },
	[WHO_PID] = { "PID", KIND_NUMBER, SHOWN, 0, "of the process" },
	[WHO_NAME] = { "NAME", KIND_TEXT, SHOWN, 0, "of the process or the device" },
	[WHO_FDS] = { "FDS", KIND_NUMBER, SHOWN, 0, "how many of its fds are the buffer" },
	[WHO_MAPPINGS] = { "MAPPINGS", KIND_NUMBER, SHOWN, 0, "how many it has" },
	[WHO_MAPPED] = { "MAPPED", KIND_SIZE, SHOWN, 0, "bytes of these" },
	{ NULL },
};

static void add_holder(struct table *table, const struct dmaheap_holder *holder)
{
	const struct value row[WHO_COLUMNS] = {
		[WHO_KIND] = value_text("process"),
		[WHO_PID] = value_number(holder->pid),
		[WHO_NAME] = value_text(holder->command),
		[WHO_FDS] = value_number(holder->fds),
		[WHO_MAPPINGS] = value_number(holder->mappings),
		[WHO_MAPPED] = value_number(holder->mapped),
	};

	table_add(table, row);
}

static void add_device(struct table *table, const char *device)
{
	const struct value row[WHO_COLUMNS] = {
		[WHO_KIND] = value_text("device"),
		[WHO_NAME] = value_text(device),
	};

	table_add(table, row);
}

static void show_who(const struct tool *tool, const struct dmaheap_buffer_info *buffer)
{
	struct table *table = table_new(tool, TABLE_PLAIN);

	for (size_t i = 0; i < buffer->holders_count; i++)
		add_holder(table, &buffer->holders[i]);
	for (size_t i = 0; i < buffer->devices_count; i++)
		add_device(table, buffer->devices[i]);
	if (!table_rows(table))
		tool_note("who: %llu: nobody is seen to hold it: it is on its way through a "
			  "socket, or a driver's",
			  (unsigned long long)buffer->inode);
	table_finish(table);
}

static int who(const struct tool *tool, uint64_t inode, const char *text)
{
	const struct dmaheap_buffer_info *buffer;
	struct dmaheap_look *look;
	int status, err = dmaheap_look(tool->context, 0, &look);

	if (err)
		return tool_fail(tool, err);
	status = tool_look_status(look, false);
	buffer = dmaheap_look_find(look, inode);
	if (buffer)
		show_who(tool, buffer);
	/* It may be among what could not be seen. */
	else if (status == TOOL_DONE)
		status = tool_error(-ENOENT, "who", text, "dmaheap buffers has all inodes");
	else
		tool_error(-ENOENT, "who", text, NULL);
	/* So that it can be parsed. */
	if (!buffer && tool->json)
		table_finish(table_new(tool, TABLE_PLAIN));
	dmaheap_look_free(look);
	return status;
}

int verb_who(struct tool *tool, int argc, char **argv)
{
	const struct usage usage = {
		.operands = "INODE", .columns = who_columns, .least = 1, .most = 1
	};
	uint64_t inode;
	int status = tool_options(tool, &usage, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	if (parse_number(argv[0], UINT64_MAX, &inode))
		return tool_usage(tool, "'%s' is no number of an inode", argv[0]);
	return who(tool, inode, argv[0]);
}
