// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap pool: what the pools of heaps have; fill and drain them. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum {
	HEAP,
	CLEAN,
	DIRTY,
	HIT,
	MISSED,
	INLINE,
	BACKGROUND,
	COLUMNS,
};

static const struct column columns[] = {
	[HEAP] = { "HEAP", KIND_WORD, SHOWN, 0, "whose pool it is" },
	[CLEAN] = { "CLEAN", KIND_SIZE, SHOWN, 0, "bytes in it, zeroed" },
	[DIRTY] = { "DIRTY", KIND_SIZE, SHOWN, 0, "bytes in it, not zeroed yet" },
	[HIT] = { "HIT", KIND_SIZE, SHOWN, 0, "bytes of buffers that came from it" },
	[MISSED] = { "MISSED", KIND_SIZE, SHOWN, 0, "bytes that did not" },
	[INLINE] = { "INLINE", KIND_SIZE, SHOWN, 0, "bytes that an allocation had to zero" },
	[BACKGROUND] = { "BACKGROUND", KIND_SIZE, SHOWN, 0, "bytes that were zeroed before" },
	{ NULL },
};

static const char *const files[COLUMNS] = {
	[CLEAN] = "clean_bytes",
	[DIRTY] = "dirty_bytes",
	[HIT] = "hit_bytes",
	[MISSED] = "missed_bytes",
	[INLINE] = "zeroed_inline_bytes",
	[BACKGROUND] = "zeroed_background_bytes",
};

static void add_pool(struct table *table, const char *heap, const char *folder)
{
	struct value row[COLUMNS] = { [HEAP] = value_text(heap) };

	for (unsigned int i = CLEAN; i < COLUMNS; i++) {
		uint64_t number;
		char *path;

		tool_memory(asprintf(&path, "%s/%s", folder, files[i]) < 0 ? NULL : path);
		if (file_number(path, &number))
			row[i] = value_number(number);
		free(path);
	}
	table_add(table, row);
}

static void add_pools(const struct tool *tool, struct table *table, const char *class)
{
	char *folder = tool_path(tool, DMAHEAP_ROOT_SYS, "class/%s", class);
	size_t count;
	char **heaps = folder_names(folder, &count);

	for (size_t i = 0; i < count; i++) {
		char *pool = heap_folder(tool, heaps[i], "pool");

		if (pool)
			add_pool(table, heaps[i], pool);
		free(pool);
	}
	folder_free(heaps);
	free(folder);
}

static int no_pool(const char *heap)
{
	return tool_error(-ENOENT, "pool", heap, "dmaheap pool shows which heaps have one");
}

static int show_all(const struct tool *tool)
{
	struct table *table = table_new(tool, TABLE_PLAIN);
	size_t rows;

	add_pools(tool, table, "dma_heap");
	add_pools(tool, table, "dmaheap");
	rows = table_rows(table);
	table_finish(table);
	return rows ? TOOL_DONE :
		      tool_error(-ENOENT, "pool", "all heaps",
				 "load one with a pool: modprobe dmaheap_system");
}

static int show_one(const struct tool *tool, const char *heap)
{
	char *folder = heap_folder(tool, heap, "pool");
	struct table *table;

	if (!folder)
		return no_pool(heap);
	table = table_new(tool, TABLE_PLAIN);
	add_pool(table, heap, folder);
	table_finish(table);
	free(folder);
	return TOOL_DONE;
}

static const char *remedy_of(int err)
{
	switch (err) {
	case -ENOSPC:
		return "all pools together may not have so much: see the parameter pool_max of "
		       "dmaheap_core";
	case -ENOMEM: return "there is not so much memory available";
	case -EACCES: return "run it as root";
	default: return NULL;
	}
}

static int write_pool(const struct tool *tool, const char *heap, const char *what,
		      uint64_t bytes)
{
	char text[SIZE_TEXT], part[32], *path;
	int err;

	snprintf(part, sizeof(part), "pool/%s", what);
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	path = heap_folder(tool, heap, part);
	if (!path)
		return no_pool(heap);
	err = file_write(path, text);
	if (err)
		tool_error(err, what, path, remedy_of(err));
	free(path);
	return err ? tool_exit_code(err) : TOOL_DONE;
}

static int change(const struct tool *tool, const char *heap, const char *what,
		  const char *size)
{
	bool drain = !strcmp(what, "drain");
	uint64_t bytes;

	if (!drain && strcmp(what, "fill"))
		return tool_usage(tool, "'%s' is neither fill nor drain", what);
	if (drain && !strcmp(size, "all"))
		return write_pool(tool, heap, what, LONG_MAX);
	if (parse_size(size, &bytes) || !bytes)
		return tool_usage(tool, "'%s' is no size", size);
	return write_pool(tool, heap, what, bytes);
}

int verb_pool(struct tool *tool, int argc, char **argv)
{
	const struct usage usage = { .operands = "[HEAP [fill SIZE | drain SIZE|all]]",
				     .columns = columns,
				     .most = 3 };
	int status = tool_options(tool, &usage, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	if (argc)
		status = tool_check_heap_name(tool, argv[0]);
	if (status != TOOL_GO)
		return status;
	switch (argc) {
	case 0: return show_all(tool);
	case 1: return show_one(tool, argv[0]);
	case 2: return tool_usage(tool, "%s needs a size", argv[1]);
	default: return change(tool, argv[0], argv[1], argv[2]);
	}
}
