// SPDX-License-Identifier: LGPL-2.1-or-later
/* What debugfs knows: all buffers, also those that no process holds. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "look.h"

/* ---- dmaheap/buffers ---- */

/* Columns of the table, as in docs/abi.md; all from the last one on are devices. */
enum { INODE, SIZE, HEAP, NAME, PID, COMMAND, VMAP, DEVICES = 12, NR_COLUMNS };

/* Splits at blanks; the last column is all the rest.  Returns how many there are. */
static int split(char *line, char *columns[NR_COLUMNS])
{
	int count = 0;
	char *end;

	while (count < NR_COLUMNS - 1 && (end = strchr(line, ' '))) {
		*end = '\0';
		columns[count++] = line;
		line = end + 1;
		line += strspn(line, " ");
	}
	columns[count++] = line;
	return count;
}

/* "" for a column that has nothing in it. */
static char *text_of(char *column)
{
	if (!strcmp(column, "-"))
		return column + 1;
	look_unescape(column);
	return column;
}

static void add_devices(struct dmaheap_look *look, struct look_buffer *buffer, char *devices)
{
	char *rest = NULL, *device;

	/* Devices that another buffer of the same inode had, on a line before. */
	buffer->info.devices_count = 0;
	buffer->devices_known = true;
	if (!strcmp(devices, "-"))
		return;
	for (device = strtok_r(devices, " ", &rest); device;
	     device = strtok_r(NULL, " ", &rest)) {
		look_unescape(device);
		look_add_device(look, buffer, device);
	}
}

/**
 * struct buffers - where in the table the rows are
 * @look:	to add to
 * @is_first:	whether it is the line with the names of the columns
 */
struct buffers {
	struct dmaheap_look *look;
	bool is_first;
};

static void read_row(void *state, char *line)
{
	struct buffers *at = state;
	struct dmaheap_look *look = at->look;
	char *columns[NR_COLUMNS];
	uint64_t inode, size, pid, vmap;
	struct look_buffer *buffer;
	bool is_heading = at->is_first && !strncmp(line, "INODE ", 6);

	at->is_first = false;
	if (split(line, columns) < NR_COLUMNS ||
	    !look_number(&columns[INODE], 10, '\0', &inode) ||
	    !look_number(&columns[SIZE], 10, '\0', &size) ||
	    !look_number(&columns[PID], 10, '\0', &pid) || pid > INT_MAX || !inode ||
	    !look_number(&columns[VMAP], 10, '\0', &vmap) || vmap > UINT_MAX) {
		if (!is_heading)
			look->gaps |= DMAHEAP_GAP_LINES;
		return;
	}
	buffer = look_add(look, inode, DMAHEAP_SOURCE_DMAHEAP);
	if (!buffer)
		return;
	buffer->info.size = size;
	buffer->info.allocator = (pid_t)pid;
	buffer->info.kernel_mappings = (unsigned int)vmap;
	look_set_name(look, buffer, text_of(columns[NAME]), true);
	/* The exporter goes by the name of the heap. */
	if (*text_of(columns[HEAP])) {
		look_set_exporter(look, buffer, columns[HEAP]);
		buffer->info.heap = look_keep(look, columns[HEAP]);
	}
	if (*text_of(columns[COMMAND]))
		buffer->info.command = look_keep(look, columns[COMMAND]);
	add_devices(look, buffer, columns[DEVICES]);
}

/* ---- dma_buf/bufinfo ---- */

/**
 * struct bufinfo - where in the list the lines are
 * @look:	to add to
 * @buffer:	that the lines are about; NULL: none that is known
 * @is_devices:	whether they are its devices
 * @count:	buffers up to here
 * @total:	as the kernel counts them at the end; -1: it has not done so yet
 */
struct bufinfo {
	struct dmaheap_look *look;
	struct look_buffer *buffer;
	bool is_devices;
	long count;
	long total;
};

/*
 * A column of 8 digits or more.  A name may have newlines and tabs in it, but is too short to
 * look like a line of five such columns.
 */
static bool wide_number(char **text, int base, uint64_t *number)
{
	const char *start = *text;

	return look_number(text, base, '\t', number) && *text - start > 8;
}

/* size, flags, mode, count, exporter, inode, name; split by tabs */
static bool parse_object(char *line, uint64_t *size, char **exporter, uint64_t *inode,
			 char **name)
{
	uint64_t ignored;
	char *end;

	if (!wide_number(&line, 10, size) || !wide_number(&line, 16, &ignored) ||
	    !wide_number(&line, 16, &ignored) || !wide_number(&line, 10, &ignored))
		return false;
	end = strchr(line, '\t');
	if (!end || end == line)
		return false;
	*exporter = line;
	*end = '\0';
	line = end + 1;
	if (!wide_number(&line, 10, inode) || !*inode)
		return false;
	*name = strcmp(line, "<none>") ? line : line + strlen(line);
	return true;
}

static bool read_object(struct bufinfo *at, char *line)
{
	char *exporter, *name;
	uint64_t size, inode;

	if (!parse_object(line, &size, &exporter, &inode, &name))
		return false;
	at->is_devices = false;
	at->count++;
	at->buffer = look_add(at->look, inode, DMAHEAP_SOURCE_BUFINFO);
	if (!at->buffer)
		return true;
	if (!at->buffer->info.size)
		at->buffer->info.size = size;
	look_set_exporter(at->look, at->buffer, exporter);
	look_set_name(at->look, at->buffer, name, false);
	return true;
}

/* A name may look like this, too, but the real one comes last. */
static void read_total(struct bufinfo *at, const char *line)
{
	int end = 0;
	long total;

	if (sscanf(line, "Total %ld objects,%n", &total, &end) == 1 && end)
		at->total = total;
}

static void read_bufinfo_line(void *state, char *line)
{
	struct bufinfo *at = state;

	read_total(at, line);
	/* Ours says more of them: their drivers, too. */
	if (*line != '\t' && read_object(at, line))
		return;
	if (!at->buffer || at->buffer->info.sources & DMAHEAP_SOURCE_DMAHEAP)
		return;
	/* A name may look like this, or like devices, but comes before the real ones. */
	if (!strcmp(line, "\tAttached Devices:")) {
		at->is_devices = true;
		at->buffer->devices_known = true;
		at->buffer->info.devices_count = 0;
	} else if (*line != '\t') {
		at->is_devices = false;
	} else if (at->is_devices && line[1]) {
		look_add_device(at->look, at->buffer, line + 1);
	}
}

/* ---- both ---- */

static void read_file(struct dmaheap_look *look, const char *file, look_line_fn *each,
		      void *state, enum dmaheap_source source)
{
	char *path = context_path(look->context, DMAHEAP_ROOT_DEBUG, "%s", file);
	int err = path ? look_lines(AT_FDCWD, path, each, state) : -ENOMEM;

	if (err >= 0)
		look->sources |= source;
	else
		look_ran_out(look, err);
	if (err > 0)
		look->gaps |= DMAHEAP_GAP_LINES;
	free(path);
}

void look_read_debugfs(struct dmaheap_look *look)
{
	struct buffers ours = { .look = look, .is_first = true };
	struct bufinfo all = { .look = look, .total = -1 };

	read_file(look, "dmaheap/buffers", read_row, &ours, DMAHEAP_SOURCE_DMAHEAP);
	read_file(look, "dma_buf/bufinfo", read_bufinfo_line, &all, DMAHEAP_SOURCE_BUFINFO);
	if ((look->sources & DMAHEAP_SOURCE_DMAHEAP && ours.is_first) ||
	    (look->sources & DMAHEAP_SOURCE_BUFINFO && all.total != all.count))
		look->gaps |= DMAHEAP_GAP_LINES;
}
