// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap top: what there is to see, as rows of three views. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top.h"

enum {
	HEAP_NAME,
	HEAP_BUFFERS,
	HEAP_BYTES,
	HEAP_CLEAN,
	HEAP_DIRTY,
	HEAP_PROPERTIES,
	HEAP_COLUMNS,
};

static const struct column heap_columns[] = {
	[HEAP_NAME] = { "HEAP", KIND_TEXT, .help = "heap, or else who made the buffers" },
	[HEAP_BUFFERS] = { "BUFFERS", KIND_NUMBER, .help = "how many of it there are" },
	[HEAP_BYTES] = { "BYTES", KIND_SIZE, .help = "in these buffers" },
	[HEAP_CLEAN] = { "CLEAN", KIND_SIZE, .help = "in its pool, zeroed" },
	[HEAP_DIRTY] = { "DIRTY", KIND_SIZE, .help = "in its pool, not zeroed yet" },
	[HEAP_PROPERTIES] = { "PROPERTIES", KIND_TEXT, .help = "what its memory is like" },
	[HEAP_COLUMNS] = { NULL },
};

enum {
	BUFFER_INODE,
	BUFFER_SIZE,
	BUFFER_SHARE,
	BUFFER_HOLDERS,
	BUFFER_DEVICES,
	BUFFER_PID,
	BUFFER_COMMAND,
	BUFFER_HEAP,
	BUFFER_NAME,
	BUFFER_COLUMNS,
};

static const struct column buffer_columns[] = {
	[BUFFER_INODE] = { "INODE", KIND_NUMBER, .help = "by which it is told from others" },
	[BUFFER_SIZE] = { "SIZE", KIND_SIZE, .help = "of it" },
	[BUFFER_SHARE] = { "SHARE", KIND_SIZE, .help = "of its size, for each that holds it" },
	[BUFFER_HOLDERS] = { "HELD", KIND_NUMBER, .help = "by how many processes" },
	[BUFFER_DEVICES] = { "DEVS", KIND_NUMBER, .help = "devices that are attached" },
	[BUFFER_PID] = { "PID", KIND_NUMBER, .help = "process that allocated it" },
	[BUFFER_COMMAND] = { "COMMAND", KIND_TEXT, .help = "that process's name" },
	[BUFFER_HEAP] = { "HEAP", KIND_TEXT, .help = "heap, or else who made it" },
	[BUFFER_NAME] = { "NAME", KIND_TEXT, .help = "that it was given" },
	[BUFFER_COLUMNS] = { NULL },
};

enum {
	PROCESS_PID,
	PROCESS_SHARE,
	PROCESS_BYTES,
	PROCESS_MAPPED,
	PROCESS_BUFFERS,
	PROCESS_FDS,
	PROCESS_MAPPINGS,
	PROCESS_COMMAND,
	PROCESS_COLUMNS,
};

static const struct column process_columns[] = {
	[PROCESS_PID] = { "PID", KIND_NUMBER, .help = "of the process" },
	[PROCESS_SHARE] = { "SHARE", KIND_SIZE,
			    .help = "of its buffers' sizes, if all their holders share them" },
	[PROCESS_BYTES] = { "BYTES", KIND_SIZE, .help = "in buffers that it holds" },
	[PROCESS_MAPPED] = { "MAPPED", KIND_SIZE, .help = "of them, in its mappings" },
	[PROCESS_BUFFERS] = { "BUFFERS", KIND_NUMBER, .help = "that it holds" },
	[PROCESS_FDS] = { "FDS", KIND_NUMBER, .help = "by which it holds them" },
	[PROCESS_MAPPINGS] = { "MAPS", KIND_NUMBER,
			       .help = "mappings by which it holds them" },
	[PROCESS_COMMAND] = { "COMMAND", KIND_TEXT, .help = "its name" },
	[PROCESS_COLUMNS] = { NULL },
};

_Static_assert(BUFFER_COLUMNS <= TOP_COLUMNS_MAX && PROCESS_COLUMNS <= TOP_COLUMNS_MAX &&
		       HEAP_COLUMNS <= TOP_COLUMNS_MAX,
	       "a row has a cell for each column");

const struct column *const top_columns[VIEWS] = {
	[VIEW_HEAPS] = heap_columns,
	[VIEW_BUFFERS] = buffer_columns,
	[VIEW_PROCESSES] = process_columns,
};

const char *const top_titles[VIEWS] = {
	[VIEW_HEAPS] = "heaps",
	[VIEW_BUFFERS] = "buffers",
	[VIEW_PROCESSES] = "processes",
};

unsigned int top_columns_count(enum top_view view)
{
	unsigned int count = 0;

	while (top_columns[view][count].name)
		count++;
	return count;
}

static void make_room(struct top_rows *rows, size_t count)
{
	rows->rows = tool_memory(calloc(count ? count : 1, sizeof(*rows->rows)));
	rows->count = 0;
}

/* ---- buffers ---- */

static const char *heap_of(const struct dmaheap_buffer_info *buffer)
{
	if (buffer->heap)
		return buffer->heap;
	return buffer->exporter ? buffer->exporter : "?";
}

static void add_buffer(struct top_rows *rows, const struct dmaheap_buffer_info *buffer)
{
	struct value *cells = rows->rows[rows->count++].cells;

	cells[BUFFER_INODE] = value_number(buffer->inode);
	if (buffer->size)
		cells[BUFFER_SIZE] = value_number(buffer->size);
	if (buffer->size && buffer->holders_count)
		cells[BUFFER_SHARE] = value_number(buffer->share);
	cells[BUFFER_HOLDERS] = value_number(buffer->holders_count);
	if (buffer->devices)
		cells[BUFFER_DEVICES] = value_number(buffer->devices_count);
	if (buffer->allocator)
		cells[BUFFER_PID] = value_number(buffer->allocator);
	cells[BUFFER_COMMAND] = value_text(buffer->command);
	cells[BUFFER_HEAP] = value_text(heap_of(buffer));
	cells[BUFFER_NAME] = value_text(buffer->name);
}

static void read_buffers(struct top_data *data)
{
	struct top_rows *rows = &data->views[VIEW_BUFFERS];
	size_t count = dmaheap_look_count(data->look);

	make_room(rows, count);
	for (size_t i = 0; i < count; i++) {
		const struct dmaheap_buffer_info *buffer = dmaheap_look_get(data->look, i);

		add_buffer(rows, buffer);
		data->totals.bytes += buffer->size;
	}
	data->totals.buffers = count;
}

/* ---- heaps ---- */

/* Its row; a new one is all zero. */
static struct top_row *row_of_heap(struct top_rows *rows, const char *name)
{
	struct value *cells;

	for (size_t i = 0; i < rows->count; i++) {
		if (!strcmp(rows->rows[i].cells[HEAP_NAME].text, name))
			return &rows->rows[i];
	}
	cells = rows->rows[rows->count].cells;
	cells[HEAP_NAME] = value_text(name);
	cells[HEAP_BUFFERS] = value_number(0);
	cells[HEAP_BYTES] = value_number(0);
	return &rows->rows[rows->count++];
}

static void read_pool(const struct tool *tool, const char *heap, const char *file,
		      struct value *cell, uint64_t *total)
{
	char *path = heap_folder(tool, heap, file);
	uint64_t bytes;

	if (path && file_number(path, &bytes)) {
		*cell = value_number(bytes);
		*total += bytes;
	}
	free(path);
}

static void add_heap(const struct tool *tool, struct top_data *data,
		     const struct dmaheap_heap_info *heap)
{
	struct top_row *row = row_of_heap(&data->views[VIEW_HEAPS], heap->name);

	dmaheap_properties_print(heap->properties, row->words, sizeof(row->words));
	if (heap->properties)
		row->cells[HEAP_PROPERTIES] = value_text(row->words);
	read_pool(tool, heap->name, "pool/clean_bytes", &row->cells[HEAP_CLEAN],
		  &data->totals.clean);
	read_pool(tool, heap->name, "pool/dirty_bytes", &row->cells[HEAP_DIRTY],
		  &data->totals.dirty);
}

/* Another name of a heap, which has no buffers and no pool of its own. */
static bool is_alias(const struct dmaheap_heaps *heaps, const struct dmaheap_heap_info *heap)
{
	for (size_t i = 0; heap->target && i < dmaheap_heaps_count(heaps); i++) {
		if (!strcmp(dmaheap_heaps_get(heaps, i)->name, heap->target))
			return true;
	}
	return false;
}

static void read_heaps(const struct tool *tool, struct top_data *data)
{
	struct top_rows *rows = &data->views[VIEW_HEAPS];
	size_t heaps = data->heaps ? dmaheap_heaps_count(data->heaps) : 0;
	size_t buffers = dmaheap_look_count(data->look);

	make_room(rows, heaps + buffers);
	for (size_t i = 0; i < heaps; i++) {
		const struct dmaheap_heap_info *heap = dmaheap_heaps_get(data->heaps, i);

		if (!is_alias(data->heaps, heap))
			add_heap(tool, data, heap);
	}
	for (size_t i = 0; i < buffers; i++) {
		const struct dmaheap_buffer_info *buffer = dmaheap_look_get(data->look, i);
		struct value *cells = row_of_heap(rows, heap_of(buffer))->cells;

		cells[HEAP_BUFFERS].number++;
		cells[HEAP_BYTES].number += buffer->size;
	}
}

/* ---- processes ---- */

struct holding {
	const struct dmaheap_holder *holder;
	const struct dmaheap_buffer_info *buffer;
};

static int by_pid(const void *a, const void *b)
{
	const struct holding *one = a, *other = b;

	return (one->holder->pid > other->holder->pid) -
	       (one->holder->pid < other->holder->pid);
}

static size_t count_holdings(const struct dmaheap_look *look)
{
	size_t count = 0;

	for (size_t i = 0; i < dmaheap_look_count(look); i++)
		count += dmaheap_look_get(look, i)->holders_count;
	return count;
}

static void add_process(struct top_rows *rows, const struct dmaheap_holder *holder)
{
	struct value *cells = rows->rows[rows->count++].cells;

	for (unsigned int i = 0; i < PROCESS_COLUMNS; i++)
		cells[i] = value_number(0);
	cells[PROCESS_PID] = value_number(holder->pid);
	cells[PROCESS_COMMAND] = value_text(holder->command);
}

static void add_holding(struct top_rows *rows, const struct holding *holding)
{
	struct value *cells;

	if (!rows->count || rows->rows[rows->count - 1].cells[PROCESS_PID].number !=
				    (uint64_t)holding->holder->pid)
		add_process(rows, holding->holder);
	cells = rows->rows[rows->count - 1].cells;
	cells[PROCESS_BUFFERS].number++;
	cells[PROCESS_SHARE].number += holding->buffer->share;
	cells[PROCESS_BYTES].number += holding->buffer->size;
	cells[PROCESS_MAPPED].number += holding->holder->mapped;
	cells[PROCESS_FDS].number += holding->holder->fds;
	cells[PROCESS_MAPPINGS].number += holding->holder->mappings;
}

static void read_processes(struct top_data *data)
{
	size_t all = count_holdings(data->look), count = 0;
	struct holding *holdings = tool_memory(calloc(all ? all : 1, sizeof(*holdings)));

	for (size_t i = 0; i < dmaheap_look_count(data->look); i++) {
		const struct dmaheap_buffer_info *buffer = dmaheap_look_get(data->look, i);

		for (size_t j = 0; j < buffer->holders_count; j++)
			holdings[count++] = (struct holding){ &buffer->holders[j], buffer };
	}
	qsort(holdings, count, sizeof(*holdings), by_pid);
	make_room(&data->views[VIEW_PROCESSES], count);
	for (size_t i = 0; i < count; i++)
		add_holding(&data->views[VIEW_PROCESSES], &holdings[i]);
	free(holdings);
}

/* ---- all of it ---- */

int top_read(const struct tool *tool, struct top_data *data)
{
	int err = dmaheap_list(tool->context, &data->heaps);

	/* Without heaps there still are buffers, of graphics drivers and others. */
	if (err && err != -ENOSYS && err != -EACCES)
		return err;
	err = dmaheap_look(tool->context, 0, &data->look);
	if (err)
		return err;
	data->when = time(NULL);
	data->totals.unreadable = dmaheap_look_unreadable(data->look);
	data->totals.complete = dmaheap_look_is_complete(data->look);
	read_buffers(data);
	read_heaps(tool, data);
	read_processes(data);
	return 0;
}

void top_release(struct top_data *data)
{
	for (unsigned int view = 0; view < VIEWS; view++)
		free(data->views[view].rows);
	dmaheap_look_free(data->look);
	dmaheap_heaps_free(data->heaps);
	*data = (struct top_data){ 0 };
}

/* ---- what is shown of it ---- */

const char *top_cell(const struct tool *tool, enum kind kind, const struct value *cell,
		     char text[SIZE_TEXT])
{
	if (!cell->known)
		return "-";
	if (kind == KIND_TEXT)
		return cell->text;
	if (kind == KIND_SIZE)
		return size_text(tool, cell->number, text);
	snprintf(text, SIZE_TEXT, "%" PRIu64, cell->number);
	return text;
}

static bool matches(const struct top *top, const struct top_row *row)
{
	const struct column *columns = top_columns[top->view];
	char text[SIZE_TEXT];

	for (unsigned int i = 0; columns[i].name; i++) {
		if (strcasestr(top_cell(top->tool, columns[i].kind, &row->cells[i], text),
			       top->filter))
			return true;
	}
	return false;
}

static int compare(const struct value *a, const struct value *b, enum kind kind)
{
	if (kind == KIND_TEXT)
		return strcmp(a->text, b->text);
	return (a->number < b->number) - (a->number > b->number);
}

/* What is not known comes last, however one sorts. */
static int by_order(const void *a, const void *b, void *data)
{
	const struct top *top = data;
	const struct top_order *order = &top->orders[top->view];
	const struct top_row *one = *(const struct top_row *const *)a;
	const struct top_row *other = *(const struct top_row *const *)b;
	const struct value *left = &one->cells[order->column];
	const struct value *right = &other->cells[order->column];
	int result = 0;

	if (left->known != right->known)
		return left->known ? -1 : 1;
	if (left->known)
		result = compare(left, right, top_columns[top->view][order->column].kind);
	if (result)
		return order->reverse ? -result : result;
	return (one > other) - (one < other);
}

size_t top_select(const struct top *top, const struct top_row ***rows)
{
	const struct top_rows *all = &top->data.views[top->view];
	size_t count = 0;

	*rows = tool_memory(calloc(all->count ? all->count : 1, sizeof(**rows)));
	for (size_t i = 0; i < all->count; i++) {
		if (!*top->filter || matches(top, &all->rows[i]))
			(*rows)[count++] = &all->rows[i];
	}
	qsort_r(*rows, count, sizeof(**rows), by_order, (void *)top);
	return count;
}
