// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap trace: allocations and frees, as they happen, by an instance of tracefs of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events.h"
#include "tool.h"

static const struct column columns[] = {
	[EVENT_MOMENT] = { "TIME", KIND_MOMENT, SHOWN, 12, "of the event, in seconds" },
	[EVENT_NAME] = { "EVENT", KIND_WORD, SHOWN, 9, "its name, without dmaheap_" },
	[EVENT_PID] = { "PID", KIND_NUMBER, SHOWN, 6, "process that did it" },
	[EVENT_COMMAND] = { "COMMAND", KIND_TEXT, SHOWN, 12,
			    "name that the process had last" },
	[EVENT_INODE] = { "INODE", KIND_NUMBER, SHOWN, 6, "of the buffer" },
	[EVENT_SIZE] = { "SIZE", KIND_SIZE, SHOWN, 7, "bytes, of the buffer or the access" },
	[EVENT_HEAP] = { "HEAP", KIND_TEXT, SHOWN, 10, "of the buffer" },
	[EVENT_MORE] = { "MORE", KIND_LIST, SHOWN, 0, "what else the event has" },
	{ NULL },
};

/**
 * struct trace - how it is traced
 * @tool:	the tool
 * @wanted:	events, as of --event
 * @count:	of events to show; 0: no end
 * @seconds:	for how long; 0: no end
 * @instance:	folder of ours in tracefs
 * @pipe:	its trace_pipe
 * @seen:	events that were shown
 * @table:	of them
 */
struct trace {
	const struct tool *tool;
	const char *wanted;
	unsigned int count;
	unsigned int seconds;
	char *instance;
	int pipe;
	unsigned int seen;
	struct table *table;
};

/* Removed at the end, whichever that is. */
static char *instance_to_remove;

static void remove_instance(void)
{
	if (instance_to_remove)
		rmdir(instance_to_remove);
}

/* ---- setting up ---- */

static int write_in(const char *folder, const char *file, const char *text)
{
	char *path;
	int err;

	tool_memory(asprintf(&path, "%s/%s", folder, file) < 0 ? NULL : path);
	err = file_write(path, text);
	free(path);
	return err;
}

/* The folder of tracefs that has @below, or NULL with errno. */
static char *find_tracefs(const struct tool *tool, const char *below)
{
	static const struct {
		enum dmaheap_root root;
		const char *folder;
	} places[] = {
		{ DMAHEAP_ROOT_SYS, "kernel/tracing" },
		{ DMAHEAP_ROOT_DEBUG, "tracing" },
	};
	int reason = ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char *path = tool_path(tool, places[i].root, "%s/%s", places[i].folder, below);

		if (!access(path, F_OK)) {
			path[strlen(path) - strlen(below) - 1] = '\0';
			return path;
		}
		if (errno == EACCES)
			reason = EACCES;
		free(path);
	}
	errno = reason;
	return NULL;
}

static int no_tracefs(const struct tool *tool)
{
	char *tracefs;

	if (errno == EACCES)
		return tool_error(-EACCES, "trace", "tracefs", "run it as root");
	tracefs = find_tracefs(tool, "events");
	free(tracefs);
	return tool_error(
		-ENOENT, "trace", tracefs ? "events of dmaheap" : "tracefs",
		tracefs ? "heaps of the kernel's own have none; load those of dmaheap: "
			  "modprobe dmaheap_system" :
			  "mount it: mount -t tracefs tracefs /sys/kernel/tracing");
}

static int make_instance(struct trace *trace, const char *tracefs)
{
	tool_memory(asprintf(&trace->instance, "%s/instances/dmaheap-%d", tracefs, getpid()) <
				    0 ?
			    NULL :
			    trace->instance);
	/* Of one with the same number that was killed. */
	rmdir(trace->instance);
	if (mkdir(trace->instance, 0700))
		return tool_error(-errno, "mkdir", trace->instance, NULL);
	instance_to_remove = trace->instance;
	atexit(remove_instance);
	/* Newer kernels would wake us only when half of the memory is full of events. */
	write_in(trace->instance, "buffer_percent", "0");
	return TOOL_DONE;
}

/* With or without the prefix that they all have; "" are all. */
static int enable(const struct trace *trace, const char *event)
{
	const char *prefix = !*event || !strncmp(event, "dmaheap_", 8) ? "" : "dmaheap_";
	char *file;
	int err;

	if (strchr(event, '/') || *event == '.')
		return tool_usage(trace->tool, "there is no event '%s'", event);
	tool_memory(asprintf(&file, "events/dmaheap/%s%s/enable", prefix, event) < 0 ? NULL :
										       file);
	err = write_in(trace->instance, file, "1");
	free(file);
	if (err == -ENOENT)
		return tool_usage(trace->tool, "there is no event '%s'", event);
	return err ? tool_error(err, "enable", event, NULL) : TOOL_DONE;
}

static int enable_wanted(const struct trace *trace)
{
	char *names, *rest, *name;
	int status = TOOL_DONE;

	if (!strcmp(trace->wanted, "all"))
		return enable(trace, "");
	rest = names = tool_memory(strdup(trace->wanted));
	while (!status && (name = strsep(&rest, ",")))
		status = *name ? enable(trace, name) :
				 tool_usage(trace->tool, "--event has an empty name");
	free(names);
	return status;
}

static int open_pipe(struct trace *trace)
{
	char *path;

	tool_memory(asprintf(&path, "%s/trace_pipe", trace->instance) < 0 ? NULL : path);
	trace->pipe = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	free(path);
	return trace->pipe < 0 ? tool_error(-errno, "open", "trace_pipe", NULL) : TOOL_DONE;
}

static int set_up(struct trace *trace)
{
	char *tracefs = find_tracefs(trace->tool, "events/dmaheap");
	int status;

	if (!tracefs)
		return no_tracefs(trace->tool);
	status = make_instance(trace, tracefs);
	free(tracefs);
	if (!status)
		status = enable_wanted(trace);
	return status ? status : open_pipe(trace);
}

/* ---- following ---- */

static bool is_done(const struct trace *trace)
{
	return (trace->count && trace->seen >= trace->count) || tool_flush();
}

static void show_line(struct trace *trace, char *line)
{
	struct value row[EVENT_COLUMNS] = { 0 };
	struct list more;

	if (strstr(line, " EVENTS]")) {
		tool_note("trace: events came too fast, and some are lost: %s", line);
		return;
	}
	list_open(&more);
	if (event_parse(line, row, &more)) {
		row[EVENT_MORE] = list_value(&more);
		table_add(trace->table, row);
		trace->seen++;
	}
	list_free(&more);
}

/* Shows whole lines, and returns how much of a line is left, at the start of the text. */
static size_t show_lines(struct trace *trace, char *text, size_t length)
{
	char *line = text, *end;

	while (!is_done(trace) && (end = memchr(line, '\n', text + length - line))) {
		*end = '\0';
		show_line(trace, line);
		line = end + 1;
	}
	length -= line - text;
	memmove(text, line, length);
	return length;
}

/**
 * struct unread - what trace_pipe has said
 * @text:	of which no line is whole yet
 * @length:	of it
 */
struct unread {
	char text[8192];
	size_t length;
};

/* False: there is nothing to read just now. */
static bool read_some(struct trace *trace, struct unread *unread)
{
	ssize_t length = read(trace->pipe, unread->text + unread->length,
			      sizeof(unread->text) - unread->length);

	if (length <= 0)
		return false;
	unread->length = show_lines(trace, unread->text, unread->length + length);
	/* No line of ours is so long. */
	if (unread->length == sizeof(unread->text))
		unread->length = 0;
	return true;
}

/* Milliseconds to wait; -1: for ever. */
static int time_left(const struct trace *trace, int64_t end)
{
	int64_t left = end - monotonic_ms();

	return !trace->seconds ? -1 : left > 0 ? left : 0;
}

static void follow(struct trace *trace, int signals)
{
	int64_t end = monotonic_ms() + trace->seconds * INT64_C(1000);
	struct unread unread = { .length = 0 };

	while (!is_done(trace) && time_left(trace, end) &&
	       tool_wait(signals, trace->pipe, time_left(trace, end)) == EVENT_INPUT)
		read_some(trace, &unread);
	/* What came before the end is shown, too, but there has to be an end. */
	write_in(trace->instance, "tracing_on", "0");
	while (!is_done(trace) && read_some(trace, &unread))
		continue;
}

static int run_trace(struct trace *trace)
{
	int signals = signals_open();
	int status = set_up(trace);

	if (!status) {
		trace->table = table_new(trace->tool, TABLE_STREAM);
		follow(trace, signals);
		table_finish(trace->table);
		close(trace->pipe);
	}
	remove_instance();
	instance_to_remove = NULL;
	free(trace->instance);
	close(signals);
	return status;
}

int verb_trace(struct tool *tool, int argc, char **argv)
{
	struct trace trace = { .tool = tool, .wanted = "alloc,free,pool_miss,mistake" };
	const struct option_spec options[] = {
		{ "event", 'e', "LIST", "events: all, or alloc,free,pool_miss,...", take_text,
		  &trace.wanted },
		{ "count", 'c', "COUNT", "end after so many events", take_count,
		  &trace.count },
		{ "seconds", 't', "SECONDS", "end after so long", take_count, &trace.seconds },
		{ NULL },
	};
	const struct usage usage = { .options = options, .columns = columns };
	int status = tool_options(tool, &usage, &argc, &argv);

	return status == TOOL_GO ? run_trace(&trace) : status;
}
