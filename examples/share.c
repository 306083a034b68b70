// SPDX-License-Identifier: GPL-2.0-only
/*
 * share: one process fills a buffer, another reads it; nothing is copied between them.
 *
 *     allocate -> begin, write, end -> send over a socket | receive -> begin, read, end
 *
 * The two need not be parent and child: any Unix socket will do.  What passes through it is the
 * right to use the buffer, and the memory lives until the last who has that right is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dmaheap.h>

#define SIZE (3840 * 2160 * 3 / 2) /* a frame of NV12 */

static struct dmaheap *dmaheap;

static void check(int err)
{
	if (!err)
		return;
	fprintf(stderr, "share: %s\n", dmaheap_message(dmaheap));
	exit(1);
}

static unsigned char byte_at(size_t offset)
{
	return offset / 4096 + offset;
}

static void write_frame(struct dmaheap_buffer *buffer)
{
	unsigned char *bytes;
	size_t i;

	check(dmaheap_buffer_map(buffer, DMAHEAP_WRITE, (void **)&bytes));
	check(dmaheap_buffer_begin(buffer, DMAHEAP_WRITE));
	for (i = 0; i < SIZE; i++)
		bytes[i] = byte_at(i);
	check(dmaheap_buffer_end(buffer, DMAHEAP_WRITE));
	check(dmaheap_buffer_unmap(buffer));
}

static size_t count_wrong(struct dmaheap_buffer *buffer)
{
	const unsigned char *bytes;
	size_t i, wrong = 0;

	check(dmaheap_buffer_map(buffer, DMAHEAP_READ, (void **)&bytes));
	check(dmaheap_buffer_begin(buffer, DMAHEAP_READ));
	for (i = 0; i < SIZE; i++)
		wrong += bytes[i] != byte_at(i);
	check(dmaheap_buffer_end(buffer, DMAHEAP_READ));
	return wrong;
}

static void give(int socket)
{
	static const struct dmaheap_need any;
	const struct dmaheap_request request = { .size = SIZE, .name = "shared frame" };
	struct dmaheap_buffer *buffer;

	check(dmaheap_allocate_for(dmaheap, &any, &request, &buffer));
	write_frame(buffer);
	printf("process %d filled %d bytes of %s, inode %lu\n", getpid(), SIZE,
	       dmaheap_buffer_heap(buffer), (unsigned long)dmaheap_buffer_inode(buffer));
	fflush(stdout);
	check(dmaheap_buffer_send(buffer, socket));
	/* The other one has it from here on. */
	check(dmaheap_buffer_free(buffer));
}

static int take(int socket)
{
	struct dmaheap_buffer *buffer;
	size_t wrong;

	check(dmaheap_buffer_receive(dmaheap, socket, &buffer));
	wrong = count_wrong(buffer);
	printf("process %d read them, inode %lu: %zu are wrong\n", getpid(),
	       (unsigned long)dmaheap_buffer_inode(buffer), wrong);
	check(dmaheap_buffer_free(buffer));
	return wrong != 0;
}

int main(void)
{
	int sockets[2], status;
	pid_t other;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) ||
	    (other = fork()) < 0) {
		perror("share");
		return 1;
	}
	/* Each has a context of its own. */
	if (dmaheap_new(&dmaheap)) {
		fprintf(stderr, "share: no memory\n");
		return 1;
	}
	if (!other)
		return take(sockets[1]);
	give(sockets[0]);
	waitpid(other, &status, 0);
	dmaheap_free(dmaheap);
	return status != 0;
}
