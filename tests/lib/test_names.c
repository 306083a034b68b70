// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap_heaps(3): what names of heaps mean. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"

#define SYSTEM (DMAHEAP_CACHED | DMAHEAP_SCATTERED)
#define CMA (DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS)

static int configure(struct fixture *fixture, const char *text)
{
	char path[64];

	fixture_write(fixture, "etc/dmaheap.conf", text);
	snprintf(path, sizeof(path), "%s/etc", fixture->root);
	return dmaheap_set_root(fixture->context, DMAHEAP_ROOT_ETC, path);
}

static void names_that_have_been(void **state)
{
	static const struct {
		const char *name;
		unsigned int properties;
	} rows[] = {
		{ "system", SYSTEM },
		{ "skeleton", SYSTEM },
		{ "system_cc_shared", SYSTEM },
		{ "ion_system_heap", SYSTEM },
		{ "qcom,system", SYSTEM },
		{ "mtk_mm", SYSTEM },
		{ "system-uncached", DMAHEAP_UNCACHED | DMAHEAP_SCATTERED },
		{ "mtk_mm-uncached", DMAHEAP_UNCACHED | DMAHEAP_SCATTERED },
		{ "system-contiguous", CMA },
		{ "default_cma_region", CMA },
		{ "reserved", CMA },
		{ "linux,cma", CMA },
		{ "linux,cma@3e000000", CMA },
		{ "default-pool", CMA },
		{ "cma", CMA },
		{ "ion_cma_heap", CMA },
		{ "cma-uncached", DMAHEAP_UNCACHED | DMAHEAP_CONTIGUOUS },
		{ "cma@10-uncached", DMAHEAP_UNCACHED | DMAHEAP_CONTIGUOUS },
		{ "system-dma32", SYSTEM | DMAHEAP_BELOW_4G },
		{ "system-uncached-dma32",
		  DMAHEAP_UNCACHED | DMAHEAP_SCATTERED | DMAHEAP_BELOW_4G },
		{ "system-dma32-uncached",
		  DMAHEAP_UNCACHED | DMAHEAP_SCATTERED | DMAHEAP_BELOW_4G },
		{ "vidbuf_cached", DMAHEAP_CACHED },
		{ "protected,secure-video", DMAHEAP_PROTECTED },
		{ "qcom,secure-pixel", DMAHEAP_PROTECTED },
		{ "vframe-secure", DMAHEAP_PROTECTED },
		{ "system-secure", DMAHEAP_PROTECTED | DMAHEAP_SCATTERED },
		{ "video@42000000-contiguous", DMAHEAP_CONTIGUOUS },
		{ "nobody-knows-uncached", DMAHEAP_UNCACHED },
		/* What is to be had there depends, or nobody knows. */
		{ "negotiated", 0 },
		{ "video@42000000", 0 },
		{ "cma-chunks", 0 },
		{ "systems", 0 },
		{ "-uncached", 0 },
		{ ".dmaheap", 0 },
		{ "", 0 },
		/* Ours beside the kernel's. */
		{ "system.dmaheap", SYSTEM },
		{ "system-uncached.dmaheap", DMAHEAP_UNCACHED | DMAHEAP_SCATTERED },
	};
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].name);
		assert_int_equal(dmaheap_properties_of(fixture->context, rows[i].name),
				 rows[i].properties);
	}
}

static void the_file_says_more(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(configure(fixture, "# ours\n"
					    "\n"
					    "  video@*:contiguous ,  uncached # both\n"
					    "a:b: protected\r\n"
					    "system: contiguous\n"
					    "last: below4g, cached"),
			 0);
	assert_int_equal(dmaheap_properties_of(fixture->context, "video@42000000"),
			 DMAHEAP_CONTIGUOUS | DMAHEAP_UNCACHED);
	assert_int_equal(dmaheap_properties_of(fixture->context, "a:b"), DMAHEAP_PROTECTED);
	assert_int_equal(dmaheap_properties_of(fixture->context, "last"),
			 DMAHEAP_BELOW_4G | DMAHEAP_CACHED);
	/* It goes before what is custom, and suffixes change it, too. */
	assert_int_equal(dmaheap_properties_of(fixture->context, "system"),
			 DMAHEAP_CONTIGUOUS);
	assert_int_equal(dmaheap_properties_of(fixture->context, "system-uncached"),
			 DMAHEAP_CONTIGUOUS | DMAHEAP_UNCACHED);
	assert_int_equal(dmaheap_properties_of(fixture->context, "last.dmaheap"),
			 DMAHEAP_BELOW_4G | DMAHEAP_CACHED);
}

static void the_environment_goes_first(void **state)
{
	struct fixture *fixture = *state;

	setenv("DMAHEAP_HEAPS", "video=cached,contiguous; ;a=b=uncached;", 1);
	assert_int_equal(configure(fixture, "video: uncached\naudio: uncached\n"), 0);
	assert_int_equal(dmaheap_properties_of(fixture->context, "video"), CMA);
	assert_int_equal(dmaheap_properties_of(fixture->context, "audio"), DMAHEAP_UNCACHED);
	assert_int_equal(dmaheap_properties_of(fixture->context, "a=b"), DMAHEAP_UNCACHED);
}

static void the_first_line_that_fits_counts(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(configure(fixture, "v?deo: cached\nvideo: uncached\n"), 0);
	assert_int_equal(dmaheap_properties_of(fixture->context, "video"), DMAHEAP_CACHED);
}

static void malformed_lines(void **state)
{
	static const char *const lines[] = {
		"video",
		"video cached",
		": cached",
		"video: ",
		"video: cached,",
		"video: cached contiguous",
		"video: Cached",
		"video: cached, uncached",
		"video: scattered, contiguous",
		"video: cached, blue",
	};
	struct fixture *fixture = *state;
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		print_message("%s\n", lines[i]);
		snprintf(text, sizeof(text), "# one\nmine: cached\n%s\n", lines[i]);
		assert_int_equal(configure(fixture, text), -EINVAL);
		assert_message(fixture, "etc/dmaheap.conf:3: ");
		assert_int_equal(dmaheap_properties_of(fixture->context, "mine"), 0);
	}
}

static void a_zero_byte_hides_nothing(void **state)
{
	struct fixture *fixture = *state;
	char path[64];
	FILE *file;

	fixture_folder(fixture, "etc");
	snprintf(path, sizeof(path), "%s/etc/dmaheap.conf", fixture->root);
	file = fopen(path, "w");
	assert_non_null(file);
	fwrite("video: cached\0, blue\n", 1, 21, file);
	fclose(file);
	*strrchr(path, '/') = '\0';
	assert_int_equal(dmaheap_set_root(fixture->context, DMAHEAP_ROOT_ETC, path), -EINVAL);
}

static void a_file_that_cannot_be_read(void **state)
{
	struct fixture *fixture = *state;
	char path[64];

	fixture_folder(fixture, "etc/dmaheap.conf");
	snprintf(path, sizeof(path), "%s/etc", fixture->root);
	assert_int_equal(dmaheap_set_root(fixture->context, DMAHEAP_ROOT_ETC, path), -EINVAL);
	assert_message(fixture, "etc/dmaheap.conf: it is no file");
	fixture_remove(fixture, "etc/dmaheap.conf");
	fixture_link(fixture, "etc/dmaheap.conf", "dmaheap.conf");
	assert_int_equal(dmaheap_set_root(fixture->context, DMAHEAP_ROOT_ETC, path), -ELOOP);
	assert_message(fixture, "open: ");
}

/* Nobody ever writes to it, and nobody waits for that. */
static void a_fifo_is_no_file(void **state)
{
	struct fixture *fixture = *state;
	char path[64];

	fixture_folder(fixture, "etc");
	snprintf(path, sizeof(path), "%s/etc/dmaheap.conf", fixture->root);
	assert_int_equal(mkfifo(path, 0600), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(dmaheap_set_root(fixture->context, DMAHEAP_ROOT_ETC, path), -EINVAL);
	assert_message(fixture, "it is no file");
}

static void properties_are_printed(void **state)
{
	char text[80];

	(void)state;
	assert_int_equal(dmaheap_properties_print(CMA, text, sizeof(text)), 17);
	assert_string_equal(text, "cached,contiguous");
	assert_int_equal(dmaheap_properties_print(0, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(dmaheap_properties_print(~0U, text, sizeof(text)), 54);
	assert_string_equal(text, "cached,uncached,scattered,contiguous,protected,below4g");
	/* As snprintf(). */
	assert_int_equal(dmaheap_properties_print(CMA, text, 4), 17);
	assert_string_equal(text, "cac");
	assert_int_equal(dmaheap_properties_print(CMA, NULL, 0), 17);
}

static void properties_are_parsed(void **state)
{
	unsigned int properties, parsed;
	char text[80];

	(void)state;
	for (properties = 0; properties < 64; properties++) {
		dmaheap_properties_print(properties, text, sizeof(text));
		assert_int_equal(dmaheap_properties_parse(text, &parsed), 0);
		assert_int_equal(parsed, properties);
	}
	assert_int_equal(dmaheap_properties_parse(" cached , below4g", &parsed), 0);
	assert_int_equal(parsed, DMAHEAP_CACHED | DMAHEAP_BELOW_4G);
	parsed = 7;
	assert_int_equal(dmaheap_properties_parse("cached,", &parsed), -EINVAL);
	assert_int_equal(dmaheap_properties_parse("cache", &parsed), -EINVAL);
	assert_int_equal(parsed, 7);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(names_that_have_been),
		TEST(the_file_says_more),
		TEST(the_environment_goes_first),
		TEST(the_first_line_that_fits_counts),
		TEST(malformed_lines),
		TEST(a_zero_byte_hides_nothing),
		TEST(a_file_that_cannot_be_read),
		TEST(a_fifo_is_no_file),
		TEST(properties_are_printed),
		TEST(properties_are_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
