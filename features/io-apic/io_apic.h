/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O APIC: Intel 82093AA data sheet. Lines of devices become messages to local APICs. */
#ifndef IO_APIC_H
#define IO_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/device.h>

struct vm;

#define IO_APIC_BASE 0xfec00000ull
#define IO_APIC_SIZE 0x1000u
#define IO_APIC_PINS 24u

/** State. Made by the feature. */
struct io_apic {
	struct device dev; /* first: the bus's view */
	struct vm *vm;
	uint32_t id, select;
	uint64_t redirection[IO_APIC_PINS];
	uint32_t lines; /**< levels of the inputs */
};

/** Input `n` changes: an irq_input, whose controller is the struct io_apic. */
void io_apic_input(void *controller, unsigned n, bool level);

#endif
