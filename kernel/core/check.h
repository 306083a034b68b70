/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The checker: with dmaheap_core.check=1 it finds accesses that break the rules of ownership,
 * and reports each kind of mistake once for each importer.  Off, it is a jump not taken.
 */
#ifndef _DMAHEAP_CHECK_H
#define _DMAHEAP_CHECK_H

#include <linux/dma-direction.h>
#include <linux/jump_label.h>

struct dma_heap_buffer;
struct dmaheap_mapping;
struct seq_file;
struct vm_fault;

DECLARE_STATIC_KEY_FALSE(dmaheap_checking);

void dmaheap_checked_begin(struct dma_heap_buffer *buffer, const struct dmaheap_mapping *owner,
			   enum dma_data_direction dir, size_t offset, size_t len);
void dmaheap_checked_end(struct dma_heap_buffer *buffer, const struct dmaheap_mapping *owner,
			 enum dma_data_direction dir, size_t offset, size_t len, bool begun);
void dmaheap_checked_apart(struct dma_heap_buffer *buffer, const struct dmaheap_mapping *owner,
			   enum dma_data_direction dir);
void dmaheap_checked_unmap(struct dma_heap_buffer *buffer);
void dmaheap_checked_fault(struct dma_heap_buffer *buffer, struct vm_fault *vmf);
/* Also to forget what was noted while the checker was on. */
void dmaheap_check_gone(struct dma_heap_buffer *buffer, const struct dmaheap_mapping *owner);
void dmaheap_check_release(struct dma_heap_buffer *buffer);

void dmaheap_check_show(struct seq_file *file);
void dmaheap_check_exit(void);

static inline bool dmaheap_is_checking(void)
{
	return static_branch_unlikely(&dmaheap_checking);
}

/* Somebody begins an access; @owner is NULL for the CPU. */
static inline void dmaheap_check_begin(struct dma_heap_buffer *buffer,
				       const struct dmaheap_mapping *owner,
				       enum dma_data_direction dir, size_t offset, size_t len)
{
	if (static_branch_unlikely(&dmaheap_checking))
		dmaheap_checked_begin(buffer, owner, dir, offset, len);
}

/* Somebody ends an access; @begun says whether there was one. */
static inline void dmaheap_check_end(struct dma_heap_buffer *buffer,
				     const struct dmaheap_mapping *owner,
				     enum dma_data_direction dir, size_t offset, size_t len,
				     bool begun)
{
	if (static_branch_unlikely(&dmaheap_checking))
		dmaheap_checked_end(buffer, owner, dir, offset, len, begun);
}

/* A job ends at a device that works on a copy of its own, or that the begun one has. */
static inline void dmaheap_check_apart(struct dma_heap_buffer *buffer,
				       const struct dmaheap_mapping *owner,
				       enum dma_data_direction dir)
{
	if (static_branch_unlikely(&dmaheap_checking))
		dmaheap_checked_apart(buffer, owner, dir);
}

/* An access of the CPU has ended: whoever uses a mapping from now on shall fault. */
static inline void dmaheap_check_unmap(struct dma_heap_buffer *buffer)
{
	if (static_branch_unlikely(&dmaheap_checking))
		dmaheap_checked_unmap(buffer);
}

/* Somebody uses a mapping. */
static inline void dmaheap_check_fault(struct dma_heap_buffer *buffer, struct vm_fault *vmf)
{
	if (static_branch_unlikely(&dmaheap_checking))
		dmaheap_checked_fault(buffer, vmf);
}

#endif /* _DMAHEAP_CHECK_H */
