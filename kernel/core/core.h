/* SPDX-License-Identifier: GPL-2.0-only */
/* dmaheap_core: what its files know of each other. */
#ifndef _DMAHEAP_CORE_H
#define _DMAHEAP_CORE_H

#include <linux/atomic.h>
#include <linux/cdev.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-direction.h>
#include <linux/dma-heap-buffer.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/pgtable.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>

#include "charge.h"
#include "ownership.h"

/* How many sizes of chunks there can be. */
#define DMAHEAP_MAX_ORDERS 8

struct dmaheap_pool;
struct seq_file;

/**
 * enum dmaheap_count - bytes that are counted, per buffer and per heap
 * @DMAHEAP_CLEANED:	written from the caches to memory
 * @DMAHEAP_INVALIDATED: dropped from the caches
 * @DMAHEAP_BOUNCED:	copied to or from bounce buffers
 * @DMAHEAP_EVERYWHERE:	what all three would be together if each map, unmap and CPU access
 *			synced for each device mapped
 * @DMAHEAP_NR_COUNTS:	how many there are
 */
enum dmaheap_count {
	DMAHEAP_CLEANED,
	DMAHEAP_INVALIDATED,
	DMAHEAP_BOUNCED,
	DMAHEAP_EVERYWHERE,
	DMAHEAP_NR_COUNTS
};

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
 * @lock_key:	each heap's lock is of a class of its own
 * @ops:	NULL once the heap is removed
 * @granule:	bytes that sizes of its buffers are multiples of
 * @bytes:	of all its buffers ever, by &enum dmaheap_count
 * @pool:	pages for buffers to come, or NULL
 * @users:	what each user has
 */
struct dma_heap {
	struct device dev;
	struct cdev cdev;
	struct module *owner;
	void *priv;
	const char *name;
	struct list_head link;
	struct rw_semaphore lock;
	struct lock_class_key lock_key;
	const struct dma_heap_ops *ops;
	size_t granule;
	atomic64_t bytes[DMAHEAP_NR_COUNTS];
	struct dmaheap_pool *pool;
	struct dmaheap_users users;
};

/**
 * struct dmaheap_mapping - a buffer as one device sees it
 * @link:	in the buffer's list of mappings
 * @dev:	the device
 * @sgt:	made at the first map, kept until detach
 * @handed_out:	the same list as importers get it
 * @resources:	whether it was mapped piece by piece, there being no pages
 * @bounced:	bytes of the buffer that are behind a bounce buffer
 * @coherent:	whether the device snoops the caches
 * @contiguous:	whether its driver has said that it cannot scatter; under the buffer's making
 *		lock
 * @place:	where the device's accesses are; NULL until all is made
 * @copy:	that place, if the mapping is bounced
 * @brackets:	whether its driver says when a job begins and ends: then its mappings say
 *		nothing of it
 * @open:	the device's accesses, begun and not ended, by kind
 *
 * Freed at detach.  What comes before @place is made under the buffer's making lock and
 * does not change any more; the rest is protected by its lock.
 */
struct dmaheap_mapping {
	struct list_head link;
	struct device *dev;
	struct sg_table sgt;
	struct sg_table handed_out;
	bool resources;
	size_t bounced;
	bool coherent;
	bool contiguous;
	struct dmaheap_place *place;
	struct dmaheap_place copy;
	bool brackets;
	unsigned int open[DMAHEAP_NR_ACCESS_KINDS];
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
 * struct dmaheap_memory - the memory of a buffer, which can outlive it in a pool
 * @link:	in the pool's list of what was given back and not yet sorted
 * @given:	when it was given back, as dmaheap_pool_now() has it
 * @sorted:	how many of its chunks the pool has taken over since
 * @charged:	whether its pages are somebody's memory cgroup's: then it is not kept
 * @room:	how many chunks there is room for
 * @nr:		how many there are
 * @chunks:	in order
 */
struct dmaheap_memory {
	struct list_head link;
	unsigned long given;
	unsigned int sorted;
	bool charged;
	unsigned int room;
	unsigned int nr;
	struct dmaheap_chunk chunks[];
};

/**
 * struct dmaheap_announcement - memory that somebody is about to take
 * @pages:	how much
 * @anywhere:	whether it does not matter which nodes the task may have memory from
 * @nid:	the only one of these, or NUMA_NO_NODE; as long as there are any @pages
 * @payer:	memory cgroup that it will be charged to, counted by the buffer that it is for, or NULL
 */
struct dmaheap_announcement {
	unsigned long pages;
	bool anywhere;
	int nid;
	struct mem_cgroup *payer;
};

/**
 * struct dma_heap_buffer - what stands behind a dma-buf of the exporter
 * @heap:	where it came from; counted
 * @ops:	how its memory is given back
 * @size:	bytes, whole pages
 * @priv:	the heap's own data
 * @region:	where the memory is from, if from a region
 * @cpu:	how the CPU gets at the memory; settled with it
 * @pages:	what the kernel knows of the memory; settled with it
 * @memory:	NULL as long as it is not settled, and never changes afterwards: it is settled when
 *		the dma-buf exists or, of heaps that populate late, under @making
 * @pooled:	whether the memory goes to the heap's pool
 * @ahead:	whether all of it came zeroed and, where devices do not snoop, is in memory, not
 *		in caches
 * @scattered:	whether it was the CPU that wanted the memory, if that is chosen late
 * @making:	held while memory is settled and mappings are made, of devices and of the
 *		kernel; taken inside the dma-buf's reservation lock
 * @vaddr:	kernel mapping, or NULL; under @making
 * @announced:	of the whole of memory; under @making
 * @lock:	protects what follows; taken inside @making.  Nothing is allocated under it:
 *		jobs end under it whose fences reclaim of memory may wait for
 * @mappings:	&struct dmaheap_mapping, one per attachment
 * @ownership:	where the newest bytes are
 * @cache:	mapping by which the caches are maintained; NULL until a device needs that
 * @cpu_open:	accesses of the CPU, begun and not ended, by kind: 0 to all of the buffer, 1 to
 *		parts
 * @bytes:	what was done, by &enum dmaheap_count
 * @checked:	&struct dmaheap_bracket: what the checker knows of open accesses
 * @link:	in the list of all buffers or, when it is gone, of those that linger; under its lock
 * @unheld:	bytes from its start that nobody else has any more, when it is gone
 * @dmabuf:	the dma-buf; this buffer is freed by its release
 * @ino:	inode number of @dmabuf
 * @paid:	whether somebody pays for it; who makes it so has @charge to itself, and no lock
 * @charge:	what that is
 * @payer:	memory cgroup that its pages are charged to, counted, or NULL
 * @pid:	who allocated it, in the initial namespace
 * @comm:	and by what name
 */
struct dma_heap_buffer {
	struct dma_heap *heap;
	const struct dma_heap_buffer_ops *ops;
	size_t size;
	void *priv;
	struct dma_heap_region *region;
	enum dma_heap_cpu cpu;
	enum dma_heap_pages pages;
	struct dmaheap_memory *memory;
	bool pooled;
	bool ahead;
	bool scattered;

	struct mutex making;
	void *vaddr;
	struct dmaheap_announcement announced;

	struct mutex lock;
	struct list_head mappings;
	struct dmaheap_ownership ownership;
	struct dmaheap_mapping *cache;
	unsigned int cpu_open[2][DMAHEAP_NR_ACCESS_KINDS];
	u64 bytes[DMAHEAP_NR_COUNTS];
	struct list_head checked;

	struct list_head link;
	size_t unheld;
	struct dma_buf *dmabuf;
	unsigned long ino;
	atomic_t paid;
	struct dmaheap_charge charge;
	struct mem_cgroup *payer;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/**
 * struct dmaheap_segment_limits - what one segment of a device's scatter list must respect
 * @max:	bytes, whole pages
 * @boundary:	a segment does not cross a multiple of this, plus 1
 */
struct dmaheap_segment_limits {
	size_t max;
	unsigned long boundary;
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
size_t dmaheap_rounded(const struct dma_heap *heap, size_t len);

/* buffer.c: memory of a buffer */
int dmaheap_reserve(struct dma_heap_buffer *buffer, unsigned int room);
void dmaheap_buffer_destroy(struct dma_heap_buffer *buffer);
int dmaheap_settle(struct dma_heap_buffer *buffer);
int dmaheap_settle_for_cpu(struct dma_heap_buffer *buffer);
struct dma_heap_buffer *dmaheap_buffer_of(const struct dma_buf *dmabuf);
int dmaheap_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir,
			     size_t offset, size_t len);
int dmaheap_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir, size_t offset,
			   size_t len);

/* linger.c: when it is gone, and somebody still has some */
bool dmaheap_linger(struct dma_heap_buffer *buffer);
void dmaheap_linger_show(struct seq_file *file);
void dmaheap_linger_exit(void);

/* limits.c: what devices can take */
int dmaheap_segment_limits(const struct dma_heap_buffer *buffer, struct device *dev,
			   struct dmaheap_segment_limits *limits);
size_t dmaheap_next_segment(const struct dma_heap_buffer *buffer, size_t offset,
			    const struct dmaheap_segment_limits *limits, phys_addr_t *phys);
struct iommu_domain *dmaheap_translation_of(struct device *dev);
int dmaheap_check_reachable(const struct dma_heap_buffer *buffer, struct device *dev,
			    const struct dmaheap_segment_limits *limits);
int dmaheap_check_contiguous(const struct dma_heap_buffer *buffer,
			     const struct dmaheap_mapping *mapping);
int dmaheap_check_fit(const struct dma_heap_buffer *buffer,
		      const struct dmaheap_mapping *mapping);

/* available.c: how much of it may be taken */
bool dmaheap_is_plenty_free(unsigned long pages);
void dmaheap_usable_nodes(nodemask_t *nodes);
int dmaheap_announce(struct dmaheap_announcement *mine, unsigned long pages,
		     unsigned long pooled);
void dmaheap_taken(struct dmaheap_announcement *mine, unsigned long pages);
void dmaheap_available_exit(void);

/* pages.c: memory of the machine */
extern unsigned int dmaheap_orders[DMAHEAP_MAX_ORDERS];
extern unsigned int dmaheap_nr_orders;
int dmaheap_pages_init(void);
unsigned int dmaheap_order_index(unsigned int order);
int dmaheap_pool_fill(struct dmaheap_pool *pool, size_t len);
int dmaheap_pool_top_up(struct dmaheap_pool *pool, size_t len, int nid);
struct page *dmaheap_alloc_below(phys_addr_t highest, unsigned int order, gfp_t gfp);
struct page *dmaheap_alloc_range(unsigned long nr, phys_addr_t highest, bool patient);

/* mapping.c: the buffer as devices see it */
bool dmaheap_has_pages(const struct dma_heap_buffer *buffer);
int dmaheap_mapping_make(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping);
void dmaheap_mapping_unmake(struct dmaheap_mapping *mapping);
size_t dmaheap_mapping_bounced(struct dma_heap_buffer *buffer,
			       const struct dmaheap_mapping *mapping, size_t offset,
			       size_t len);
int dmaheap_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment);
void dmaheap_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment);
struct sg_table *dmaheap_map(struct dma_buf_attachment *attachment,
			     enum dma_data_direction dir);
void dmaheap_unmap(struct dma_buf_attachment *attachment, struct sg_table *sgt,
		   enum dma_data_direction dir);

/* mmap.c: the buffer as processes see it */
int dmaheap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* cache.c: cache maintenance and bounce copies */
int dmaheap_cache_init(void);
void dmaheap_cache_exit(void);
int dmaheap_cache_prepare(struct dma_heap_buffer *buffer);
void dmaheap_cache_forget(struct dma_heap_buffer *buffer);
int dmaheap_cache_ahead(struct dmaheap_pool *pool, struct page *chunk);
void dmaheap_cache_work(struct dma_heap_buffer *buffer, const struct dmaheap_work *work,
			size_t offset, size_t len);
void dmaheap_count(struct dma_heap_buffer *buffer, enum dmaheap_count count, u64 bytes);

/* access.c: accesses that begin and end */
int dmaheap_pass_caches(struct dma_heap_buffer *buffer);
void dmaheap_was_cleaned(struct dma_heap_buffer *buffer);
pgprot_t dmaheap_cpu_prot(const struct dma_heap_buffer *buffer, pgprot_t prot);
void dmaheap_begin_mapped(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			  enum dma_data_direction dir);
void dmaheap_end_mapped(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			enum dma_data_direction dir);
void dmaheap_end_all(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping);
void dmaheap_begin_vmap(struct dma_heap_buffer *buffer);
void dmaheap_end_vmap(struct dma_heap_buffer *buffer);
void dmaheap_begin_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir,
		       size_t offset, size_t len);
void dmaheap_end_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir,
		     size_t offset, size_t len);

/* statistics.c: in sysfs */
const struct attribute_group **dmaheap_statistics_of(const struct dma_heap *heap);
u64 dmaheap_skipped(u64 cleaned, u64 invalidated, u64 bounced, u64 everywhere);

/* debugfs.c: looking at what there is */
void dmaheap_debugfs_init(void);
void dmaheap_debugfs_exit(void);
void dmaheap_debugfs_add(struct dma_heap_buffer *buffer);
void dmaheap_debugfs_del(struct dma_heap_buffer *buffer);
void dmaheap_show_word(struct seq_file *file, const char *word);

#endif /* _DMAHEAP_CORE_H */
