// SPDX-License-Identifier: GPL-2.0-only
/* What happens to a machine while others work on it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define GROUPS_ROOT "/tmp/groups"
#define GROUP GROUPS_ROOT "/limited"

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written;

	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) >= 0;
	close(fd);
	return written;
}

void be_killed_first(void)
{
	write_text("/proc/self/oom_score_adj", "1000");
}

/* With the parameters that the machine was started with. */
static bool load(const char *module)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "modprobe $(grep '^%s ' /vm/modules || echo %s) 2>/dev/null", module, module);
	return !system(command);
}

/* Those in use stay; the others go, and come back: also what was not, for want of memory. */
static bool reload_modules(void)
{
	static const char *const names[] = {
		"dmaheap_system",     "dmaheap_contig",	  "dmaheap_cma",
		"dmaheap_negotiated", "dmaheap_skeleton", "dmaheap_owner",
		"dmaheap_carveout",   "dmaheap_chunk",	  "dmaheap_protected_reference",
	};
	bool any = false;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!syscall(SYS_delete_module, names[i], O_NONBLOCK) || errno == ENOENT)
			any = load(names[i]) || any;
	usleep(20000);
	return any;
}

/* A part of what is free; page by page, so that it can be frozen in between. */
static size_t take(size_t eighths, char **bytes)
{
	size_t page = sysconf(_SC_PAGESIZE), at;
	size_t len = (size_t)sysconf(_SC_AVPHYS_PAGES) * page / 8 * eighths;

	*bytes = mmap(NULL, len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (*bytes == MAP_FAILED)
		return 0;
	for (at = 0; at < len; at += page)
		(*bytes)[at] = 1;
	return len;
}

/* Most of it for long, so that the rest, for a moment, does not take long. */
static bool take_memory(void)
{
	static char *held;
	char *bytes;
	size_t len;

	if (!held)
		return take(6, &held);
	len = take(7, &bytes);
	usleep(100000);
	if (len)
		munmap(bytes, len);
	usleep(300000);
	return len;
}

static bool charge(void)
{
	static const char *const whom[] = { "memlock", "none", "cgroup", "none" };
	static unsigned int next;

	usleep(400000);
	return write_text("/sys/module/dmaheap_core/parameters/charge", whom[next++ % 4]);
}

static void make_group(void)
{
	mkdir(GROUPS_ROOT, 0755);
	if (mount("none", GROUPS_ROOT, "cgroup2", 0, NULL))
		return;
	write_text(GROUPS_ROOT "/cgroup.subtree_control", "+memory");
	mkdir(GROUP, 0755);
	write_text(GROUP "/memory.max", "268435456");
}

static bool unplug(void)
{
	bool unplugged = write_text("/sys/devices/system/cpu/cpu1/online", "0");

	usleep(200000);
	write_text("/sys/devices/system/cpu/cpu1/online", "1");
	usleep(800000);
	return unplugged;
}

static bool shrink(void)
{
	usleep(50000);
	return write_text("/proc/sys/vm/drop_caches", "2");
}

/* All devices: their drivers let go of the buffers.  The system stays awake. */
static bool suspend(void)
{
	usleep(700000);
	write_text("/sys/power/pm_test", "devices");
	write_text("/sys/module/suspend/parameters/pm_test_delay", "0");
	return write_text("/sys/power/state", "freeze");
}

/**
 * struct disturbance - what happens to the machine
 * @name:	of it
 * @happen:	once; whether it has
 */
static const struct disturbance {
	const char *name;
	bool (*happen)(void);
} disturbances[] = {
	{ "modules reloaded", reload_modules },
	{ "another paying", charge },
	{ "memory taken", take_memory },
	{ "a CPU unplugged", unplug },
	{ "caches shrunk", shrink },
	{ "devices suspended", suspend },
};
#define DISTURBANCES (sizeof(disturbances) / sizeof(disturbances[0]))
static pid_t watchers[DISTURBANCES];

/* How often each has happened, and how many were in the group; shared by all processes. */
static struct tally {
	unsigned long happened[DISTURBANCES];
	unsigned long limited;
} * tally;

static void drop_right(struct __user_cap_data_struct *have, unsigned int capability)
{
	have[capability / 32].effective &= ~(1U << capability % 32);
	have[capability / 32].permitted &= ~(1U << capability % 32);
}

void be_limited(bool in_group)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3];

	if (in_group && write_text(GROUP "/cgroup.procs", "0"))
		__atomic_add_fetch(&tally->limited, 1, __ATOMIC_RELAXED);
	if (syscall(SYS_capget, &header, have))
		return;
	drop_right(have, CAP_IPC_LOCK);
	drop_right(have, CAP_SYS_RESOURCE);
	syscall(SYS_capset, &header, have);
}

/* Again and again, also if it is killed for want of memory. */
static pid_t start(size_t i)
{
	pid_t watcher = fork(), worker;

	if (watcher)
		return watcher;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((worker = fork())) {
		if (worker < 0)
			usleep(100000);
		else
			wait(NULL);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1) /* before that */
		_exit(0);
	be_killed_first();
	for (;;)
		if (disturbances[i].happen())
			__atomic_add_fetch(&tally->happened[i], 1, __ATOMIC_RELAXED);
}

void disturb(void)
{
	size_t i;

	if (!tally) {
		tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (tally == MAP_FAILED) {
			perror("fuzz: mmap");
			exit(1);
		}
		make_group();
	}
	for (i = 0; i < DISTURBANCES; i++)
		watchers[i] = start(i);
}

void disturbances_print(void)
{
	size_t i;

	for (i = 0; i < DISTURBANCES; i++)
		printf("fuzz: %s %lu times\n", disturbances[i].name, tally->happened[i]);
	printf("fuzz: in a cgroup %lu times\n", tally->limited);
}

void leave_alone(void)
{
	size_t i;

	/* Each takes its worker along. */
	for (i = 0; i < DISTURBANCES; i++)
		if (watchers[i] > 0) {
			kill(watchers[i], SIGKILL);
			waitpid(watchers[i], NULL, 0);
		}
	write_text("/sys/devices/system/cpu/cpu1/online", "1");
}
