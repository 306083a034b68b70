// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap demo: a buffer, from one process to another. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

enum {
	STEP,
	WHAT,
	COLUMNS,
};

static const struct column columns[] = {
	[STEP] = { "STEP", KIND_WORD, SHOWN, 9, "what is tried" },
	[WHAT] = { "WHAT", KIND_TEXT, SHOWN, 0, "what came of it" },
	{ NULL },
};

#define DEMO_SIZE (1 << 20)

/**
 * struct verdict - what the other process says
 * @err:	negative errno of the library; 0: it has seen the bytes
 * @inode:	of the buffer that it got
 * @wrong:	how many bytes were not as they should be
 */
struct verdict {
	int err;
	uint64_t inode;
	uint64_t wrong;
};

__attribute__((format(printf, 3, 4))) static void say(struct table *table, const char *step,
						      const char *format, ...)
{
	struct value row[COLUMNS] = { [STEP] = value_text(step) };
	va_list arguments;
	char *what;
	int length;

	va_start(arguments, format);
	length = vasprintf(&what, format, arguments);
	va_end(arguments);
	row[WHAT] = value_text(tool_memory(length < 0 ? NULL : what));
	table_add(table, row);
	free(what);
}

/* Such that bytes in the wrong place are seen. */
static unsigned char byte_at(size_t offset)
{
	return (offset * UINT64_C(2654435761)) >> 24;
}

static void fill_bytes(unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
}

static uint64_t count_wrong(const unsigned char *bytes, size_t size)
{
	uint64_t wrong = 0;

	for (size_t i = 0; i < size; i++)
		wrong += bytes[i] != byte_at(i);
	return wrong;
}

/* ---- the other process ---- */

static int check_buffer(struct dmaheap_buffer *buffer, uint64_t *wrong)
{
	void *bytes;
	int err = dmaheap_buffer_map(buffer, DMAHEAP_READ, &bytes);

	if (!err)
		err = dmaheap_buffer_begin(buffer, DMAHEAP_READ);
	if (err)
		return err;
	*wrong = count_wrong(bytes, dmaheap_buffer_size(buffer));
	return dmaheap_buffer_end(buffer, DMAHEAP_READ);
}

/* With a context of its own: that of the other is the other's. */
static struct verdict judge(int socket)
{
	struct verdict verdict = { 0 };
	struct dmaheap_buffer *buffer;
	struct dmaheap *context;

	verdict.err = dmaheap_new(&context);
	if (verdict.err)
		return verdict;
	verdict.err = dmaheap_buffer_receive(context, socket, &buffer);
	if (!verdict.err) {
		verdict.inode = dmaheap_buffer_inode(buffer);
		verdict.err = check_buffer(buffer, &verdict.wrong);
		dmaheap_buffer_free(buffer);
	}
	dmaheap_free(context);
	return verdict;
}

static pid_t start_other(const int sockets[2])
{
	struct verdict verdict;
	pid_t pid = fork();

	if (pid)
		return pid;
	close(sockets[0]);
	verdict = judge(sockets[1]);
	_exit(write(sockets[1], &verdict, sizeof(verdict)) != sizeof(verdict));
}

/* ---- this process ---- */

static int fill(struct dmaheap_buffer *buffer)
{
	void *bytes;
	int err = dmaheap_buffer_map(buffer, DMAHEAP_READ_WRITE, &bytes);

	if (!err)
		err = dmaheap_buffer_begin(buffer, DMAHEAP_WRITE);
	if (err)
		return err;
	fill_bytes(bytes, dmaheap_buffer_size(buffer));
	return dmaheap_buffer_end(buffer, DMAHEAP_WRITE);
}

static int hear(struct table *table, int socket, pid_t pid, uint64_t inode)
{
	struct verdict verdict;

	if (read(socket, &verdict, sizeof(verdict)) != sizeof(verdict))
		return tool_error(-EPROTO, "receive", "the other process", NULL);
	if (verdict.err)
		return tool_error(verdict.err, "receive", "the other process", NULL);
	say(table, "receive", "process %d has got inode %" PRIu64 ", %s buffer", pid,
	    verdict.inode, verdict.inode == inode ? "the same" : "another");
	say(table, "check", "%" PRIu64 " bytes are wrong", verdict.wrong);
	return verdict.inode == inode && !verdict.wrong ? TOOL_DONE : TOOL_FAILED;
}

static int send_and_hear(const struct tool *tool, struct table *table,
			 struct dmaheap_buffer *buffer, const int sockets[2])
{
	pid_t pid = start_other(sockets);
	int err, status;

	close(sockets[1]);
	if (pid < 0)
		return tool_error(-errno, "fork", "another process", NULL);
	err = dmaheap_buffer_send(buffer, sockets[0]);
	if (err) {
		status = tool_fail(tool, err);
	} else {
		say(table, "send", "its fd, through a socket, to process %d", pid);
		status = hear(table, sockets[0], pid, dmaheap_buffer_inode(buffer));
	}
	/* If it still waits for something, it is told that nothing comes any more. */
	shutdown(sockets[0], SHUT_RDWR);
	waitpid(pid, NULL, 0);
	return status;
}

static int share(const struct tool *tool, struct table *table, struct dmaheap_buffer *buffer)
{
	int sockets[2], status;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return tool_error(-errno, "socketpair", "two sockets", NULL);
	status = send_and_hear(tool, table, buffer, sockets);
	close(sockets[0]);
	return status;
}

static int show_life(const struct tool *tool, struct table *table,
		     struct dmaheap_buffer *buffer)
{
	char size[SIZE_TEXT];
	int err;

	say(table, "allocate", "%s from %s: inode %ju, fd %d",
	    size_text(tool, dmaheap_buffer_size(buffer), size), dmaheap_buffer_heap(buffer),
	    (uintmax_t)dmaheap_buffer_inode(buffer), dmaheap_buffer_fd(buffer));
	err = fill(buffer);
	if (err)
		return tool_fail(tool, err);
	say(table, "fill", "map it, begin to write, %s of bytes, end", size);
	return share(tool, table, buffer);
}

int verb_demo(struct tool *tool, int argc, char **argv)
{
	static const struct dmaheap_need any;
	static const struct dmaheap_request request = { .size = DEMO_SIZE, .name = "demo" };
	const struct usage usage = { .columns = columns };
	struct dmaheap_buffer *buffer;
	struct table *table;
	int err, status = tool_options(tool, &usage, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	err = dmaheap_allocate_for(tool->context, &any, &request, &buffer);
	if (err)
		return tool_fail(tool, err);
	table = table_new(tool, TABLE_STREAM);
	status = show_life(tool, table, buffer);
	dmaheap_buffer_free(buffer);
	if (!status)
		say(table, "free", "unmap and close it: nobody holds it any more");
	table_finish(table);
	return status;
}
