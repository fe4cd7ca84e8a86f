/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the hypervisor itself: one line each, prefixed `husk: `. */
#ifndef HUSK_LOG_H
#define HUSK_LOG_H

#include <stdarg.h>

/** Levels, most urgent first; the configured level and all above it are printed. */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Sets the level; from params at start, from the monitor or the command line later. */
void log_set_level(enum log_level level);

/** Parses "error", "warn", "info" or "debug". Returns the level or -EINVAL. */
int log_parse_level(const char *name);

/** Prints one line if `level` is enabled. The format takes integers and strings (no floating point). */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Prints text of the monitor and of reports without prefix; lines end with \n. */
void log_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
