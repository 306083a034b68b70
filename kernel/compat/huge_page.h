/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Large entries of page tables, for pages and for page frames that nobody counts.
 */
#ifndef _DMAHEAP_COMPAT_HUGE_PAGE_H
#define _DMAHEAP_COMPAT_HUGE_PAGE_H

#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/sched/coredump.h>
#ifdef DMAHEAP_HAVE_PFN_T
#include <linux/pfn_t.h>
#endif

/* Unless the process wants none, or the area, or the machine has none. */
static inline bool compat_can_map_huge(struct vm_area_struct *vma)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	if (!has_transparent_hugepage() || vma->vm_flags & VM_NOHUGEPAGE)
		return false;
#if defined(DMAHEAP_HAVE_FORCED_COLLAPSE)
	return !vma_thp_disabled(vma, vma->vm_flags, false);
#elif defined(DMAHEAP_HAVE_VMA_THP_DISABLED)
	return !vma_thp_disabled(vma, vma->vm_flags);
#else
	return !test_bit(MMF_DISABLE_THP, &vma->vm_mm->flags);
#endif
#else
	return false;
#endif
}

/*
 * Enters a compound page that fills an entry, and takes a reference on it, in a mapping that is
 * neither VM_PFNMAP nor VM_MIXEDMAP: of those the kernel drops no reference.
 *
 * By vmf_insert_folio_pmd() since v6.15.  Before, the kernel does the same with a page that a
 * fault handler returns; afterwards only if it is of the page cache.
 */
static inline vm_fault_t compat_enter_huge_page(struct vm_fault *vmf, struct page *head)
{
#ifdef DMAHEAP_HAVE_VMF_INSERT_FOLIO_PMD
	return vmf_insert_folio_pmd(vmf, page_folio(head), vmf->flags & FAULT_FLAG_WRITE);
#else
	/* Of a page that seems to lie beyond the end of the file, only a single one is entered. */
	head->index = ALIGN_DOWN(vmf->pgoff, PMD_SIZE >> PAGE_SHIFT);
	vmf->page = head + ((vmf->address & ~PMD_MASK) >> PAGE_SHIFT);
	get_page(vmf->page);
	return 0;
#endif
}

/*
 * Enters page frames.  Only where such an entry can be marked special, since v6.12: before,
 * get_user_pages() took it for one of counted pages.
 */
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
#define compat_has_huge_frames() true

static inline vm_fault_t compat_enter_huge_frame(struct vm_fault *vmf, unsigned long pfn)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;

#ifdef DMAHEAP_HAVE_PFN_T
	return vmf_insert_pfn_pmd(vmf, pfn_to_pfn_t(pfn), write);
#else
	return vmf_insert_pfn_pmd(vmf, pfn, write);
#endif
}
#else
#define compat_has_huge_frames() false

static inline vm_fault_t compat_enter_huge_frame(struct vm_fault *vmf, unsigned long pfn)
{
	return VM_FAULT_FALLBACK;
}
#endif

#endif /* _DMAHEAP_COMPAT_HUGE_PAGE_H */
