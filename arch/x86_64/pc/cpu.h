/* SPDX-License-Identifier: BSD-2-Clause */
/* State of one host CPU, found through its GS base. There is one now; others are additions. */
#ifndef PC_CPU_H
#define PC_CPU_H

#include <stdint.h>

/** Belongs to its CPU; other CPUs only read self, apic_id and attention. */
struct pc_cpu {
	struct pc_cpu *self;  /**< first, for cpu_this() */
	uint32_t *attention;  /**< what plat_cpu_bind() gave, or NULL */
	uint32_t apic_id;     /**< where to send a wake-up */
	uint64_t deadline_ns; /**< asked for, UINT64_MAX if none */
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

/** Raises ATTN_CONSOLE at the CPU that takes console input. Safe in interrupts. */
void cpu_console_input(void);

#endif
