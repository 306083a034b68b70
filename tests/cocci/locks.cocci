// SPDX-License-Identifier: GPL-2.0-only
/// Nothing sleeps while a spinlock is held, and each lock is given back.
virtual report

@sleeps exists@
iterator name scoped_guard;
expression lock, flags;
identifier allocates = { kmalloc, kzalloc, kcalloc, kvmalloc, kvzalloc, kvcalloc, alloc_pages, kasprintf };
identifier waits = { mutex_lock, down_read, down_write, msleep, usleep_range, schedule, cond_resched, flush_work, cancel_work_sync, copy_from_user, copy_to_user, dma_resv_lock, kthread_stop, synchronize_rcu, vfree, kvfree };
position p;
@@
(
 spin_lock(lock);
|
 spin_lock_irq(lock);
|
 spin_lock_irqsave(lock, flags);
)
 ... when != spin_unlock(lock)
     when != spin_unlock_irq(lock)
     when != spin_unlock_irqrestore(lock, flags)
(
 allocates@p(..., GFP_KERNEL, ...)
|
 waits@p(...)
)

@script:python@
p << sleeps.p;
@@
print("%s:%s: this sleeps while a spinlock is held" % (p[0].file, p[0].line))

@guarded exists@
iterator name scoped_guard;
symbol spinlock;
expression lock;
identifier allocates = { kmalloc, kzalloc, kcalloc, kvmalloc, kvzalloc, kvcalloc, alloc_pages, kasprintf };
identifier waits = { mutex_lock, down_read, down_write, msleep, usleep_range, schedule, cond_resched, flush_work, cancel_work_sync, copy_from_user, copy_to_user, dma_resv_lock, kthread_stop, synchronize_rcu, vfree, kvfree };
position p;
@@
 guard(spinlock)(lock);
 ...
(
 allocates@p(..., GFP_KERNEL, ...)
|
 waits@p(...)
)

@script:python@
p << guarded.p;
@@
print("%s:%s: this sleeps while a spinlock is held" % (p[0].file, p[0].line))

@scoped exists@
iterator name scoped_guard;
symbol spinlock;
expression lock;
position p;
identifier allocates = { kmalloc, kzalloc, kcalloc, kvmalloc, kvzalloc, kvcalloc, alloc_pages, kasprintf };
identifier waits = { mutex_lock, down_read, down_write, msleep, usleep_range, schedule, cond_resched, flush_work, cancel_work_sync, copy_from_user, copy_to_user, dma_resv_lock, kthread_stop, synchronize_rcu, vfree, kvfree };
@@
 scoped_guard(spinlock, lock) {
 <+...
(
 allocates@p(..., GFP_KERNEL, ...)
|
 waits@p(...)
)
 ...+>
 }

@script:python@
p << scoped.p;
@@
print("%s:%s: this sleeps while a spinlock is held" % (p[0].file, p[0].line))

@twice exists@
iterator name scoped_guard;
expression lock;
position p;
@@
 mutex_lock(lock);
 ... when != mutex_unlock(lock)
 mutex_lock@p(lock);

@script:python@
p << twice.p;
@@
print("%s:%s: this mutex is held already" % (p[0].file, p[0].line))

@kept exists@
iterator name scoped_guard;
expression lock;
position p;
@@
 mutex_lock(lock);
 ... when != mutex_unlock(lock)
 return@p ...;

@script:python@
p << kept.p;
@@
print("%s:%s: a mutex is still held here" % (p[0].file, p[0].line))

@spun exists@
iterator name scoped_guard;
expression lock;
position p;
@@
 spin_lock(lock);
 ... when != spin_unlock(lock)
 return@p ...;

@script:python@
p << spun.p;
@@
print("%s:%s: a spinlock is still held here" % (p[0].file, p[0].line))
