/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * BufferAllocatorWrapper.h: Android's interface to DMA-BUF heaps, for C, on libdmaheap.
 *
 * Functions return what is said of them or a negative errno, and then have set errno as well.  An
 * allocator can be used by several threads at once.  libdmabufheap(7) says more.
 */
#ifndef BUFFER_ALLOCATOR_WRAPPER_H
#define BUFFER_ALLOCATOR_WRAPPER_H

#include <stdbool.h>
#include <sys/types.h>

#include <BufferAllocator/dmabufheap-defs.h>

#ifdef __cplusplus
class BufferAllocator;
extern "C" {
#else
typedef struct BufferAllocator BufferAllocator;
#endif

/* NULL: no memory */
BufferAllocator *CreateDmabufHeapBufferAllocator(void);
/* Buffers live on. */
void FreeDmabufHeapBufferAllocator(BufferAllocator *allocator);

/*
 * A buffer of @len bytes, rounded up to whole pages; its fd, which is the caller's.  The flags and
 * the alignment in bytes are for ION alone.  -EINVAL, -ENOMEM, -ENOENT: no such heap; -ENOSYS: no
 * heaps; -EACCES, -EMFILE, and what else a heap says
 */
int DmabufHeapAlloc(BufferAllocator *allocator, const char *heap_name, size_t len,
		    unsigned int heap_flags, size_t legacy_align);
int DmabufHeapAlloc2(BufferAllocator *allocator, const char *heap_name, size_t len,
		     unsigned int heap_flags);
/* Of "system" or, if the CPU is not to access it and there is such a heap, "system-uncached". */
int DmabufHeapAllocSystem(BufferAllocator *allocator, bool cpu_access, size_t len,
			  unsigned int heap_flags, size_t legacy_align);
int DmabufHeapAllocSystem2(BufferAllocator *allocator, bool cpu_access, size_t len,
			   unsigned int heap_flags);

/* What is longer than the kernel takes is cut off.  0, or -1 and errno */
int DmabufSetName(BufferAllocator *allocator, unsigned int dmabuf_fd, const char *name);

/*
 * Where to allocate if there is no heap of this name but /dev/ion: its heap of the other name, or,
 * if that is "" or the kernel's ION is of before 4.12, the heaps of the mask.  -ENOENT: ION has no
 * such heap; -EINVAL: the mask is 0
 */
int MapDmabufHeapNameToIonHeap(BufferAllocator *allocator, const char *heap_name,
			       const char *ion_heap_name, unsigned int ion_heap_flags,
			       unsigned int legacy_ion_heap_mask,
			       unsigned int legacy_ion_heap_flags);

/*
 * The CPU's accesses.  The function, unless it is NULL, does it for ION of before 4.12: it gets an
 * fd of /dev/ion that is closed afterwards, the buffer's and @custom_data, and its result is ours.
 */
int DmabufHeapCpuSyncStart(BufferAllocator *allocator, unsigned int dmabuf_fd,
			   SyncType sync_type, int (*legacy_ion_cpu_sync)(int, int, void *),
			   void *custom_data);
int DmabufHeapCpuSyncStart2(BufferAllocator *allocator, unsigned int dmabuf_fd,
			    SyncType sync_type);
int DmabufHeapCpuSyncEnd(BufferAllocator *allocator, unsigned int dmabuf_fd,
			 SyncType sync_type, int (*legacy_ion_cpu_sync)(int, int, void *),
			 void *custom_data);
int DmabufHeapCpuSyncEnd2(BufferAllocator *allocator, unsigned int dmabuf_fd,
			  SyncType sync_type);

/* Whether there is a /dev/ion that may be read. */
bool CheckIonSupport(void);

/* ---- not Android's: for the class in BufferAllocator.h ---- */

/* Makes and unmakes an allocator in memory of the caller's, sizeof(void *) large. */
void dmabufheap_construct(BufferAllocator *allocator);
void dmabufheap_destruct(BufferAllocator *allocator);
/* Names of all heaps, each ended by a NUL and the last followed by another; to be freed.  NULL */
char *dmabufheap_names(void);

#ifdef __cplusplus
}
#endif

#endif /* BUFFER_ALLOCATOR_WRAPPER_H */
