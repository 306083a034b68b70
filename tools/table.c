// SPDX-License-Identifier: GPL-2.0-only
/* Tables, by libsmartcols: for people, for scripts, as JSON. */
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

/**
 * struct table - rows, on their way to standard output
 * @tool:	whose columns and options they are
 * @style:	&enum table_style
 * @lines:	libsmartcols's table
 * @rows:	how many were added
 */
struct table {
	const struct tool *tool;
	enum table_style style;
	struct libscols_table *lines;
	size_t rows;
};

static bool is_upright(const struct table *table)
{
	return table->style == TABLE_UPRIGHT && !table->tool->json;
}

static bool is_stream(const struct table *table)
{
	return table->style == TABLE_STREAM && !table->tool->json;
}

static bool is_number(enum kind kind)
{
	return kind >= KIND_NUMBER;
}

/* On a terminal, long texts get several lines; 0: they need none. */
static size_t fold_width(const struct table *table)
{
	/* Of half of what two short columns leave. */
	static const size_t short_columns = 24;
	size_t width = scols_table_get_termwidth(table->lines);

	if (table->style != TABLE_WRAPPED || table->tool->json || table->tool->raw ||
	    !isatty(STDOUT_FILENO))
		return 0;
	return width > 2 * short_columns ? (width - short_columns) / 2 : short_columns;
}

static int flags_of(const struct table *table, enum kind kind)
{
	int flags = table->style == TABLE_STREAM ? SCOLS_FL_STRICTWIDTH : 0;

	if (is_number(kind))
		return flags | SCOLS_FL_RIGHT;
	if (kind == KIND_TEXT && table->style == TABLE_WRAPPED)
		return flags | SCOLS_FL_WRAP;
	return flags | (kind == KIND_TEXT || kind == KIND_LIST ? SCOLS_FL_TRUNC : 0);
}

/* What is no text is written to JSON as it is. */
static int json_type(enum kind kind)
{
	return kind == KIND_TEXT || kind == KIND_WORD ? SCOLS_JSON_STRING : SCOLS_JSON_NUMBER;
}

static void add_column(struct table *table, const struct column *column)
{
	/* A width below 1 would be a part of the terminal's. */
	struct libscols_column *made = scols_table_new_column(
		table->lines, column->name, column->width ? column->width : 1,
		flags_of(table, column->kind));

	tool_memory(made);
	scols_column_set_json_type(made, json_type(column->kind));
	if (!fold_width(table))
		return;
	scols_column_set_wrapfunc(made, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
	scols_column_set_safechars(made, "\n");
}

static void add_columns(struct table *table)
{
	const struct tool *tool = table->tool;

	if (is_upright(table)) {
		tool_memory(scols_table_new_column(table->lines, "FIELD", 1, 0));
		tool_memory(scols_table_new_column(table->lines, "VALUE", 1, SCOLS_FL_TRUNC));
		return;
	}
	for (unsigned int i = 0; i < tool->selected_count; i++)
		add_column(table, &tool->columns[tool->selected[i]]);
}

struct table *table_new(const struct tool *tool, enum table_style style)
{
	struct table *table = tool_memory(calloc(1, sizeof(*table)));

	table->tool = tool;
	table->style = style;
	table->lines = tool_memory(scols_new_table());
	scols_table_set_name(table->lines, tool->verb->name);
	scols_table_enable_json(table->lines, tool->json);
	scols_table_enable_raw(table->lines, tool->raw);
	scols_table_enable_noheadings(table->lines, tool->noheadings);
	scols_table_enable_colors(table->lines, tool->colors);
	add_columns(table);
	return table;
}

/* ---- cells ---- */

static void print_change(const struct tool *tool, int64_t change, bool size,
			 char text[SIZE_TEXT])
{
	char digits[SIZE_TEXT];
	uint64_t distance = change < 0 ? -(uint64_t)change : (uint64_t)change;

	if (size)
		size_text(tool, distance, digits);
	else
		snprintf(digits, sizeof(digits), "%" PRIu64, distance);
	snprintf(text, SIZE_TEXT, "%s%.*s",
		 change < 0 ? "-" :
		 change	    ? "+" :
			      "",
		 SIZE_TEXT - 2, digits);
}

static void print_number(const struct tool *tool, enum kind kind, uint64_t number,
			 char text[SIZE_TEXT])
{
	bool plain = tool->json || kind == KIND_NUMBER || (kind == KIND_TIME && tool->raw);

	if (kind == KIND_BOOLEAN)
		strcpy(text, tool->json ? (number ? "true" : "false") : number ? "yes" : "no");
	else if (kind == KIND_MOMENT)
		snprintf(text, SIZE_TEXT, "%" PRIu64 ".%06u", number / 1000000,
			 (unsigned int)(number % 1000000));
	else if (plain && (kind == KIND_CHANGE || kind == KIND_SIZE_CHANGE))
		snprintf(text, SIZE_TEXT, "%" PRId64, (int64_t)number);
	else if (plain)
		snprintf(text, SIZE_TEXT, "%" PRIu64, number);
	else if (kind == KIND_SIZE)
		size_text(tool, number, text);
	else if (kind == KIND_TIME)
		time_text(number, text);
	else
		print_change(tool, number, kind == KIND_SIZE_CHANGE, text);
}

static void write_json_string(FILE *to, const char *text, size_t length)
{
	fputc('"', to);
	for (; length; text++, length--) {
		if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\')
			fprintf(to, "\\u%04x", *text);
		else
			fputc(*text, to);
	}
	fputc('"', to);
}

static char *list_as_json(const char *text)
{
	char *json;
	size_t size;
	FILE *to = tool_memory(open_memstream(&json, &size));
	const char *before = "[";

	for (; *text; before = ",") {
		size_t length = strcspn(text, "\n");

		fputs(before, to);
		write_json_string(to, text, length);
		text += length + (text[length] == '\n');
	}
	fputs(*before == '[' ? "[]" : "]", to);
	fclose(to);
	return tool_memory(json);
}

static char *list_as_text(const char *list)
{
	char *text = tool_memory(strdup(*list ? list : "-"));

	for (char *at = text; (at = strchr(at, '\n'));)
		*at = ',';
	return text;
}

/* To be freed.  In JSON, no text at all is null. */
static char *cell_text(const struct tool *tool, enum kind kind, const struct value *value)
{
	char number[SIZE_TEXT];

	if (!value->known)
		return tool_memory(strdup(tool->json ? "" : "-"));
	if (kind == KIND_LIST)
		return tool->json ? list_as_json(value->text) : list_as_text(value->text);
	/* Nothing between two blanks would shift the columns behind it. */
	if (kind == KIND_TEXT || kind == KIND_WORD)
		return tool_memory(strdup(tool->raw && !*value->text ? "-" : value->text));
	print_number(tool, kind, value->number, number);
	return tool_memory(strdup(number));
}

static void set_cell(struct table *table, struct libscols_line *line, size_t place,
		     enum kind kind, const struct value *value)
{
	char *text = table->tool->json ? text_valid(cell_text(table->tool, kind, value)) :
					 cell_text(table->tool, kind, value);
	struct libscols_cell *cell = tool_memory(scols_line_get_cell(line, place));
	size_t fold = kind == KIND_TEXT ? fold_width(table) : 0;

	if (fold)
		text_fold(text, fold);
	if (scols_cell_refer_data(cell, text))
		tool_memory(NULL);
	if (value->color && table->tool->colors)
		scols_cell_set_color(cell, value->color);
}

static struct libscols_line *new_line(struct table *table)
{
	return tool_memory(scols_table_new_line(table->lines, NULL));
}

static void add_upright(struct table *table, const struct value *values)
{
	const struct tool *tool = table->tool;

	for (unsigned int i = 0; i < tool->selected_count; i++) {
		const struct column *column = &tool->columns[tool->selected[i]];
		struct libscols_line *line = new_line(table);

		if (scols_line_set_data(line, 0, column->name))
			tool_memory(NULL);
		set_cell(table, line, 1, column->kind, &values[tool->selected[i]]);
	}
}

/* The heading is written once, before the first. */
static void write_at_once(struct table *table)
{
	scols_table_print_range(table->lines, NULL, NULL);
	scols_table_remove_lines(table->lines);
	putchar('\n');
	tool_flush();
}

void table_add(struct table *table, const struct value *values)
{
	const struct tool *tool = table->tool;
	struct libscols_line *line;

	table->rows++;
	if (is_upright(table)) {
		add_upright(table, values);
		return;
	}
	line = new_line(table);
	for (unsigned int i = 0; i < tool->selected_count; i++)
		set_cell(table, line, i, tool->columns[tool->selected[i]].kind,
			 &values[tool->selected[i]]);
	if (is_stream(table))
		write_at_once(table);
}

size_t table_rows(const struct table *table)
{
	return table->rows;
}

void table_finish(struct table *table)
{
	if (!is_stream(table))
		scols_print_table(table->lines);
	tool_flush();
	scols_unref_table(table->lines);
	free(table);
}

/* ---- lists ---- */

void list_open(struct list *list)
{
	list->stream = tool_memory(open_memstream(&list->text, &list->size));
}

void list_add(struct list *list, const char *format, ...)
{
	va_list arguments;
	char *word, *at;

	va_start(arguments, format);
	if (vasprintf(&word, format, arguments) < 0)
		word = tool_memory(NULL);
	va_end(arguments);
	/* A newline of its own would make two words of it. */
	for (at = word; (at = strchr(at, '\n'));)
		*at = '?';
	if (ftell(list->stream))
		fputc('\n', list->stream);
	fputs(word, list->stream);
	free(word);
}

struct value list_value(struct list *list)
{
	fflush(list->stream);
	return value_text(tool_memory(list->text));
}

char *list_join(struct list *list, const char *between)
{
	const char *words = list_value(list).text;
	char *text;
	size_t size;
	FILE *to = tool_memory(open_memstream(&text, &size));

	for (; *words; words++) {
		if (*words == '\n')
			fputs(between, to);
		else
			fputc(*words, to);
	}
	fclose(to);
	return tool_memory(text);
}

void list_free(struct list *list)
{
	fclose(list->stream);
	free(list->text);
}

char *list_of_commas(char *text)
{
	for (char *at = text; (at = strchr(at, ','));)
		*at = '\n';
	return text;
}
