// SPDX-License-Identifier: LGPL-2.1-or-later
/* An ioctl that is not put off. */
#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>

#include "private.h"

/* 10 ms each: a module is loaded within a second, or not at all. */
#define NR_NAPS 100
#define NAP_NS 10000000

int ioctl_patiently(int fd, unsigned long request, void *argument)
{
	static const struct timespec nap = { .tv_nsec = NAP_NS };
	unsigned int naps = 0;
	int result;

	for (;;) {
		result = ioctl(fd, request, argument);
		if (result >= 0)
			return result;
		if (errno == EAGAIN && naps++ < NR_NAPS)
			nanosleep(&nap, NULL);
		else if (errno != EINTR)
			return -errno;
	}
}
