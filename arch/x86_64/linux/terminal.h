/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal on standard input, if it is one: raw while the guest has it, as it was
 * before at all other times. All changes are made by the main thread with signals
 * blocked; it gets a SIGCONT when there may be something to do.
 */
#ifndef HUSK_LINUX_TERMINAL_H
#define HUSK_LINUX_TERMINAL_H

#include <stdbool.h>

/** Takes the terminal from now on: raw mode at once, or as soon as this process is in the foreground. */
void terminal_open(void);

/** Makes the terminal raw if it was taken and this process is in the foreground. */
void terminal_enter(void);

/** Restores the terminal as it was found, if it is raw. */
void terminal_leave(void);

/** terminal_leave() for good. */
void terminal_close(void);

/** True if input may be read: it is no terminal, or this process is in its foreground. Safe from any thread. */
bool terminal_readable(void);

/** True if terminal_enter() has something to do. Safe from any thread. */
bool terminal_wants_enter(void);

/** True while the terminal is in raw mode, by which only a terminal that is gone ends the input. */
bool terminal_is_raw(void);

/** True if standard error is a terminal that takes \n as a line feed only, as one in raw mode does. */
bool terminal_needs_return(void);

#endif
