// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap_core: heaps for DMA-BUF. */
#include <linux/module.h>

#include "check.h"
#include "core.h"
#include "pool.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static int __init dmaheap_init(void)
{
	int err = dmaheap_pages_init();

	if (err)
		return err;
	err = dmaheap_cache_init();
	if (err)
		return err;
	err = dmaheap_pool_init();
	if (err)
		goto fail_pool;
	err = dmaheap_node_init();
	if (err)
		goto fail_node;
	dmaheap_debugfs_init();
	return 0;

fail_node:
	dmaheap_pool_exit();
fail_pool:
	dmaheap_cache_exit();
	return err;
}
module_init(dmaheap_init);

static void __exit dmaheap_exit(void)
{
	dmaheap_linger_exit();
	dmaheap_debugfs_exit();
	dmaheap_node_exit();
	dmaheap_pool_exit();
	dmaheap_cache_exit();
	dmaheap_check_exit();
	dmaheap_available_exit();
}
module_exit(dmaheap_exit);

MODULE_DESCRIPTION("DMA-BUF heaps: registry, device nodes and exporter");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
