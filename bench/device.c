// SPDX-License-Identifier: GPL-2.0-only
/* Rows about devices, and about the CPU beside one: with the device of the module dmaheap_test. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "../kernel/test/test.h"

#define BATCH 20    /* pairs of calls per sample: one alone is too short for the clock */
#define BOTH_WAYS 0 /* DMA_BIDIRECTIONAL */

/* ---- the device ---- */

/* Returns it, or -1 and errno. */
static int device_of(enum dmaheap_test_coherency coherency)
{
	struct dmaheap_test_device data = {
		.mask_bits = 64,
		/* As drivers of cameras and displays say of theirs. */
		.max_segment = 0xffffffff,
		.coherency = coherency,
	};
	int device = open(DMAHEAP_TEST_NODE, O_RDWR | O_CLOEXEC);

	if (device < 0 || !ioctl(device, DMAHEAP_TEST_DEVICE, &data))
		return device;
	close(device);
	return -1;
}

/* One that does not snoop, where there are such. */
static int device_open(void)
{
	int device = device_of(DMAHEAP_TEST_NONCOHERENT);

	return device >= 0 ? device : device_of(DMAHEAP_TEST_COHERENT);
}

/* The same for the name of a row, which says so if there is none. */
static int device_for(const char *row)
{
	int device = device_open();

	if (device < 0)
		note("%s is left out: no test device in %s: %s (modprobe dmaheap_test)", row,
		     DMAHEAP_TEST_NODE, strerror(errno));
	return device;
}

const char *device_kind(void)
{
	int device = device_of(DMAHEAP_TEST_NONCOHERENT);
	const char *kind = "non-coherent";

	if (device < 0) {
		device = device_open();
		kind = device < 0 ? "none" : "coherent";
	}
	if (device >= 0)
		close(device);
	return kind;
}

static bool attach(struct peer *peer, int device, int fd, uint32_t *id)
{
	struct dmaheap_test_attach data = { .fd = fd };

	if (ioctl(device, DMAHEAP_TEST_ATTACH, &data)) {
		peer_fail(peer, "attaching a buffer to the test device");
		return false;
	}
	*id = data.id;
	return true;
}

static bool map(struct peer *peer, int device, uint32_t id)
{
	struct dmaheap_test_map data = { .id = id, .direction = BOTH_WAYS };

	if (!ioctl(device, DMAHEAP_TEST_MAP, &data))
		return true;
	peer_fail(peer, "mapping a buffer for the test device");
	return false;
}

static void unmap(int device, uint32_t id)
{
	struct dmaheap_test_map data = { .id = id, .direction = BOTH_WAYS };

	ioctl(device, DMAHEAP_TEST_UNMAP, &data);
}

/* ---- map and unmap ---- */

/* Attached once: it goes with the file of the device. */
static void attach_all(int device, const struct buffer *buffers, uint32_t *ids)
{
	struct peer *peer;

	for (peer = peer_first(); peer; peer = peer_next(peer))
		attach(peer, device, buffers[peer_index(peer)].fd, &ids[peer_index(peer)]);
}

static void map_batch(struct peer *peer, int device, uint32_t id, uint64_t size, bool keep)
{
	uint64_t time = now();
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		if (!map(peer, device, id))
			return;
		unmap(device, id);
	}
	time = now() - time;
	if (keep)
		record("map_unmap", peer->name, size, time / BATCH);
}

/* The buffers of all peers, of one size. */
struct set {
	uint64_t size;
	struct buffer buffers[MAX_PEERS];
	uint32_t ids[MAX_PEERS];
};

static void set_make(struct set *set, uint64_t size, int device)
{
	set->size = size;
	buffers_make(set->buffers, size);
	attach_all(device, set->buffers, set->ids);
}

static void map_set(const struct set *set, int device, bool keep)
{
	struct peer *peer;

	for (peer = peer_first(); peer; peer = peer_next(peer))
		map_batch(peer, device, set->ids[peer_index(peer)], set->size, keep);
}

void row_map_unmap(void)
{
	int device = device_for("map_unmap");
	struct set small, frame;
	unsigned int i;

	if (device < 0)
		return;
	peers_begin("map_unmap", FRAME);
	set_make(&small, 4 * KIB, device);
	set_make(&frame, FRAME, device);
	for (i = 0; i <= samples_wanted; i++) {
		map_set(&small, device, i);
		map_set(&frame, device, i);
	}
	buffers_drop(small.buffers);
	buffers_drop(frame.buffers);
	close(device);
}

/* ---- import ---- */

static void import_once(struct peer *peer, int device, int fd, bool keep)
{
	uint64_t time = now();
	uint32_t id;

	if (!attach(peer, device, fd, &id))
		return;
	if (map(peer, device, id))
		unmap(device, id);
	ioctl(device, DMAHEAP_TEST_DETACH, &id);
	time = now() - time;
	if (keep && !peer->failed)
		record("import", peer->name, FRAME, time);
}

void row_import(void)
{
	int device = device_for("import");
	struct buffer buffers[MAX_PEERS];
	struct peer *peer;
	unsigned int i;

	if (device < 0)
		return;
	peers_begin("import", FRAME);
	buffers_make(buffers, FRAME);
	for (i = 0; i <= samples_wanted; i++)
		for (peer = peer_first(); peer; peer = peer_next(peer))
			import_once(peer, device, buffers[peer_index(peer)].fd, i);
	buffers_drop(buffers);
	close(device);
}

/* ---- access of the CPU ---- */

static bool sync_buffer(int fd, uint64_t flags)
{
	struct dma_buf_sync data = { .flags = flags | DMA_BUF_SYNC_RW };

	return !ioctl(fd, DMA_BUF_IOCTL_SYNC, &data);
}

static void access_batch(struct peer *peer, const char *row, int fd, bool keep)
{
	uint64_t time = now();
	unsigned int i;

	for (i = 0; i < BATCH; i++)
		if (!sync_buffer(fd, DMA_BUF_SYNC_START) ||
		    !sync_buffer(fd, DMA_BUF_SYNC_END)) {
			peer_fail(peer, "DMA_BUF_IOCTL_SYNC");
			return;
		}
	time = now() - time;
	if (keep)
		record(row, peer->name, FRAME, time / BATCH);
}

static void access_series(const char *row, const struct buffer *buffers)
{
	struct peer *peer;
	unsigned int i;

	for (i = 0; i <= samples_wanted; i++)
		for (peer = peer_first(); peer; peer = peer_next(peer))
			access_batch(peer, row, buffers[peer_index(peer)].fd, i);
}

/* Attached alone, a device has seen nothing yet that would need work: so mapped, too. */
static void map_all(int device, const struct buffer *buffers)
{
	struct peer *peer;
	uint32_t ids[MAX_PEERS];

	attach_all(device, buffers, ids);
	for (peer = peer_first(); peer; peer = peer_next(peer))
		map(peer, device, ids[peer_index(peer)]);
}

void row_cpu_access(void)
{
	struct buffer buffers[MAX_PEERS];
	int device;

	peers_begin("cpu_access", FRAME);
	buffers_make(buffers, FRAME);
	access_series("cpu_access", buffers);
	device = device_for("cpu_access_attached");
	if (device >= 0) {
		map_all(device, buffers);
		access_series("cpu_access_attached", buffers);
		close(device);
	}
	buffers_drop(buffers);
}
