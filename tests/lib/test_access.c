// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap_buffers(3): accesses of the CPU, to all of a buffer and to parts. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "fixture.h"

static void begin_and_end(void **state)
{
	struct dmaheap_buffer *buffer = fixture_buffer(*state);
	unsigned int access;

	for (access = DMAHEAP_READ; access <= DMAHEAP_READ_WRITE; access++) {
		assert_int_equal(dmaheap_buffer_begin(buffer, access), 0);
		assert_int_equal(kernel_sync_flags(), DMA_BUF_SYNC_START | access);
		assert_int_equal(dmaheap_buffer_end(buffer, access), 0);
		assert_int_equal(kernel_sync_flags(), DMA_BUF_SYNC_END | access);
	}
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
}

static void what_is_no_access(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);

	assert_int_equal(dmaheap_buffer_begin(buffer, 0), -EINVAL);
	assert_int_equal(dmaheap_buffer_begin(buffer, 4), -EINVAL);
	assert_int_equal(dmaheap_buffer_end(buffer, 0), -EINVAL);
	assert_int_equal(dmaheap_buffer_end(buffer, ~0U), -EINVAL);
	assert_int_equal(dmaheap_buffer_begin_part(buffer, 0, 0, 1), -EINVAL);
	assert_int_equal(kernel_calls(DMA_BUF_IOCTL_SYNC), 0);
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
}

static void an_end_has_a_begin_of_the_same_kind(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);

	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ), -EPROTO);
	assert_message(fixture, "no such access has begun");
	assert_int_equal(kernel_calls(DMA_BUF_IOCTL_SYNC), 0);
	assert_int_equal(dmaheap_buffer_begin(buffer, DMAHEAP_READ), 0);
	assert_int_equal(dmaheap_buffer_begin(buffer, DMAHEAP_READ), 0);
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ_WRITE), -EPROTO);
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ), 0);
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ), 0);
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ), -EPROTO);
	assert_int_equal(kernel_calls(DMA_BUF_IOCTL_SYNC), 4);
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
}

static void signals_are_outlasted(void **state)
{
	struct dmaheap_buffer *buffer = fixture_buffer(*state);

	kernel_fail("buffer", DMA_BUF_IOCTL_SYNC, EINTR, 2);
	kernel_fail("buffer", DMA_BUF_IOCTL_SYNC, EAGAIN, 1);
	assert_int_equal(dmaheap_buffer_begin(buffer, DMAHEAP_READ), 0);
	assert_int_equal(kernel_calls(DMA_BUF_IOCTL_SYNC), 4);
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ), 0);
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
}

static void what_fails_has_not_happened(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);

	kernel_fail("buffer", DMA_BUF_IOCTL_SYNC, EPERM, 1);
	assert_int_equal(dmaheap_buffer_begin(buffer, DMAHEAP_READ), -EPERM);
	assert_message(fixture, "it is protected from the CPU");
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ), -EPROTO);
	assert_int_equal(dmaheap_buffer_begin(buffer, DMAHEAP_READ), 0);
	kernel_fail("buffer", DMA_BUF_IOCTL_SYNC, ENOMEM, 1);
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ), -ENOMEM);
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ), 0);
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
}

static void an_open_access_keeps_it_mapped(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);
	void *bytes;

	assert_int_equal(dmaheap_buffer_map(buffer, DMAHEAP_READ, &bytes), 0);
	assert_int_equal(dmaheap_buffer_begin(buffer, DMAHEAP_READ), 0);
	assert_int_equal(dmaheap_buffer_unmap(buffer), -EPROTO);
	assert_message(fixture, "an access is open; end it first");
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_READ), 0);
	assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ, 0, 8), 0);
	assert_int_equal(dmaheap_buffer_unmap(buffer), -EPROTO);
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_READ, 0, 8), 0);
	assert_int_equal(dmaheap_buffer_unmap(buffer), 0);
	dmaheap_buffer_free(buffer);
}

static void what_is_open_is_ended_when_it_is_freed(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);
	unsigned int fds = count_fds();

	assert_int_equal(dmaheap_buffer_begin(buffer, DMAHEAP_READ), 0);
	assert_int_equal(dmaheap_buffer_begin(buffer, DMAHEAP_WRITE), 0);
	assert_int_equal(dmaheap_buffer_begin(buffer, DMAHEAP_WRITE), 0);
	assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ_WRITE, 8, 8), 0);
	assert_int_equal(dmaheap_buffer_free(buffer), -EPROTO);
	assert_message(fixture, "an access was still open, and has been ended");
	assert_int_equal(kernel_calls(DMA_BUF_IOCTL_SYNC), 6);
	assert_int_equal(kernel_calls(DMA_HEAP_IOCTL_SYNC), 2);
	assert_int_equal(kernel_sync_flags(), DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	assert_int_equal(count_fds(), fds - 2);
}

static void parts_that_are_none(void **state)
{
	static const struct {
		size_t offset, size;
	} rows[] = {
		{ 0, 0 },    { 4096, 1 },     { 0, 4097 },     { 4095, 2 },
		{ 4097, 1 }, { SIZE_MAX, 2 }, { 1, SIZE_MAX }, { SIZE_MAX, SIZE_MAX },
	};
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ,
							   rows[i].offset, rows[i].size),
				 -EINVAL);
		assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_READ, rows[i].offset,
							 rows[i].size),
				 -EINVAL);
	}
	assert_int_equal(kernel_calls(DMA_HEAP_IOCTL_SYNC), 0);
	assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ, 4095, 1), 0);
	assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ, 0, 4096), 0);
	assert_int_equal(dmaheap_buffer_free(buffer), -EPROTO);
}

static void an_end_of_a_part_has_its_begin(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);

	assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_WRITE, 0, 64), 0);
	assert_int_equal(kernel_sync_flags(), DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_WRITE, 64, 64), 0);
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_WRITE, 0, 128), -EPROTO);
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_READ, 0, 64), -EPROTO);
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_WRITE, 32, 64), -EPROTO);
	assert_int_equal(dmaheap_buffer_end(buffer, DMAHEAP_WRITE), -EPROTO);
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_WRITE, 0, 64), 0);
	assert_int_equal(kernel_sync_flags(), DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_WRITE, 0, 64), -EPROTO);
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_WRITE, 64, 64), 0);
	assert_int_equal(kernel_calls(DMA_HEAP_IOCTL_SYNC), 4);
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
}

static void parts_that_fail(void **state)
{
	static const struct {
		int err, is;
	} rows[] = {
		{ EINVAL, -EOPNOTSUPP }, { ENOTTY, -EOPNOTSUPP }, { EPERM, -EPERM },
		{ ENODEV, -ENODEV },	 { ENOMEM, -ENOMEM },
	};
	struct dmaheap_buffer *buffer = fixture_buffer(*state);
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		kernel_fail("system", DMA_HEAP_IOCTL_SYNC, rows[i].err, 1);
		assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ, 0, 1),
				 rows[i].is);
		assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_READ, 0, 1), -EPROTO);
	}
	assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ, 0, 1), 0);
	kernel_fail("system", DMA_HEAP_IOCTL_SYNC, ENODEV, 1);
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_READ, 0, 1), -ENODEV);
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_READ, 0, 1), 0);
	assert_int_equal(dmaheap_buffer_free(buffer), 0);
}

static void the_kernels_heaps_have_no_parts(void **state)
{
	struct dmaheap_request request = { .size = 4096 };
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer;
	struct dmaheap_heap *heap;

	fixture_heap(fixture, "cma", DMAHEAP_ORIGIN_KERNEL);
	heap = fixture_open(fixture, "cma");
	assert_int_equal(dmaheap_allocate(heap, &request, &buffer), 0);
	assert_int_equal(dmaheap_buffer_begin_part(buffer, DMAHEAP_READ, 0, 1), -EOPNOTSUPP);
	assert_message(fixture, "access all of it");
	assert_int_equal(dmaheap_buffer_end_part(buffer, DMAHEAP_READ, 0, 1), -EOPNOTSUPP);
	assert_int_equal(kernel_calls(DMA_HEAP_IOCTL_SYNC), 0);
	dmaheap_close(heap);
	dmaheap_buffer_free(buffer);
}

static int part_once(void *data)
{
	int err = dmaheap_buffer_begin_part(data, DMAHEAP_READ, 0, 1);

	return err ? err : dmaheap_buffer_end_part(data, DMAHEAP_READ, 0, 1);
}

static void no_memory_for_a_part(void **state)
{
	struct dmaheap_buffer *buffer = fixture_buffer(*state);

	memory_sweep(part_once, buffer);
	assert_int_equal(kernel_calls(DMA_HEAP_IOCTL_SYNC), 2);
	dmaheap_buffer_free(buffer);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(begin_and_end),
		TEST(what_is_no_access),
		TEST(an_end_has_a_begin_of_the_same_kind),
		TEST(signals_are_outlasted),
		TEST(what_fails_has_not_happened),
		TEST(an_open_access_keeps_it_mapped),
		TEST(what_is_open_is_ended_when_it_is_freed),
		TEST(parts_that_are_none),
		TEST(an_end_of_a_part_has_its_begin),
		TEST(parts_that_fail),
		TEST(the_kernels_heaps_have_no_parts),
		TEST(no_memory_for_a_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
