/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPU asks of a hardware page table walker. The feature mips-walker gives every vCPU one. */
#ifndef MIPS64_WALKER_H
#define MIPS64_WALKER_H

#include <stdbool.h>
#include <stdint.h>

struct mips_cpu;

/** A walker. A CPU that has one says so in Config3.PW. */
struct mips_walker {
	/**
	 * Called when no TLB entry matches a mapped address. Returns true if it wrote one, whether it
	 * is valid or not; false if the miss is left to software.
	 */
	bool (*walk)(struct mips_cpu *c, uint64_t va);
	/** Reads or writes one of its CP0 registers. Returns false if it has none of that number. */
	bool (*read)(const struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t *value);
	bool (*write)(struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t value);
};

#endif
