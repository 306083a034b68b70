// SPDX-License-Identifier: GPL-2.0-only
/* The buffer as devices of all kinds see it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

/* Several chunks of each size: not a multiple of anything. */
#define LEN (5 * MIB + 68 * KIB)
#define PAGE 4096UL

/* A buffer whose bytes go to a device and come back changed. */
static void round_trip(int device, uint64_t len)
{
	int fd = cached_buffer(len);
	uint32_t id = device_attach(device, fd);
	char *bytes = buffer_map(fd, len), *seen = must((char *)malloc(len));

	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	fill(bytes, len, 0, 1);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	device_map(device, id, BOTH_WAYS);
	device_read(device, id, 0, seen, len);
	check(is_filled(seen, len, 0, 1));
	fill(seen, len, 0, 2);
	device_write(device, id, 0, seen, len);
	device_unmap(device, id, BOTH_WAYS);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check(is_filled(bytes, len, 0, 2));
	cpu_end(fd, DMA_BUF_SYNC_READ);
	device_detach(device, id);
	munmap(bytes, len);
	close(fd);
	free(seen);
}

static void unlimited(void)
{
	round_trip(device_new(64, 0), LEN);
}

static void one_page(void)
{
	round_trip(device_new(64, 0), 1);
}

static void segments(void)
{
	static const unsigned int limits[] = { 4096, 8191, 65536, 100000, MIB, 0xffffffff };
	unsigned int i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		int device = device_new(64, limits[i]), fd = heap_buffer(LEN);
		uint32_t id = device_attach(device, fd);
		struct dmaheap_test_map map = device_map(device, id, BOTH_WAYS);

		check(map.longest <= limits[i]);
		check(map.longest >= PAGE && map.longest % PAGE == 0);
		device_unmap(device, id, BOTH_WAYS);
		device_detach(device, id);
		close(fd);
		round_trip(device, LEN);
		close(device);
	}
}

/* Chunks that the device can take whole stay whole. */
static void segments_whole(void)
{
	int device = device_new(64, 0xffffffff), fd = cached_buffer(8 * MIB);
	struct dmaheap_test_map map = device_map(device, device_attach(device, fd), BOTH_WAYS);

	if (all_bounced())
		tap_skip("a bounce buffer holds no more than 256 KiB in one piece");
	if (behind_iommu()) { /* which makes one of them all */
		check_equal(map.longest, 8 * MIB);
		return;
	}
	if (heap_kind()->late) { /* one piece, unless the CPU came first */
		check(map.longest >= heap_kind()->longest);
	} else if (!heap_kind()->longest) { /* contiguous */
		check_equal(map.longest, 8 * MIB);
		check_equal(map.segments, 1);
	} else if (heap_kind()->longest > PAGE) {
		check_equal(map.longest, heap_kind()->longest);
		check_equal(map.segments, 8 * MIB / heap_kind()->longest);
	} else { /* whatever there was */
		check(map.longest >= PAGE);
	}
}

static void boundary(void)
{
	static const uint64_t masks[] = { 0xffff, 0xfffff, 0x1fff };
	unsigned int i;

	for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		struct dmaheap_test_device data = {
			.mask_bits = 64,
			.max_segment = 0xfffff000,
			.boundary = masks[i],
			.bus = device_bus(),
		};
		int device = device_open(), fd = cached_buffer(LEN);

		must(ioctl(device, DMAHEAP_TEST_DEVICE, &data));
		check_equal(device_map(device, device_attach(device, fd), BOTH_WAYS).crossings,
			    0);
		round_trip(device, LEN);
		close(fd);
	}
}

static void segments_too_small(void)
{
	struct dmaheap_test_map map;

	check_errno(device_try(device_new(64, 2048), cached_buffer(LEN), &map), EINVAL);
}

static void mask_of_32_bits(void)
{
	/* So much that some of it lies above 4 GiB where there is memory above it. */
	const uint64_t len = 24 * MIB;
	int device = device_new(32, 0), fd = cached_buffer(len);
	struct dmaheap_test_map map;

	if (device_try(device, fd, &map)) {
		check_equal(errno, EIO);
		check(heap_is_direct());
		tap_skip("what lies too high must not be bounced, and the device is refused");
	}
	check(map.first < 1ULL << 32);
	close(device);
	close(fd);
	round_trip(device_new(32, 0), len);
}

/* Whether the test above has tested anything. */
static void memory_above_4g(void)
{
	int device = device_new(64, 0), fd = cached_buffer(24 * MIB);
	struct dmaheap_test_map map = device_map(device, device_attach(device, fd), BOTH_WAYS);

	if (behind_iommu())
		tap_skip("an IOMMU gives any memory an address of 32 bits");
	if (heap_kind()->size || heap_kind()->owner_may_go)
		tap_skip("this heap's memory lies where it lies");
	if (all_bounced() || meminfo("MemTotal") < 4096 * (long long)MIB)
		tap_skip("this machine's memory ends below 4 GiB, or is bounced");
	check(map.first >= 1ULL << 32);
}

static void mask_of_24_bits(void)
{
	struct dmaheap_test_device data = { .mask_bits = 24 };
	struct dmaheap_test_map map;
	int device = device_open(), fd;

	if (ioctl(device, DMAHEAP_TEST_DEVICE, &data))
		tap_skip("no device here can have a mask of 24 bits");
	if (heap_kind()->late)
		tap_skip("this heap finds memory for such a device");
	fd = cached_buffer(LEN);
	check_errno(device_try(device, fd, &map), EIO);
	/* And once more: nothing is left of the first try. */
	if (heap_is_direct())
		check_errno(device_try(device, fd, &map), EIO);
	else
		check_errno(ioctl(device, DMAHEAP_TEST_MAP, &map), EIO);
}

static void buffer_of_32_mib(void)
{
	round_trip(device_new(64, 0), 32 * MIB);
}

static void mapping_kept(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);
	struct dmaheap_test_map first = device_map(device, id, TO_DEVICE), again;

	device_unmap(device, id, TO_DEVICE);
	again = device_map(device, id, FROM_DEVICE);
	check_equal(again.table, first.table);
	check_equal(again.first, first.first);
	device_unmap(device, id, FROM_DEVICE);
}

static void mapped_twice(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);
	char byte = 0, *bytes = buffer_map(fd, LEN);

	device_map(device, id, TO_DEVICE);
	device_map(device, id, BOTH_WAYS);
	device_unmap(device, id, TO_DEVICE);
	byte = 7;
	device_write(device, id, LEN - 1, &byte, 1);
	device_unmap(device, id, BOTH_WAYS);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check_equal(bytes[LEN - 1], 7);
}

/* A second map of an attachment whose device has written meanwhile. */
static void mapped_again(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);
	char byte = 7, *bytes = buffer_map(fd, LEN);

	device_map(device, id, FROM_DEVICE);
	device_write(device, id, LEN - 1, &byte, 1);
	device_map(device, id, BOTH_WAYS);
	byte = 0;
	device_read(device, id, LEN - 1, &byte, 1);
	check_equal(byte, 7);
	device_unmap(device, id, BOTH_WAYS);
	device_unmap(device, id, FROM_DEVICE);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check_equal(bytes[LEN - 1], 7);
}

/*
 * A camera that maps for each frame beside a display that holds its mapping, for both ways
 * as PRIME imports do; whoever came first.
 */
static void beside_a_display(bool camera_first)
{
	int camera = device_new(64, 0), display = device_new(64, 0), fd = cached_buffer(LEN);
	int encoder = device_new(64, 0);
	uint32_t first = device_attach(camera_first ? camera : display, fd);
	uint32_t second = device_attach(camera_first ? display : camera, fd);
	uint32_t filled = camera_first ? first : second, shown = camera_first ? second : first;
	uint32_t coded = device_attach(encoder, fd), frame;
	char *bytes = must((char *)malloc(LEN)), *mapped = buffer_map(fd, LEN);

	device_map(display, shown, BOTH_WAYS);
	for (frame = 0; frame < 3; frame++) {
		fill(bytes, LEN, 0, frame);
		device_map(camera, filled, FROM_DEVICE);
		device_write(camera, filled, 0, bytes, LEN);
		device_unmap(camera, filled, FROM_DEVICE);
		device_read(display, shown, 0, bytes, LEN);
		check(is_filled(bytes, LEN, 0, frame));
		device_map(encoder, coded, TO_DEVICE);
		device_read(encoder, coded, 0, bytes, LEN);
		check(is_filled(bytes, LEN, 0, frame));
		device_unmap(encoder, coded, TO_DEVICE);
		cpu_begin(fd, DMA_BUF_SYNC_READ);
		check(is_filled(mapped, LEN, 0, frame));
		cpu_end(fd, DMA_BUF_SYNC_READ);
	}
}

static void display_first(void)
{
	beside_a_display(false);
}

static void camera_first(void)
{
	beside_a_display(true);
}

/* A camera that holds its mapping, too, beside one that only reads. */
static void camera_holds(void)
{
	int camera = device_new(64, 0), display = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t filled = device_attach(camera, fd), shown = device_attach(display, fd), frame;
	char *bytes = must((char *)malloc(LEN)), *mapped = buffer_map(fd, LEN);

	device_map(camera, filled, FROM_DEVICE);
	for (frame = 0; frame < 3; frame++) {
		fill(bytes, LEN, 0, frame);
		device_write(camera, filled, 0, bytes, LEN);
		device_map(display, shown, TO_DEVICE);
		device_read(display, shown, 0, bytes, LEN);
		check(is_filled(bytes, LEN, 0, frame));
		device_unmap(display, shown, TO_DEVICE);
		cpu_begin(fd, DMA_BUF_SYNC_READ);
		check(is_filled(mapped, LEN, 0, frame));
		cpu_end(fd, DMA_BUF_SYNC_READ);
	}
}

/* A device that comes and goes while the CPU writes beside one that holds its mapping. */
static void cpu_keeps_writing(void)
{
	int holder = device_new(64, 0), passer = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t held = device_attach(holder, fd), passing = device_attach(passer, fd);
	char *bytes = must((char *)malloc(LEN)), *mapped = buffer_map(fd, LEN);

	device_map(holder, held, BOTH_WAYS);
	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	fill(mapped, LEN, 0, 1);
	device_map(passer, passing, TO_DEVICE);
	device_unmap(passer, passing, TO_DEVICE);
	check(is_filled(mapped, LEN, 0, 1));
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	device_read(holder, held, 0, bytes, LEN);
	check(is_filled(bytes, LEN, 0, 1));
	/* An end without a beginning does not count. */
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	fill(bytes, LEN, 0, 2);
	device_write(holder, held, 0, bytes, LEN);
	device_map(passer, passing, TO_DEVICE);
	device_read(passer, passing, 0, bytes, LEN);
	check(is_filled(bytes, LEN, 0, 2));
}

static void two_devices(void)
{
	/* One of them bounced, if there is memory that is. */
	int one = device_new(64, 0), other = device_new(heap_is_direct() ? 64 : 32, 65536);
	int fd = cached_buffer(LEN);
	uint32_t id1 = device_attach(one, fd), id2 = device_attach(other, fd);
	char *bytes = must((char *)malloc(LEN));
	unsigned int round;

	for (round = 0; round < 3; round++) {
		fill(bytes, LEN, 0, round);
		device_map(one, id1, FROM_DEVICE);
		device_write(one, id1, 0, bytes, LEN);
		device_unmap(one, id1, FROM_DEVICE);
		device_map(other, id2, BOTH_WAYS);
		device_read(other, id2, 0, bytes, LEN);
		check(is_filled(bytes, LEN, 0, round));
		fill(bytes, LEN, 0, 100 + round);
		device_write(other, id2, 0, bytes, LEN);
		device_unmap(other, id2, BOTH_WAYS);
		device_map(one, id1, TO_DEVICE);
		device_read(one, id1, 0, bytes, LEN);
		check(is_filled(bytes, LEN, 0, 100 + round));
		device_unmap(one, id1, TO_DEVICE);
	}
}

/* A device that writes only in part leaves the rest as the CPU wrote it. */
static void partial_write(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);
	char part[1000], *bytes = buffer_map(fd, LEN);

	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	fill(bytes, LEN, 0, 1);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	memset(part, 0, sizeof(part));
	device_map(device, id, FROM_DEVICE);
	device_write(device, id, MIB + 123, part, sizeof(part));
	device_unmap(device, id, FROM_DEVICE);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check(is_filled(bytes, MIB + 123, 0, 1));
	check(is_zero(bytes + MIB + 123, sizeof(part)));
	check(is_filled(bytes + MIB + 1123, LEN - MIB - 1123, MIB + 1123, 1));
}

/*
 * An importer that holds its mapping for good, as a display does: the CPU's brackets alone
 * carry the bytes.  Where devices are bounced, the bytes before the bracket's end show that
 * this test would see a sync that is missing.
 */
static void held_mapping(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);
	char *bytes = buffer_map(fd, LEN), *seen = must((char *)malloc(LEN));
	unsigned int round;

	device_map(device, id, BOTH_WAYS);
	for (round = 0; round < 3; round++) {
		cpu_begin(fd, DMA_BUF_SYNC_RW);
		fill(bytes, LEN, 0, round);
		if (all_bounced()) {
			device_read(device, id, 0, seen, LEN);
			check(!is_filled(seen, LEN, 0, round));
		}
		cpu_end(fd, DMA_BUF_SYNC_RW);
		device_read(device, id, 0, seen, LEN);
		check(is_filled(seen, LEN, 0, round));

		fill(seen, LEN, 0, 100 + round);
		device_write(device, id, 0, seen, LEN);
		if (all_bounced())
			check(!is_filled(bytes, LEN, 0, 100 + round));
		cpu_begin(fd, DMA_BUF_SYNC_READ);
		check(is_filled(bytes, LEN, 0, 100 + round));
		cpu_end(fd, DMA_BUF_SYNC_READ);
	}
	device_unmap(device, id, BOTH_WAYS);
}

/* The end of an access by which the CPU only read must not undo what the device wrote. */
static void reading_keeps_device_bytes(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);
	char *bytes = buffer_map(fd, LEN), *seen = must((char *)malloc(LEN));

	device_map(device, id, BOTH_WAYS);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check(is_zero(bytes, LEN));
	fill(seen, LEN, 0, 1);
	device_write(device, id, 0, seen, LEN);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	device_read(device, id, 0, seen, LEN);
	check(is_filled(seen, LEN, 0, 1));
}

static void detached_while_mapped(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);

	device_map(device, id, BOTH_WAYS);
	close(device); /* unmaps, detaches and destroys the device */
	round_trip(device_new(64, 0), LEN);
}

/* All devices, and not the system: that would need somebody to wake it up. */
static void suspend_devices(void)
{
	if (access("/sys/power/pm_test", F_OK))
		tap_skip("this kernel has no test of suspend");
	file_write("/sys/power/pm_test", "devices");
	if (!access("/sys/module/suspend/parameters/pm_test_delay", F_OK))
		file_write("/sys/module/suspend/parameters/pm_test_delay", "0");
	file_write("/sys/power/state", "freeze");
	check(log_says("suspend debug: Waiting for"));
}

/* Its driver lets go of the buffer, and takes it again when the device is back. */
static void suspended(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);
	char *bytes = buffer_map(fd, LEN), *seen = must((char *)malloc(LEN));
	struct dmaheap_test_name name;

	fill(bytes, LEN, 0, 1);
	device_map(device, id, BOTH_WAYS);
	device_map(device, id, TO_DEVICE);
	suspend_devices();
	must(ioctl(device, DMAHEAP_TEST_NAME, &name));
	check_equal(name.let_go, 2);
	check_equal(name.taken_again, 2);
	device_read(device, id, 0, seen, LEN);
	check(is_filled(seen, LEN, 0, 1));
	fill(seen, LEN, 0, 2);
	device_write(device, id, 0, seen, LEN);
	device_unmap(device, id, BOTH_WAYS);
	device_unmap(device, id, TO_DEVICE);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check(is_filled(bytes, LEN, 0, 2));
	cpu_end(fd, DMA_BUF_SYNC_READ);
	suspend_devices(); /* attached, but not mapped */
	close(device);
	suspend_devices(); /* and there is no such device any more */
	free(seen);
}

static void attached_holds(void)
{
	int device = device_new(64, 0), fd = heap_buffer(LEN), buffers = table_length();
	uint32_t id = device_attach(device, fd);
	char line[512];

	check(table_line(fd, line, sizeof(line)));
	check(strstr(line, "dmaheap-test"));
	close(fd);
	check_equal(table_length(), buffers);
	device_detach(device, id);
	check_equal(table_length(), buffers - 1);
}

/* What drivers say of their jobs. */
static int try_job(unsigned long call, int device, uint32_t id, uint32_t direction)
{
	struct dmaheap_test_job job = { .id = id, .direction = direction };

	return ioctl(device, call, &job);
}

static void jobs(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);
	char *bytes = buffer_map(fd, LEN), *seen = must((char *)malloc(LEN));

	check_errno(try_job(DMAHEAP_TEST_BEGIN, device, id, TO_DEVICE),
		    EINVAL); /* not mapped */
	device_map(device, id, BOTH_WAYS);
	check_errno(try_job(DMAHEAP_TEST_BEGIN, device, id, 3), EINVAL);
	check_errno(try_job(DMAHEAP_TEST_BEGIN, device, id, 77), EINVAL);
	check_errno(try_job(DMAHEAP_TEST_END, device, id, TO_DEVICE), EINVAL);
	device_begin(device, id, FROM_DEVICE);
	check_errno(try_job(DMAHEAP_TEST_END, device, id, TO_DEVICE), EINVAL);
	fill(seen, LEN, 0, 1);
	device_write(device, id, 0, seen, LEN);
	device_end(device, id, FROM_DEVICE);
	check_errno(try_job(DMAHEAP_TEST_END, device, id, FROM_DEVICE), EINVAL);
	cpu_begin(fd, DMA_BUF_SYNC_RW);
	check(is_filled(bytes, LEN, 0, 1));
	fill(bytes, LEN, 0, 2);
	cpu_end(fd, DMA_BUF_SYNC_RW);
	device_begin(device, id, TO_DEVICE);
	device_read(device, id, 0, seen, LEN);
	check(is_filled(seen, LEN, 0, 2));
	device_end(device, id, TO_DEVICE);
	device_unmap(device, id, BOTH_WAYS);
}

/*
 * Behind bounce buffers: a driver that brackets its jobs, and has mapped for both ways when it
 * got the buffer, takes nothing from a camera that holds its mapping.
 */
static void first_bracket(void)
{
	int camera = device_new(64, 0), codec = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t filled = device_attach(camera, fd), coded = device_attach(codec, fd);
	char *bytes = must((char *)malloc(LEN));

	device_map(camera, filled, FROM_DEVICE);
	device_map(codec, coded, BOTH_WAYS);
	fill(bytes, LEN, 0, 1);
	device_write(camera, filled, 0, bytes, LEN);
	device_begin(codec, coded, TO_DEVICE);
	device_read(codec, coded, 0, bytes, LEN);
	check(is_filled(bytes, LEN, 0, 1));
	device_end(codec, coded, TO_DEVICE);
	device_read(camera, filled, 0, bytes, LEN);
	check(is_filled(bytes, LEN, 0, 1));
}

/* A job that begins at one device and ends at another, each with a copy of its own, is none. */
static void chain_of_copies(void)
{
	int one = device_new(64, 0), other = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t first = device_attach(one, fd), second = device_attach(other, fd);
	struct dmaheap_test_job job = { .id = second, .direction = BOTH_WAYS };
	char byte = 7, *bytes = buffer_map(fd, LEN);

	if (!all_bounced())
		tap_skip("devices here work on the same bytes");
	device_map(one, first, BOTH_WAYS);
	device_map(other, second, BOTH_WAYS);
	device_begin(one, first, BOTH_WAYS);
	device_write(one, first, 0, &byte, 1);
	check_errno(ioctl(other, DMAHEAP_TEST_END, &job), EXDEV);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check_equal(bytes[0], 7);
	cpu_end(fd, DMA_BUF_SYNC_READ);
	job.id = first;
	check_errno(ioctl(one, DMAHEAP_TEST_END, &job), EINVAL);
}

/* What the CPU writes in a bracket is not taken from it by a camera that holds its mapping. */
static void bracket_beside_a_camera(void)
{
	int camera = device_new(64, 0), codec = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t filled = device_attach(camera, fd), coded = device_attach(codec, fd);
	char *bytes = must((char *)malloc(LEN)), *mapped = buffer_map(fd, LEN);

	device_map(camera, filled, FROM_DEVICE);
	cpu_begin(fd, DMA_BUF_SYNC_RW);
	fill(mapped, LEN, 0, 1);
	device_map(codec, coded, TO_DEVICE);
	check(is_filled(mapped, LEN, 0, 1));
	device_unmap(codec, coded, TO_DEVICE);
	cpu_end(fd, DMA_BUF_SYNC_RW);
	device_map(codec, coded, TO_DEVICE);
	device_read(codec, coded, 0, bytes, LEN);
	check(is_filled(bytes, LEN, 0, 1));
}

/*
 * A driver that works by the CPU, as USB cameras' does: it keeps its mapping and writes without
 * a bracket.  Devices that map for each frame see its frames, and it sees theirs.
 */
static void cpu_driver(void)
{
	int camera = device_open(), codec = device_new(64, 0);
	int32_t fd = cached_buffer(LEN), frame;
	uint32_t id = device_attach(codec, fd);
	char *bytes = must((char *)malloc(LEN));
	struct dmaheap_test_vmap touch = { .fd = fd, .len = LEN, .bytes = (uintptr_t)bytes };

	/* What a device wrote before the driver maps, it sees. */
	fill(bytes, LEN, 0, 55);
	device_map(codec, id, FROM_DEVICE);
	device_write(codec, id, 0, bytes, LEN);
	device_unmap(codec, id, FROM_DEVICE);
	must(ioctl(camera, DMAHEAP_TEST_KEEP_VMAP, &fd));
	touch.flags = DMAHEAP_TEST_VMAP_UNBRACKETED;
	memset(bytes, 0, LEN);
	must(ioctl(camera, DMAHEAP_TEST_VMAP, &touch));
	check(is_filled(bytes, LEN, 0, 55));
	for (frame = 0; frame < 3; frame++) {
		fill(bytes, LEN, 0, frame);
		touch.flags = DMAHEAP_TEST_VMAP_WRITE | DMAHEAP_TEST_VMAP_UNBRACKETED;
		must(ioctl(camera, DMAHEAP_TEST_VMAP, &touch));
		memset(bytes, 0, LEN);
		device_map(codec, id, BOTH_WAYS);
		device_read(codec, id, 0, bytes, LEN);
		check(is_filled(bytes, LEN, 0, frame));
		fill(bytes, LEN, 0, 100 + frame);
		device_write(codec, id, 0, bytes, LEN);
		device_unmap(codec, id, BOTH_WAYS);
		touch.flags = DMAHEAP_TEST_VMAP_UNBRACKETED;
		memset(bytes, 0, LEN);
		must(ioctl(camera, DMAHEAP_TEST_VMAP, &touch));
		check(is_filled(bytes, LEN, 0, 100 + frame));
	}
}

static void foreign(void)
{
	int device = device_new(64, 0xffffffff), fd = foreign_buffer(LEN);
	uint32_t id = device_attach(device, fd);

	device_map(device, id, BOTH_WAYS);
	check_errno(try_job(DMAHEAP_TEST_BEGIN, device, id, TO_DEVICE), EOPNOTSUPP);
	check_errno(try_job(DMAHEAP_TEST_END, device, id, TO_DEVICE), EOPNOTSUPP);
	device_unmap(device, id, BOTH_WAYS);
}

static void noncoherent(void)
{
	struct dmaheap_test_device data = {
		.mask_bits = 64,
		.coherency = DMAHEAP_TEST_NONCOHERENT,
		.bus = device_bus(),
	};
	int device = device_open();

	if (ioctl(device, DMAHEAP_TEST_DEVICE, &data)) {
		check_equal(errno, EOPNOTSUPP);
		tap_skip("all devices snoop the caches on this architecture");
	}
	round_trip(device, LEN);
}

static const struct test tests[] = {
	TEST(unlimited, "a device without limits reads and writes the CPU's bytes"),
	TEST(one_page, "a buffer of one page"),
	TEST(segments, "no segment is longer than the device can take"),
	TEST(segments_whole, "chunks of 2 MiB stay whole where the device can take them"),
	TEST(boundary, "no segment crosses the device's boundary"),
	TEST(segments_too_small, "segments of less than a page are EINVAL"),
	TEST(mask_of_32_bits, "a device of 32 bits gets addresses of 32 bits"),
	TEST(memory_above_4g, "memory above 4 GiB was there to be bounced"),
	TEST(mask_of_24_bits, "a device that cannot reach the memory gets EIO, no splat"),
	TEST(buffer_of_32_mib, "a buffer of 32 MiB maps, also behind bounce buffers"),
	TEST(mapping_kept, "a mapping is kept until detach, for all directions"),
	TEST(mapped_twice, "an attachment can be mapped twice at a time"),
	TEST(mapped_again, "a second map keeps what the device has written since the first"),
	TEST(display_first, "a display that holds its mapping sees a camera's frames"),
	TEST(camera_first, "so it does when the camera came first"),
	TEST(cpu_keeps_writing,
	     "a device that passes by takes nothing from a CPU that writes"),
	TEST(camera_holds, "a display sees the frames of a camera that holds its mapping"),
	TEST(two_devices, "two devices read each other's bytes"),
	TEST(partial_write, "a device that writes a part leaves the rest"),
	TEST(held_mapping, "CPU access brackets work under a mapping that is held"),
	TEST(reading_keeps_device_bytes, "an access that only reads undoes no device's bytes"),
	TEST(detached_while_mapped, "a device that goes away while mapped"),
	TEST(suspended, "a device that is suspended while mapped"),
	TEST(attached_holds, "an attachment holds the buffer, and is in the table"),
	TEST(jobs, "jobs begin and end under a mapping that stays; wrong ones are EINVAL"),
	TEST(first_bracket, "the first bracket of a driver takes nothing from a camera"),
	TEST(chain_of_copies, "a chain of devices that have copies is EXDEV"),
	TEST(bracket_beside_a_camera, "what the CPU writes in a bracket stays"),
	TEST(cpu_driver, "a driver that works by the CPU, without brackets"),
	TEST(foreign, "a job on another exporter's buffer is EOPNOTSUPP"),
	TEST(noncoherent, "a device that does not snoop"),
};
TAP_MAIN(tests)
