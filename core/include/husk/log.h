/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the hypervisor itself: one line each, prefixed `husk: `. */
#ifndef HUSK_LOG_H
#define HUSK_LOG_H

#include <stdbool.h>
#include <stddef.h>

/** Longest message of one call, prefix not counted. */
#define LOG_LINE_MAX 1000u

/** Levels, most urgent first; the configured level and all above it are printed. */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Sets the level; from params at start, from the monitor or the command line later. */
void log_set_level(enum log_level level);

/** True if messages of that level are printed. */
bool log_enabled(enum log_level level);

/** Parses "error", "warn", "info" or "debug". Returns the level or -EINVAL. */
int log_parse_level(const char *name);

/**
 * Prints one line if `level` is enabled, without \n in the format. It starts on a fresh line even if guest output or
 * log_text() ended in the middle of one. Text over LOG_LINE_MAX is cut and marked with "...". Formats take
 * integers and strings (no floating point). Ends up in plat_log_write() as one piece.
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Prints text of the monitor and of reports without prefix, whatever the level; lines end with \n, and one line may
 * be made of several calls. Starts on a fresh line after guest output; cut as log_line() does.
 */
void log_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Takes text in place of the host's console. */
typedef void log_sink(void *ctx, const char *text, size_t size);

/**
 * Sends everything that is printed from now on to `sink`, until NULL gives it back to the console: for commands whose
 * output somebody else asked for.
 */
void log_redirect(log_sink *sink, void *ctx);

/** The console says where guest output left the cursor of the terminal: at the start of a line or not. */
void log_guest_output(bool line_start);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
