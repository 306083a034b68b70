/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of dmaheap top share: what is seen, and how it is looked at. */
#ifndef TOP_H
#define TOP_H

#include <time.h>

#include "tool.h"

enum top_view {
	VIEW_HEAPS,
	VIEW_BUFFERS,
	VIEW_PROCESSES,
	VIEWS,
};

#define TOP_COLUMNS_MAX 9
#define TOP_CELL 128
#define TOP_INPUT 64

/**
 * struct top_row - a row of a view
 * @cells:	one for each of the view's columns
 * @words:	room for a cell's text that is nowhere else
 */
struct top_row {
	struct value cells[TOP_COLUMNS_MAX];
	char words[TOP_CELL];
};

struct top_rows {
	struct top_row *rows;
	size_t count;
};

/**
 * struct top_totals - of the machine
 * @buffers:	how many there are
 * @bytes:	of them together
 * @clean:	bytes in pools, zeroed
 * @dirty:	bytes in pools, not zeroed yet
 * @unreadable:	processes that could not be read
 * @complete:	whether all buffers were seen
 */
struct top_totals {
	size_t buffers;
	uint64_t bytes;
	uint64_t clean;
	uint64_t dirty;
	unsigned int unreadable;
	bool complete;
};

/**
 * struct top_data - what was seen at one time
 * @look:	which the rows point into
 * @heaps:	the same; NULL: there are none
 * @views:	their rows
 * @totals:	of all
 * @when:	it was seen
 */
struct top_data {
	struct dmaheap_look *look;
	struct dmaheap_heaps *heaps;
	struct top_rows views[VIEWS];
	struct top_totals totals;
	time_t when;
};

/* Numbers are best sorted largest first, texts from A to Z. */
struct top_order {
	unsigned int column;
	bool reverse;
};

enum top_prompt {
	PROMPT_NONE,
	PROMPT_FILTER,
	PROMPT_DELAY,
};

/**
 * struct top - the program
 * @tool:	that it is part of
 * @data:	what is shown
 * @view:	of it
 * @orders:	of each view
 * @filter:	what rows must have in them
 * @first:	row at the top of the window
 * @page:	rows that the window has room for
 * @frozen:	nothing new is read
 * @help:	is shown
 * @prompt:	what is being typed
 * @input:	so far
 * @complaint:	about the last input, or ""
 * @delay:	between two looks, in milliseconds
 */
struct top {
	const struct tool *tool;
	struct top_data data;
	enum top_view view;
	struct top_order orders[VIEWS];
	char filter[TOP_INPUT];
	size_t first;
	size_t page;
	bool frozen;
	bool help;
	enum top_prompt prompt;
	char input[TOP_INPUT];
	const char *complaint;
	unsigned int delay;
};

/* top_data.c */
extern const struct column *const top_columns[VIEWS];
extern const char *const top_titles[VIEWS];
unsigned int top_columns_count(enum top_view view);
/* A negative errno of the library. */
int top_read(const struct tool *tool, struct top_data *data);
void top_release(struct top_data *data);
/* Rows that are to be shown, in their order; how many.  To be freed. */
size_t top_select(const struct top *top, const struct top_row ***rows);
/* What is written for a cell; returns @text, or the cell's own. */
const char *top_cell(const struct tool *tool, enum kind kind, const struct value *cell,
		     char text[SIZE_TEXT]);

/* top_screen.c */
/* False: the terminal's type is not known */
bool screen_open(const struct tool *tool);
/* As often as one likes. */
void screen_close(void);
void screen_draw(struct top *top);

#endif /* TOP_H */
