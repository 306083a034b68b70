/* SPDX-License-Identifier: GPL-2.0-only */
/* What the verbs of dmaheap share. */
#ifndef TOOL_H
#define TOOL_H

#include <stdio.h>

#include <dmaheap.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

enum tool_exit {
	TOOL_DONE = 0,
	TOOL_FAILED = 1,
	TOOL_USAGE = 2,
	TOOL_MISSING = 3,
	TOOL_PERMISSION = 4,
	TOOL_PARTIAL = 5,
};

/* Beside enum dmaheap_root: folders that only the tool looks into. */
enum tool_root {
	TOOL_ROOT_LIB = DMAHEAP_ROOT_ETC + 1, /* "/lib/modules" */
	TOOL_ROOT_BOOT,			      /* "/boot" */
	TOOL_ROOTS,
};

/* What the cells of a column are, which decides how they are written. */
enum kind {
	KIND_TEXT, /* cut, or in several lines, where a terminal is too narrow */
	KIND_WORD, /* never */
	KIND_LIST, /* of words, a newline between them */
	KIND_BOOLEAN,
	KIND_NUMBER,
	KIND_SIZE,	  /* bytes */
	KIND_CHANGE,	  /* of a number; signed */
	KIND_SIZE_CHANGE, /* of bytes; signed */
	KIND_TIME,	  /* nanoseconds */
	KIND_MOMENT,	  /* microseconds, written as seconds */
};

enum shown {
	SHOWN,	 /* unless -o says otherwise */
	IN_JSON, /* the same, but only in JSON */
	HIDDEN,	 /* unless -o asks for it */
};

/**
 * struct column - a column of a table
 * @name:	its heading, in capitals; NULL ends an array of columns
 * @kind:	of its cells
 * @shown:	when
 * @width:	at least, of a table that is written line by line; 0: its heading's
 * @help:	what is in it
 */
struct column {
	const char *name;
	enum kind kind;
	enum shown shown;
	unsigned int width;
	const char *help;
};

#define COLUMNS_MAX 24

struct tool;

/**
 * struct option_spec - an option of a verb
 * @name:	long one; NULL ends an array of options
 * @letter:	short one, or 0
 * @argument:	what it takes, in capitals, or NULL
 * @help:	what it does; NULL: only tests use it
 * @take:	reads the argument into @to.  Returns false after having said what is wrong
 * @to:		where it goes
 */
struct option_spec {
	const char *name;
	char letter;
	const char *argument;
	const char *help;
	bool (*take)(const struct option_spec *option, const char *argument);
	void *to;
};

/**
 * struct usage - how a verb is called
 * @operands:	after its options, for the help; or NULL
 * @options:	of its own, or NULL
 * @columns:	that it can show, or NULL
 * @least:	operands that there must be
 * @most:	operands that there may be
 * @in_order:	options end at the first operand
 * @screen:	it draws on the terminal, and writes no table
 */
struct usage {
	const char *operands;
	const struct option_spec *options;
	const struct column *columns;
	unsigned int least;
	unsigned int most;
	bool in_order;
	bool screen;
};

#define OPERANDS_ANY (~0U)

/**
 * struct verb - what follows "dmaheap"
 * @name:	of it
 * @summary:	what it does, in a few words
 * @run:	does it; argv[0] is its name.  Returns &enum tool_exit
 */
struct verb {
	const char *name;
	const char *summary;
	int (*run)(struct tool *tool, int argc, char **argv);
};

/**
 * struct tool - the tool, as it was called
 * @verb:	that runs, or NULL
 * @context:	of the library; there once tool_options() is done
 * @roots:	paths, by &enum dmaheap_root and &enum tool_root
 * @columns:	of the verb
 * @wanted:	of -o, or NULL
 * @selected:	of @columns those to show
 * @selected_count: how many
 * @json:	--json
 * @bytes:	--bytes
 * @noheadings:	--noheadings
 * @raw:	--raw
 * @colors:	whether to use them
 */
struct tool {
	const struct verb *verb;
	struct dmaheap *context;
	const char *roots[TOOL_ROOTS];
	const struct column *columns;
	const char *wanted;
	unsigned int selected[COLUMNS_MAX];
	unsigned int selected_count;
	bool json;
	bool bytes;
	bool noheadings;
	bool raw;
	bool colors;
};

/* options.c */
#define TOOL_GO (-1)
/*
 * Reads options, those that all verbs have among them, and opens the context.  TOOL_GO: argc and
 * argv are the operands; else the verb is to return this.
 */
int tool_options(struct tool *tool, const struct usage *usage, int *argc, char ***argv);
/* The same for what is before the verb, --help and --version among it; opens nothing. */
int tool_options_before_verb(struct tool *tool, int *argc, char ***argv);
bool take_flag(const struct option_spec *option, const char *argument);	 /* bool */
bool take_text(const struct option_spec *option, const char *argument);	 /* const char * */
bool take_size(const struct option_spec *option, const char *argument);	 /* uint64_t; not 0 */
bool take_count(const struct option_spec *option, const char *argument); /* unsigned; not 0 */
bool take_properties(const struct option_spec *option, const char *argument); /* unsigned */
/* -EINVAL: it is no number; -ERANGE: it is too large */
int parse_number(const char *text, uint64_t most, uint64_t *number);
/* The same, with suffixes K, M, G and T. */
int parse_size(const char *text, uint64_t *bytes);

/* say.c: everything that goes to standard error, and what it makes of the exit code */
int tool_exit_code(int err);
/* Says what the library could not do, and returns the exit code. */
int tool_fail(const struct tool *tool, int err);
/* The same for the tool itself: "step: object: reason; remedy".  @remedy may be NULL */
int tool_error(int err, const char *step, const char *object, const char *remedy);
/* "dmaheap: VERB: what is wrong; see dmaheap VERB --help" */
__attribute__((format(printf, 2, 3))) int tool_usage(const struct tool *tool,
						     const char *format, ...);
/* Whether a heap can be called so. */
bool tool_is_heap_name(const char *name);
/* TOOL_GO, or TOOL_USAGE after having said so. */
int tool_check_heap_name(const struct tool *tool, const char *name);
/* A line, in which control characters become question marks.  A note, after which work goes on. */
__attribute__((format(printf, 1, 2))) void tool_note(const char *format, ...);
/* Writes what was printed.  0, or the negative errno of the first time that it failed */
int tool_flush(void);
/* Ends the program if there was no memory. */
void *tool_memory(void *memory);
/* Says what a look lacks.  TOOL_DONE or TOOL_PARTIAL */
int tool_look_status(const struct dmaheap_look *look, bool only_processes);

/* files.c */
/* A path below a root; ends the program if there is no memory. */
__attribute__((format(printf, 3, 4))) char *
tool_path(const struct tool *tool, unsigned int root, const char *format, ...);
/* Reads a small file, without its last newline, or writes one.  A negative errno */
int file_read(const char *path, char *text, size_t size);
int file_write(const char *path, const char *text);
/* A number of a small file.  False: there is none */
bool file_number(const char *path, uint64_t *number);
/* Names in a folder, sorted, without those that begin by "."; NULL-ended; to be freed by one call. */
char **folder_names(const char *path, size_t *count);
void folder_free(char **names);
/* The path of <SYS>/class/{dma_heap,dmaheap}/HEAP/PART, or NULL: there is none. */
char *heap_folder(const struct tool *tool, const char *heap, const char *part);

/* text.c */
#define SIZE_TEXT 32
/* "11.9M", or the bytes if --bytes was given; returns @text */
char *size_text(const struct tool *tool, uint64_t bytes, char text[SIZE_TEXT]);
/* "12.3us" */
char *time_text(uint64_t nanoseconds, char text[SIZE_TEXT]);
/* Makes question marks of what is no UTF-8; returns @text */
char *text_valid(char *text);
/* Makes new lines of blanks, so that lines are no longer than a width; returns @text */
char *text_fold(char *text, size_t width);
/* How many letters have to be changed to make one of the other. */
unsigned int text_distance(const char *a, const char *b);

/* table.c */
struct table;

/**
 * struct value - of a cell
 * @known:	whether there is one
 * @number:	of all kinds but texts and lists
 * @text:	of these
 * @color:	its name, or NULL
 */
struct value {
	bool known;
	uint64_t number;
	const char *text;
	const char *color;
};

static inline struct value value_number(uint64_t number)
{
	return (struct value){ .known = true, .number = number };
}

static inline struct value value_text(const char *text)
{
	return (struct value){ .known = text, .text = text };
}

static inline struct value value_colored(const char *text, const char *color)
{
	return (struct value){ .known = text, .text = text, .color = color };
}

enum table_style {
	TABLE_PLAIN,
	TABLE_UPRIGHT, /* a line for each column of a row; in JSON the same as plain */
	TABLE_STREAM,  /* each row is written at once; in JSON all at the end */
	TABLE_WRAPPED, /* long texts get several lines */
};

/* These end the program if there is no memory. */
struct table *table_new(const struct tool *tool, enum table_style style);
/* A row: a value for each of the verb's columns, in their order. */
void table_add(struct table *table, const struct value *values);
size_t table_rows(const struct table *table);
/* Writes what is not written yet, and frees. */
void table_finish(struct table *table);

/* A list of words for a value; to be freed by list_free(). */
struct list {
	char *text;
	size_t size;
	FILE *stream;
};
void list_open(struct list *list);
__attribute__((format(printf, 2, 3))) void list_add(struct list *list, const char *format,
						    ...);
/* A value of it, which lives until list_free(); no more can be added. */
struct value list_value(struct list *list);
/* Its words as one text, to be freed; no more can be added. */
char *list_join(struct list *list, const char *between);
void list_free(struct list *list);
/* Words that commas separate, as a list's text; returns @text */
char *list_of_commas(char *text);

/* wait.c */
/* From now on, SIGINT, SIGTERM and SIGHUP end only tool_wait().  Their fd, for poll() */
int signals_open(void);
enum tool_event {
	EVENT_TIME,
	EVENT_SIGNAL,
	EVENT_INPUT,
};
int64_t monotonic_ms(void);
/* Waits for @milliseconds (-1: for ever), for a signal, or for @input (-1: none) to be readable. */
enum tool_event tool_wait(int signals, int input, int milliseconds);

/* main.c: how the tool is called */
void tool_help(FILE *to);

int verb_list(struct tool *tool, int argc, char **argv);
int verb_info(struct tool *tool, int argc, char **argv);
int verb_alloc(struct tool *tool, int argc, char **argv);
int verb_ps(struct tool *tool, int argc, char **argv);
int verb_buffers(struct tool *tool, int argc, char **argv);
int verb_who(struct tool *tool, int argc, char **argv);
int verb_leaks(struct tool *tool, int argc, char **argv);
int verb_top(struct tool *tool, int argc, char **argv);
int verb_trace(struct tool *tool, int argc, char **argv);
int verb_pool(struct tool *tool, int argc, char **argv);
int verb_bench(struct tool *tool, int argc, char **argv);
int verb_doctor(struct tool *tool, int argc, char **argv);
int verb_demo(struct tool *tool, int argc, char **argv);

#endif /* TOOL_H */
