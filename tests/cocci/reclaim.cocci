// SPDX-License-Identifier: GPL-2.0-only
/// Nothing is allocated under a buffer's lock: jobs end under it, whose fences reclaim may wait for.
virtual report

@reclaims exists@
iterator name scoped_guard;
symbol mutex;
expression buffer;
position p;
identifier allocates = { kmalloc, kzalloc, kcalloc, kvmalloc, kvzalloc, kvcalloc, alloc_pages, kasprintf, dmaheap_charge, dmaheap_reserve };
@@
(
 guard(mutex)(&buffer->lock);
|
 mutex_lock(&buffer->lock);
)
 ... when != mutex_unlock(&buffer->lock)
 allocates@p(...)

@script:python@
p << reclaims.p;
b << reclaims.buffer;
@@
if b == "buffer":
    print("%s:%s: nothing is allocated under a buffer's lock" % (p[0].file, p[0].line))
