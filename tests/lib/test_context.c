// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap(3): contexts, roots, messages. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static void the_version(void **state)
{
	(void)state;
	assert_string_equal(dmaheap_version(), DMAHEAP_VERSION);
}

static void no_message_at_first(void **state)
{
	struct dmaheap *context = NULL;

	(void)state;
	assert_int_equal(dmaheap_new(&context), 0);
	assert_string_equal(dmaheap_message(context), "");
	dmaheap_free(context);
	dmaheap_free(NULL);
}

static void a_message_has_step_object_and_reason(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_heap *heap = NULL;
	char wanted[128];

	fixture_heap(fixture, "system", DMAHEAP_ORIGIN_KERNEL);
	kernel_fail("system", CALL_OPEN, EMFILE, 1);
	assert_int_equal(dmaheap_open(fixture->context, "system", &heap), -EMFILE);
	assert_null(heap);
	snprintf(wanted, sizeof(wanted), "open: %s/dev/dma_heap/system: too many open files",
		 fixture->root);
	assert_string_equal(dmaheap_message(fixture->context), wanted);
}

static void a_long_message_is_cut_off(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_heap *heap;
	char name[2048];

	memset(name, '/', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(dmaheap_open(fixture->context, name, &heap), -EINVAL);
	assert_int_equal(strlen(dmaheap_message(fixture->context)), 511);
}

static void unknown_roots_are_refused(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(dmaheap_set_root(fixture->context, (enum dmaheap_root)5, "/"),
			 -EINVAL);
	assert_message(fixture, "no such root");
	assert_int_equal(dmaheap_set_root(fixture->context, (enum dmaheap_root) - 1, "/"),
			 -EINVAL);
	assert_int_equal(dmaheap_set_root(fixture->context, DMAHEAP_ROOT_DEV, NULL), -EINVAL);
}

static void a_root_whose_configuration_is_bad_is_not_taken(void **state)
{
	struct fixture *fixture = *state;
	char bad[64];

	fixture_write(fixture, "etc/dmaheap.conf", "video: contiguous\n");
	snprintf(bad, sizeof(bad), "%s/etc", fixture->root);
	assert_int_equal(dmaheap_set_root(fixture->context, DMAHEAP_ROOT_ETC, bad), 0);
	fixture_write(fixture, "bad/dmaheap.conf", "video: blue\n");
	snprintf(bad, sizeof(bad), "%s/bad", fixture->root);
	assert_int_equal(dmaheap_set_root(fixture->context, DMAHEAP_ROOT_ETC, bad), -EINVAL);
	assert_message(fixture, "bad/dmaheap.conf:1");
	assert_int_equal(dmaheap_properties_of(fixture->context, "video"), DMAHEAP_CONTIGUOUS);
}

static void the_environment_can_keep_a_context_from_being_made(void **state)
{
	struct dmaheap *context = NULL;

	(void)state;
	setenv("DMAHEAP_HEAPS", "video", 1);
	assert_int_equal(dmaheap_new(&context), -EINVAL);
	assert_null(context);
	assert_non_null(strstr(dmaheap_message(NULL), "DMAHEAP_HEAPS"));
}

static void a_context_of_other_folders(void **state)
{
	struct fixture *fixture = *state;
	const char *roots[DMAHEAP_ROOT_ETC + 1] = {};
	struct dmaheap *context = NULL;
	char etc[64];

	snprintf(etc, sizeof(etc), "%s/etc", fixture->root);
	roots[DMAHEAP_ROOT_ETC] = etc;
	fixture_write(fixture, "etc/dmaheap.conf", "video: contiguous\n");
	assert_int_equal(dmaheap_new_at(roots, &context), 0);
	assert_int_equal(dmaheap_properties_of(context, "video"), DMAHEAP_CONTIGUOUS);
	dmaheap_free(context);
	context = NULL;
	fixture_write(fixture, "etc/dmaheap.conf", "video: blue\n");
	assert_int_equal(dmaheap_new_at(roots, &context), -EINVAL);
	assert_null(context);
	assert_non_null(strstr(dmaheap_message(NULL), "dmaheap.conf:1"));
}

static int make(void *data)
{
	struct dmaheap *context = NULL;
	int err = dmaheap_new(&context);

	(void)data;
	assert_int_equal(!context, err != 0);
	dmaheap_free(context);
	return err;
}

static void no_memory_for_a_context(void **state)
{
	(void)state;
	setenv("DMAHEAP_HEAPS", "video=cached;audio=uncached", 1);
	memory_sweep(make, NULL);
}

static int set_etc(void *data)
{
	struct fixture *fixture = data;
	char path[64];

	snprintf(path, sizeof(path), "%s/etc", fixture->root);
	return dmaheap_set_root(fixture->context, DMAHEAP_ROOT_ETC, path);
}

static void no_memory_for_a_root(void **state)
{
	struct fixture *fixture = *state;

	fixture_write(fixture, "etc/dmaheap.conf", "video: cached\naudio: uncached\n");
	memory_sweep(set_etc, fixture);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_version),
		TEST(no_message_at_first),
		TEST(a_message_has_step_object_and_reason),
		TEST(a_long_message_is_cut_off),
		TEST(unknown_roots_are_refused),
		TEST(a_root_whose_configuration_is_bad_is_not_taken),
		TEST(the_environment_can_keep_a_context_from_being_made),
		TEST(a_context_of_other_folders),
		TEST(no_memory_for_a_context),
		TEST(no_memory_for_a_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
