// SPDX-License-Identifier: GPL-2.0-only
/* Mappings of a buffer are handed to the kernel again: direct I/O, by read() and by io_uring. */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../disk.h"
#include "../heap.h"
#include "../tap.h"

/* Chunks of all sizes: large pages and others. */
#define LEN (4 * MIB + 68 * KIB)
#define PAGE 4096UL
#define ALIGNED (2 * MIB)

/* A disk of memory, whose bytes are those of a seed. */
static int disk_new(uint32_t seed)
{
	char *bytes = must((char *)malloc(LEN));
	int disk;

	if (module_try("brd", "rd_nr=1 rd_size=16384") == false)
		tap_skip("this kernel has no brd");
	disk = must(open("/dev/ram0", O_RDWR | O_CLOEXEC));
	fill(bytes, LEN, 0, seed);
	check_equal(must(pwrite(disk, bytes, LEN, 0)), LEN);
	must(fsync(disk));
	close(disk);
	free(bytes);
	return must(open("/dev/ram0", O_RDWR | O_DIRECT | O_CLOEXEC));
}

/* Maps all of a buffer at an address whose last bits are those of @skew. */
static char *map_aligned(int fd, size_t skew)
{
	char *room = must(mmap(NULL, LEN + 2 * ALIGNED, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	char *at = (char *)(((uintptr_t)room + ALIGNED - 1) & ~(ALIGNED - 1)) + skew;

	return must(mmap(at, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0));
}

static void skip_uncounted(void)
{
	if (heap_is_uncounted())
		tap_skip("this heap's pages are not counted one by one");
}

static void reads_at(size_t skew)
{
	int disk = disk_new(1), fd = heap_buffer(LEN);
	char *bytes = map_aligned(fd, skew);

	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	check_equal(must(pread(disk, bytes, LEN, 0)), LEN);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	cpu_begin(fd, DMA_BUF_SYNC_READ);
	check(is_filled(bytes, LEN, 0, 1));
	cpu_end(fd, DMA_BUF_SYNC_READ);
	/* Also in the middle, when all is mapped. */
	check_equal(must(pread(disk, bytes + ALIGNED - PAGE, 3 * PAGE, PAGE)), 3 * PAGE);
	check(is_filled(bytes + ALIGNED - PAGE, 3 * PAGE, PAGE, 1));
	close(disk);
}

static void reads(void)
{
	skip_uncounted();
	reads_at(0);
	module_drop("brd");
	reads_at(PAGE);
	module_drop("brd");
}

static void writes(void)
{
	int disk, fd = heap_buffer(LEN);
	char *bytes = map_aligned(fd, 0), *seen = must((char *)malloc(LEN));

	skip_uncounted();
	disk = disk_new(1);
	cpu_begin(fd, DMA_BUF_SYNC_WRITE);
	fill(bytes, LEN, 0, 2);
	cpu_end(fd, DMA_BUF_SYNC_WRITE);
	check_equal(must(pwrite(disk, bytes, LEN, 0)), LEN);
	close(disk);
	disk = must(open("/dev/ram0", O_RDONLY | O_CLOEXEC));
	check_equal(must(pread(disk, seen, LEN, 0)), LEN);
	check(is_filled(seen, LEN, 0, 2));
	close(disk);
	module_drop("brd");
}

/* ---- io_uring, by its system calls ---- */

struct ring {
	int fd;
	uint8_t *queues;
	struct io_uring_sqe *entries;
	struct io_uring_params params;
};

static struct ring ring_new(void)
{
	struct ring ring = {};
	size_t size = 64 * KIB;

	ring.fd = syscall(SYS_io_uring_setup, 4, &ring.params);
	if (ring.fd < 0)
		tap_skip("this kernel has no io_uring");
	check(ring.params.features & IORING_FEAT_SINGLE_MMAP);
	size = ring.params.cq_off.cqes + ring.params.cq_entries * sizeof(struct io_uring_cqe);
	ring.queues = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
				IORING_OFF_SQ_RING));
	ring.entries =
		must(mmap(NULL, ring.params.sq_entries * sizeof(*ring.entries),
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQES));
	return ring;
}

static uint32_t *ring_number(struct ring *ring, uint32_t offset)
{
	return (uint32_t *)(ring->queues + offset);
}

/* Does one thing, and waits for it; what its result is. */
static int ring_do(struct ring *ring, const struct io_uring_sqe *entry)
{
	uint32_t tail = *ring_number(ring, ring->params.sq_off.tail), head;
	uint32_t at = tail & *ring_number(ring, ring->params.sq_off.ring_mask);
	struct io_uring_cqe *done;

	ring->entries[at] = *entry;
	ring_number(ring, ring->params.sq_off.array)[at] = at;
	__atomic_store_n(ring_number(ring, ring->params.sq_off.tail), tail + 1,
			 __ATOMIC_RELEASE);
	check_equal(must(syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS,
				 NULL, 0)),
		    1);
	head = *ring_number(ring, ring->params.cq_off.head);
	done = (struct io_uring_cqe *)(ring->queues + ring->params.cq_off.cqes);
	done += head & *ring_number(ring, ring->params.cq_off.ring_mask);
	__atomic_store_n(ring_number(ring, ring->params.cq_off.head), head + 1,
			 __ATOMIC_RELEASE);
	return done->res;
}

/* A disk's bytes come into a buffer. */
static void ring_reads_by(struct ring *ring, unsigned int opcode, char *bytes, uint32_t seed)
{
	int disk = disk_new(seed);
	struct io_uring_sqe entry = {
		.opcode = opcode,
		.fd = disk,
		.addr = (uintptr_t)bytes,
		.len = LEN,
	};

	check_equal(ring_do(ring, &entry), LEN);
	check(is_filled(bytes, LEN, 0, seed));
	close(ring->fd);
	close(disk);
	module_drop("brd");
}

static void ring_reads(void)
{
	char *bytes = map_aligned(heap_buffer(LEN), 0);
	struct iovec piece = { bytes, LEN };
	struct ring ring = ring_new();

	skip_uncounted();
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &piece, 1)) {
		/* Before 6.5, buffers in mappings of files were refused, whatever their pages. */
		check_equal(errno, EOPNOTSUPP);
		tap_skip("this kernel registers no mapping of any file");
	}
	ring_reads_by(&ring, IORING_OP_READ_FIXED, bytes, 3);
}

/* The same without registering. */
static void ring_reads_plain(void)
{
	char *bytes = map_aligned(heap_buffer(LEN), 0);
	struct ring ring = ring_new();

	skip_uncounted();
	ring_reads_by(&ring, IORING_OP_READ, bytes, 4);
}

/* ---- late ---- */

#define LATE (256 * KIB)
#define OTHERS 8

static int late_disk;
static char *late_bytes;

static void *read_late(void *unused)
{
	(void)unused;
	return (void *)pread(late_disk, late_bytes, LATE, 0);
}

/* Whatever is free of the heap's memory, or some of it; each must be zero. */
static int take_others(char *others[OTHERS])
{
	int heap = heap_open(), n, fd;

	for (n = 0; n < OTHERS && (fd = heap_try(heap, LEN)) >= 0; n++) {
		others[n] = buffer_map(fd, LEN);
		check(is_zero(others[n], LEN));
		close(fd);
	}
	close(heap);
	check(n);
	return n;
}

static void drop_others(char *others[OTHERS], int n)
{
	while (n--) {
		check(is_zero(others[n], LEN));
		munmap(others[n], LEN);
	}
}

/* A disk writes to the pages of a buffer that is gone: they must not be anybody else's by then. */
static void late(void)
{
	char *others[OTHERS];
	pthread_t thread;
	void *result;
	int fd, n;

	skip_uncounted();
	late_disk = disk_open();
	fd = heap_buffer(LEN);
	late_bytes = buffer_map(fd, LEN);
	late_bytes[0] = 1;
	check_equal(pthread_create(&thread, NULL, read_late, NULL), 0);
	disk_wait(LATE);
	munmap(late_bytes, LEN);
	close(fd);
	n = take_others(others);
	disk_answer(0xa5);
	pthread_join(thread, &result);
	check_equal((long)result, LATE);
	drop_others(others, n);
	/* And now that they are free, nobody sees what it wrote. */
	drop_others(others, take_others(others));
	disk_close(late_disk);
}

static void refused(void)
{
	char *bytes;
	int disk;

	if (!heap_is_uncounted())
		tap_skip("this heap's pages are counted one by one");
	disk = disk_new(1);
	bytes = map_aligned(heap_buffer(LEN), 0);
	bytes[0] = bytes[LEN - 1] = 1; /* so that there is something to be found */
	check_errno(pread(disk, bytes, LEN, 0), EFAULT);
	close(disk);
	module_drop("brd");
}

static const struct test tests[] = {
	TEST(reads, "read() with O_DIRECT, by large pages and by single ones"),
	TEST(writes, "write() with O_DIRECT"),
	TEST(ring_reads, "io_uring reads into a registered buffer"),
	TEST(ring_reads_plain, "io_uring reads into one that is not registered"),
	TEST(late, "what a disk writes after the buffer is gone, nobody sees"),
	TEST(refused, "where pages are not counted, it is EFAULT"),
};
TAP_MAIN(tests)
