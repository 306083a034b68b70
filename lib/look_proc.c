// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What /proc knows: which processes hold buffers, by fds and by mappings.
 *
 * A process stands for all of its threads.  Threads that have left its table of fds by
 * unshare(CLONE_FILES) are not looked into.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "look.h"

#define PREFIX "/dmabuf:"
/* Before Linux 5.3 */
#define OLD_LINK "anon_inode:dmabuf"
/* pid_namespaces(7): that of the first process of the system */
#define FIRST_NAMESPACE "pid:[4026531836]"
/* In the flags of proc_pid_stat(5). */
#define KERNEL_THREAD 0x00200000

/* ---- processes ---- */

/* A small file, or its beginning; without the newline at its end.  Returns 0 or a negative errno. */
static int read_text(int dir, const char *file, char *text, size_t size)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	ssize_t got;

	*text = '\0';
	if (fd < 0)
		return -errno;
	got = read(fd, text, size - 1);
	if (got < 0)
		err = -errno;
	close(fd);
	if (got > 0 && text[got - 1] == '\n')
		got--;
	text[got > 0 ? got : 0] = '\0';
	return err;
}

/**
 * struct status - of a process or a thread
 * @state:	a letter; 0: none is known
 * @flags:	of the kernel
 * @threads:	how many the process has
 * @started:	in ticks since the system did
 */
struct status {
	char state;
	unsigned int flags;
	long threads;
	uint64_t started;
};

/* 0 or a negative errno; what is not as it should be is no error, but not known. */
static int read_status(int dir, struct status *status)
{
	char text[512], *rest;
	int err = read_text(dir, "stat", text, sizeof(text));

	*status = (struct status){ 0 };
	/* Its name, in parentheses, may have anything in it. */
	rest = strrchr(text, ')');
	if (rest)
		sscanf(rest,
		       ") %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
		       "%ld %*d %" SCNu64,
		       &status->state, &status->flags, &status->threads, &status->started);
	return err;
}

static bool is_dead(const struct status *status)
{
	return status->state == 'Z' || status->state == 'X';
}

static const char *command_of(struct dmaheap_look *look, struct look_process *process, int dir)
{
	char command[64];

	if (!process->command) {
		read_text(dir, "comm", command, sizeof(command));
		process->command = look_keep(look, command);
	}
	return process->command;
}

/* What was there is gone meanwhile. */
static bool is_gone(int err)
{
	return err == -ENOENT || err == -ESRCH;
}

/* Kernel threads and zombies have neither fds nor memory, but do not let everybody see that. */
static bool has_nothing(int dir)
{
	struct status status;

	return is_gone(read_status(dir, &status)) || is_dead(&status) ||
	       status.flags & KERNEL_THREAD;
}

/* Who may list a process's fds may not always see what they are. */
static void note_error(struct dmaheap_look *look, struct look_process *process, int err)
{
	if (err && !is_gone(err) && !look_ran_out(look, err))
		process->unreadable = true;
}

/* Notes how reading one thing of a process went. */
static void note(struct dmaheap_look *look, struct look_process *process, int dir, int err,
		 enum dmaheap_source source)
{
	if (!err)
		look->sources |= source;
	else if (look_ran_out(look, err) || !has_nothing(dir))
		note_error(look, process, err);
}

/* The process's entry among a buffer's holders. */
static struct dmaheap_holder *holder_of(struct dmaheap_look *look, struct look_buffer *buffer,
					struct look_process *process, int dir)
{
	size_t i = buffer->info.holders_count;
	struct dmaheap_holder *holders;

	/* It is most likely the last one: processes are looked at one after the other. */
	while (i--)
		if (buffer->holders[i].pid == process->pid)
			return &buffer->holders[i];
	holders =
		look_grow(look, buffer->holders, buffer->info.holders_count, sizeof(*holders));
	if (!holders)
		return NULL;
	buffer->holders = holders;
	holders += buffer->info.holders_count++;
	*holders = (struct dmaheap_holder){
		.pid = process->pid,
		.started = process->started,
		.command = command_of(look, process, dir),
	};
	return holders;
}

/* ---- fds ---- */

/**
 * struct fdinfo - what the kernel says about a fd
 * @look:	whose memory the strings have
 * @inode:	0: it does not say so
 * @size:	of the buffer
 * @exporter:	NULL: it is no buffer
 * @name:	of the buffer, or NULL
 */
struct fdinfo {
	struct dmaheap_look *look;
	uint64_t inode;
	uint64_t size;
	const char *exporter;
	const char *name;
};

/* A name may have newlines in it, and comes last: what was said first holds. */
static void read_fdinfo_line(void *state, char *line)
{
	struct fdinfo *info = state;
	char *value = strchr(line, '\t');

	if (!value || value == line || value[-1] != ':')
		return;
	value[-1] = '\0';
	value++;
	if (!strcmp(line, "ino") && !info->inode)
		look_number(&value, 10, '\0', &info->inode);
	else if (!strcmp(line, "size") && !info->size)
		look_number(&value, 10, '\0', &info->size);
	else if (!strcmp(line, "exp_name") && !info->exporter)
		info->exporter = look_keep(info->look, value);
	else if (!strcmp(line, "name") && !info->name)
		info->name = look_keep(info->look, value);
}

/* Whether it is a buffer's. */
static bool read_fdinfo(struct fdinfo *info, struct look_process *process, int dir,
			const char *number)
{
	char path[sizeof("fdinfo/") + NAME_MAX];
	int err;

	snprintf(path, sizeof(path), "fdinfo/%s", number);
	err = look_lines(dir, path, read_fdinfo_line, info);
	if (err < 0)
		note_error(info->look, process, err);
	return err >= 0 && info->exporter;
}

/* Without asking file systems that may never answer. */
static bool stat_fd(int fds, const char *number, dev_t *device, uint64_t *inode)
{
	struct statx st;

	if (statx(fds, number, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &st))
		return false;
	*device = makedev(st.stx_dev_major, st.stx_dev_minor);
	*inode = st.stx_ino;
	return true;
}

static struct look_buffer *add_described(struct dmaheap_look *look, uint64_t inode,
					 const struct fdinfo *info)
{
	struct look_buffer *buffer;

	if (!inode)
		return NULL;
	buffer = look_add(look, inode, DMAHEAP_SOURCE_FDINFO);
	if (!buffer)
		return NULL;
	if (!buffer->info.size)
		buffer->info.size = info->size;
	look_set_exporter(look, buffer, info->exporter);
	if (info->name)
		look_set_name(look, buffer, info->name, false);
	return buffer;
}

/*
 * The buffer that a fd is, as its link says.  Any file can be called so by somebody who has a
 * root of his own, so one is only trusted after its fdinfo; the others by their file system.
 */
static struct look_buffer *buffer_of(struct dmaheap_look *look, struct look_process *process,
				     int dir, int fds, const char *number)
{
	struct fdinfo info = { .look = look };
	struct look_buffer *buffer;
	uint64_t inode = 0;
	dev_t device = 0;
	bool is_file = stat_fd(fds, number, &device, &inode);

	if (is_file && look->device) {
		if (device != look->device)
			return NULL;
		buffer = look_lookup(look, inode);
		if (buffer && buffer->info.size && buffer->exporter)
			return look_add(look, inode, DMAHEAP_SOURCE_FDINFO);
	}
	if (!read_fdinfo(&info, process, dir, number))
		return NULL;
	if (!is_file)
		return add_described(look, info.inode, &info);
	/* The number may be that of another file by now. */
	if (info.inode && info.inode != inode)
		return NULL;
	look->device = device;
	return add_described(look, inode, &info);
}

static void read_fd(struct dmaheap_look *look, struct look_process *process, int dir, int fds,
		    const char *number)
{
	struct dmaheap_holder *holder;
	struct look_buffer *buffer;
	char link[128];
	ssize_t length = readlinkat(fds, number, link, sizeof(link) - 1);

	if (length < 0) {
		note_error(look, process, -errno);
		return;
	}
	link[length] = '\0';
	if (strncmp(link, PREFIX, strlen(PREFIX)) && strcmp(link, OLD_LINK))
		return;
	buffer = buffer_of(look, process, dir, fds, number);
	if (!buffer)
		return;
	if (*link == '/')
		look_set_name(look, buffer, link + strlen(PREFIX), true);
	holder = holder_of(look, buffer, process, dir);
	if (holder)
		holder->fds++;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 20;
}

static int read_fds(struct dmaheap_look *look, struct look_process *process, int dir)
{
	int fds = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	DIR *list = fds < 0 ? NULL : fdopendir(fds);
	struct dirent *entry;

	if (!list) {
		err = -errno;
		if (fds >= 0)
			close(fds);
		return err;
	}
	while (errno = 0, (entry = readdir(list)))
		if (is_number(entry->d_name))
			read_fd(look, process, dir, fds, entry->d_name);
	err = -errno;
	closedir(list);
	return err;
}

/* ---- mappings ---- */

/**
 * struct maps - whose mappings are read
 * @look:	to add to
 * @process:	that has them
 * @dir:	its folder
 */
struct maps {
	struct dmaheap_look *look;
	struct look_process *process;
	int dir;
};

/**
 * struct mapping - of a file
 * @start:	where it begins
 * @size:	bytes
 * @device:	number of its file system
 * @inode:	of the file
 * @name:	that is behind the prefix
 */
struct mapping {
	uint64_t start;
	uint64_t size;
	dev_t device;
	uint64_t inode;
	char *name;
};

/* start-end rwxp offset major:minor inode path */
static bool parse_mapping(char *line, struct mapping *mapping)
{
	uint64_t start, end, offset, major, minor;

	if (!look_number(&line, 16, '-', &start) || !look_number(&line, 16, ' ', &end) ||
	    end <= start || strcspn(line, " ") != 4 || !line[4])
		return false;
	line += 5;
	if (!look_number(&line, 16, ' ', &offset) || !look_number(&line, 16, ':', &major) ||
	    !look_number(&line, 16, ' ', &minor) || major > UINT_MAX || minor > UINT_MAX ||
	    !look_number(&line, 10, ' ', &mapping->inode))
		return false;
	line += strspn(line, " ");
	if (strncmp(line, PREFIX, strlen(PREFIX)))
		return false;
	mapping->start = start;
	mapping->size = end - start;
	mapping->device = makedev((unsigned int)major, (unsigned int)minor);
	mapping->name = line + strlen(PREFIX);
	return true;
}

/* Whether a mapped file is of the file system of buffers, as that says; -1: it cannot be asked */
static int ask_file_system(const struct maps *maps, const struct mapping *mapping)
{
	char path[64];
	struct statfs of;
	int fd, err;

	snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, mapping->start,
		 mapping->start + mapping->size);
	fd = openat(maps->dir, path, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		look_ran_out(maps->look, -errno);
		return -1;
	}
	err = fstatfs(fd, &of);
	close(fd);
	return err ? -1 : of.f_type == DMA_BUF_MAGIC;
}

/*
 * All fds have been seen before.  If none was a buffer, any file can be called like one by somebody
 * who has a root of his own: root can follow the mapping; others have to believe their own
 * processes, but no file of a disk.
 */
static bool is_buffer(const struct maps *maps, const struct mapping *mapping)
{
	int is;

	if (!mapping->inode)
		return false;
	if (maps->look->device)
		return mapping->device == maps->look->device;
	if (major(mapping->device))
		return false;
	is = ask_file_system(maps, mapping);
	if (is > 0)
		maps->look->device = mapping->device;
	return is != 0;
}

static void add_mapping(struct dmaheap_holder *holder, uint64_t size)
{
	holder->mappings++;
	if (__builtin_add_overflow(holder->mapped, size, &holder->mapped))
		holder->mapped = UINT64_MAX;
}

static void read_maps_line(void *state, char *line)
{
	struct maps *maps = state;
	struct dmaheap_holder *holder;
	struct look_buffer *buffer;
	struct mapping mapping;

	if (!strstr(line, PREFIX) || !parse_mapping(line, &mapping) ||
	    !is_buffer(maps, &mapping))
		return;
	buffer = look_add(maps->look, mapping.inode, DMAHEAP_SOURCE_MAPS);
	if (!buffer)
		return;
	look_unescape(mapping.name);
	look_set_name(maps->look, buffer, mapping.name, false);
	holder = holder_of(maps->look, buffer, maps->process, maps->dir);
	if (holder)
		add_mapping(holder, mapping.size);
}

static int read_maps(struct dmaheap_look *look, struct look_process *process, int dir)
{
	struct maps maps = { .look = look, .process = process, .dir = dir };

	int err = look_lines(dir, "maps", read_maps_line, &maps);

	/* Lines of files whose paths are longer than any can be. */
	return err < 0 ? err : 0;
}

/* ---- all of them ---- */

static void list_process(struct dmaheap_look *look, const char *name)
{
	struct look_process *processes;
	char *text = (char *)name;
	uint64_t pid;

	if (!look_number(&text, 10, '\0', &pid) || !pid || pid > INT_MAX)
		return;
	processes =
		look_grow(look, look->processes, look->processes_count, sizeof(*processes));
	if (!processes)
		return;
	look->processes = processes;
	processes[look->processes_count++] = (struct look_process){ .pid = (pid_t)pid };
}

/* Whether these were all. */
static bool list_processes(struct dmaheap_look *look, DIR *proc)
{
	struct dirent *entry;

	while (errno = 0, (entry = readdir(proc)))
		list_process(look, entry->d_name);
	return !errno;
}

/* Another thread of a process, which may have outlived the first; -1: there is none */
static int open_other_thread(int dir, pid_t pid)
{
	int tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), thread = -1;
	DIR *list = tasks < 0 ? NULL : fdopendir(tasks);
	struct dirent *entry;
	struct status status;

	if (!list && tasks >= 0)
		close(tasks);
	while (list && thread < 0 && (entry = readdir(list))) {
		if (!is_number(entry->d_name) || atoi(entry->d_name) == pid)
			continue;
		thread = openat(tasks, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (thread < 0 || (!read_status(thread, &status) && !is_dead(&status)))
			continue;
		close(thread);
		thread = -1;
	}
	if (list)
		closedir(list);
	return thread;
}

/*
 * What is read by this folder is of one process, even if another gets its number.  If the first
 * thread is dead, it has nothing any more; the others share it all.
 */
static int open_process(struct look_process *process, int proc)
{
	int dir, thread = -1;
	struct status status;
	char name[16];

	snprintf(name, sizeof(name), "%d", process->pid);
	dir = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	read_status(dir, &status);
	process->started = status.started;
	if (is_dead(&status) && status.threads > 1)
		thread = open_other_thread(dir, process->pid);
	if (thread < 0)
		return dir;
	close(dir);
	return thread;
}

/* Reads one thing of all processes. */
static void read_all(struct dmaheap_look *look, int proc, enum dmaheap_source source,
		     int (*read_one)(struct dmaheap_look *look, struct look_process *process,
				     int dir))
{
	size_t i;

	for (i = 0; i < look->processes_count && !look->err; i++) {
		struct look_process *process = &look->processes[i];
		int dir = open_process(process, proc);

		note(look, process, dir, dir < 0 ? dir : read_one(look, process, dir), source);
		if (dir >= 0)
			close(dir);
	}
}

static void count_unreadable(struct dmaheap_look *look)
{
	size_t i;

	for (i = 0; i < look->processes_count; i++)
		look->unreadable += look->processes[i].unreadable;
}

/* Mounted with hidepid=, /proc lists only what one may look into; the first process is root's. */
static bool hides_processes(const struct dmaheap_look *look, int proc)
{
	size_t i;

	for (i = 0; i < look->processes_count; i++)
		if (look->processes[i].pid == 1)
			return false;
	/* A folder that stands in for /proc need not have all of it. */
	return !faccessat(proc, "self", F_OK, AT_SYMLINK_NOFOLLOW);
}

/* /proc lists the processes of one PID namespace, which the first one of them is in. */
static bool is_of_inner_namespace(int proc)
{
	char link[64];
	ssize_t length = readlinkat(proc, "1/ns/pid", link, sizeof(link) - 1);

	if (length < 0)
		return false;
	link[length] = '\0';
	return strcmp(link, FIRST_NAMESPACE) != 0;
}

void look_read_processes(struct dmaheap_look *look)
{
	char *path = context_path(look->context, DMAHEAP_ROOT_PROC, ".");
	DIR *proc = path ? opendir(path) : NULL;

	if (!proc)
		look_ran_out(look, path ? -errno : -ENOMEM);
	free(path);
	if (!proc)
		return;
	if (!list_processes(look, proc) || hides_processes(look, dirfd(proc)))
		look->gaps |= DMAHEAP_GAP_PROC;
	if (is_of_inner_namespace(dirfd(proc)))
		look->gaps |= DMAHEAP_GAP_NAMESPACE;
	/* Fds first: they tell which file system is that of buffers. */
	read_all(look, dirfd(proc), DMAHEAP_SOURCE_FDINFO, read_fds);
	read_all(look, dirfd(proc), DMAHEAP_SOURCE_MAPS, read_maps);
	count_unreadable(look);
	closedir(proc);
}
