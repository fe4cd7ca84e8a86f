/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers by number for monitor, reports and debuggers. */
#ifndef MIPS64_REGISTERS_H
#define MIPS64_REGISTERS_H

#include <stdint.h>

#include <husk/engine.h>

/** pc, the 32 general registers, hi, lo, the CP0 registers one looks at first, and the details. */
#define MIPS_NR_REGISTERS (41u + MIPS_NR_DETAILS)

/** f0 to f31, fcsr, fir. For engine.nr_details. */
#define MIPS_NR_DETAILS 34u

/** Names, in order of numbers; 0 is pc. For engine.registers. */
extern const struct engine_register mips_registers[MIPS_NR_REGISTERS];

/** Value of a register, 0 for numbers that do not exist. For engine.get_register. */
uint64_t mips_get_register(struct vcpu *v, unsigned n);

/** Sets a register; numbers that do not exist and $0 are ignored. For engine.set_register. */
void mips_set_register(struct vcpu *v, unsigned n, uint64_t value);

#endif
