// SPDX-License-Identifier: LGPL-2.1-or-later
/* What names of heaps mean: by the environment, by the configuration, and by custom. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

#define BLANKS " \t\r\n"
#define ENVIRONMENT "DMAHEAP_HEAPS"
#define CACHING (DMAHEAP_CACHED | DMAHEAP_UNCACHED)

static const struct {
	const char *word;
	unsigned int property;
} words[] = {
	{ "cached", DMAHEAP_CACHED },	    { "uncached", DMAHEAP_UNCACHED },
	{ "scattered", DMAHEAP_SCATTERED }, { "contiguous", DMAHEAP_CONTIGUOUS },
	{ "protected", DMAHEAP_PROTECTED }, { "below4g", DMAHEAP_BELOW_4G },
};

/*
 * Names that mean the same wherever they turn up.  Those that say no more than where memory lies
 * ("video@94000000"), or whose memory depends on the devices ("negotiated"), are not among them.
 */
static const struct {
	const char *pattern;
	unsigned int properties;
} customs[] = {
	/* The kernel's and ours. */
	{ "system", DMAHEAP_CACHED | DMAHEAP_SCATTERED },
	{ "skeleton", DMAHEAP_CACHED | DMAHEAP_SCATTERED },
	/* Shared with the host of a confidential machine. */
	{ "system_cc_shared", DMAHEAP_CACHED | DMAHEAP_SCATTERED },
	/* The default area of CMA; before Linux 6.17 it was called as its device tree did. */
	{ "default_cma_region", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	{ "reserved", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	{ "linux,cma", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	{ "linux,cma@*", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	{ "default-pool", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	{ "default-pool@*", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	{ "cma", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	{ "cma@*", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	/* Of trusted firmware, since Linux 6.18. */
	{ "protected,*", DMAHEAP_PROTECTED },
	/* The Raspberry Pi's; contiguous on some, and not on those whose devices have an IOMMU. */
	{ "vidbuf_cached", DMAHEAP_CACHED },
	/* ION's, where its names were kept. */
	{ "ion_system_heap", DMAHEAP_CACHED | DMAHEAP_SCATTERED },
	{ "ion_system_contig_heap", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	{ "ion_cma_heap", DMAHEAP_CACHED | DMAHEAP_CONTIGUOUS },
	/* Makers of phones. */
	{ "qcom,system", DMAHEAP_CACHED | DMAHEAP_SCATTERED },
	{ "qcom,secure-*", DMAHEAP_PROTECTED },
	{ "mtk_mm", DMAHEAP_CACHED | DMAHEAP_SCATTERED },
	{ "mtk_prot*", DMAHEAP_PROTECTED },
	{ "mtk_svp*", DMAHEAP_PROTECTED },
};

/* What ends of names make of what stands before them. */
static const struct {
	const char *suffix;
	unsigned int clear;
	unsigned int set;
} suffixes[] = {
	/* Ours, beside one of the kernel's own. */
	{ ".dmaheap", 0, 0 },
	{ "-uncached", CACHING, DMAHEAP_UNCACHED },
	{ "-dma32", 0, DMAHEAP_BELOW_4G },
	{ "-contiguous", DMAHEAP_SCATTERED, DMAHEAP_CONTIGUOUS },
	{ "-secure", CACHING, DMAHEAP_PROTECTED },
	{ "-protected", CACHING, DMAHEAP_PROTECTED },
};

/* Cuts the blanks off both ends. */
static char *strip(char *text)
{
	char *end;

	text += strspn(text, BLANKS);
	end = text + strlen(text);
	while (end > text && strchr(BLANKS, end[-1]))
		end--;
	*end = '\0';
	return text;
}

static unsigned int property_of(const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].word, word))
			return words[i].property;
	return 0;
}

/* Of words that may be cut up. */
static int parse_words(char *text, unsigned int *properties)
{
	unsigned int property, found = 0;
	char *word;

	while ((word = strsep(&text, ","))) {
		property = property_of(strip(word));
		if (!property)
			return -EINVAL;
		found |= property;
	}
	*properties = found;
	return 0;
}

int dmaheap_properties_parse(const char *text, unsigned int *properties)
{
	char *copy;
	int err;

	/* As it is printed. */
	if (!*text) {
		*properties = 0;
		return 0;
	}
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	err = parse_words(copy, properties);
	free(copy);
	return err;
}

int dmaheap_properties_print(unsigned int properties, char *text, size_t size)
{
	/* The longest there can be. */
	char all[sizeof("cached,uncached,scattered,contiguous,protected,below4g")] = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (!(properties & words[i].property))
			continue;
		if (*all)
			strcat(all, ",");
		strcat(all, words[i].word);
	}
	return snprintf(text, size, "%s", all);
}

static bool is_contradictory(unsigned int properties)
{
	const unsigned int pieces = DMAHEAP_SCATTERED | DMAHEAP_CONTIGUOUS;

	return (properties & CACHING) == CACHING || (properties & pieces) == pieces;
}

static void rules_free(struct name_rule *rules, size_t count)
{
	while (count--)
		free(rules[count].pattern);
	free(rules);
}

static int rule_add(struct dmaheap *context, const char *pattern, unsigned int properties)
{
	size_t count = context->rules_count;
	struct name_rule *rules = reallocarray(context->rules, count + 1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	context->rules = rules;
	rules[count].pattern = strdup(pattern);
	rules[count].properties = properties;
	if (!rules[count].pattern)
		return -ENOMEM;
	context->rules_count++;
	return 0;
}

/* "PATTERN: property, property": patterns may have colons, properties have none. */
static int rule_parse(struct dmaheap *context, char *text, char separator)
{
	char *split = strrchr(text, separator);
	unsigned int properties;

	if (!split)
		return -EINVAL;
	*split = '\0';
	text = strip(text);
	if (!*text || parse_words(split + 1, &properties) || is_contradictory(properties))
		return -EINVAL;
	return rule_add(context, text, properties);
}

static int rules_parse(struct dmaheap *context, char *text)
{
	char *rule;
	int err;

	while ((rule = strsep(&text, ";"))) {
		rule = strip(rule);
		err = *rule ? rule_parse(context, rule, '=') : 0;
		if (err)
			return err;
	}
	return 0;
}

static int load_environment(struct dmaheap *context)
{
	const char *text = secure_getenv(ENVIRONMENT);
	char *copy;
	int err;

	if (!text)
		return 0;
	copy = strdup(text);
	err = copy ? rules_parse(context, copy) : -ENOMEM;
	free(copy);
	if (err == -EINVAL)
		return context_fail_because(
			context, err, "is not as \"NAME=cached,contiguous;NAME=uncached\"",
			"read", "$" ENVIRONMENT "=\"%s\"", text);
	return err ? context_fail(context, err, "read", "$" ENVIRONMENT) : 0;
}

/* A line of the file; a zero byte in it would hide what follows. */
static int line_parse(struct dmaheap *context, char *line, size_t length)
{
	if (strlen(line) != length)
		return -EINVAL;
	line[strcspn(line, "#")] = '\0';
	line = strip(line);
	return *line ? rule_parse(context, line, ':') : 0;
}

static int load_lines(struct dmaheap *context, FILE *file, const char *path)
{
	unsigned int number = 0;
	size_t size = 0;
	char *line = NULL;
	ssize_t length;
	int err = 0;

	while (!err && (length = getline(&line, &size, file)) >= 0) {
		number++;
		err = line_parse(context, line, (size_t)length);
	}
	free(line);
	if (err == -EINVAL)
		return context_fail_because(context, err,
					    "is not as \"NAME: cached, contiguous\"", "read",
					    "%s:%u", path, number);
	if (!err && ferror(file))
		return context_fail_because(context, -EINVAL, "it cannot be read as a file",
					    "read", "%s", path);
	return err ? context_fail(context, err, "read", "%s", path) : 0;
}

/* NULL and errno; of what is no file, EINVAL: somebody might have to write it first. */
static FILE *open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	FILE *file = NULL;

	if (fd < 0)
		return NULL;
	errno = EINVAL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		file = fdopen(fd, "r");
	if (!file)
		close(fd);
	return file;
}

static int load_file(struct dmaheap *context, const char *path)
{
	FILE *file = open_file(path);
	int err;

	if (file) {
		err = load_lines(context, file, path);
		fclose(file);
		return err;
	}
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	if (errno == EINVAL)
		return context_fail_because(context, -EINVAL, "it is no file", "open", "%s",
					    path);
	return context_fail(context, -errno, "open", "%s", path);
}

static int load_configuration(struct dmaheap *context)
{
	char *path = context_path(context, DMAHEAP_ROOT_ETC, "dmaheap.conf");
	int err;

	if (!path)
		return context_fail(context, -ENOMEM, "read", "dmaheap.conf");
	err = load_file(context, path);
	free(path);
	return err;
}

int names_load(struct dmaheap *context)
{
	struct name_rule *rules = context->rules;
	size_t count = context->rules_count;
	int err;

	context->rules = NULL;
	context->rules_count = 0;
	err = load_environment(context);
	if (!err)
		err = load_configuration(context);
	if (!err) {
		rules_free(rules, count);
		return 0;
	}
	names_unload(context);
	context->rules = rules;
	context->rules_count = count;
	return err;
}

void names_unload(struct dmaheap *context)
{
	rules_free(context->rules, context->rules_count);
	context->rules = NULL;
	context->rules_count = 0;
}

/* What the user says of the name as it is. */
static bool find_rule(const struct dmaheap *context, const char *name,
		      unsigned int *properties)
{
	size_t i;

	for (i = 0; i < context->rules_count; i++) {
		if (fnmatch(context->rules[i].pattern, name, 0))
			continue;
		*properties = context->rules[i].properties;
		return true;
	}
	return false;
}

static unsigned int custom_of(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(customs); i++)
		if (!fnmatch(customs[i].pattern, name, 0))
			return customs[i].properties;
	return 0;
}

/* Cuts one off the name; its place in the table, or -1. */
static int cut_suffix(char *name)
{
	size_t i, suffix, length = strlen(name);

	for (i = 0; i < ARRAY_SIZE(suffixes); i++) {
		suffix = strlen(suffixes[i].suffix);
		if (length <= suffix || strcmp(name + length - suffix, suffixes[i].suffix))
			continue;
		name[length - suffix] = '\0';
		return (int)i;
	}
	return -1;
}

/* The name gets shorter until somebody knows it; what was cut off changes what that means. */
static unsigned int properties_of(const struct dmaheap *context, char *name)
{
	unsigned int properties, clear = 0, set = 0;
	int i;

	while (!find_rule(context, name, &properties)) {
		i = cut_suffix(name);
		if (i < 0) {
			properties = custom_of(name);
			break;
		}
		/* What stands further right wins. */
		set |= suffixes[i].set & ~clear;
		clear |= suffixes[i].clear;
	}
	return (properties & ~clear) | set;
}

unsigned int dmaheap_properties_of(struct dmaheap *context, const char *name)
{
	char *copy = strdup(name);
	unsigned int properties;

	if (!copy)
		return 0;
	properties = properties_of(context, copy);
	free(copy);
	return properties;
}
