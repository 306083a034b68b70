// SPDX-License-Identifier: LGPL-2.1-or-later
/* From the first that has it: heaps that fit a need, then udmabuf. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define UDMABUF_PROPERTIES (DMAHEAP_CACHED | DMAHEAP_SCATTERED)

/**
 * struct choice - heaps that fit, the best first
 * @heaps:	all there are, or NULL
 * @picked:	those that fit
 * @count:	how many
 */
struct choice {
	struct dmaheap_heaps *heaps;
	const struct dmaheap_heap_info **picked;
	size_t count;
};

/**
 * struct refusals - who has said no
 * @err:	of the first; 0: nobody yet
 * @text:	what all have said
 */
struct refusals {
	int err;
	char text[sizeof(((struct dmaheap *)0)->message)];
};

static int choice_none(struct dmaheap *context, const struct dmaheap_need *need)
{
	char text[80];

	dmaheap_properties_print(need->required, text, sizeof(text));
	return context_fail_because(
		context, -ENOENT,
		"no heap is known to be so; what is not, dmaheap.conf can say",
		"choose a heap", "%s", *text ? text : "cached");
}

static void choice_free(struct choice *choice)
{
	free(choice->picked);
	dmaheap_heaps_free(choice->heaps);
}

/* -ENOENT: none fits; what dmaheap_list() says.  To be freed in any case. */
static int choice_make(struct dmaheap *context, const struct dmaheap_need *need,
		       struct choice *choice)
{
	int err;

	*choice = (struct choice){ .count = 0 };
	err = dmaheap_list(context, &choice->heaps);
	if (err)
		return err;
	if (choice->heaps->count) {
		choice->picked = calloc(choice->heaps->count, sizeof(*choice->picked));
		if (!choice->picked)
			return context_fail(context, -ENOMEM, "choose", "a heap");
		choice->count = need_sort(choice->heaps, need, choice->picked);
	}
	return choice->count ? 0 : choice_none(context, need);
}

/* Notes what the message says, as far as there is room. */
static void refuse(const struct dmaheap *context, struct refusals *refusals, int err)
{
	static const char more[] = " ...";
	size_t length = strlen(refusals->text), room = sizeof(refusals->text) - length;
	int wanted = snprintf(refusals->text + length, room, "%s%s", length ? "; " : "",
			      context->message);

	if (wanted < 0 || (size_t)wanted >= room)
		memcpy(refusals->text + sizeof(refusals->text) - sizeof(more), more,
		       sizeof(more));
	if (!refusals->err)
		refusals->err = err;
}

/* The reasons, each of which says its step. */
static int all_refused(struct dmaheap *context, const struct refusals *refusals)
{
	memcpy(context->message, refusals->text, sizeof(context->message));
	return refusals->err;
}

static int open_first(struct dmaheap *context, const struct choice *choice,
		      struct dmaheap_heap **heap)
{
	struct refusals refusals = { .err = 0 };
	size_t i;
	int err;

	for (i = 0; i < choice->count; i++) {
		err = heap_open(context, choice->picked[i], heap);
		if (!err)
			return 0;
		refuse(context, &refusals, err);
	}
	return all_refused(context, &refusals);
}

int dmaheap_open_for(struct dmaheap *context, const struct dmaheap_need *need,
		     struct dmaheap_heap **heap)
{
	struct choice choice;
	int err = need_check(context, need);

	if (err)
		return err;
	err = choice_make(context, need, &choice);
	if (!err)
		err = open_first(context, &choice, heap);
	choice_free(&choice);
	return err;
}

/*
 * Ours refuse what is not available, and regions what they have not.  Others would take it all the
 * same, and have processes killed for it: nobody wants to come to that by way of a fallback.
 */
static int spare_others(struct dmaheap *context, bool refuses_itself, const char *object,
			size_t size)
{
	if (refuses_itself || memory_is_available(context, size))
		return 0;
	return context_fail_because(context, -ENOMEM, "more memory than is available",
				    "allocate", "%zu bytes of %s", size, object);
}

static bool refuses_itself(const struct dmaheap_heap_info *info)
{
	return info->origin == DMAHEAP_ORIGIN_DMAHEAP || info->properties & DMAHEAP_CONTIGUOUS;
}

static int allocate_once(struct dmaheap *context, const struct dmaheap_heap_info *info,
			 const struct dmaheap_request *request, struct dmaheap_buffer **buffer)
{
	struct dmaheap_heap *heap;
	int err = spare_others(context, refuses_itself(info), info->node, request->size);

	if (!err)
		err = heap_open(context, info, &heap);
	if (err)
		return err;
	err = dmaheap_allocate(heap, request, buffer);
	dmaheap_close(heap);
	return err;
}

static bool allocate_from(struct dmaheap *context, const struct choice *choice,
			  const struct dmaheap_request *request, struct refusals *refusals,
			  struct dmaheap_buffer **buffer)
{
	size_t i;
	int err;

	for (i = 0; i < choice->count; i++) {
		err = allocate_once(context, choice->picked[i], request, buffer);
		if (!err)
			return true;
		refuse(context, refusals, err);
	}
	return false;
}

static bool try_heaps(struct dmaheap *context, const struct dmaheap_need *need,
		      const struct dmaheap_request *request, struct refusals *refusals,
		      struct dmaheap_buffer **buffer)
{
	struct choice choice;
	int err = choice_make(context, need, &choice);
	bool done = false;

	if (err)
		refuse(context, refusals, err);
	else
		done = allocate_from(context, &choice, request, refusals, buffer);
	choice_free(&choice);
	return done;
}

static bool try_udmabuf(struct dmaheap *context, const struct dmaheap_need *need,
			const struct dmaheap_request *request, struct refusals *refusals,
			struct dmaheap_buffer **buffer)
{
	int err;

	if (!need_allows(need, UDMABUF_PROPERTIES))
		return false;
	err = spare_others(context, false, "udmabuf", request->size);
	if (!err)
		err = udmabuf_allocate(context, request, buffer);
	if (err)
		refuse(context, refusals, err);
	return !err;
}

int dmaheap_allocate_for(struct dmaheap *context, const struct dmaheap_need *need,
			 const struct dmaheap_request *request, struct dmaheap_buffer **buffer)
{
	struct refusals refusals = { .err = 0 };
	int err = need_check(context, need);

	if (!err)
		err = request_check(context, request);
	if (err)
		return err;
	if (try_heaps(context, need, request, &refusals, buffer) ||
	    try_udmabuf(context, need, request, &refusals, buffer))
		return 0;
	return all_refused(context, &refusals);
}
