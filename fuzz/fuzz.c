// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz: makes calls of the ABI in random order with random arguments, and goes on from those that
 * reached code of the kernel which none had reached before.  What it finds, the kernel says: run it
 * on one that looks (see fuzz/run).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define CORPUS_MAX 4096
#define INPUT_SECONDS 10 /* after which one is ended */
#define PATIENCE 6	 /* times that, if nothing else goes on */

static struct input corpus[CORPUS_MAX];
static size_t corpus_len;
static uint64_t state;

/* Of all runs with the same seed, the same numbers (xorshift64*). */
static uint64_t number(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dULL;
}

static size_t below(size_t limit)
{
	return limit ? number() % limit : 0;
}

uint64_t input_take(struct input *input, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | (input_ends(input) ? 0 : input->bytes[input->at++]);
	return value;
}

/* ---- making inputs ---- */

static void make_fresh(struct input *input)
{
	size_t i;

	input->len = 16 + below(INPUT_MAX - 16);
	for (i = 0; i < input->len; i++)
		input->bytes[i] = number();
}

static void change_byte(struct input *input)
{
	input->bytes[below(input->len)] = number();
}

static void flip_bit(struct input *input)
{
	input->bytes[below(input->len)] ^= 1 << below(8);
}

static void cut_out(struct input *input)
{
	size_t from = below(input->len), nr = below(input->len - from);

	if (input->len - nr < 4)
		return;
	memmove(input->bytes + from, input->bytes + from + nr, input->len - from - nr);
	input->len -= nr;
}

/* Some of another one goes on from here. */
static void graft(struct input *input)
{
	const struct input *other = &corpus[below(corpus_len)];
	size_t from = below(other->len), at = below(input->len), nr = other->len - from;

	if (nr > INPUT_MAX - at)
		nr = INPUT_MAX - at;
	memcpy(input->bytes + at, other->bytes + from, nr);
	input->len = at + nr;
}

static void change(struct input *input)
{
	static void (*const ways[])(struct input *) = { change_byte, flip_bit, cut_out,
							graft };
	size_t n = 1 + below(6);

	while (n-- && input->len)
		ways[below(sizeof(ways) / sizeof(ways[0]))](input);
}

static void make(struct input *input)
{
	if (!corpus_len || !below(8)) {
		make_fresh(input);
		return;
	}
	*input = corpus[below(corpus_len)];
	change(input);
}

/* ---- text ---- */

static void print_input(const char *what, const struct input *input)
{
	size_t i;

	printf("%s ", what);
	for (i = 0; i < input->len; i++)
		printf("%02x", input->bytes[i]);
	putchar('\n');
	fflush(stdout);
}

static bool parse_input(const char *text, struct input *input)
{
	size_t len = strspn(text, "0123456789abcdef"), i;
	unsigned int byte;

	if (len < 2 || len % 2 || len / 2 > INPUT_MAX || (text[len] && text[len] != '\n'))
		return false;
	input->len = len / 2;
	for (i = 0; i < input->len; i++) {
		sscanf(text + 2 * i, "%2x", &byte);
		input->bytes[i] = byte;
	}
	return true;
}

static bool corpus_read(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[2 * INPUT_MAX + 8];

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (line[0] != '#' && corpus_len < CORPUS_MAX &&
		    parse_input(line, &corpus[corpus_len]))
			corpus_len++;
	fclose(file);
	return true;
}

/* ---- the kernel's log ---- */

/* Bytes of an input: in hexadecimal there is no room for more in a record. */
#define RECORD 256

static int log_fd = -1;

static void log_part(const char *what, const struct input *input, size_t from)
{
	char text[32 + 2 * RECORD];
	size_t i, len = snprintf(text, sizeof(text), "fuzz: %s ", what);

	for (i = from; i < input->len && i < from + RECORD; i++)
		len += snprintf(text + len, sizeof(text) - len, "%02x", input->bytes[i]);
	if (write(log_fd, text, len) < 0) {
		perror("fuzz: /dev/kmsg");
		exit(1);
	}
}

/* Before it runs: of what the kernel says then, it may be the reason, even if nobody is left to tell. */
static void log_input(const struct input *input)
{
	size_t from;

	for (from = 0; from < input->len; from += RECORD)
		log_part(from ? "goes on" : "input", input, from);
}

/* ---- running inputs ---- */

#define MAX_THREADS 64

static unsigned long inputs, killed; /* for taking too long */
static unsigned long died;	     /* by themselves, which none should */
static unsigned long ended;	     /* at random moments, or for want of memory */
static long seconds = 60;	     /* for all of them */
static unsigned long *calls; /* shared with children, which may be killed at any time */
static unsigned int threads = 1;
static bool disturbed;
static bool seeded; /* the same seed is to make the same inputs, whatever they reach */
static bool only;   /* what is in the corpus, and nothing that comes of it */

static void *run_thread(void *input)
{
	calls_make(input, calls);
	return NULL;
}

/* Each thread begins at another place of the same input. */
static void run_threads(const struct input *input)
{
	static struct input turned[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	unsigned int i;
	size_t from;

	for (i = 0; i < threads; i++) {
		from = input->len * i / threads;
		turned[i] = *input;
		memcpy(turned[i].bytes, input->bytes + from, input->len - from);
		memcpy(turned[i].bytes + input->len - from, input->bytes, from);
		if (pthread_create(&ids[i], NULL, run_thread, &turned[i]))
			break;
	}
	while (i--)
		pthread_join(ids[i], NULL);
}

__attribute__((noreturn)) static void run_child(struct input *input, unsigned int limit)
{
	be_killed_first();
	be_limited(disturbed);
	/* Modules come and go: each opens what there is now. */
	if (disturbed && !calls_prepare())
		_exit(0);
	alarm(limit);
	coverage_begin();
	if (threads > 1)
		run_threads(input);
	else
		calls_make(input, calls);
	calls_end();
	_exit(0);
}

/* In a process of its own, which takes all with it that the input has left open. */
static pid_t start(struct input *input, unsigned int limit)
{
	pid_t child;

	log_input(input);
	child = fork();
	input->at = 0;
	if (child < 0) {
		perror("fuzz: fork");
		exit(1);
	}
	if (!child)
		run_child(input, limit);
	return child;
}

/* Ends the program: a call does not end. */
__attribute__((noreturn)) static void give_up(const struct input *input)
{
	print_input("fuzz: a call does not end:", input);
	exit(1);
}

/* Does it end in time? */
static bool run_within(struct input *input, unsigned int limit)
{
	pid_t child = start(input, limit);
	int status;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFSIGNALED(status)) {
		died += WEXITSTATUS(status) != 0;
		return true;
	}
	died += WTERMSIG(status) != SIGALRM;
	return WTERMSIG(status) != SIGALRM;
}

/* Has it ended?  Who was killed, is counted. */
static bool has_ended(pid_t child)
{
	int status = 0;

	if (!waitpid(child, &status, WNOHANG))
		return false;
	ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	return true;
}

static bool ends_before(pid_t child, unsigned int milliseconds)
{
	unsigned int i;

	for (i = 0; i < milliseconds / 10; i++) {
		if (has_ended(child))
			return true;
		usleep(10000);
	}
	return false;
}

/* By the clock: as long as the machine is suspended, it goes on, and nobody can look at it. */
static bool ends_within(pid_t child, unsigned int limit)
{
	time_t end = time(NULL) + limit + 1;

	while (time(NULL) < end) {
		if (has_ended(child))
			return true;
		usleep(10000);
	}
	return false;
}

/* What others do makes it slow; but threads that wait for each other will not end without that either. */
static void run_disturbed(struct input *input)
{
	/* The numbers that are taken are the same, however long it takes. */
	bool is_killed = below(2);
	unsigned int milliseconds = below(1 + below(1000 * INPUT_SECONDS)); /* mostly few */
	pid_t child = start(input, 0);

	if (is_killed && !ends_before(child, milliseconds))
		kill(child, SIGKILL);
	if (ends_within(child, INPUT_SECONDS))
		return;
	killed++;
	leave_alone();
	if (!ends_within(child, PATIENCE * INPUT_SECONDS))
		give_up(input);
	disturb();
}

/* Returns how many new places it has reached; ends the program if a call does not end. */
static unsigned int run(struct input *input)
{
	inputs++;
	if (disturbed) {
		run_disturbed(input);
		return 0;
	}
	if (run_within(input, INPUT_SECONDS))
		return coverage_end();
	killed++;
	/* A machine may be slow, for once. */
	if (!run_within(input, PATIENCE * INPUT_SECONDS))
		give_up(input);
	return coverage_end();
}

/* For half of the time at most, if the rest is for new ones: then from anywhere on, so that none is never run. */
static void run_corpus(time_t started)
{
	size_t first = only ? 0 : below(corpus_len), i;

	for (i = 0; i < corpus_len && (only || 2 * (time(NULL) - started) < seconds); i++)
		run(&corpus[(first + i) % corpus_len]);
	printf("fuzz: %zu of %zu inputs of the corpus reach %lu places\n", i, corpus_len,
	       coverage_total());
	fflush(stdout);
}

static void progress(time_t started)
{
	printf("fuzz: %4ld s, %lu inputs, %lu calls, %lu places, %lu took too long, %lu died\n",
	       (long)(time(NULL) - started), inputs, *calls, coverage_total(), killed, died);
	fflush(stdout);
}

static void run_for(time_t started)
{
	time_t said = time(NULL);
	struct input input;

	while (time(NULL) - started < seconds) {
		make(&input);
		if (run(&input) && corpus_len < CORPUS_MAX) {
			if (!seeded)
				corpus[corpus_len++] = input;
			print_input("corpus", &input);
		}
		if (time(NULL) - said >= 10) {
			said = time(NULL);
			progress(started);
		}
	}
	progress(started);
}

/* A few may be killed for want of memory, but most inputs come to their end. */
static bool was_worth_it(void)
{
	if (*calls <= 100)
		printf("fuzz: there were hardly any calls\n");
	else if (died * 20 > inputs)
		printf("fuzz: too many processes died by themselves\n");
	else
		return true;
	return false;
}

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: fuzz [-s SEED] [-t SECONDS] [-c FILE] [-x INPUT] [-j THREADS] [-d]\n\n"
		"Makes random calls of the ABI of DMA-BUF heaps, as root.\n\n"
		"  -s SEED     the same seed makes the same inputs (default: of the clock)\n"
		"  -t SECONDS  for how long (default: 60)\n"
		"  -c FILE     inputs to begin with, in hexadecimal, a line each\n"
		"  -x INPUT    only this one, or those of a file, one after the other\n"
		"  -j THREADS  that make their calls against each other (default: 1)\n"
		"  -d          kill some, reload modules, take memory, suspend meanwhile\n\n"
		"Exit status: 1 if a call does not end, hardly any were made, or many processes died;\n"
		"what the calls did to the kernel is in its log\n");
}

static unsigned long parse_number(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 0);

	if (text[0] >= '0' && text[0] <= '9' && !*end)
		return number;
	fprintf(stderr, "fuzz: no number: %s\n", text);
	exit(2);
}

static void parse_only(const char *text)
{
	only = true;
	corpus_len = parse_input(text, &corpus[0]);
	if (corpus_len || corpus_read(text))
		return;
	fprintf(stderr, "fuzz: neither an input nor a file of them: %s\n", text);
	exit(2);
}

static void parse_threads(const char *text)
{
	threads = parse_number(text);
	if (threads && threads <= MAX_THREADS)
		return;
	fprintf(stderr, "fuzz: from 1 to %d threads\n", MAX_THREADS);
	exit(2);
}

static void parse_option(int opt)
{
	switch (opt) {
	case 's':
		state = parse_number(optarg);
		seeded = true;
		break;
	case 't': seconds = parse_number(optarg); break;
	case 'c':
		if (corpus_read(optarg))
			break;
		perror(optarg);
		exit(1);
	case 'x': parse_only(optarg); break;
	case 'j': parse_threads(optarg); break;
	case 'd': disturbed = true; break;
	case 'h': usage(stdout); exit(0);
	default: usage(stderr); exit(2);
	}
}

/* Before the first input; ends the program if there is nothing to work on. */
static void prepare(void)
{
	calls = mmap(NULL, sizeof(*calls), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (calls == MAP_FAILED) {
		perror("fuzz: mmap");
		exit(1);
	}
	be_killed_never(); /* but its children are */
	if (disturbed) {
		disturb();
	} else if (!calls_prepare()) {
		fprintf(stderr, "fuzz: there are no heaps\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	time_t started = time(NULL);
	int opt;

	state = started;
	while ((opt = getopt(argc, argv, "s:t:c:x:j:dh")) != -1)
		parse_option(opt);
	log_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	printf("fuzz: seed %llu%s%s\n", (unsigned long long)state,
	       seeded ? "" : ", and what is found on the way",
	       threads == 1 && !coverage_open() ?
		       "; this kernel does not tell where it has been" :
		       "");
	state = state * 2 + 1; /* never 0 */
	prepare();
	run_corpus(started);
	if (!only)
		run_for(started);
	else
		progress(started);
	coverage_print();
	if (disturbed) {
		disturbances_print();
		printf("fuzz: killed %lu times\n", ended);
	}
	return !only && !was_worth_it();
}
