// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random accesses by the CPU and by devices of all kinds, with the bytes compared at each
 * read: as many events as the first argument says, from a fixed seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define LEN (6 * 4096UL)
#define EVENTS 100000
#define SEED 20191122
#define NR_DEVICES 5

/* What a device does with its mapping. */
enum use {
	UNUSED,	  /* attached, not mapped */
	HOLDS,	  /* knows nothing of ownership, and keeps its mapping to read */
	WRITES,	  /* the same, and writes whenever it likes, that is, by fences */
	BRACKETS, /* keeps its mapping, and says when a job begins and ends */
};

static struct {
	const char *kind;
	enum dmaheap_test_coherency coherency;
	unsigned int mask_bits;
	int device;
	uint32_t id;
	enum use use;
	uint32_t direction; /* of a mapping that is held */
} devices[NR_DEVICES] = {
	{ .kind = "does not snoop", .coherency = DMAHEAP_TEST_NONCOHERENT, .mask_bits = 64 },
	{ .kind = "does not snoop", .coherency = DMAHEAP_TEST_NONCOHERENT, .mask_bits = 64 },
	{ .kind = "snoops", .coherency = DMAHEAP_TEST_COHERENT, .mask_bits = 64 },
	{ .kind = "32 bits, does not snoop",
	  .coherency = DMAHEAP_TEST_NONCOHERENT,
	  .mask_bits = 32 },
	{ .kind = "32 bits, snoops", .coherency = DMAHEAP_TEST_COHERENT, .mask_bits = 32 },
};

static int fd;
static uint8_t *mapped, truth[LEN];
static unsigned long nr_events, nr_compared;
/* What a holder has written, and nobody was told of yet. */
static bool untold;
static uint64_t chance = SEED;

static uint32_t pick(uint32_t below)
{
	chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
	return (chance >> 33) % below;
}

static void wrong(const char *who, size_t offset, const uint8_t *seen, size_t len)
{
	size_t i = 0;

	while (i < len && seen[i] == truth[offset + i])
		i++;
	tap_fail(__FILE__, __LINE__, "event %lu: %s read %02x, not %02x, at %zu", nr_events,
		 who, seen[i], truth[offset + i], offset + i);
}

static void compare(const char *who, size_t offset, const uint8_t *seen, size_t len)
{
	nr_compared += len;
	if (memcmp(seen, truth + offset, len))
		wrong(who, offset, seen, len);
}

/* A part of the buffer: often small, at times all of it. */
static size_t pick_part(size_t from, size_t end, size_t *offset)
{
	if (!pick(8)) {
		*offset = from;
		return end - from;
	}
	*offset = from + pick(end - from);
	return 1 + pick(end - *offset < 300 ? end - *offset : 300);
}

static void new_bytes(size_t offset, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		truth[offset + i] = pick(256);
}

static void cpu_touch(bool write, size_t from, size_t end)
{
	size_t offset, len = pick_part(from, end, &offset);

	nr_events++;
	if (write) {
		new_bytes(offset, len);
		memcpy(mapped + offset, truth + offset, len);
	} else {
		compare("the CPU", offset, mapped + offset, len);
	}
}

static void device_touch(unsigned int i, bool write)
{
	static uint8_t bytes[LEN];
	size_t offset, len = pick_part(0, LEN, &offset);

	nr_events++;
	if (write) {
		new_bytes(offset, len);
		device_write(devices[i].device, devices[i].id, offset, truth + offset, len);
	} else {
		device_read(devices[i].device, devices[i].id, offset, bytes, len);
		compare(devices[i].kind, offset, bytes, len);
	}
}

/* ---- accesses ---- */

static void cpu_touches(uint64_t flags, size_t from, size_t end)
{
	unsigned int i;

	for (i = pick(4); i; i--) {
		bool write = flags & DMA_BUF_SYNC_WRITE && pick(2);

		/* Who has not said that it reads is not owed old bytes, but gets them. */
		cpu_touch(write, from, end);
	}
}

static void cpu_access(void)
{
	static const uint64_t flags[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE,
					  DMA_BUF_SYNC_RW };
	uint64_t flag = flags[pick(3)];

	nr_events += 2;
	cpu_begin(fd, flag);
	cpu_touches(flag, 0, LEN);
	cpu_end(fd, flag);
	untold &= !(flag & DMA_BUF_SYNC_WRITE);
}

static void cpu_part(void)
{
	uint64_t flag = pick(2) ? DMA_BUF_SYNC_READ : DMA_BUF_SYNC_RW;
	size_t offset, len = pick_part(0, LEN, &offset);

	nr_events += 2;
	part_sync(fd, DMA_BUF_SYNC_START | flag, offset, len);
	cpu_touches(flag, offset, offset + len);
	part_sync(fd, DMA_BUF_SYNC_END | flag, offset, len);
	/* Of a holder's bytes, others have got only that part. */
}

static uint32_t pick_direction(void)
{
	static const uint32_t directions[] = { TO_DEVICE, FROM_DEVICE, BOTH_WAYS };

	return directions[pick(3)];
}

static void device_touches(unsigned int i, uint32_t direction)
{
	unsigned int n;

	for (n = pick(4); n; n--)
		device_touch(i, direction != TO_DEVICE && pick(2));
}

static void device_maps(unsigned int i)
{
	uint32_t direction = pick_direction();

	nr_events += 2;
	device_map(devices[i].device, devices[i].id, direction);
	device_touches(i, direction);
	device_unmap(devices[i].device, devices[i].id, direction);
	untold &= direction == TO_DEVICE;
}

static void device_job(unsigned int i)
{
	uint32_t direction = pick_direction();

	nr_events += 2;
	device_begin(devices[i].device, devices[i].id, direction);
	device_touches(i, direction);
	device_end(devices[i].device, devices[i].id, direction);
	untold &= direction == TO_DEVICE;
}

static bool somebody_writes(void)
{
	unsigned int i;

	for (i = 0; i < NR_DEVICES; i++)
		if (devices[i].use == WRITES)
			return true;
	return false;
}

static void start_use(unsigned int i)
{
	enum use use = HOLDS + pick(3);

	/* Of two that write when they like nobody could tell who was the last. */
	if (use == WRITES && somebody_writes())
		use = HOLDS;
	devices[i].use = use;
	devices[i].direction = use == WRITES ? (pick(2) ? FROM_DEVICE : BOTH_WAYS) :
			       use == HOLDS  ? TO_DEVICE :
					       BOTH_WAYS;
	nr_events++;
	device_map(devices[i].device, devices[i].id, devices[i].direction);
	if (use == BRACKETS)
		device_job(i);
	else
		device_touch(i, false);
}

static void reattach(unsigned int i)
{
	device_detach(devices[i].device, devices[i].id);
	devices[i].id = device_attach(devices[i].device, fd);
}

static void stop_use(unsigned int i)
{
	nr_events++;
	device_unmap(devices[i].device, devices[i].id, devices[i].direction);
	if (devices[i].use == WRITES)
		untold = false;
	/* From its first bracket on, an attachment says nothing by maps any more. */
	if (devices[i].use == BRACKETS || !pick(4))
		reattach(i);
	devices[i].use = UNUSED;
}

/* What a device does when its turn comes. */
static void device_turn(unsigned int i)
{
	switch (devices[i].use) {
	case UNUSED:
		if (pick(4))
			device_maps(i);
		else
			start_use(i);
		break;
	case HOLDS:
		if (!untold)
			device_touch(i, false);
		if (!pick(4))
			stop_use(i);
		break;
	case WRITES:
		device_touch(i, true);
		untold = true;
		if (!pick(4))
			stop_use(i);
		break;
	case BRACKETS:
		device_job(i);
		if (!pick(8))
			stop_use(i);
		break;
	}
}

/* Readers side by side: the CPU and a device. */
static void readers(void)
{
	unsigned int i = pick(NR_DEVICES);

	if (devices[i].use != UNUSED)
		return;
	nr_events += 4;
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	device_map(devices[i].device, devices[i].id, TO_DEVICE);
	cpu_touch(false, 0, LEN);
	device_touch(i, false);
	cpu_touch(false, 0, LEN);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	device_touch(i, false);
	device_unmap(devices[i].device, devices[i].id, TO_DEVICE);
}

/* A job that enters at one device and leaves at another of the same domain. */
static void chain(void)
{
	if (devices[0].use != BRACKETS || devices[1].use != BRACKETS || all_bounced())
		return;
	nr_events += 2;
	device_begin(devices[0].device, devices[0].id, BOTH_WAYS);
	device_touch(0, true);
	device_touch(1, false);
	device_touch(1, true);
	device_end(devices[1].device, devices[1].id, BOTH_WAYS);
	untold = false;
}

static void event(void)
{
	switch (pick(12)) {
	case 0:
	case 1: cpu_access(); break;
	case 2: cpu_part(); break;
	case 3: readers(); break;
	case 4: chain(); break;
	case 5:
		nr_events++;
		evict(chance);
		break;
	default: device_turn(pick(NR_DEVICES));
	}
}

static void set_up(void)
{
	unsigned int i;

	fd = cached_buffer(LEN);
	mapped = buffer_map(fd, LEN);
	for (i = 0; i < NR_DEVICES; i++) {
		devices[i].device = device_of(devices[i].coherency, devices[i].mask_bits);
		if (devices[i].device < 0)
			devices[i].device =
				must(device_of(DMAHEAP_TEST_COHERENT, devices[i].mask_bits));
		devices[i].id = device_attach(devices[i].device, fd);
		devices[i].use = UNUSED;
	}
}

static void at_random(void)
{
	struct dmaheap_test_witness before = {}, after = {};

	tap_say("seed %d", SEED);
	witness(&before);
	set_up();
	while (nr_events < EVENTS)
		event();
	witness(&after);
	tap_say("%lu events, %lu bytes compared", nr_events, nr_compared);
	tap_say("%llu bytes cleaned, %llu invalidated, %llu copied in, %llu copied out",
		after.cleaned - before.cleaned, after.invalidated - before.invalidated,
		after.copied_in - before.copied_in, after.copied_out - before.copied_out);
	check(nr_compared > EVENTS);
	if (all_bounced())
		check(after.copied_out > before.copied_out);
	else if (has_caches())
		check(after.invalidated > before.invalidated);
}

static const struct test tests[] = {
	TEST(at_random, "100000 random events: each read finds the newest bytes"),
};
TAP_MAIN(tests)
