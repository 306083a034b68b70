/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct class: since commit ff62b8e6588f ("driver core: make struct class.devnode()
 * take a const *", v6.2) the callback gets a const device.
 */
#ifndef _DMAHEAP_COMPAT_CLASS_H
#define _DMAHEAP_COMPAT_CLASS_H

#include <linux/device/class.h>

#ifdef DMAHEAP_HAVE_CONST_DEVNODE
typedef const struct device compat_devnode_device;
#else
typedef struct device compat_devnode_device;
#endif

#endif /* _DMAHEAP_COMPAT_CLASS_H */
