// SPDX-License-Identifier: GPL-2.0-only
/* mmap() of a buffer. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

/* Several chunks of each size: not a multiple of anything. */
#define LEN (5 * MIB + 68 * KIB)
#define PAGE 4096UL

static int buffer_as(unsigned int fd_flags, size_t len)
{
	struct dma_heap_allocation_data data = { .len = len, .fd_flags = fd_flags };

	must(ioctl(heap_open(), DMA_HEAP_IOCTL_ALLOC, &data));
	return data.fd;
}

static void whole(void)
{
	int fd = heap_buffer(LEN);
	char *one = buffer_map(fd, LEN), *other = buffer_map(fd, LEN);

	buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	fill(one, LEN, 0, 1);
	buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	check(is_filled(other, LEN, 0, 1));
	munmap(one, LEN);
	munmap(other, LEN);
	check(is_filled(buffer_map(fd, LEN), LEN, 0, 1));
}

static void part(void)
{
	static const struct {
		size_t offset, len;
	} rows[] = {
		{ 0, 1 },
		{ 0, PAGE },
		{ PAGE, PAGE },
		{ 3 * PAGE, 5 * PAGE },
		{ 2 * MIB - PAGE, 2 * PAGE },
		{ MIB, 3 * MIB },
		{ LEN - PAGE, PAGE },
	};
	int fd = heap_buffer(LEN);
	unsigned int i;

	fill(buffer_map(fd, LEN), LEN, 0, 2);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *bytes = must(
			mmap(NULL, rows[i].len, PROT_READ, MAP_SHARED, fd, rows[i].offset));

		check(is_filled(bytes, rows[i].len, rows[i].offset, 2));
		munmap(bytes, rows[i].len);
	}
}

static long map_at(int fd, size_t len, off_t offset)
{
	return (long)mmap(NULL, len, PROT_READ, MAP_SHARED, fd, offset);
}

static void beyond(void)
{
	const size_t len = heap_rounded(LEN);
	int fd = heap_buffer(LEN);

	check_errno(map_at(fd, len + PAGE, 0), EINVAL);
	check_errno(map_at(fd, len, PAGE), EINVAL);
	check_errno(map_at(fd, PAGE, len), EINVAL);
	check_errno(map_at(fd, PAGE, 1L << 62), EINVAL);
	check_errno(map_at(fd, 0, 0), EINVAL);
	check_errno(map_at(fd, PAGE, 1), EINVAL);
}

static void read_only(void)
{
	int fd = buffer_as(O_RDONLY, LEN);
	char *bytes;

	check_errno((long)mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	bytes = must(mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0));
	check(is_zero(bytes, LEN));
	check_errno(mprotect(bytes, LEN, PROT_READ | PROT_WRITE), EACCES);
}

static void write_only(void)
{
	int fd = buffer_as(O_WRONLY, LEN);

	check_errno((long)mmap(NULL, LEN, PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
}

static void private(void)
{
	int fd = heap_buffer(LEN);

	check_errno((long)mmap(NULL, LEN, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
}

static void forked(void)
{
	char *bytes = buffer_map(heap_buffer(LEN), LEN);
	int status;

	bytes[0] = 1; /* half of it entered before the fork, half after */
	if (!must(fork())) {
		fill(bytes, LEN, 0, 3);
		_exit(0);
	}
	must(wait(&status));
	check_equal(status, 0);
	check(is_filled(bytes, LEN, 0, 3));
}

static void after_close(void)
{
	int fd = heap_buffer(LEN), buffers = table_length();
	char *bytes = buffer_map(fd, LEN);

	close(fd);
	fill(bytes, LEN, 0, 4);
	check(is_filled(bytes, LEN, 0, 4));
	check_equal(table_length(), buffers);
	munmap(bytes, LEN);
	check_equal(table_length(), buffers - 1);
}

static void holes(void)
{
	int fd = heap_buffer(LEN);
	char *bytes = buffer_map(fd, LEN);

	must(munmap(bytes + MIB, MIB));
	fill(bytes, MIB, 0, 5);
	fill(bytes + 2 * MIB, LEN - 2 * MIB, 2 * MIB, 5);
	bytes = buffer_map(fd, LEN);
	check(is_filled(bytes, MIB, 0, 5));
	check(is_zero(bytes + MIB, MIB));
	check(is_filled(bytes + 2 * MIB, LEN - 2 * MIB, 2 * MIB, 5));
}

static void moved(void)
{
	int fd = heap_buffer(LEN);
	char *bytes = buffer_map(fd, LEN), *elsewhere;

	fill(bytes, LEN, 0, 6);
	elsewhere = must(mmap(NULL, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	bytes = must(mremap(bytes, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere));
	check(is_filled(bytes, LEN, 0, 6));
	/* Not larger: there is nothing behind the buffer. */
	check_errno((long)mremap(bytes, LEN, LEN + PAGE, MREMAP_MAYMOVE), EFAULT);
}

static void faulted_again(void)
{
	char *bytes = buffer_map(heap_buffer(LEN), LEN);

	fill(bytes, LEN, 0, 7);
	if (heap_is_uncounted()) /* of such mappings the kernel takes nothing away */
		check_errno(madvise(bytes + PAGE, 3 * MIB, MADV_DONTNEED), EINVAL);
	else
		must(madvise(bytes + PAGE, 3 * MIB, MADV_DONTNEED));
	check(is_filled(bytes, LEN, 0, 7));
}

static char *racing_bytes;
static pthread_barrier_t start;

static void *touch(void *number)
{
	size_t i, pages = LEN / PAGE;

	pthread_barrier_wait(&start);
	for (i = 0; i < pages; i++) {
		size_t at = (i * 97 + (size_t)number * 31) % pages;

		racing_bytes[at * PAGE + (size_t)number] = number ? (char)(size_t)number : 8;
	}
	return NULL;
}

static void racing(void)
{
	pthread_t threads[8];
	size_t i, t;
	int round;

	for (round = 0; round < 10; round++) {
		int fd = heap_buffer(LEN);

		racing_bytes = buffer_map(fd, LEN);
		pthread_barrier_init(&start, NULL, 8);
		for (t = 0; t < 8; t++)
			check_equal(pthread_create(&threads[t], NULL, touch, (void *)t), 0);
		for (t = 0; t < 8; t++)
			pthread_join(threads[t], NULL);
		for (i = 0; i < LEN; i += PAGE)
			for (t = 0; t < 8; t++)
				check_equal(racing_bytes[i + t], t ? t : 8);
		munmap(racing_bytes, LEN);
		close(fd);
	}
}

static void sync_flags(void)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_VALID_FLAGS_MASK + 1 };
	int fd = heap_buffer(PAGE);

	check_errno(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), EINVAL);
	sync.flags = 0;
	check_errno(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), EINVAL);
}

static const struct test tests[] = {
	TEST(whole, "two mappings of all of a buffer show the same bytes"),
	TEST(part, "a part at an offset shows the bytes of that place"),
	TEST(beyond, "beyond the end, unaligned or empty is EINVAL"),
	TEST(read_only, "a read-only fd maps for reading only"),
	TEST(write_only, "a write-only fd does not map"),
	TEST(private, "a private mapping is EINVAL"),
	TEST(forked, "a forked child shares the mapping"),
	TEST(after_close, "a mapping outlives its fd, and holds the buffer"),
	TEST(holes, "unmapping the middle leaves the rest"),
	TEST(moved, "a mapping can be moved, not grown"),
	TEST(faulted_again, "pages taken away come back with their bytes"),
	TEST(racing, "8 threads that touch the same pages first"),
	TEST(sync_flags, "DMA_BUF_IOCTL_SYNC refuses unknown and missing flags"),
};
TAP_MAIN(tests)
