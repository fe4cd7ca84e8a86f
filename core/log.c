/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the hypervisor. The terminal belongs to the host, so its state here is global. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <husk/log.h>
#include <husk/platform.h>

/** Who wrote last, if that left the cursor in the middle of a line. */
enum cursor { CURSOR_LINE_START, CURSOR_AFTER_GUEST, CURSOR_AFTER_TEXT };

#define CUT_MARK "..."

/** A message being built: fresh line, prefix, text, mark if it was cut, end of line. */
struct message {
	char text[16 + LOG_LINE_MAX + sizeof(CUT_MARK) + 2];
	size_t size;
};

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const char *const prefixes[] = { "husk: error: ", "husk: warning: ", "husk: ", "husk: debug: " };
static enum log_level threshold = LOG_INFO;
static enum cursor cursor;
static log_sink *redirected;
static void *redirected_ctx;

void log_set_level(enum log_level level)
{
	threshold = level;
}

bool log_enabled(enum log_level level)
{
	return level <= threshold;
}

int log_parse_level(const char *name)
{
	for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(name, level_names[i]) == 0)
			return (int)i;
	}
	return -EINVAL;
}

void log_guest_output(bool line_start)
{
	cursor = line_start ? CURSOR_LINE_START : CURSOR_AFTER_GUEST;
}

static void append(struct message *m, const char *text)
{
	size_t n = strlen(text);

	memcpy(m->text + m->size, text, n);
	m->size += n;
}

static void append_format(struct message *m, const char *format, va_list args)
{
	int n = vsnprintf(m->text + m->size, LOG_LINE_MAX + 1, format, args);

	if (n < 0)
		return;
	if ((size_t)n <= LOG_LINE_MAX) {
		m->size += (size_t)n;
		return;
	}
	m->size += LOG_LINE_MAX;
	append(m, CUT_MARK);
	if (format[strlen(format) - 1] == '\n')
		append(m, "\n");
}

void log_redirect(log_sink *sink, void *ctx)
{
	redirected = sink;
	redirected_ctx = ctx;
}

static void print(const struct message *m)
{
	if (m->size == 0)
		return;
	if (redirected != NULL) {
		redirected(redirected_ctx, m->text, m->size);
		return;
	}
	cursor = m->text[m->size - 1] == '\n' ? CURSOR_LINE_START : CURSOR_AFTER_TEXT;
	plat_log_write(m->text, m->size);
}

void log_line(enum log_level level, const char *format, ...)
{
	struct message m = { .size = 0 };
	va_list args;

	if (!log_enabled(level))
		return;
	if (cursor != CURSOR_LINE_START)
		append(&m, "\n");
	append(&m, prefixes[level]);
	va_start(args, format);
	append_format(&m, format, args);
	va_end(args);
	append(&m, "\n");
	print(&m);
}

void log_text(const char *format, ...)
{
	struct message m = { .size = 0 };
	va_list args;

	if (cursor == CURSOR_AFTER_GUEST)
		append(&m, "\n");
	va_start(args, format);
	append_format(&m, format, args);
	va_end(args);
	print(&m);
}
