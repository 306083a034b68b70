/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MODULE_IMPORT_NS() takes a string since commit cdd30ebb1b9f ("module: Convert symbol
 * namespace to string literal", v6.13).
 */
#ifndef _DMAHEAP_COMPAT_LINUX_MODULE_H
#define _DMAHEAP_COMPAT_LINUX_MODULE_H

#include_next <linux/module.h>

#ifndef DMAHEAP_HAVE_STRING_IMPORT_NS
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns) MODULE_INFO(import_ns, ns)
#endif

#endif /* _DMAHEAP_COMPAT_LINUX_MODULE_H */
