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

#define MOST 16

/* How often each has happened, and how many were in the group; shared by all processes. */
static struct tally {
	unsigned long happened[MOST];
	unsigned long limited;
} * tally;

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

void be_killed_never(void)
{
	write_text("/proc/self/oom_score_adj", "-1000");
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

/* ---- memory ---- */

#define LEFT (224L << 20) /* by what is taken for long, so that the rest does not take long */
#define PIECE (4L << 20)  /* in which a process can be frozen before the next */
#define NEARLY_ALL (96L << 20)

/* A file, which all processes have, so that it is still there if one is killed, or all are to leave off. */
static int taken = -1;

/* How often the kernel has begun to make room, since the machine started. */
static unsigned long count_rounds(void)
{
	FILE *file = fopen("/proc/vmstat", "re");
	unsigned long rounds = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "pageoutrun %lu", &rounds);
	if (file)
		fclose(file);
	return rounds;
}

/* Freezing interrupts it. */
static bool grow(int fd, long len)
{
	int err;

	do
		err = fallocate(fd, 0, lseek(fd, 0, SEEK_END), len);
	while (err && errno == EINTR);
	return !err;
}

static bool is_left(long bytes)
{
	return sysconf(_SC_AVPHYS_PAGES) * sysconf(_SC_PAGESIZE) > bytes;
}

/*
 * Until there is hardly any, and the kernel begins to make room.  No further: who is killed for the rest does not
 * always give it back in time, and then there is nobody left to be killed.
 */
static bool take_memory(void)
{
	int fd = memfd_create("for a moment", MFD_CLOEXEC);
	unsigned long before;
	bool is_short;

	/* It is much to zero, and others have much to do. */
	(void)!nice(-15);
	while (is_left(LEFT + PIECE) && grow(taken, PIECE))
		;
	while (is_left(NEARLY_ALL + PIECE) && grow(fd, PIECE))
		;
	before = count_rounds();
	while (!is_left(2 * NEARLY_ALL) && count_rounds() == before && grow(fd, PIECE / 32))
		;
	is_short = !is_left(NEARLY_ALL) && count_rounds() != before;
	usleep(100000);
	close(fd);
	usleep(8000000); /* most of the time, there is some */
	return is_short;
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
	{ "memory short", take_memory },
	{ "a CPU unplugged", unplug },
	{ "caches shrunk", shrink },
	{ "devices suspended", suspend },
};
#define DISTURBANCES (sizeof(disturbances) / sizeof(disturbances[0]))
static pid_t watchers[DISTURBANCES];
_Static_assert(DISTURBANCES <= MOST, "each is counted");

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
		taken = memfd_create("for long", MFD_CLOEXEC);
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
