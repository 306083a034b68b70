// SPDX-License-Identifier: GPL-2.0-only
/* What a user who may open a node can see and do besides. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define LEN (4 * MIB)

static void become_user(void)
{
	must(setgid(1000));
	must(setuid(1000));
}

/* Ends the test if what the child checks does. */
static void in_child(void (*run)(int fd), int fd)
{
	int status;

	if (!must(fork())) {
		run(fd);
		_exit(0);
	}
	must(wait(&status));
	check_equal(status, 0);
}

/* ---- what can be written ---- */

static int writable_by_others, looked_at_modes;

static int look_at_mode(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	looked_at_modes += type == FTW_F;
	if (type == FTW_F && st->st_mode & 022) {
		tap_say("%s has mode %o", path, st->st_mode & 0777);
		writable_by_others++;
	}
	return 0;
}

/* In /sys/class, heaps are links. */
static void look_below(const char *folder, const char *prefix, __nftw_func_t look)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[512], *real;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		real = realpath(path, NULL);
		check(real);
		nftw(real, look, 16, FTW_PHYS);
		free(real);
	}
	if (dir)
		closedir(dir);
}

static void only_root_writes(void)
{
	look_below("/sys/class/dma_heap", "", look_at_mode);
	look_below("/sys/class/dmaheap", "", look_at_mode);
	look_below("/sys/module", "dmaheap", look_at_mode);
	check(looked_at_modes > 20);
	check_equal(writable_by_others, 0);
}

/* ---- what can be seen ---- */

#define DEBUGFS "/sys/kernel/debug"

static int files_of_debugfs;

static int try_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	if (type != FTW_F)
		return 0;
	tap_say("%s has mode %o", path, st->st_mode & 0777);
	check_equal(st->st_mode & 077, 0);
	check_errno(open(path, O_RDONLY), EACCES);
	check_errno(open(path, O_WRONLY), EACCES);
	files_of_debugfs++;
	return 0;
}

static void look_at_debugfs(int unused)
{
	(void)unused;
	become_user();
	check_equal(nftw(DEBUGFS "/dmaheap", try_file, 16, FTW_PHYS), 0);
	check(files_of_debugfs >= 3);
}

/* Also if somebody opens up the mount point. */
static void debugfs(void)
{
	struct stat st;

	must(stat(DEBUGFS, &st));
	check_equal(st.st_mode & 077, 0);
	must(chmod(DEBUGFS, 0755));
	in_child(look_at_debugfs, -1);
	must(chmod(DEBUGFS, st.st_mode & 07777));
}

static regex_t address, ours;

/* Of the kernel: on machines of 64 bits they begin so. */
static int count_addresses(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[4096];
	int n = 0;

	while (file && fgets(line, sizeof(line), file))
		if (!regexec(&address, line, 0, NULL, 0)) {
			tap_say("%s: %.60s", path, line);
			n++;
		}
	if (file)
		fclose(file);
	return n;
}

static int addresses, looked;

static int look_for_addresses(const char *path, const struct stat *st, int type,
			      struct FTW *where)
{
	(void)where;
	/* What a module's sections are at, is the kernel's own, and root's. */
	if (type == FTW_F && st->st_mode & 0444 && !strstr(path, "/sections/") &&
	    !strstr(path, "/notes/")) {
		addresses += count_addresses(path);
		looked++;
	}
	return 0;
}

/* What is said of a mistake names functions. */
static void make_mistake(void)
{
	int fd = heap_buffer(LEN);

	file_write("/sys/module/dmaheap_core/parameters/check", "1");
	cpu_end(fd, DMA_BUF_SYNC_READ);
	close(fd);
	check(log_says("an access that was not begun"));
	check(log_says("dma_buf_ioctl+"));
	file_write("/sys/module/dmaheap_core/parameters/check", "0");
}

/* The log of all that was done to this machine so far. */
static int count_in_log(void)
{
	char record[8192];
	int log = must(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)), n = 0;
	ssize_t len;

	while ((len = read(log, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		record[len > 0 ? len : 0] = '\0';
		/* What is said of a region, somebody has given as a parameter. */
		if (!regexec(&ours, record, 0, NULL, 0) && !strstr(record, ": region ") &&
		    !regexec(&address, record, 0, NULL, 0)) {
			tap_say("the log: %.60s", record);
			n++;
		}
		errno = 0;
	}
	close(log);
	return n;
}

static void no_addresses(void)
{
	int device = device_new(64, 0), fd = heap_buffer(LEN);

	check_equal(regcomp(&address, "(^|[^0-9a-f])(0x)?ffff[0-9a-f]{12}([^0-9a-f]|$)",
			    REG_EXTENDED | REG_NOSUB),
		    0);
	check_equal(regcomp(&ours, ";[^:]*dma_?heap[^:]*: ", REG_EXTENDED | REG_NOSUB), 0);
	check(!regexec(&address, "at ffff888012345678", 0, NULL, 0));
	check(regexec(&address, "at 0000888012345678", 0, NULL, 0));
	make_mistake();
	device_attach_and_map(device, fd);
	buffer_map(fd, LEN);
	nftw("/sys/kernel/debug/dmaheap", look_for_addresses, 16, FTW_PHYS);
	look_below("/sys/class/dma_heap", "", look_for_addresses);
	look_below("/sys/class/dmaheap", "", look_for_addresses);
	look_below("/sys/module", "dmaheap", look_for_addresses);
	check(looked > 50);
	check_equal(addresses, 0);
	check_equal(count_in_log(), 0);
}

/* ---- what somebody else has left ---- */

static void leave_bytes(int heap)
{
	int fd = must(heap_try(heap, LEN));

	memset(buffer_map(fd, LEN), 0xa5, LEN);
	_exit(0);
}

static void find_bytes(int heap)
{
	int fd;

	become_user();
	fd = must(heap_try(heap, LEN));
	check(is_zero(buffer_map(fd, LEN), LEN));
}

/* One after the other, root's and a user's, of whatever heap. */
static void nothing_left(void)
{
	const struct heap_kind *kind;
	char node[128];
	int heap, i;

	for (kind = heap_kinds; kind->name; kind++) {
		snprintf(node, sizeof(node), "/dev/dma_heap/%s", kind->name);
		if (kind->is_protected || access(node, F_OK))
			continue;
		heap = must(open(node, O_RDONLY | O_CLOEXEC));
		for (i = 0; i < 20; i++) {
			in_child(leave_bytes, heap);
			/* By the pool, and by the page allocator. */
			if (i % 2)
				pools_drain();
			in_child(find_bytes, heap);
		}
		close(heap);
	}
}

/* ---- holding on to a module ---- */

static int all_held[2];

static void hold_everything(int heap)
{
	int i;

	become_user();
	for (i = 0; i < 100; i++)
		buffer_map(must(heap_try(heap, 4096)), 4096);
	must(write(all_held[1], "", 1));
	for (;;)
		pause();
}

static void modules_go(void)
{
	int heap = heap_open(), status;
	pid_t user;
	char byte;

	must(pipe(all_held));
	user = must(fork());
	if (!user)
		hold_everything(heap);
	close(heap);
	check_equal(must(read(all_held[0], &byte, 1)), 1);
	check_errno(module_unload(heap_kind()->modules[0]), EWOULDBLOCK);
	kill(user, SIGKILL);
	must(waitpid(user, &status, 0));
	check_equal(WTERMSIG(status), SIGKILL);
	must(module_unload(heap_kind()->modules[0]));
	must(module_load(heap_kind()->modules[0]));
}

static const struct test tests[] = {
	TEST(only_root_writes, "only root writes to sysfs"),
	TEST(debugfs, "only root reads debugfs"),
	TEST(no_addresses, "no address of the kernel in any file or in the log"),
	TEST(nothing_left, "nothing of what others left, from any heap"),
	TEST(modules_go, "a module goes as soon as its last user is killed"),
};
TAP_MAIN(tests)
