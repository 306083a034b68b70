// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap_heaps(3): listing heaps, opening them by name and by need. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#define SYSTEM (DMAHEAP_CACHED | DMAHEAP_SCATTERED)

static struct dmaheap_heaps *list(struct fixture *fixture)
{
	struct dmaheap_heaps *heaps = NULL;

	assert_int_equal(dmaheap_list(fixture->context, &heaps), 0);
	return heaps;
}

static void no_folder(void **state)
{
	struct dmaheap_need need = { .required = DMAHEAP_CACHED };
	struct dmaheap_heap *heap = NULL;
	struct dmaheap_heaps *heaps = NULL;
	struct fixture *fixture = *state;

	assert_int_equal(dmaheap_list(fixture->context, &heaps), -ENOSYS);
	assert_message(fixture, "/dev/dma_heap: there are no heaps; load a module");
	assert_int_equal(dmaheap_open(fixture->context, "system", &heap), -ENOSYS);
	assert_message(fixture, "there are no heaps");
	assert_int_equal(dmaheap_open_for(fixture->context, &need, &heap), -ENOSYS);
	assert_null(heaps);
	assert_null(heap);
}

static void a_folder_that_is_none(void **state)
{
	struct dmaheap_heaps *heaps = NULL;
	struct fixture *fixture = *state;

	fixture_link(fixture, "dev/dma_heap", "dma_heap");
	assert_int_equal(dmaheap_list(fixture->context, &heaps), -ELOOP);
	assert_message(fixture, "list: ");
}

static void an_empty_folder(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_heaps *heaps;

	fixture_folder(fixture, "dev/dma_heap");
	heaps = list(fixture);
	assert_int_equal(dmaheap_heaps_count(heaps), 0);
	assert_null(dmaheap_heaps_get(heaps, 0));
	dmaheap_heaps_free(heaps);
	dmaheap_heaps_free(NULL);
}

static void by_name(void **state)
{
	static const char *const names[] = { "cma", "system", "zoo" };
	struct fixture *fixture = *state;
	struct dmaheap_heaps *heaps;
	size_t i;

	fixture_heap(fixture, "zoo", DMAHEAP_ORIGIN_UNKNOWN);
	fixture_heap(fixture, "cma", DMAHEAP_ORIGIN_UNKNOWN);
	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_UNKNOWN);
	/* These are no heaps. */
	fixture_folder(fixture, "dev/dma_heap/folder");
	fixture_link(fixture, "dev/dma_heap/dangling", "nowhere");
	fixture_write(fixture, "dev/dma_heap/.hidden", "");
	heaps = list(fixture);
	assert_int_equal(dmaheap_heaps_count(heaps), 3);
	for (i = 0; i < 3; i++)
		assert_string_equal(dmaheap_heaps_get(heaps, i)->name, names[i]);
	assert_null(dmaheap_heaps_get(heaps, 3));
	dmaheap_heaps_free(heaps);
}

static void all_there_is_to_a_heap(void **state)
{
	struct fixture *fixture = *state;
	const struct dmaheap_heap_info *info;
	struct dmaheap_heaps *heaps;
	struct stat st;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_KERNEL);
	heaps = list(fixture);
	info = dmaheap_heaps_get(heaps, 0);
	assert_int_equal(stat(info->node, &st), 0);
	assert_null(info->target);
	assert_int_equal(info->device, 0);
	assert_true(info->readable);
	assert_int_equal(info->properties, SYSTEM);
	assert_int_equal(info->origin, DMAHEAP_ORIGIN_KERNEL);
	dmaheap_heaps_free(heaps);
}

static void who_may_not_allocate(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_heaps *heaps;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_KERNEL);
	kernel_fail("system", CALL_ACCESS, EACCES, 1);
	heaps = list(fixture);
	assert_false(dmaheap_heaps_get(heaps, 0)->readable);
	dmaheap_heaps_free(heaps);
}

static void the_device_number(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_heaps *heaps;
	struct stat st;

	fixture_link(fixture, "dev/dma_heap/null", "/dev/null");
	assert_int_equal(stat("/dev/null", &st), 0);
	heaps = list(fixture);
	assert_int_equal(dmaheap_heaps_get(heaps, 0)->device, st.st_rdev);
	dmaheap_heaps_free(heaps);
}

static void whose_a_heap_is(void **state)
{
	struct fixture *fixture = *state;
	static const enum dmaheap_origin origins[] = {
		DMAHEAP_ORIGIN_DMAHEAP,
		DMAHEAP_ORIGIN_KERNEL,
		DMAHEAP_ORIGIN_DMAHEAP,
		DMAHEAP_ORIGIN_UNKNOWN,
	};
	struct dmaheap_heaps *heaps;
	size_t i;

	fixture_heap(fixture, "a", DMAHEAP_ORIGIN_DMAHEAP);
	fixture_heap(fixture, "b", DMAHEAP_ORIGIN_KERNEL);
	fixture_heap(fixture, "c", DMAHEAP_ORIGIN_UNKNOWN);
	fixture_folder(fixture, "sys/class/dmaheap/c");
	fixture_heap(fixture, "d", DMAHEAP_ORIGIN_UNKNOWN);
	heaps = list(fixture);
	for (i = 0; i < 4; i++)
		assert_int_equal(dmaheap_heaps_get(heaps, i)->origin, origins[i]);
	dmaheap_heaps_free(heaps);
}

static void a_link_is_what_it_leads_to(void **state)
{
	struct fixture *fixture = *state;
	const struct dmaheap_heap_info *info;
	struct dmaheap_heaps *heaps;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_KERNEL);
	fixture_link(fixture, "dev/dma_heap/a", "b");
	fixture_link(fixture, "dev/dma_heap/b", "system");
	heaps = list(fixture);
	info = dmaheap_heaps_get(heaps, 0);
	assert_string_equal(info->name, "a");
	assert_string_equal(info->target, "system");
	assert_int_equal(info->properties, SYSTEM);
	assert_int_equal(info->origin, DMAHEAP_ORIGIN_KERNEL);
	dmaheap_heaps_free(heaps);
}

static int list_once(void *data)
{
	struct dmaheap_heaps *heaps = NULL;
	struct fixture *fixture = data;
	int err = dmaheap_list(fixture->context, &heaps);

	assert_int_equal(!heaps, err != 0);
	dmaheap_heaps_free(heaps);
	return err;
}

/* Where a heap's origin or properties cannot be found out, they are unknown. */
static void no_memory_for_a_list(void **state)
{
	struct fixture *fixture = *state;
	unsigned int nth, failed = 0;
	int err;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_UNKNOWN);
	fixture_link(fixture, "dev/dma_heap/a", "system");
	for (nth = 1;; nth++) {
		memory_fail(nth);
		err = list_once(fixture);
		if (!memory_has_failed())
			break;
		assert_true(!err || err == -ENOMEM);
		failed += err != 0;
	}
	assert_int_equal(err, 0);
	assert_true(failed > 8);
}

static void opened_by_name(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_heap *heap;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	heap = fixture_open(fixture, "system");
	assert_string_equal(dmaheap_heap_info(heap)->name, "system");
	assert_null(dmaheap_heap_info(heap)->target);
	assert_int_equal(dmaheap_heap_info(heap)->properties, SYSTEM);
	assert_int_equal(dmaheap_heap_info(heap)->origin, DMAHEAP_ORIGIN_DMAHEAP);
	assert_true(dmaheap_heap_fd(heap) >= 0);
	dmaheap_close(heap);
	dmaheap_close(NULL);
}

static void what_is_no_name(void **state)
{
	static const char *const names[] = { "", ".", "..", "/dev/null", "a/b", "../null" };
	struct fixture *fixture = *state;
	struct dmaheap_heap *heap = NULL;
	size_t i;

	fixture_folder(fixture, "dev/dma_heap");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(dmaheap_open(fixture->context, names[i], &heap), -EINVAL);
		assert_message(fixture, "is no name of a heap");
	}
	assert_null(heap);
	assert_int_equal(kernel_calls(CALL_OPEN), 0);
}

static void why_a_heap_does_not_open(void **state)
{
	static const struct {
		int err, is;
		const char *words;
	} rows[] = {
		{ EACCES, -EACCES, "permission denied; a udev rule" },
		{ ENOENT, -ENOENT, "there is no such heap; is its module loaded?" },
		{ ENODEV, -ENODEV, "the heap is gone" },
		{ ENXIO, -ENODEV, "the heap is gone" },
		{ EMFILE, -EMFILE, "too many open files" },
	};
	struct fixture *fixture = *state;
	struct dmaheap_heap *heap = NULL;
	size_t i;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		kernel_fail("system", CALL_OPEN, rows[i].err, 1);
		assert_int_equal(dmaheap_open(fixture->context, "system", &heap), rows[i].is);
		assert_message(fixture, rows[i].words);
	}
	assert_int_equal(dmaheap_open(fixture->context, "nothing", &heap), -ENOENT);
	assert_message(fixture, "there is no such heap");
	assert_null(heap);
}

static void what_is_no_heap(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_heap *heap = NULL;
	unsigned int fds = count_fds();

	fixture_write(fixture, "dev/dma_heap/file", "something");
	fixture_folder(fixture, "dev/dma_heap/folder");
	assert_int_equal(dmaheap_open(fixture->context, "file", &heap), -ENOTTY);
	assert_message(fixture, "no character device");
	assert_int_equal(dmaheap_open(fixture->context, "folder", &heap), -ENOTTY);
	assert_message(fixture, "no character device");
	assert_null(heap);
	assert_int_equal(count_fds(), fds);
}

static void heaps_do_not_leak_into_programs(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_heap *heap;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	heap = fixture_open(fixture, "system");
	assert_true(fcntl(dmaheap_heap_fd(heap), F_GETFD) & FD_CLOEXEC);
	dmaheap_close(heap);
}

static int open_once(void *data)
{
	struct fixture *fixture = data;
	struct dmaheap_heap *heap = NULL;
	int err = dmaheap_open(fixture->context, "a", &heap);

	assert_int_equal(!heap, err != 0);
	dmaheap_close(heap);
	return err;
}

static void no_memory_to_open(void **state)
{
	struct fixture *fixture = *state;
	unsigned int nth, failed = 0, fds = count_fds();
	int err;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_UNKNOWN);
	fixture_link(fixture, "dev/dma_heap/a", "system");
	for (nth = 1;; nth++) {
		memory_fail(nth);
		err = open_once(fixture);
		if (!memory_has_failed())
			break;
		assert_true(!err || err == -ENOMEM);
		failed += err != 0;
		assert_int_equal(count_fds(), fds);
	}
	assert_int_equal(err, 0);
	assert_true(failed > 6);
}

/* ---- by need ---- */

/* The heap that a need opens. */
static void assert_opens(struct fixture *fixture, unsigned int required,
			 unsigned int preferred, const char *name)
{
	struct dmaheap_need need = { .required = required, .preferred = preferred };
	struct dmaheap_heap *heap = NULL;

	assert_int_equal(dmaheap_open_for(fixture->context, &need, &heap), 0);
	assert_string_equal(dmaheap_heap_info(heap)->name, name);
	dmaheap_close(heap);
}

static void assert_refuses(struct fixture *fixture, unsigned int required,
			   unsigned int preferred, int err)
{
	struct dmaheap_need need = { .required = required, .preferred = preferred };
	struct dmaheap_heap *heap = NULL;

	assert_int_equal(dmaheap_open_for(fixture->context, &need, &heap), err);
	assert_null(heap);
}

static void ours_before_the_kernels(void **state)
{
	struct fixture *fixture = *state;

	fixture_heap(fixture, "mtk_mm", DMAHEAP_ORIGIN_UNKNOWN);
	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_KERNEL);
	fixture_heap(fixture, "system.dmaheap", DMAHEAP_ORIGIN_DMAHEAP);
	assert_opens(fixture, DMAHEAP_CACHED, 0, "system.dmaheap");
	fixture_remove(fixture, "dev/dma_heap/system.dmaheap");
	assert_opens(fixture, DMAHEAP_CACHED, 0, "system");
	fixture_remove(fixture, "dev/dma_heap/system");
	assert_opens(fixture, DMAHEAP_CACHED, 0, "mtk_mm");
}

static void more_of_what_is_preferred(void **state)
{
	struct fixture *fixture = *state;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	fixture_heap(fixture, "system-dma32", DMAHEAP_ORIGIN_DMAHEAP);
	fixture_heap(fixture, "system-contiguous", DMAHEAP_ORIGIN_DMAHEAP);
	fixture_heap(fixture, "system-contiguous-dma32", DMAHEAP_ORIGIN_DMAHEAP);
	assert_opens(fixture, DMAHEAP_CACHED, DMAHEAP_CONTIGUOUS, "system-contiguous");
	assert_opens(fixture, DMAHEAP_CACHED, DMAHEAP_CONTIGUOUS | DMAHEAP_BELOW_4G,
		     "system-contiguous-dma32");
	assert_opens(fixture, 0, DMAHEAP_BELOW_4G, "system-dma32");
	/* What is scarce is left to those who need it. */
	assert_opens(fixture, 0, 0, "system");
	/* Whose it is, is asked among equals only. */
	fixture_heap(fixture, "reserved-dma32-uncached", DMAHEAP_ORIGIN_KERNEL);
	assert_opens(fixture, 0, DMAHEAP_UNCACHED, "reserved-dma32-uncached");
}

static void never_silently_uncached_nor_protected(void **state)
{
	struct fixture *fixture = *state;

	fixture_heap(fixture, "system-uncached", DMAHEAP_ORIGIN_DMAHEAP);
	fixture_heap(fixture, "system-secure", DMAHEAP_ORIGIN_DMAHEAP);
	fixture_heap(fixture, "nobody-knows", DMAHEAP_ORIGIN_DMAHEAP);
	fixture_heap(fixture, "video-contiguous", DMAHEAP_ORIGIN_DMAHEAP);
	assert_refuses(fixture, 0, 0, -ENOENT);
	assert_refuses(fixture, DMAHEAP_SCATTERED, 0, -ENOENT);
	/* It may be uncached. */
	assert_refuses(fixture, DMAHEAP_CONTIGUOUS, 0, -ENOENT);
	assert_message(fixture, "contiguous: no heap is known to be so");
	assert_opens(fixture, DMAHEAP_UNCACHED, 0, "system-uncached");
	assert_opens(fixture, DMAHEAP_SCATTERED, DMAHEAP_UNCACHED, "system-uncached");
	assert_opens(fixture, DMAHEAP_PROTECTED, 0, "system-secure");
	assert_opens(fixture, DMAHEAP_SCATTERED, DMAHEAP_PROTECTED, "system-secure");
	assert_opens(fixture, DMAHEAP_CONTIGUOUS, DMAHEAP_UNCACHED, "video-contiguous");
	assert_refuses(fixture, DMAHEAP_UNCACHED | DMAHEAP_PROTECTED, 0, -ENOENT);
	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_UNKNOWN);
	assert_opens(fixture, DMAHEAP_SCATTERED, 0, "system");
}

static void needs_that_contradict_themselves(void **state)
{
	struct fixture *fixture = *state;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_DMAHEAP);
	assert_refuses(fixture, DMAHEAP_CACHED | DMAHEAP_UNCACHED, 0, -EINVAL);
	assert_message(fixture, "cached,uncached: no memory is both");
	assert_refuses(fixture, DMAHEAP_SCATTERED | DMAHEAP_CONTIGUOUS, 0, -EINVAL);
	assert_refuses(fixture, 0, DMAHEAP_SCATTERED | DMAHEAP_CONTIGUOUS, -EINVAL);
	assert_refuses(fixture, DMAHEAP_CACHED, DMAHEAP_UNCACHED, -EINVAL);
	assert_refuses(fixture, 1 << 6, 0, -EINVAL);
	assert_message(fixture, "unknown bits");
	assert_refuses(fixture, 0, 1U << 31, -EINVAL);
}

static void the_next_one_if_the_best_may_not_be_opened(void **state)
{
	struct fixture *fixture = *state;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_KERNEL);
	fixture_heap(fixture, "system.dmaheap", DMAHEAP_ORIGIN_DMAHEAP);
	kernel_fail("system.dmaheap", CALL_OPEN, EACCES, 1);
	assert_opens(fixture, DMAHEAP_CACHED, 0, "system");
	kernel_fail(NULL, CALL_OPEN, EACCES, 2);
	assert_refuses(fixture, DMAHEAP_CACHED, 0, -EACCES);
	assert_message(fixture, "dma_heap/system.dmaheap: permission denied");
	assert_message(fixture, "dma_heap/system: permission denied");
}

static void what_links_lead_to_is_tried_once(void **state)
{
	struct fixture *fixture = *state;

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_KERNEL);
	fixture_link(fixture, "dev/dma_heap/a", "system");
	kernel_fail(NULL, CALL_OPEN, EACCES, 9);
	assert_refuses(fixture, DMAHEAP_CACHED, 0, -EACCES);
	assert_int_equal(kernel_calls(CALL_OPEN), 1);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(no_folder),
		TEST(a_folder_that_is_none),
		TEST(an_empty_folder),
		TEST(by_name),
		TEST(all_there_is_to_a_heap),
		TEST(who_may_not_allocate),
		TEST(the_device_number),
		TEST(whose_a_heap_is),
		TEST(a_link_is_what_it_leads_to),
		TEST(no_memory_for_a_list),
		TEST(opened_by_name),
		TEST(what_is_no_name),
		TEST(why_a_heap_does_not_open),
		TEST(what_is_no_heap),
		TEST(heaps_do_not_leak_into_programs),
		TEST(no_memory_to_open),
		TEST(ours_before_the_kernels),
		TEST(more_of_what_is_preferred),
		TEST(never_silently_uncached_nor_protected),
		TEST(needs_that_contradict_themselves),
		TEST(the_next_one_if_the_best_may_not_be_opened),
		TEST(what_links_lead_to_is_tried_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
