// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer as processes see it: its pages, counted, so that a process can also hand
 * them to the kernel again (O_DIRECT and the like); or page frames that nobody counts.
 */
#include <linux/dma-buf.h>
#include <linux/mm.h>

#include "check.h"
#include "core.h"

/* Pages entered by one call: what fits on the stack. */
#define BATCH 32

static unsigned long gather_pages(const struct dma_heap_buffer *buffer, size_t offset,
				  unsigned long max, struct page **pages)
{
	phys_addr_t phys;
	size_t len = dma_heap_buffer_chunk(buffer, offset, &phys);
	unsigned long i, nr = min3(len >> PAGE_SHIFT, max, (unsigned long)BATCH);

	for (i = 0; i < nr; i++)
		pages[i] = pfn_to_page(PHYS_PFN(phys) + i);
	return nr;
}

static int insert_pages(struct vm_area_struct *vma, unsigned long addr, unsigned long end)
{
	const struct dma_heap_buffer *buffer = vma->vm_private_data;
	size_t base = vma->vm_pgoff << PAGE_SHIFT;
	struct page *pages[BATCH];
	unsigned long nr, left;
	int err;

	while (addr < end) {
		nr = gather_pages(buffer, base + (addr - vma->vm_start),
				  (end - addr) >> PAGE_SHIFT, pages);
		left = nr;
		err = vm_insert_pages(vma, addr, pages, &left);
		addr += (nr - left) << PAGE_SHIFT;
		if (err == -EBUSY)
			addr += PAGE_SIZE; /* another thread's fault was faster */
		else if (err)
			return err;
	}
	return 0;
}

static int insert_frames(struct vm_area_struct *vma, unsigned long addr, unsigned long end)
{
	const struct dma_heap_buffer *buffer = vma->vm_private_data;
	size_t base = vma->vm_pgoff << PAGE_SHIFT;

	while (addr < end) {
		phys_addr_t phys;
		size_t len =
			dma_heap_buffer_chunk(buffer, base + (addr - vma->vm_start), &phys);

		for (; len && addr < end; len -= PAGE_SIZE) {
			vm_fault_t fault = vmf_insert_pfn(vma, addr, PHYS_PFN(phys));

			if (fault != VM_FAULT_NOPAGE)
				return fault & VM_FAULT_OOM ? -ENOMEM : -EINVAL;
			addr += PAGE_SIZE;
			phys += PAGE_SIZE;
		}
	}
	return 0;
}

/*
 * May pages be handed to the kernel again?  Not if it would touch them through caches while the
 * process looks past these: on x86 its own mapping is of the same type, elsewhere it is not.
 */
static bool is_counted(const struct dma_heap_buffer *buffer)
{
	return buffer->pages == DMA_HEAP_PAGES_COUNTED &&
	       (buffer->cpu == DMA_HEAP_CPU_CACHED || IS_ENABLED(CONFIG_X86));
}

/*
 * One fault enters all pages that the same page table holds: a fault costs more than
 * entering a page, and who touches one page of a frame touches its neighbours.
 */
static vm_fault_t mmap_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long table = ALIGN_DOWN(vmf->address, PMD_SIZE);
	unsigned long last = min(vma->vm_end - 1, table + PMD_SIZE - 1);
	unsigned long first = max(vma->vm_start, table);
	int err;

	dmaheap_check_fault(vma->vm_private_data, vmf);
	err = is_counted(vma->vm_private_data) ? insert_pages(vma, first, last + 1) :
						 insert_frames(vma, first, last + 1);
	/* -EFAULT: the page table was taken away meanwhile; the access faults again. */
	return err && err != -EFAULT ? vmf_error(err) : VM_FAULT_NOPAGE;
}

static const struct vm_operations_struct mmap_vm_ops = {
	.fault = mmap_fault,
};

/* The dma-buf layer has checked that the range is within the buffer. */
int dmaheap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct dma_heap_buffer *buffer = dmabuf->priv;
	int err;

	/* A private mapping would be a copy, which nobody shares. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	err = dmaheap_settle_for_cpu(buffer);
	if (err)
		return err;
	vm_flags_set(vma, (is_counted(buffer) ? VM_MIXEDMAP : VM_PFNMAP) | VM_DONTEXPAND |
				  VM_DONTDUMP);
	vma->vm_page_prot = dmaheap_cpu_prot(buffer, vma->vm_page_prot);
	vma->vm_ops = &mmap_vm_ops;
	vma->vm_private_data = buffer;
	return 0;
}
