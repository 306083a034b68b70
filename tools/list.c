// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap list, dmaheap info: heaps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "tool.h"

enum {
	NAME,
	PROPERTIES,
	ORIGIN,
	USABLE,
	TARGET,
	NODE,
	DEVICE,
	CLEANED,
	INVALIDATED,
	BOUNCED,
	SKIPPED,
	POOL_CLEAN,
	POOL_DIRTY,
	POOL_HIT,
	POOL_MISSED,
	COLUMNS,
};

#define HEAP_COLUMNS(target, node) \
	[NAME] = { "NAME", KIND_WORD, SHOWN, 0, "of the heap" }, \
	[PROPERTIES] = { "PROPERTIES", KIND_LIST, SHOWN, 0, \
			 "what its memory is like, as far as its name tells" }, \
	[ORIGIN] = { "ORIGIN", KIND_WORD, SHOWN, 0, "whose it is: dmaheap, kernel" }, \
	[USABLE] = { "USABLE", KIND_BOOLEAN, SHOWN, 0, "whether you may allocate from it" }, \
	[TARGET] = { "TARGET", KIND_TEXT, target, 0, "heap that it is another name of" }, \
	[NODE] = { "NODE", KIND_TEXT, node, 0, "its path" }, \
	[DEVICE] = { "DEVICE", KIND_TEXT, node, 0, "its device number" }

static const struct column list_columns[] = {
	HEAP_COLUMNS(SHOWN, HIDDEN),
	{ NULL },
};

#define SINCE ", since the heap is there"

static const struct column info_columns[] = {
	HEAP_COLUMNS(SHOWN, SHOWN),
	[CLEANED] = { "CLEANED", KIND_SIZE, SHOWN, 0, "bytes cleaned from caches" SINCE },
	[INVALIDATED] = { "INVALIDATED", KIND_SIZE, SHOWN, 0,
			  "bytes invalidated in caches" SINCE },
	[BOUNCED] = { "BOUNCED", KIND_SIZE, SHOWN, 0, "bytes copied for devices" SINCE },
	[SKIPPED] = { "SKIPPED", KIND_SIZE, SHOWN, 0,
		      "bytes of such work that was saved" SINCE },
	[POOL_CLEAN] = { "POOL-CLEAN", KIND_SIZE, SHOWN, 0, "bytes in its pool, zeroed" },
	[POOL_DIRTY] = { "POOL-DIRTY", KIND_SIZE, SHOWN, 0,
			 "bytes in its pool, not zeroed yet" },
	[POOL_HIT] = { "POOL-HIT", KIND_SIZE, SHOWN, 0,
		       "bytes that came from its pool" SINCE },
	[POOL_MISSED] = { "POOL-MISSED", KIND_SIZE, SHOWN, 0, "bytes that did not" SINCE },
	{ NULL },
};

/* Of what a heap has done, in /sys. */
static const struct {
	unsigned int column;
	const char *file;
} figures[] = {
	{ CLEANED, "cache/cleaned_bytes" }, { INVALIDATED, "cache/invalidated_bytes" },
	{ BOUNCED, "cache/bounced_bytes" }, { SKIPPED, "cache/skipped_bytes" },
	{ POOL_CLEAN, "pool/clean_bytes" }, { POOL_DIRTY, "pool/dirty_bytes" },
	{ POOL_HIT, "pool/hit_bytes" },	    { POOL_MISSED, "pool/missed_bytes" },
};

static const char *origin_text(enum dmaheap_origin origin)
{
	switch (origin) {
	case DMAHEAP_ORIGIN_DMAHEAP: return "dmaheap";
	case DMAHEAP_ORIGIN_KERNEL: return "kernel";
	default: return NULL;
	}
}

/**
 * struct heap_texts - what a row of a heap points to
 * @properties:	a list
 * @device:	a number
 */
struct heap_texts {
	char properties[128];
	char device[32];
};

static void set_heap(struct value *row, const struct dmaheap_heap_info *heap,
		     struct heap_texts *texts)
{
	dmaheap_properties_print(heap->properties, texts->properties,
				 sizeof(texts->properties));
	snprintf(texts->device, sizeof(texts->device), "%u:%u", major(heap->device),
		 minor(heap->device));
	row[NAME] = value_text(heap->name);
	if (heap->properties)
		row[PROPERTIES] = value_text(list_of_commas(texts->properties));
	row[ORIGIN] = value_text(origin_text(heap->origin));
	row[USABLE] = value_number(heap->readable);
	row[USABLE].color = heap->readable ? NULL : "red";
	row[TARGET] = value_text(heap->target);
	row[NODE] = value_text(heap->node);
	row[DEVICE] = value_text(texts->device);
}

static void show_list(const struct tool *tool, const struct dmaheap_heaps *heaps)
{
	struct table *table = table_new(tool, TABLE_PLAIN);

	for (size_t i = 0; i < dmaheap_heaps_count(heaps); i++) {
		struct value row[COLUMNS] = { 0 };
		struct heap_texts texts;

		set_heap(row, dmaheap_heaps_get(heaps, i), &texts);
		table_add(table, row);
	}
	table_finish(table);
}

int verb_list(struct tool *tool, int argc, char **argv)
{
	const struct usage usage = { .columns = list_columns };
	struct dmaheap_heaps *heaps;
	int err, status = tool_options(tool, &usage, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	err = dmaheap_list(tool->context, &heaps);
	if (err)
		return tool_fail(tool, err);
	status = dmaheap_heaps_count(heaps) ? TOOL_DONE : TOOL_MISSING;
	show_list(tool, heaps);
	dmaheap_heaps_free(heaps);
	if (status)
		tool_note("list: %s/dma_heap: there is no heap; see dmaheap doctor",
			  tool->roots[DMAHEAP_ROOT_DEV]);
	return status;
}

static void set_figures(const struct tool *tool, struct value *row, const char *heap)
{
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		char *path = heap_folder(tool, heap, figures[i].file);
		uint64_t number;

		if (path && file_number(path, &number))
			row[figures[i].column] = value_number(number);
		free(path);
	}
}

static void show_info(const struct tool *tool, const struct dmaheap_heap_info *heap)
{
	struct table *table = table_new(tool, TABLE_UPRIGHT);
	struct value row[COLUMNS] = { 0 };
	struct heap_texts texts;

	set_heap(row, heap, &texts);
	set_figures(tool, row, heap->target ? heap->target : heap->name);
	table_add(table, row);
	table_finish(table);
}

static const struct dmaheap_heap_info *find_heap(const struct dmaheap_heaps *heaps,
						 const char *name)
{
	for (size_t i = 0; i < dmaheap_heaps_count(heaps); i++) {
		const struct dmaheap_heap_info *heap = dmaheap_heaps_get(heaps, i);

		if (!strcmp(heap->name, name))
			return heap;
	}
	return NULL;
}

int verb_info(struct tool *tool, int argc, char **argv)
{
	const struct usage usage = {
		.operands = "HEAP", .columns = info_columns, .least = 1, .most = 1
	};
	const struct dmaheap_heap_info *heap;
	struct dmaheap_heaps *heaps;
	int err, status = tool_options(tool, &usage, &argc, &argv);

	if (status == TOOL_GO)
		status = tool_check_heap_name(tool, argv[0]);
	if (status != TOOL_GO)
		return status;
	err = dmaheap_list(tool->context, &heaps);
	if (err)
		return tool_fail(tool, err);
	heap = find_heap(heaps, argv[0]);
	if (heap)
		show_info(tool, heap);
	else
		status = tool_error(-ENOENT, "info", argv[0], "see dmaheap list");
	dmaheap_heaps_free(heaps);
	return heap ? TOOL_DONE : status;
}
