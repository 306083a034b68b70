/* SPDX-License-Identifier: GPL-2.0-only */
/* What the dma-buf layer of some kernels lacks. */
#ifndef _DMAHEAP_COMPAT_LINUX_DMA_BUF_H
#define _DMAHEAP_COMPAT_LINUX_DMA_BUF_H

#include_next <linux/dma-buf.h>
#include <linux/file.h>

/*
 * Exported by 7.x and by stable kernels that took it over, not by those in between: they
 * need no more than fd_install().
 */
#ifndef DMAHEAP_HAVE_DMA_BUF_FD_INSTALL
static inline void compat_dma_buf_fd_install(struct dma_buf *dmabuf, int fd)
{
	fd_install(fd, dmabuf->file);
}
#define dma_buf_fd_install compat_dma_buf_fd_install
#endif

/*
 * The variants that take the reservation lock came with commits 19d6634d8789
 * ("dma-buf: Move all dma-bufs to dynamic locking specification") and 56e5abba8c3e
 * ("dma-buf: Add unlocked variant of vmapping functions"), v6.2.  Before, the plain
 * functions were to be called without the lock.
 */
#ifndef DMAHEAP_HAVE_DMA_BUF_MAP_ATTACHMENT_UNLOCKED
#define dma_buf_map_attachment_unlocked dma_buf_map_attachment
#define dma_buf_unmap_attachment_unlocked dma_buf_unmap_attachment
#endif
#ifndef DMAHEAP_HAVE_DMA_BUF_VMAP_UNLOCKED
#define dma_buf_vmap_unlocked dma_buf_vmap
#define dma_buf_vunmap_unlocked dma_buf_vunmap
#endif

#endif /* _DMAHEAP_COMPAT_LINUX_DMA_BUF_H */
