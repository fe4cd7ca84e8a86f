/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host for unit tests: platform.h with a clock that tests set, buffers instead
 * of a terminal, and an end of the run that can be caught.
 */
#ifndef TESTS_FAKE_PLATFORM_H
#define TESTS_FAKE_PLATFORM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/platform.h>

#define FAKE_TEXT_SIZE  65536u
#define FAKE_INPUT_SIZE 4096u

extern uint64_t fake_now;       /**< what plat_time_ns() returns; tests set it, fake_advance() moves it */
extern uint64_t fake_now_step;  /**< what each plat_time_ns() adds to it */
extern uint64_t fake_deadline;  /**< last plat_deadline_set(), UINT64_MAX when disarmed or fired */
extern unsigned fake_deadlines; /**< calls of plat_deadline_set() */
extern uint64_t fake_wallclock; /**< what plat_wallclock_ns() returns */
/** What plat_time_scale() gives; all 0 (after fake_reset()): there is no such counter. */
extern struct plat_time_scale fake_time_scale;

extern char fake_log[FAKE_TEXT_SIZE]; /**< plat_log_write() so far, always ends in NUL; what does not fit is dropped */
extern size_t fake_log_size;
extern char fake_console[FAKE_TEXT_SIZE]; /**< plat_console_write() so far, always ends in NUL */
extern size_t fake_console_size;

extern bool fake_eof;                 /**< what plat_console_eof() says once the input is used up */
extern const char *fake_command_line; /**< what plat_command_line() returns */
extern uint64_t fake_pages_left;      /**< bytes that plat_pages_alloc() still gives; UINT64_MAX is no limit */
extern int fake_code_error;           /**< what plat_code_alloc() fails with, 0 (works) after fake_reset() */

extern int fake_entropy_error; /**< what plat_entropy() fails with; 0: bytes 1, 8, 15, … */

extern unsigned fake_waits; /**< calls of plat_wait() with nothing pending */
extern unsigned fake_kicks; /**< calls of plat_kick() */
/** Called by plat_wait() with nothing pending. NULL: time goes on to the deadline, which must be armed then. */
extern void (*fake_on_wait)(void);
extern const uint32_t *fake_attention; /**< word of the last plat_cpu_bind(), NULL before */

extern jmp_buf fake_exit_jmp;           /**< where plat_exit() goes while fake_exit_armed, else it ends the test */
extern bool fake_exit_armed;            /**< cleared by the jump */
extern enum husk_exit fake_exit_status; /**< argument of the last plat_exit() */

/** Back to the state at program start: time 0, no text, no input, no limits; frees all pages and code. */
void fake_reset(void);

/** Drops the text of log and console. */
void fake_clear_text(void);

/** Adds console input and raises ATTN_CONSOLE on the bound CPU. More than FAKE_INPUT_SIZE waiting ends the test. */
void fake_input(const void *data, size_t size);

/** Bytes of input not taken yet. */
size_t fake_input_left(void);

/** Moves time on and raises ATTN_TIMER on the bound CPU if that reaches its deadline. */
void fake_advance(uint64_t ns);

#endif
