/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines of trace_pipe. */
#ifndef TOOL_EVENTS_H
#define TOOL_EVENTS_H

#include "tool.h"

/* Values of an event, as columns. */
enum {
	EVENT_MOMENT,
	EVENT_NAME,
	EVENT_PID,
	EVENT_COMMAND,
	EVENT_INODE,
	EVENT_SIZE,
	EVENT_HEAP,
	EVENT_MORE,
	EVENT_COLUMNS,
};

/*
 * Takes a line apart, in place; the values point into it.  What has no column goes to @more.
 * False: it is no event
 */
bool event_parse(char *line, struct value row[EVENT_COLUMNS], struct list *more);

#endif /* TOOL_EVENTS_H */
