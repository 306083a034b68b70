/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm_flags_set() and _clear(): since commit bc292ab00f6c ("mm: introduce vma->vm_flags wrapper
 * functions", v6.3).  Before, a driver's mmap() wrote the flags itself.
 */
#ifndef _DMAHEAP_COMPAT_LINUX_MM_H
#define _DMAHEAP_COMPAT_LINUX_MM_H

#include_next <linux/mm.h>

#ifndef DMAHEAP_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#endif /* _DMAHEAP_COMPAT_LINUX_MM_H */
