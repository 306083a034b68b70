// SPDX-License-Identifier: GPL-2.0-only
/// What was freed is not used, and what might have failed is looked at.
virtual report

@freed@
iterator name scoped_guard;
identifier f = { kfree, kvfree, vfree, dma_buf_put };
expression x, y;
identifier member;
position p;
@@
 f(x);
 ... when != x = y
     when != &x
(
 x->member@p
|
 f@p(x)
)

@script:python@
p << freed.p;
@@
print("%s:%s: this was given back before" % (p[0].file, p[0].line))

@unchecked exists@
iterator name scoped_guard;
identifier f = { kmalloc, kzalloc, kcalloc, kvmalloc, kvzalloc, kvcalloc, kmalloc_array, kmemdup, kasprintf, alloc_pages };
expression x;
identifier member;
position p;
@@
 x = f(...);
 ... when != x == NULL
     when != x != NULL
     when != !x
     when != if (x) { ... }
 x->member@p

@script:python@
p << unchecked.p;
@@
print("%s:%s: there may have been no memory for this" % (p[0].file, p[0].line))

@copied@
iterator name scoped_guard;
position p;
expression err;
identifier f = { copy_from_user, copy_to_user };
@@
(
 return f@p(...);
|
 err = f@p(...);
)

@script:python@
p << copied.p;
@@
print("%s:%s: what is left to be copied is no errno" % (p[0].file, p[0].line))

@errors exists@
iterator name scoped_guard;
expression x;
position p;
identifier f = { dma_buf_get, dma_buf_attach, dma_buf_export, dma_buf_map_attachment, dma_buf_map_attachment_unlocked, ERR_PTR, ERR_CAST };
@@
 x = f(...);
 ... when != IS_ERR(x)
     when != IS_ERR_OR_NULL(x)
     when != PTR_ERR_OR_ZERO(x)
(
 if (!x@p) { ... }
|
 if (x@p == NULL) { ... }
)

@script:python@
p << errors.p;
@@
print("%s:%s: this is an errno or a pointer, but never NULL" % (p[0].file, p[0].line))
