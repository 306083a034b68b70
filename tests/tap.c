// SPDX-License-Identifier: GPL-2.0-only
#include "tap.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME_LIMIT 400 /* seconds; under emulation, on a kernel full of checks */
#define SKIPPED 77

/* Why the test that runs was skipped; shared with its process. */
static char *reason;

void tap_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# %s:%d: ", file, line);
	vprintf(format, args);
	putchar('\n');
	fflush(stdout);
	_exit(1);
}

void tap_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, 256, format, args);
	_exit(SKIPPED);
}

void tap_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	fflush(stdout);
}

/* So that what the kernel says can be blamed on the test that caused it. */
static void mark(const char *program, const char *test)
{
	FILE *log = fopen("/dev/kmsg", "w");

	if (!log)
		return;
	fprintf(log, "test: %s: %s\n", program, test);
	fclose(log);
}

static int run_child(const struct test *test)
{
	int status;
	pid_t child;

	*reason = '\0';
	fflush(stdout);
	child = fork();
	if (!child) {
		setpgid(0, 0);
		alarm(TIME_LIMIT);
		test->run();
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	/* What it has started goes with it, before the next one looks around. */
	kill(-child, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	return status;
}

static int report(size_t number, const struct test *test, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		printf("ok %zu - %s\n", number, test->name);
		return 0;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
		printf("ok %zu - %s # SKIP %s\n", number, test->name, reason);
		return 0;
	}
	if (WIFSIGNALED(status))
		printf("# killed by %s\n", strsignal(WTERMSIG(status)));
	printf("not ok %zu - %s\n", number, test->name);
	return 1;
}

int tap_run(const char *program, const struct test *tests, size_t nr)
{
	const char *name = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
	int failed = 0;
	size_t i;

	reason = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reason == MAP_FAILED)
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	printf("1..%zu\n", nr);
	for (i = 0; i < nr; i++) {
		mark(name, tests[i].name);
		failed |= report(i + 1, &tests[i], run_child(&tests[i]));
		fflush(stdout);
	}
	return failed;
}
