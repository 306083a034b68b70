/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test program is a table of tests.  Each runs in a process of its own, with a time
 * limit and with a marker in the kernel's log, and gives one line of TAP.
 */
#ifndef TAP_H
#define TAP_H

#include <errno.h>
#include <stddef.h>

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(function, text) \
	{ \
		text, function \
	}

/* Runs the table; what main() returns: 0 if nothing failed. */
int tap_run(const char *program, const struct test *tests, size_t nr);

#define TAP_MAIN(tests) \
	int main(int argc, char **argv) \
	{ \
		(void)argc; \
		return tap_run(argv[0], tests, sizeof(tests) / sizeof((tests)[0])); \
	}

/* Both end the test. */
__attribute__((noreturn, format(printf, 3, 4))) void tap_fail(const char *file, int line,
							      const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void tap_skip(const char *format, ...);

/* Printed as a comment. */
__attribute__((format(printf, 1, 2))) void tap_say(const char *format, ...);

#define check(condition) \
	do { \
		if (!(condition)) \
			tap_fail(__FILE__, __LINE__, "not so: %s", #condition); \
	} while (0)

#define check_equal(got, want) \
	do { \
		long long got_ = (long long)(got), want_ = (long long)(want); \
		if (got_ != want_) \
			tap_fail(__FILE__, __LINE__, "%s is %lld, not %lld (%s)", #got, got_, \
				 want_, #want); \
	} while (0)

/* A call that returns -1 and says why. */
#define check_errno(call, want) \
	do { \
		errno = 0; \
		long long got_ = (long long)(call); \
		if (got_ != -1 || errno != (want)) \
			tap_fail(__FILE__, __LINE__, "%s gave %lld, %s; not -1, %s", #call, \
				 got_, strerrorname_np(errno), #want); \
	} while (0)

/* A call that returns something else than -1, which this gives. */
#define must(call) \
	({ \
		__typeof__(call) got_ = (call); \
		if (got_ == (__typeof__(call))-1) \
			tap_fail(__FILE__, __LINE__, "%s failed: %s", #call, \
				 strerrorname_np(errno)); \
		got_; \
	})

#endif /* TAP_H */
