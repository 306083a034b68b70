// SPDX-License-Identifier: GPL-2.0-only
/*
 * What cache maintenance costs: bytes per frame, as kprobes see them in the kernel's own
 * functions, and as our statistics have them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define LEN (8 * MIB)
#define FRAMES 100
#define DEVICES 3

/* Bytes of maintenance: of caches, and of bounce buffers. */
struct cost {
	uint64_t caches;
	uint64_t bounced;
};

static struct cost cost_seen(void)
{
	struct dmaheap_test_witness seen;

	if (!witness(&seen))
		tap_skip("this kernel has no kprobes for it");
	return (struct cost){ seen.cleaned + seen.invalidated,
			      seen.copied_in + seen.copied_out };
}

/* A pipeline: a buffer and devices that do not snoop, where there are such. */
struct pipeline {
	int fd;
	char *bytes;
	int devices[DEVICES];
	uint32_t ids[DEVICES];
	struct cost born; /* what had been done before */
};

static struct pipeline pipeline_new(void)
{
	struct pipeline pipeline = {};
	unsigned int i;

	pools_drain(); /* what is there is cleaned ahead, which would be counted */
	pipeline.born = cost_seen();
	pipeline.fd = heap_buffer(LEN);
	pipeline.bytes = buffer_map(pipeline.fd, LEN);
	for (i = 0; i < DEVICES; i++) {
		pipeline.devices[i] = device_new(64, 0);
		pipeline.ids[i] = device_attach(pipeline.devices[i], pipeline.fd);
	}
	return pipeline;
}

static struct cost cost_counted(void)
{
	return (struct cost){
		heap_counter("cleaned_bytes") + heap_counter("invalidated_bytes"),
		heap_counter("bounced_bytes"),
	};
}

static void pipeline_end(struct pipeline *pipeline)
{
	unsigned int i;

	for (i = 0; i < DEVICES; i++)
		close(pipeline->devices[i]);
	munmap(pipeline->bytes, LEN);
	close(pipeline->fd);
}

/* What the buffer's line in the table says. */
static struct cost cost_of_buffer(int fd, uint64_t *skipped)
{
	unsigned long long cleaned, invalidated, bounced, skip;
	char line[1024];

	check(table_line(fd, line, sizeof(line)));
	check_equal(sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %llu %llu",
			   &cleaned, &invalidated, &bounced, &skip),
		    4);
	*skipped = skip;
	return (struct cost){ cleaned + invalidated, bounced };
}

/*
 * Runs a pipeline and compares what it cost with what it may: the first frame, and each of
 * the others.  "everywhere" is what a sync at each map, unmap and access would cost in the
 * buffer's whole life.
 */
static void run(struct pipeline *pipeline, void (*frame)(struct pipeline *pipeline),
		uint64_t first, uint64_t others, uint64_t everywhere)
{
	struct cost start = cost_seen(), counted = cost_counted(), now, of_buffer;
	uint64_t skipped, costs[FRAMES], last = 0;
	bool bounced = all_bounced();
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		frame(pipeline);
		now = cost_seen();
		costs[i] = now.caches - start.caches - last;
		last += costs[i];
	}
	tap_say("caches: %llu KiB for the first frame, %llu KiB for each of the others",
		costs[0] / KIB, costs[1] / KIB);
	tap_say("bounced: %llu KiB per frame", (now.bounced - start.bounced) / FRAMES / KIB);
	/* Our statistics agree to the byte. */
	check_equal(cost_counted().caches - counted.caches, now.caches - start.caches);
	check_equal(cost_counted().bounced - counted.bounced, now.bounced - start.bounced);
	of_buffer = cost_of_buffer(pipeline->fd, &skipped);
	check_equal(of_buffer.caches, now.caches - pipeline->born.caches);
	check_equal(of_buffer.bounced, now.bounced - pipeline->born.bounced);
	tap_say("skipped: %llu KiB per frame", skipped / FRAMES / KIB);
	if (bounced)
		return; /* copies have another price */
	if (!has_caches()) {
		check_equal(last, 0);
		check_equal(skipped, 0);
		return;
	}
	check_equal(costs[0], first);
	for (i = 1; i < FRAMES; i++)
		check_equal(costs[i], others);
	check_equal(skipped, everywhere - of_buffer.caches);
}

static void map_and_unmap(struct pipeline *pipeline, unsigned int i, uint32_t direction)
{
	device_map(pipeline->devices[i], pipeline->ids[i], direction);
	device_unmap(pipeline->devices[i], pipeline->ids[i], direction);
}

static void chain_frame(struct pipeline *pipeline)
{
	unsigned int i;

	for (i = 0; i < DEVICES; i++)
		map_and_unmap(pipeline, i, BOTH_WAYS);
}

static void chain(void)
{
	struct pipeline pipeline = pipeline_new();

	run(&pipeline, chain_frame, LEN, 0, FRAMES * 6 * LEN);
}

static void bracketed_frame(struct pipeline *pipeline)
{
	unsigned int i;

	for (i = 0; i < DEVICES; i++) {
		device_begin(pipeline->devices[i], pipeline->ids[i], BOTH_WAYS);
		device_end(pipeline->devices[i], pipeline->ids[i], BOTH_WAYS);
	}
}

/* The same with mappings that stay, and jobs that begin and end. */
static void bracketed_chain(void)
{
	struct pipeline pipeline = pipeline_new();
	unsigned int i;

	for (i = 0; i < DEVICES; i++) {
		device_map(pipeline.devices[i], pipeline.ids[i], BOTH_WAYS);
		device_begin(pipeline.devices[i], pipeline.ids[i], TO_DEVICE);
		device_end(pipeline.devices[i], pipeline.ids[i], TO_DEVICE);
	}
	if (has_caches() && !all_bounced()) {
		struct cost before = cost_seen();

		/* From the first bracket on, a mapping says nothing: it is no open access. */
		device_map(pipeline.devices[0], pipeline.ids[0], BOTH_WAYS);
		cpu_begin(pipeline.fd, DMA_BUF_SYNC_WRITE);
		cpu_end(pipeline.fd, DMA_BUF_SYNC_WRITE);
		check_equal(cost_seen().caches - before.caches, 0);
		bracketed_frame(&pipeline);
		before = cost_seen();

		for (i = 0; i < FRAMES; i++)
			bracketed_frame(&pipeline);
		check_equal(cost_seen().caches - before.caches, 0);
	}
}

static void cpu_fills_frame(struct pipeline *pipeline)
{
	cpu_begin(pipeline->fd, DMA_BUF_SYNC_WRITE);
	pipeline->bytes[0]++;
	cpu_end(pipeline->fd, DMA_BUF_SYNC_WRITE);
	map_and_unmap(pipeline, 0, TO_DEVICE);
	map_and_unmap(pipeline, 1, TO_DEVICE);
}

static void cpu_fills(void)
{
	struct pipeline pipeline = pipeline_new();

	run(&pipeline, cpu_fills_frame, LEN, LEN, FRAMES * 2 * LEN);
}

static void device_fills_frame(struct pipeline *pipeline)
{
	map_and_unmap(pipeline, 0, FROM_DEVICE);
	cpu_begin(pipeline->fd, DMA_BUF_SYNC_READ);
	cpu_end(pipeline->fd, DMA_BUF_SYNC_READ);
}

/* Three devices have the buffer attached, two of them mapped. */
static void device_fills(void)
{
	struct pipeline pipeline = pipeline_new();

	device_map(pipeline.devices[1], pipeline.ids[1], TO_DEVICE);
	device_map(pipeline.devices[2], pipeline.ids[2], TO_DEVICE);
	run(&pipeline, device_fills_frame, LEN, LEN, (FRAMES * 6 + 2) * LEN);
}

#define PART (64 * KIB)

static void part_frame(struct pipeline *pipeline)
{
	map_and_unmap(pipeline, 0, FROM_DEVICE);
	part_sync(pipeline->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, MIB, PART);
	part_sync(pipeline->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, MIB, PART);
}

static void part_is_read(void)
{
	struct pipeline pipeline = pipeline_new();

	run(&pipeline, part_frame, LEN + PART, PART, FRAMES * 2 * LEN);
}

static void written_part_frame(struct pipeline *pipeline)
{
	part_sync(pipeline->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, MIB, PART);
	pipeline->bytes[MIB]++;
	part_sync(pipeline->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, MIB, PART);
	map_and_unmap(pipeline, 0, TO_DEVICE);
}

/* An overlay: the CPU changes a part of what a device then reads. */
static void part_is_written(void)
{
	struct pipeline pipeline = pipeline_new();

	run(&pipeline, written_part_frame, LEN, PART, FRAMES * LEN);
}

static void holder_frame(struct pipeline *pipeline)
{
	cpu_begin(pipeline->fd, DMA_BUF_SYNC_WRITE);
	pipeline->bytes[0]++;
	cpu_end(pipeline->fd, DMA_BUF_SYNC_WRITE);
}

static void reader_holds(void)
{
	struct pipeline pipeline = pipeline_new();

	device_map(pipeline.devices[0], pipeline.ids[0], TO_DEVICE);
	run(&pipeline, holder_frame, LEN, LEN, (FRAMES + 1) * LEN);
}

static void nobody_needs_it_frame(struct pipeline *pipeline)
{
	cpu_begin(pipeline->fd, DMA_BUF_SYNC_RW);
	cpu_end(pipeline->fd, DMA_BUF_SYNC_RW);
}

/* Parts that the CPU writes of what nobody else has the newest bytes of cost nothing. */
static void parts_of_what_is_dirty(void)
{
	struct pipeline pipeline = pipeline_new();
	struct cost before;
	unsigned int i;

	map_and_unmap(&pipeline, 0, TO_DEVICE);
	cpu_begin(pipeline.fd, DMA_BUF_SYNC_WRITE);
	cpu_end(pipeline.fd, DMA_BUF_SYNC_WRITE);
	before = cost_seen();
	for (i = 0; i < FRAMES; i++) {
		part_sync(pipeline.fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW, MIB, PART);
		part_sync(pipeline.fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW, MIB, PART);
	}
	check_equal(cost_seen().caches, before.caches);
	check_equal(cost_seen().bounced, before.bounced);
}

/* The CPU alone, beside devices that are attached and do nothing. */
static void cpu_alone(void)
{
	struct pipeline pipeline = pipeline_new();
	unsigned int i;

	for (i = 0; i < DEVICES; i++)
		map_and_unmap(&pipeline, i, TO_DEVICE);
	if (!has_caches() || all_bounced())
		tap_skip("nothing to be seen where all devices snoop, or are bounced");
	struct cost before = cost_seen();

	for (i = 0; i < FRAMES; i++)
		nobody_needs_it_frame(&pipeline);
	check_equal(cost_seen().caches - before.caches, 0);
}

static void combined_frame(struct pipeline *pipeline)
{
	cpu_begin(pipeline->fd, DMA_BUF_SYNC_RW);
	pipeline->bytes[0]++;
	cpu_end(pipeline->fd, DMA_BUF_SYNC_RW);
	chain_frame(pipeline);
}

/* What the CPU maps past its caches: only the zeroes of a new buffer go through them. */
static void write_combined(void)
{
	struct pipeline pipeline;
	uint64_t before;

	if (!has_caches() || all_bounced())
		tap_skip("nothing to be seen where all devices snoop, or are bounced");
	must(setenv("HEAP", "system-uncached", 1));
	pools_drain();
	before = cost_seen().caches;
	pipeline = pipeline_new();
	check_equal(cost_seen().caches - before, 2 * LEN); /* cleaned and invalidated */
	check(is_zero(pipeline.bytes, LEN));
	/* The CPU's brackets find no device mapped; devices map and unmap. */
	run(&pipeline, combined_frame, 0, 0, FRAMES * 6 * LEN);
	pipeline_end(&pipeline);
}

static const struct test tests[] = {
	TEST(chain, "3 devices in a chain that map and unmap for each frame: 0"),
	TEST(bracketed_chain, "3 devices in a chain that bracket their jobs: 0"),
	TEST(cpu_fills, "the CPU fills, 2 devices read: 8 MiB"),
	TEST(device_fills, "a device fills, the CPU reads, 3 are attached: 8 MiB"),
	TEST(part_is_read, "a device fills, the CPU reads 64 KiB: 64 KiB"),
	TEST(part_is_written, "the CPU writes 64 KiB, a device reads: 64 KiB"),
	TEST(reader_holds, "the CPU writes what a device has mapped to read: 8 MiB"),
	TEST(write_combined, "write-combined, the CPU and 3 devices in a chain: 0"),
	TEST(parts_of_what_is_dirty, "parts that the CPU writes after the whole: 0"),
	TEST(cpu_alone, "the CPU again and again, devices do nothing: 0"),
};
TAP_MAIN(tests)
