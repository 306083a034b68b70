// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for an end: a signal, a time, a key. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "tool.h"

int signals_open(void)
{
	sigset_t ending;
	int fd;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	fd = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		exit(tool_error(-errno, "signalfd", "signals", NULL));
	return fd;
}

int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

enum tool_event tool_wait(int signals, int input, int milliseconds)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = input, .events = POLLIN },
	};
	int64_t end = monotonic_ms() + milliseconds, left = milliseconds;

	while (poll(fds, ARRAY_SIZE(fds), left) < 0 && errno == EINTR) {
		if (milliseconds < 0)
			continue;
		left = end - monotonic_ms();
		if (left <= 0)
			return EVENT_TIME;
	}
	if (fds[0].revents)
		return EVENT_SIGNAL;
	return fds[1].revents ? EVENT_INPUT : EVENT_TIME;
}
