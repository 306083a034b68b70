// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap alloc: buffers, for a command or until a signal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

/* As of env(1) and the shell, so that they differ from most of what a command says itself. */
#define EXIT_NO_COMMAND 127
#define EXIT_CANNOT_RUN 126

enum {
	INODE,
	SIZE,
	HEAP,
	NAME,
	FD,
	COLUMNS,
};

static const struct column columns[] = {
	[INODE] = { "INODE", KIND_NUMBER, SHOWN, 0,
		    "by which the buffer is told from others" },
	[SIZE] = { "SIZE", KIND_SIZE, SHOWN, 0, "of it, in whole pages" },
	[HEAP] = { "HEAP", KIND_WORD, SHOWN, 0, "that it came from, or udmabuf" },
	[NAME] = { "NAME", KIND_TEXT, SHOWN, 0, "that it has" },
	[FD] = { "FD", KIND_NUMBER, SHOWN, 0, "file descriptor in this process" },
	{ NULL },
};

/**
 * struct wish - what is to be allocated
 * @size:	bytes of each buffer
 * @heap:	to take it from, or NULL: whichever suits @need
 * @need:	what memory has to be like
 * @name:	of each, or NULL
 * @count:	of buffers
 */
struct wish {
	uint64_t size;
	const char *heap;
	struct dmaheap_need need;
	const char *name;
	unsigned int count;
};

static int allocate_one(struct tool *tool, const struct wish *wish, struct dmaheap_heap *heap,
			struct dmaheap_buffer **buffer)
{
	const struct dmaheap_request request = { .size = wish->size, .name = wish->name };

	if (heap)
		return dmaheap_allocate(heap, &request, buffer);
	return dmaheap_allocate_for(tool->context, &wish->need, &request, buffer);
}

static void free_all(struct dmaheap_buffer **buffers, unsigned int count)
{
	for (unsigned int i = 0; i < count && buffers[i]; i++)
		dmaheap_buffer_free(buffers[i]);
	free(buffers);
}

/* A name that the kernel refuses is no reason not to have the buffer. */
static void note_name(const struct wish *wish, const struct dmaheap_buffer *buffer)
{
	int err = dmaheap_buffer_name_status(buffer);

	if (err)
		tool_note("name: %s: %s; it is allocated without", wish->name, strerror(-err));
}

static int allocate_all(struct tool *tool, const struct wish *wish,
			struct dmaheap_buffer **buffers)
{
	struct dmaheap_heap *heap = NULL;
	int err = wish->heap ? dmaheap_open(tool->context, wish->heap, &heap) : 0;
	int status;

	for (unsigned int i = 0; !err && i < wish->count; i++) {
		err = allocate_one(tool, wish, heap, &buffers[i]);
		if (!err)
			note_name(wish, buffers[i]);
	}
	status = err ? tool_fail(tool, err) : TOOL_DONE;
	if (heap)
		dmaheap_close(heap);
	return status;
}

static void show(const struct tool *tool, const struct wish *wish,
		 struct dmaheap_buffer *const *buffers)
{
	struct table *table = table_new(tool, TABLE_PLAIN);

	for (unsigned int i = 0; i < wish->count; i++) {
		bool named = !dmaheap_buffer_name_status(buffers[i]);
		struct value row[COLUMNS] = {
			[INODE] = value_number(dmaheap_buffer_inode(buffers[i])),
			[SIZE] = value_number(dmaheap_buffer_size(buffers[i])),
			[HEAP] = value_text(dmaheap_buffer_heap(buffers[i])),
			[NAME] = value_text(named ? wish->name : NULL),
			[FD] = value_number(dmaheap_buffer_fd(buffers[i])),
		};

		table_add(table, row);
	}
	table_finish(table);
}

static int hold(const struct tool *tool, const struct wish *wish,
		struct dmaheap_buffer *const *buffers)
{
	int signals = signals_open(), err;

	show(tool, wish, buffers);
	err = tool_flush();
	/* Who cannot be told the inode has no use for the buffer; who has read enough may have. */
	if (err && err != -EPIPE) {
		close(signals);
		return TOOL_FAILED;
	}
	while (tool_wait(signals, -1, -1) != EVENT_SIGNAL)
		continue;
	close(signals);
	return TOOL_DONE;
}

/* The command gets the fds; DMAHEAP_FD has their numbers. */
static void pass_on(struct dmaheap_buffer *const *buffers, unsigned int count)
{
	char *text;
	size_t size;
	FILE *numbers = tool_memory(open_memstream(&text, &size));

	for (unsigned int i = 0; i < count; i++) {
		int fd = dmaheap_buffer_fd(buffers[i]);

		if (fcntl(fd, F_SETFD, 0))
			exit(tool_error(-errno, "fcntl", "the buffer's fd", NULL));
		fprintf(numbers, "%s%d", i ? "," : "", fd);
	}
	if (fclose(numbers) || setenv("DMAHEAP_FD", text, 1))
		tool_memory(NULL);
	free(text);
}

/* In place of this process, so that signals and the exit code are the command's. */
static int run_command(char **command, struct dmaheap_buffer *const *buffers,
		       unsigned int count)
{
	int err;

	pass_on(buffers, count);
	signal(SIGPIPE, SIG_DFL);
	execvp(command[0], command);
	err = errno;
	tool_error(-err, "run", command[0], NULL);
	return err == ENOENT ? EXIT_NO_COMMAND : EXIT_CANNOT_RUN;
}

static bool is_contradictory(unsigned int properties)
{
	const unsigned int caching = DMAHEAP_CACHED | DMAHEAP_UNCACHED;
	const unsigned int pieces = DMAHEAP_SCATTERED | DMAHEAP_CONTIGUOUS;

	return (properties & caching) == caching || (properties & pieces) == pieces;
}

static int check(const struct tool *tool, const struct wish *wish)
{
	if (!wish->size)
		return tool_usage(tool, "it needs a size: -s SIZE");
	if (wish->heap && (wish->need.required || wish->need.preferred))
		return tool_usage(tool, "--heap and --need exclude each other");
	if (is_contradictory(wish->need.required))
		return tool_usage(tool, "no memory is like that: --need contradicts itself");
	if (wish->name && strlen(wish->name) > DMAHEAP_NAME_MAX)
		return tool_usage(tool, "the name is too long: at most %d bytes",
				  DMAHEAP_NAME_MAX);
	return wish->heap ? tool_check_heap_name(tool, wish->heap) : TOOL_GO;
}

int verb_alloc(struct tool *tool, int argc, char **argv)
{
	struct wish wish = { .count = 1 };
	const struct option_spec options[] = {
		{ "size", 's', "SIZE", "bytes of each buffer: 4096, 64K, 12M", take_size,
		  &wish.size },
		{ "heap", 'H', "HEAP", "heap to take it from", take_text, &wish.heap },
		{ "need", 0, "LIST", "what memory has to be like: contiguous,...",
		  take_properties, &wish.need.required },
		{ "prefer", 0, "LIST", "what it had better be like", take_properties,
		  &wish.need.preferred },
		{ "name", 'n', "NAME", "of the buffers, for those who look", take_text,
		  &wish.name },
		{ "count", 'c', "COUNT", "of buffers", take_count, &wish.count },
		{ NULL },
	};
	const struct usage usage = {
		.operands = "[-- COMMAND [ARGUMENT]...]",
		.options = options,
		.columns = columns,
		.most = OPERANDS_ANY,
		.in_order = true,
	};
	struct dmaheap_buffer **buffers;
	int status = tool_options(tool, &usage, &argc, &argv);

	if (status == TOOL_GO)
		status = check(tool, &wish);
	if (status != TOOL_GO)
		return status;
	buffers = tool_memory(calloc(wish.count, sizeof(struct dmaheap_buffer *)));
	status = allocate_all(tool, &wish, buffers);
	if (!status)
		status = argc ? run_command(argv, buffers, wish.count) :
				hold(tool, &wish, buffers);
	free_all(buffers, wish.count);
	return status;
}
