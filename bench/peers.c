// SPDX-License-Identifier: GPL-2.0-only
/* Who gives out buffers here: our heap, the kernel's, udmabuf, and others that were named. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#define HEAPS "/dev/dma_heap/"
#define UDMABUF "/dev/udmabuf"
#define UDMABUF_LIMIT "/sys/module/udmabuf/parameters/size_limit_mb"

static struct peer peers[MAX_PEERS];
static unsigned int nr_peers;
static const char *named[MAX_PEERS]; /* by -H */
static unsigned int nr_named;
static const char *row_name = "";

/* ---- heaps ---- */

static int heap_allocate(const struct peer *peer, uint64_t len, struct buffer *buffer)
{
	struct dma_heap_allocation_data data = {
		.len = len,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	if (ioctl(peer->fd, DMA_HEAP_IOCTL_ALLOC, &data))
		return -1;
	buffer->fd = data.fd;
	return 0;
}

/* ---- udmabuf ---- */

/* Whole pages of a file in memory, which cannot shrink any more. */
static int memfd_of(uint64_t len)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (!ftruncate(fd, (len + page - 1) / page * page) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		return fd;
	close(fd);
	return -1;
}

static int udmabuf_allocate(const struct peer *peer, uint64_t len, struct buffer *buffer)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	struct udmabuf_create create = {
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = (len + page - 1) / page * page,
	};
	int error;

	buffer->memfd = memfd_of(len);
	if (buffer->memfd < 0)
		return -1;
	create.memfd = buffer->memfd;
	buffer->fd = ioctl(peer->fd, UDMABUF_CREATE, &create);
	if (buffer->fd >= 0)
		return 0;
	error = errno;
	close(buffer->memfd);
	errno = error;
	return -1;
}

/* ---- all of them ---- */

static struct peer *add(const char *name, const char *node)
{
	struct peer *peer = &peers[nr_peers];

	if (nr_peers == MAX_PEERS) {
		note("%s: too many to be measured at once", name);
		exit(2);
	}
	*peer = (struct peer){ .name = name, .allocate = heap_allocate, .fd = -1 };
	snprintf(peer->node, sizeof(peer->node), "%s", node);
	nr_peers++;
	return peer;
}

void peers_add(const char *name)
{
	if (strchr(name, '/') || strlen(name) >= sizeof(peers[0].node) - strlen(HEAPS)) {
		note("'%s' is no name of a heap", name);
		exit(2);
	}
	if (nr_named == MAX_PEERS) {
		note("'%s': too many heaps to be measured at once", name);
		exit(2);
	}
	named[nr_named++] = name;
}

static void add_named(const char *name)
{
	char node[64], *label = strdup(name), *comma;

	snprintf(node, sizeof(node), HEAPS "%s", name);
	/* As in "linux,cma": in CSV it would be the end of the name. */
	while (label && (comma = strchr(label, ',')))
		*comma = '_';
	add(label ? label : name, node);
}

/* Where the kernel has a heap of this name, ours is called otherwise. */
static void add_heaps(void)
{
	bool ours = !access("/sys/module/dmaheap_system", F_OK);
	bool both = ours && !access(HEAPS "system.dmaheap", F_OK);

	if (ours)
		add("dmaheap", both ? HEAPS "system.dmaheap" : HEAPS "system");
	else
		note("dmaheap is not measured: dmaheap_system is not loaded (modprobe dmaheap_system)");
	if (both || (!ours && !access(HEAPS "system", F_OK)))
		add("kernel", HEAPS "system");
	else
		note("kernel is not measured: this kernel has no heap 'system' of its own");
}

static void add_udmabuf(void)
{
	long long limit = number_in(UDMABUF_LIMIT, NULL);
	struct peer *peer;

	if (access(UDMABUF, F_OK)) {
		note("udmabuf is not measured: there is no " UDMABUF " (modprobe udmabuf?)");
		return;
	}
	peer = add("udmabuf", UDMABUF);
	peer->allocate = udmabuf_allocate;
	if (limit > 0)
		peer->longest = limit * MIB;
}

static bool is_open(struct peer *peer)
{
	peer->fd = open(peer->node, O_RDWR | O_CLOEXEC);
	if (peer->fd >= 0)
		return true;
	note("%s is not measured: %s: %s%s", peer->name, peer->node, strerror(errno),
	     errno == EACCES ? "; run this as root" : "");
	return false;
}

unsigned int peers_open(void)
{
	unsigned int i, open = 0;

	add_heaps();
	add_udmabuf();
	for (i = 0; i < nr_named; i++)
		add_named(named[i]);
	for (i = 0; i < nr_peers; i++)
		if (is_open(&peers[i]))
			peers[open++] = peers[i];
	nr_peers = open;
	for (i = 0; i < nr_peers; i++)
		note("%s is %s", peers[i].name, peers[i].node);
	return nr_peers;
}

struct peer *peer_next(struct peer *peer)
{
	for (peer++; peer < peers + nr_peers; peer++)
		if (!peer->failed)
			return peer;
	return NULL;
}

struct peer *peer_first(void)
{
	return peer_next(peers - 1);
}

struct peer *peer_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_peers; i++)
		if (!strcmp(peers[i].name, name))
			return &peers[i];
	return NULL;
}

unsigned int peer_index(const struct peer *peer)
{
	return peer - peers;
}

void peers_begin(const char *row, uint64_t size)
{
	unsigned int i;

	row_name = row;
	for (i = 0; i < nr_peers; i++) {
		peers[i].failed = peers[i].longest && size > peers[i].longest;
		if (peers[i].failed)
			note("%s of %llu bytes: %s is left out: its limit is %llu MiB, in " UDMABUF_LIMIT,
			     row, (unsigned long long)size, peers[i].name,
			     (unsigned long long)(peers[i].longest / MIB));
	}
}

void peer_fail(struct peer *peer, const char *format, ...)
{
	int error = errno;
	va_list args;
	char what[256];

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	note("%s: %s is left out: %s: %s%s", row_name, peer->name, what, strerror(error),
	     error == ENOMEM ? "; more memory is needed for this row" : "");
	peer->failed = true;
}

/* ---- buffers ---- */

bool buffer_allocate(struct peer *peer, uint64_t len, struct buffer *buffer)
{
	buffer->memfd = -1;
	if (!peer->allocate(peer, len, buffer))
		return true;
	peer_fail(peer, "allocating %llu bytes", (unsigned long long)len);
	return false;
}

void buffer_settle(struct buffer *buffer)
{
	if (buffer->memfd >= 0)
		close(buffer->memfd);
	buffer->memfd = -1;
}

void buffer_free(struct buffer *buffer)
{
	close(buffer->fd);
}

bool buffer_make(struct peer *peer, uint64_t len, struct buffer *buffer)
{
	if (!buffer_allocate(peer, len, buffer))
		return false;
	buffer_settle(buffer);
	return true;
}

static void fail_all(void)
{
	unsigned int i;

	for (i = 0; i < nr_peers; i++)
		peers[i].failed = true;
}

void buffers_make(struct buffer buffers[MAX_PEERS], uint64_t len)
{
	struct peer *peer;
	unsigned int i;

	for (i = 0; i < nr_peers; i++)
		buffers[i].fd = -1;
	if (!memory_is_there(row_name, len * nr_peers)) {
		fail_all();
		return;
	}
	for (peer = peer_first(); peer; peer = peer_next(peer))
		if (!buffer_make(peer, len, &buffers[peer_index(peer)]))
			buffers[peer_index(peer)].fd = -1;
}

void buffers_drop(struct buffer buffers[MAX_PEERS])
{
	unsigned int i;

	for (i = 0; i < nr_peers; i++)
		if (buffers[i].fd >= 0)
			buffer_free(&buffers[i]);
}
