// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap bench: how long the steps of a buffer's life take. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

enum {
	HEAP,
	STEP,
	MEDIAN,
	P99,
	SAMPLES,
	SIZE,
	KERNEL,
	MACHINE,
	COLUMNS,
};

static const struct column columns[] = {
	[HEAP] = { "HEAP", KIND_WORD, SHOWN, 0, "that was measured" },
	[STEP] = { "STEP", KIND_WORD, SHOWN, 0, "of a buffer's life" },
	[MEDIAN] = { "MEDIAN", KIND_TIME, SHOWN, 0, "half of the samples took no longer" },
	[P99] = { "P99", KIND_TIME, SHOWN, 0, "99 of 100 took no longer" },
	[SAMPLES] = { "SAMPLES", KIND_NUMBER, SHOWN, 0, "how many" },
	[SIZE] = { "SIZE", KIND_SIZE, SHOWN, 0, "of the buffers" },
	[KERNEL] = { "KERNEL", KIND_TEXT, IN_JSON, 0, "its version" },
	[MACHINE] = { "MACHINE", KIND_TEXT, IN_JSON, 0, "architecture, CPUs and their model" },
	{ NULL },
};

/**
 * struct life - a buffer, between birth and death
 * @heap:	it comes from
 * @request:	for it
 * @buffer:	itself
 * @bytes:	its mapping
 */
struct life {
	struct dmaheap_heap *heap;
	struct dmaheap_request request;
	struct dmaheap_buffer *buffer;
	void *bytes;
};

static int allocate(struct life *life)
{
	return dmaheap_allocate(life->heap, &life->request, &life->buffer);
}

static int map(struct life *life)
{
	return dmaheap_buffer_map(life->buffer, DMAHEAP_READ_WRITE, &life->bytes);
}

static int begin(struct life *life)
{
	return dmaheap_buffer_begin(life->buffer, DMAHEAP_READ_WRITE);
}

/* One byte of each page. */
static int touch(struct life *life)
{
	size_t size = dmaheap_buffer_size(life->buffer), page = sysconf(_SC_PAGESIZE);
	volatile char *bytes = life->bytes;

	for (size_t i = 0; i < size; i += page)
		bytes[i] = 1;
	return 0;
}

static int end(struct life *life)
{
	return dmaheap_buffer_end(life->buffer, DMAHEAP_READ_WRITE);
}

static int unmap(struct life *life)
{
	return dmaheap_buffer_unmap(life->buffer);
}

static int release(struct life *life)
{
	struct dmaheap_buffer *buffer = life->buffer;

	life->buffer = NULL;
	return dmaheap_buffer_free(buffer);
}

/**
 * struct step - of a life
 * @name:	of it
 * @run:	does it
 * @by_cpu:	whether it is left out if memory is protected from the CPU
 */
static const struct step {
	const char *name;
	int (*run)(struct life *life);
	bool by_cpu;
} steps[] = {
	{ "allocate", allocate, false }, { "map", map, true }, { "begin", begin, true },
	{ "touch", touch, true },	 { "end", end, true }, { "unmap", unmap, true },
	{ "free", release, false },
};

#define STEPS ARRAY_SIZE(steps)

/**
 * struct subject - a heap that is measured
 * @heap:	it
 * @protected:	whether its memory is, from the CPU
 * @failed:	it could not be measured, and is left out
 * @times:	nanoseconds of each sample, by step
 */
struct subject {
	struct dmaheap_heap *heap;
	bool protected;
	bool failed;
	uint64_t *times[STEPS];
};

/**
 * struct bench - what is measured
 * @size:	of buffers
 * @samples:	how many
 * @all:	all heaps are asked for: one that cannot be measured does not keep the others from it
 * @left_out:	how many there were of that kind
 * @subjects:	heaps
 * @count:	of them
 */
struct bench {
	uint64_t size;
	unsigned int samples;
	bool all;
	size_t left_out;
	struct subject *subjects;
	size_t count;
};

/* What to do about a heap that fails: TOOL_DONE to go on without it. */
static int leave_out(const struct tool *tool, struct bench *bench, int err)
{
	int status = tool_fail(tool, err);

	bench->left_out++;
	return bench->all ? TOOL_DONE : status;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static bool is_left_out(const struct subject *subject, const struct step *step)
{
	return subject->protected && step->by_cpu;
}

static int measure_life(const struct bench *bench, struct subject *subject,
			unsigned int sample)
{
	struct life life = { .heap = subject->heap, .request.size = bench->size };
	int err = 0;

	for (size_t i = 0; !err && i < STEPS; i++) {
		uint64_t start = now_ns();

		if (is_left_out(subject, &steps[i]))
			continue;
		err = steps[i].run(&life);
		subject->times[i][sample] = now_ns() - start;
		if (err == -EPERM && steps[i].by_cpu) {
			subject->protected = true;
			err = 0;
		}
	}
	if (life.buffer)
		dmaheap_buffer_free(life.buffer);
	return err;
}

/* In turns, so that what changes meanwhile hits all heaps. */
static int measure(const struct tool *tool, struct bench *bench)
{
	int status = TOOL_DONE;

	for (unsigned int sample = 0; sample < bench->samples; sample++) {
		for (size_t i = 0; !status && i < bench->count; i++) {
			struct subject *subject = &bench->subjects[i];
			int err = subject->failed ? 0 : measure_life(bench, subject, sample);

			if (!err)
				continue;
			subject->failed = true;
			status = leave_out(tool, bench, err);
		}
	}
	return status;
}

/* ---- the result ---- */

static int compare_times(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* The least time that so many of 100 samples did not exceed; of sorted ones. */
static uint64_t percentile(const uint64_t *times, unsigned int count, unsigned int percent)
{
	return times[((uint64_t)count * percent + 99) / 100 - 1];
}

static void describe_machine(const struct tool *tool, const struct utsname *uts, char *text,
			     size_t size)
{
	char *path = tool_path(tool, DMAHEAP_ROOT_PROC, "cpuinfo");
	FILE *file = fopen(path, "re");
	char line[256], model[128] = "";

	while (file && !*model && fgets(line, sizeof(line), file))
		sscanf(line, "model name : %127[^\n]", model);
	if (file)
		fclose(file);
	free(path);
	snprintf(text, size, "%s, %ld CPUs%s%s", uts->machine, sysconf(_SC_NPROCESSORS_ONLN),
		 *model ? ", " : "", model);
}

static void show_subject(struct table *table, const struct bench *bench,
			 const struct subject *subject, const struct value *common)
{
	for (size_t i = 0; i < STEPS; i++) {
		struct value row[COLUMNS];

		if (is_left_out(subject, &steps[i]))
			continue;
		memcpy(row, common, sizeof(row));
		qsort(subject->times[i], bench->samples, sizeof(uint64_t), compare_times);
		row[HEAP] = value_text(dmaheap_heap_info(subject->heap)->name);
		row[STEP] = value_text(steps[i].name);
		row[MEDIAN] = value_number(percentile(subject->times[i], bench->samples, 50));
		row[P99] = value_number(percentile(subject->times[i], bench->samples, 99));
		table_add(table, row);
	}
}

static void show(const struct tool *tool, const struct bench *bench)
{
	struct value common[COLUMNS] = { 0 };
	struct table *table;
	struct utsname uts;
	char machine[256];

	uname(&uts);
	describe_machine(tool, &uts, machine, sizeof(machine));
	if (!tool->json && !tool->raw && !tool->noheadings)
		printf("Linux %s, %s\n", uts.release, machine);
	common[SAMPLES] = value_number(bench->samples);
	common[SIZE] = value_number(bench->size);
	common[KERNEL] = value_text(uts.release);
	common[MACHINE] = value_text(machine);
	table = table_new(tool, TABLE_PLAIN);
	for (size_t i = 0; i < bench->count; i++) {
		if (!bench->subjects[i].failed)
			show_subject(table, bench, &bench->subjects[i], common);
	}
	table_finish(table);
}

static int conclude(const struct tool *tool, const struct bench *bench)
{
	size_t failed = 0;

	for (size_t i = 0; i < bench->count; i++)
		failed += bench->subjects[i].failed;
	if (failed == bench->count)
		return TOOL_FAILED;
	show(tool, bench);
	return bench->left_out ? TOOL_PARTIAL : TOOL_DONE;
}

/* ---- the heaps ---- */

static int add_subject(const struct tool *tool, struct bench *bench, const char *name)
{
	struct subject *subject = &bench->subjects[bench->count];
	int err = dmaheap_open(tool->context, name, &subject->heap);

	if (err)
		return leave_out(tool, bench, err);
	bench->count++;
	for (size_t i = 0; i < STEPS; i++)
		subject->times[i] = tool_memory(calloc(bench->samples, sizeof(uint64_t)));
	return TOOL_DONE;
}

static int add_named(const struct tool *tool, struct bench *bench, int count, char **names)
{
	int status = TOOL_DONE;

	bench->subjects = tool_memory(calloc(count, sizeof(*bench->subjects)));
	for (int i = 0; !status && i < count; i++) {
		status = tool_check_heap_name(tool, names[i]);
		if (status == TOOL_GO)
			status = add_subject(tool, bench, names[i]);
	}
	return status;
}

/* Whether a heap is there by a better name: its own, or that of another link. */
static bool is_repeated(const struct dmaheap_heaps *heaps, size_t i)
{
	const struct dmaheap_heap_info *heap = dmaheap_heaps_get(heaps, i);

	for (size_t j = 0; heap->target && j < dmaheap_heaps_count(heaps); j++) {
		const struct dmaheap_heap_info *other = dmaheap_heaps_get(heaps, j);

		if (other->device == heap->device && (!other->target || j < i))
			return true;
	}
	return false;
}

/* All that may be opened, each by one name. */
static int add_all(const struct tool *tool, struct bench *bench)
{
	struct dmaheap_heaps *heaps;
	int status = TOOL_DONE, err = dmaheap_list(tool->context, &heaps);

	if (err)
		return tool_fail(tool, err);
	bench->all = true;
	bench->subjects =
		tool_memory(calloc(dmaheap_heaps_count(heaps) + 1, sizeof(*bench->subjects)));
	for (size_t i = 0; !status && i < dmaheap_heaps_count(heaps); i++) {
		const struct dmaheap_heap_info *heap = dmaheap_heaps_get(heaps, i);

		if (heap->readable && !is_repeated(heaps, i))
			status = add_subject(tool, bench, heap->name);
	}
	if (!status && !bench->count && !bench->left_out)
		status = tool_error(dmaheap_heaps_count(heaps) ? -EACCES : -ENOENT, "bench",
				    "heaps", "see dmaheap doctor");
	dmaheap_heaps_free(heaps);
	return status;
}

static void free_subjects(struct bench *bench)
{
	for (size_t i = 0; i < bench->count; i++) {
		for (size_t j = 0; j < STEPS; j++)
			free(bench->subjects[i].times[j]);
		dmaheap_close(bench->subjects[i].heap);
	}
	free(bench->subjects);
}

int verb_bench(struct tool *tool, int argc, char **argv)
{
	struct bench bench = { .size = 4 << 20, .samples = 100 };
	const struct option_spec options[] = {
		{ "size", 's', "SIZE", "of the buffers; else 4M", take_size, &bench.size },
		{ "count", 'c', "COUNT", "of samples; else 100", take_count, &bench.samples },
		{ NULL },
	};
	const struct usage usage = { .operands = "[HEAP]...",
				     .options = options,
				     .columns = columns,
				     .most = OPERANDS_ANY };
	int status = tool_options(tool, &usage, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	status = argc ? add_named(tool, &bench, argc, argv) : add_all(tool, &bench);
	if (!status)
		status = measure(tool, &bench);
	if (!status)
		status = conclude(tool, &bench);
	free_subjects(&bench);
	return status;
}
