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
 * ENOMEM no memory for a buffer of this size, or more than the heap ever gives, or than who
 *        asks may have of all heaps
 * EDQUOT more than each user may have of this heap
 * EINTR  a fatal signal came while the memory was being collected
 * EMFILE the process has no file descriptor left (ENFILE: nor has the system)
 * EFAULT @data cannot be read or written; no file descriptor is left behind
 * ENODEV the heap was removed after it had been opened, or its module is being unloaded
 * EAGAIN the heap's module is still being loaded; call again
 * ENOTTY the ioctl is none of these
 * ====== =====================================================================
 *
 * A heap of protected memory may pass on another error of whatever protects it.
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

/**
 * DOC: syncing a part of a buffer
 *
 * An extension of dmaheap: what %DMA_BUF_IOCTL_SYNC does for all of a buffer,
 * ioctl(heap, %DMA_HEAP_IOCTL_SYNC, &data) does for a part of it, at a part of the cost.
 * The buffer may be of any heap of dmaheap.  An access to a part is begun and ended by
 * the same values but for %DMA_BUF_SYNC_START and %DMA_BUF_SYNC_END; in between, only
 * that part may be touched.
 *
 * The call returns 0, or -1 and sets errno:
 *
 * ====== =====================================================================
 * EINVAL @len is 0, the part is not within the buffer, @flags holds an unknown bit or
 *        neither of %DMA_BUF_SYNC_READ and %DMA_BUF_SYNC_WRITE, @pad is not 0, @fd is
 *        no dma-buf or not one of dmaheap, or the caller's structure is shorter
 * EBADF  @fd is not open
 * EINTR  a signal came while a device was still writing; call again
 * EPERM  the CPU may not get at the memory of this buffer
 * ENOMEM the heap takes memory with the first access, and there is none
 * EFAULT @data cannot be read
 * ENODEV the heap was removed after it had been opened
 * ====== =====================================================================
 */

/**
 * struct dma_heap_sync_data - begin or end an access of the CPU to a part of a buffer
 * @fd:		the dma-buf
 * @pad:	0
 * @flags:	as in struct dma_buf_sync
 * @offset:	where the part starts, in bytes
 * @len:	bytes
 */
struct dma_heap_sync_data {
	__s32 fd;
	__u32 pad;
	__u64 flags;
	__u64 offset;
	__u64 len;
};

/* Begins or ends an access to a part; see "syncing a part of a buffer". */
#define DMA_HEAP_IOCTL_SYNC _IOW(DMA_HEAP_IOC_MAGIC, 0x80, struct dma_heap_sync_data)

#endif /* _UAPI_LINUX_DMA_HEAP_H */
