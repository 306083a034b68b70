/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * dmaheap_test: what a test can make the kernel do, by ioctls on /dev/dmaheap_test.
 *
 * An open file is one importer.  It may have one device, any number of attachments, one
 * heap that it holds, and heaps that it has published; all of them go when it is closed.
 */
#ifndef _DMAHEAP_TEST_H
#define _DMAHEAP_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMAHEAP_TEST_NODE "/dev/dmaheap_test"

enum dmaheap_test_coherency {
	DMAHEAP_TEST_COHERENCY_DEFAULT, /* the platform's */
	DMAHEAP_TEST_COHERENT,		/* snoops the CPU's caches */
	DMAHEAP_TEST_NONCOHERENT,	/* does not; EOPNOTSUPP where all devices do */
};

enum dmaheap_test_bus {
	DMAHEAP_TEST_PLATFORM, /* a device made for this */
	DMAHEAP_TEST_PCI,      /* one of QEMU's pci-testdev, which an IOMMU may be before */
};

/*
 * Makes the file's device.  EBUSY: it has one.  EIO: no device can have such a mask.  ENODEV:
 * no such PCI device is left.
 */
struct dmaheap_test_device {
	__u32 mask_bits; /* of the DMA mask, 1 to 64 */
	__u32 coherency;
	__u32 max_segment; /* bytes, 0: leave as it is */
	__u32 bus;
	__u64 boundary; /* mask, as for dma_set_seg_boundary(); 0: leave as it is */
};
#define DMAHEAP_TEST_DEVICE _IOW('T', 0x00, struct dmaheap_test_device)

/* Attaches a dma-buf to the device. */
struct dmaheap_test_attach {
	__s32 fd;
	__u32 id; /* out: names the attachment from now on */
};
#define DMAHEAP_TEST_ATTACH _IOWR('T', 0x01, struct dmaheap_test_attach)
#define DMAHEAP_TEST_DETACH _IOW('T', 0x02, __u32)

/* Maps and unmaps an attachment; both may be done more than once. */
struct dmaheap_test_map {
	__u32 id;
	__u32 direction; /* enum dma_data_direction */
	__u32 segments;	 /* out, of map */
	__u32 longest;	 /* out: bytes of the longest segment */
	__u64 first;	 /* out: DMA address of the first segment */
	__u64 table;	 /* out: tells one scatter list from another */
	__u32 crossings; /* out: segments that cross the device's boundary */
	__u32 shortest;	 /* out: bytes of the shortest segment */
	__u64 alignment; /* out: what all segments are aligned to, a power of two */
	__u64 last;	 /* out: the highest DMA address of a byte */
};
#define DMAHEAP_TEST_MAP _IOWR('T', 0x03, struct dmaheap_test_map)
#define DMAHEAP_TEST_UNMAP _IOWR('T', 0x04, struct dmaheap_test_map)

/* Reads or writes bytes of a mapped attachment as the device sees them. */
struct dmaheap_test_access {
	__u32 id;
	__u32 write;
	__u64 offset;
	__u64 len;
	__u64 bytes; /* address */
};
#define DMAHEAP_TEST_ACCESS _IOW('T', 0x05, struct dmaheap_test_access)

/* Finds a heap by name and holds it; the heap held before is put.  ENOENT: no such heap. */
struct dmaheap_test_heap {
	char name[64]; /* HOLD: out: what dma_heap_get_name() says */
};
#define DMAHEAP_TEST_HOLD _IOWR('T', 0x06, struct dmaheap_test_heap)

/* Allocates from the heap held, by dma_heap_buffer_alloc().  ENOENT: none is held. */
struct dmaheap_test_alloc {
	__u64 len;
	__u64 heap_flags;
	__u32 fd_flags;
	__s32 fd; /* out */
};
#define DMAHEAP_TEST_ALLOC _IOWR('T', 0x07, struct dmaheap_test_alloc)

/*
 * Publishes a heap, or removes such a one.  It allocates from the heap held, which it then holds
 * instead of the file; if none is held, it has nothing (ENOMEM).
 */
#define DMAHEAP_TEST_ADD _IOW('T', 0x08, struct dmaheap_test_heap)
#define DMAHEAP_TEST_REMOVE _IOW('T', 0x09, struct dmaheap_test_heap)

/* Reads or writes bytes of a dma-buf by dma_buf_vmap(). */
enum dmaheap_test_vmap_flags {
	DMAHEAP_TEST_VMAP_WRITE = 1,
	DMAHEAP_TEST_VMAP_UNBRACKETED = 2, /* else within CPU access brackets */
};
struct dmaheap_test_vmap {
	__s32 fd;
	__u32 flags;
	__u64 offset;
	__u64 len;
	__u64 bytes;
};
#define DMAHEAP_TEST_VMAP _IOW('T', 0x0a, struct dmaheap_test_vmap)

/* Keeps a dma-buf mapped by dma_buf_vmap() until the file is closed.  EBUSY: it keeps one. */
#define DMAHEAP_TEST_KEEP_VMAP _IOW('T', 0x10, __s32)

/* Begins and ends a job of the device by dma_heap_begin_device_access() and its end. */
struct dmaheap_test_job {
	__u32 id;
	__u32 direction;
};
#define DMAHEAP_TEST_BEGIN _IOW('T', 0x0b, struct dmaheap_test_job)
#define DMAHEAP_TEST_END _IOW('T', 0x0c, struct dmaheap_test_job)

/*
 * What kprobes have seen of the kernel's own functions since the module was loaded, in bytes.
 * EOPNOTSUPP: they cannot be set here.
 */
struct dmaheap_test_witness {
	__u64 cleaned;	   /* arch_sync_dma_for_device() */
	__u64 invalidated; /* arch_sync_dma_for_cpu(), but for DMA_TO_DEVICE */
	__u64 copied_in;   /* swiotlb_sync_single_for_device() */
	__u64 copied_out;  /* swiotlb_sync_single_for_cpu() */
};
#define DMAHEAP_TEST_WITNESS _IOR('T', 0x0d, struct dmaheap_test_witness)

/*
 * Gives a dma-buf, which must be new, a memory behind caches: an emulator has none.  From
 * now on devices that do not snoop read and write that memory instead of the pages, which
 * are what the caches hold, and only cache maintenance moves lines between both.  Ends when
 * the file is closed.  EOPNOTSUPP: all devices snoop.  E2BIG: it is of more than 64 MiB.
 */
#define DMAHEAP_TEST_SHADOW _IOW('T', 0x0e, __s32)

/* Drops lines of all such caches, dirty ones after writing them back: by chance, but as the
 * seed says.
 */
#define DMAHEAP_TEST_EVICT _IOW('T', 0x0f, __u64)

/* Says of an attachment that the device cannot scatter, by dma_heap_require_contiguous(). */
#define DMAHEAP_TEST_REQUIRE_CONTIGUOUS _IOW('T', 0x11, __u32)

/* What the file's device is called, and what it has done.  ENODEV: it has none. */
struct dmaheap_test_name {
	char name[64];
	__u32 let_go;	   /* mappings, when it was suspended */
	__u32 taken_again; /* of these, when it was resumed */
};
#define DMAHEAP_TEST_NAME _IOR('T', 0x12, struct dmaheap_test_name)

/*
 * How much of memory the kernel's own mapping does not have cached, in bytes.  EOPNOTSUPP: on
 * this architecture that does not change.
 */
#define DMAHEAP_TEST_UNCACHED _IOR('T', 0x13, __u64)

/* Begins to read a dma-buf by dma_buf_begin_cpu_access(), and leaves that open. */
#define DMAHEAP_TEST_LEAVE_OPEN _IOW('T', 0x14, __s32)

#endif /* _DMAHEAP_TEST_H */
