/* SPDX-License-Identifier: BSD-2-Clause */
/* State of one host CPU, found through its GS base. There is one now; others are additions. */
#ifndef PC_CPU_H
#define PC_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Belongs to its CPU; other CPUs only read self, apic_id and attention. */
struct pc_cpu {
	struct pc_cpu *self;  /**< first, for cpu_this() */
	uint32_t *attention;  /**< what plat_cpu_bind() gave, or NULL */
	uint32_t apic_id;     /**< where to send a wake-up */
	uint64_t deadline_ns; /**< asked for, UINT64_MAX if none */
	/** Takes the FPU's registers from whom they are lent to, or NULL: they are the host's. */
	void (*fpu_release)(void *borrower);
	void *fpu_borrower;
};

/** Makes the calling CPU the boot CPU and switches on what C code and protection need. */
void cpu_init(void);

/** The calling CPU. */
static inline struct pc_cpu *cpu_this(void)
{
	struct pc_cpu *cpu;

	__asm__("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/**
 * Leaves the FPU's registers to a guest. The first instruction of the host that needs them calls release(borrower),
 * with interrupts masked and from anywhere: it saves them and must itself use general registers only.
 */
void cpu_lend_fpu(void (*release)(void *borrower), void *borrower);

/** Takes the FPU back at once. */
void cpu_take_fpu(void);

/** True if the FPU's registers are the borrower's now. */
static inline bool cpu_fpu_lent_to(const void *borrower)
{
	return cpu_this()->fpu_release != NULL && cpu_this()->fpu_borrower == borrower;
}

/** Device-not-available trap: takes the FPU back. False if it was not lent, which is a bug. */
bool cpu_fpu_trap(void);

/** Raises ATTN_CONSOLE at the CPU that takes console input. Safe in interrupts. */
void cpu_console_input(void);

#endif
