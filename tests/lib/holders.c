// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking at real buffers, in a guest: 1000 of them, held by 50 processes by fds and by mappings,
 * or by nobody, while they are in flight in a socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include <dmaheap.h>

#include "../tap.h"

#define BUFFERS 1000
#define HOLDERS 50
#define PAGE 4096U
#define NOBODY 65534

/* How a process holds a buffer. */
struct hold {
	unsigned int fds;
	unsigned int mappings;
};

/* All that a test has made. */
struct scene {
	ino_t inodes[BUFFERS];
	int fds[BUFFERS];
	pid_t pids[HOLDERS];
	int sockets[2];
	const char *heap;
};

static struct scene scene;

/* ---- what is to be seen ---- */

static bool is_in_flight(unsigned int buffer)
{
	return buffer % 20 == 7;
}

static bool is_only_mapped(unsigned int buffer)
{
	return buffer % 4 == 1;
}

/* Each has one process, every third another one, and every hundredth all of them. */
static struct hold hold_of(unsigned int buffer, unsigned int process)
{
	unsigned int first = buffer / 4 % HOLDERS;
	bool is_holder = process == first || buffer % 100 == 0 ||
			 (buffer % 3 == 0 && process == (first + 1) % HOLDERS);

	if (is_in_flight(buffer) || !is_holder)
		return (struct hold){};
	if (is_only_mapped(buffer))
		return (struct hold){ .mappings = 1 + buffer % 2 };
	return (struct hold){ .fds = 1 + buffer % 2, .mappings = buffer % 5 == 0 };
}

static unsigned int size_of(unsigned int buffer)
{
	return PAGE * (1 + buffer % 3);
}

/* Some have none, and some have one that is hard to write down. */
static const char *name_of(unsigned int buffer)
{
	static char name[32];

	if (buffer % 10 == 9)
		return NULL;
	snprintf(name, sizeof(name), buffer % 10 == 8 ? "b \\%u\n[x] (deleted)" : "buffer%u",
		 buffer);
	return name;
}

/* ---- making it ---- */

static int open_heap(void)
{
	static const char *const names[] = { "system.dmaheap", "system" };
	char path[64];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/dev/dma_heap/%s", names[i]);
		scene.heap = names[i];
		if (!access(path, F_OK))
			return must(open(path, O_RDONLY | O_CLOEXEC));
	}
	tap_skip("there is no heap system here");
}

static void make_buffer(int heap, unsigned int i)
{
	struct dma_heap_allocation_data data = {
		.len = size_of(i),
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	const char *name = name_of(i);
	struct stat st;

	must(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data));
	if (name)
		must(ioctl(data.fd, DMA_BUF_SET_NAME, name));
	must(fstat(data.fd, &st));
	scene.inodes[i] = st.st_ino;
	scene.fds[i] = data.fd;
}

static void send_buffer(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	char mark = '!';
	struct iovec byte = { &mark, 1 };
	struct msghdr message = {
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	must(sendmsg(scene.sockets[0], &message, 0));
}

static void take_hold(unsigned int buffer, struct hold hold)
{
	unsigned int i;

	for (i = 0; i < hold.mappings; i++)
		check(mmap(NULL, size_of(buffer), PROT_READ, MAP_SHARED, scene.fds[buffer],
			   0) != MAP_FAILED);
	for (i = 1; i < hold.fds; i++)
		must(dup(scene.fds[buffer]));
	if (!hold.fds)
		must(close(scene.fds[buffer]));
}

static void be_holder(unsigned int process, int ready)
{
	char name[16];
	unsigned int i;

	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	snprintf(name, sizeof(name), "holder %u", process);
	must(prctl(PR_SET_NAME, name));
	for (i = 0; i < BUFFERS; i++)
		take_hold(i, hold_of(i, process));
	/* What is in flight is not to be held by its sockets' copies, either. */
	must(close(scene.sockets[0]));
	must(close(scene.sockets[1]));
	must(write(ready, "!", 1));
	for (;;)
		pause();
}

static void start_holders(void)
{
	unsigned int i;
	int ready[2];
	char byte;

	must(pipe(ready));
	for (i = 0; i < HOLDERS; i++) {
		scene.pids[i] = must(fork());
		if (!scene.pids[i])
			be_holder(i, ready[1]);
	}
	close(ready[1]);
	for (i = 0; i < HOLDERS; i++)
		check_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static void make_scene(void)
{
	struct rlimit files = { 4 * BUFFERS, 4 * BUFFERS };
	unsigned int i;
	int heap;

	must(setrlimit(RLIMIT_NOFILE, &files));
	heap = open_heap();
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, scene.sockets));
	for (i = 0; i < BUFFERS; i++)
		make_buffer(heap, i);
	start_holders();
	for (i = 0; i < BUFFERS; i++) {
		if (is_in_flight(i))
			send_buffer(scene.fds[i]);
		must(close(scene.fds[i]));
	}
	close(heap);
}

/* ---- looking ---- */

static struct dmaheap *new_context(void)
{
	struct dmaheap *context;

	check_equal(dmaheap_new(&context), 0);
	return context;
}

static struct dmaheap_look *timed_look(struct dmaheap *context, pid_t pid)
{
	struct timespec start, end;
	struct dmaheap_look *look;
	char sources[64];

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (dmaheap_look(context, pid, &look))
		tap_fail(__FILE__, __LINE__, "%s", dmaheap_message(context));
	clock_gettime(CLOCK_MONOTONIC, &end);
	dmaheap_sources_print(dmaheap_look_sources(look), sources, sizeof(sources));
	tap_say("%zu buffers by %s, %u processes unreadable, in %.0f ms",
		dmaheap_look_count(look), sources, dmaheap_look_unreadable(look),
		(end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6);
	return look;
}

static const struct dmaheap_holder *holder_of(const struct dmaheap_buffer_info *info,
					      pid_t pid)
{
	size_t i;

	for (i = 0; i < info->holders_count; i++)
		if (info->holders[i].pid == pid)
			return &info->holders[i];
	return NULL;
}

static void check_holder(const struct dmaheap_buffer_info *info, unsigned int buffer,
			 unsigned int process)
{
	const struct dmaheap_holder *holder = holder_of(info, scene.pids[process]);
	struct hold hold = hold_of(buffer, process);
	char command[16];

	check_equal(!!holder, hold.fds || hold.mappings);
	if (!holder)
		return;
	snprintf(command, sizeof(command), "holder %u", process);
	check(!strcmp(holder->command, command));
	check_equal(holder->fds, hold.fds);
	check_equal(holder->mappings, hold.mappings);
	check_equal(holder->mapped, hold.mappings * (uint64_t)size_of(buffer));
}

/* Returns how many there are. */
static size_t check_holders(const struct dmaheap_buffer_info *info, unsigned int buffer)
{
	unsigned int i;
	size_t count = 0;

	for (i = 0; i < HOLDERS; i++) {
		struct hold hold = hold_of(buffer, i);

		count += hold.fds || hold.mappings;
		check_holder(info, buffer, i);
	}
	check_equal(info->holders_count, count);
	return count;
}

static bool is_same(const char *got, const char *want)
{
	return got && want ? !strcmp(got, want) : got == want;
}

/* What everybody who sees a fd of it, or debugfs, knows. */
static void check_buffer(const struct dmaheap_buffer_info *info, unsigned int buffer)
{
	size_t count = check_holders(info, buffer);

	check(is_same(info->name, name_of(buffer)));
	check_equal(info->size, size_of(buffer));
	check_equal(info->share, count ? size_of(buffer) / count : 0);
	check(is_same(info->heap, scene.heap));
	check(is_same(info->exporter, scene.heap));
}

/* ---- tests ---- */

static void look_with_debugfs(struct dmaheap *context)
{
	struct dmaheap_look *look = timed_look(context, 0);
	const struct dmaheap_buffer_info *info;
	unsigned int i;

	check_equal(dmaheap_look_count(look), BUFFERS);
	check_equal(dmaheap_look_sources(look), 15);
	check_equal(dmaheap_look_unreadable(look), 0);
	check(dmaheap_look_is_complete(look));
	for (i = 0; i < BUFFERS; i++) {
		info = dmaheap_look_find(look, scene.inodes[i]);
		check(info);
		check_buffer(info, i);
		check_equal(info->allocator, getpid());
		check(info->devices && !info->devices_count);
	}
	dmaheap_look_free(look);
}

static void by_debugfs(void)
{
	struct dmaheap *context = new_context();

	make_scene();
	look_with_debugfs(context);
	look_with_debugfs(context);
	dmaheap_free(context);
}

/* Without debugfs nobody sees what is in flight, nor how large it is what is only mapped. */
static void look_without_debugfs(struct dmaheap *context)
{
	struct dmaheap_look *look = timed_look(context, 0);
	const struct dmaheap_buffer_info *info;
	unsigned int i;

	check_equal(dmaheap_look_sources(look), DMAHEAP_SOURCE_FDINFO | DMAHEAP_SOURCE_MAPS);
	check(!dmaheap_look_is_complete(look));
	for (i = 0; i < BUFFERS; i++) {
		info = dmaheap_look_find(look, scene.inodes[i]);
		check_equal(!info, is_in_flight(i));
		if (info && is_only_mapped(i))
			check_holders(info, i);
		else if (info)
			check_buffer(info, i);
	}
	check_equal(dmaheap_look_count(look), BUFFERS - BUFFERS / 20);
	dmaheap_look_free(look);
}

static void by_proc(void)
{
	struct dmaheap *context = new_context();

	check_equal(dmaheap_set_root(context, DMAHEAP_ROOT_DEBUG, "/nowhere"), 0);
	make_scene();
	look_without_debugfs(context);
	look_without_debugfs(context);
	dmaheap_free(context);
}

/* A user who is not root sees his own processes, and is told of all that he does not. */
static void by_another_user(void)
{
	struct dmaheap *context = new_context();
	struct dmaheap_look *look;

	make_scene();
	must(setresgid(NOBODY, NOBODY, NOBODY));
	must(setresuid(NOBODY, NOBODY, NOBODY));
	look = timed_look(context, 0);
	check_equal(dmaheap_look_count(look), 0);
	check(!(dmaheap_look_sources(look) & DMAHEAP_SOURCE_DMAHEAP));
	check(!dmaheap_look_is_complete(look));
	check(dmaheap_look_unreadable(look) >= HOLDERS);
	/* Those of the kernel hold nothing: in this small system there are more of them. */
	check(dmaheap_look_unreadable(look) < HOLDERS + 20);
	dmaheap_look_free(look);
	check_equal(dmaheap_look(context, scene.pids[0], &look), -EACCES);
	dmaheap_free(context);
}

static void by_process(void)
{
	struct dmaheap *context = new_context();
	const struct dmaheap_buffer_info *info;
	struct dmaheap_look *look;
	unsigned int i;

	make_scene();
	look = timed_look(context, scene.pids[3]);
	for (i = 0; i < BUFFERS; i++) {
		struct hold hold = hold_of(i, 3);

		info = dmaheap_look_find(look, scene.inodes[i]);
		check_equal(!!info, hold.fds || hold.mappings);
		if (info)
			check_buffer(info, i);
	}
	dmaheap_look_free(look);
	must(kill(scene.pids[3], SIGKILL));
	check_equal(waitpid(scene.pids[3], NULL, 0), scene.pids[3]);
	check_equal(dmaheap_look(context, scene.pids[3], &look), -ESRCH);
	dmaheap_free(context);
}

/* Processes come and go while somebody looks: that is no error, and nothing is unreadable. */
static void while_processes_die(void)
{
	struct dmaheap *context = new_context();
	struct dmaheap_look *look;
	unsigned int i;
	pid_t child;

	make_scene();
	child = must(fork());
	if (!child) {
		must(prctl(PR_SET_PDEATHSIG, SIGKILL));
		for (;;) {
			pid_t grandchild = must(fork());

			if (!grandchild)
				_exit(0);
			must(waitpid(grandchild, NULL, 0));
		}
	}
	for (i = 0; i < 20; i++) {
		must(kill(scene.pids[i], SIGKILL)); /* and stays as a zombie */
		check_equal(dmaheap_look(context, 0, &look), 0);
		check_equal(dmaheap_look_unreadable(look), 0);
		check(dmaheap_look_is_complete(look));
		dmaheap_look_free(look);
	}
	dmaheap_free(context);
}

/* A file of such a name is no buffer: any user can make one, with a root of his own. */
static void forged(void)
{
	struct dmaheap *context = new_context();
	struct dmaheap_look *look;
	int fd;

	make_scene();
	fd = must(open("/dmabuf:forged", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	must(ftruncate(fd, PAGE));
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	look = timed_look(context, getpid());
	check_equal(dmaheap_look_count(look), 0);
	dmaheap_look_free(look);
	must(unlink("/dmabuf:forged"));
	dmaheap_free(context);
}

static int forged_mapping(void)
{
	int fd = must(open("/dmabuf:forged", O_RDWR | O_CREAT | O_CLOEXEC, 0600));

	must(ftruncate(fd, PAGE));
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	must(close(fd));
	return unlink("/dmabuf:forged");
}

static ino_t real_mapping(void)
{
	int heap = open_heap();
	struct stat st;

	make_buffer(heap, 0);
	must(fstat(scene.fds[0], &st));
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, scene.fds[0], 0) != MAP_FAILED);
	must(close(scene.fds[0]));
	must(close(heap));
	return st.st_ino;
}

/* Nor if there is no fd to learn from which file system buffers are of. */
static void forged_alone(void)
{
	struct dmaheap *context = new_context();
	struct dmaheap_look *look;
	ino_t inode;

	check_equal(dmaheap_set_root(context, DMAHEAP_ROOT_DEBUG, "/nowhere"), 0);
	must(forged_mapping());
	look = timed_look(context, 0);
	check_equal(dmaheap_look_count(look), 0);
	dmaheap_look_free(look);
	inode = real_mapping();
	look = timed_look(context, 0);
	check_equal(dmaheap_look_count(look), 1);
	check(dmaheap_look_find(look, inode));
	dmaheap_look_free(look);
	dmaheap_free(context);
}

static bool first_thread_lives(void)
{
	char text[64] = "";
	int fd = must(open("/proc/self/stat", O_RDONLY | O_CLOEXEC));

	must(read(fd, text, sizeof(text) - 1));
	must(close(fd));
	return !strstr(text, ") Z");
}

static void *hold_on(void *sockets)
{
	char byte;

	while (first_thread_lives())
		usleep(1000);
	must(write(((int *)sockets)[1], "", 1));
	must(read(((int *)sockets)[1], &byte, 1));
	_exit(0);
}

/* What all threads share lives as long as one of them. */
static void by_other_threads(void)
{
	struct dmaheap *context = new_context();
	struct dmaheap_look *look;
	int heap = open_heap(), sockets[2];
	pthread_t thread;
	pid_t child;
	char byte;

	make_buffer(heap, 0);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	child = must(fork());
	if (!child) {
		must(prctl(PR_SET_PDEATHSIG, SIGKILL));
		check(!pthread_create(&thread, NULL, hold_on, sockets));
		pthread_exit(NULL);
	}
	must(close(scene.fds[0]));
	must(read(sockets[0], &byte, 1));
	check_equal(dmaheap_look(context, child, &look), 0);
	check_equal(dmaheap_look_count(look), 1);
	check_equal(dmaheap_look_get(look, 0)->holders[0].pid, child);
	check_equal(dmaheap_look_get(look, 0)->holders[0].fds, 1);
	dmaheap_look_free(look);
	must(write(sockets[0], "", 1));
	must(waitpid(child, NULL, 0));
	close(heap);
	dmaheap_free(context);
}

static const struct test tests[] = {
	TEST(by_debugfs, "root with debugfs finds every buffer and every holder"),
	TEST(by_proc, "without debugfs all that a process holds is found"),
	TEST(by_another_user, "another user is told what could not be read"),
	TEST(by_process, "a process's buffers are found with all their holders"),
	TEST(while_processes_die, "processes that die meanwhile are no mistake"),
	TEST(forged, "a file with the name of a buffer is none"),
	TEST(forged_alone, "nor where no buffer has a fd"),
	TEST(by_other_threads, "a process is its threads, also without the first"),
};

TAP_MAIN(tests)
