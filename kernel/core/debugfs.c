// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/dmaheap/: buffers has a line for each buffer, who has it attached and
 * where its newest bytes are; lingering has those that are gone and still paid for; mistakes has what
 * the checker has counted.
 */
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/seq_file.h>
#include <linux/string_helpers.h>
#include <uapi/linux/dma-buf.h>

#include "check.h"
#include "core.h"

/* Protects the list, and holds off the release of the buffers in it. */
static DEFINE_MUTEX(buffers_lock);
static LIST_HEAD(buffers);
static struct dentry *directory;

void dmaheap_debugfs_add(struct dma_heap_buffer *buffer)
{
	guard(mutex)(&buffers_lock);
	list_add_tail(&buffer->link, &buffers);
}

void dmaheap_debugfs_del(struct dma_heap_buffer *buffer)
{
	guard(mutex)(&buffers_lock);
	list_del(&buffer->link);
}

/* dmaheap_show_word - for a table that is split at blanks, and that root reads on a terminal */
void dmaheap_show_word(struct seq_file *file, const char *word)
{
	seq_putc(file, ' ');
	if (!word || !*word)
		seq_putc(file, '-');
	else
		seq_escape_str(file, word, ESCAPE_OCTAL | ESCAPE_NAP | ESCAPE_APPEND, " \\");
}

/* Where the newest bytes are: "cpu", "memory", both, or the device whose copy is newest. */
static void show_newest(struct seq_file *file, const struct dma_heap_buffer *buffer)
{
	const struct dmaheap_ownership *ownership = &buffer->ownership;

	seq_putc(file, ' ');
	if (ownership->newest)
		seq_puts(file,
			 dev_name(container_of(ownership->newest, struct dmaheap_mapping, copy)
					  ->dev));
	else if (ownership->cpu_dirty == ownership->cpu_stale)
		seq_puts(file, "cpu+memory");
	else
		seq_puts(file, ownership->cpu_dirty ? "cpu" : "memory");
}

static void show_bytes(struct seq_file *file, const struct dma_heap_buffer *buffer)
{
	const u64 *bytes = buffer->bytes;

	seq_printf(file, " %llu %llu %llu %llu", bytes[DMAHEAP_CLEANED],
		   bytes[DMAHEAP_INVALIDATED], bytes[DMAHEAP_BOUNCED],
		   dmaheap_skipped(bytes[DMAHEAP_CLEANED], bytes[DMAHEAP_INVALIDATED],
				   bytes[DMAHEAP_BOUNCED], bytes[DMAHEAP_EVERYWHERE]));
}

static void show_buffer(struct seq_file *file, struct dma_heap_buffer *buffer)
{
	struct dma_buf *dmabuf = buffer->dmabuf;
	struct dmaheap_mapping *mapping;
	char name[DMA_BUF_NAME_LEN] = "";

	spin_lock(&dmabuf->name_lock);
	if (dmabuf->name)
		strscpy(name, dmabuf->name, sizeof(name));
	spin_unlock(&dmabuf->name_lock);

	seq_printf(file, "%lu %zu", buffer->ino, buffer->size);
	dmaheap_show_word(file, dma_heap_get_name(buffer->heap));
	dmaheap_show_word(file, name);
	seq_printf(file, " %d", buffer->pid);
	dmaheap_show_word(file, buffer->comm);
	guard(mutex)(&buffer->lock);
	seq_printf(file, " %u", READ_ONCE(dmabuf->vmapping_counter));
	show_newest(file, buffer);
	show_bytes(file, buffer);
	if (list_empty(&buffer->mappings))
		dmaheap_show_word(file, NULL);
	list_for_each_entry(mapping, &buffer->mappings, link) {
		dmaheap_show_word(file, dev_driver_string(mapping->dev));
		seq_putc(file, ':');
		seq_puts(file, dev_name(mapping->dev));
	}
	seq_putc(file, '\n');
}

static int buffers_show(struct seq_file *file, void *unused)
{
	struct dma_heap_buffer *buffer;

	seq_puts(file, "INODE SIZE HEAP NAME PID COMMAND VMAP NEWEST "
		       "CLEANED INVALIDATED BOUNCED SKIPPED DEVICES\n");
	guard(mutex)(&buffers_lock);
	list_for_each_entry(buffer, &buffers, link)
		show_buffer(file, buffer);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(buffers);

static int lingering_show(struct seq_file *file, void *unused)
{
	dmaheap_linger_show(file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(lingering);

static int mistakes_show(struct seq_file *file, void *unused)
{
	dmaheap_check_show(file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mistakes);

void dmaheap_debugfs_init(void)
{
	directory = debugfs_create_dir("dmaheap", NULL);
	debugfs_create_file("buffers", 0400, directory, NULL, &buffers_fops);
	debugfs_create_file("lingering", 0400, directory, NULL, &lingering_fops);
	debugfs_create_file("mistakes", 0400, directory, NULL, &mistakes_fops);
}

void dmaheap_debugfs_exit(void)
{
	debugfs_remove(directory);
}
