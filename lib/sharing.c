// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sharing: with devices, by fences; with other processes, by sockets. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "private.h"

/* Of Linux 6.0. */
#ifndef DMA_BUF_IOCTL_EXPORT_SYNC_FILE
struct dma_buf_export_sync_file {
	__u32 flags;
	__s32 fd;
};
struct dma_buf_import_sync_file {
	__u32 flags;
	__s32 fd;
};
#define DMA_BUF_IOCTL_EXPORT_SYNC_FILE _IOWR(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file)
#define DMA_BUF_IOCTL_IMPORT_SYNC_FILE _IOW(DMA_BUF_BASE, 3, struct dma_buf_import_sync_file)
#endif

/* Since Linux 6.5; headers may be older. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

#define MAGIC 0x62616d64 /* "dmab" on the wire of machines that store the lowest byte first */
#define MESSAGE_VERSION 1
/* Room beside a message: for what the socket's owner has asked for, and for fds too many. */
#define CONTROL_SIZE 256
#define FDS_MAX (CONTROL_SIZE / sizeof(int))

/* What is sent along with the fd: of this machine, so of its byte order. */
struct message {
	uint32_t magic;
	uint32_t version;
	uint64_t size;
};

/* Aligned as the C library wants it. */
union control {
	struct cmsghdr header;
	char bytes[CONTROL_SIZE];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Through signals; the result of poll(), or a negative errno. */
static int poll_until(struct pollfd *fd, int timeout)
{
	int64_t left, deadline = now_ms() + timeout;
	int ready;

	while ((ready = poll(fd, 1, timeout)) < 0) {
		if (errno != EINTR)
			return -errno;
		if (timeout < 0)
			continue;
		left = deadline - now_ms();
		timeout = left > 0 ? (int)left : 0;
	}
	return ready;
}

int dmaheap_buffer_wait(struct dmaheap_buffer *buffer, unsigned int access, int timeout)
{
	struct pollfd fd = {
		.fd = buffer->fd,
		.events = access & DMAHEAP_WRITE ? POLLOUT : POLLIN,
	};
	int ready;

	if (!access_is_valid(access) || timeout < -1)
		return context_fail_because(buffer->context, -EINVAL,
					    "not an access, or not a time in milliseconds",
					    "wait", "access %#x, timeout %d", access, timeout);
	ready = poll_until(&fd, timeout);
	if (ready < 0)
		return context_fail(buffer->context, ready, "wait", "fd %d", buffer->fd);
	if (!ready)
		return context_fail_because(buffer->context, -ETIMEDOUT,
					    "a device has not done with it yet", "wait",
					    "fd %d", buffer->fd);
	return 0;
}

static int fence_failed(const struct dmaheap_buffer *buffer, int err, const char *step)
{
	const char *reason;

	switch (err) {
	case -ENOTTY: reason = "this kernel has no fences of buffers; wait instead"; break;
	case -EINVAL: reason = "not an access, or no sync file"; break;
	default: return context_fail(buffer->context, err, step, "fd %d", buffer->fd);
	}
	return context_fail_because(buffer->context, err, reason, step, "fd %d", buffer->fd);
}

int dmaheap_buffer_export_fence(struct dmaheap_buffer *buffer, unsigned int access, int *fd)
{
	struct dma_buf_export_sync_file data = { .flags = access, .fd = -1 };
	int err = -EINVAL;

	if (access_is_valid(access))
		err = ioctl_patiently(buffer->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &data);
	if (err < 0)
		return fence_failed(buffer, err, "export a fence");
	*fd = data.fd;
	return 0;
}

int dmaheap_buffer_import_fence(struct dmaheap_buffer *buffer, unsigned int access, int fd)
{
	struct dma_buf_import_sync_file data = { .flags = access, .fd = fd };
	int err = -EINVAL;

	if (access_is_valid(access))
		err = ioctl_patiently(buffer->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &data);
	return err < 0 ? fence_failed(buffer, err, "import a fence") : 0;
}

/* Others than Unix sockets would lose the fd, and say nothing. */
static int socket_check(int socket)
{
	socklen_t size = sizeof(int);
	int domain;

	if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size))
		return -errno;
	return domain == AF_UNIX ? 0 : -EAFNOSUPPORT;
}

static int socket_failed(struct dmaheap *context, int err, const char *step, int socket)
{
	const char *reason;

	switch (err) {
	case -EAFNOSUPPORT: reason = "it is no Unix socket"; break;
	case -ENOTSOCK: reason = "it is no socket"; break;
	case -EAGAIN: reason = "it would block; try again when poll() says so"; break;
	case -EPROTO: reason = "what came is not a buffer of dmaheap_buffer_send()"; break;
	case -ECONNRESET: reason = "nobody sends any more"; break;
	default: return context_fail(context, err, step, "socket %d", socket);
	}
	return context_fail_because(context, err, reason, step, "socket %d", socket);
}

static int send_fd(int socket, const struct message *message, int fd)
{
	struct iovec bytes = { .iov_base = (void *)message, .iov_len = sizeof(*message) };
	union control control = { .bytes = "" };
	struct msghdr header = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(fd)),
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	ssize_t sent;

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	do {
		sent = sendmsg(socket, &header, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int dmaheap_buffer_send(struct dmaheap_buffer *buffer, int socket)
{
	struct message message = {
		.magic = MAGIC,
		.version = MESSAGE_VERSION,
		.size = buffer->size,
	};
	int err = socket_check(socket);

	if (!err)
		err = send_fd(socket, &message, buffer->fd);
	return err ? socket_failed(buffer->context, err, "send", socket) : 0;
}

/*
 * All fds that came along: those that were sent, and one of the sender if the socket's owner has
 * asked for that (SO_PASSPIDFD), which is none of ours.
 */
static size_t fds_of(struct msghdr *header, int fds[FDS_MAX])
{
	struct cmsghdr *rights;
	size_t size, count = 0;
	int pidfd;

	for (rights = CMSG_FIRSTHDR(header); rights; rights = CMSG_NXTHDR(header, rights)) {
		if (rights->cmsg_level != SOL_SOCKET)
			continue;
		if (rights->cmsg_type == SCM_PIDFD) {
			memcpy(&pidfd, CMSG_DATA(rights), sizeof(pidfd));
			if (pidfd >= 0)
				close(pidfd);
		}
		if (rights->cmsg_type != SCM_RIGHTS)
			continue;
		size = rights->cmsg_len - CMSG_LEN(0);
		memcpy(&fds[count], CMSG_DATA(rights), size);
		count += size / sizeof(int);
	}
	return count;
}

static void close_all(const int *fds, size_t count)
{
	while (count--)
		close(fds[count]);
}

static bool message_is_valid(const struct message *message, int fd)
{
	return message->magic == MAGIC && message->version == MESSAGE_VERSION &&
	       fd_is_dma_buf(fd) && lseek(fd, 0, SEEK_END) == (off_t)message->size;
}

static ssize_t receive_message(int socket, struct msghdr *header)
{
	ssize_t got;

	do {
		got = recvmsg(socket, header, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* Whether a message of no bytes is the end: of a stream it is. */
static bool is_stream(int socket)
{
	socklen_t size = sizeof(int);
	int type;

	return !getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_STREAM;
}

/* The fd, or a negative errno. */
static int receive_fd(int socket)
{
	struct message message = { .magic = 0 };
	struct iovec bytes = { .iov_base = &message, .iov_len = sizeof(message) };
	union control control;
	struct msghdr header = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = receive_message(socket, &header);
	int fds[FDS_MAX];
	size_t count;

	if (got < 0)
		return (int)got;
	count = fds_of(&header, fds);
	if (!got && !count && is_stream(socket))
		return -ECONNRESET;
	if (got == sizeof(message) && count == 1 &&
	    !(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
	    message_is_valid(&message, fds[0]))
		return fds[0];
	close_all(fds, count);
	return -EPROTO;
}

int dmaheap_buffer_receive(struct dmaheap *context, int socket, struct dmaheap_buffer **buffer)
{
	int fd = socket_check(socket);

	if (!fd)
		fd = receive_fd(socket);
	if (fd < 0)
		return socket_failed(context, fd, "receive", socket);
	return buffer_adopt(context, fd, NULL, DMAHEAP_ORIGIN_IMPORTED, NULL, buffer);
}
