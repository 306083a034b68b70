// SPDX-License-Identifier: LGPL-2.1-or-later
/* How much memory can be had without taking it from anybody. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "private.h"

/* In KiB; as much as can be said, if the kernel does not. */
static unsigned long long sum_available(FILE *file)
{
	unsigned long long sum = 0, number;
	bool known = false;
	char line[128];

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "MemAvailable: %llu", &number) == 1)
			known = true;
		else if (sscanf(line, "SwapFree: %llu", &number) != 1)
			continue;
		sum += number;
	}
	return known ? sum : ULLONG_MAX;
}

bool memory_is_available(const struct dmaheap *context, size_t size)
{
	char *path = context_path(context, DMAHEAP_ROOT_PROC, "meminfo");
	FILE *file = path ? fopen(path, "re") : NULL;
	unsigned long long available;

	free(path);
	if (!file)
		return true;
	available = sum_available(file);
	fclose(file);
	/* Rounded up. */
	return (size - 1) / 1024 < available;
}
