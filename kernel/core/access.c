// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: each one to a buffer begins and ends here, whoever makes it, and here the books
 * are kept of which are open.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>

#include "check.h"
#include "core.h"
#include "trace.h"

static enum dmaheap_access_kind mapped_kind(enum dma_data_direction dir)
{
	switch (dir) {
	case DMA_TO_DEVICE: return DMAHEAP_MAPPED_READ;
	case DMA_FROM_DEVICE: return DMAHEAP_MAPPED_WRITE;
	default: return DMAHEAP_MAPPED_BOTH;
	}
}

static enum dmaheap_access_kind device_kind(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE ? DMAHEAP_BRACKETED_READ : DMAHEAP_BRACKETED_WRITE;
}

/* The CPU's direction is told from the device's side, too. */
static enum dmaheap_access_kind cpu_kind(enum dma_data_direction dir)
{
	return dir == DMA_FROM_DEVICE ? DMAHEAP_BRACKETED_READ : DMAHEAP_BRACKETED_WRITE;
}

/* ---- what it would cost to sync everywhere ---- */

/* One device: its caches always, its copy only if bytes go that way. */
static void count_device(struct dma_heap_buffer *buffer, const struct dmaheap_mapping *mapping,
			 bool copied)
{
	dmaheap_count(buffer, DMAHEAP_EVERYWHERE,
		      (copied ? mapping->bounced : 0) +
			      (mapping->coherent ? 0 : buffer->size));
}

/* Who brackets its jobs is mapped all the time. */
static bool is_mapped(const struct dmaheap_mapping *mapping)
{
	return mapping->brackets || mapping->open[DMAHEAP_MAPPED_READ] ||
	       mapping->open[DMAHEAP_MAPPED_BOTH] || mapping->open[DMAHEAP_MAPPED_WRITE];
}

static void count_cpu(struct dma_heap_buffer *buffer, bool copied)
{
	struct dmaheap_mapping *mapping;

	list_for_each_entry(mapping, &buffer->mappings, link)
		if (is_mapped(mapping))
			count_device(buffer, mapping, copied);
}

/* ---- devices ---- */

static void begin_device(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			 enum dmaheap_access_kind kind, enum dma_data_direction dir)
{
	struct dmaheap_work work;

	count_device(buffer, mapping, true);
	dmaheap_ownership_begin(&buffer->ownership, mapping->place, kind, &work);
	dmaheap_cache_work(buffer, &work, 0, buffer->size);
	mapping->open[kind]++;
	trace_dmaheap_begin_access(buffer, mapping->dev, dir, 0, buffer->size);
}

static void end_device(struct dma_heap_buffer *buffer, struct dmaheap_mapping *begun,
		       struct dmaheap_mapping *mapping, enum dmaheap_access_kind kind,
		       enum dma_data_direction dir)
{
	struct dmaheap_work work;

	trace_dmaheap_end_access(buffer, mapping->dev, dir, 0, buffer->size);
	if (dmaheap_kind_writes(kind))
		count_device(buffer, mapping, true);
	begun->open[kind]--;
	dmaheap_ownership_end(&buffer->ownership, begun->place, mapping->place, kind, &work);
	dmaheap_cache_work(buffer, &work, 0, buffer->size);
}

/*
 * dmaheap_begin_mapped, dmaheap_end_mapped - of an importer that knows nothing of ownership,
 * a mapping is an access
 */
void dmaheap_begin_mapped(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			  enum dma_data_direction dir)
{
	lockdep_assert_held(&buffer->lock);
	if (!mapping->brackets)
		begin_device(buffer, mapping, mapped_kind(dir), dir);
}

void dmaheap_end_mapped(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping,
			enum dma_data_direction dir)
{
	enum dmaheap_access_kind kind = mapped_kind(dir);

	lockdep_assert_held(&buffer->lock);
	/* Of the first bracket, or unmapped in another direction than it was mapped. */
	if (mapping->open[kind])
		end_device(buffer, mapping, mapping, kind, dir);
}

static void end_mappings(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping)
{
	unsigned int dir;

	for (dir = DMA_BIDIRECTIONAL; dir < DMA_NONE; dir++)
		while (mapping->open[mapped_kind(dir)])
			dmaheap_end_mapped(buffer, mapping, dir);
}

/* dmaheap_end_all - a device goes, and with it what it has not ended */
void dmaheap_end_all(struct dma_heap_buffer *buffer, struct dmaheap_mapping *mapping)
{
	static const enum dma_data_direction directions[] = { DMA_TO_DEVICE,
							      DMA_BIDIRECTIONAL };
	struct dmaheap_work work;
	unsigned int i;

	lockdep_assert_held(&buffer->lock);
	if (!mapping->place)
		return;
	end_mappings(buffer, mapping);
	for (i = 0; i < ARRAY_SIZE(directions); i++)
		while (mapping->open[device_kind(directions[i])])
			end_device(buffer, mapping, mapping, device_kind(directions[i]),
				   directions[i]);
	dmaheap_check_gone(buffer, mapping);
	if (!mapping->bounced)
		return;
	dmaheap_ownership_remove_copy(&buffer->ownership, &mapping->copy, &work);
	dmaheap_cache_work(buffer, &work, 0, buffer->size);
}

/*
 * Where a job is open that ends at @mapping: there or, of a chain, at another device.  Of
 * several, one in the same place, where it makes no difference which; never one that works on
 * a copy, if there is any other.
 */
static struct dmaheap_mapping *find_begun(struct dma_heap_buffer *buffer,
					  struct dmaheap_mapping *mapping,
					  enum dmaheap_access_kind kind)
{
	struct dmaheap_mapping *begun, *found = NULL;

	if (!mapping->place || mapping->open[kind])
		return mapping->place ? mapping : NULL;
	list_for_each_entry(begun, &buffer->mappings, link) {
		if (!begun->open[kind])
			continue;
		if (begun->place == mapping->place)
			return begun;
		if (!found || found->bounced)
			found = begun;
	}
	return found;
}

/* Do two devices work on different copies of the bytes?  Then they are no chain. */
static bool is_apart(const struct dmaheap_mapping *a, const struct dmaheap_mapping *b)
{
	return a->place != b->place && (a->bounced || b->bounced);
}

/* The buffer of an attachment, if it is one of ours and may be accessed. */
static int check_attachment(struct dma_buf_attachment *attachment, enum dma_data_direction dir,
			    struct dma_heap_buffer **buffer)
{
	*buffer = dmaheap_buffer_of(attachment->dmabuf);
	if (!*buffer)
		return -EOPNOTSUPP;
	return valid_dma_direction(dir) && dir != DMA_NONE ? 0 : -EINVAL;
}

/* Who brackets its jobs has done nothing by mapping alone. */
static void forget_mappings(struct dmaheap_mapping *mapping)
{
	unsigned int dir;

	for (dir = DMA_BIDIRECTIONAL; dir < DMA_NONE; dir++)
		for (; mapping->open[mapped_kind(dir)]; mapping->open[mapped_kind(dir)]--)
			dmaheap_ownership_forget(mapping->place, mapped_kind(dir));
}

/**
 * dma_heap_begin_device_access - begin a job of a device on a buffer
 * @attachment:	the device's attachment, mapped
 * @dir:	what the job does: DMA_TO_DEVICE reads, DMA_FROM_DEVICE writes,
 *		DMA_BIDIRECTIONAL does both
 *
 * For drivers that keep a mapping and run many jobs on it.  On return the device finds the
 * newest bytes, whoever wrote them; if they already are where the device looks for them,
 * which is so if another device of the same domain wrote them, nothing was done.  From the
 * first call on, mapping and unmapping this attachment says nothing of ownership any more.
 *
 * To be called when the bytes are there: after waiting for the fences that the job depends
 * on.  Devices that follow one another by fences in hardware are one job: it begins at the
 * first and ends at the last, in the direction of what they do together; all of them must
 * either snoop the CPU's caches or not, and none may be behind a bounce buffer.  Jobs that
 * read may run side by side, each with its own begin and end.
 *
 * Context: process context; may sleep.  The buffer's reservation lock may be held.  Not
 * within an operation of the buffer's heap.
 * Return: 0, and dma_heap_end_device_access() must follow in the same direction;
 * -EOPNOTSUPP when the buffer is another exporter's: map and unmap for each job instead;
 * -EINVAL when @dir is none or the attachment was never mapped.
 */
int dma_heap_begin_device_access(struct dma_buf_attachment *attachment,
				 enum dma_data_direction dir)
{
	struct dmaheap_mapping *mapping = attachment->priv;
	struct dma_heap_buffer *buffer;
	int err = check_attachment(attachment, dir, &buffer);

	if (err)
		return err;
	guard(mutex)(&buffer->lock);
	if (!mapping->place)
		return -EINVAL;
	forget_mappings(mapping);
	mapping->brackets = true;
	dmaheap_check_begin(buffer, mapping, dir, 0, buffer->size);
	begin_device(buffer, mapping, device_kind(dir), dir);
	return 0;
}
EXPORT_SYMBOL_GPL(dma_heap_begin_device_access);

/**
 * dma_heap_end_device_access - end a job of a device on a buffer
 * @attachment:	the attachment of the device at which it ends
 * @dir:	as at its begin
 *
 * To be called when the device has done: of a driver that signals a fence, before that, so
 * that who waits for the fence finds the bytes.  As this may sleep and an interrupt handler
 * may not, such a driver ends the job in a thread or a work item and signals from there.
 *
 * Context: process context; may sleep.  The buffer's reservation lock may be held.
 * Nothing is allocated, and no lock is taken under which something is: it may be called where
 * a fence waits for it to be signalled.
 *
 * Return: 0; -EOPNOTSUPP when the buffer is another exporter's; -EINVAL when @dir is none,
 * the attachment was never mapped, or no job is open at any device that writes, or only
 * reads, as @dir says; -EXDEV when the job has begun at another device and one of both is
 * behind a bounce buffer: it is ended where it began, and this device has not seen its bytes.
 */
int dma_heap_end_device_access(struct dma_buf_attachment *attachment,
			       enum dma_data_direction dir)
{
	struct dmaheap_mapping *begun, *mapping = attachment->priv;
	struct dma_heap_buffer *buffer;
	int err = check_attachment(attachment, dir, &buffer);

	if (err)
		return err;
	guard(mutex)(&buffer->lock);
	begun = find_begun(buffer, mapping, device_kind(dir));
	dmaheap_check_end(buffer, begun ?: mapping, dir, 0, buffer->size, begun);
	if (!begun)
		return -EINVAL;
	if (is_apart(begun, mapping)) {
		dmaheap_check_apart(buffer, mapping, dir);
		end_device(buffer, begun, begun, device_kind(dir), dir);
		return -EXDEV;
	}
	end_device(buffer, begun, mapping, device_kind(dir), dir);
	return 0;
}
EXPORT_SYMBOL_GPL(dma_heap_end_device_access);

/* ---- the CPU ---- */

static struct dmaheap_place *cpu_place(struct dma_heap_buffer *buffer)
{
	return buffer->cpu == DMA_HEAP_CPU_CACHED ? &buffer->ownership.cpu :
						    &buffer->ownership.memory;
}

/* dmaheap_cpu_prot - how the CPU maps the buffer */
pgprot_t dmaheap_cpu_prot(const struct dma_heap_buffer *buffer, pgprot_t prot)
{
	return buffer->cpu == DMA_HEAP_CPU_CACHED ? prot : pgprot_writecombine(prot);
}

/*
 * dmaheap_pass_caches - what the heap has zeroed becomes visible to a CPU that maps the buffer
 * past its caches, also to one that does so without a bracket
 *
 * No line stays behind that such a CPU, or a device that does snoop, could find.
 */
int dmaheap_pass_caches(struct dma_heap_buffer *buffer)
{
	int err = dmaheap_cache_prepare(buffer);

	if (err)
		return err;
	guard(mutex)(&buffer->lock);
	dmaheap_ownership_cleaned(&buffer->ownership);
	dmaheap_cache_work(buffer, &(struct dmaheap_work){ .clean = true, .invalidate = true },
			   0, buffer->size);
	return 0;
}

/* dmaheap_was_cleaned - the same was done ahead of time */
void dmaheap_was_cleaned(struct dma_heap_buffer *buffer)
{
	/* Where all devices snoop, it makes no difference. */
	if (!IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE))
		return;
	guard(mutex)(&buffer->lock);
	dmaheap_ownership_cleaned(&buffer->ownership);
}

/*
 * dmaheap_begin_vmap, dmaheap_end_vmap - the kernel's own mapping of the buffer
 *
 * Drivers that work by the CPU (vb2's vmalloc memory: USB cameras, vivid) map for good and
 * write without a bracket: for them, as for devices, the mapping is the access.
 */
void dmaheap_begin_vmap(struct dma_heap_buffer *buffer)
{
	struct dmaheap_work work;

	lockdep_assert_held(&buffer->lock);
	dmaheap_ownership_begin(&buffer->ownership, cpu_place(buffer), DMAHEAP_MAPPED_BOTH,
				&work);
	dmaheap_cache_work(buffer, &work, 0, buffer->size);
}

void dmaheap_end_vmap(struct dma_heap_buffer *buffer)
{
	struct dmaheap_place *place = cpu_place(buffer);
	struct dmaheap_work work;

	lockdep_assert_held(&buffer->lock);
	dmaheap_ownership_end(&buffer->ownership, place, place, DMAHEAP_MAPPED_BOTH, &work);
	dmaheap_cache_work(buffer, &work, 0, buffer->size);
}

/* Cache maintenance knows lines, not bytes. */
static void widen_to_lines(const struct dma_heap_buffer *buffer, size_t *offset, size_t *len)
{
	size_t line = dma_get_cache_alignment(), end = *offset + *len;

	*offset = ALIGN_DOWN(*offset, line);
	*len = min(ALIGN(end, line), buffer->size) - *offset;
}

static void cpu_work(struct dma_heap_buffer *buffer, const struct dmaheap_work *work,
		     bool part, size_t offset, size_t len)
{
	dmaheap_cache_work(buffer, work, part ? offset : 0, part ? len : buffer->size);
}

/*
 * dmaheap_begin_cpu - begin an access of the CPU, to a part of the buffer or to all of it
 *
 * In either direction the CPU first gets the newest bytes: who writes a part of a cache line
 * needs the rest of it.
 */
void dmaheap_begin_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir,
		       size_t offset, size_t len)
{
	struct dmaheap_ownership *ownership = &buffer->ownership;
	struct dmaheap_place *place = cpu_place(buffer);
	enum dmaheap_access_kind kind = cpu_kind(dir);
	struct dmaheap_work work;
	bool part;

	lockdep_assert_held(&buffer->lock);
	dmaheap_check_begin(buffer, NULL, dir, offset, len);
	widen_to_lines(buffer, &offset, &len);
	part = len < buffer->size;
	if (dir != DMA_TO_DEVICE)
		count_cpu(buffer, true);
	buffer->cpu_open[part][kind]++;
	if (!part)
		dmaheap_ownership_begin(ownership, place, kind, &work);
	else if (dmaheap_ownership_begin_part(ownership, place, kind, &work))
		part = false;
	cpu_work(buffer, &work, part, offset, len);
	trace_dmaheap_begin_access(buffer, NULL, dir, offset, len);
}

/*
 * dmaheap_end_cpu - end it
 *
 * A program may end what it has never begun, and have written: all of the buffer, for all
 * that is known.
 */
void dmaheap_end_cpu(struct dma_heap_buffer *buffer, enum dma_data_direction dir,
		     size_t offset, size_t len)
{
	struct dmaheap_ownership *ownership = &buffer->ownership;
	struct dmaheap_place *place = cpu_place(buffer);
	enum dmaheap_access_kind kind = cpu_kind(dir);
	struct dmaheap_work work = {};
	size_t from = offset, wide = len;
	bool part, begun;

	lockdep_assert_held(&buffer->lock);
	widen_to_lines(buffer, &from, &wide);
	part = wide < buffer->size;
	begun = buffer->cpu_open[part][kind];
	trace_dmaheap_end_access(buffer, NULL, dir, from, wide);
	dmaheap_check_end(buffer, NULL, dir, offset, len, begun);
	count_cpu(buffer, dir != DMA_FROM_DEVICE);
	buffer->cpu_open[part][kind] -= begun;
	if (!begun) {
		part = false;
		if (dmaheap_kind_writes(kind))
			dmaheap_ownership_write(ownership, place, &work);
	} else if (part) {
		dmaheap_ownership_end_part(ownership, place, kind, &work);
	} else {
		dmaheap_ownership_end(ownership, place, place, kind, &work);
	}
	cpu_work(buffer, &work, part, from, wide);
}
