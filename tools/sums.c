// SPDX-License-Identifier: GPL-2.0-only
/* What of a look's buffers is whose, added up. */
#include <stdlib.h>
#include <string.h>

#include "sums.h"
#include "tool.h"

/* Processes come first, by pid, whatever they are called by now; then heaps, by name. */
static int compare(const void *a, const void *b)
{
	const struct sum *left = a, *right = b;

	if (!left->pid != !right->pid)
		return !left->pid - !right->pid;
	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	if (left->pid)
		return (left->started > right->started) - (left->started < right->started);
	return strcmp(left->name, right->name);
}

static void append(struct sums *sums, const struct sum *sum)
{
	if (sums->count == sums->room) {
		sums->room = sums->room ? 2 * sums->room : 16;
		sums->all =
			tool_memory(reallocarray(sums->all, sums->room, sizeof(*sums->all)));
	}
	sums->all[sums->count] = *sum;
	sums->all[sums->count++].name = tool_memory(strdup(sum->name));
}

static void append_holder(struct sums *sums, const struct dmaheap_buffer_info *buffer,
			  const struct dmaheap_holder *holder)
{
	const struct sum sum = {
		.pid = holder->pid,
		.started = holder->started,
		.name = (char *)holder->command,
		.buffers = 1,
		.fds = holder->fds,
		.mappings = holder->mappings,
		.size = buffer->size,
		.share = buffer->share,
		.mapped = holder->mapped,
	};

	append(sums, &sum);
}

static void append_heap(struct sums *sums, const struct dmaheap_buffer_info *buffer)
{
	struct sum sum = { .name = (char *)buffer->heap, .buffers = 1, .size = buffer->size };

	if (!buffer->heap)
		return;
	for (size_t i = 0; i < buffer->holders_count; i++) {
		sum.fds += buffer->holders[i].fds;
		sum.mappings += buffer->holders[i].mappings;
		sum.mapped += buffer->holders[i].mapped;
	}
	append(sums, &sum);
}

static void add_up(struct sum *to, const struct sum *sum)
{
	to->buffers += sum->buffers;
	to->fds += sum->fds;
	to->mappings += sum->mappings;
	to->size += sum->size;
	to->share += sum->share;
	to->mapped += sum->mapped;
}

/* Neighbours of the same name become one. */
static void merge(struct sums *sums)
{
	size_t kept = 0;

	for (size_t i = 0; i < sums->count; i++) {
		if (kept && !compare(&sums->all[kept - 1], &sums->all[i])) {
			add_up(&sums->all[kept - 1], &sums->all[i]);
			free(sums->all[i].name);
		} else {
			sums->all[kept++] = sums->all[i];
		}
	}
	sums->count = kept;
}

void sums_make(struct sums *sums, const struct dmaheap_look *look, unsigned int of)
{
	*sums = (struct sums){ 0 };
	for (size_t i = 0; i < dmaheap_look_count(look); i++) {
		const struct dmaheap_buffer_info *buffer = dmaheap_look_get(look, i);

		if (of & SUMS_OF_HEAPS)
			append_heap(sums, buffer);
		for (size_t j = 0; of & SUMS_OF_PROCESSES && j < buffer->holders_count; j++)
			append_holder(sums, buffer, &buffer->holders[j]);
	}
	if (sums->count)
		qsort(sums->all, sums->count, sizeof(*sums->all), compare);
	merge(sums);
}

void sums_free(struct sums *sums)
{
	for (size_t i = 0; i < sums->count; i++)
		free(sums->all[i].name);
	free(sums->all);
}

const struct sum *sums_find(const struct sums *sums, const struct sum *like)
{
	return sums->count ?
		       bsearch(like, sums->all, sums->count, sizeof(*sums->all), compare) :
		       NULL;
}
