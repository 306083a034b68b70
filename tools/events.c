// SPDX-License-Identifier: GPL-2.0-only
/* Lines of trace_pipe: "  COMMAND-PID  [CPU] FLAGS SECONDS: EVENT: KEY=VALUE ...". */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "events.h"

/* The blank before "[CPU]", after "-PID".  A command may look like much, but hardly like that. */
static char *find_cpu(char *line)
{
	for (char *at = line; (at = strstr(at, " [")); at++) {
		char *end = at + 2 + strspn(at + 2, "0123456789");
		char *before = at;

		while (before > line && *before == ' ')
			before--;
		if (end > at + 2 && *end == ']' && isdigit((unsigned char)*before))
			return at;
	}
	return NULL;
}

/* "   COMMAND-PID   "; a command may have dashes of its own. */
static bool parse_process(char *text, struct value *row)
{
	size_t length = strlen(text);
	uint64_t pid;
	char *dash;

	while (length && text[length - 1] == ' ')
		text[--length] = '\0';
	dash = strrchr(text, '-');
	if (!dash || parse_number(dash + 1, UINT64_MAX, &pid))
		return false;
	*dash = '\0';
	row[EVENT_PID] = value_number(pid);
	row[EVENT_COMMAND] = value_text(text + strspn(text, " "));
	return true;
}

static void parse_pair(char *pair, struct value *row, struct list *more)
{
	char *value = strchr(pair, '=');
	uint64_t number;

	if (value && !strncmp(pair, "heap=", 5))
		row[EVENT_HEAP] = value_text(value + 1);
	else if (value && !strncmp(pair, "ino=", 4) &&
		 !parse_number(value + 1, UINT64_MAX, &number))
		row[EVENT_INODE] = value_number(number);
	else if (value && !strncmp(pair, "len=", 4) &&
		 !parse_number(value + 1, UINT64_MAX, &number))
		row[EVENT_SIZE] = value_number(number);
	else if (*pair)
		list_add(more, "%s", pair);
}

/* "FLAGS SECONDS.MICROSECONDS: EVENT: " before the pairs. */
static char *parse_head(char *text, struct value *row)
{
	static const char prefix[] = "dmaheap_";
	unsigned long long seconds;
	unsigned int microseconds;
	int name = 0, end = 0;

	if (sscanf(text, " %*s %llu.%6u: %n%*[^:]:%n", &seconds, &microseconds, &name, &end) !=
		    2 ||
	    !end)
		return NULL;
	text[end - 1] = '\0';
	row[EVENT_MOMENT] = value_number(seconds * 1000000 + microseconds);
	row[EVENT_NAME] = value_text(
		text + name +
		(strncmp(text + name, prefix, strlen(prefix)) ? 0 : strlen(prefix)));
	return text + end;
}

bool event_parse(char *line, struct value row[EVENT_COLUMNS], struct list *more)
{
	char *cpu = find_cpu(line), *rest, *pair;

	if (!cpu)
		return false;
	*cpu = '\0';
	rest = parse_head(strchr(cpu + 1, ']') + 1, row);
	if (!rest || !parse_process(line, row))
		return false;
	while ((pair = strsep(&rest, " ")))
		parse_pair(pair, row, more);
	return true;
}
