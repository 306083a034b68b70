// SPDX-License-Identifier: GPL-2.0-only
/* Who pays for a buffer: a user's locked memory, a memory cgroup, and limits of a heap. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define CHARGE "/sys/module/dmaheap_core/parameters/charge"
#define GROUPS_ROOT "/tmp/cgroup"
#define GROUP GROUPS_ROOT "/limited"

/* In a process of its own, as a user; what it checks and fails ends this test, too. */
static void as_user(uid_t uid, void (*run)(int heap), int heap)
{
	int status;

	if (!must(fork())) {
		if (uid) {
			must(setgroups(0, NULL));
			must(setgid(uid));
			must(setuid(uid));
		}
		run(heap);
		_exit(0);
	}
	must(wait(&status));
	check_equal(status, 0);
}

static const char *user_max_file(const char *heap)
{
	static char path[256];

	snprintf(path, sizeof(path), "/sys/class/dma_heap/%s/user_max", heap);
	if (access(path, F_OK))
		snprintf(path, sizeof(path), "/sys/class/dmaheap/%s/user_max", heap);
	return path;
}

static void set_user_max(const char *text)
{
	file_write(user_max_file(heap_name()), text);
}

static void set_memlock(size_t bytes)
{
	const struct rlimit limit = { bytes, bytes };

	must(setrlimit(RLIMIT_MEMLOCK, &limit));
}

/* ---- locked memory ---- */

static void two_of_four(int heap)
{
	int one, two;

	set_memlock(8 * MIB);
	one = must(heap_try(heap, 4 * MIB));
	two = must(heap_try(heap, 4 * MIB - 5));
	check_errno(heap_try(heap, 1), ENOMEM);
	close(one);
	one = must(heap_try(heap, 4 * MIB));
	close(one);
	close(two);
	must(heap_try(heap, 8 * MIB));
}

static void all_of_it(int heap)
{
	set_memlock(8 * MIB);
	must(heap_try(heap, 8 * MIB));
}

static void more_than_it(int heap)
{
	set_memlock(8 * MIB);
	must(heap_try(heap, 64 * MIB));
}

static void memlock(void)
{
	int heap = heap_open();

	file_write(CHARGE, "memlock");
	as_user(1000, two_of_four, heap);
	/* All that it had is its to have again. */
	as_user(1000, all_of_it, heap);
	as_user(0, more_than_it, heap);
	file_write(CHARGE, "none");
	as_user(1000, more_than_it, heap);
}

static int socket_of_others[2];

static void take_four_and_give(int heap)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec piece = { &byte, 1 };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd;

	set_memlock(4 * MIB);
	fd = must(heap_try(heap, 4 * MIB));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	must(sendmsg(socket_of_others[1], &message, 0));
}

static void none_left(int heap)
{
	set_memlock(4 * MIB);
	check_errno(heap_try(heap, 4096), ENOMEM);
}

static void four(int heap)
{
	set_memlock(4 * MIB);
	must(heap_try(heap, 4 * MIB));
}

/* Who has asked for it pays as long as anybody has it; and no other user. */
static void pays_until_the_end(void)
{
	int heap = heap_open();

	file_write(CHARGE, "memlock");
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socket_of_others));
	as_user(1000, take_four_and_give, heap);
	as_user(1000, none_left, heap);
	as_user(1001, four, heap);
	/* It was charged then, and is not paid back twice, whatever is charged now. */
	file_write(CHARGE, "none");
	close(socket_of_others[0]);
	close(socket_of_others[1]);
	file_write(CHARGE, "memlock");
	as_user(1000, four, heap);
	as_user(1000, two_of_four, heap);
	file_write(CHARGE, "none");
}

/* ---- by heap ---- */

static void within_quota(int heap)
{
	int fd = must(heap_try(heap, heap_rounded(6 * MIB)));

	check_errno(heap_try(heap, 2 * MIB + 1), EDQUOT);
	must(heap_try(heap, heap_rounded(2 * MIB)));
	check_errno(heap_try(heap, 1), EDQUOT);
	close(fd);
	must(heap_try(heap, heap_rounded(6 * MIB)));
}

static void beyond_quota(int heap)
{
	must(heap_try(heap, 12 * MIB));
}

static void user_max(void)
{
	int heap = heap_open();

	set_user_max("8M");
	as_user(1000, within_quota, heap);
	as_user(1001, within_quota, heap);
	as_user(0, beyond_quota, heap);
	set_user_max("0");
	as_user(1000, beyond_quota, heap);
}

/* What counts is what a buffer takes, not what was asked for. */
static void one_byte_each(int heap)
{
	const uint64_t size = heap_rounded(1);
	uint64_t taken;

	for (taken = 0; taken + size <= 4 * MIB; taken += size)
		must(heap_try(heap, 1));
	check_errno(heap_try(heap, 1), EDQUOT);
}

static void by_what_it_takes(void)
{
	int heap;

	if (access("/dev/dma_heap/tiles", F_OK))
		tap_skip("there is no heap of chunks here");
	heap_use("tiles");
	heap = heap_open();
	set_user_max("4M");
	as_user(1000, one_byte_each, heap);
	/* And nothing of what was refused is left behind. */
	as_user(1000, one_byte_each, heap);
	set_user_max("0");
}

static void four_of_each(int heap)
{
	int one = must(heap_try(heap, 4 * MIB)), two = must(heap_try(heap, 4 * MIB));

	/* One has no more, though the other would allow 6 at a time. */
	check_errno(heap_try(heap, 4096), EDQUOT);
	close(one);
	must(heap_try(heap, 4 * MIB));
	close(two);
	check_errno(heap_try(heap, 7 * MIB), EDQUOT);
}

static void eight(int heap)
{
	must(heap_try(heap, 8 * MIB));
}

static int owner;

/* With a buffer that outlives the heap that it was asked of. */
static void borrow_and_remove(int heap)
{
	struct dmaheap_test_heap name = { .name = "borrower" };
	int fd = must(heap_try(heap, 4 * MIB));

	must(ioctl(owner, DMAHEAP_TEST_REMOVE, &name));
	close(heap);
	close(fd);
}

/* It counts for the heap that it is of, which is there as long as it is; the other may go. */
static void of_another_heap(void)
{
	struct dmaheap_test_heap heap = {}, name = { .name = "borrower" };
	int lender = heap_open(), borrower;

	owner = device_open();
	snprintf(heap.name, sizeof(heap.name), "%s", heap_name());
	must(ioctl(owner, DMAHEAP_TEST_HOLD, &heap));
	must(ioctl(owner, DMAHEAP_TEST_ADD, &name));
	borrower = must(open("/dev/dma_heap/borrower", O_RDONLY | O_CLOEXEC));
	set_user_max("8M");
	file_write(user_max_file("borrower"), "6M");
	as_user(1000, four_of_each, borrower);
	as_user(1000, eight, lender);
	as_user(1000, borrow_and_remove, borrower);
	close(borrower);
	as_user(1000, eight, lender);
	set_user_max("0");
}

/* ---- a memory cgroup ---- */

static uint64_t group_number(const char *file)
{
	char path[128];
	FILE *from;
	unsigned long long number;

	snprintf(path, sizeof(path), GROUP "/%s", file);
	from = fopen(path, "r");
	check(from && fscanf(from, "%llu", &number) == 1);
	fclose(from);
	return number;
}

static void make_group(void)
{
	mkdir(GROUPS_ROOT, 0755);
	if (mount("none", GROUPS_ROOT, "cgroup2", 0, NULL) && errno != EBUSY)
		tap_skip("the kernel has no cgroups");
	if (access(GROUPS_ROOT "/memory.stat", F_OK))
		tap_skip("the kernel charges no memory to cgroups");
	file_write(GROUPS_ROOT "/cgroup.subtree_control", "+memory");
	must(mkdir(GROUP, 0755));
	file_write(GROUP "/memory.max", "67108864");
}

static void in_group(int heap)
{
	char pid[16];
	int fds[64], n = 0;

	snprintf(pid, sizeof(pid), "%d", getpid());
	file_write(GROUP "/cgroup.procs", pid);
	while (n < 64 && (fds[n] = heap_try(heap, 4 * MIB)) >= 0)
		n++;
	check_equal(errno, ENOMEM);
	/* What it is besides has its part, too. */
	check(n >= 12 && n <= 16);
	check(group_number("memory.current") >= n * 4 * MIB);
	while (n--)
		close(fds[n]);
	check(group_number("memory.current") < 8 * MIB);
	must(heap_try(heap, 48 * MIB));
}

static void cgroup(void)
{
	long long kills = sum_of("/proc/vmstat", "oom_kill %lld");
	int heap = heap_open();

	make_group();
	file_write(CHARGE, "cgroup");
	as_user(0, in_group, heap);
	/* Others pay for themselves. */
	must(heap_try(heap, 128 * MIB));
	check_equal(sum_of("/proc/vmstat", "oom_kill %lld"), kills);
	file_write(CHARGE, "none");
	check(group_number("memory.current") < 8 * MIB);
	must(rmdir(GROUP));
}

/* ---- */

static bool refuses(const char *path, const char *text)
{
	int fd = must(open(path, O_WRONLY));
	bool refused = write(fd, text, strlen(text)) < 0 && errno == EINVAL;

	close(fd);
	return refused;
}

static void nonsense(void)
{
	check(refuses(CHARGE, "everybody"));
	check(refuses(user_max_file(heap_name()), "-1"));
	check(refuses(user_max_file(heap_name()), "1"));
	check(refuses(user_max_file(heap_name()), "many"));
	check(refuses(user_max_file(heap_name()), "18446744073709551616"));
}

static const struct test tests[] = {
	TEST(memlock, "memlock: a user has its limit, root has none"),
	TEST(pays_until_the_end, "memlock: who asked pays until the buffer is gone"),
	TEST(user_max, "a heap's limit for each user"),
	TEST(of_another_heap, "a buffer that a heap has from another counts for that one"),
	TEST(by_what_it_takes, "what counts is what a buffer takes"),
	TEST(cgroup, "cgroup: over its limit it is ENOMEM, and nobody is killed"),
	TEST(nonsense, "what makes no sense is refused"),
};

TAP_MAIN(tests)
