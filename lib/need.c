// SPDX-License-Identifier: LGPL-2.1-or-later
/* What memory has to be like, and which heap is the best for it. */
#include <errno.h>
#include <string.h>

#include "private.h"

#define ALL_PROPERTIES ((DMAHEAP_BELOW_4G << 1) - 1)
/* There is little of it, so that who does not need it should not take it. */
#define SCARCE (DMAHEAP_CONTIGUOUS | DMAHEAP_BELOW_4G)

static const unsigned int contradictions[] = {
	DMAHEAP_CACHED | DMAHEAP_UNCACHED,
	DMAHEAP_SCATTERED | DMAHEAP_CONTIGUOUS,
};

int need_check(struct dmaheap *context, const struct dmaheap_need *need)
{
	unsigned int asked = need->required | need->preferred;
	char text[80];
	size_t i;

	if (asked & ~ALL_PROPERTIES)
		return context_fail_because(context, -EINVAL,
					    "unknown bits; see enum dmaheap_properties",
					    "choose a heap", "%#x", asked);
	for (i = 0; i < ARRAY_SIZE(contradictions); i++) {
		if ((asked & contradictions[i]) != contradictions[i])
			continue;
		dmaheap_properties_print(contradictions[i], text, sizeof(text));
		return context_fail_because(context, -EINVAL,
					    "no memory is both; ask for one, or for none",
					    "choose a heap", "%s", text);
	}
	return 0;
}

bool need_allows(const struct dmaheap_need *need, unsigned int properties)
{
	unsigned int asked = need->required | need->preferred;

	if ((properties & need->required) != need->required)
		return false;
	if (properties & DMAHEAP_PROTECTED)
		return asked & DMAHEAP_PROTECTED;
	/* Of what nobody knows whether it is cached, it may be uncached. */
	return properties & DMAHEAP_CACHED || (properties && asked & DMAHEAP_UNCACHED);
}

/* What a link leads to is listed, too: it is not to be tried twice. */
static bool is_alias(const struct dmaheap_heaps *heaps, const struct dmaheap_heap_info *info)
{
	size_t i;

	if (!info->target)
		return false;
	for (i = 0; i < heaps->count; i++)
		if (!strcmp(heaps->infos[i].name, info->target))
			return true;
	return false;
}

static int origin_rank(enum dmaheap_origin origin)
{
	switch (origin) {
	case DMAHEAP_ORIGIN_DMAHEAP: return 0;
	case DMAHEAP_ORIGIN_KERNEL: return 1;
	default: return 2;
	}
}

/* Less than 0: @one is better than @other. */
static int compare(const struct dmaheap_heap_info *one, const struct dmaheap_heap_info *other,
		   const struct dmaheap_need *need)
{
	unsigned int waste = SCARCE & ~(need->required | need->preferred);
	int order;

	order = __builtin_popcount(other->properties & need->preferred) -
		__builtin_popcount(one->properties & need->preferred);
	if (!order)
		order = origin_rank(one->origin) - origin_rank(other->origin);
	if (!order)
		order = __builtin_popcount(one->properties & waste) -
			__builtin_popcount(other->properties & waste);
	return order;
}

size_t need_sort(const struct dmaheap_heaps *heaps, const struct dmaheap_need *need,
		 const struct dmaheap_heap_info **picked)
{
	const struct dmaheap_heap_info *info;
	size_t i, at, count = 0;

	for (i = 0; i < heaps->count; i++) {
		info = &heaps->infos[i];
		if (!need_allows(need, info->properties) || is_alias(heaps, info))
			continue;
		/* Among equals, the one that is listed first. */
		for (at = count++; at && compare(info, picked[at - 1], need) < 0; at--)
			picked[at] = picked[at - 1];
		picked[at] = info;
	}
	return count;
}
