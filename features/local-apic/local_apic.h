/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A local APIC for each vCPU of an x86 guest: xAPIC and x2APIC, with its timer (Intel SDM 3A, chapter 10). The timer
 * counts nanoseconds, or waits for a value of the TSC; the timer model of the image runs it.
 */
#ifndef LOCAL_APIC_H
#define LOCAL_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/device.h>
#include <husk/timer.h>

#include "arch/x86_64/hvm/cpu.h"

#define LOCAL_APIC_BASE 0xfee00000ull
#define LOCAL_APIC_SIZE 0x1000u
#define LOCAL_APIC_LVTS 6u

/** What hears of the end of a level-triggered interrupt: an I/O APIC. */
typedef void local_apic_eoi(void *ctx, uint8_t vector);

/** State of one. Made by the feature, in zeroed memory. */
struct local_apic {
	struct x86_extension extension; /* first: the CPU's view */
	struct x86_interrupts source;
	struct device dev; /**< its page of registers in xAPIC mode */
	struct x86_cpu *cpu;
	uint64_t base; /**< IA32_APIC_BASE */
	uint32_t logical, format, spurious, errors, error_latch;
	uint32_t command_low, command_high;
	uint32_t lvt[LOCAL_APIC_LVTS]; /**< timer, thermal, counters, LINT0, LINT1, error */
	uint32_t request[8], service[8], level[8];
	uint32_t early[8]; /**< requested while the APIC was disabled by software */
	uint32_t divide, initial;
	uint64_t started;  /**< count of the timer's clock when `initial` was written */
	uint64_t deadline; /**< IA32_TSC_DEADLINE, 0: not armed */
	struct guest_counter counter;
	local_apic_eoi *eoi;
	void *eoi_ctx;
	/* Left by other CPUs for this one, by atomic operations; see posted.c. */
	uint32_t posted_level[8]; /**< level-triggered vectors; others are in cpu->posted */
	uint32_t posted_messages; /**< NMI, INIT, start-up */
};

/** That of a vCPU, or NULL if the image has none. */
struct local_apic *local_apic_of(struct vcpu *v);

/**
 * Requests `vector`, 16 to 255, from any CPU, on behalf of the vCPU itself; it waits, unseen, while the APIC is disabled
 * by software.
 */
void local_apic_raise(struct local_apic *a, uint8_t vector, bool level);

/** The same by who may touch the state of the vCPU. */
void local_apic_raise_own(struct local_apic *a, uint8_t vector, bool level);

/** How a message names its destination (10.6.2). */
struct local_apic_message {
	uint32_t destination; /**< as many bits as the mode of the APICs has */
	bool logical, level;
	uint8_t delivery; /**< 0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 6 start-up */
	uint8_t vector;
};

#define LOCAL_APIC_FIXED    0u
#define LOCAL_APIC_LOWEST   1u
#define LOCAL_APIC_NMI      4u
#define LOCAL_APIC_INIT     5u
#define LOCAL_APIC_START_UP 6u

/** Takes a message that is for this APIC, from any CPU. */
void local_apic_receive(struct local_apic *a, const struct local_apic_message *m);

/** The same by who may touch the state of the vCPU; of INIT and start-up it knows nothing. */
void local_apic_receive_own(struct local_apic *a, const struct local_apic_message *m);

/** Delivers a message of an I/O APIC or of a device to the APICs that it names. */
void local_apic_send(struct vm *vm, const struct local_apic_message *m);

#endif
