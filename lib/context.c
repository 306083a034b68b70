// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context: where to look, and what failed last. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

static const char *const default_roots[NR_ROOTS] = {
	[DMAHEAP_ROOT_DEV] = "/dev",
	[DMAHEAP_ROOT_SYS] = "/sys",
	[DMAHEAP_ROOT_DEBUG] = "/sys/kernel/debug",
	[DMAHEAP_ROOT_PROC] = "/proc",
	[DMAHEAP_ROOT_ETC] = "/etc",
};

/* Why this thread's last context could not be made: there is none to ask. */
static _Thread_local char new_message[sizeof(((struct dmaheap *)0)->message)];

/* What the C library says begins with a capital; here it is the end of a line. */
static const char *reason_of(int err, char *text, size_t size)
{
	snprintf(text, size, "%s", strerror(-err));
	if (text[0] && islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

static int note(struct dmaheap *context, int err, const char *reason, const char *step,
		const char *format, va_list args)
{
	char object[sizeof(context->message)];

	int room = (int)(sizeof(context->message) - strlen(step) - strlen(reason)) -
		   (int)sizeof(": : ");

	vsnprintf(object, sizeof(object), format, args);
	/* Of what does not fit, the object is cut off: the reason is worth more. */
	if (snprintf(context->message, sizeof(context->message), "%s: %.*s: %s", step,
		     room > 0 ? room : 0, object, reason) < 0)
		context->message[0] = '\0';
	return err;
}

int context_fail(struct dmaheap *context, int err, const char *step, const char *format, ...)
{
	char reason[128];
	va_list args;

	va_start(args, format);
	note(context, err, reason_of(err, reason, sizeof(reason)), step, format, args);
	va_end(args);
	return err;
}

int context_fail_because(struct dmaheap *context, int err, const char *reason,
			 const char *step, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(context, err, reason, step, format, args);
	va_end(args);
	return err;
}

char *context_path(const struct dmaheap *context, enum dmaheap_root root, const char *format,
		   ...)
{
	char *below, *path;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&below, format, args);
	va_end(args);
	if (length < 0)
		return NULL;
	length = asprintf(&path, "%s/%s", context->roots[root], below);
	free(below);
	return length < 0 ? NULL : path;
}

static int copy_roots(struct dmaheap *context, const char *const roots[])
{
	size_t i;

	for (i = 0; i < NR_ROOTS; i++) {
		context->roots[i] = strdup(roots && roots[i] ? roots[i] : default_roots[i]);
		if (!context->roots[i])
			return -ENOMEM;
	}
	return 0;
}

int dmaheap_new_at(const char *const roots[], struct dmaheap **context)
{
	struct dmaheap *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	err = copy_roots(made, roots);
	if (!err)
		err = names_load(made);
	memcpy(new_message, made->message, sizeof(new_message));
	if (err) {
		dmaheap_free(made);
		return err;
	}
	*context = made;
	return 0;
}

int dmaheap_new(struct dmaheap **context)
{
	return dmaheap_new_at(NULL, context);
}

void dmaheap_free(struct dmaheap *context)
{
	size_t i;

	if (!context)
		return;
	names_unload(context);
	for (i = 0; i < NR_ROOTS; i++)
		free(context->roots[i]);
	free(context);
}

int dmaheap_set_root(struct dmaheap *context, enum dmaheap_root root, const char *path)
{
	char *old, *new;
	int err = 0;

	if ((unsigned int)root >= NR_ROOTS || !path)
		return context_fail_because(context, -EINVAL,
					    "there is no such root; see enum dmaheap_root",
					    "set root", "%d", (int)root);
	new = strdup(path);
	if (!new)
		return context_fail(context, -ENOMEM, "set root", "%s", path);
	old = context->roots[root];
	context->roots[root] = new;
	if (root == DMAHEAP_ROOT_ETC)
		err = names_load(context);
	if (err)
		context->roots[root] = old;
	free(err ? new : old);
	return err;
}

const char *dmaheap_message(const struct dmaheap *context)
{
	return context ? context->message : new_message;
}

const char *dmaheap_version(void)
{
	return DMAHEAP_VERSION;
}
