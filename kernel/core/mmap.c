// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer as processes see it: its pages, counted, so that a process can also hand
 * them to the kernel again (O_DIRECT and the like); or page frames that nobody counts.
 *
 * A mapping has one of three forms, which never changes, and is told by the flags of its area:
 *
 * - VM_MIXEDMAP: pages, entered by page tables.
 * - Neither flag: pages, of which a compound page of the size of a page table is one entry, as if
 *   it were of the page cache.  That is the only form in which the kernel counts such an entry,
 *   and get_user_pages() takes it.  In it no fault can enter more than one page or one such
 *   entry, so the rest is entered ahead, by mmap().
 * - VM_PFNMAP: page frames; large entries where the kernel can tell them from those of pages.
 */
#include <linux/dma-buf.h>
#include <linux/mm.h>

#include "../compat/huge_page.h"
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

/* ---- large entries ---- */

static size_t offset_of(const struct vm_area_struct *vma, unsigned long addr)
{
	return (vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start);
}

/* Could one entry stand for all that a page table at @table would hold?  Then of what. */
static bool is_one_chunk(const struct vm_area_struct *vma, unsigned long table,
			 phys_addr_t *phys)
{
	const struct dma_heap_buffer *buffer = vma->vm_private_data;

	if (!IS_ALIGNED(table, PMD_SIZE) || table < vma->vm_start ||
	    vma->vm_end - table < PMD_SIZE)
		return false;
	return dma_heap_buffer_chunk(buffer, offset_of(vma, table), phys) >= PMD_SIZE &&
	       IS_ALIGNED(*phys, PMD_SIZE);
}

/* The same of pages: the compound page, or NULL.  A file's large pages have places of their own. */
static struct page *huge_page_at(const struct vm_area_struct *vma, unsigned long table)
{
	struct page *page;
	phys_addr_t phys;

	if (!is_one_chunk(vma, table, &phys) || !IS_ALIGNED(offset_of(vma, table), PMD_SIZE))
		return NULL;
	page = pfn_to_page(PHYS_PFN(phys));
	return PageHead(page) && PAGE_SIZE << compound_order(page) == PMD_SIZE ? page : NULL;
}

static unsigned long table_after(unsigned long addr)
{
	return ALIGN_DOWN(addr, PMD_SIZE) + PMD_SIZE;
}

/*
 * Is most of an area made of large entries?  If not, what mmap() enters ahead, to be used or not,
 * is more than they save.
 */
static bool is_mostly_huge(struct vm_area_struct *vma)
{
	unsigned long addr, huge = 0;

	/* The checker takes entries away all the time. */
	if (!compat_can_map_huge(vma) || dmaheap_is_checking())
		return false;
	for (addr = vma->vm_start; addr < vma->vm_end; addr = table_after(addr))
		if (huge_page_at(vma, addr))
			huge += PMD_SIZE;
	return huge >= (vma->vm_end - vma->vm_start) / 2;
}

/* What no large entry will stand for; vm_insert_pages() sets the flag. */
static int enter_ahead(struct vm_area_struct *vma)
{
	unsigned long addr, next;
	int err = 0;

	for (addr = vma->vm_start; addr < vma->vm_end && !err; addr = next) {
		next = min(table_after(addr), vma->vm_end);
		if (!huge_page_at(vma, addr))
			err = insert_pages(vma, addr, next);
		cond_resched();
	}
	vm_flags_clear(vma, VM_MIXEDMAP);
	return err;
}

/* ---- faults ---- */

/* So far: others may map it meanwhile.  Who enters something looks again, under the table's lock. */
static bool is_unmapped(const struct vm_fault *vmf)
{
	return pmd_none(READ_ONCE(*vmf->pmd));
}

/* Of a page that was entered ahead only if the kernel has taken it away since. */
static vm_fault_t fault_huge(struct vm_fault *vmf)
{
	struct page *head = huge_page_at(vmf->vma, ALIGN_DOWN(vmf->address, PMD_SIZE));
	phys_addr_t phys;

	if (head && compat_can_map_huge(vmf->vma) && is_unmapped(vmf))
		return compat_enter_huge_page(vmf, head);
	dma_heap_buffer_chunk(vmf->vma->vm_private_data, offset_of(vmf->vma, vmf->address),
			      &phys);
	vmf->page = pfn_to_page(PHYS_PFN(phys));
	get_page(vmf->page);
	return 0;
}

/*
 * One fault enters all pages that the same page table holds: a fault costs more than
 * entering a page, and who touches one page of a frame touches its neighbours.
 */
static vm_fault_t fault_table(struct vm_fault *vmf,
			      int (*insert)(struct vm_area_struct *vma, unsigned long addr,
					    unsigned long end))
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long table = ALIGN_DOWN(vmf->address, PMD_SIZE);
	unsigned long last = min(vma->vm_end - 1, table + PMD_SIZE - 1);
	int err = insert(vma, max(vma->vm_start, table), last + 1);

	/* -EFAULT: the page table was taken away meanwhile; the access faults again. */
	return err && err != -EFAULT ? vmf_error(err) : VM_FAULT_NOPAGE;
}

static vm_fault_t fault_frames(struct vm_fault *vmf)
{
	unsigned long table = ALIGN_DOWN(vmf->address, PMD_SIZE);
	phys_addr_t phys;

	if (compat_has_huge_frames() && compat_can_map_huge(vmf->vma) && is_unmapped(vmf) &&
	    is_one_chunk(vmf->vma, table, &phys))
		return compat_enter_huge_frame(vmf, PHYS_PFN(phys));
	return fault_table(vmf, insert_frames);
}

static vm_fault_t mmap_fault(struct vm_fault *vmf)
{
	dmaheap_check_fault(vmf->vma->vm_private_data, vmf);
	if (vmf->vma->vm_flags & VM_PFNMAP)
		return fault_frames(vmf);
	if (vmf->vma->vm_flags & VM_MIXEDMAP)
		return fault_table(vmf, insert_pages);
	return fault_huge(vmf);
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
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = dmaheap_cpu_prot(buffer, vma->vm_page_prot);
	vma->vm_ops = &mmap_vm_ops;
	vma->vm_private_data = buffer;
	if (is_counted(buffer) && is_mostly_huge(vma))
		return enter_ahead(vma);
	vm_flags_set(vma, is_counted(buffer) ? VM_MIXEDMAP : VM_PFNMAP);
	return 0;
}
