// SPDX-License-Identifier: GPL-2.0-only
/* What goes to standard error, and the exit codes that go with it. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/**
 * struct consequence - what an error means to who called the tool
 * @err:	negative errno
 * @status:	exit code
 * @remedy:	what to do, or NULL
 */
struct consequence {
	int err;
	enum tool_exit status;
	const char *remedy;
};

static const struct consequence consequences[] = {
	{ -ENOSYS, TOOL_MISSING, "load a heap: modprobe dmaheap_system; see dmaheap doctor" },
	{ -ENOENT, TOOL_MISSING, "see dmaheap list" },
	{ -ENODEV, TOOL_MISSING, "see dmaheap list" },
	{ -EACCES, TOOL_PERMISSION, "run it as root, or see dmaheap doctor" },
	{ -EPERM, TOOL_PERMISSION, "run it as root, or see dmaheap doctor" },
	{ -ENOMEM, TOOL_FAILED, "ask for less, or of another heap; see dmaheap buffers" },
	{ -EMFILE, TOOL_FAILED, "allow more open files: ulimit -n" },
};

/* What the user gave may come from anywhere, and standard error is a terminal, mostly. */
static void say(const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, stderr);
}

/* "dmaheap: ...", as one line */
__attribute__((format(printf, 1, 0))) static void say_line(const char *format,
							   va_list arguments)
{
	char *text;

	tool_memory(vasprintf(&text, format, arguments) < 0 ? NULL : text);
	say("dmaheap: ");
	say(text_valid(text));
	fputc('\n', stderr);
	free(text);
}

void tool_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_line(format, arguments);
	va_end(arguments);
}

static const struct consequence *consequence_of(int err)
{
	static const struct consequence other = { 0, TOOL_FAILED, NULL };

	for (size_t i = 0; i < ARRAY_SIZE(consequences); i++) {
		if (consequences[i].err == err)
			return &consequences[i];
	}
	return &other;
}

int tool_exit_code(int err)
{
	return consequence_of(err)->status;
}

int tool_fail(const struct tool *tool, int err)
{
	const struct consequence *consequence = consequence_of(err);
	const char *message = dmaheap_message(tool->context), *remedy = consequence->remedy;

	if (!*message)
		message = strerror(-err);
	/* Where the library knows what to do, it has said so. */
	if (strchr(message, ';'))
		remedy = NULL;
	tool_note("%s%s%s", message, remedy ? "; " : "", remedy ? remedy : "");
	return consequence->status;
}

int tool_error(int err, const char *step, const char *object, const char *remedy)
{
	tool_note("%s: %s: %s%s%s", step, object, strerror(-err), remedy ? "; " : "",
		  remedy ? remedy : "");
	return tool_exit_code(err);
}

int tool_usage(const struct tool *tool, const char *format, ...)
{
	const char *verb = tool->verb ? tool->verb->name : "";
	va_list arguments;
	char *text;

	va_start(arguments, format);
	tool_memory(vasprintf(&text, format, arguments) < 0 ? NULL : text);
	va_end(arguments);
	tool_note("%s%s%s; see dmaheap %s%s--help", verb, *verb ? ": " : "", text, verb,
		  *verb ? " " : "");
	free(text);
	return TOOL_USAGE;
}

bool tool_is_heap_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/') && strlen(name) <= NAME_MAX;
}

int tool_check_heap_name(const struct tool *tool, const char *name)
{
	return tool_is_heap_name(name) ? TOOL_GO :
					 tool_usage(tool, "'%s' is no name of a heap", name);
}

int tool_flush(void)
{
	static int first;

	if (!first && fflush(stdout))
		first = -errno;
	return first;
}

void *tool_memory(void *memory)
{
	if (!memory) {
		tool_note("%s", strerror(ENOMEM));
		exit(TOOL_FAILED);
	}
	return memory;
}

static const struct {
	enum dmaheap_gap gap;
	const char *text;
} gaps[] = {
	{ DMAHEAP_GAP_PROC,
	  "who holds buffers is not all known: /proc lists not all processes" },
	{ DMAHEAP_GAP_NAMESPACE, "processes outside of this container are not seen" },
	{ DMAHEAP_GAP_UNHELD,
	  "not all buffers are known: no debugfs, or not as root; see doctor" },
	{ DMAHEAP_GAP_LINES, "debugfs has lines that this version does not know" },
};

int tool_look_status(const struct dmaheap_look *look, bool only_processes)
{
	const unsigned int of_processes =
		DMAHEAP_GAP_UNREADABLE | DMAHEAP_GAP_PROC | DMAHEAP_GAP_NAMESPACE;
	unsigned int unreadable = dmaheap_look_unreadable(look);
	unsigned int found = dmaheap_look_gaps(look);

	if (only_processes)
		found &= of_processes;
	if (found & DMAHEAP_GAP_UNREADABLE)
		tool_note("look: %u process%s could not be read; run it as root", unreadable,
			  unreadable == 1 ? "" : "es");
	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
		if (found & gaps[i].gap)
			tool_note("look: %s", gaps[i].text);
	}
	return found ? TOOL_PARTIAL : TOOL_DONE;
}
