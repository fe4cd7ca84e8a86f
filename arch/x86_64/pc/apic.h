/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt controllers: the local APIC, I/O APICs for COM1, and the two 8259s. */
#ifndef PC_APIC_H
#define PC_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/pc/acpi.h"

/** Enables the calling CPU's local APIC and masks all other sources. Ends the run if there is none. */
void apic_init(const struct acpi_info *acpi);

/** The part of it that is about another CPU, which calls it. */
void apic_init_cpu(void);

/** Identifier of the calling CPU. */
uint32_t apic_id(void);

/** Whether the local APIC is used through MSRs. */
bool apic_is_x2(void);

/* Messages other than interrupts (Intel SDM 3A, figure 10-12): delivery modes. */
#define APIC_NMI      (4u << 8)
#define APIC_INIT     (5u << 8)
#define APIC_START_UP (6u << 8) /**< | number of the page that the CPU starts at, in real mode */

/** Sends a message to another CPU: an interrupt, which is its vector, or one of the above. */
void apic_send(uint32_t id, unsigned message);

/** Ends the handling of `vector`, whatever it was. */
void apic_end_of_interrupt(unsigned vector);

/** Starts the timer, masked, with the longest count; for calibration. */
void apic_timer_calibrate(void);

/** What the timer still has to count. */
uint32_t apic_timer_left(void);

/** Makes the timer interrupt once after `count` (0: never). */
void apic_timer_start(uint32_t count);

/** Switches the timer to TSC-deadline mode; then MSR_TSC_DEADLINE arms it. */
void apic_timer_use_deadline(void);

/** Routes COM1's interrupt through an I/O APIC. Returns false if no pin for it is found. */
bool apic_route_com1(const struct acpi_info *acpi);

/** Routes COM1's interrupt through the 8259 instead. */
void apic_route_com1_by_pic(void);

/** Routes COM2's interrupt the way that COM1's goes. Returns false if there is none. */
bool apic_route_com2(void);

/** Masks COM1's interrupt everywhere. */
void apic_unroute_com1(void);

#endif
