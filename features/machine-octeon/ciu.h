/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Central Interrupt Unit of Octeon I and II ("legacy CIU"), for up to 16 cores.
 * 128 sources in two lines of 64 bits, summed for each core and each of its CPU
 * inputs IP2 and IP3 under separate enables. Besides interrupts it holds what the
 * chip keeps in the same register block: mailboxes, watchdogs, fuses, soft reset.
 */
#ifndef MACHINE_OCTEON_CIU_H
#define MACHINE_OCTEON_CIU_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/device.h>
#include <husk/irq.h>

/** Address and size of the register block. */
#define CIU_BASE 0x1070000000000ull
#define CIU_SIZE 0x10000ull

/** The registers decode this many cores. */
#define CIU_CORES 16u

/** CPU inputs that the unit drives for each core: IP2 and IP3. */
#define CIU_OUTPUTS 2u

/** Input number of bit `bit` of line `line` (0 or 1), for ciu_input() and irq_connect(). */
#define CIU_INPUT(line, bit) ((line)*64u + (bit))

/** Sources with a wire of their own on CN63XX. */
#define CIU_UART0 CIU_INPUT(0u, 34u)
#define CIU_UART1 CIU_INPUT(0u, 35u)

/** What the unit keeps for one core. */
struct ciu_core {
	uint64_t enable[CIU_OUTPUTS][2]; /**< EN0 and EN1 of each output */
	uint32_t mailbox;                /**< pending mailbox bits */
	uint64_t watchdog;               /**< CIU_WDOG as last written; it never expires */
	uint64_t pokes;                  /**< writes to CIU_PP_POKE */
};

/** The unit. Zero-initialised, then ciu_init(). */
struct ciu {
	struct device dev; /* first: what the bus knows */
	unsigned cores;
	struct ciu_core core[CIU_CORES];
	uint64_t level[2];   /**< inputs as driven, by line */
	uint64_t latched[2]; /**< edge sources seen and not acknowledged, by line */
	struct irq_line output[CIU_CORES][CIU_OUTPUTS];
	void (*soft_reset)(void *ctx);   /**< CIU_SOFT_RST was written; may be NULL */
	void (*mailbox_used)(void *ctx); /**< some mailbox was written; NULL after ciu_init() */
	void *ctx;
	uint64_t unknown; /**< accesses to registers that are not modelled */
};

/** Prepares a unit for `cores` cores (1 to CIU_CORES). Outputs are connected by the machine afterwards. */
void ciu_init(struct ciu *ciu, unsigned cores, void (*soft_reset)(void *ctx), void *ctx);

/** Drives input n, see CIU_INPUT; an irq_input with the unit as controller. */
void ciu_input(void *ciu, unsigned n, bool level);

/** SUM0 (line 0) or SUM1 (line 1) as a core reads it. */
uint64_t ciu_sum(const struct ciu *ciu, unsigned core, unsigned line);

#endif
