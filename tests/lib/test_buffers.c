// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap_buffers(3): allocating, importing, mapping, accesses. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "fixture.h"

#define MIB (1UL << 20)
#define LARGE (2 * MIB)

/* Made a whole one. */
static const struct dmaheap_request one_page = { .size = 4095 };

/* ---- allocating ---- */

static struct dmaheap_buffer *allocate(struct fixture *fixture,
				       const struct dmaheap_request *request)
{
	struct dmaheap_buffer *buffer = NULL;
	struct dmaheap_heap *heap;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	heap = fixture_open(fixture, "system");
	assert_int_equal(dmaheap_allocate(heap, request, &buffer), 0);
	dmaheap_close(heap);
	return buffer;
}

static int try_allocate(struct fixture *fixture, const struct dmaheap_request *request)
{
	struct dmaheap_buffer *buffer = NULL;
	struct dmaheap_heap *heap;
	int err;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	heap = fixture_open(fixture, "system");
	err = dmaheap_allocate(heap, request, &buffer);
	assert_int_equal(!buffer, err != 0);
	dmaheap_buffer_free(buffer);
	dmaheap_close(heap);
	return err;
}

static void a_buffer_and_all_there_is_to_it(void **state)
{
	struct dmaheap_request request = { .size = 5000, .name = "frame" };
	struct dmaheap_buffer *buffer = allocate(*state, &request);
	struct stat st;

	assert_int_equal(dmaheap_buffer_size(buffer), 8192);
	assert_int_equal(dmaheap_buffer_origin(buffer), DMAHEAP_ORIGIN_DMAHEAP);
	assert_string_equal(dmaheap_buffer_heap(buffer), "system");
	assert_int_equal(dmaheap_buffer_name_status(buffer), 0);
	assert_int_equal(fstat(dmaheap_buffer_fd(buffer), &st), 0);
	assert_int_equal(dmaheap_buffer_inode(buffer), st.st_ino);
	assert_int_equal(kernel_calls(DMA_BUF_SET_NAME), 1);
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
	assert_int_equal(dmaheap_buffer_free(NULL), 0);
}

static void its_fd_allows_what_was_wanted(void **state)
{
	static const struct {
		unsigned int access, flags;
	} rows[] = {
		{ 0, O_RDWR },
		{ DMAHEAP_READ, O_RDONLY },
		{ DMAHEAP_WRITE, O_WRONLY },
		{ DMAHEAP_READ_WRITE, O_RDWR },
	};
	struct dmaheap_request request = one_page;
	size_t i;

	for (i = 0; i < 4; i++) {
		request.access = rows[i].access;
		assert_int_equal(try_allocate(*state, &request), 0);
		assert_int_equal(kernel_fd_flags(), rows[i].flags | O_CLOEXEC);
	}
}

static void requests_that_are_none(void **state)
{
	struct fixture *fixture = *state;
	const struct {
		struct dmaheap_request request;
		int err;
	} rows[] = {
		{ { .size = 0 }, -EINVAL },
		{ { .size = SIZE_MAX }, -EINVAL },
		{ { .size = SIZE_MAX / 2 }, -EINVAL },
		{ { .size = 1, .access = 4 }, -EINVAL },
		{ { .size = 1, .name = "a name that is of 32 bytes, so 1" }, -ENAMETOOLONG },
		{ { .size = 1, .name = "a name of 31 bytes, so it fits!" }, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(try_allocate(fixture, &rows[i].request), rows[i].err);
	assert_int_equal(kernel_calls(DMA_HEAP_IOCTL_ALLOC), 1);
}

static void signals_and_modules_that_load_are_waited_for(void **state)
{
	struct fixture *fixture = *state;

	kernel_fail("system", DMA_HEAP_IOCTL_ALLOC, EINTR, 3);
	kernel_fail("system", DMA_HEAP_IOCTL_ALLOC, EAGAIN, 2);
	assert_int_equal(try_allocate(fixture, &one_page), 0);
	assert_int_equal(kernel_calls(DMA_HEAP_IOCTL_ALLOC), 6);
}

static void but_not_for_ever(void **state)
{
	struct fixture *fixture = *state;

	kernel_fail("system", DMA_HEAP_IOCTL_ALLOC, EAGAIN, 100000);
	assert_int_equal(try_allocate(fixture, &one_page), -EAGAIN);
	assert_message(fixture, "still being loaded; try again");
}

static void why_there_is_no_buffer(void **state)
{
	static const struct {
		int err;
		const char *words;
	} rows[] = {
		{ ENOMEM, "dma_heap/system: there is no such memory now" },
		{ EDQUOT, "dma_heap/system: more of it than each user may have" },
		{ ENODEV, "the heap is gone; open it again" },
		{ ENOTTY, "it is no heap" },
		{ EMFILE, "too many open files" },
		{ EINVAL, "invalid argument" },
	};
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		kernel_fail("system", DMA_HEAP_IOCTL_ALLOC, rows[i].err, 1);
		assert_int_equal(try_allocate(fixture, &one_page), -rows[i].err);
		assert_message(fixture, rows[i].words);
	}
}

static void a_buffer_without_its_name_is_one(void **state)
{
	struct dmaheap_request request = { .size = 1, .name = "frame" };
	struct dmaheap_buffer *buffer;

	kernel_fail("buffer", DMA_BUF_SET_NAME, ENOTTY, 1);
	buffer = allocate(*state, &request);
	assert_int_equal(dmaheap_buffer_name_status(buffer), -ENOTTY);
	assert_int_equal(dmaheap_buffer_set_name(buffer, "frame"), 0);
	assert_int_equal(dmaheap_buffer_name_status(buffer), 0);
	dmaheap_buffer_free(buffer);
}

static void naming(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);

	assert_int_equal(kernel_calls(DMA_BUF_SET_NAME), 0);
	assert_int_equal(dmaheap_buffer_set_name(buffer, "a name that is of 32 bytes, so 1"),
			 -ENAMETOOLONG);
	assert_int_equal(kernel_calls(DMA_BUF_SET_NAME), 0);
	kernel_fail("buffer", DMA_BUF_SET_NAME, EINVAL, 1);
	assert_int_equal(dmaheap_buffer_set_name(buffer, "x"), -EINVAL);
	assert_message(fixture, "name: \"x\": ");
	dmaheap_buffer_free(buffer);
}

static void buffers_live_on_when_the_heap_is_closed(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *one, *other;
	struct dmaheap_heap *heap;
	unsigned int fds = count_fds();

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	heap = fixture_open(fixture, "system");
	assert_int_equal(dmaheap_allocate(heap, &one_page, &one), 0);
	assert_int_equal(dmaheap_allocate(heap, &one_page, &other), 0);
	dmaheap_close(heap);
	dmaheap_buffer_free(one);
	assert_string_equal(dmaheap_buffer_heap(other), "system");
	assert_int_equal(dmaheap_buffer_begin_part(other, DMAHEAP_READ, 0, 1), 0);
	assert_int_equal(dmaheap_buffer_end_part(other, DMAHEAP_READ, 0, 1), 0);
	dmaheap_buffer_free(other);
	assert_int_equal(count_fds(), fds);
}

static int allocate_once(void *data)
{
	struct dmaheap_buffer *buffer = NULL;
	int err = dmaheap_allocate(data, &one_page, &buffer);

	assert_int_equal(!buffer, err != 0);
	dmaheap_buffer_free(buffer);
	return err;
}

static void no_memory_for_a_buffer(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_heap *heap;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	heap = fixture_open(fixture, "system");
	memory_sweep(allocate_once, heap);
	dmaheap_close(heap);
}

/* ---- importing ---- */

static void importing(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = NULL;
	int fd = kernel_buffer(5000);

	assert_int_equal(dmaheap_import(fixture->context, fd, &buffer), 0);
	assert_int_not_equal(dmaheap_buffer_fd(buffer), fd);
	assert_true(fcntl(dmaheap_buffer_fd(buffer), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(dmaheap_buffer_size(buffer), 8192);
	assert_int_equal(dmaheap_buffer_origin(buffer), DMAHEAP_ORIGIN_IMPORTED);
	assert_null(dmaheap_buffer_heap(buffer));
	assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ, 0, 1), -EOPNOTSUPP);
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
	/* The caller's is still open. */
	assert_int_equal(close(fd), 0);
}

static void importing_what_is_no_buffer(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = NULL;
	unsigned int fds = count_fds();
	int ends[2];

	assert_int_equal(dmaheap_import(fixture->context, -1, &buffer), -EBADF);
	assert_int_equal(dmaheap_import(fixture->context, 255, &buffer), -EBADF);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dmaheap_import(fixture->context, ends[0], &buffer), -EINVAL);
	assert_message(fixture, "it is no dma-buf");
	close(ends[0]);
	close(ends[1]);
	ends[0] = memfd_create("memory", 0);
	assert_int_equal(dmaheap_import(fixture->context, ends[0], &buffer), -EINVAL);
	close(ends[0]);
	assert_null(buffer);
	assert_int_equal(count_fds(), fds);
}

struct import {
	struct fixture *fixture;
	int fd;
};

static int import_once(void *data)
{
	struct dmaheap_buffer *buffer = NULL;
	struct import *import = data;
	int err = dmaheap_import(import->fixture->context, import->fd, &buffer);

	dmaheap_buffer_free(buffer);
	return err;
}

static void no_memory_to_import(void **state)
{
	struct import import = { .fixture = *state, .fd = kernel_buffer(1) };

	memory_sweep(import_once, &import);
	close(import.fd);
}

/* ---- mapping ---- */

static void the_same_address_until_it_is_unmapped(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);
	void *one = NULL, *other = NULL;

	assert_int_equal(dmaheap_buffer_unmap(buffer), -EINVAL);
	assert_message(fixture, "it is not mapped");
	assert_int_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ_WRITE, &one), 0);
	memset(one, 1, 4096);
	assert_int_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ_WRITE, &other), 0);
	assert_ptr_equal(one, other);
	assert_int_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ, &other), -EBUSY);
	assert_message(fixture, "unmap it first");
	assert_int_equal(dmaheap_buffer_unmap(buffer), 0);
	assert_int_equal(dmaheap_buffer_unmap(buffer), -EINVAL);
	assert_int_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ, &other), 0);
	assert_int_equal(*(char *)other, 1);
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
}

static void what_is_no_access_is_not_mapped(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);
	void *bytes = NULL;

	assert_int_equal(dmaheap_buffer_map(buffer, 0, &bytes), -EINVAL);
	assert_int_equal(dmaheap_buffer_map(buffer, 4, &bytes), -EINVAL);
	assert_message(fixture, "not an access");
	assert_null(bytes);
	dmaheap_buffer_free(buffer);
}

/* Whether what was last reserved is mapped from here to there, and nothing else of it. */
static bool is_mapped_just(const char *start, const char *end)
{
	unsigned char residence;
	const char *page, *room;
	size_t size = kernel_room(&room);

	for (page = room; page < room + size; page += 4096)
		if ((page >= start && page < end) != !mincore((void *)page, 1, &residence))
			return false;
	return true;
}

static void large_buffers_lie_at_large_pages(void **state)
{
	static const size_t sizes[] = { LARGE, LARGE + 4096, 3 * LARGE, 5 * LARGE - 4096 };
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer;
	struct dmaheap_request request = { .size = 0 };
	size_t i;
	void *bytes = NULL;

	for (i = 0; i < 4; i++) {
		request.size = sizes[i];
		buffer = allocate(fixture, &request);
		assert_int_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ_WRITE, &bytes), 0);
		assert_int_equal((uintptr_t)bytes % LARGE, 0);
		/* Nothing of what was reserved is left. */
		assert_true(
			is_mapped_just(bytes, (char *)bytes + dmaheap_buffer_size(buffer)));
		((char *)bytes)[sizes[i] - 1] = 1;
		assert_int_equal(dmaheap_buffer_unmap(buffer), 0);
		assert_true(is_mapped_just(NULL, NULL));
		dmaheap_buffer_free(buffer);
	}
}

static void without_room_to_align_anywhere(void **state)
{
	struct dmaheap_request request = { .size = LARGE };
	struct dmaheap_buffer *buffer = allocate(*state, &request);
	void *bytes = NULL;

	kernel_fail("nothing", CALL_MMAP, ENOMEM, 1);
	assert_int_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ, &bytes), 0);
	assert_int_equal(*(char *)bytes, 0);
	dmaheap_buffer_free(buffer);
}

static void why_it_is_not_mapped(void **state)
{
	static const struct {
		size_t size;
		int err;
		const char *words;
	} rows[] = {
		{ 1, EPERM, "it is protected from the CPU" },
		{ LARGE, EPERM, "it is protected from the CPU" },
		{ LARGE + 1, EACCES, "its fd does not allow this access" },
		{ 1, ENOMEM, "cannot allocate memory" },
	};
	struct dmaheap_request request = { .size = 0 };
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer;
	size_t i;
	void *bytes = NULL;

	for (i = 0; i < 4; i++) {
		request.size = rows[i].size;
		buffer = allocate(fixture, &request);
		kernel_fail("buffer", CALL_MMAP, rows[i].err, 1);
		assert_int_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ, &bytes),
				 -rows[i].err);
		assert_message(fixture, rows[i].words);
		assert_null(bytes);
		assert_true(is_mapped_just(NULL, NULL));
		dmaheap_buffer_free(buffer);
	}
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_buffer_and_all_there_is_to_it),
		TEST(its_fd_allows_what_was_wanted),
		TEST(requests_that_are_none),
		TEST(signals_and_modules_that_load_are_waited_for),
		TEST(but_not_for_ever),
		TEST(why_there_is_no_buffer),
		TEST(a_buffer_without_its_name_is_one),
		TEST(naming),
		TEST(buffers_live_on_when_the_heap_is_closed),
		TEST(no_memory_for_a_buffer),
		TEST(importing),
		TEST(importing_what_is_no_buffer),
		TEST(no_memory_to_import),
		TEST(the_same_address_until_it_is_unmapped),
		TEST(what_is_no_access_is_not_mapped),
		TEST(large_buffers_lie_at_large_pages),
		TEST(without_room_to_align_anywhere),
		TEST(why_it_is_not_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
