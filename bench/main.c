// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench: the life of a buffer, measured for each that gives out buffers here, in turns.
 *
 * Prints "#KEY=VALUE" lines that say what machine this is, and then samples as CSV; what it is
 * doing goes to stderr.  bench/report makes sense of it.
 */
#include "bench.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

/* In the order in which they are measured; neighbours with the same function are so at once. */
static const struct row {
	const char *name, *unit;
	void (*run)(void);
	bool takes_all; /* of the machine's memory: only with -O */
	const char *text;
} rows[] = {
	{ "paced", "ns", row_paced, false, "allocate one buffer every 16 ms" },
	{ "allocate", "ns", row_allocate, false, "allocate, by size" },
	{ "free", "ns", row_allocate, false, "and close it" },
	{ "back_to_back", "ns", row_back_to_back, false,
	  "allocate and free without a pause: mean of a run" },
	{ "busy_back_to_back", "ns", row_busy_back_to_back, false,
	  "the same while all CPUs are busy" },
	{ "map_512M", "ns", row_map, false, "mmap and munmap of 512 MiB, untouched" },
	{ "touch_512M", "ns", row_touch, false, "first touch of each page of 512 MiB" },
	{ "touch_512M_faults", "count", row_touch, false, "page faults of that" },
	{ "map_unmap", "ns", row_map_unmap, false, "map for a device and unmap" },
	{ "import", "ns", row_import, false, "attach, map, unmap, detach" },
	{ "cpu_access", "ns", row_cpu_access, false, "begin and end an access of the CPU" },
	{ "cpu_access_attached", "ns", row_cpu_access, false,
	  "the same, mapped for a device" },
	{ "memory_per_buffer", "bytes", row_memory, false, "of the kernel, beside its pages" },
	{ "threads_1", "per_second", row_threads, false, "buffers that one thread can have" },
	{ "threads_2", "per_second", row_threads, false, "buffers that two threads can have" },
	{ "oom", "ok", row_oom, true,
	  "a program takes all memory while the pool holds a quarter: 1 if it may" },
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

unsigned int samples_wanted = 200;
static const char *wanted = "*";
static bool may_take_all;

void note(const char *format, ...)
{
	va_list args;
	char line[512];

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* In one piece: in a virtual machine, samples go the same way. */
	fprintf(stderr, "bench: %s\n", line);
}

const char *row_unit(const char *name)
{
	size_t i;

	for (i = 0; i < NR_ROWS; i++)
		if (!strcmp(rows[i].name, name))
			return rows[i].unit;
	return "?";
}

static void usage(FILE *out)
{
	size_t i;

	fprintf(out,
		"Usage: bench [-n SAMPLES] [-r ROW] [-H HEAP]... [-O]\n\n"
		"Measures the life of a buffer for each heap here, and for udmabuf, in turns.\n"
		"Samples go to stdout as CSV: row,unit,peer,size,index,value\n\n"
		"  -n SAMPLES  of each series, where a row has no number of its own (200)\n"
		"  -r ROW      only rows that match this pattern, as of a shell\n"
		"  -H HEAP     another heap to measure: a name in /dev/dma_heap\n"
		"  -O          row oom, too: it takes all of the machine's memory\n\nRows:\n");
	for (i = 0; i < NR_ROWS; i++)
		fprintf(out, "  %-20s %s\n", rows[i].name, rows[i].text);
	fprintf(out, "\nExit status: 0, 1 if nothing could be measured, 2 on wrong usage\n");
}

__attribute__((noreturn)) static void bad_usage(const char *what, const char *value)
{
	note("%s '%s'", what, value);
	usage(stderr);
	exit(2);
}

static bool matches(const struct row *row)
{
	return !fnmatch(wanted, row->name, 0);
}

static unsigned int number_of(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*end || !number || number > 1000000 || text[0] == '-')
		bad_usage("-n takes a number of samples, from 1 to 1000000, not", text);
	return number;
}

static void read_options(int argc, char **argv)
{
	bool any = false;
	size_t i;
	int opt;

	while ((opt = getopt(argc, argv, "n:r:H:Oh")) != -1)
		switch (opt) {
		case 'n': samples_wanted = number_of(optarg); break;
		case 'r': wanted = optarg; break;
		case 'H': peers_add(optarg); break;
		case 'O': may_take_all = true; break;
		case 'h': usage(stdout); exit(0);
		default: usage(stderr); exit(2);
		}
	if (optind < argc)
		bad_usage("there is nothing to be said by", argv[optind]);
	for (i = 0; i < NR_ROWS; i++)
		any |= matches(&rows[i]);
	if (!any)
		bad_usage("no row matches", wanted);
}

/* Rows of one function are measured if any of them is wanted. */
static bool is_wanted(size_t first, size_t end)
{
	for (; first < end; first++)
		if (matches(&rows[first]) && (!rows[first].takes_all || may_take_all))
			return true;
	return false;
}

static size_t measure(const struct row *row)
{
	uint64_t start = now();
	size_t printed;

	row->run();
	printed = samples_print();
	note("%s: %zu values in %.1f s", row->name, printed, (now() - start) / 1e9);
	return printed;
}

static size_t measure_all(void)
{
	size_t i, end, printed = 0;

	for (i = 0; i < NR_ROWS; i = end) {
		for (end = i + 1; end < NR_ROWS && rows[end].run == rows[i].run; end++)
			;
		if (is_wanted(i, end))
			printed += measure(&rows[i]);
	}
	return printed;
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	/* Sleep as long as is said, not 50 us longer. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	if (!peers_open()) {
		note("nothing here gives out buffers: load dmaheap_system, as root");
		return 1;
	}
	describe_machine();
	if (measure_all())
		return 0;
	note("nothing could be measured");
	return 1;
}
