/* SPDX-License-Identifier: GPL-2.0-only */
/* dmaheap_core: what its files know of each other. */
#ifndef _DMAHEAP_CORE_H
#define _DMAHEAP_CORE_H

#include <linux/cdev.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-direction.h>
#include <linux/dma-heap-buffer.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>

/**
 * struct dma_heap - a published heap
 * @dev:	counts the references; its name is the node's
 * @cdev:	the node
 * @owner:	module whose code @ops is; each buffer holds it
 * @priv:	the heap's own data
 * @name:	the name the heap asked for; differs from dev_name() where the
 *		kernel's own framework has the plain one
 * @link:	in the registry, under its lock
 * @lock:	protects @ops: read around each call, written while it becomes NULL
 * @ops:	NULL once the heap is removed
 */
struct dma_heap {
	struct device dev;
	struct cdev cdev;
	struct module *owner;
	void *priv;
	const char *name;
	struct list_head link;
	struct rw_semaphore lock;
	const struct dma_heap_ops *ops;
};

/**
 * struct dmaheap_chunk - a run of physically contiguous memory of a buffer
 * @phys:	where it starts
 * @end:	offset in the buffer just behind its last byte
 */
struct dmaheap_chunk {
	phys_addr_t phys;
	size_t end;
};

/**
 * struct dma_heap_buffer - what stands behind a dma-buf of the exporter
 * @heap:	where it came from; counted
 * @ops:	how its memory is given back
 * @size:	bytes, whole pages
 * @chunks:	its memory in order; never changes once the dma-buf exists
 * @nr_chunks:	how many there are
 * @max_chunks:	how many @chunks has room for
 * @lock:	protects what follows; taken inside the dma-buf's reservation lock
 * @mappings:	&struct dmaheap_mapping, one per attachment
 * @cpu_writers:	accesses of the CPU that may write, begun and not ended
 * @vaddr:	kernel mapping, or NULL
 * @link:	in the list of all buffers, under its lock
 * @dmabuf:	the dma-buf; this buffer is freed by its release
 * @ino:	inode number of @dmabuf
 * @pid:	who allocated it, in the initial namespace
 * @comm:	and by what name
 */
struct dma_heap_buffer {
	struct dma_heap *heap;
	const struct dma_heap_buffer_ops *ops;
	size_t size;
	struct dmaheap_chunk *chunks;
	unsigned int nr_chunks;
	unsigned int max_chunks;

	struct mutex lock;
	struct list_head mappings;
	unsigned int cpu_writers;
	void *vaddr;

	struct list_head link;
	struct dma_buf *dmabuf;
	unsigned long ino;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/**
 * struct dmaheap_mapping - a buffer as one attached device sees it
 * @link:	in the buffer's list of mappings
 * @dev:	the device
 * @sgt:	made at the first map, kept until detach; @sgt.sgl is NULL before
 * @handed_out:	the same list as importers get it
 * @readers:	open accesses by which the device may read
 * @writers:	open accesses by which the device may write
 *
 * Freed at detach.  Protected by the buffer's lock.
 */
struct dmaheap_mapping {
	struct list_head link;
	struct device *dev;
	struct sg_table sgt;
	struct sg_table handed_out;
	unsigned int readers;
	unsigned int writers;
};

/* node.c: the character devices */
int dmaheap_node_init(void);
void dmaheap_node_exit(void);
int dmaheap_node_add(struct dma_heap *heap);
void dmaheap_node_del(struct dma_heap *heap);
bool dmaheap_kernel_has(const char *name);

/* heap.c: the registry */
void dmaheap_free(struct device *dev);
int dmaheap_check_request(u64 len, u32 fd_flags, u64 heap_flags);

/* buffer.c: memory of a buffer */
size_t dmaheap_buffer_chunk(const struct dma_heap_buffer *buffer, size_t offset,
			    phys_addr_t *phys);

/* mapping.c: the buffer as devices see it */
int dmaheap_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment);
void dmaheap_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment);
struct sg_table *dmaheap_map(struct dma_buf_attachment *attachment,
			     enum dma_data_direction dir);
void dmaheap_unmap(struct dma_buf_attachment *attachment, struct sg_table *sgt,
		   enum dma_data_direction dir);

/* mmap.c: the buffer as processes see it */
int dmaheap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* ownership.c: whose access sees which bytes */
void dmaheap_begin_device(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			  enum dma_data_direction dir);
void dmaheap_end_device(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			enum dma_data_direction dir);
void dmaheap_begin_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir);
void dmaheap_end_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir);

/* debugfs.c: looking at what there is */
void dmaheap_debugfs_init(void);
void dmaheap_debugfs_exit(void);
void dmaheap_debugfs_add(struct dma_heap_buffer *buffer);
void dmaheap_debugfs_del(struct dma_heap_buffer *buffer);

#endif /* _DMAHEAP_CORE_H */
