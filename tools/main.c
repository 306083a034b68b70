// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap: buffers of DMA-BUF heaps, from the command line. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const struct verb verbs[] = {
	{ "list", "the heaps of this machine", verb_list },
	{ "info", "all about one heap", verb_info },
	{ "alloc", "allocate buffers, and hold them or run a command with them", verb_alloc },
	{ "ps", "processes that hold buffers", verb_ps },
	{ "buffers", "all buffers", verb_buffers },
	{ "who", "who holds a buffer", verb_who },
	{ "leaks", "what grows", verb_leaks },
	{ "top", "processes and buffers, as they change", verb_top },
	{ "trace", "allocations and frees, as they happen", verb_trace },
	{ "pool", "the pools of heaps: look, fill, drain", verb_pool },
	{ "bench", "how long the steps of a buffer's life take", verb_bench },
	{ "doctor", "why something does not work here", verb_doctor },
	{ "demo", "a first look: a buffer, from one process to another", verb_demo },
};

void tool_help(FILE *to)
{
	fputs("Usage: dmaheap VERB [OPTION]... [OPERAND]...\n\n"
	      "Allocates buffers from DMA-BUF heaps, and shows who holds which.\n\n",
	      to);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(to, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n\"dmaheap VERB --help\" says more; dmaheap(1) says all.\n", to);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

/* A verb that is near: one letter in three may be wrong. */
static bool is_near(const char *verb, const char *name)
{
	unsigned int distance = text_distance(verb, name);

	return distance <= 1 + strlen(verb) / 4 || !strncmp(verb, name, strlen(name));
}

static int unknown_verb(const char *name)
{
	struct list near;
	char *text;

	list_open(&near);
	for (size_t i = 0; i < ARRAY_SIZE(verbs) && *name; i++) {
		if (is_near(verbs[i].name, name))
			list_add(&near, "%s", verbs[i].name);
	}
	text = list_join(&near, " or ");
	if (*text)
		tool_note("there is no verb '%s'; did you mean %s?", name, text);
	else
		tool_note("there is no verb '%s'; see dmaheap --help", name);
	free(text);
	list_free(&near);
	return TOOL_USAGE;
}

/* What could not be written is a failure, unless nobody wants it any more. */
static int close_output(int status)
{
	int err = tool_flush();

	if (fclose(stdout) && !err)
		err = -errno;
	if (!err || err == -EPIPE)
		return status;
	tool_error(err, "write", "standard output", NULL);
	return status ? status : TOOL_FAILED;
}

/*
 * Else a file of ours would be taken for one of these.  The wrong way round, so that using what is not
 * there fails.
 */
static void hold_standard_files(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			exit(TOOL_FAILED);
	}
}

static bool want_colors(void)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && terminal && strcmp(terminal, "dumb");
}

static int run(struct tool *tool, int argc, char **argv)
{
	int status = tool_options_before_verb(tool, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	if (!argc) {
		tool_help(stderr);
		return TOOL_USAGE;
	}
	tool->verb = find_verb(argv[0]);
	return tool->verb ? tool->verb->run(tool, argc, argv) : unknown_verb(argv[0]);
}

int main(int argc, char **argv)
{
	static struct tool tool = {
		.roots = {
			[DMAHEAP_ROOT_DEV] = "/dev",
			[DMAHEAP_ROOT_SYS] = "/sys",
			[DMAHEAP_ROOT_DEBUG] = "/sys/kernel/debug",
			[DMAHEAP_ROOT_PROC] = "/proc",
			[DMAHEAP_ROOT_ETC] = "/etc",
			[TOOL_ROOT_LIB] = "/lib/modules",
			[TOOL_ROOT_BOOT] = "/boot",
		},
	};
	int status;

	hold_standard_files();
	setlocale(LC_CTYPE, "");
	/* So that what was set up is undone when the reader goes. */
	signal(SIGPIPE, SIG_IGN);
	tool.colors = want_colors();
	status = run(&tool, argc, argv);
	dmaheap_free(tool.context);
	return close_output(status);
}
