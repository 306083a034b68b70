// SPDX-License-Identifier: GPL-2.0-only
/* Figures and words for people. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* Tenths of @unit, rounded; without overflow. */
static uint64_t tenths(uint64_t number, uint64_t unit)
{
	return number / unit * 10 + (number % unit * 10 + unit / 2) / unit;
}

static void print_tenths(uint64_t number, const char *unit, char text[SIZE_TEXT])
{
	if (number % 10)
		snprintf(text, SIZE_TEXT, "%" PRIu64 ".%u%s", number / 10,
			 (unsigned int)(number % 10), unit);
	else
		snprintf(text, SIZE_TEXT, "%" PRIu64 "%s", number / 10, unit);
}

char *size_text(const struct tool *tool, uint64_t bytes, char text[SIZE_TEXT])
{
	static const char *const units[] = { "B", "K", "M", "G", "T", "P" };
	unsigned int i = 0;

	if (tool->bytes) {
		snprintf(text, SIZE_TEXT, "%" PRIu64, bytes);
		return text;
	}
	/* What would be rounded to 1024 of a unit is 1 of the next. */
	while (i + 1 < ARRAY_SIZE(units) && tenths(bytes, UINT64_C(1) << 10 * i) >= 10240)
		i++;
	print_tenths(tenths(bytes, UINT64_C(1) << 10 * i), units[i], text);
	return text;
}

char *time_text(uint64_t nanoseconds, char text[SIZE_TEXT])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	uint64_t unit = 1;
	unsigned int i = 0;

	while (i + 1 < ARRAY_SIZE(units) && tenths(nanoseconds, unit) >= 10000) {
		unit *= 1000;
		i++;
	}
	print_tenths(tenths(nanoseconds, unit), units[i], text);
	return text;
}

/* Bytes of the character of UTF-8 that a text begins with; 0: it is none. */
static size_t character_length(const unsigned char *text)
{
	static const uint32_t least_of[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = *text < 0x80 ? 1 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;
	uint32_t character = *text & (0xff >> (length + 1));

	if (length == 1)
		return 1;
	if (*text < 0xc0 || *text >= 0xf8)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (text[i] & 0x3f);
	}
	/* Each has one form only, and halves of UTF-16 are none. */
	if (character < least_of[length] || character > 0x10ffff ||
	    character >> 11 == 0xd800 >> 11)
		return 0;
	return length;
}

char *text_valid(char *text)
{
	for (char *at = text; *at;) {
		size_t length = character_length((const unsigned char *)at);

		if (!length)
			*at = '?';
		at += length ? length : 1;
	}
	return text;
}

/* A word that is longer than a line stays whole. */
char *text_fold(char *text, size_t width)
{
	char *line = text, *blank = NULL;

	for (char *at = text; *at; at++) {
		if (blank && (size_t)(at - line) >= width) {
			*blank = '\n';
			line = blank + 1;
			blank = NULL;
		}
		if (*at == ' ')
			blank = at;
	}
	return text;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Row by row of the table of distances between beginnings; one row is kept. */
unsigned int text_distance(const char *a, const char *b)
{
	size_t length = strlen(b);
	unsigned int *row = tool_memory(calloc(length + 1, sizeof(*row)));
	unsigned int result;

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			unsigned int above = row[j];

			row[j] = least(least(above, row[j - 1]) + 1,
				       diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	result = row[length];
	free(row);
	return result;
}
