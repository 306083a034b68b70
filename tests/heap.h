/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests do with heaps, buffers and the test device; each ends the test on failure. */
#ifndef HEAP_H
#define HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "../kernel/test/test.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)

/* The heap under test: $HEAP, or our "system", whatever its node is called here. */
const char *heap_name(void);
const char *heap_node(void);
int heap_open(void);

/* From now on that one, if there is such here; else the test is skipped. */
void heap_use(const char *name);

/* What is to be expected of a heap; without ".dmaheap". */
struct heap_kind {
	const char *name;
	const char *modules[3];	   /* to unload, in this order; NULL ends */
	uint64_t size;		   /* of its region; 0: it takes from all of memory */
	uint64_t chunk;		   /* what all buffers are made of; 0: pages */
	uint64_t longest;	   /* of its chunks; 0: a buffer is one */
	bool uncached;		   /* the CPU maps it write-combined */
	bool uncounted;		   /* its pages are not counted one by one, if there are any */
	bool counted_behind_iommu; /* but they are, if its device is behind one */
	bool is_protected;	   /* the CPU does not get at it */
	bool late;		   /* memory comes with the first access */
	bool shared;		   /* of its region, others may have borrowed some */
	bool owner_may_go;	   /* the first of its modules is a driver, not the heap's */
};

/* All that we publish, whether or not it is there; a name of NULL ends. */
extern const struct heap_kind heap_kinds[];
/* Of the heap under test. */
const struct heap_kind *heap_kind(void);
/* Whether devices must reach it by themselves: then it is at attach that they fail. */
bool heap_is_direct(void);
/* Whether what is mapped cannot be handed to the kernel. */
bool heap_is_uncounted(void);
/* What a buffer's size is, if that was asked for. */
uint64_t heap_rounded(uint64_t len);

/* Allocates, and returns -1 and errno on failure. */
int heap_try(int heap, uint64_t len);
/* Allocates from the heap under test. */
int heap_buffer(uint64_t len);

/* Maps all of a buffer, or ends the test. */
void *buffer_map(int fd, size_t len);
void buffer_sync(int fd, uint64_t flags);
/* An access of the CPU begins or ends: DMA_BUF_SYNC_READ, _WRITE, _RW. */
void cpu_begin(int fd, uint64_t flags);
void cpu_end(int fd, uint64_t flags);
unsigned long buffer_inode(int fd);

/* Bytes that are different at each place, and differ by seed. */
void fill(void *bytes, size_t len, uint64_t offset, uint32_t seed);
bool is_filled(const void *bytes, size_t len, uint64_t offset, uint32_t seed);
bool is_zero(const void *bytes, size_t len);

/* The line of a buffer in the exporter's table; false if there is none. */
bool table_line(int fd, char *line, size_t size);
/* Buffers in the exporter's table. */
int table_length(void);

/* A number of /proc/meminfo, in bytes; -1, or the end of the test: there is none. */
long long meminfo_try(const char *key);
long long meminfo(const char *key);

/*
 * Memory that can be had, also what lies on the lists of single CPUs; in bytes.  Pools give theirs
 * back first.
 */
long long available(void);

/* Memory without a mapping, of which pages are given back without a word to any TLB; its fd. */
int memory_hold(size_t len);
/*
 * So much of it that only @rest can be had at once.  What lies on the lists of single CPUs is not
 * there for everybody: it may be taken, or be left besides.
 */
int memory_hold_all_but(size_t rest);

/* The sum of the numbers that a format, with one %lld, finds in the lines of a file. */
long long sum_of(const char *path, const char *format);

/* Pages that the kernel has given out since it started. */
long long pages_given_out(void);

/* Whether the kernel runs with a parameter. */
bool cmdline_has(const char *word);

/* Modules; with the parameters that the machine was started with.  Returns 0, or -1 and errno. */
int module_load(const char *name);
/* What it was loaded with when the machine was started; "": nothing */
void module_parameters(const char *name, char *parameters, size_t size);
int module_unload(const char *name);
/* modprobe with other parameters; whether it succeeded. */
bool module_try(const char *name, const char *parameters);
/* Unloads it, if it is loaded. */
void module_drop(const char *name);

/* Has the kernel said this since the test began? */
bool log_says(const char *text);

/* ---- the test device ---- */

int device_open(void); /* an importer without a device yet */
int device_new(unsigned int mask_bits, unsigned int max_segment);
uint32_t device_attach(int device, int fd);
/* Attaches and maps; returns 0, or -1 and errno of whatever failed. */
int device_try(int device, int fd, struct dmaheap_test_map *map);
/* A platform device, or the test is skipped: none can have such a mask here. */
int device_of_bits(unsigned int mask_bits);
uint32_t device_attach_and_map(int device, int fd);
/* What the kernel calls it. */
const char *device_name(int device);
void device_detach(int device, uint32_t id);
struct dmaheap_test_map device_map(int device, uint32_t id, uint32_t direction);
void device_unmap(int device, uint32_t id, uint32_t direction);
void device_read(int device, uint32_t id, uint64_t offset, void *bytes, size_t len);
void device_write(int device, uint32_t id, uint64_t offset, const void *bytes, size_t len);

/* Whether the devices tested with are PCI devices behind an IOMMU: $BUS is pci. */
bool behind_iommu(void);

enum dmaheap_test_bus device_bus(void);

/* Whether the devices tested with are all behind bounce buffers; no IOMMU's are. */
bool all_bounced(void);

/* A device of a kind; returns -1 and errno on failure. */
int device_of(enum dmaheap_test_coherency coherency, unsigned int mask_bits);

/* A job of the device, by the calls for drivers. */
void device_begin(int device, uint32_t id, uint32_t direction);
void device_end(int device, uint32_t id, uint32_t direction);

/* What the kernel has done to caches and bounce buffers so far; false: nobody sees it. */
bool witness(struct dmaheap_test_witness *seen);

/*
 * Allocates from the heap under test, and gives the buffer caches that show in its bytes when
 * their maintenance is forgotten, where devices need it.
 */
int cached_buffer(uint64_t len);
/* Whether it does. */
bool has_caches(void);
void evict(uint64_t seed);

/* A number of the heap under test in sysfs. */
uint64_t heap_counter(const char *name);

/* The pool of the heap under test: a number, all that it has, and writing; -1 and errno. */
bool heap_has_pool(void);
uint64_t pool_number(const char *name);
uint64_t pool_size(void);
/* Waits until nothing in the pool is left to be zeroed. */
void pool_settle(void);
int pool_try(const char *name, const char *text);
/* All pools give everything back. */
void pools_drain(void);
/* How much all pools keep together, in bytes. */
uint64_t pool_max(void);
void pool_set_max(uint64_t bytes);

/* Begins or ends an access of the CPU to a part, by DMA_HEAP_IOCTL_SYNC. */
void part_sync(int fd, uint64_t flags, uint64_t offset, uint64_t len);

/* Another driver: vgem, or the test is skipped; and a dma-buf of its own. */
int vgem_open(void);
int foreign_buffer(uint64_t len);

/* A number in a file; ends the test if there is none. */
uint64_t file_number(const char *path);
void file_write(const char *path, const char *text);

/* enum dma_data_direction */
enum { BOTH_WAYS, TO_DEVICE, FROM_DEVICE };

#endif /* HEAP_H */
