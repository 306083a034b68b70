// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap_buffers(3): a buffer from the first that has it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#include "fixture.h"

/* Made a whole one. */
static const struct dmaheap_request one_page = { .size = 4095 };

static int allocate_for(struct fixture *fixture, unsigned int required, unsigned int preferred,
			struct dmaheap_buffer **buffer)
{
	struct dmaheap_need need = { .required = required, .preferred = preferred };
	int err;

	*buffer = NULL;
	err = dmaheap_allocate_for(fixture->context, &need, &one_page, buffer);
	assert_int_equal(!*buffer, err != 0);
	return err;
}

/* Who serves a need. */
static void assert_serves(struct fixture *fixture, unsigned int required, const char *heap,
			  enum dmaheap_origin origin)
{
	struct dmaheap_buffer *buffer;

	assert_int_equal(allocate_for(fixture, required, 0, &buffer), 0);
	assert_string_equal(dmaheap_buffer_heap(buffer), heap);
	assert_int_equal(dmaheap_buffer_origin(buffer), origin);
	assert_int_equal(dmaheap_buffer_size(buffer), 4096);
	dmaheap_buffer_free(buffer);
}

static void three_that_may_serve(struct fixture *fixture)
{
	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_KERNEL);
	fixture_heap(fixture, "system.dmaheap", DMAHEAP_ORIGIN_DMAHEAP);
	fixture_write(fixture, "dev/udmabuf", "");
}

static void the_chain(void **state)
{
	struct fixture *fixture = *state;

	three_that_may_serve(fixture);
	assert_serves(fixture, DMAHEAP_CACHED, "system.dmaheap", DMAHEAP_ORIGIN_DMAHEAP);
	kernel_fail("system.dmaheap", DMA_HEAP_IOCTL_ALLOC, ENOMEM, 1);
	assert_serves(fixture, DMAHEAP_CACHED, "system", DMAHEAP_ORIGIN_KERNEL);
	kernel_fail("system.dmaheap", CALL_OPEN, EACCES, 1);
	kernel_fail("system", DMA_HEAP_IOCTL_ALLOC, EINVAL, 1);
	assert_serves(fixture, DMAHEAP_CACHED, "udmabuf", DMAHEAP_ORIGIN_UDMABUF);
	fixture_remove(fixture, "dev/dma_heap");
	assert_serves(fixture, 0, "udmabuf", DMAHEAP_ORIGIN_UDMABUF);
	fixture_folder(fixture, "dev/dma_heap");
	assert_serves(fixture, DMAHEAP_SCATTERED, "udmabuf", DMAHEAP_ORIGIN_UDMABUF);
}

static void if_nobody_serves_each_says_why(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer;
	unsigned int fds = count_fds();

	three_that_may_serve(fixture);
	kernel_fail("system.dmaheap", DMA_HEAP_IOCTL_ALLOC, ENOMEM, 1);
	kernel_fail("system", CALL_OPEN, EACCES, 1);
	kernel_fail("udmabuf", UDMABUF_CREATE, EINVAL, 1);
	assert_int_equal(allocate_for(fixture, DMAHEAP_CACHED, 0, &buffer), -ENOMEM);
	assert_message(fixture,
		       "dma_heap/system.dmaheap: there is no such memory now; open: ");
	assert_message(fixture, "dma_heap/system: permission denied; ");
	assert_message(fixture, "udmabuf: perhaps more than udmabuf's parameters");
	assert_int_equal(count_fds(), fds);
}

static void udmabuf_and_its_ways_to_fail(void **state)
{
	static const struct {
		unsigned long call;
		int err;
		const char *words;
	} rows[] = {
		{ CALL_OPEN, EACCES, "dev/udmabuf: permission denied" },
		{ CALL_MEMFD, EMFILE, "memfd: too many open files" },
		{ UDMABUF_CREATE, ENOMEM, "bytes of udmabuf: cannot allocate memory" },
	};
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer;
	unsigned int fds = count_fds();
	size_t i;

	fixture_folder(fixture, "dev/dma_heap");
	assert_int_equal(allocate_for(fixture, 0, 0, &buffer), -ENOENT);
	assert_message(fixture, "dev/udmabuf: there is none; try \"modprobe udmabuf\"");
	fixture_write(fixture, "dev/udmabuf", "");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		kernel_fail(NULL, rows[i].call, rows[i].err, 1);
		assert_int_equal(allocate_for(fixture, 0, 0, &buffer), -ENOENT);
		assert_message(fixture, rows[i].words);
		assert_int_equal(count_fds(), fds);
	}
}

static void udmabuf_is_not_for_every_need(void **state)
{
	struct dmaheap_need any = { .preferred = DMAHEAP_CONTIGUOUS };
	struct dmaheap_request read_only = { .size = 1, .access = DMAHEAP_READ };
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = NULL;

	fixture_folder(fixture, "dev/dma_heap");
	fixture_write(fixture, "dev/udmabuf", "");
	assert_int_equal(allocate_for(fixture, DMAHEAP_CONTIGUOUS, 0, &buffer), -ENOENT);
	assert_int_equal(allocate_for(fixture, DMAHEAP_UNCACHED, 0, &buffer), -ENOENT);
	assert_int_equal(allocate_for(fixture, DMAHEAP_BELOW_4G, 0, &buffer), -ENOENT);
	assert_int_equal(kernel_calls(UDMABUF_CREATE), 0);
	/* Its fds would allow more. */
	assert_int_equal(dmaheap_allocate_for(fixture->context, &any, &read_only, &buffer),
			 -ENOENT);
	assert_message(fixture, "can always be read and written");
	assert_null(buffer);
	assert_int_equal(allocate_for(fixture, DMAHEAP_CACHED, DMAHEAP_CONTIGUOUS, &buffer),
			 0);
	dmaheap_buffer_free(buffer);
}

static void no_heap_and_no_udmabuf(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer;

	assert_int_equal(allocate_for(fixture, 0, 0, &buffer), -ENOSYS);
	assert_message(fixture, "there are no heaps");
	assert_message(fixture, "; open: ");
	assert_message(fixture, "modprobe udmabuf");
}

static void what_is_asked_for_is_checked_first(void **state)
{
	struct dmaheap_request nothing = { .size = 0 };
	struct dmaheap_need need = { .required = 0 };
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer;

	three_that_may_serve(fixture);
	assert_int_equal(allocate_for(fixture, DMAHEAP_CACHED | DMAHEAP_UNCACHED, 0, &buffer),
			 -EINVAL);
	assert_int_equal(dmaheap_allocate_for(fixture->context, &need, &nothing, &buffer),
			 -EINVAL);
	assert_int_equal(kernel_calls(CALL_OPEN), 0);
}

static void a_message_too_long_says_so(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer;
	const char *message;
	char name[32];
	int i;

	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "cma@%08d00000000", i);
		fixture_heap(fixture, name, DMAHEAP_ORIGIN_KERNEL);
	}
	kernel_fail(NULL, DMA_HEAP_IOCTL_ALLOC, ENOMEM, 100);
	assert_int_equal(allocate_for(fixture, DMAHEAP_CONTIGUOUS, 0, &buffer), -ENOMEM);
	message = dmaheap_message(fixture->context);
	assert_int_equal(strlen(message), 511);
	assert_string_equal(message + 507, " ...");
}

/* Where a heap would have processes killed, it is not asked. */
static void nobody_is_killed_for_a_fallback(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer;

	three_that_may_serve(fixture);
	fixture_write(fixture, "proc/meminfo",
		      "MemTotal: 100 kB\nMemAvailable: 2 kB\nSwapFree: 1 kB\n");
	assert_serves(fixture, DMAHEAP_CACHED, "system.dmaheap", DMAHEAP_ORIGIN_DMAHEAP);
	kernel_fail("system.dmaheap", DMA_HEAP_IOCTL_ALLOC, ENOMEM, 2);
	assert_int_equal(allocate_for(fixture, DMAHEAP_CACHED, 0, &buffer), -ENOMEM);
	assert_message(fixture, "dma_heap/system: more memory than is available");
	assert_message(fixture, "udmabuf: more memory than is available");
	fixture_write(fixture, "proc/meminfo",
		      "MemTotal: 100 kB\nMemAvailable: 3 kB\nSwapFree: 1 kB\n");
	assert_serves(fixture, DMAHEAP_CACHED, "system", DMAHEAP_ORIGIN_KERNEL);
	/* An area has what it has. */
	fixture_write(fixture, "proc/meminfo", "MemAvailable: 1 kB\n");
	fixture_heap(fixture, "cma", DMAHEAP_ORIGIN_KERNEL);
	assert_serves(fixture, DMAHEAP_CONTIGUOUS, "cma", DMAHEAP_ORIGIN_KERNEL);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_chain),
		TEST(if_nobody_serves_each_says_why),
		TEST(udmabuf_and_its_ways_to_fail),
		TEST(udmabuf_is_not_for_every_need),
		TEST(no_heap_and_no_udmabuf),
		TEST(what_is_asked_for_is_checked_first),
		TEST(a_message_too_long_says_so),
		TEST(nobody_is_killed_for_a_fallback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
