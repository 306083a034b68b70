/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guard() and scoped_guard(): since commit 54da6a092431 ("locking: Introduce __cleanup()
 * based infrastructure", v6.5), and in stable kernels that took it over.  Kernels without
 * get here what this project uses of it: a mutex, a spinlock, and both sides of a semaphore.
 */
#ifndef _DMAHEAP_COMPAT_LINUX_CLEANUP_H
#define _DMAHEAP_COMPAT_LINUX_CLEANUP_H

#ifdef DMAHEAP_HAVE_GUARD
#include_next <linux/cleanup.h>
#else
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

/* A pointer to a lock that is held as long as the pointer is in scope. */
#define COMPAT_DEFINE_GUARD(name, type, lock, unlock) \
	typedef type *compat_guard_##name; \
	static inline compat_guard_##name compat_lock_##name(type *held) \
	{ \
		lock(held); \
		return held; \
	} \
	static inline void compat_unlock_##name(compat_guard_##name *held) \
	{ \
		unlock(*held); \
	}

COMPAT_DEFINE_GUARD(mutex, struct mutex, mutex_lock, mutex_unlock)
COMPAT_DEFINE_GUARD(spinlock, spinlock_t, spin_lock, spin_unlock)
COMPAT_DEFINE_GUARD(rwsem_read, struct rw_semaphore, down_read, up_read)
COMPAT_DEFINE_GUARD(rwsem_write, struct rw_semaphore, down_write, up_write)

#define compat_guard(name, variable) \
	compat_guard_##name variable __attribute__((cleanup(compat_unlock_##name))) = \
		compat_lock_##name

#define guard(name) compat_guard(name, __UNIQUE_ID(guard))

/* A loop of one round, in which the lock is held. */
#define scoped_guard(name, lock) \
	for (bool compat_once = true; compat_once;) \
		for (compat_guard(name, compat_held)(lock); compat_once; compat_once = false)
#endif /* DMAHEAP_HAVE_GUARD */

#endif /* _DMAHEAP_COMPAT_LINUX_CLEANUP_H */
