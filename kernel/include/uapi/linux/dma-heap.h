/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * dmaheap: the ABI between programs and the heaps under /dev/dma_heap/.
 */
#ifndef _UAPI_LINUX_DMA_HEAP_H
#define _UAPI_LINUX_DMA_HEAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: allocating from a heap
 *
 * Each heap is a character device, /dev/dma_heap/<heap>.  A program opens it
 * (reading rights are enough), fills in a &struct dma_heap_allocation_data,
 * calls ioctl(fd, %DMA_HEAP_IOCTL_ALLOC, &data) and finds the file descriptor
 * of a new, zeroed dma-buf in @fd.  The heap may be closed or even be removed
 * from the system afterwards: the buffer lives until its last user is gone.
 *
 * The call returns 0, or -1 and sets errno:
 *
 * ====== =====================================================================
 * EINVAL @len is 0 or cannot be rounded up to a page, @fd is not 0, @fd_flags
 *        or @heap_flags holds an unknown bit, or the caller's structure ends
 *        before @fd, so that there is no place for the answer
 * ENOMEM no memory for a buffer of this size, or more than the heap ever gives
 * EINTR  a fatal signal came while the memory was being collected
 * EMFILE the process has no file descriptor left (ENFILE: nor has the system)
 * EFAULT @data cannot be read or written; no file descriptor is left behind
 * ENODEV the heap was removed after it had been opened, or its module is being unloaded
 * ENOTTY the ioctl is none of these
 * ====== =====================================================================
 *
 * The size in an ioctl's number may differ from the structure below: what a
 * shorter one lacks reads as 0, what a longer one holds beyond is ignored.
 */

/*
 * What @fd_flags may hold: O_CLOEXEC and O_RDONLY, O_WRONLY or O_RDWR.  The fourth value
 * of O_ACCMODE, 3, gives an fd that can be passed on but neither read nor written.
 */
#define DMA_HEAP_VALID_FD_FLAGS (O_CLOEXEC | O_ACCMODE)

/* What @heap_flags may hold: nothing yet. */
#define DMA_HEAP_VALID_HEAP_FLAGS (0ULL)

/**
 * struct dma_heap_allocation_data - a request for a buffer, and the answer
 * @len:	in: bytes wanted; the buffer has whole pages
 * @fd:		in: 0; out: file descriptor of the dma-buf
 * @fd_flags:	in: O_CLOEXEC and an access mode for @fd; a mapping that can be
 *		written needs O_RDWR
 * @heap_flags:	in: 0
 */
struct dma_heap_allocation_data {
	__u64 len;
	__u32 fd;
	__u32 fd_flags;
	__u64 heap_flags;
};

#define DMA_HEAP_IOC_MAGIC 'H'

/* Allocates a buffer; see "allocating from a heap". */
#define DMA_HEAP_IOCTL_ALLOC _IOWR(DMA_HEAP_IOC_MAGIC, 0x0, struct dma_heap_allocation_data)

#endif /* _UAPI_LINUX_DMA_HEAP_H */
