// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who holds which buffers: what all sources say, put together by inode. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "look.h"

#define BLOCK_SIZE ((size_t)32768)
#define LINE_SIZE 32768

/* ---- memory: it is only ever added to, and freed together ---- */

struct look_block {
	struct look_block *next;
	size_t used;
	size_t size;
	max_align_t bytes[];
};

static struct look_block *add_block(struct dmaheap_look *look, size_t least)
{
	size_t size = least > BLOCK_SIZE ? least : BLOCK_SIZE;
	struct look_block *block = malloc(sizeof(*block) + size);

	if (!block) {
		look->err = -ENOMEM;
		return NULL;
	}
	block->next = look->blocks;
	block->used = 0;
	block->size = size;
	look->blocks = block;
	return block;
}

void *look_alloc(struct dmaheap_look *look, size_t size)
{
	size_t rounded = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	struct look_block *block = look->blocks;
	void *bytes;

	if (!block || block->size - block->used < rounded)
		block = add_block(look, rounded);
	if (!block)
		return NULL;
	bytes = (char *)block->bytes + block->used;
	block->used += rounded;
	return memset(bytes, 0, size);
}

const char *look_keep(struct dmaheap_look *look, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = look_alloc(look, size);

	return copy ? memcpy(copy, text, size) : NULL;
}

/* An array is full when its count is a power of two: its room needs no variable. */
void *look_grow(struct dmaheap_look *look, void *array, size_t count, size_t size)
{
	size_t old;
	void *larger;

	if (count & (count - 1))
		return array;
	if (__builtin_mul_overflow(count, size, &old) || old > SIZE_MAX / 4) {
		look->err = -ENOMEM;
		return NULL;
	}
	larger = look_alloc(look, count ? 2 * old : size);
	if (larger && count)
		memcpy(larger, array, old);
	return larger;
}

/* ---- the table ---- */

/* The slot that an inode is in, or that it would be. */
static struct look_buffer **slot_of(const struct dmaheap_look *look, uint64_t inode)
{
	size_t i = inode * 0x9e3779b97f4a7c15ULL >> 32;

	for (;; i++) {
		struct look_buffer **slot = &look->buffers[i & (look->room - 1)];

		if (!*slot || (*slot)->info.inode == inode)
			return slot;
	}
}

static bool make_room(struct dmaheap_look *look)
{
	struct dmaheap_look larger = { .room = look->room ? 2 * look->room : 1024 };
	size_t i;

	if (look->count < look->room / 2)
		return true;
	larger.buffers = calloc(larger.room, sizeof(*larger.buffers));
	if (!larger.buffers) {
		look->err = -ENOMEM;
		return false;
	}
	for (i = 0; i < look->room; i++)
		if (look->buffers[i])
			*slot_of(&larger, look->buffers[i]->info.inode) = look->buffers[i];
	free(look->buffers);
	look->buffers = larger.buffers;
	look->room = larger.room;
	return true;
}

struct look_buffer *look_lookup(const struct dmaheap_look *look, uint64_t inode)
{
	return look->room ? *slot_of(look, inode) : NULL;
}

struct look_buffer *look_add(struct dmaheap_look *look, uint64_t inode, unsigned int source)
{
	struct look_buffer **slot;

	if (!make_room(look))
		return NULL;
	slot = slot_of(look, inode);
	if (!*slot) {
		*slot = look_alloc(look, sizeof(**slot));
		if (!*slot)
			return NULL;
		(*slot)->info.inode = inode;
		look->count++;
	}
	(*slot)->info.sources |= source;
	return *slot;
}

void look_set_name(struct dmaheap_look *look, struct look_buffer *buffer, const char *name,
		   bool is_exact)
{
	if (buffer->name_is_exact || (buffer->info.name && !is_exact))
		return;
	buffer->info.name = *name ? look_keep(look, name) : NULL;
	buffer->name_is_exact = is_exact;
}

void look_add_device(struct dmaheap_look *look, struct look_buffer *buffer, const char *name)
{
	const char **devices =
		look_grow(look, buffer->devices, buffer->info.devices_count, sizeof(*devices));

	if (!devices)
		return;
	buffer->devices = devices;
	devices[buffer->info.devices_count] = look_keep(look, name);
	if (devices[buffer->info.devices_count])
		buffer->info.devices_count++;
}

bool look_ran_out(struct dmaheap_look *look, int err)
{
	if (err != -ENOMEM && err != -EMFILE && err != -ENFILE)
		return false;
	look->err = err;
	return true;
}

/* ---- exporters ---- */

static bool is_of_class(struct dmaheap_look *look, const char *class, const char *name)
{
	char *path = context_path(look->context, DMAHEAP_ROOT_SYS, "class/%s/%s", class, name);
	bool is = path && !access(path, F_OK);

	if (!path)
		look->err = -ENOMEM;
	free(path);
	return is;
}

/* Heaps' buffers are exported by the name of the heap: the kernel's as well as ours. */
static bool is_heap(struct dmaheap_look *look, const char *exporter)
{
	bool is_name = *exporter && *exporter != '.' && !strchr(exporter, '/');

	return is_name && (is_of_class(look, "dma_heap", exporter) ||
			   is_of_class(look, "dmaheap", exporter));
}

static struct look_exporter *add_exporter(struct dmaheap_look *look, const char *name)
{
	struct look_exporter **exporters =
		look_grow(look, look->exporters, look->exporters_count, sizeof(*exporters));
	struct look_exporter *exporter = look_alloc(look, sizeof(*exporter));

	if (!exporters || !exporter)
		return NULL;
	look->exporters = exporters;
	exporter->name = look_keep(look, name);
	if (!exporter->name)
		return NULL;
	exporter->is_heap = is_heap(look, name);
	exporters[look->exporters_count++] = exporter;
	return exporter;
}

void look_set_exporter(struct dmaheap_look *look, struct look_buffer *buffer, const char *name)
{
	size_t i;

	if (buffer->exporter)
		return;
	for (i = 0; i < look->exporters_count && !buffer->exporter; i++)
		if (!strcmp(look->exporters[i]->name, name))
			buffer->exporter = look->exporters[i];
	if (!buffer->exporter)
		buffer->exporter = add_exporter(look, name);
}

/* ---- reading ---- */

bool look_number(char **text, int base, char after, uint64_t *number)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	size_t length = strspn(*text, digits);
	char *end;

	if (!length)
		return false;
	errno = 0;
	*number = strtoull(*text, &end, base);
	if (errno || end != *text + length || *end != after)
		return false;
	*text = after ? end + 1 : end;
	return true;
}

static bool is_octal(const char *digits)
{
	return digits[0] >= '0' && digits[0] <= '3' && digits[1] >= '0' && digits[1] <= '7' &&
	       digits[2] >= '0' && digits[2] <= '7';
}

void look_unescape(char *word)
{
	char *to = word;

	while (*word) {
		if (*word == '\\' && is_octal(word + 1)) {
			*to++ = (char)((word[1] - '0') * 64 + (word[2] - '0') * 8 + word[3] -
				       '0');
			word += 4;
		} else {
			*to++ = *word++;
		}
	}
	*to = '\0';
}

/**
 * struct reader - lines of a file, as they come
 * @each:	called for each
 * @state:	its first argument
 * @used:	bytes of a line that has not ended yet
 * @skips:	whether the line is too long
 * @skipped:	whether any was
 * @bytes:	what was read
 */
struct reader {
	look_line_fn *each;
	void *state;
	size_t used;
	bool skips;
	bool skipped;
	char bytes[LINE_SIZE + 1];
};

static void end_line(struct reader *reader, char *line, char *end)
{
	*end = '\0';
	if (!reader->skips)
		reader->each(reader->state, line);
	reader->skips = false;
}

/* Gives out all whole lines; what is left is moved to the front. */
static void split_lines(struct reader *reader)
{
	char *line = reader->bytes, *end = reader->bytes + reader->used, *newline;

	while ((newline = memchr(line, '\n', end - line))) {
		end_line(reader, line, newline);
		line = newline + 1;
	}
	reader->used = end - line;
	if (reader->used == LINE_SIZE) {
		reader->skips = reader->skipped = true;
		reader->used = 0;
	}
	memmove(reader->bytes, line, reader->used);
}

int look_lines(int dir, const char *path, look_line_fn *each, void *state)
{
	struct reader reader;
	/* Nobody ever writes to what is no file. */
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got;
	int err;

	if (fd < 0)
		return -errno;
	/* Not by an initializer, which would clear the bytes as well, for each small file. */
	reader.each = each;
	reader.state = state;
	reader.used = 0;
	reader.skips = reader.skipped = false;
	do {
		got = read(fd, reader.bytes + reader.used, LINE_SIZE - reader.used);
		if (got > 0) {
			reader.used += got;
			split_lines(&reader);
		}
	} while (got > 0 || (got < 0 && errno == EINTR));
	err = got ? -errno : 0;
	close(fd);
	if (!err && reader.used)
		end_line(&reader, reader.bytes, reader.bytes + reader.used);
	return err ? err : reader.skipped;
}

/* ---- the end of collecting ---- */

static int by_pid(const void *a, const void *b)
{
	const struct dmaheap_holder *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static int by_inode(const void *a, const void *b)
{
	const struct look_buffer *const *left = a, *const *right = b;

	return ((*left)->info.inode > (*right)->info.inode) -
	       ((*left)->info.inode < (*right)->info.inode);
}

static bool is_held_by(const struct look_buffer *buffer, pid_t pid)
{
	size_t i;

	for (i = 0; i < buffer->info.holders_count; i++)
		if (buffer->holders[i].pid == pid)
			return true;
	return false;
}

/* Fills in what follows from the rest. */
static void complete(struct look_buffer *buffer)
{
	static const char *const none[1];
	struct dmaheap_buffer_info *info = &buffer->info;

	if (info->holders_count) {
		qsort(buffer->holders, info->holders_count, sizeof(*buffer->holders), by_pid);
		info->share = info->size / info->holders_count;
	}
	info->holders = buffer->holders;
	if (buffer->devices_known)
		info->devices = info->devices_count ? buffer->devices : none;
	if (!buffer->exporter)
		return;
	info->exporter = buffer->exporter->name;
	if (!info->heap && buffer->exporter->is_heap)
		info->heap = info->exporter;
}

/* What follows from what was, and was not, read. */
static void find_gaps(struct dmaheap_look *look)
{
	const unsigned int proc = DMAHEAP_SOURCE_FDINFO | DMAHEAP_SOURCE_MAPS;

	if (look->unreadable)
		look->gaps |= DMAHEAP_GAP_UNREADABLE;
	else if ((look->sources & proc) != proc)
		look->gaps |= DMAHEAP_GAP_PROC;
	if (!(look->sources & DMAHEAP_SOURCE_BUFINFO))
		look->gaps |= DMAHEAP_GAP_UNHELD;
}

/* Makes the table an array: of all buffers, or of those that a process holds. */
static void finish(struct dmaheap_look *look, pid_t pid)
{
	size_t i, count = 0;

	for (i = 0; i < look->room; i++) {
		struct look_buffer *buffer = look->buffers[i];

		if (!buffer || (pid && !is_held_by(buffer, pid)))
			continue;
		complete(buffer);
		look->buffers[count++] = buffer;
	}
	look->count = count;
	if (count)
		qsort(look->buffers, count, sizeof(struct look_buffer *), by_inode);
}

static const struct look_process *find_process(const struct dmaheap_look *look, pid_t pid)
{
	size_t i;

	for (i = 0; i < look->processes_count; i++)
		if (look->processes[i].pid == pid)
			return &look->processes[i];
	return NULL;
}

/* Whether the look says anything about what was asked. */
static int verdict(struct dmaheap *context, const struct dmaheap_look *look, pid_t pid)
{
	const struct look_process *process = find_process(look, pid);

	if (look->err)
		return context_fail(context, look->err, "look", "buffers");
	if (!look->sources)
		return context_fail_because(
			context, -EACCES, "neither may be read; mount them, or be root",
			"look", "%s, %s", context->roots[DMAHEAP_ROOT_DEBUG],
			context->roots[DMAHEAP_ROOT_PROC]);
	if (pid && !look->processes_count)
		return context_fail_because(context, -EACCES,
					    "it lists no processes; mount it", "look", "%s",
					    context->roots[DMAHEAP_ROOT_PROC]);
	if (pid && !process)
		return context_fail(context, -ESRCH, "look", "process %d", pid);
	if (pid && process->unreadable)
		return context_fail_because(context, -EACCES,
					    "it may not be read; be its user, or root", "look",
					    "process %d", pid);
	return 0;
}

int dmaheap_look(struct dmaheap *context, pid_t pid, struct dmaheap_look **result)
{
	struct dmaheap_look *look = calloc(1, sizeof(*look));
	int err;

	if (!look)
		return context_fail(context, -ENOMEM, "look", "buffers");
	look->context = context;
	look_read_debugfs(look);
	look_read_processes(look);
	err = verdict(context, look, pid);
	if (err) {
		dmaheap_look_free(look);
		return err;
	}
	find_gaps(look);
	finish(look, pid);
	*result = look;
	return 0;
}

void dmaheap_look_free(struct dmaheap_look *look)
{
	struct look_block *block, *next;

	if (!look)
		return;
	for (block = look->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	free(look->buffers);
	free(look);
}

/* ---- what was seen ---- */

size_t dmaheap_look_count(const struct dmaheap_look *look)
{
	return look->count;
}

const struct dmaheap_buffer_info *dmaheap_look_get(const struct dmaheap_look *look, size_t i)
{
	return i < look->count ? &look->buffers[i]->info : NULL;
}

const struct dmaheap_buffer_info *dmaheap_look_find(const struct dmaheap_look *look,
						    uint64_t inode)
{
	const struct look_buffer wanted = { .info.inode = inode }, *key = &wanted;
	struct look_buffer **found = NULL;

	if (look->count)
		found = bsearch(&key, look->buffers, look->count, sizeof(*found), by_inode);
	return found ? &(*found)->info : NULL;
}

unsigned int dmaheap_look_sources(const struct dmaheap_look *look)
{
	return look->sources;
}

unsigned int dmaheap_look_unreadable(const struct dmaheap_look *look)
{
	return look->unreadable;
}

unsigned int dmaheap_look_gaps(const struct dmaheap_look *look)
{
	return look->gaps;
}

bool dmaheap_look_is_complete(const struct dmaheap_look *look)
{
	return !look->gaps;
}

int dmaheap_sources_print(unsigned int sources, char *text, size_t size)
{
	static const char *const words[] = { "debugfs", "bufinfo", "fdinfo", "maps" };
	char all[sizeof("debugfs,bufinfo,fdinfo,maps")] = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (!(sources & 1U << i))
			continue;
		if (*all)
			strcat(all, ",");
		strcat(all, words[i]);
	}
	return snprintf(text, size, "%s", all);
}
