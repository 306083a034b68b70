// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap_sharing(3): waiting, fences, sockets. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "fixture.h"

/* ---- waiting ---- */

static void waiting(void **state)
{
	struct dmaheap_buffer *buffer = fixture_buffer(*state);

	kernel_poll(1);
	assert_int_equal(dmaheap_buffer_wait(buffer, DMAHEAP_READ, 0), 0);
	assert_int_equal(dmaheap_buffer_wait(buffer, DMAHEAP_WRITE, -1), 0);
	assert_int_equal(dmaheap_buffer_wait(buffer, DMAHEAP_READ_WRITE, 1), 0);
	dmaheap_buffer_free(buffer);
}

static void waiting_in_vain(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);

	kernel_poll(0);
	assert_int_equal(dmaheap_buffer_wait(buffer, DMAHEAP_READ, 0), -ETIMEDOUT);
	assert_message(fixture, "a device has not done with it yet");
	kernel_fail(NULL, CALL_POLL, ENOMEM, 1);
	assert_int_equal(dmaheap_buffer_wait(buffer, DMAHEAP_READ, 0), -ENOMEM);
	dmaheap_buffer_free(buffer);
}

static void waiting_through_signals(void **state)
{
	struct dmaheap_buffer *buffer = fixture_buffer(*state);
	static const int timeouts[] = { -1, 0, 1000 };
	size_t i;

	kernel_poll(1);
	for (i = 0; i < 3; i++) {
		kernel_fail(NULL, CALL_POLL, EINTR, 2);
		assert_int_equal(dmaheap_buffer_wait(buffer, DMAHEAP_READ, timeouts[i]), 0);
		assert_int_equal(kernel_calls(CALL_POLL), 3 * (i + 1));
	}
	dmaheap_buffer_free(buffer);
}

static void waiting_for_nothing(void **state)
{
	struct dmaheap_buffer *buffer = fixture_buffer(*state);

	assert_int_equal(dmaheap_buffer_wait(buffer, 0, 0), -EINVAL);
	assert_int_equal(dmaheap_buffer_wait(buffer, 4, 0), -EINVAL);
	assert_int_equal(dmaheap_buffer_wait(buffer, DMAHEAP_READ, -2), -EINVAL);
	assert_int_equal(kernel_calls(CALL_POLL), 0);
	dmaheap_buffer_free(buffer);
}

/* ---- fences ---- */

static void fences(void **state)
{
	struct dmaheap_buffer *buffer = fixture_buffer(*state);
	int fd = -1;

	kernel_fail("buffer", DMA_BUF_IOCTL_EXPORT_SYNC_FILE, EINTR, 1);
	assert_int_equal(dmaheap_buffer_export_fence(buffer, DMAHEAP_READ, &fd), 0);
	assert_true(fd >= 0);
	assert_int_equal(dmaheap_buffer_import_fence(buffer, DMAHEAP_WRITE, fd), 0);
	/* It is still ours. */
	assert_int_equal(close(fd), 0);
	dmaheap_buffer_free(buffer);
}

static void fences_that_fail(void **state)
{
	static const struct {
		int err;
		const char *words;
	} rows[] = {
		{ ENOTTY, "this kernel has no fences of buffers; wait instead" },
		{ EINVAL, "not an access, or no sync file" },
		{ EMFILE, "too many open files" },
	};
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture);
	int fd = -1;
	size_t i;

	for (i = 0; i < 3; i++) {
		kernel_fail("buffer", DMA_BUF_IOCTL_EXPORT_SYNC_FILE, rows[i].err, 1);
		assert_int_equal(dmaheap_buffer_export_fence(buffer, DMAHEAP_READ, &fd),
				 -rows[i].err);
		assert_message(fixture, rows[i].words);
		kernel_fail("buffer", DMA_BUF_IOCTL_IMPORT_SYNC_FILE, rows[i].err, 1);
		assert_int_equal(dmaheap_buffer_import_fence(buffer, DMAHEAP_READ, 0),
				 -rows[i].err);
		assert_message(fixture, rows[i].words);
	}
	assert_int_equal(dmaheap_buffer_export_fence(buffer, 0, &fd), -EINVAL);
	assert_int_equal(dmaheap_buffer_import_fence(buffer, 8, 0), -EINVAL);
	assert_int_equal(fd, -1);
	dmaheap_buffer_free(buffer);
}

/* ---- sockets ---- */

/* What dmaheap_buffer_send() sends beside the fd. */
struct message {
	uint32_t magic;
	uint32_t version;
	uint64_t size;
};

#define MAGIC 0x62616d64

static void make_pair(int type, int ends[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
}

static void close_pair(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

/* Sends bytes and fds, which stay the caller's. */
static void send_raw(int socket, const void *bytes, size_t size, const int *fds, size_t count)
{
	char control[CMSG_SPACE(128 * sizeof(int))] = "";
	struct iovec vector = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
	struct cmsghdr *rights;

	if (count) {
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(socket, &header, MSG_NOSIGNAL), size);
}

static void there_and_back(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture), *other = NULL;
	int ends[2];
	size_t i;

	for (i = 0; i < 3; i++) {
		make_pair(types[i], ends);
		kernel_fail(NULL, CALL_SEND, EINTR, 1);
		kernel_fail(NULL, CALL_RECEIVE, EINTR, 1);
		assert_int_equal(dmaheap_buffer_send(buffer, ends[0]), 0);
		assert_int_equal(dmaheap_buffer_receive(fixture->context, ends[1], &other), 0);
		assert_int_equal(dmaheap_buffer_inode(other), dmaheap_buffer_inode(buffer));
		assert_int_equal(dmaheap_buffer_size(other), 4096);
		assert_int_equal(dmaheap_buffer_origin(other), DMAHEAP_ORIGIN_IMPORTED);
		assert_true(fcntl(dmaheap_buffer_fd(other), F_GETFD) & FD_CLOEXEC);
		dmaheap_buffer_free(other);
		close_pair(ends);
	}
	dmaheap_buffer_free(buffer);
}

static void several_in_a_row(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffers[4], *other;
	int ends[2], on = 1;
	size_t i;

	make_pair(SOCK_STREAM, ends);
	/* What the owner of the socket wants besides leaves room for the fd. */
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	for (i = 0; i < 4; i++) {
		buffers[i] = fixture_buffer(fixture);
		assert_int_equal(dmaheap_buffer_send(buffers[i], ends[0]), 0);
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(dmaheap_buffer_receive(fixture->context, ends[1], &other), 0);
		assert_int_equal(dmaheap_buffer_inode(other),
				 dmaheap_buffer_inode(buffers[i]));
		dmaheap_buffer_free(other);
		dmaheap_buffer_free(buffers[i]);
	}
	close_pair(ends);
}

static void sockets_that_are_none(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture), *other = NULL;
	int inet = socket(AF_INET, SOCK_DGRAM, 0), file = open("/dev/null", O_RDWR);

	assert_int_equal(dmaheap_buffer_send(buffer, file), -ENOTSOCK);
	assert_message(fixture, "it is no socket");
	assert_int_equal(dmaheap_buffer_send(buffer, -1), -EBADF);
	assert_int_equal(dmaheap_buffer_send(buffer, inet), -EAFNOSUPPORT);
	assert_message(fixture, "it is no Unix socket");
	assert_int_equal(dmaheap_buffer_receive(fixture->context, file, &other), -ENOTSOCK);
	assert_int_equal(dmaheap_buffer_receive(fixture->context, inet, &other),
			 -EAFNOSUPPORT);
	assert_null(other);
	close(inet);
	close(file);
	dmaheap_buffer_free(buffer);
}

static void nobody_at_the_other_end(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture), *other = NULL;
	int ends[2];

	make_pair(SOCK_STREAM, ends);
	assert_int_equal(dmaheap_buffer_receive(fixture->context, ends[1], &other), -EAGAIN);
	assert_message(fixture, "it would block");
	close(ends[0]);
	assert_int_equal(dmaheap_buffer_receive(fixture->context, ends[1], &other),
			 -ECONNRESET);
	assert_message(fixture, "nobody sends any more");
	/* Without SIGPIPE. */
	assert_int_equal(dmaheap_buffer_send(buffer, ends[1]), -EPIPE);
	close(ends[1]);
	assert_null(other);
	dmaheap_buffer_free(buffer);
}

/* The owner of the socket may want a fd of the sender's process; that is not for us. */
static void senders_that_come_along(void **state)
{
	struct fixture *fixture = *state;
	struct dmaheap_buffer *buffer = fixture_buffer(fixture), *other = NULL;
	unsigned int open_fds;
	int ends[2], on = 1;

	make_pair(SOCK_STREAM, ends);
	if (setsockopt(ends[1], SOL_SOCKET, 76 /* SO_PASSPIDFD */, &on, sizeof(on)))
		skip();
	open_fds = count_fds();
	assert_int_equal(dmaheap_buffer_send(buffer, ends[0]), 0);
	assert_int_equal(dmaheap_buffer_receive(fixture->context, ends[1], &other), 0);
	dmaheap_buffer_free(other);
	assert_int_equal(count_fds(), open_fds);
	close_pair(ends);
	dmaheap_buffer_free(buffer);
}

/* Whatever it is, it is refused, and no fd stays open. */
static void assert_refused(struct fixture *fixture, int type, const void *bytes, size_t size,
			   const int *fds, size_t count)
{
	struct dmaheap_buffer *other = NULL;
	unsigned int open_fds;
	int ends[2];

	make_pair(type, ends);
	open_fds = count_fds();
	send_raw(ends[0], bytes, size, fds, count);
	assert_int_equal(dmaheap_buffer_receive(fixture->context, ends[1], &other), -EPROTO);
	assert_message(fixture, "not a buffer of dmaheap_buffer_send()");
	assert_null(other);
	assert_int_equal(count_fds(), open_fds);
	close_pair(ends);
}

static void what_is_not_a_buffer(void **state)
{
	const struct message good = { .magic = MAGIC, .version = 1, .size = 4096 };
	const struct message bad[] = {
		{ .magic = ~MAGIC, .version = 1, .size = 4096 },
		{ .magic = MAGIC, .version = 2, .size = 4096 },
		{ .magic = MAGIC, .version = 1, .size = 8192 },
		{ .magic = MAGIC, .version = 1, .size = UINT64_MAX },
	};
	struct fixture *fixture = *state;
	int i, fds[100], fd = kernel_buffer(4096),
			 memory = memfd_create("memory", MFD_CLOEXEC);

	assert_int_equal(ftruncate(memory, 4096), 0);
	for (i = 0; i < 4; i++)
		assert_refused(fixture, SOCK_STREAM, &bad[i], sizeof(good), &fd, 1);
	for (i = 0; i < 100; i++)
		fds[i] = fd;
	/* No fd, the wrong one, two, more than there is room for; cut off, and too long. */
	assert_refused(fixture, SOCK_STREAM, &good, sizeof(good), NULL, 0);
	assert_refused(fixture, SOCK_STREAM, &good, sizeof(good), &memory, 1);
	assert_refused(fixture, SOCK_STREAM, &good, sizeof(good), fds, 2);
	assert_refused(fixture, SOCK_STREAM, &good, sizeof(good), fds, 100);
	assert_refused(fixture, SOCK_STREAM, &good, sizeof(good) - 1, &fd, 1);
	assert_refused(fixture, SOCK_SEQPACKET, &bad, sizeof(bad), &fd, 1);
	/* Nothing but fds: these count, too, and nothing at all is no end. */
	assert_refused(fixture, SOCK_SEQPACKET, &good, 0, fds, 2);
	assert_refused(fixture, SOCK_DGRAM, &good, 0, fds, 2);
	assert_refused(fixture, SOCK_DGRAM, &good, 0, NULL, 0);
	close(memory);
	close(fd);
}

static void a_message_that_is_too_long(void **state)
{
	const struct message two[2] = { { .magic = MAGIC, .version = 1, .size = 4096 } };
	struct fixture *fixture = *state;
	int fd = kernel_buffer(4096);

	assert_refused(fixture, SOCK_SEQPACKET, two, sizeof(two), &fd, 1);
	close(fd);
}

struct receiver {
	struct fixture *fixture;
	struct dmaheap_buffer *buffer;
	int ends[2];
};

static int receive_once(void *data)
{
	struct dmaheap_buffer *other = NULL;
	struct receiver *receiver = data;
	int err;

	assert_int_equal(dmaheap_buffer_send(receiver->buffer, receiver->ends[0]), 0);
	err = dmaheap_buffer_receive(receiver->fixture->context, receiver->ends[1], &other);
	dmaheap_buffer_free(other);
	return err;
}

static void no_memory_to_receive(void **state)
{
	struct receiver receiver = { .fixture = *state, .buffer = fixture_buffer(*state) };

	make_pair(SOCK_SEQPACKET, receiver.ends);
	memory_sweep(receive_once, &receiver);
	close_pair(receiver.ends);
	dmaheap_buffer_free(receiver.buffer);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(waiting),
		TEST(waiting_in_vain),
		TEST(waiting_through_signals),
		TEST(waiting_for_nothing),
		TEST(fences),
		TEST(fences_that_fail),
		TEST(there_and_back),
		TEST(several_in_a_row),
		TEST(sockets_that_are_none),
		TEST(nobody_at_the_other_end),
		TEST(senders_that_come_along),
		TEST(what_is_not_a_buffer),
		TEST(a_message_that_is_too_long),
		TEST(no_memory_to_receive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
