/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dmaheap.h: allocate buffers from DMA-BUF heaps, use them, share them, and see who holds them.
 *
 * Functions return 0, or a negative errno; dmaheap_message() then says in words which step failed
 * and on what, if the function had a context.  None prints.  What a function gives through a
 * pointer is untouched if it fails.
 * Functions whose result is no status (dmaheap_buffer_size(), ...) cannot fail.
 *
 * A context, and all that was made from it, is to be used by one thread at a time; different
 * contexts are independent.  A heap, buffer or look may outlive no context: free it before.
 *
 * The man pages say more: dmaheap(3), dmaheap_heaps(3), dmaheap_buffers(3), dmaheap_sharing(3),
 * dmaheap_look(3).
 */
#ifndef DMAHEAP_H
#define DMAHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dmaheap;
struct dmaheap_heap;
struct dmaheap_heaps;
struct dmaheap_buffer;
struct dmaheap_look;

/* ---- context: dmaheap(3) ---- */

/* Folders that a context looks into, so that tests can give it others. */
enum dmaheap_root {
	DMAHEAP_ROOT_DEV,   /* "/dev": dma_heap/, udmabuf */
	DMAHEAP_ROOT_SYS,   /* "/sys": class/, module/ */
	DMAHEAP_ROOT_DEBUG, /* "/sys/kernel/debug" */
	DMAHEAP_ROOT_PROC,  /* "/proc" */
	DMAHEAP_ROOT_ETC,   /* "/etc": dmaheap.conf */
};

/* -ENOMEM; -EINVAL: what the configuration or $DMAHEAP_HEAPS says is wrong; -EACCES, ...: of the file */
int dmaheap_new(struct dmaheap **context);
/* The same with folders of its own: DMAHEAP_ROOT_ETC + 1 paths, of which those that are NULL stay. */
int dmaheap_new_at(const char *const roots[], struct dmaheap **context);
void dmaheap_free(struct dmaheap *context);
/* -ENOMEM; -EINVAL: no such root, or what is configured there is wrong; -EACCES, ...: of the file */
int dmaheap_set_root(struct dmaheap *context, enum dmaheap_root root, const char *path);
/*
 * What failed last, as "step: object: reason"; "" if nothing has.  Valid until the next call.  Of
 * NULL: why this thread's last dmaheap_new() failed.
 */
const char *dmaheap_message(const struct dmaheap *context);
/* "1.0.0" */
const char *dmaheap_version(void);

/* ---- heaps: dmaheap_heaps(3) ---- */

/* What memory is like; of a heap that nobody knows anything about, none is set. */
enum dmaheap_properties {
	DMAHEAP_CACHED = 1 << 0,     /* the CPU maps it through its caches */
	DMAHEAP_UNCACHED = 1 << 1,   /* past its caches: write-combined */
	DMAHEAP_SCATTERED = 1 << 2,  /* in many pieces */
	DMAHEAP_CONTIGUOUS = 1 << 3, /* in one piece */
	DMAHEAP_PROTECTED = 1 << 4,  /* from the CPU */
	DMAHEAP_BELOW_4G = 1 << 5,   /* within the reach of 32 bits */
};

enum dmaheap_origin {
	DMAHEAP_ORIGIN_UNKNOWN,
	DMAHEAP_ORIGIN_DMAHEAP,	 /* a heap of dmaheap's modules */
	DMAHEAP_ORIGIN_KERNEL,	 /* a heap of the kernel's own */
	DMAHEAP_ORIGIN_UDMABUF,	 /* of buffers: udmabuf over a sealed memfd */
	DMAHEAP_ORIGIN_IMPORTED, /* of buffers: somebody's fd */
};

/**
 * struct dmaheap_heap_info - a heap that was found
 * @name:	as in /dev/dma_heap
 * @node:	path of its device node
 * @target:	name of the heap that it is a symbolic link to, or NULL
 * @device:	device number
 * @readable:	whether this process may allocate
 * @properties:	&enum dmaheap_properties, as far as they are known
 * @origin:	whose it is
 */
struct dmaheap_heap_info {
	const char *name;
	const char *node;
	const char *target;
	dev_t device;
	bool readable;
	unsigned int properties;
	enum dmaheap_origin origin;
};

/* By name.  -ENOSYS: there is no /dev/dma_heap; -EACCES; -ENOMEM */
int dmaheap_list(struct dmaheap *context, struct dmaheap_heaps **heaps);
size_t dmaheap_heaps_count(const struct dmaheap_heaps *heaps);
/* NULL: there are not so many */
const struct dmaheap_heap_info *dmaheap_heaps_get(const struct dmaheap_heaps *heaps, size_t i);
void dmaheap_heaps_free(struct dmaheap_heaps *heaps);

/*
 * -EINVAL: no name of a heap ("", with a "/", "." or ".."); -ENOSYS: no /dev/dma_heap; -ENOENT: no
 * such heap; -EACCES: it may not be opened; -ENOTTY: it is no character device; -ENAMETOOLONG;
 * -ENOMEM, -EMFILE
 */
int dmaheap_open(struct dmaheap *context, const char *name, struct dmaheap_heap **heap);

/**
 * struct dmaheap_need - what memory has to be like
 * @required:	properties that it must have
 * @preferred:	properties that it had better have
 *
 * Unless it is asked for, memory is never uncached nor protected.
 */
struct dmaheap_need {
	unsigned int required;
	unsigned int preferred;
};

/*
 * The best heap that can be opened.  -EINVAL: the need contradicts itself, or has unknown bits;
 * -ENOSYS: no /dev/dma_heap; -ENOENT: no heap is known to be so; -EACCES: some are, but may not be
 * opened; -ENOMEM, -EMFILE
 */
int dmaheap_open_for(struct dmaheap *context, const struct dmaheap_need *need,
		     struct dmaheap_heap **heap);
/* Buffers live on. */
void dmaheap_close(struct dmaheap_heap *heap);
const struct dmaheap_heap_info *dmaheap_heap_info(const struct dmaheap_heap *heap);
/* The library's, not to be closed. */
int dmaheap_heap_fd(const struct dmaheap_heap *heap);

/* Properties of a name, as far as the table of names and the configuration know; 0: nothing. */
unsigned int dmaheap_properties_of(struct dmaheap *context, const char *name);
/* "cached,contiguous" and the like; snprintf()'s result. */
int dmaheap_properties_print(unsigned int properties, char *text, size_t size);
/* The other way round.  -EINVAL: there is no such word */
int dmaheap_properties_parse(const char *text, unsigned int *properties);

/* ---- buffers: dmaheap_buffers(3) ---- */

/* Longest name, in bytes. */
#define DMAHEAP_NAME_MAX 31

/* Ways to access. */
enum dmaheap_access {
	DMAHEAP_READ = 1 << 0,
	DMAHEAP_WRITE = 1 << 1,
	DMAHEAP_READ_WRITE = DMAHEAP_READ | DMAHEAP_WRITE,
};

/**
 * struct dmaheap_request - a buffer that is wanted
 * @size:	bytes; made whole pages, at least
 * @access:	what its fd allows, &enum dmaheap_access; 0: both
 * @name:	for those who look, or NULL
 */
struct dmaheap_request {
	size_t size;
	unsigned int access;
	const char *name;
};

/*
 * -EINVAL: size 0 or too large, or unknown bits; -ENAMETOOLONG; -ENOMEM; -EDQUOT: this user has as
 * much of the heap as he may; -ENODEV: the heap is gone; -EMFILE, -EINTR, and what else a heap
 * says.  A buffer that could not be named is there all the same: see
 * dmaheap_buffer_name_status().
 */
int dmaheap_allocate(struct dmaheap_heap *heap, const struct dmaheap_request *request,
		     struct dmaheap_buffer **buffer);
/*
 * From the first that has it: heaps of dmaheap, of the kernel, then udmabuf, of those that fit the
 * need.  dmaheap_buffer_origin() and dmaheap_buffer_heap() say who it was; if nobody, the message
 * says why not, each.  Errors as of dmaheap_open_for() and dmaheap_allocate(), of the first.
 */
int dmaheap_allocate_for(struct dmaheap *context, const struct dmaheap_need *need,
			 const struct dmaheap_request *request,
			 struct dmaheap_buffer **buffer);
/* The fd stays the caller's.  -EBADF; -EINVAL: it is no dma-buf; -ENOMEM, -EMFILE */
int dmaheap_import(struct dmaheap *context, int fd, struct dmaheap_buffer **buffer);
/*
 * Unmaps and closes; the memory stays as long as anybody else has it.  0, or -EPROTO: an access was
 * still open, and has been ended
 */
int dmaheap_buffer_free(struct dmaheap_buffer *buffer);

/* The library's, not to be closed. */
int dmaheap_buffer_fd(const struct dmaheap_buffer *buffer);
size_t dmaheap_buffer_size(const struct dmaheap_buffer *buffer);
enum dmaheap_origin dmaheap_buffer_origin(const struct dmaheap_buffer *buffer);
/* The heap that served; "udmabuf"; NULL of one that was imported. */
const char *dmaheap_buffer_heap(const struct dmaheap_buffer *buffer);
/* 0: it has the name that was wanted; else the negative errno of naming it. */
int dmaheap_buffer_name_status(const struct dmaheap_buffer *buffer);
/* -ENAMETOOLONG; -EINVAL, -ENOTTY: the kernel does not name buffers */
int dmaheap_buffer_set_name(struct dmaheap_buffer *buffer, const char *name);
/* Of stat(): the same for all fds of a buffer. */
ino_t dmaheap_buffer_inode(const struct dmaheap_buffer *buffer);

/*
 * All of it, by large pages where that can be; the same address until it is unmapped.  -EINVAL;
 * -EBUSY: it is mapped, otherwise; -EACCES: the fd does not allow it; -EPERM: it is protected;
 * -ENOMEM
 */
int dmaheap_buffer_map(struct dmaheap_buffer *buffer, unsigned int access, void **bytes);
/* -EINVAL: it is not mapped; -EPROTO: an access is open */
int dmaheap_buffer_unmap(struct dmaheap_buffer *buffer);

/*
 * The CPU's accesses, of all bytes or, where the heap has it, of a part.  begin waits for devices.
 * -EINVAL; -EPROTO: an end that has no begin; -EOPNOTSUPP: of a part, for this buffer; -EPERM: it is
 * protected; -ENOMEM; -ENODEV
 */
int dmaheap_buffer_begin(struct dmaheap_buffer *buffer, unsigned int access);
int dmaheap_buffer_end(struct dmaheap_buffer *buffer, unsigned int access);
int dmaheap_buffer_begin_part(struct dmaheap_buffer *buffer, unsigned int access,
			      size_t offset, size_t size);
int dmaheap_buffer_end_part(struct dmaheap_buffer *buffer, unsigned int access, size_t offset,
			    size_t size);

/* ---- sharing: dmaheap_sharing(3) ---- */

/*
 * Until devices have done with it: who wants to read waits for those that write, who wants to write
 * for all.  @timeout in milliseconds, -1: for ever.  -ETIMEDOUT; -EINVAL
 */
int dmaheap_buffer_wait(struct dmaheap_buffer *buffer, unsigned int access, int timeout);
/* A sync file of what there is to wait for; the caller's.  -ENOTTY: not by this kernel; -EMFILE */
int dmaheap_buffer_export_fence(struct dmaheap_buffer *buffer, unsigned int access, int *fd);
/* Others wait for it from now on; the fd stays the caller's.  -ENOTTY; -EINVAL: no sync file */
int dmaheap_buffer_import_fence(struct dmaheap_buffer *buffer, unsigned int access, int fd);

/* By a Unix socket.  -ENOTSOCK, -EAFNOSUPPORT: no Unix socket; -EPIPE, -EAGAIN of one that does not block, ... */
int dmaheap_buffer_send(struct dmaheap_buffer *buffer, int socket);
/* -EPROTO: not what dmaheap_buffer_send() sends; -ECONNRESET: nobody sends any more; -EAGAIN, ... */
int dmaheap_buffer_receive(struct dmaheap *context, int socket,
			   struct dmaheap_buffer **buffer);

/* ---- looking: dmaheap_look(3) ---- */

/* What a look lacks. */
enum dmaheap_gap {
	DMAHEAP_GAP_UNREADABLE = 1 << 0, /* processes that this one may not read */
	DMAHEAP_GAP_PROC = 1 << 1,	 /* /proc could not be read, or does not list all */
	DMAHEAP_GAP_NAMESPACE = 1 << 2,	 /* processes of other PID namespaces */
	DMAHEAP_GAP_UNHELD = 1 << 3,	 /* no dma_buf/bufinfo, which lists all buffers */
	DMAHEAP_GAP_LINES = 1 << 4,	 /* lines in debugfs that are not understood */
};

/* Where something was found. */
enum dmaheap_source {
	DMAHEAP_SOURCE_DMAHEAP = 1 << 0, /* debugfs: dmaheap/buffers */
	DMAHEAP_SOURCE_BUFINFO = 1 << 1, /* debugfs: dma_buf/bufinfo */
	DMAHEAP_SOURCE_FDINFO = 1 << 2,	 /* fds in /proc */
	DMAHEAP_SOURCE_MAPS = 1 << 3,	 /* mappings in /proc */
};

/**
 * struct dmaheap_holder - a process that holds a buffer
 * @pid:	its number
 * @started:	when, in ticks since the system did: another process may get its number later.
 *		0: not known
 * @command:	its name
 * @fds:	how many of its fds are the buffer
 * @mappings:	how many mappings
 * @mapped:	bytes of these, together
 */
struct dmaheap_holder {
	pid_t pid;
	uint64_t started;
	const char *command;
	unsigned int fds;
	unsigned int mappings;
	uint64_t mapped;
};

/**
 * struct dmaheap_buffer_info - a buffer of the system
 * @inode:	by which it is told from others
 * @size:	bytes; 0: not known
 * @share:	bytes for each of the processes that hold it: its proportional size
 * @name:	that somebody gave it, or NULL
 * @exporter:	who made it, or NULL: not known
 * @heap:	that it came from, or NULL: not known
 * @allocator:	process that allocated it; 0: not known
 * @command:	that process's name then, or NULL
 * @holders:	processes that are seen to hold it, by pid.  None: it is in flight, or a driver's,
 *		or that of a process that could not be read
 * @holders_count: how many
 * @devices:	that are attached, each as "driver:device"
 * @devices_count: how many
 * @kernel_mappings: of drivers that work by the CPU; 0 also if not known
 * @sources:	&enum dmaheap_source
 */
struct dmaheap_buffer_info {
	uint64_t inode;
	uint64_t size;
	uint64_t share;
	const char *name;
	const char *exporter;
	const char *heap;
	pid_t allocator;
	const char *command;
	const struct dmaheap_holder *holders;
	size_t holders_count;
	const char *const *devices;
	size_t devices_count;
	unsigned int kernel_mappings;
	unsigned int sources;
};

/*
 * All buffers, or with a @pid only those that the process holds.  -ESRCH: there is no such process;
 * -ENOMEM, -EMFILE, -ENFILE; -EACCES: nothing can be read at all
 */
int dmaheap_look(struct dmaheap *context, pid_t pid, struct dmaheap_look **look);
void dmaheap_look_free(struct dmaheap_look *look);
size_t dmaheap_look_count(const struct dmaheap_look *look);
/* By inode.  NULL: there are not so many */
const struct dmaheap_buffer_info *dmaheap_look_get(const struct dmaheap_look *look, size_t i);
const struct dmaheap_buffer_info *dmaheap_look_find(const struct dmaheap_look *look,
						    uint64_t inode);
/* Sources that could be read; what only others know is not in it. */
unsigned int dmaheap_look_sources(const struct dmaheap_look *look);
/* Processes that could not be read, as this one may not. */
unsigned int dmaheap_look_unreadable(const struct dmaheap_look *look);
/* &enum dmaheap_gap */
unsigned int dmaheap_look_gaps(const struct dmaheap_look *look);
/* Whether there are none: all buffers and all processes that hold them are in it. */
bool dmaheap_look_is_complete(const struct dmaheap_look *look);
/* "debugfs", "bufinfo", "fdinfo", "maps", joined by commas; snprintf()'s result */
int dmaheap_sources_print(unsigned int sources, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* DMAHEAP_H */
