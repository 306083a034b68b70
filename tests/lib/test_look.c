// SPDX-License-Identifier: GPL-2.0-only
/* Looking, at folders that are made up as the kernel makes them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "fixture.h"

#define TABLE_HEADER \
	"INODE SIZE HEAP NAME PID COMMAND VMAP NEWEST CLEANED INVALIDATED BOUNCED SKIPPED DEVICES\n"
#define BUFINFO_HEADER \
	"\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n"
#define TOTAL(count) "\nTotal " #count " objects, 0 bytes\n"
#define NO_DEVICES "\tAttached Devices:\nTotal 0 devices attached\n\n"

/* ---- the folders ---- */

static struct fixture *fixture;
static struct dmaheap_look *look;

static int set_up(void **state)
{
	int err = fixture_setup(state);

	fixture = *state;
	return err;
}

static int tear_down(void **state)
{
	dmaheap_look_free(look);
	look = NULL;
	return fixture_teardown(state);
}

static void write_file(const char *path, const char *text)
{
	fixture_write(fixture, path, text);
}

/* A process without fds and mappings. */
static void add_process(int pid, const char *command)
{
	char relative[64], text[64];

	snprintf(relative, sizeof(relative), "proc/%d/comm", pid);
	snprintf(text, sizeof(text), "%s\n", command);
	write_file(relative, text);
	snprintf(relative, sizeof(relative), "proc/%d/maps", pid);
	write_file(relative, "");
	snprintf(relative, sizeof(relative), "proc/%d/fd", pid);
	fixture_folder(fixture, relative);
}

/* Lines of fdinfo may be NULL. */
static void add_fd(int pid, int fd, const char *link, const char *lines)
{
	char relative[64], text[512];

	snprintf(relative, sizeof(relative), "proc/%d/fd/%d", pid, fd);
	fixture_link(fixture, relative, link);
	if (!lines)
		return;
	snprintf(relative, sizeof(relative), "proc/%d/fdinfo/%d", pid, fd);
	snprintf(text, sizeof(text), "pos:\t0\nflags:\t02000002\nmnt_id:\t15\n%s", lines);
	write_file(relative, text);
}

static void set_maps(int pid, const char *text)
{
	char relative[64];

	snprintf(relative, sizeof(relative), "proc/%d/maps", pid);
	write_file(relative, text);
}

/* ---- what was seen ---- */

static void look_again(void)
{
	dmaheap_look_free(look);
	look = NULL;
	assert_int_equal(dmaheap_look(fixture->context, 0, &look), 0);
}

static const struct dmaheap_buffer_info *buffer(uint64_t inode)
{
	const struct dmaheap_buffer_info *info = dmaheap_look_find(look, inode);

	assert_non_null(info);
	assert_int_equal(info->inode, inode);
	return info;
}

static void check_holder(const struct dmaheap_buffer_info *info, size_t i, pid_t pid,
			 const char *command, unsigned int fds, uint64_t mapped)
{
	assert_true(i < info->holders_count);
	assert_int_equal(info->holders[i].pid, pid);
	assert_string_equal(info->holders[i].command, command);
	assert_int_equal(info->holders[i].fds, fds);
	assert_int_equal(info->holders[i].mapped, mapped);
}

/* ---- debugfs ---- */

static void dmaheap_table(void **state)
{
	const struct dmaheap_buffer_info *info;

	(void)state;
	write_file(
		"sys/kernel/debug/dmaheap/buffers", TABLE_HEADER
		"12 8192 system my\\040name\\012 77 a\\134b 0 cpu 1 2 3 4 vgem:vgem amd:0000:00\n"
		"7 4096 system.dmaheap - 78 - 3 cpu+memory 0 0 0 0 -\n");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 2);
	assert_int_equal(dmaheap_look_get(look, 0)->inode, 7);
	assert_int_equal(dmaheap_look_get(look, 1)->inode, 12);
	assert_null(dmaheap_look_get(look, 2));
	assert_null(dmaheap_look_find(look, 8));
	info = buffer(12);
	assert_int_equal(info->size, 8192);
	assert_string_equal(info->name, "my name\n");
	assert_string_equal(info->heap, "system");
	assert_string_equal(info->exporter, "system");
	assert_int_equal(info->allocator, 77);
	assert_string_equal(info->command, "a\\b");
	assert_int_equal(info->kernel_mappings, 0);
	assert_int_equal(info->devices_count, 2);
	assert_string_equal(info->devices[0], "vgem:vgem");
	assert_string_equal(info->devices[1], "amd:0000:00");
	assert_int_equal(info->sources, DMAHEAP_SOURCE_DMAHEAP);
	assert_int_equal(info->holders_count, 0);
	assert_int_equal(info->share, 0);
	info = buffer(7);
	assert_null(info->name);
	assert_null(info->command);
	assert_int_equal(info->kernel_mappings, 3);
	assert_non_null(info->devices);
	assert_int_equal(info->devices_count, 0);
}

static void dmaheap_table_malformed(void **state)
{
	(void)state;
	write_file("sys/kernel/debug/dmaheap/buffers",
		   TABLE_HEADER "\n \n12\n12 4096\n12 4096 system x 7 y 0 cpu 0 0 0 0\n"
				"0 4096 system x 7 y 0 cpu 0 0 0 0 -\n"
				"-1 4096 system x 7 y 0 cpu 0 0 0 0 -\n"
				"12 99999999999999999999999 system x 7 y 0 cpu 0 0 0 0 -\n"
				"12 4096 system x 4294967297 y 0 cpu 0 0 0 0 -\n"
				"13 4096 system x\\ 7 y\\04 0 cpu 0 0 0 0 -");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 1);
	assert_string_equal(buffer(13)->name, "x\\");
	assert_string_equal(buffer(13)->command, "y\\04");
}

static void bufinfo(void **state)
{
	const struct dmaheap_buffer_info *info;

	(void)state;
	write_file("sys/class/dma_heap/reserved/uevent", "");
	write_file(
		"sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER
		"00008192\t00080002\t000a8007\t00000003\ti915\t00000021\t<none>\n"
		"\twrite fence:i915 render seq 5 signalled\n"
		"\tAttached Devices:\n\t0000:00:02.0\n\tvgem\nTotal 2 devices attached\n\n"
		"00004096\t00080002\t000a8007\t00000001\treserved\t123456789\ta\tname\n" NO_DEVICES
		"\nTotal 2 objects, 12288 bytes\n");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 2);
	info = buffer(21);
	assert_int_equal(info->size, 8192);
	assert_null(info->name);
	assert_string_equal(info->exporter, "i915");
	assert_null(info->heap);
	assert_int_equal(info->allocator, 0);
	assert_int_equal(info->devices_count, 2);
	assert_string_equal(info->devices[0], "0000:00:02.0");
	assert_string_equal(info->devices[1], "vgem");
	assert_int_equal(info->sources, DMAHEAP_SOURCE_BUFINFO);
	info = buffer(123456789);
	assert_string_equal(info->name, "a\tname");
	assert_string_equal(info->heap, "reserved");
	assert_non_null(info->devices);
	assert_int_equal(info->devices_count, 0);
}

/* Names are whatever a program likes, up to 31 bytes: none can look like another buffer. */
static void bufinfo_with_hostile_names(void **state)
{
	(void)state;
	write_file(
		"sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER
		"00004096\t00080002\t000a8007\t00000003\tudmabuf\t00000021\t\n1\t1\t1\t1\tx\t7\tx\n" NO_DEVICES
		"00004096\t00080002\t000a8007\t00000003\tudmabuf\t00000022\t\n"
		"\tAttached Devices:\n\tforged\n"
		"\tAttached Devices:\n\tvgem\nTotal 1 devices attached\n\n"
		"00004096\t00080002\t000a8007\t00000003\tudmabuf\t00000023\t\n"
		"\tAttached Devices:\nTotal 9\n"
		"\tAttached Devices:\n\tvgem\nTotal 1 devices attached\n\n");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 3);
	assert_null(buffer(21)->name);
	assert_int_equal(buffer(21)->devices_count, 0);
	assert_int_equal(buffer(22)->devices_count, 1);
	assert_string_equal(buffer(22)->devices[0], "vgem");
	assert_int_equal(buffer(23)->devices_count, 1);
}

/* ---- processes ---- */

static void fds(void **state)
{
	const struct dmaheap_buffer_info *info;

	(void)state;
	write_file("sys/class/dmaheap/system.dmaheap/uevent", "");
	add_process(102, "second one");
	add_process(9, "first");
	fixture_folder(fixture, "proc/4294967305"); /* 9, in 32 bits */
	add_fd(102, 0, "/dev/null", "ino:\t5\n");
	add_fd(102, 3, "/dmabuf:film",
	       "ino:\t31\nsize:\t12288\ncount:\t3\nexp_name:\tsystem.dmaheap\nname:\tfilm\n");
	add_fd(102, 44, "/dmabuf:film",
	       "ino:\t31\nsize:\t12288\ncount:\t3\nexp_name:\tsystem.dmaheap\nname:\tfilm\n");
	add_fd(9, 7, "/dmabuf:film",
	       "ino:\t31\nsize:\t12288\ncount:\t3\nexp_name:\tsystem.dmaheap\nname:\tfilm\n");
	add_fd(9, 8, "anon_inode:dmabuf",
	       "ino:\t32\nsize:\t4096\ncount:\t1\nexp_name:\ti915\n");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 2);
	info = buffer(31);
	assert_int_equal(info->size, 12288);
	assert_int_equal(info->share, 6144);
	assert_string_equal(info->name, "film");
	assert_string_equal(info->exporter, "system.dmaheap");
	assert_string_equal(info->heap, "system.dmaheap");
	assert_int_equal(info->holders_count, 2);
	check_holder(info, 0, 9, "first", 1, 0);
	check_holder(info, 1, 102, "second one", 2, 0);
	assert_null(info->devices);
	assert_int_equal(info->sources, DMAHEAP_SOURCE_FDINFO);
	assert_null(buffer(32)->name);
	assert_null(buffer(32)->heap);
	check_holder(buffer(32), 0, 9, "first", 1, 0);
}

static void fds_of_other_things(void **state)
{
	(void)state;
	add_process(9, "x");
	add_fd(9, 0, "/dmabuf:", "ino:\t1\n");
	add_fd(9, 1, "/dmabuf:gone", NULL);
	add_fd(9, 2, "/home/dmabuf:x", "ino:\t3\nsize:\t4096\nexp_name:\tx\n");
	add_fd(9, 3, "anon_inode:dmabuf2", "ino:\t4\nsize:\t4096\nexp_name:\tx\n");
	add_fd(9, 4, "/dmabuf:nameless", "size:\t4096\nexp_name:\tx\n");
	add_fd(9, 5, "/dmabuf:zero", "ino:\t0\nsize:\t4096\nexp_name:\tx\n");
	add_fd(9, 6, "/dmabuf:text", "ino:\tx\nsize\nexp_name:\tx\n\n:\t\n\t\n");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 0);
	assert_int_equal(dmaheap_look_unreadable(look), 0);
}

static void fds_with_hostile_names(void **state)
{
	const struct dmaheap_buffer_info *info;

	(void)state;
	add_process(9, "a) R 1\n(b");
	add_fd(9, 3, "/dmabuf:a\nsize:\t1\nino:\t5 (deleted)",
	       "ino:\t31\nsize:\t4096\ncount:\t3\nexp_name:\tudmabuf\n"
	       "name:\ta\nsize:\t1\nino:\t5 (deleted)\n");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 1);
	info = buffer(31);
	assert_int_equal(info->size, 4096);
	assert_string_equal(info->name, "a\nsize:\t1\nino:\t5 (deleted)");
	check_holder(info, 0, 9, "a) R 1\n(b", 1, 0);
}

static void mappings(void **state)
{
	const struct dmaheap_buffer_info *info;

	(void)state;
	add_process(9, "x");
	add_process(10, "y");
	add_fd(10, 3, "/dmabuf:b", "ino:\t32\nsize:\t8192\nexp_name:\tudmabuf\nname:\tb\n");
	set_maps(
		9,
		"55d0c0a00000-55d0c0a02000 r--p 00000000 08:01 31         /bin/x\n"
		"7f0000000000-7f0000001000 rw-s 00000000 00:0d 31         /dmabuf:a\\012 [b]\n"
		"7f0000002000-7f0000004000 r--s 00001000 00:0d 31         /dmabuf:a\\012 [b]\n"
		"7f0000005000-7f0000006000 rw-s 00000000 00:0d 32         /dmabuf:b\n"
		"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0          [stack]\n");
	set_maps(10, "7f0000005000-7f0000007000 rw-s 00000000 00:0d 32        /dmabuf:b\n");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 2);
	info = buffer(31);
	assert_int_equal(info->size, 0);
	assert_int_equal(info->share, 0);
	assert_string_equal(info->name, "a\n [b]");
	assert_null(info->exporter);
	assert_int_equal(info->sources, DMAHEAP_SOURCE_MAPS);
	check_holder(info, 0, 9, "x", 0, 0x3000);
	assert_int_equal(info->holders[0].mappings, 2);
	info = buffer(32);
	assert_int_equal(info->holders_count, 2);
	check_holder(info, 0, 9, "x", 0, 0x1000);
	check_holder(info, 1, 10, "y", 1, 0x2000);
	assert_int_equal(info->sources, DMAHEAP_SOURCE_FDINFO | DMAHEAP_SOURCE_MAPS);
}

static void mappings_malformed(void **state)
{
	(void)state;
	add_process(9, "x");
	set_maps(9, "/dmabuf:\n"
		    "7f-7f rw-s 0 00:0d 31 /dmabuf:empty\n"
		    "8f-7f rw-s 0 00:0d 31 /dmabuf:negative\n"
		    "1000-2000 rw-s 0 08:0d 31 /dmabuf:of a disk\n"
		    "1000-2000 rw-s 0 00:0d 0 /dmabuf:no inode\n"
		    "1000-2000 rw-s 0 00:0d 31 /tmp/ /dmabuf:x\n"
		    "1000-2000 rw-s 0 00:0d 31x /dmabuf:x\n"
		    "1000-2000 rw-s 0 00:fffffffff 31 /dmabuf:x\n"
		    "1000-2000 rw-s-0 00:0d 31 /dmabuf:x\n"
		    "1000-2000 rw 0 00:0d 31 /dmabuf:x\n"
		    "1000-10000000000000000 rw-s 0 00:0d 31 /dmabuf:x\n"
		    "0-ffffffffffffffff rw-s 0 00:0d 32 /dmabuf:large\n"
		    "1000-2000 rw-s 0 00:0d 32 /dmabuf:large");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 1);
	check_holder(buffer(32), 0, 9, "x", 0, UINT64_MAX);
}

/* A line that is too long for us does not take the next ones with it. */
static void long_lines(void **state)
{
	static char text[200000];
	static const char mapping[] = "\n1000-2000 rw-s 0 00:0d 31 /dmabuf:x\n";
	size_t length;

	(void)state;
	add_process(9, "x");
	for (length = 32700; length < 32800; length++) {
		memset(text, 'a', length);
		strcpy(text + length, mapping);
		set_maps(9, text);
		look_again();
		assert_int_equal(dmaheap_look_count(look), 1);
		check_holder(buffer(31), 0, 9, "x", 0, 4096);
	}
	memset(text, 'a', 150000);
	strcpy(text + 150000, mapping);
	set_maps(9, text);
	look_again();
	assert_int_equal(dmaheap_look_count(look), 1);
}

/* ---- all together ---- */

static void merged(void **state)
{
	const struct dmaheap_buffer_info *info;

	(void)state;
	write_file("sys/kernel/debug/dmaheap/buffers",
		   TABLE_HEADER "31 4096 system a\\012b 7 maker 0 cpu 0 0 0 0 vgem:vgem\n");
	write_file(
		"sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER
		"00004096\t00080002\t000a8007\t00000003\tsystem\t00000031\ta\nb\n"
		"\tAttached Devices:\n\tvgem\nTotal 1 devices attached\n\n"
		"00008192\t00080002\t000a8007\t00000003\tudmabuf\t00000032\t<none>\n" NO_DEVICES
			TOTAL(2));
	add_process(9, "x");
	add_fd(9, 3, "/dmabuf:a\nb",
	       "ino:\t31\nsize:\t4096\nexp_name:\tsystem\nname:\ta\nb\n");
	add_fd(9, 4, "/dmabuf:<none>", "ino:\t32\nsize:\t8192\nexp_name:\tudmabuf\n");
	set_maps(9, "1000-2000 rw-s 0 00:0d 31 /dmabuf:a\\012b\n");
	look_again();
	assert_int_equal(dmaheap_look_count(look), 2);
	info = buffer(31);
	assert_int_equal(info->sources, 15);
	assert_string_equal(info->name, "a\nb");
	assert_int_equal(info->devices_count, 1);
	assert_string_equal(info->devices[0], "vgem:vgem");
	check_holder(info, 0, 9, "x", 1, 4096);
	assert_int_equal(info->holders[0].mappings, 1);
	assert_string_equal(buffer(32)->name, "<none>");
	assert_int_equal(dmaheap_look_sources(look), 15);
	assert_true(dmaheap_look_is_complete(look));
}

static void one_process(void **state)
{
	(void)state;
	write_file(
		"sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER
		"00008192\t00080002\t000a8007\t00000003\tudmabuf\t00000030\t<none>\n" NO_DEVICES);
	add_process(9, "x");
	add_process(10, "y");
	add_process(11, "z");
	add_fd(9, 3, "/dmabuf:", "ino:\t31\nsize:\t4096\nexp_name:\tudmabuf\n");
	add_fd(10, 3, "/dmabuf:", "ino:\t31\nsize:\t4096\nexp_name:\tudmabuf\n");
	add_fd(10, 4, "/dmabuf:", "ino:\t32\nsize:\t4096\nexp_name:\tudmabuf\n");
	assert_int_equal(dmaheap_look(fixture->context, 9, &look), 0);
	assert_int_equal(dmaheap_look_count(look), 1);
	assert_int_equal(buffer(31)->holders_count, 2);
	assert_null(dmaheap_look_find(look, 32));
	dmaheap_look_free(look);
	assert_int_equal(dmaheap_look(fixture->context, 11, &look), 0);
	assert_int_equal(dmaheap_look_count(look), 0);
	dmaheap_look_free(look);
	look = NULL;
	assert_int_equal(dmaheap_look(fixture->context, 12, &look), -ESRCH);
	assert_int_equal(dmaheap_look(fixture->context, -9, &look), -ESRCH);
	assert_null(look);
	assert_non_null(strstr(dmaheap_message(fixture->context), "-9"));
}

static void incomplete(void **state)
{
	(void)state;
	add_process(1, "init");
	look_again();
	assert_false(dmaheap_look_is_complete(look)); /* what nobody holds is not seen */
	write_file("sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER TOTAL(0));
	look_again();
	assert_true(dmaheap_look_is_complete(look));

	fixture_link(fixture, "proc/1/ns/pid", "pid:[4026531836]");
	look_again();
	assert_true(dmaheap_look_is_complete(look));
	fixture_remove(fixture, "proc/1/ns/pid");
	fixture_link(fixture, "proc/1/ns/pid", "pid:[4026532500]");
	look_again();
	assert_false(dmaheap_look_is_complete(look)); /* others have processes, too */
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_NAMESPACE);
}

/* What we list is ours alone. */
static void others_buffers_are_unknown(void **state)
{
	(void)state;
	add_process(1, "init");
	write_file("sys/kernel/debug/dmaheap/buffers", TABLE_HEADER);
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_UNHELD);
	assert_false(dmaheap_look_is_complete(look));
}

static void no_processes(void **state)
{
	(void)state;
	write_file("sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER TOTAL(0));
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_PROC);
}

/* As with hidepid=2, for who is not root. */
static void hidden_processes(void **state)
{
	(void)state;
	add_process(9, "x");
	fixture_link(fixture, "proc/self", "9");
	write_file("sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER TOTAL(0));
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_PROC);
	add_process(1, "init");
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), 0);
}

static void a_row_that_is_too_long(void **state)
{
	static char text[70000] = TABLE_HEADER "7 4096 system - 7 x 0 cpu 0 0 0 0 ";

	(void)state;
	add_process(1, "init");
	write_file("sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER TOTAL(0));
	memset(text + strlen(text), 'x', 40000);
	strcat(text, "\n8 4096 system - 7 x 0 cpu 0 0 0 0 -\n");
	write_file("sys/kernel/debug/dmaheap/buffers", text);
	look_again();
	assert_int_equal(dmaheap_look_count(look), 1);
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_LINES);
}

static void lines_of_another_version(void **state)
{
	(void)state;
	add_process(1, "init");
	write_file("sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER TOTAL(0));
	write_file("sys/kernel/debug/dmaheap/buffers", TABLE_HEADER "new 4096 system\n");
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_LINES);
	write_file("sys/kernel/debug/dmaheap/buffers", TABLE_HEADER);
	/* What is not even the table. */
	write_file("sys/kernel/debug/dmaheap/buffers", "");
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_LINES);
	write_file("sys/kernel/debug/dmaheap/buffers", "NAME INODE\n");
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_LINES);
	write_file("sys/kernel/debug/dmaheap/buffers", TABLE_HEADER);
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), 0);
	/* Cut off. */
	write_file("sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER);
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_LINES);
	/* Of two buffers only one is as we know them. */
	write_file(
		"sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER
		"00008192\t00080002\t000a8007\t00000003\tudmabuf\t00000030\tTotal 9 objects, \n" NO_DEVICES
		"size: 8192\n" NO_DEVICES "\nTotal 2 objects, 16384 bytes\n");
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), DMAHEAP_GAP_LINES);
	write_file(
		"sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER
		"00008192\t00080002\t000a8007\t00000003\tudmabuf\t00000030\ta\nTotal 9 objects, \n" NO_DEVICES
		"\nTotal 1 objects, 8192 bytes\n");
	look_again();
	assert_int_equal(dmaheap_look_gaps(look), 0);
}

static void out_of_fds(void **state)
{
	struct rlimit none = { 0, 0 }, before;
	int err;

	(void)state;
	add_process(9, "x");
	write_file("sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER TOTAL(0));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	/* One, which the list of processes takes, and as many more as each next step does. */
	for (none.rlim_cur = count_fds(); none.rlim_cur < count_fds() + 4; none.rlim_cur++) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		err = dmaheap_look(fixture->context, 0, &look);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (!err)
			break;
		assert_int_equal(err, -EMFILE);
		assert_non_null(strstr(dmaheap_message(fixture->context), "many open files"));
	}
	assert_int_equal(err, 0);
	assert_int_equal(dmaheap_look_unreadable(look), 0);
}

static void set_stat(int pid, const char *folder, char state, int threads, int started)
{
	char relative[64], text[256];

	snprintf(relative, sizeof(relative), "proc/%d/%sstat", pid, folder);
	snprintf(text, sizeof(text),
		 "%d (a) S 1) %c 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 %d 0 %d 9 9\n", pid,
		 state, threads, started);
	write_file(relative, text);
}

/* The first thread is dead, and so is the second; the third has all that there is. */
static void the_first_thread_is_gone(void **state)
{
	(void)state;
	add_process(9, "x");
	set_stat(9, "", 'Z', 3, 4711);
	set_stat(9, "task/9/", 'Z', 3, 4711);
	set_stat(9, "task/10/", 'X', 3, 4712);
	set_stat(9, "task/11/", 'S', 3, 4713);
	write_file("proc/9/task/11/comm", "worker\n");
	write_file("proc/9/task/11/maps", "1000-2000 rw-s 0 00:0d 31 /dmabuf:\n");
	fixture_link(fixture, "proc/9/task/11/fd/3", "/dmabuf:");
	write_file("proc/9/task/11/fdinfo/3", "ino:\t31\nsize:\t4096\nexp_name:\tudmabuf\n");
	look_again();
	check_holder(buffer(31), 0, 9, "worker", 1, 4096);
	assert_int_equal(buffer(31)->holders[0].started, 4711);
}

/* Something else than a folder of fds is as good as one that may not be read. */
static void add_unreadable(int pid, const char *stat_text)
{
	char relative[64];

	snprintf(relative, sizeof(relative), "proc/%d/fd", pid);
	write_file(relative, "");
	snprintf(relative, sizeof(relative), "proc/%d/stat", pid);
	write_file(relative, stat_text);
	snprintf(relative, sizeof(relative), "proc/%d/maps/x", pid);
	write_file(relative, "");
}

static void unreadable(void **state)
{
	(void)state;
	write_file("sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER TOTAL(0));
	add_process(9, "x");
	fixture_folder(fixture, "proc/10"); /* just gone */
	write_file("proc/irq/x", "");	    /* no process */
	write_file("proc/99999999999/x", "");
	look_again();
	assert_int_equal(dmaheap_look_unreadable(look), 0);
	assert_true(dmaheap_look_is_complete(look));
	add_unreadable(2, "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0\n");
	add_unreadable(11, "11 (a) Z 1) Z 1 1 1 0 -1 4194560 0 0 0\n");
	look_again();
	assert_int_equal(dmaheap_look_unreadable(look), 0);
	assert_int_equal(dmaheap_look_count(look), 0);
	add_unreadable(12, "12 (a) Z 1 1 1 0 -1 2129984) S 1 1 1 0 -1 4194560 0 0 0\n");
	look_again();
	assert_int_equal(dmaheap_look_unreadable(look), 1);
	assert_false(dmaheap_look_is_complete(look));
	dmaheap_look_free(look);
	look = NULL;
	assert_int_equal(dmaheap_look(fixture->context, 12, &look), -EACCES);
	assert_non_null(strstr(dmaheap_message(fixture->context), "12"));
}

/* fd, but not what the fds are: so it is with a process of the same user that may do more. */
static void partly_unreadable(void **state)
{
	(void)state;
	add_process(9, "x");
	add_fd(9, 3, "/dmabuf:", NULL);
	write_file("proc/9/fdinfo/3/x", "");
	look_again();
	assert_int_equal(dmaheap_look_unreadable(look), 1);
}

static void nothing_readable(void **state)
{
	(void)state;
	assert_int_equal(dmaheap_look(fixture->context, 0, &look), -EACCES);
	assert_null(look);
	assert_non_null(strstr(dmaheap_message(fixture->context), "/proc"));
	write_file("sys/kernel/debug/dma_buf/bufinfo", BUFINFO_HEADER TOTAL(0));
	look_again();
	assert_int_equal(dmaheap_look_sources(look), DMAHEAP_SOURCE_BUFINFO);
	assert_false(dmaheap_look_is_complete(look));
	dmaheap_look_free(look);
	look = NULL;
	assert_int_equal(dmaheap_look(fixture->context, 9, &look), -EACCES);
}

/* More than the first table has room for, in no order. */
static void many(void **state)
{
	char *text = malloc(1000000), *at = text;
	unsigned int i;

	(void)state;
	assert_non_null(text);
	for (i = 0; i < 5000; i++)
		at += sprintf(at, "%u %u system - 7 x 0 cpu 0 0 0 0 -\n",
			      (i * 7919U) % 5000 + 1, 4096 * (i + 1));
	write_file("sys/kernel/debug/dmaheap/buffers", text);
	free(text);
	look_again();
	assert_int_equal(dmaheap_look_count(look), 5000);
	for (i = 0; i < 5000; i++) {
		assert_int_equal(dmaheap_look_get(look, i)->inode, i + 1);
		assert_int_equal(buffer((i * 7919U) % 5000 + 1)->size, 4096 * (i + 1));
	}
}

/* ---- words ---- */

static void sources_as_text(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(dmaheap_sources_print(0, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(dmaheap_sources_print(~0U, text, sizeof(text)), 27);
	assert_string_equal(text, "debugfs,bufinfo,fdinfo,maps");
	assert_int_equal(
		dmaheap_sources_print(DMAHEAP_SOURCE_BUFINFO | DMAHEAP_SOURCE_MAPS, text, 5),
		12);
	assert_string_equal(text, "bufi");
	assert_int_equal(dmaheap_sources_print(DMAHEAP_SOURCE_FDINFO, NULL, 0), 6);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dmaheap_table),
		TEST(dmaheap_table_malformed),
		TEST(bufinfo),
		TEST(bufinfo_with_hostile_names),
		TEST(fds),
		TEST(fds_of_other_things),
		TEST(fds_with_hostile_names),
		TEST(mappings),
		TEST(mappings_malformed),
		TEST(long_lines),
		TEST(merged),
		TEST(one_process),
		TEST(incomplete),
		TEST(others_buffers_are_unknown),
		TEST(no_processes),
		TEST(hidden_processes),
		TEST(a_row_that_is_too_long),
		TEST(lines_of_another_version),
		TEST(out_of_fds),
		TEST(the_first_thread_is_gone),
		TEST(unreadable),
		TEST(partly_unreadable),
		TEST(nothing_readable),
		TEST(many),
		cmocka_unit_test(sources_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
