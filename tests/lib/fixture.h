/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the library stand on: a folder that is its /dev, /sys, /proc and /etc, and a
 * kernel that is made up: programs are linked so that their system calls come by here.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dmaheap.h>

struct fixture {
	char root[32];
	struct dmaheap *context;
};

/* For cmocka: before and after each test.  A context that looks into the folder, which is empty. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Paths are below the folder; what they need is made, too. */
void fixture_write(const struct fixture *fixture, const char *path, const char *text);
void fixture_folder(const struct fixture *fixture, const char *path);
void fixture_link(const struct fixture *fixture, const char *path, const char *to);
void fixture_remove(const struct fixture *fixture, const char *path);
/* A heap: a node, and its folder in sysfs. */
void fixture_heap(const struct fixture *fixture, const char *name, enum dmaheap_origin origin);
/* Opens it, or ends the test. */
struct dmaheap_heap *fixture_open(const struct fixture *fixture, const char *name);
/* A buffer of one page of "system", which is made if it is not there yet. */
struct dmaheap_buffer *fixture_buffer(const struct fixture *fixture);

/* Whether the message has these words. */
#define assert_message(fixture, words) \
	assert_non_null(strstr(dmaheap_message((fixture)->context), words))

/* ---- the kernel ---- */

/* The system calls that can be made to fail; of ioctl(), each by its number. */
enum call {
	CALL_OPEN = 1,
	CALL_MMAP,
	CALL_POLL,
	CALL_ACCESS,
	CALL_MEMFD,
	CALL_SEND,
	CALL_RECEIVE
};

/* Of calls on this ("system", or NULL: any), the next ones fail so. */
void kernel_fail(const char *object, unsigned long call, int err, unsigned int times);
/* How often it has been called, with or without success. */
unsigned int kernel_calls(unsigned long call);
/* What the last DMA_BUF_IOCTL_SYNC, DMA_HEAP_IOCTL_SYNC had as flags. */
uint64_t kernel_sync_flags(void);
/* What the last DMA_HEAP_IOCTL_ALLOC had as flags of the fd. */
uint32_t kernel_fd_flags(void);
/* How poll() sees each buffer: -1 as it is, else what it returns. */
void kernel_poll(int result);
/* Where address space was reserved last, and how much. */
size_t kernel_room(const char **start);
/* From now on the nth allocation fails; 0: none does. */
void memory_fail(unsigned int nth);
/* Whether it has. */
bool memory_has_failed(void);
/* Runs something until no allocation is left to fail; each time it has to say -ENOMEM. */
void memory_sweep(int (*run)(void *data), void *data);
/* A dma-buf that is nobody's; to be closed. */
int kernel_buffer(size_t size);
/* Open fds of this process. */
unsigned int count_fds(void);

#endif /* FIXTURE_H */
