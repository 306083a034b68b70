// SPDX-License-Identifier: GPL-2.0-only
/* Looking, at what no kernel would say, and without memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define TABLE_HEADER \
	"INODE SIZE HEAP NAME PID COMMAND VMAP NEWEST CLEANED INVALIDATED BOUNCED SKIPPED DEVICES\n"
#define BUFINFO_HEADER \
	"\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n"

static const char *const kept[][2] = {
	{ "sys/kernel/debug/dmaheap/buffers",
	  TABLE_HEADER "31 4096 system a\\012b 7 maker 0 cpu 0 0 0 0 vgem:vgem x:y\n"
		       "32 4096 system - 7 maker 0 cpu 0 0 0 0 -\n" },
	{ "sys/kernel/debug/dma_buf/bufinfo",
	  BUFINFO_HEADER "00004096\t00080002\t000a8007\t00000003\tsystem\t00000031\ta\nb\n"
			 "\tAttached Devices:\n\tvgem\nTotal 1 devices attached\n\n"
			 "00004096\t00080002\t000a8007\t00000003\ti915\t00000033\t<none>\n"
			 "\tAttached Devices:\n\tvgem\n\tfoo\nTotal 2 devices attached\n\n" },
	{ "proc/9/fdinfo/3",
	  "pos:\t0\nino:\t34\nsize:\t4096\nexp_name:\tsystem\nname:\ta\nb\n" },
	{ "proc/9/maps", "1000-2000 rw-s 0 00:0d 31 /dmabuf:a\\012b\n"
			 "3000-4000 rw-s 0 00:0d 35 /dmabuf:\n" },
	{ "proc/9/comm", "x\n" },
};

static unsigned int any(unsigned int below)
{
	static uint32_t seed = 1;

	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Some bytes become others, mostly such that mean something, and it may end early. */
static void write_mutated(const struct fixture *fixture, const char *path, const char *text)
{
	static const char likely[] = "\n\t \\0123459-:/<\0\xff(";
	size_t length = strlen(text);
	char *bytes = strdup(text);
	char full[256];
	unsigned int i;
	FILE *file;

	assert_non_null(bytes);
	for (i = any(6); i; i--)
		bytes[any(length)] = any(3) ? likely[any(sizeof(likely))] : (char)any(256);
	snprintf(full, sizeof(full), "%s/%s", fixture->root, path);
	file = fopen(full, "w");
	assert_non_null(file);
	length = any(4) ? length : any(length);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	free(bytes);
}

/* All that a caller may read of it. */
static void read_all(const struct dmaheap_look *look)
{
	size_t i, j, sum = 0;

	for (i = 0; i < dmaheap_look_count(look); i++) {
		const struct dmaheap_buffer_info *info = dmaheap_look_get(look, i);

		assert_ptr_equal(dmaheap_look_find(look, info->inode), info);
		sum += info->name ? strlen(info->name) : 0;
		sum += info->exporter ? strlen(info->exporter) : 0;
		sum += info->heap ? strlen(info->heap) : 0;
		sum += info->command ? strlen(info->command) : 0;
		for (j = 0; j < info->devices_count; j++)
			sum += strlen(info->devices[j]);
		for (j = 0; j < info->holders_count; j++)
			sum += strlen(info->holders[j].command);
	}
	assert_true(sum < 100000);
}

static int look_and_free(void *context)
{
	struct dmaheap_look *look;
	int err = dmaheap_look(context, 0, &look);

	if (err)
		return err;
	read_all(look);
	dmaheap_look_free(look);
	return 0;
}

static void write_kept(const struct fixture *fixture)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kept); i++)
		fixture_write(fixture, kept[i][0], kept[i][1]);
}

static void mutations(void **state)
{
	const struct fixture *fixture = *state;
	unsigned int round, i;

	fixture_link(fixture, "proc/9/fd/3", "/dmabuf:a\nb");
	write_kept(fixture);
	for (round = 0; round < 3000; round++) {
		for (i = 0; i < ARRAY_SIZE(kept); i++)
			write_mutated(fixture, kept[i][0], kept[i][1]);
		assert_int_equal(look_and_free(fixture->context), 0);
	}
}

/* More than the first table has room for, too. */
static void no_memory(void **state)
{
	const struct fixture *fixture = *state;
	char *text = malloc(100000), *at = text;
	unsigned int i;

	assert_non_null(text);
	for (i = 1; i < 1500; i++)
		at += sprintf(at, "%u 4096 system n%u 7 x 0 cpu 0 0 0 0 vgem:vgem\n", i, i);
	fixture_link(fixture, "proc/9/fd/3", "/dmabuf:a\nb");
	write_kept(fixture);
	fixture_write(fixture, kept[0][0], text);
	free(text);
	memory_sweep(look_and_free, fixture->context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mutations, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(no_memory, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
