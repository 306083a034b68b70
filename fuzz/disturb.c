// SPDX-License-Identifier: GPL-2.0-only
/* What happens to a machine while others work on it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

void be_killed_first(void)
{
	write_text("/proc/self/oom_score_adj", "1000");
}

/* Those in use stay; the others go, and come back. */
static void reload_modules(void)
{
	static const char *const names[] = { "dmaheap_system", "dmaheap_contig", "dmaheap_cma",
					     "dmaheap_negotiated", "dmaheap_skeleton" };
	char command[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (syscall(SYS_delete_module, names[i], O_NONBLOCK))
			continue;
		snprintf(command, sizeof(command), "modprobe %s", names[i]);
		(void)!system(command);
	}
	usleep(20000);
}

/* As much as there is, for a moment. */
static void take_memory(void)
{
	size_t page = sysconf(_SC_PAGESIZE), at;
	size_t len = (size_t)sysconf(_SC_AVPHYS_PAGES) * page / 8 * 7;
	char *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (bytes == MAP_FAILED)
		return;
	for (at = 0; at < len; at += page)
		bytes[at] = 1;
	munmap(bytes, len);
	usleep(300000);
}

static void unplug(void)
{
	write_text("/sys/devices/system/cpu/cpu1/online", "0");
	usleep(200000);
	write_text("/sys/devices/system/cpu/cpu1/online", "1");
	usleep(800000);
}

static void shrink(void)
{
	write_text("/proc/sys/vm/drop_caches", "2");
	usleep(50000);
}

/* All devices: their drivers let go of the buffers.  The system stays awake. */
static void suspend(void)
{
	usleep(700000);
	write_text("/sys/power/pm_test", "devices");
	write_text("/sys/module/suspend/parameters/pm_test_delay", "0");
	write_text("/sys/power/state", "freeze");
}

static void start(void (*what)(void))
{
	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_killed_first();
	for (;;)
		what();
}

void disturb(void)
{
	start(reload_modules);
	start(take_memory);
	start(unplug);
	start(shrink);
	start(suspend);
}
