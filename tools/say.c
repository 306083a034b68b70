// SPDX-License-Identifier: GPL-2.0-only
/* What goes to standard error, and the exit codes that go with it. */
#include <errno.h>
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
	fprintf(stderr, "dmaheap: %s%s%s\n", message, remedy ? "; " : "",
		remedy ? remedy : "");
	return consequence->status;
}

int tool_error(int err, const char *step, const char *object, const char *remedy)
{
	fprintf(stderr, "dmaheap: %s: %s: %s%s%s\n", step, object, strerror(-err),
		remedy ? "; " : "", remedy ? remedy : "");
	return tool_exit_code(err);
}

int tool_usage(const struct tool *tool, const char *format, ...)
{
	const char *verb = tool->verb ? tool->verb->name : "";
	va_list arguments;

	fprintf(stderr, "dmaheap: %s%s", verb, *verb ? ": " : "");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "; see dmaheap %s%s--help\n", verb, *verb ? " " : "");
	return TOOL_USAGE;
}

void tool_note(const char *format, ...)
{
	va_list arguments;

	fputs("dmaheap: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
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

int tool_look_status(const struct dmaheap_look *look, bool only_processes)
{
	unsigned int unreadable = dmaheap_look_unreadable(look);

	if (unreadable)
		tool_note("look: %u process%s could not be read; run it as root", unreadable,
			  unreadable == 1 ? "" : "es");
	if (only_processes || dmaheap_look_is_complete(look))
		return unreadable ? TOOL_PARTIAL : TOOL_DONE;
	if (!(dmaheap_look_sources(look) & (DMAHEAP_SOURCE_DMAHEAP | DMAHEAP_SOURCE_BUFINFO)))
		tool_note("look: debugfs could not be read: buffers that no process holds are "
			  "not known; run it as root, with debugfs mounted");
	else if (!unreadable)
		tool_note(
			"look: processes of other PID namespaces are not seen; run it outside");
	return TOOL_PARTIAL;
}
