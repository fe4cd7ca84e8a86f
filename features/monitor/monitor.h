/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the monitor: what its files share. Features that add commands use husk/monitor.h only. */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/console.h>
#include <husk/monitor.h>

/** Longest line, its NUL included. */
#define MONITOR_LINE 128u

/** Lines that can be recalled. */
#define MONITOR_HISTORY 8u

/** Most words of a line. */
#define MONITOR_WORDS 8

/** The monitor of a VM. */
struct monitor {
	struct console_port port;
	struct vm *vm;
	char line[MONITOR_LINE]; /**< being typed, always ends in NUL */
	size_t length;
	char history[MONITOR_HISTORY][MONITOR_LINE]; /**< ring, newest at (lines - 1) % MONITOR_HISTORY */
	unsigned lines;                              /**< kept so far */
	unsigned recalled;                           /**< lines back from the newest that is shown, 0 is none */
	enum { MONITOR_TEXT, MONITOR_ESCAPE, MONITOR_SEQUENCE } input;
	bool after_return; /**< the last byte was CR: an LF belongs to it */
};

/** Prepares the monitor of vm. */
void monitor_init(struct monitor *m, struct vm *vm);

/** The command of that name or of which it is the only abbreviation; NULL after saying why not. */
const struct monitor_command *monitor_find(const char *name);

/**
 * A number from the user: hexadecimal with 0x, else decimal, or $NAME for a register of the boot CPU. Returns 0, or
 * -EINVAL after saying what is wrong.
 */
int monitor_number(struct vm *vm, const char *text, uint64_t *value);

/** Prints an address and, in parentheses, the symbol it lies in if the payload has one. */
void monitor_print_address(struct vm *vm, uint64_t address);

#endif
