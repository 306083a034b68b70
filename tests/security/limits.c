// SPDX-License-Identifier: GPL-2.0-only
/* Who pays for a buffer: a user's locked memory, and limits of a heap for each user. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../heap.h"
#include "../tap.h"

#define CHARGE "/sys/module/dmaheap_core/parameters/charge"

#define ALL_CAPABILITIES (-1)
#define NO_CAPABILITY (-2)

/* A user with one capability, none, or all. */
static void become(uid_t uid, int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {};

	must(setgroups(0, NULL));
	must(prctl(PR_SET_KEEPCAPS, 1));
	must(setgid(uid));
	must(setuid(uid));
	if (capability == ALL_CAPABILITIES)
		return;
	if (capability >= 0)
		have[capability / 32].effective = have[capability / 32].permitted =
			1U << capability % 32;
	must(syscall(SYS_capset, &header, have));
}

/* Root of a user namespace of its own, which has all capabilities, but only there. */
static void become_own_root(void)
{
	become(1000, NO_CAPABILITY);
	must(prctl(PR_SET_DUMPABLE, 1)); /* else /proc/self is not this user's */
	if (unshare(CLONE_NEWUSER))
		tap_skip("users may not make user namespaces here");
	file_write("/proc/self/setgroups", "deny");
	file_write("/proc/self/uid_map", "0 1000 1");
	check_equal(getuid(), 0);
}

/* In a process of its own; what it checks and fails ends this test, too. */
static void as(uid_t uid, int capability, void (*run)(int heap), int heap)
{
	int status;

	if (!must(fork())) {
		become(uid, capability);
		run(heap);
		_exit(0);
	}
	must(wait(&status));
	check(WIFEXITED(status));
	if (!WEXITSTATUS(status))
		return;
	/* It has said why, and may be skipped. */
	file_write(CHARGE, "none");
	_exit(WEXITSTATUS(status));
}

static void as_user(uid_t uid, void (*run)(int heap), int heap)
{
	as(uid, uid ? NO_CAPABILITY : ALL_CAPABILITIES, run, heap);
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

static void memlock_above(void)
{
	int heap = heap_open();

	file_write(CHARGE, "memlock");
	as(1000, CAP_IPC_LOCK, more_than_it, heap);
	as(1000, CAP_SYS_RESOURCE, two_of_four, heap);
	as(0, NO_CAPABILITY, two_of_four, heap);
	file_write(CHARGE, "none");
}

static void two_of_four_as_own_root(int heap)
{
	become_own_root();
	two_of_four(heap);
}

static void memlock_of_own_root(void)
{
	int heap = heap_open();

	file_write(CHARGE, "memlock");
	as(0, ALL_CAPABILITIES, two_of_four_as_own_root, heap);
	file_write(CHARGE, "none");
}

/* Registers memory of its own; returns the ring, or -1 and errno. */
static int register_memory(size_t len)
{
	struct io_uring_params params = {};
	struct iovec piece = { .iov_len = len };
	int ring = syscall(SYS_io_uring_setup, 1, &params);

	if (ring < 0)
		tap_skip("this kernel has no io_uring");
	piece.iov_base = mmap(NULL, len, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	check(piece.iov_base != MAP_FAILED);
	if (!syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &piece, 1))
		return ring;
	close(ring);
	return -1;
}

/* A MiB is for the ring. */
static void with_ring(int heap)
{
	int fd;

	set_memlock(9 * MIB);
	become(1000, NO_CAPABILITY);
	fd = must(heap_try(heap, 6 * MIB));
	check_errno(register_memory(4 * MIB), ENOMEM);
	close(fd);
	must(register_memory(4 * MIB));
	check_errno(heap_try(heap, 6 * MIB), ENOMEM);
	must(heap_try(heap, 4 * MIB));
}

static void memlock_with_ring(void)
{
	int heap = heap_open();

	file_write(CHARGE, "memlock");
	as(0, ALL_CAPABILITIES, with_ring, heap);
	file_write(CHARGE, "none");
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

/* ---- what somebody still has of a buffer that is gone ---- */

static int pipe_of_others[2];

/* All that it may have, of which a page is left in a pipe; the process ends, and its mapping with it. */
static void leave_a_page(int heap)
{
	struct iovec piece = { .iov_len = 4096 };
	int fd;

	set_memlock(4 * MIB);
	fd = must(heap_try(heap, 4 * MIB));
	piece.iov_base = (char *)buffer_map(fd, 4 * MIB) + MIB;
	check_equal(vmsplice(pipe_of_others[1], &piece, 1, 0), 4096);
}

static void refused(int heap, int error)
{
	set_memlock(4 * MIB);
	check_errno(heap_try(heap, 4096), error);
}

static void refused_quota(int heap)
{
	refused(heap, EDQUOT);
}

static void refused_memory(int heap)
{
	refused(heap, ENOMEM);
}

/* The kernel looks ten times a second. */
static void four_soon(int heap)
{
	int i;

	set_memlock(4 * MIB);
	for (i = 0; i < 100 && heap_try(heap, 4 * MIB) < 0; i++)
		usleep(100000);
	check(i < 100);
}

/* What root sees of it. */
static int lingering(void)
{
	return sum_of("/sys/kernel/debug/dmaheap/lingering", "%*d %lld") / (4 * MIB);
}

static long long module_users(void)
{
	char format[80];

	snprintf(format, sizeof(format), "%s %%*d %%lld", heap_kind()->modules[0]);
	return sum_of("/proc/modules", format);
}

static void pages_of(const char *name, const char *charge, const char *quota)
{
	bool locked = strcmp(charge, "none");
	long long users;
	int heap, i;

	heap_use(name);
	users = module_users();
	if (heap_is_uncounted()) /* of whose pages no pipe can have any */
		return;
	heap = heap_open();
	must(pipe2(pipe_of_others, O_CLOEXEC));
	file_write(CHARGE, charge);
	set_user_max(quota);
	as_user(1002, leave_a_page, heap);
	as_user(1002, locked ? refused_memory : refused_quota, heap);
	as_user(1001, four, heap);
	check_equal(lingering(), 1);
	check_equal(module_users(), users + 1);
	/* Its memory is not given back yet, as if the buffer were still there. */
	check_errno(module_unload(heap_kind()->modules[0]), EAGAIN);
	close(pipe_of_others[0]);
	close(pipe_of_others[1]);
	as_user(1002, four_soon, heap);
	check_equal(lingering(), 0);
	/* Who has just given it back is about to let go of the module. */
	for (i = 0; i < 100 && module_users() != users; i++)
		usleep(10000);
	check_equal(module_users(), users);
	set_user_max("0");
	file_write(CHARGE, "none");
}

static void pages_in_a_pipe(void)
{
	pages_of("system", "memlock", "0");
	pages_of("system", "none", "4M");
	pages_of("system-uncached", "none", "4M");
}

static void single_pages_in_a_pipe(void)
{
	pages_of("system-contiguous", "memlock", "0");
	pages_of("system-contiguous", "none", "4M");
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

static void user_max_above(void)
{
	int heap = heap_open();

	set_user_max("8M");
	as(1000, CAP_SYS_RESOURCE, beyond_quota, heap);
	as(1000, CAP_IPC_LOCK, within_quota, heap);
	as(0, NO_CAPABILITY, within_quota, heap);
	set_user_max("0");
}

static void within_quota_as_own_root(int heap)
{
	become_own_root();
	within_quota(heap);
}

static void user_max_of_own_root(void)
{
	int heap = heap_open();

	set_user_max("8M");
	as(0, ALL_CAPABILITIES, within_quota_as_own_root, heap);
	set_user_max("0");
}

#define MANY 300

static uid_t one_of_many(int i)
{
	return 1000 + i * 7 % MANY;
}

/* Who it is changes, and the right to change it stays. */
static void one_page_each(int heap)
{
	int fds[MANY], i;

	for (i = 0; i < MANY; i++) {
		must(setresuid(one_of_many(i), 0, 0));
		fds[i] = must(heap_try(heap, 1));
		check_errno(heap_try(heap, 1), EDQUOT);
	}
	for (i = 0; i < MANY; i += 2)
		close(fds[i]);
	for (i = 0; i < MANY; i++) {
		must(setresuid(one_of_many(i), 0, 0));
		if (i % 2)
			check_errno(heap_try(heap, 1), EDQUOT);
		else
			must(heap_try(heap, 1));
	}
}

static void user_max_of_many(void)
{
	int heap = heap_open();

	set_user_max("4096");
	as(0, CAP_SETUID, one_page_each, heap);
	set_user_max("0");
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

#define MOST_TILES 128

/* The last that there are; then it is a limit that there is no more for, not that there is no more. */
static void last_four(int heap)
{
	int i;

	for (i = 0; i < 4; i++)
		must(heap_try(heap, 1));
	check_errno(heap_try(heap, 1), EDQUOT);
}

/* As long as it is taken, nobody else has it. */
static void before_it_is_taken(void)
{
	int heap, tiles[MOST_TILES], n = 0;

	heap_use("tiles");
	heap = heap_open();
	while (n < MOST_TILES && (tiles[n] = heap_try(heap, 1)) >= 0)
		n++;
	check(n > 4 && n < MOST_TILES);
	for (n = 0; n < 4; n++)
		close(tiles[n]);
	set_user_max("4160K");
	as_user(1000, last_four, heap);
	set_user_max("0");
}

/* ---- of any heap ---- */

static bool is_there(const struct heap_kind *kind)
{
	must(setenv("HEAP", kind->name, 1));
	return !access(heap_node(), F_OK);
}

static void of_each_heap(void)
{
	const struct heap_kind *kind;
	int heap;

	for (kind = heap_kinds; kind->name; kind++) {
		if (!is_there(kind))
			continue;
		tap_say("%s", kind->name);
		heap = heap_open();
		set_user_max("8M");
		as_user(1000, within_quota, heap);
		set_user_max("0");
		file_write(CHARGE, "memlock");
		as_user(1000, two_of_four, heap);
		file_write(CHARGE, "none");
		close(heap);
	}
}

static int owner;

static void ask_as_driver(int heap)
{
	struct dmaheap_test_alloc data = { .len = 8 * MIB, .fd_flags = O_CLOEXEC };

	set_memlock(4096);
	must(ioctl(owner, DMAHEAP_TEST_ALLOC, &data));
	/* Both limits are there. */
	check_errno(heap_try(heap, 4097), EDQUOT);
	must(heap_try(heap, 4096));
	check_errno(heap_try(heap, 4096), EDQUOT);
}

static void of_a_driver(void)
{
	struct dmaheap_test_heap name = {};
	int heap = heap_open();

	owner = device_open();
	snprintf(name.name, sizeof(name.name), "%s", heap_name());
	must(ioctl(owner, DMAHEAP_TEST_HOLD, &name));
	set_user_max("4096");
	file_write(CHARGE, "memlock");
	as_user(1000, ask_as_driver, heap);
	file_write(CHARGE, "none");
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

static void none_any_more(int heap)
{
	set_memlock(0);
	check_errno(heap_try(heap, 8 * MIB), ENODEV);
	check_errno(heap_try(heap, 1), ENODEV);
}

/* Not that there is too little of it. */
static void of_no_heap(void)
{
	struct dmaheap_test_heap name = { .name = "short-lived" };
	int device = device_open(), heap;

	must(ioctl(device, DMAHEAP_TEST_ADD, &name));
	heap = must(open("/dev/dma_heap/short-lived", O_RDONLY | O_CLOEXEC));
	file_write(CHARGE, "memlock");
	file_write(user_max_file("short-lived"), "4096");
	must(ioctl(device, DMAHEAP_TEST_REMOVE, &name));
	as_user(1000, none_any_more, heap);
	file_write(CHARGE, "none");
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

static bool has_groups(void)
{
	FILE *file = fopen("/proc/cgroups", "re");
	char line[128];
	bool has = false;

	while (file && fgets(line, sizeof(line), file))
		has = has || (!strncmp(line, "memory", 6) && strstr(line, "1\n"));
	if (file)
		fclose(file);
	return has;
}

/* Who has none cannot be charged: it is said at once, and nothing has changed. */
static void without_groups(void)
{
	int fd = must(open(CHARGE, O_RDWR));
	char text[64] = "";

	if (has_groups())
		tap_skip("this machine has memory cgroups");
	check_errno(write(fd, "cgroup", 6), EOPNOTSUPP);
	must(pread(fd, text, sizeof(text) - 1, 0));
	check(!strncmp(text, "none", 4));
}

static const struct test tests[] = {
	TEST(memlock, "memlock: a user has its limit, root has none"),
	TEST(pays_until_the_end, "memlock: who asked pays until the buffer is gone"),
	TEST(memlock_above, "memlock: CAP_IPC_LOCK is above it, and no other"),
	TEST(memlock_of_own_root, "memlock: it is not enough to be root of a user namespace"),
	TEST(memlock_with_ring, "memlock: what io_uring has registered counts, too"),
	TEST(pages_in_a_pipe,
	     "what a pipe still has of a buffer is paid for, and the rest of it"),
	TEST(single_pages_in_a_pipe, "also if its pages are counted one by one"),
	TEST(user_max, "a heap's limit for each user"),
	TEST(user_max_above, "CAP_SYS_RESOURCE is above it, and no other"),
	TEST(user_max_of_own_root, "nor is it enough there"),
	TEST(user_max_of_many, "each of 300 users has its own"),
	TEST(of_another_heap, "a buffer that a heap has from another counts for that one"),
	TEST(by_what_it_takes, "what counts is what a buffer takes"),
	TEST(before_it_is_taken, "and before it is taken"),
	TEST(of_each_heap, "whatever heap it is"),
	TEST(of_a_driver, "nothing counts that a driver has asked for"),
	TEST(of_no_heap, "a heap that is gone is ENODEV, whatever the limits"),
	TEST(nonsense, "what makes no sense is refused"),
	TEST(without_groups, "so is a cgroup where there are none"),
};

TAP_MAIN(tests)
