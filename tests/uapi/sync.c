// SPDX-License-Identifier: GPL-2.0-only
/* DMA_HEAP_IOCTL_SYNC: each rule of the ABI header. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define LEN (3 * MIB)
#define START_READ (DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)

static int try_sync(int heap, int fd, uint64_t flags, uint64_t offset, uint64_t len)
{
	struct dma_heap_sync_data data = {
		.fd = fd,
		.flags = flags,
		.offset = offset,
		.len = len,
	};

	return ioctl(heap, DMA_HEAP_IOCTL_SYNC, &data);
}

static void valid(void)
{
	static const uint64_t flags[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE,
					  DMA_BUF_SYNC_RW };
	int heap = heap_open(), fd = heap_buffer(LEN);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		must(try_sync(heap, fd, DMA_BUF_SYNC_START | flags[i], 0, LEN));
		must(try_sync(heap, fd, DMA_BUF_SYNC_END | flags[i], 0, LEN));
		must(try_sync(heap, fd, DMA_BUF_SYNC_START | flags[i], LEN - 1, 1));
		must(try_sync(heap, fd, DMA_BUF_SYNC_END | flags[i], LEN - 1, 1));
	}
}

static void parts(void)
{
	static const struct {
		uint64_t offset, len;
	} wrong[] = {
		{ 0, 0 },
		{ LEN, 0 },
		{ LEN, 1 },
		{ 0, LEN + 1 },
		{ 1, LEN },
		{ LEN - 1, 2 },
		{ LEN + 1, 1 },
		{ 1, UINT64_MAX },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX, UINT64_MAX },
		{ UINT64_MAX - 4095, 8192 },
		{ 1ULL << 32, 1 },
		{ 0, 1ULL << 32 },
	};
	int heap = heap_open(), fd = heap_buffer(LEN);
	unsigned int i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		check_errno(try_sync(heap, fd, START_READ, wrong[i].offset, wrong[i].len),
			    EINVAL);
}

static void flags(void)
{
	int heap = heap_open(), fd = heap_buffer(LEN);
	unsigned int bit;

	check_errno(try_sync(heap, fd, 0, 0, LEN), EINVAL);
	check_errno(try_sync(heap, fd, DMA_BUF_SYNC_END, 0, LEN), EINVAL);
	for (bit = 3; bit < 64; bit++)
		check_errno(try_sync(heap, fd, START_READ | 1ULL << bit, 0, LEN), EINVAL);
}

static void padding(void)
{
	struct dma_heap_sync_data data = {
		.fd = heap_buffer(LEN),
		.pad = 1,
		.flags = START_READ,
		.len = LEN,
	};

	check_errno(ioctl(heap_open(), DMA_HEAP_IOCTL_SYNC, &data), EINVAL);
}

static void foreign(void)
{
	check_errno(try_sync(heap_open(), foreign_buffer(MIB), START_READ, 0, MIB), EINVAL);
}

static void no_buffer(void)
{
	int heap = heap_open();

	check_errno(try_sync(heap, heap, START_READ, 0, LEN), EINVAL);
	check_errno(try_sync(heap, -1, START_READ, 0, LEN), EBADF);
	check_errno(try_sync(heap, 1000, START_READ, 0, LEN), EBADF);
}

static void structures(void)
{
	struct {
		struct dma_heap_sync_data data;
		char garbage[40];
	} longer = { .data = { .fd = heap_buffer(LEN), .flags = START_READ, .len = LEN } };
	int heap = heap_open();
	void *nowhere = must(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	memset(longer.garbage, 0x5a, sizeof(longer.garbage));
	must(ioctl(heap, _IOW('H', 0x80, longer), &longer));
	check_errno(ioctl(heap, _IOW('H', 0x80, char[24]), &longer), EINVAL);
	check_errno(ioctl(heap, DMA_HEAP_IOCTL_SYNC, nowhere), EFAULT);
	check_errno(ioctl(heap, _IOW('H', 0x81, longer.data), &longer), ENOTTY);
}

/*
 * Parts of what a device has written, and parts for a device to read: what is outside of them
 * is not touched, and is not lost.
 */
static void bytes_of_parts(void)
{
	int device = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd);
	uint8_t *mapped = buffer_map(fd, LEN), *bytes = must((uint8_t *)malloc(LEN));
	const size_t offset = MIB + 100, len = 70000;

	fill(bytes, LEN, 0, 1);
	device_map(device, id, FROM_DEVICE);
	device_write(device, id, 0, bytes, LEN);
	device_unmap(device, id, FROM_DEVICE);

	part_sync(fd, START_READ, offset, len);
	check(is_filled(mapped + offset, len, offset, 1));
	part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, offset, len);

	part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, 5000, 3);
	memcpy(mapped + 5000, "abc", 3);
	part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 5000, 3);

	device_map(device, id, TO_DEVICE);
	device_read(device, id, 0, bytes, LEN);
	check(!memcmp(bytes + 5000, "abc", 3));
	check(is_filled(bytes, 5000, 0, 1));
	check(is_filled(bytes + 5003, LEN - 5003, 5003, 1));
	device_unmap(device, id, TO_DEVICE);

	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check(!memcmp(mapped + 5000, "abc", 3));
	check(is_filled(mapped, 5000, 0, 1));
	check(is_filled(mapped + 5003, LEN - 5003, 5003, 1));
}

/*
 * Two parts at a time, beside a device that holds its mapping and writes when it likes: what is
 * written in one part takes nothing from the other, nor from the rest.
 */
static void two_parts(void)
{
	int device = device_new(64, 0), other = device_new(64, 0), fd = cached_buffer(LEN);
	uint32_t id = device_attach(device, fd), passing = device_attach(other, fd);
	uint8_t *mapped = buffer_map(fd, LEN), *bytes = must((uint8_t *)malloc(LEN));

	device_map(device, id, BOTH_WAYS);
	fill(bytes, LEN, 0, 1);
	device_write(device, id, 0, bytes, LEN);
	part_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, 0, 4096);
	mapped[0] = 7;
	part_sync(fd, START_READ, MIB, 4096);
	check(is_filled(mapped + MIB, 4096, MIB, 1));
	part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, MIB, 4096);
	device_map(other, passing, TO_DEVICE);
	device_read(other, passing, 2 * MIB, bytes, MIB);
	check(is_filled(bytes, MIB, 2 * MIB, 1));
	device_unmap(other, passing, TO_DEVICE);
	check_equal(mapped[0], 7);
	part_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 0, 4096);
	device_read(device, id, 0, bytes, LEN);
	check_equal(bytes[0], 7);
	check(is_filled(bytes + 1, LEN - 1, 1, 1));
}

static void end_of_another(void)
{
	int heap = heap_open(), fd = cached_buffer(LEN), device = device_new(64, 0);
	uint32_t id = device_attach(device, fd);
	uint8_t byte, *mapped = buffer_map(fd, LEN);

	/* All of it is begun, a part is ended: nothing that was written is lost. */
	device_map(device, id, TO_DEVICE);
	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	mapped[LEN - 1] = 7;
	must(try_sync(heap, fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, 0, 4096));
	device_read(device, id, LEN - 1, &byte, 1);
	check_equal(byte, 7);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	device_unmap(device, id, TO_DEVICE);
}

/* A program that writes, and only says so afterwards. */
static void end_alone(void)
{
	int fd = cached_buffer(LEN), device = device_new(64, 0);
	uint32_t id = device_attach(device, fd);
	uint8_t *mapped = buffer_map(fd, LEN), *bytes = must((uint8_t *)malloc(LEN));

	device_map(device, id, TO_DEVICE);
	fill(mapped, LEN, 0, 1);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	device_read(device, id, 0, bytes, LEN);
	check(is_filled(bytes, LEN, 0, 1));
}

static void removed_heap(void)
{
	struct dmaheap_test_heap name = { .name = "short-lived" };
	int owner = device_open(), fd = heap_buffer(LEN), heap;

	must(ioctl(owner, DMAHEAP_TEST_ADD, &name));
	heap = must(open("/dev/dma_heap/short-lived", O_RDONLY));
	must(try_sync(heap, fd, START_READ, 0, LEN)); /* the buffer may be of another heap */
	must(ioctl(owner, DMAHEAP_TEST_REMOVE, &name));
	check_errno(try_sync(heap, fd, START_READ, 0, LEN), ENODEV);
}

static const struct test tests[] = {
	TEST(valid, "parts and the whole can be synced"),
	TEST(parts, "a part that is empty or not within the buffer is EINVAL"),
	TEST(flags, "unknown flags, and none, are EINVAL"),
	TEST(padding, "padding that is not 0 is EINVAL"),
	TEST(foreign, "a dma-buf of another exporter is EINVAL"),
	TEST(no_buffer, "what is no dma-buf is EINVAL, what is not open EBADF"),
	TEST(removed_heap, "a heap that was removed answers ENODEV"),
	TEST(structures, "longer structures work, shorter ones are EINVAL, none is EFAULT"),
	TEST(bytes_of_parts, "bytes within and without the parts are right"),
	TEST(two_parts, "two parts at a time beside a device that writes"),
	TEST(end_alone, "an end without a begin hands over what was written"),
	TEST(end_of_another, "a part that ends what was begun as a whole loses nothing"),
};
TAP_MAIN(tests)
