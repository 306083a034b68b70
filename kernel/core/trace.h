/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: /sys/kernel/tracing/events/dmaheap/ */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dmaheap

#if !defined(_DMAHEAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _DMAHEAP_TRACE_H

#include <linux/device.h>
#include <linux/dma-direction.h>
#include <linux/tracepoint.h>

#include "../compat/assign_str.h"
#include "core.h"

#ifndef _DMAHEAP_TRACE_HELPERS
#define _DMAHEAP_TRACE_HELPERS
/* Who accesses: a device, or NULL for the CPU. */
static inline const char *dmaheap_who(const struct device *dev)
{
	return dev ? dev_name(dev) : "cpu";
}
#endif

/* Lists, which no formatter of C knows. */
/* clang-format off */

#define DMAHEAP_SHOW_DIRECTION(direction) \
	__print_symbolic(direction, { DMA_BIDIRECTIONAL, "both" }, \
			 { DMA_TO_DEVICE, "to-device" }, { DMA_FROM_DEVICE, "from-device" })

DECLARE_EVENT_CLASS(dmaheap_access,
	TP_PROTO(const struct dma_heap_buffer *buffer, const struct device *dev,
		 enum dma_data_direction direction, size_t offset, size_t len),
	TP_ARGS(buffer, dev, direction, offset, len),
	TP_STRUCT__entry(
		__string(heap, dma_heap_get_name(buffer->heap))
		__string(who, dmaheap_who(dev))
		__field(unsigned long, ino)
		__field(u32, direction)
		__field(size_t, offset)
		__field(size_t, len)
	),
	TP_fast_assign(
		compat_assign_str(heap, dma_heap_get_name(buffer->heap));
		compat_assign_str(who, dmaheap_who(dev));
		__entry->ino = buffer->ino;
		__entry->direction = direction;
		__entry->offset = offset;
		__entry->len = len;
	),
	TP_printk("ino=%lu heap=%s who=%s direction=%s offset=%zu len=%zu", __entry->ino,
		  __get_str(heap), __get_str(who), DMAHEAP_SHOW_DIRECTION(__entry->direction),
		  __entry->offset, __entry->len)
);

/* An access begins, after the work that it needs. */
DEFINE_EVENT(dmaheap_access, dmaheap_begin_access,
	TP_PROTO(const struct dma_heap_buffer *buffer, const struct device *dev,
		 enum dma_data_direction direction, size_t offset, size_t len),
	TP_ARGS(buffer, dev, direction, offset, len)
);

/* An access ends, before the work that others need. */
DEFINE_EVENT(dmaheap_access, dmaheap_end_access,
	TP_PROTO(const struct dma_heap_buffer *buffer, const struct device *dev,
		 enum dma_data_direction direction, size_t offset, size_t len),
	TP_ARGS(buffer, dev, direction, offset, len)
);

/* Caches were maintained, or bytes copied to or from a device's bounce buffer. */
TRACE_EVENT(dmaheap_cache_op,
	TP_PROTO(const struct dma_heap_buffer *buffer, const char *op,
		 const struct device *dev, size_t offset, size_t len),
	TP_ARGS(buffer, op, dev, offset, len),
	TP_STRUCT__entry(
		__string(heap, dma_heap_get_name(buffer->heap))
		__string(op, op)
		__string(who, dmaheap_who(dev))
		__field(unsigned long, ino)
		__field(size_t, offset)
		__field(size_t, len)
	),
	TP_fast_assign(
		compat_assign_str(heap, dma_heap_get_name(buffer->heap));
		compat_assign_str(op, op);
		compat_assign_str(who, dmaheap_who(dev));
		__entry->ino = buffer->ino;
		__entry->offset = offset;
		__entry->len = len;
	),
	TP_printk("ino=%lu heap=%s op=%s who=%s offset=%zu len=%zu", __entry->ino,
		  __get_str(heap), __get_str(op), __get_str(who), __entry->offset,
		  __entry->len)
);

/* A heap's pool had no chunks of an order, so that the page allocator gave some. */
TRACE_EVENT(dmaheap_pool_miss,
	TP_PROTO(const struct dma_heap *heap, unsigned int order, size_t len),
	TP_ARGS(heap, order, len),
	TP_STRUCT__entry(
		__string(heap, dev_name(&heap->dev))
		__field(unsigned int, order)
		__field(size_t, len)
	),
	TP_fast_assign(
		compat_assign_str(heap, dev_name(&heap->dev));
		__entry->order = order;
		__entry->len = len;
	),
	TP_printk("heap=%s order=%u len=%zu", __get_str(heap), __entry->order, __entry->len)
);

/* A buffer comes, and goes. */
DECLARE_EVENT_CLASS(dmaheap_life,
	TP_PROTO(const struct dma_heap_buffer *buffer),
	TP_ARGS(buffer),
	TP_STRUCT__entry(
		__string(heap, dma_heap_get_name(buffer->heap))
		__field(unsigned long, ino)
		__field(size_t, len)
	),
	TP_fast_assign(
		compat_assign_str(heap, dma_heap_get_name(buffer->heap));
		__entry->ino = buffer->ino;
		__entry->len = buffer->size;
	),
	TP_printk("ino=%lu heap=%s len=%zu", __entry->ino, __get_str(heap), __entry->len)
);

DEFINE_EVENT(dmaheap_life, dmaheap_alloc,
	TP_PROTO(const struct dma_heap_buffer *buffer),
	TP_ARGS(buffer)
);

DEFINE_EVENT(dmaheap_life, dmaheap_free,
	TP_PROTO(const struct dma_heap_buffer *buffer),
	TP_ARGS(buffer)
);

/* The checker has found a mistake; also those that it does not report again. */
TRACE_EVENT(dmaheap_mistake,
	TP_PROTO(const struct dma_heap_buffer *buffer, const char *kind, const char *who),
	TP_ARGS(buffer, kind, who),
	TP_STRUCT__entry(
		__string(heap, dma_heap_get_name(buffer->heap))
		__string(kind, kind)
		__string(who, who)
		__field(unsigned long, ino)
	),
	TP_fast_assign(
		compat_assign_str(heap, dma_heap_get_name(buffer->heap));
		compat_assign_str(kind, kind);
		compat_assign_str(who, who);
		__entry->ino = buffer->ino;
	),
	TP_printk("ino=%lu heap=%s kind=%s who=%s", __entry->ino, __get_str(heap),
		  __get_str(kind), __get_str(who))
);

/* clang-format on */
#endif /* _DMAHEAP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
