// SPDX-License-Identifier: GPL-2.0-only
#include "disk.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nbd.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "heap.h"
#include "tap.h"

#define DEVICE "/dev/nbd0"
#define BLOCK 4096UL
#define BLOCKS 1024UL
#define MOST_REQUESTS 64

static int device, server;
static pthread_t serving;
/* Not answered yet; as they came. */
static struct nbd_request asked[MOST_REQUESTS];
static size_t nr_asked;

/* Until the device is disconnected. */
static void *serve(void *unused)
{
	ioctl(device, NBD_DO_IT);
	return unused;
}

static void wait_for_size(int disk)
{
	uint64_t size = 0;
	int i;

	for (i = 0; i < 500 && !size; i++) {
		usleep(10000);
		must(ioctl(disk, BLKGETSIZE64, &size));
	}
	check_equal(size, BLOCK * BLOCKS);
}

int disk_open(void)
{
	int ends[2], disk;

	module_drop("nbd");
	if (!module_try("nbd", "nbds_max=1 max_part=0"))
		tap_skip("this kernel has no nbd");
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	server = ends[0];
	device = must(open(DEVICE, O_RDWR | O_CLOEXEC));
	must(ioctl(device, NBD_SET_BLKSIZE, BLOCK));
	must(ioctl(device, NBD_SET_SIZE_BLOCKS, BLOCKS));
	must(ioctl(device, NBD_SET_SOCK, ends[1]));
	close(ends[1]);
	nr_asked = 0;
	check_equal(pthread_create(&serving, NULL, serve, NULL), 0);
	disk = must(open(DEVICE, O_RDONLY | O_DIRECT | O_CLOEXEC));
	wait_for_size(disk);
	return disk;
}

void disk_wait(size_t len)
{
	size_t seen = 0;

	while (seen < len) {
		struct nbd_request *request = &asked[nr_asked++];

		check(nr_asked < MOST_REQUESTS);
		check_equal(recv(server, request, sizeof(*request), MSG_WAITALL),
			    sizeof(*request));
		check_equal(be32toh(request->type), NBD_CMD_READ);
		seen += be32toh(request->len);
	}
}

static void answer(const struct nbd_request *request, int byte)
{
	struct nbd_reply reply = { .magic = htobe32(NBD_REPLY_MAGIC) };
	char bytes[BLOCK];
	size_t len;

	memcpy(reply.handle, request->handle, sizeof(reply.handle));
	check_equal(send(server, &reply, sizeof(reply), 0), sizeof(reply));
	memset(bytes, byte, sizeof(bytes));
	for (len = be32toh(request->len); len; len -= sizeof(bytes))
		check_equal(send(server, bytes, sizeof(bytes), 0), sizeof(bytes));
}

void disk_answer(int byte)
{
	size_t i;

	for (i = 0; i < nr_asked; i++)
		answer(&asked[i], byte);
	nr_asked = 0;
}

void disk_close(int disk)
{
	close(disk);
	must(ioctl(device, NBD_DISCONNECT));
	close(server); /* that is what the device waits for */
	pthread_join(serving, NULL);
	close(device);
	module_drop("nbd");
}
