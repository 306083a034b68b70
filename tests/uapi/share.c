// SPDX-License-Identifier: GPL-2.0-only
/* A buffer in other hands: another process, another driver. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm.h>

#include "../heap.h"
#include "../tap.h"

#define LEN (3 * MIB)

static void send_fd(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec byte = { "!", 1 };
	struct msghdr message = {
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	must(sendmsg(socket, &message, 0));
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	char dot;
	struct iovec byte = { &dot, 1 };
	struct msghdr message = {
		.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	must(recvmsg(socket, &message, 0));
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
	return fd;
}

static void other_process(void)
{
	int sockets[2], fd, status;
	char *bytes;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	if (!must(fork())) { /* before there is a buffer: it inherits none */
		fd = receive_fd(sockets[1]);
		bytes = buffer_map(fd, LEN);
		check(is_filled(bytes, LEN, 0, 1));
		fill(bytes, LEN, 0, 2);
		_exit(0);
	}
	fd = heap_buffer(LEN);
	bytes = buffer_map(fd, LEN);
	fill(bytes, LEN, 0, 1);
	send_fd(sockets[0], fd);
	must(wait(&status));
	check_equal(status, 0);
	check(is_filled(bytes, LEN, 0, 2));
}

static void in_flight(void)
{
	int sockets[2], fd = heap_buffer(LEN), buffers = table_length();

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	fill(buffer_map(fd, LEN), LEN, 0, 3);
	send_fd(sockets[0], fd);
	close(fd);
	check_equal(table_length(), buffers); /* the socket holds it */
	fd = receive_fd(sockets[1]);
	check(is_filled(buffer_map(fd, LEN), LEN, 0, 3));
}

static void vgem(void)
{
	int drm = vgem_open(), fd = heap_buffer(LEN);
	struct drm_prime_handle prime = { .fd = fd };
	struct drm_gem_close gem = {};
	char line[512];

	must(ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime));
	check(table_line(fd, line, sizeof(line)));
	check(strstr(line, "vgem"));
	gem.handle = prime.handle;

	/* What vgem gives out for its handle is our buffer, not a copy. */
	prime.fd = -1;
	prime.flags = O_RDWR;
	must(ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	check_equal(buffer_inode(prime.fd), buffer_inode(fd));
	close(prime.fd);

	must(ioctl(drm, DRM_IOCTL_GEM_CLOSE, &gem));
	check(table_line(fd, line, sizeof(line)));
	check(!strstr(line, "vgem"));
}

static void vgem_holds(void)
{
	int drm = vgem_open(), fd = heap_buffer(LEN), buffers = table_length();
	struct drm_prime_handle prime = { .fd = fd };

	must(ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime));
	close(fd);
	check_equal(table_length(), buffers);
	close(drm);
	check_equal(table_length(), buffers - 1);
}

/* vgem's interface for tests: a fence on an object, and its end. */
struct vgem_fence_attach {
	uint32_t handle, flags, fence, pad;
};

struct vgem_fence_signal {
	uint32_t fence, flags;
};

#define VGEM_FENCE_WRITE 1
#define VGEM_FENCE_ATTACH DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)

/*
 * A device that has been given a job, whose end is a fence, writes while the CPU already
 * waits for its bytes.
 */
static void fenced(void)
{
	int drm = vgem_open(), fd = heap_buffer(LEN), device = device_new(64, 0), status;
	uint32_t id;
	struct drm_prime_handle prime = { .fd = fd };
	struct vgem_fence_attach attach = { .flags = VGEM_FENCE_WRITE };
	struct vgem_fence_signal signal = {};
	char byte = 9, *bytes = buffer_map(fd, LEN);

	must(ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime));
	/*
	 * After vgem, which holds a mapping for writing, too: of two such behind bounce
	 * buffers the later one's bytes are taken.
	 */
	id = device_attach(device, fd);
	attach.handle = prime.handle;
	must(ioctl(drm, VGEM_FENCE_ATTACH, &attach));
	device_map(device, id, FROM_DEVICE);
	if (!must(fork())) {
		usleep(300000);
		device_write(device, id, LEN / 2, &byte, 1);
		signal.fence = attach.fence;
		must(ioctl(drm, VGEM_FENCE_SIGNAL, &signal));
		_exit(0);
	}
	buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	check_equal(bytes[LEN / 2], 9);
	buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	must(wait(&status));
	check_equal(status, 0);
}

static const struct test tests[] = {
	TEST(other_process, "two processes share a buffer sent by SCM_RIGHTS"),
	TEST(in_flight, "a buffer in a socket lives, and arrives with its bytes"),
	TEST(vgem, "vgem imports a buffer, gives the same one out, and lets it go"),
	TEST(vgem_holds, "a buffer lives as long as vgem holds it"),
	TEST(fenced, "CPU access waits for a fence, and then sees the device's bytes"),
};
TAP_MAIN(tests)
