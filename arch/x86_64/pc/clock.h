/* SPDX-License-Identifier: BSD-2-Clause */
/* Host time from the TSC, and the one deadline of a CPU on its local APIC timer. */
#ifndef PC_CLOCK_H
#define PC_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/pc/acpi.h"

/** Finds out how fast the TSC and the timer run. Ends the run if the computer cannot tell. After apic_init(). */
void clock_init(const struct acpi_info *acpi);

/** The part of it that is about another CPU, which calls it. */
void clock_init_cpu(void);

#define CLOCK_POLLERS 2u

/** Has `look` called about every millisecond on this CPU, with interrupts masked; for what has no interrupt. At most CLOCK_POLLERS. */
void clock_poll(void (*look)(void));

/**
 * The guest that the calling CPU enters watches the deadline from now on, which saves the timer: it is left for
 * clock_look() when the TSC has come to the count that this returns, UINT64_MAX if there is no deadline. It ends when
 * the CPU waits.
 */
uint64_t clock_watch(void);

/** Raises ATTN_TIMER if the deadline that is watched has passed. */
void clock_look(void);

/** The timer watches the deadline again. Interrupts masked. */
void clock_wait(void);

/** The timer's interrupt. */
void clock_interrupt(void);

/** What was found, for messages. */
struct clock_facts {
	const char *source; /**< what told the TSC's rate */
	uint64_t tsc_hz;
	uint64_t timer_hz; /**< 0: TSC-deadline mode */
};

/** Facts for messages. */
struct clock_facts clock_facts(void);

/** Seconds since 1970 from the CMOS clock; 0 if there is none. `century` is the CMOS index of the century, or 0. */
uint64_t rtc_read(uint8_t century);

/** Seconds, minutes or other field of the CMOS clock, as it is. */
uint8_t rtc_register(uint8_t index);

#endif
