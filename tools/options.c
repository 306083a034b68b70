// SPDX-License-Identifier: GPL-2.0-only
/* Options: those that all verbs have, and a verb's own, from one description. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool.h"

#define OPTIONS_MAX 32
/* What getopt_long() returns for an option: this, and its place in the array. */
#define OPTION_BASE 256

bool take_flag(const struct option_spec *option, const char *argument)
{
	(void)argument;
	*(bool *)option->to = true;
	return true;
}

bool take_text(const struct option_spec *option, const char *argument)
{
	*(const char **)option->to = argument;
	return true;
}

int parse_number(const char *text, uint64_t most, uint64_t *number)
{
	uint64_t result = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		if (__builtin_mul_overflow(result, 10, &result) ||
		    __builtin_add_overflow(result, *text - '0', &result) || result > most)
			return -ERANGE;
	}
	*number = result;
	return 0;
}

int parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	char number[24] = "";
	const char *suffix = NULL;
	unsigned int shift = 0;
	uint64_t result;
	int err;

	if (digits >= sizeof(number))
		return -ERANGE;
	memcpy(number, text, digits);
	if (text[digits]) {
		suffix = strchr(suffixes, toupper((unsigned char)text[digits]));
		if (!suffix || text[digits + 1])
			return -EINVAL;
		shift = 10 * (suffix - suffixes + 1);
	}
	err = parse_number(number, UINT64_MAX, &result);
	if (err)
		return err;
	if (result > SIZE_MAX >> shift)
		return -ERANGE;
	*bytes = result << shift;
	return 0;
}

static bool refuse(const struct option_spec *option, const char *argument, const char *reason)
{
	tool_note("--%s: '%s' %s", option->name, argument, reason);
	return false;
}

bool take_size(const struct option_spec *option, const char *argument)
{
	int err = parse_size(argument, option->to);

	if (err == -ERANGE)
		return refuse(option, argument, "is too large");
	if (err)
		return refuse(option, argument,
			      "is no size; one is a number, or as 64K, 12M, 1G");
	return *(uint64_t *)option->to || refuse(option, argument, "is too small: at least 1");
}

bool take_count(const struct option_spec *option, const char *argument)
{
	uint64_t number;
	int err = parse_number(argument, 1000000, &number);

	if (err == -ERANGE)
		return refuse(option, argument, "is too large: at most 1000000");
	if (err || !number)
		return refuse(option, argument, "is no number from 1 on");
	*(unsigned int *)option->to = number;
	return true;
}

bool take_properties(const struct option_spec *option, const char *argument)
{
	return !dmaheap_properties_parse(argument, option->to) ||
	       refuse(option, argument,
		      "is no list of properties; there are: cached, uncached, scattered, "
		      "contiguous, protected, below4g");
}

/* ---- help ---- */

static void print_option(const struct option_spec *option)
{
	char text[64];

	if (!option->help)
		return;
	snprintf(text, sizeof(text), "%s%c%s--%s%s%s", option->letter ? "-" : " ",
		 option->letter ? option->letter : ' ', option->letter ? ", " : "  ",
		 option->name, option->argument ? " " : "",
		 option->argument ? option->argument : "");
	printf("  %-26s %s\n", text, option->help);
}

static bool is_of_tables(const struct tool *tool, const struct option_spec *option)
{
	return option->to == &tool->wanted || option->to == &tool->json ||
	       option->to == &tool->raw || option->to == &tool->noheadings;
}

static void print_columns(const struct column *columns)
{
	fputs("\nColumns:\n", stdout);
	for (; columns->name; columns++)
		printf("  %c %-14s %s\n", columns->shown == SHOWN ? '*' : ' ', columns->name,
		       columns->help);
	fputs("\nWithout -o, those with * are shown.\n", stdout);
}

static void print_help(const struct tool *tool, const struct usage *usage,
		       const struct option_spec *options)
{
	printf("Usage: dmaheap %s [OPTION]...%s%s\n\n%c%s.\n\nOptions:\n", tool->verb->name,
	       usage->operands ? " " : "", usage->operands ? usage->operands : "",
	       toupper((unsigned char)*tool->verb->summary), tool->verb->summary + 1);
	for (; options->name; options++)
		if (!usage->screen || !is_of_tables(tool, options))
			print_option(options);
	if (usage->columns)
		print_columns(usage->columns);
}

/* ---- columns ---- */

static void select_default(struct tool *tool)
{
	const struct column *columns = tool->columns;

	for (unsigned int i = 0; columns[i].name; i++) {
		if (columns[i].shown == SHOWN || (columns[i].shown == IN_JSON && tool->json))
			tool->selected[tool->selected_count++] = i;
	}
}

static bool is_selected(const struct tool *tool, unsigned int column)
{
	for (unsigned int i = 0; i < tool->selected_count; i++) {
		if (tool->selected[i] == column)
			return true;
	}
	return false;
}

static void say_columns(const struct tool *tool, const char *wrong)
{
	struct list names;
	char *text;

	list_open(&names);
	for (unsigned int i = 0; tool->columns[i].name; i++)
		list_add(&names, "%s", tool->columns[i].name);
	text = list_join(&names, " ");
	tool_note("%s: there is no column '%s'; there are: %s", tool->verb->name, wrong, text);
	free(text);
	list_free(&names);
}

static bool select_column(struct tool *tool, const char *name)
{
	for (unsigned int i = 0; tool->columns[i].name; i++) {
		if (strcasecmp(tool->columns[i].name, name))
			continue;
		if (!is_selected(tool, i))
			tool->selected[tool->selected_count++] = i;
		return true;
	}
	say_columns(tool, name);
	return false;
}

static int select_columns(struct tool *tool)
{
	const char *wanted = tool->wanted;
	char *names, *name, *rest;
	bool known = true;

	if (!tool->columns)
		return wanted ? tool_usage(tool, "it has no columns to choose from") : TOOL_GO;
	if (!wanted || *wanted == '+')
		select_default(tool);
	if (!wanted)
		return TOOL_GO;
	rest = names = tool_memory(strdup(*wanted == '+' ? wanted + 1 : wanted));
	while (known && (name = strsep(&rest, ",")))
		known = select_column(tool, name);
	free(names);
	return known ? TOOL_GO : TOOL_USAGE;
}

/* ---- reading them ---- */

/* Options that all verbs have, after those of the verb. */
static void merge_options(struct tool *tool, const struct option_spec *own, bool *help,
			  bool *version, struct option_spec all[OPTIONS_MAX])
{
	const struct option_spec common[] = {
		{ "output", 'o', "COLUMNS", "columns to show; +COLUMNS: more than usual",
		  take_text, &tool->wanted },
		{ "json", 'J', NULL, "write JSON", take_flag, &tool->json },
		{ "bytes", 'b', NULL, "write sizes as bytes", take_flag, &tool->bytes },
		{ "noheadings", 0, NULL, "write no headings", take_flag, &tool->noheadings },
		{ "raw", 'r', NULL, "write columns unaligned, a blank between", take_flag,
		  &tool->raw },
		{ "help", 'h', NULL, "say this, and end", take_flag, help },
		{ "version", 'V', NULL, "say the version, and end", take_flag, version },
		{ "dev", 0, "PATH", NULL, take_text, &tool->roots[DMAHEAP_ROOT_DEV] },
		{ "sys", 0, "PATH", NULL, take_text, &tool->roots[DMAHEAP_ROOT_SYS] },
		{ "debug", 0, "PATH", NULL, take_text, &tool->roots[DMAHEAP_ROOT_DEBUG] },
		{ "proc", 0, "PATH", NULL, take_text, &tool->roots[DMAHEAP_ROOT_PROC] },
		{ "etc", 0, "PATH", NULL, take_text, &tool->roots[DMAHEAP_ROOT_ETC] },
		{ "lib", 0, "PATH", NULL, take_text, &tool->roots[TOOL_ROOT_LIB] },
		{ "boot", 0, "PATH", NULL, take_text, &tool->roots[TOOL_ROOT_BOOT] },
		{ NULL },
	};
	size_t count = 0;

	while (own && own[count].name) {
		all[count] = own[count];
		count++;
	}
	memcpy(all + count, common, sizeof(common));
}

/* What getopt_long() wants to know of them. */
static void describe_options(const struct option_spec *options, bool in_order,
			     char letters[2 * OPTIONS_MAX + 3], struct option *names)
{
	if (in_order)
		*letters++ = '+';
	*letters++ = ':';
	for (int i = 0; options[i].name; i++) {
		*names++ = (struct option){
			.name = options[i].name,
			.has_arg = options[i].argument ? required_argument : no_argument,
			.val = OPTION_BASE + i,
		};
		if (!options[i].letter)
			continue;
		*letters++ = options[i].letter;
		if (options[i].argument)
			*letters++ = ':';
	}
	*letters = '\0';
	*names = (struct option){ 0 };
}

static const struct option_spec *option_of(const struct option_spec *options, int code)
{
	if (code >= OPTION_BASE)
		return &options[code - OPTION_BASE];
	while (options->name && options->letter != code)
		options++;
	return options->name ? options : NULL;
}

static int bad_option(const struct tool *tool, const struct option_spec *options, int code,
		      char **argv)
{
	const struct option_spec *option = optopt ? option_of(options, optopt) : NULL;

	if (code == ':')
		return tool_usage(tool, "--%s needs a value: %s", option->name,
				  option->argument);
	if (option && optopt >= OPTION_BASE)
		return tool_usage(tool, "--%s takes no value", option->name);
	if (optopt)
		return tool_usage(tool, "there is no option '-%c'", optopt);
	return tool_usage(tool, "there is no option '%s'", argv[optind - 1]);
}

/* Leaves the operands.  TOOL_GO, or an exit code */
static int read_options(const struct tool *tool, const struct option_spec *options,
			bool in_order, int *argc, char ***argv)
{
	char letters[2 * OPTIONS_MAX + 3];
	struct option names[OPTIONS_MAX];
	int code;

	describe_options(options, in_order, letters, names);
	opterr = 0;
	optind = 0; /* begin anew: this is called twice */
	while ((code = getopt_long(*argc, *argv, letters, names, NULL)) != -1) {
		const struct option_spec *option;

		if (code == '?' || code == ':')
			return bad_option(tool, options, code, *argv);
		option = option_of(options, code);
		if (!option->take(option, optarg))
			return TOOL_USAGE;
	}
	*argc -= optind;
	*argv += optind;
	return TOOL_GO;
}

static int open_context(struct tool *tool)
{
	int err = dmaheap_new_at(tool->roots, &tool->context);

	return err ? tool_fail(tool, err) : TOOL_GO;
}

static int check_operands(const struct tool *tool, const struct usage *usage, int argc,
			  char **argv)
{
	if ((unsigned int)argc < usage->least)
		return tool_usage(tool, "it needs %s", usage->operands);
	if ((unsigned int)argc > usage->most)
		return tool_usage(tool, "'%s' is one operand too many", argv[usage->most]);
	return tool->json && tool->raw ?
		       tool_usage(tool, "--json and --raw exclude each other") :
		       TOOL_GO;
}

static void print_version(void)
{
	printf("dmaheap %s\n", dmaheap_version());
}

int tool_options(struct tool *tool, const struct usage *usage, int *argc, char ***argv)
{
	struct option_spec options[OPTIONS_MAX];
	bool help = false, version = false;
	int status;

	tool->columns = usage->columns;
	merge_options(tool, usage->options, &help, &version, options);
	status = read_options(tool, options, usage->in_order, argc, argv);
	if (status != TOOL_GO)
		return status;
	if (help)
		print_help(tool, usage, options);
	else if (version)
		print_version();
	if (help || version)
		return TOOL_DONE;
	status = check_operands(tool, usage, *argc, *argv);
	if (status == TOOL_GO)
		status = select_columns(tool);
	return status == TOOL_GO ? open_context(tool) : status;
}

int tool_options_before_verb(struct tool *tool, int *argc, char ***argv)
{
	struct option_spec options[OPTIONS_MAX];
	bool help = false, version = false;
	int status;

	merge_options(tool, NULL, &help, &version, options);
	status = read_options(tool, options, true, argc, argv);
	if (status == TOOL_GO && help)
		tool_help(stdout);
	else if (status == TOOL_GO && version)
		print_version();
	return status == TOOL_GO && (help || version) ? TOOL_DONE : status;
}
