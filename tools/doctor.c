// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap doctor: what is not as it should be, and what to do about it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tool.h"

enum {
	STATE,
	CHECK,
	FINDING,
	REMEDY,
	COLUMNS,
};

static const struct column columns[] = {
	[STATE] = { "STATE", KIND_WORD, SHOWN, 0,
		    "ok, note (some things cannot be), problem" },
	[CHECK] = { "CHECK", KIND_WORD, SHOWN, 0, "what was looked at" },
	[FINDING] = { "FINDING", KIND_TEXT, SHOWN, 0, "what was found" },
	[REMEDY] = { "REMEDY", KIND_TEXT, SHOWN, 0, "what to do" },
	{ NULL },
};

enum state {
	OK,
	NOTE,
	PROBLEM,
};

/**
 * struct doctor - what was found so far
 * @tool:	the tool
 * @table:	of findings
 * @check:	that is being made
 * @release:	of the kernel
 * @heaps:	or NULL
 * @list_err:	why they could not be listed: negative errno, or 0
 * @names:	of all of them
 * @refused:	names of those that may not be opened
 * @usable:	how many may be
 * @count:	how many there are
 * @problems:	how many were found
 */
struct doctor {
	const struct tool *tool;
	struct table *table;
	const char *check;
	const char *release;
	struct dmaheap_heaps *heaps;
	int list_err;
	char *names;
	char *refused;
	size_t usable;
	size_t count;
	unsigned int problems;
};

__attribute__((format(printf, 4, 5))) static void
find(struct doctor *doctor, enum state state, const char *remedy, const char *format, ...)
{
	static const char *const names[] = { "ok", "note", "problem" };
	static const char *const colors[] = { "green", "yellow", "red" };
	struct value row[COLUMNS] = {
		[STATE] = value_colored(names[state], colors[state]),
		[CHECK] = value_text(doctor->check),
		[REMEDY] = value_text(remedy),
	};
	va_list arguments;
	char *finding;
	int length;

	va_start(arguments, format);
	length = vasprintf(&finding, format, arguments);
	va_end(arguments);
	row[FINDING] = value_text(tool_memory(length < 0 ? NULL : finding));
	table_add(doctor->table, row);
	free(finding);
	doctor->problems += state == PROBLEM;
}

static bool exists(const struct doctor *doctor, unsigned int root, const char *below, int mode)
{
	char *path = tool_path(doctor->tool, root, "%s", below);
	bool result = !access(path, mode);

	free(path);
	return result;
}

/* ---- the kernel and its modules ---- */

/* The first line of a file that begins so, without its end.  False: there is none */
static bool find_line(FILE *file, const char *start, char *line, size_t size)
{
	while (fgets(line, size, file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, start, strlen(start)))
			return true;
	}
	return false;
}

static FILE *open_config(const struct doctor *doctor)
{
	char *paths[] = {
		tool_path(doctor->tool, TOOL_ROOT_BOOT, "config-%s", doctor->release),
		tool_path(doctor->tool, TOOL_ROOT_LIB, "%s/config", doctor->release),
	};
	FILE *file = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!file)
			file = fopen(paths[i], "re");
		free(paths[i]);
	}
	return file;
}

static void check_kernel(struct doctor *doctor)
{
	FILE *config = open_config(doctor);
	char line[256];

	if (!config) {
		find(doctor, OK, NULL, "Linux %s; how it was configured is not known",
		     doctor->release);
		return;
	}
	if (find_line(config, "CONFIG_DMABUF_HEAPS=", line, sizeof(line)))
		find(doctor, OK, NULL, "Linux %s, which has heaps of its own",
		     doctor->release);
	else
		find(doctor, OK, NULL, "Linux %s, which has no heaps of its own",
		     doctor->release);
	fclose(config);
}

static bool is_installed(const struct doctor *doctor)
{
	char *path = tool_path(doctor->tool, TOOL_ROOT_LIB, "%s/modules.dep", doctor->release);
	FILE *file = fopen(path, "re");
	char line[1024];
	bool found = false;

	free(path);
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, ":")] = '\0';
		found = strstr(line, "dmaheap_core.ko");
	}
	fclose(file);
	return found;
}

/* Where there are heaps already, our modules are no need. */
static enum state without_heaps(const struct doctor *doctor, enum state state)
{
	return doctor->count || doctor->list_err == -EACCES ? NOTE : state;
}

static void check_installed(struct doctor *doctor)
{
	if (is_installed(doctor))
		find(doctor, OK, NULL, "the modules are installed for this kernel");
	else
		find(doctor, without_heaps(doctor, PROBLEM),
		     "in the sources of dmaheap: make install",
		     "the modules are not installed for %s", doctor->release);
}

static char *loaded_modules(const struct doctor *doctor)
{
	char *folder = tool_path(doctor->tool, DMAHEAP_ROOT_SYS, "module"), *text;
	size_t count, size;
	char **modules = folder_names(folder, &count);
	FILE *list = tool_memory(open_memstream(&text, &size));

	for (size_t i = 0; i < count; i++) {
		if (!strncmp(modules[i], "dmaheap_", strlen("dmaheap_")))
			fprintf(list, "%s%s", ftell(list) ? ", " : "", modules[i]);
	}
	fclose(list);
	folder_free(modules);
	free(folder);
	return tool_memory(text);
}

static void check_loaded(struct doctor *doctor)
{
	char *modules = loaded_modules(doctor);

	if (*modules)
		find(doctor, OK, NULL, "loaded: %s", modules);
	else
		find(doctor, without_heaps(doctor, PROBLEM), "modprobe dmaheap_system",
		     "no module of dmaheap is loaded");
	free(modules);
}

/* ---- the heaps ---- */

static void check_heaps(struct doctor *doctor)
{
	if (doctor->count)
		find(doctor, OK, NULL, "%zu: %s", doctor->count, doctor->names);
	else if (doctor->list_err && doctor->list_err != -ENOSYS)
		find(doctor, PROBLEM, "run it as root, or give the folder rights as of 0755",
		     "%s/dma_heap cannot be listed: %s", doctor->tool->roots[DMAHEAP_ROOT_DEV],
		     strerror(-doctor->list_err));
	else
		find(doctor, PROBLEM, "modprobe dmaheap_system",
		     "there is no heap in %s/dma_heap", doctor->tool->roots[DMAHEAP_ROOT_DEV]);
}

static bool has_node(const struct doctor *doctor, const char *name)
{
	char node[300];

	snprintf(node, sizeof(node), "dma_heap/%s", name);
	return exists(doctor, DMAHEAP_ROOT_DEV, node, F_OK);
}

/* What the kernel has, udev or devtmpfs should have made nodes for. */
static void check_nodes(struct doctor *doctor)
{
	static const char *const classes[] = { "dma_heap", "dmaheap" };
	unsigned int missing = 0;

	if (doctor->list_err == -EACCES)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		char *folder =
			tool_path(doctor->tool, DMAHEAP_ROOT_SYS, "class/%s", classes[i]);
		size_t count;
		char **heaps = folder_names(folder, &count);

		for (size_t j = 0; j < count; j++) {
			if (has_node(doctor, heaps[j]))
				continue;
			find(doctor, PROBLEM,
			     "mount devtmpfs on /dev, or let a container have the node",
			     "heap %s has no node in %s/dma_heap", heaps[j],
			     doctor->tool->roots[DMAHEAP_ROOT_DEV]);
			missing++;
		}
		folder_free(heaps);
		free(folder);
	}
	if (!missing && doctor->count)
		find(doctor, OK, NULL, "each heap of the kernel has one");
}

#define UDEV_RULE \
	"run it as root, or make a rule for udev: SUBSYSTEM==\"dma_heap\", GROUP=\"video\", " \
	"MODE=\"0660\""

static void check_rights(struct doctor *doctor)
{
	if (!doctor->count)
		return;
	if (*doctor->refused)
		find(doctor, doctor->usable ? NOTE : PROBLEM, UDEV_RULE,
		     "you may not allocate from %s", doctor->refused);
	else
		find(doctor, OK, NULL, "you may allocate from all heaps");
}

static void check_names(struct doctor *doctor)
{
	static const char suffix[] = ".dmaheap";

	for (size_t i = 0; i < doctor->count; i++) {
		const char *name = dmaheap_heaps_get(doctor->heaps, i)->name;
		size_t length = strlen(name), end = strlen(suffix);

		if (length > end && !strcmp(name + length - end, suffix))
			find(doctor, NOTE, "programs that want ours have to ask for that name",
			     "%.*s is the kernel's, so ours is %s", (int)(length - end), name,
			     name);
	}
}

/* ---- what else there may be ---- */

static uint64_t cma_bytes(const struct doctor *doctor)
{
	char *path = tool_path(doctor->tool, DMAHEAP_ROOT_PROC, "meminfo"), line[128];
	FILE *file = fopen(path, "re");
	unsigned long long kibibytes = 0;

	free(path);
	if (!file)
		return 0;
	if (find_line(file, "CmaTotal:", line, sizeof(line)))
		sscanf(line, "CmaTotal: %llu kB", &kibibytes);
	fclose(file);
	return kibibytes * 1024;
}

static void check_cma(struct doctor *doctor)
{
	char *folder = tool_path(doctor->tool, DMAHEAP_ROOT_SYS, "kernel/mm/cma");
	uint64_t bytes = cma_bytes(doctor);
	char text[SIZE_TEXT];
	size_t count;
	char **areas = folder_names(folder, &count);

	if (bytes)
		find(doctor, OK, NULL, "%s in %zu areas that are named",
		     size_text(doctor->tool, bytes, text), count);
	else
		find(doctor, NOTE,
		     "for contiguous memory: modprobe dmaheap_contig, or a carveout",
		     "this kernel has no area of CMA");
	folder_free(areas);
	free(folder);
}

static void check_udmabuf(struct doctor *doctor)
{
	if (!exists(doctor, DMAHEAP_ROOT_DEV, "udmabuf", F_OK))
		find(doctor, NOTE, "modprobe udmabuf",
		     "it is not there, so without a heap there is nothing to fall back on");
	else if (!exists(doctor, DMAHEAP_ROOT_DEV, "udmabuf", R_OK | W_OK))
		find(doctor, NOTE, "run it as root, or let udev give you rights",
		     "you may not open %s/udmabuf", doctor->tool->roots[DMAHEAP_ROOT_DEV]);
	else
		find(doctor, OK, NULL, "you may use it");
}

static void check_debugfs(struct doctor *doctor)
{
	if (exists(doctor, DMAHEAP_ROOT_DEBUG, "dmaheap/buffers", R_OK) ||
	    exists(doctor, DMAHEAP_ROOT_DEBUG, "dma_buf/bufinfo", R_OK))
		find(doctor, OK, NULL, "buffers can be listed");
	else if (geteuid())
		find(doctor, NOTE, "run it as root", "you may not list all buffers");
	else
		find(doctor, NOTE, "mount -t debugfs debugfs /sys/kernel/debug",
		     "it is not mounted, or lists no buffers");
}

static void check_pool(struct doctor *doctor)
{
	static const char parameter[] = "module/dmaheap_core/parameters/pool_max";
	char *path = tool_path(doctor->tool, DMAHEAP_ROOT_SYS, parameter), text[SIZE_TEXT];
	uint64_t most;

	if (file_number(path, &most)) {
		if (most)
			find(doctor, OK, NULL, "pools may keep %s",
			     size_text(doctor->tool, most, text));
		else
			find(doctor, NOTE,
			     "give the parameter pool_max of dmaheap_core a size, as 256M",
			     "pools keep nothing, so that each allocation zeroes its memory");
	}
	free(path);
}

/* ---- all of them ---- */

static const struct {
	const char *name;
	void (*run)(struct doctor *doctor);
} checks[] = {
	{ "kernel", check_kernel },   { "modules", check_installed },
	{ "modules", check_loaded },  { "heaps", check_heaps },
	{ "nodes", check_nodes },     { "permissions", check_rights },
	{ "names", check_names },     { "CMA", check_cma },
	{ "udmabuf", check_udmabuf }, { "debugfs", check_debugfs },
	{ "pool", check_pool },
};

static void find_heaps(struct doctor *doctor)
{
	size_t names_size, refused_size;
	FILE *names = tool_memory(open_memstream(&doctor->names, &names_size));
	FILE *refused = tool_memory(open_memstream(&doctor->refused, &refused_size));

	/* That there are none is a finding, no error. */
	doctor->list_err = dmaheap_list(doctor->tool->context, &doctor->heaps);
	if (!doctor->list_err)
		doctor->count = dmaheap_heaps_count(doctor->heaps);
	for (size_t i = 0; i < doctor->count; i++) {
		const struct dmaheap_heap_info *heap = dmaheap_heaps_get(doctor->heaps, i);

		fprintf(names, "%s%s", i ? ", " : "", heap->name);
		doctor->usable += heap->readable;
		if (!heap->readable)
			fprintf(refused, "%s%s", ftell(refused) ? ", " : "", heap->name);
	}
	fclose(names);
	fclose(refused);
	tool_memory(doctor->names);
	tool_memory(doctor->refused);
}

static int verdict(const struct doctor *doctor)
{
	if (doctor->list_err)
		return tool_exit_code(doctor->list_err);
	if (!doctor->count)
		return TOOL_MISSING;
	if (!doctor->usable)
		return TOOL_PERMISSION;
	return doctor->problems ? TOOL_FAILED : TOOL_DONE;
}

int verb_doctor(struct tool *tool, int argc, char **argv)
{
	const struct usage usage = { .columns = columns };
	struct doctor doctor = { .tool = tool };
	struct utsname uts;
	int status = tool_options(tool, &usage, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	uname(&uts);
	doctor.release = uts.release;
	find_heaps(&doctor);
	doctor.table = table_new(tool, TABLE_WRAPPED);
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		doctor.check = checks[i].name;
		checks[i].run(&doctor);
	}
	table_finish(doctor.table);
	if (doctor.heaps)
		dmaheap_heaps_free(doctor.heaps);
	free(doctor.names);
	free(doctor.refused);
	return verdict(&doctor);
}
