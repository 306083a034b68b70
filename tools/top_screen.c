// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap top: the screen. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "top.h"

/* Wider texts are cut off, but for those of the last column. */
#define TEXT_WIDTH_MAX 24

enum {
	PAIR_WARNING = 1,
	PAIR_NOTE,
};

enum {
	LINE_TITLE,
	LINE_TOTALS,
	LINE_VIEWS,
	LINE_HEADINGS,
	LINE_ROWS,
};

static SCREEN *screen;
static bool colors;

static void open_colors(const struct tool *tool)
{
	colors = tool->colors && has_colors() && start_color() == OK;
	if (!colors)
		return;
	use_default_colors();
	init_pair(PAIR_WARNING, COLOR_YELLOW, -1);
	init_pair(PAIR_NOTE, COLOR_CYAN, -1);
}

bool screen_open(const struct tool *tool)
{
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return false;
	atexit(screen_close);
	set_escdelay(25);
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	curs_set(0);
	open_colors(tool);
	return true;
}

void screen_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

/* ---- texts ---- */

/* A character that takes its place and does nothing else. */
static wchar_t harmless(wchar_t wide)
{
	return iswprint(wide) && wcwidth(wide) > 0 ? wide : L'?';
}

/* Decodes one character; returns its bytes. */
static size_t next_character(const char *text, wchar_t *wide)
{
	mbstate_t state = { 0 };
	size_t length = mbrtowc(wide, text, strlen(text), &state);

	if (length == (size_t)-1 || length == (size_t)-2) {
		*wide = L'?';
		return 1;
	}
	*wide = harmless(*wide);
	return length;
}

static int width_of(const char *text)
{
	wchar_t wide;
	int width = 0;

	while (*text) {
		text += next_character(text, &wide);
		width += wcwidth(wide);
	}
	return width;
}

/* As much of a text as fits; returns the columns that it took. */
static int put(int y, int x, int room, const char *text)
{
	int used = 0;
	wchar_t wide;

	if (move(y, x) == ERR)
		return 0;
	if (room > COLS - x)
		room = COLS - x;
	while (*text) {
		text += next_character(text, &wide);
		if (used + wcwidth(wide) > room)
			break;
		addnwstr(&wide, 1);
		used += wcwidth(wide);
	}
	return used;
}

__attribute__((format(printf, 3, 4))) static int print(int y, int x, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return x + put(y, x, COLS, text);
}

static void set_color(int pair, bool on)
{
	chtype look = colors ? COLOR_PAIR(pair) | A_BOLD : A_BOLD;

	if (on)
		attron(look);
	else
		attroff(look);
}

/* ---- the head ---- */

static void draw_title(const struct top *top)
{
	char clock[16];
	struct tm now;
	int x;

	localtime_r(&top->data.when, &now);
	strftime(clock, sizeof(clock), "%H:%M:%S", &now);
	x = print(LINE_TITLE, 0, "dmaheap top  %s  every %u.%us", clock, top->delay / 1000,
		  top->delay % 1000 / 100);
	if (!top->frozen)
		return;
	set_color(PAIR_NOTE, true);
	print(LINE_TITLE, x, "  frozen");
	set_color(PAIR_NOTE, false);
}

static void draw_totals(const struct top *top)
{
	const struct top_totals *totals = &top->data.totals;
	char bytes[SIZE_TEXT], clean[SIZE_TEXT], dirty[SIZE_TEXT];
	int x = print(LINE_TOTALS, 0, "buffers %zu, %s  pool %s clean, %s dirty",
		      totals->buffers, size_text(top->tool, totals->bytes, bytes),
		      size_text(top->tool, totals->clean, clean),
		      size_text(top->tool, totals->dirty, dirty));

	if (totals->complete && !totals->unreadable)
		return;
	set_color(PAIR_WARNING, true);
	if (totals->unreadable)
		print(LINE_TOTALS, x, "  unreadable processes %u", totals->unreadable);
	else
		print(LINE_TOTALS, x, "  not all is seen: see dmaheap doctor");
	set_color(PAIR_WARNING, false);
}

static void draw_views(const struct top *top, size_t shown)
{
	int x = 0;

	for (unsigned int view = 0; view < VIEWS; view++) {
		bool current = view == top->view;

		if (current)
			attron(A_BOLD);
		x = print(LINE_VIEWS, x, "%c%u %s%c ", current ? '[' : ' ', view + 1,
			  top_titles[view], current ? ']' : ' ');
		attroff(A_BOLD);
	}
	if (*top->filter)
		print(LINE_VIEWS, x, " filter: %s  %zu of %zu", top->filter, shown,
		      top->data.views[top->view].count);
}

/* ---- the table ---- */

static bool is_text(const struct column *column)
{
	return column->kind == KIND_TEXT;
}

/* A heading says by which column rows are sorted, and which way: + is upwards. */
static const char *heading(const struct top *top, unsigned int column, char text[TOP_CELL])
{
	const struct column *columns = top_columns[top->view];
	const struct top_order *order = &top->orders[top->view];
	const char *sign = "";

	if (order->column == column)
		sign = is_text(&columns[column]) != order->reverse ? "+" : "-";
	snprintf(text, TOP_CELL, "%s%s", columns[column].name, sign);
	return text;
}

static int width_of_column(const struct top *top, unsigned int column,
			   const struct top_row *const *rows, size_t count)
{
	const struct column *columns = top_columns[top->view];
	/* Room for the sign even if it is elsewhere, so that columns do not move. */
	int most = width_of(columns[column].name) + 1;

	for (size_t i = 0; i < count; i++) {
		char text[SIZE_TEXT];
		int width = width_of(top_cell(top->tool, columns[column].kind,
					      &rows[i]->cells[column], text));

		if (width > most)
			most = width;
	}
	if (!columns[column + 1].name)
		return COLS;
	return is_text(&columns[column]) && most > TEXT_WIDTH_MAX ? TEXT_WIDTH_MAX : most;
}

/* Numbers are put to the right of their column. */
static void put_cell(int y, int x, int width, bool to_the_right, const char *text)
{
	int length = width_of(text);

	if (to_the_right && length < width)
		x += width - length;
	put(y, x, width, text);
}

static void draw_row(const struct top *top, int y, const struct top_row *row,
		     const int *widths)
{
	const struct column *columns = top_columns[top->view];
	int x = 0;

	for (unsigned int i = 0; columns[i].name && x < COLS; i++) {
		char text[SIZE_TEXT];

		put_cell(y, x, widths[i], !is_text(&columns[i]),
			 top_cell(top->tool, columns[i].kind, &row->cells[i], text));
		x += widths[i] + 1;
	}
}

static void draw_headings(const struct top *top, const int *widths)
{
	const struct column *columns = top_columns[top->view];
	int x = 0;

	attron(A_REVERSE);
	mvhline(LINE_HEADINGS, 0, ' ', COLS);
	for (unsigned int i = 0; columns[i].name && x < COLS; i++) {
		char text[TOP_CELL];

		put_cell(LINE_HEADINGS, x, widths[i], !is_text(&columns[i]),
			 heading(top, i, text));
		x += widths[i] + 1;
	}
	attroff(A_REVERSE);
}

static void draw_table(struct top *top, const struct top_row *const *rows, size_t count)
{
	int widths[TOP_COLUMNS_MAX];

	for (unsigned int i = 0; top_columns[top->view][i].name; i++)
		widths[i] = width_of_column(top, i, rows, count);
	if (LINES > LINE_HEADINGS)
		draw_headings(top, widths);
	/* There may be fewer rows than there were. */
	if (top->first >= count)
		top->first = count ? count - 1 : 0;
	for (size_t i = 0; i < top->page && top->first + i < count; i++)
		draw_row(top, LINE_ROWS + (int)i, rows[top->first + i], widths);
	if (!count)
		print(LINE_ROWS, 0,
		      *top->filter ? "nothing matches the filter" : "there is nothing");
}

/* ---- the foot ---- */

static void draw_prompt(const char *question, const struct top *top)
{
	int x = print(LINES - 1, 0, "%s%s", question, top->input);

	print(LINES - 1, x, "_");
}

static void draw_foot(const struct top *top)
{
	if (top->prompt == PROMPT_FILTER)
		draw_prompt("filter: ", top);
	else if (top->prompt == PROMPT_DELAY)
		draw_prompt("seconds between updates: ", top);
	else if (*top->complaint)
		print(LINES - 1, 0, "%s", top->complaint);
	else
		print(LINES - 1, 0,
		      "q quit  Tab view  s sort  r reverse  / filter  space %s  "
		      "d delay  h help",
		      top->frozen ? "go on" : "freeze");
}

static const char *const help[] = {
	"q            quit",
	"1 2 3 Tab    heaps, buffers, processes, the next of them",
	"s > <        sort by the next column, or the one before",
	"r            reverse",
	"/            show only rows that have some text in them; Esc: all",
	"space        freeze, and go on",
	"d            seconds between updates",
	"up down      scroll; also by pages, Home, End",
};

static void draw_help(const struct top *top)
{
	const struct column *columns = top_columns[top->view];
	int y = 0;

	for (size_t i = 0; i < ARRAY_SIZE(help); i++)
		print(y++, 0, "%s", help[i]);
	print(++y, 0, "Columns of %s:", top_titles[top->view]);
	for (unsigned int i = 0; columns[i].name; i++)
		print(++y, 2, "%-11s%s", columns[i].name, columns[i].help);
	if (LINES > y + 1)
		print(LINES - 1, 0, "any key goes back");
}

static void draw_all(struct top *top)
{
	const struct top_row **rows;
	size_t count = top_select(top, &rows);

	draw_title(top);
	draw_totals(top);
	draw_views(top, count);
	draw_table(top, rows, count);
	free(rows);
}

void screen_draw(struct top *top)
{
	/* The last line is the foot's. */
	top->page = LINES > LINE_ROWS + 1 ? LINES - LINE_ROWS - 1 : 0;
	erase();
	if (top->help)
		draw_help(top);
	else
		draw_all(top);
	if (!top->help && (LINES > LINE_ROWS || top->prompt)) {
		move(LINES - 1, 0);
		clrtoeol();
		draw_foot(top);
	}
	refresh();
}
