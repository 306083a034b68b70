// SPDX-License-Identifier: GPL-2.0-only
/* Small files, as of /sys, and folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

char *tool_path(const struct tool *tool, unsigned int root, const char *format, ...)
{
	char *below, *path;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&below, format, arguments);
	va_end(arguments);
	tool_memory(length < 0 ? NULL : below);
	length = asprintf(&path, "%s/%s", tool->roots[root], below);
	free(below);
	return tool_memory(length < 0 ? NULL : path);
}

int file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;
	int err;

	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	err = length < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	if (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return 0;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length;
	int err;

	if (fd < 0)
		return -errno;
	length = write(fd, text, strlen(text));
	err = length < 0 ? -errno : 0;
	close(fd);
	return err;
}

bool file_number(const char *path, uint64_t *number)
{
	char text[32];

	return !file_read(path, text, sizeof(text)) && !parse_number(text, UINT64_MAX, number);
}

static int is_name(const struct dirent *entry)
{
	return *entry->d_name != '.';
}

char **folder_names(const char *path, size_t *count)
{
	struct dirent **entries;
	int found = scandir(path, &entries, is_name, alphasort);
	char **names = tool_memory(calloc((found < 0 ? 0 : found) + 1, sizeof(*names)));

	*count = found < 0 ? 0 : found;
	for (int i = 0; i < found; i++) {
		names[i] = tool_memory(strdup(entries[i]->d_name));
		free(entries[i]);
	}
	if (found >= 0)
		free(entries);
	return names;
}

void folder_free(char **names)
{
	for (char **name = names; *name; name++)
		free(*name);
	free(names);
}

char *heap_folder(const struct tool *tool, const char *heap, const char *part)
{
	/* Where the kernel has heaps of its own, the first class is theirs. */
	static const char *const classes[] = { "dmaheap", "dma_heap" };

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		char *path = tool_path(tool, DMAHEAP_ROOT_SYS, "class/%s/%s/%s", classes[i],
				       heap, part);

		if (!access(path, F_OK))
			return path;
		free(path);
	}
	return NULL;
}
