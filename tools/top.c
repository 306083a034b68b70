// SPDX-License-Identifier: GPL-2.0-only
/* dmaheap top: heaps, buffers and processes, as they change. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <wchar.h>

#include "top.h"

#define DELAY_LEAST 0.1
#define DELAY_MOST 3600.0
#define KEY_ESCAPE 27

/* How a key changes what is shown. */
enum verdict {
	GO_ON,
	READ_NOW,
	QUIT,
};

/* ---- seconds ---- */

static bool parse_delay(const char *text, unsigned int *milliseconds)
{
	char *end;
	double seconds = strtod(text, &end);

	/* What is no number is not within the limits either. */
	if (end == text || *end || !(seconds >= DELAY_LEAST && seconds <= DELAY_MOST))
		return false;
	*milliseconds = lround(seconds * 1000);
	return true;
}

static bool take_delay(const struct option_spec *option, const char *argument)
{
	if (parse_delay(argument, option->to))
		return true;
	tool_note("--%s: '%s' is no number of seconds from 0.1 to 3600", option->name,
		  argument);
	return false;
}

/* ---- typing ---- */

static void start_prompt(struct top *top, enum top_prompt prompt, const char *input)
{
	top->prompt = prompt;
	strcpy(top->input, input);
}

static enum verdict end_prompt(struct top *top)
{
	enum verdict verdict = GO_ON;

	if (top->prompt == PROMPT_DELAY) {
		if (parse_delay(top->input, &top->delay))
			verdict = top->frozen ? GO_ON : READ_NOW;
		else
			top->complaint = "seconds are a number from 0.1 to 3600";
	}
	top->prompt = PROMPT_NONE;
	return verdict;
}

/* The last character may have several bytes. */
static void erase_last(char *text)
{
	size_t length = strlen(text);

	while (length && (text[length - 1] & 0xc0) == 0x80)
		length--;
	if (length)
		text[length - 1] = '\0';
}

static void append(char *text, wint_t key)
{
	char bytes[MB_LEN_MAX];
	mbstate_t state = { 0 };
	size_t length = wcrtomb(bytes, key, &state), used = strlen(text);

	if (key < ' ' || length == (size_t)-1 || used + length >= TOP_INPUT)
		return;
	memcpy(text + used, bytes, length);
	text[used + length] = '\0';
}

static enum verdict type(struct top *top, wint_t key, bool special)
{
	if (!special && (key == '\n' || key == '\r'))
		return end_prompt(top);
	if (!special && key == KEY_ESCAPE) {
		if (top->prompt == PROMPT_FILTER)
			top->filter[0] = '\0';
		top->prompt = PROMPT_NONE;
		return GO_ON;
	}
	if (special ? key == KEY_BACKSPACE : key == '\b' || key == 0x7f)
		erase_last(top->input);
	else if (!special)
		append(top->input, key);
	if (top->prompt == PROMPT_FILTER) {
		strcpy(top->filter, top->input);
		top->first = 0;
	}
	return GO_ON;
}

/* ---- keys ---- */

static void show_view(struct top *top, enum top_view view)
{
	top->view = view;
	top->first = 0;
}

static void sort_by(struct top *top, unsigned int step)
{
	struct top_order *order = &top->orders[top->view];

	order->column = (order->column + step) % top_columns_count(top->view);
	order->reverse = false;
	top->first = 0;
}

static void scroll_by(struct top *top, size_t rows, bool down)
{
	size_t count = top->data.views[top->view].count;

	if (!down)
		top->first -= top->first < rows ? top->first : rows;
	else if (count)
		top->first += count - 1 - top->first < rows ? count - 1 - top->first : rows;
}

static void press_special(struct top *top, wint_t key)
{
	switch (key) {
	case KEY_UP: scroll_by(top, 1, false); break;
	case KEY_DOWN: scroll_by(top, 1, true); break;
	case KEY_PPAGE: scroll_by(top, top->page, false); break;
	case KEY_NPAGE: scroll_by(top, top->page, true); break;
	case KEY_HOME: top->first = 0; break;
	case KEY_END:
		top->first = 0;
		if (top->data.views[top->view].count > top->page)
			top->first = top->data.views[top->view].count - top->page;
		break;
	}
}

static enum verdict press(struct top *top, wint_t key)
{
	switch (key) {
	case 'q': return QUIT;
	case ' ': top->frozen = !top->frozen; break;
	case '1':
	case '2':
	case '3': show_view(top, VIEW_HEAPS + (key - '1')); break;
	case '\t': show_view(top, (top->view + 1) % VIEWS); break;
	case 's':
	case '>': sort_by(top, 1); break;
	case '<': sort_by(top, top_columns_count(top->view) - 1); break;
	case 'r': top->orders[top->view].reverse = !top->orders[top->view].reverse; break;
	case '/': start_prompt(top, PROMPT_FILTER, top->filter); break;
	case 'd': start_prompt(top, PROMPT_DELAY, ""); break;
	case 'h':
	case '?': top->help = true; break;
	case KEY_ESCAPE: top->filter[0] = '\0'; break;
	}
	return GO_ON;
}

static enum verdict take_key(struct top *top, wint_t key, bool special)
{
	if (special && key == KEY_RESIZE)
		return GO_ON;
	top->complaint = "";
	if (top->help) {
		top->help = false;
		return GO_ON;
	}
	if (top->prompt)
		return type(top, key, special);
	if (special) {
		press_special(top, key);
		return GO_ON;
	}
	return press(top, key);
}

/* All keys that are there; the first that has to be heard ends it. */
static enum verdict take_keys(struct top *top)
{
	enum verdict verdict = GO_ON;
	wint_t key;
	int kind;

	while (verdict == GO_ON && (kind = get_wch(&key)) != ERR)
		verdict = take_key(top, key, kind == KEY_CODE_YES);
	return verdict;
}

/* ---- time ---- */

/**
 * struct clockwork - what the program waits by
 * @signals:	an fd of those that end it
 * @mask:	of signals that are blocked while it waits: not that of a new size
 * @due:	when to look again, in milliseconds
 */
struct clockwork {
	int signals;
	sigset_t mask;
	int64_t due;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* A new size of the window is heard only while waiting, so that none is missed. */
static int start_clockwork(struct clockwork *clockwork)
{
	sigset_t ending, resizing;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigaddset(&ending, SIGQUIT);
	sigprocmask(SIG_BLOCK, &ending, &clockwork->mask);
	sigorset(&clockwork->mask, &clockwork->mask, &ending);
	sigemptyset(&resizing);
	sigaddset(&resizing, SIGWINCH);
	sigprocmask(SIG_BLOCK, &resizing, NULL);
	clockwork->signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
	return clockwork->signals < 0 ? -errno : 0;
}

static enum verdict wait_for_something(struct top *top, const struct clockwork *clockwork)
{
	struct pollfd fds[] = {
		{ .fd = clockwork->signals, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	int64_t left = clockwork->due - now_ms();
	struct timespec wait = { left > 0 ? left / 1000 : 0,
				 left > 0 ? left % 1000 * 1000000 : 0 };
	int ready = ppoll(fds, ARRAY_SIZE(fds), top->frozen ? NULL : &wait, &clockwork->mask);

	if (!ready)
		return READ_NOW;
	/* The terminal is gone, or somebody wants us to end. */
	if (ready > 0 && (fds[0].revents || fds[1].revents & (POLLHUP | POLLERR | POLLNVAL)))
		return QUIT;
	return take_keys(top);
}

static int look_again(struct top *top)
{
	struct top_data data = { 0 };
	int err = top_read(top->tool, &data);

	if (err) {
		top_release(&data);
		return err;
	}
	top_release(&top->data);
	top->data = data;
	return 0;
}

/* Until somebody quits, or @iterations looks were shown; 0: without end. */
static int run(struct top *top, struct clockwork *clockwork, unsigned int iterations)
{
	enum verdict verdict = READ_NOW;
	unsigned int shown = 0;

	while (verdict != QUIT) {
		if (verdict == READ_NOW) {
			int err = look_again(top);

			if (err)
				return err;
			clockwork->due = now_ms() + top->delay;
			shown++;
		}
		screen_draw(top);
		if (shown == iterations && iterations)
			break;
		verdict = wait_for_something(top, clockwork);
	}
	return 0;
}

static int run_on_screen(struct top *top, unsigned int iterations)
{
	struct clockwork clockwork;
	int err;

	if (!screen_open(top->tool)) {
		tool_note(
			"top: the terminal's type '%s' is not known; set TERM, or use dmaheap "
			"buffers",
			getenv("TERM") ? getenv("TERM") : "");
		return TOOL_FAILED;
	}
	err = start_clockwork(&clockwork);
	if (!err)
		err = run(top, &clockwork, iterations);
	screen_close();
	top_release(&top->data);
	return err ? tool_fail(top->tool, err) : TOOL_DONE;
}

int verb_top(struct tool *tool, int argc, char **argv)
{
	struct top top = {
		.tool = tool,
		.view = VIEW_PROCESSES,
		.orders = { [VIEW_HEAPS] = { .column = 2 },
			    [VIEW_BUFFERS] = { .column = 1 },
			    [VIEW_PROCESSES] = { .column = 1 } },
		.complaint = "",
		.delay = 2000,
	};
	unsigned int iterations = 0;
	const struct option_spec options[] = {
		{ "delay", 'd', "SECONDS", "between updates; 2 unless given, 0.1 at least",
		  take_delay, &top.delay },
		{ "iterations", 'n', "NUMBER", "end after so many updates", take_count,
		  &iterations },
		{ NULL },
	};
	const struct usage usage = { .options = options, .screen = true };
	int status = tool_options(tool, &usage, &argc, &argv);

	if (status != TOOL_GO)
		return status;
	if (tool->json || tool->raw)
		return tool_usage(tool,
				  "it is for people; dmaheap buffers writes for programs");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		tool_note("top: this is no terminal; use dmaheap buffers");
		return TOOL_FAILED;
	}
	return run_on_screen(&top, iterations);
}
