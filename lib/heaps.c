// SPDX-License-Identifier: LGPL-2.1-or-later
/* Heaps: which there are, and opening them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

#define NO_HEAPS \
	"there are no heaps; load a module that has some, as by \"modprobe dmaheap_system\""

static bool sys_has(const struct dmaheap *context, const char *class, const char *name,
		    const char *file)
{
	char *path =
		context_path(context, DMAHEAP_ROOT_SYS, "class/%s/%s%s", class, name, file);
	bool has = path && !access(path, F_OK);

	free(path);
	return has;
}

/* Where the kernel has heaps of its own, ours are of another class; and only ours count caches. */
enum dmaheap_origin heap_origin(const struct dmaheap *context, const char *name)
{
	if (sys_has(context, "dmaheap", name, "") ||
	    sys_has(context, "dma_heap", name, "/cache"))
		return DMAHEAP_ORIGIN_DMAHEAP;
	if (sys_has(context, "dma_heap", name, ""))
		return DMAHEAP_ORIGIN_KERNEL;
	return DMAHEAP_ORIGIN_UNKNOWN;
}

static void info_release(struct dmaheap_heap_info *info)
{
	free((char *)info->name);
	free((char *)info->node);
	free((char *)info->target);
}

/* What a link's node is called, wherever it lies; NULL with errno of 0: it is no link. */
static char *read_target(const char *node)
{
	struct stat st;
	char *path, *name;

	errno = 0;
	if (lstat(node, &st) || !S_ISLNK(st.st_mode))
		return NULL;
	path = realpath(node, NULL);
	if (!path)
		return NULL;
	name = strdup(strrchr(path, '/') + 1);
	free(path);
	return name;
}

static int info_stat(struct dmaheap_heap_info *info)
{
	struct stat st;

	if (stat(info->node, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	info->device = st.st_rdev;
	info->readable = !faccessat(AT_FDCWD, info->node, R_OK, AT_EACCESS);
	info->target = read_target(info->node);
	return info->target ? 0 : -errno;
}

/* Looks at a node: -ENOENT, -ENOMEM, and what else stat() says. */
static int info_read(struct dmaheap *context, const char *name, struct dmaheap_heap_info *info)
{
	const char *real;
	int err;

	*info = (struct dmaheap_heap_info){
		.name = strdup(name),
		.node = context_path(context, DMAHEAP_ROOT_DEV, "dma_heap/%s", name),
	};
	err = info->name && info->node ? info_stat(info) : -ENOMEM;
	if (err) {
		info_release(info);
		return err;
	}
	/* A link is what it leads to. */
	real = info->target ? info->target : name;
	info->origin = heap_origin(context, real);
	info->properties = dmaheap_properties_of(context, real);
	return 0;
}

static int heaps_add(struct dmaheap *context, struct dmaheap_heaps *heaps, const char *name)
{
	struct dmaheap_heap_info *infos =
		reallocarray(heaps->infos, heaps->count + 1, sizeof(*infos));
	int err;

	if (!infos)
		return -ENOMEM;
	heaps->infos = infos;
	err = info_read(context, name, &infos[heaps->count]);
	if (!err)
		heaps->count++;
	/* It may just have gone, or be no node: then it is no heap. */
	return err == -ENOMEM ? err : 0;
}

static int heaps_read(struct dmaheap *context, struct dmaheap_heaps *heaps, DIR *dir)
{
	struct dirent *entry;
	int err = 0;

	while (!err && (errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			err = heaps_add(context, heaps, entry->d_name);
	return err ? err : -errno;
}

static int by_name(const void *a, const void *b)
{
	const struct dmaheap_heap_info *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static int list_below(struct dmaheap *context, const char *path, struct dmaheap_heaps *heaps)
{
	DIR *dir = opendir(path);
	int err;

	if (!dir && (errno == ENOENT || errno == ENOTDIR))
		return context_fail_because(context, -ENOSYS, NO_HEAPS, "list", "%s", path);
	if (!dir)
		return context_fail(context, -errno, "list", "%s", path);
	err = heaps_read(context, heaps, dir);
	closedir(dir);
	if (err)
		return context_fail(context, err, "list", "%s", path);
	if (heaps->count)
		qsort(heaps->infos, heaps->count, sizeof(*heaps->infos), by_name);
	return 0;
}

int dmaheap_list(struct dmaheap *context, struct dmaheap_heaps **heaps)
{
	struct dmaheap_heaps *list = calloc(1, sizeof(*list));
	char *path = context_path(context, DMAHEAP_ROOT_DEV, "dma_heap");
	int err = -ENOMEM;

	if (list && path)
		err = list_below(context, path, list);
	else
		context_fail(context, err, "list", "heaps");
	free(path);
	if (err) {
		dmaheap_heaps_free(list);
		return err;
	}
	*heaps = list;
	return 0;
}

size_t dmaheap_heaps_count(const struct dmaheap_heaps *heaps)
{
	return heaps->count;
}

const struct dmaheap_heap_info *dmaheap_heaps_get(const struct dmaheap_heaps *heaps, size_t i)
{
	return i < heaps->count ? &heaps->infos[i] : NULL;
}

void dmaheap_heaps_free(struct dmaheap_heaps *heaps)
{
	size_t i;

	if (!heaps)
		return;
	for (i = 0; i < heaps->count; i++)
		info_release(&heaps->infos[i]);
	free(heaps->infos);
	free(heaps);
}

static bool is_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

/* "There is no such heap" is another matter than "there are no heaps". */
static int missing(struct dmaheap *context, const char *name)
{
	char *path = context_path(context, DMAHEAP_ROOT_DEV, "dma_heap");
	struct stat st;
	int err;

	if (path && (stat(path, &st) ? errno == ENOENT : !S_ISDIR(st.st_mode)))
		err = context_fail_because(context, -ENOSYS, NO_HEAPS, "open", "%s", path);
	else
		err = context_fail_because(
			context, -ENOENT, "there is no such heap; is its module loaded?",
			"open", "%s/dma_heap/%s", context->roots[DMAHEAP_ROOT_DEV], name);
	free(path);
	return err;
}

static int open_failed(struct dmaheap *context, int err, const char *node)
{
	if (err == -EACCES)
		return context_fail_because(
			context, err,
			"permission denied; a udev rule can give the node to a group of yours",
			"open", "%s", node);
	if (err == -ENODEV || err == -ENXIO)
		return context_fail_because(context, -ENODEV, "the heap is gone", "open", "%s",
					    node);
	return context_fail(context, err, "open", "%s", node);
}

static int not_a_heap(struct dmaheap *context, const char *name)
{
	return context_fail_because(context, -ENOTTY, "it is no character device, so no heap",
				    "open", "%s/dma_heap/%s", context->roots[DMAHEAP_ROOT_DEV],
				    name);
}

static int open_node(struct dmaheap *context, const struct dmaheap_heap_info *info)
{
	int fd = open(info->node, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? missing(context, info->name) :
					 open_failed(context, -errno, info->node);
	if (!fstat(fd, &st) && S_ISCHR(st.st_mode))
		return fd;
	close(fd);
	return not_a_heap(context, info->name);
}

static int info_copy(const struct dmaheap_heap_info *info, struct dmaheap_heap_info *copy)
{
	*copy = *info;
	copy->name = strdup(info->name);
	copy->node = strdup(info->node);
	copy->target = info->target ? strdup(info->target) : NULL;
	if (copy->name && copy->node && !copy->target == !info->target)
		return 0;
	info_release(copy);
	return -ENOMEM;
}

static struct dmaheap_heap *heap_new(struct dmaheap *context,
				     const struct dmaheap_heap_info *info, int fd)
{
	struct dmaheap_heap *heap = malloc(sizeof(*heap));

	if (!heap)
		return NULL;
	*heap = (struct dmaheap_heap){ .context = context, .fd = fd, .users = 1 };
	if (!info_copy(info, &heap->info))
		return heap;
	free(heap);
	return NULL;
}

int heap_open(struct dmaheap *context, const struct dmaheap_heap_info *info,
	      struct dmaheap_heap **heap)
{
	int fd = open_node(context, info);
	struct dmaheap_heap *opened;

	if (fd < 0)
		return fd;
	opened = heap_new(context, info, fd);
	if (!opened) {
		close(fd);
		return context_fail(context, -ENOMEM, "open", "%s", info->node);
	}
	*heap = opened;
	return 0;
}

int dmaheap_open(struct dmaheap *context, const char *name, struct dmaheap_heap **heap)
{
	struct dmaheap_heap_info info;
	int err;

	if (!is_name(name))
		return context_fail_because(context, -EINVAL,
					    "is no name of a heap; it is as in /dev/dma_heap",
					    "open", "\"%s\"", name);
	err = info_read(context, name, &info);
	/* A link that leads nowhere is none. */
	if (err == -ENOENT || err == -ENOTDIR || err == -ELOOP)
		return missing(context, name);
	if (err == -EISDIR)
		return not_a_heap(context, name);
	if (err)
		return open_failed(context, err, name);
	err = heap_open(context, &info, heap);
	info_release(&info);
	return err;
}

struct dmaheap_heap *heap_get(struct dmaheap_heap *heap)
{
	heap->users++;
	return heap;
}

void dmaheap_close(struct dmaheap_heap *heap)
{
	if (!heap || --heap->users)
		return;
	close(heap->fd);
	info_release(&heap->info);
	free(heap);
}

const struct dmaheap_heap_info *dmaheap_heap_info(const struct dmaheap_heap *heap)
{
	return &heap->info;
}

int dmaheap_heap_fd(const struct dmaheap_heap *heap)
{
	return heap->fd;
}
