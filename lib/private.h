/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the library share, and nobody else sees. */
#ifndef DMAHEAP_PRIVATE_H
#define DMAHEAP_PRIVATE_H

/* All else is hidden by the compiler. */
#pragma GCC visibility push(default)
#include <dmaheap.h>
#pragma GCC visibility pop

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define NR_ROOTS (DMAHEAP_ROOT_ETC + 1)

/**
 * struct name_rule - what is known of heaps with such names
 * @pattern:	of names, as of a shell
 * @properties:	&enum dmaheap_properties
 */
struct name_rule {
	char *pattern;
	unsigned int properties;
};

/**
 * struct dmaheap - a context
 * @roots:	paths, by &enum dmaheap_root
 * @rules:	of the environment and of the configuration; earlier ones first
 * @rules_count: how many
 * @message:	what failed last
 */
struct dmaheap {
	char *roots[NR_ROOTS];
	struct name_rule *rules;
	size_t rules_count;
	char message[512];
};

/* context.c */
/*
 * Notes what failed and returns @err, a negative errno.  @step is what was tried ("open"), the
 * format gives what on ("/dev/dma_heap/system").
 */
__attribute__((format(printf, 4, 5))) int
context_fail(struct dmaheap *context, int err, const char *step, const char *format, ...);
/* The same with words of its own for the reason, where errno's would mislead. */
__attribute__((format(printf, 5, 6))) int context_fail_because(struct dmaheap *context,
							       int err, const char *reason,
							       const char *step,
							       const char *format, ...);
/* A path below a root; to be freed.  NULL: no memory */
__attribute__((format(printf, 3, 4))) char *
context_path(const struct dmaheap *context, enum dmaheap_root root, const char *format, ...);

/* names.c: what names of heaps mean */
int names_load(struct dmaheap *context);
void names_unload(struct dmaheap *context);

/* heaps.c: whose a heap is, by sysfs */
enum dmaheap_origin heap_origin(const struct dmaheap *context, const char *name);

/**
 * struct dmaheap_heap - a heap that is open
 * @context:	that it was made from
 * @info:	of its own, also the strings
 * @fd:		of its node
 * @users:	who opened it, and its buffers: they sync their parts by it
 */
struct dmaheap_heap {
	struct dmaheap *context;
	struct dmaheap_heap_info info;
	int fd;
	unsigned int users;
};

struct dmaheap_heaps {
	struct dmaheap_heap_info *infos;
	size_t count;
};

/**
 * struct part - an access to a part that has begun
 * @next:	in the buffer's list
 * @access:	&enum dmaheap_access
 * @offset:	in bytes
 * @size:	in bytes
 */
struct part {
	struct part *next;
	unsigned int access;
	size_t offset;
	size_t size;
};

/**
 * struct dmaheap_buffer - a buffer
 * @context:	that it was made from
 * @heap:	that it came from, or NULL; it has a user in the buffer
 * @fd:		the dma-buf
 * @size:	in bytes
 * @inode:	of stat()
 * @origin:	who made it
 * @name_status: of naming it last, 0 or a negative errno
 * @bytes:	where it is mapped, or NULL
 * @map_access:	what for
 * @open:	how many accesses to all of it have begun, by &enum dmaheap_access
 * @parts:	accesses to parts that have begun
 */
struct dmaheap_buffer {
	struct dmaheap *context;
	struct dmaheap_heap *heap;
	int fd;
	size_t size;
	ino_t inode;
	enum dmaheap_origin origin;
	int name_status;
	void *bytes;
	unsigned int map_access;
	unsigned int open[DMAHEAP_READ_WRITE + 1];
	struct part *parts;
};

/* ioctl.c: outlasts signals and, for about a second, EAGAIN.  Its result or -errno. */
int ioctl_patiently(int fd, unsigned long request, void *argument);

/* heaps.c */
/* Opens what was found.  Errors as of dmaheap_open(). */
int heap_open(struct dmaheap *context, const struct dmaheap_heap_info *info,
	      struct dmaheap_heap **heap);
struct dmaheap_heap *heap_get(struct dmaheap_heap *heap);

/* need.c: which heaps fit, the best ones first */
/* -EINVAL, and the message */
int need_check(struct dmaheap *context, const struct dmaheap_need *need);
/* Whether memory with such properties may serve. */
bool need_allows(const struct dmaheap_need *need, unsigned int properties);
/**
 * need_sort - pick those that fit
 * @heaps:	to pick from; lives as long as @picked
 * @need:	that was checked
 * @picked:	has room for all; the best one first
 *
 * Return: how many there are
 */
size_t need_sort(const struct dmaheap_heaps *heaps, const struct dmaheap_need *need,
		 const struct dmaheap_heap_info **picked);

/* buffer.c */
/* -EINVAL, -ENAMETOOLONG, and the message */
int request_check(struct dmaheap *context, const struct dmaheap_request *request);
/* What was asked for, in whole pages. */
size_t request_pages(const struct dmaheap_request *request);
/* Makes a buffer of an fd, which it takes in any case.  @name may be NULL. */
int buffer_adopt(struct dmaheap *context, int fd, struct dmaheap_heap *heap,
		 enum dmaheap_origin origin, const char *name, struct dmaheap_buffer **buffer);
/* Whether an fd is a dma-buf; with errno, if it is none at all. */
bool fd_is_dma_buf(int fd);

/* access.c: known bits, and not none */
bool access_is_valid(unsigned int access);
bool access_is_open(const struct dmaheap_buffer *buffer);
/* Ends what has begun, as far as the kernel lets it. */
void access_end_all(struct dmaheap_buffer *buffer);

/* available.c: whether there is so much memory, at least 1 byte; true if nobody knows */
bool memory_is_available(const struct dmaheap *context, size_t size);

/* udmabuf.c: a buffer from it, for the end of the chain.  A negative errno, and the message */
int udmabuf_allocate(struct dmaheap *context, const struct dmaheap_request *request,
		     struct dmaheap_buffer **buffer);

#endif /* DMAHEAP_PRIVATE_H */
