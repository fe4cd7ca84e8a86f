/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State of one host CPU, found through its GS base. What depends on how many there are is in one.c, or in smp/ in its
 * place: the image has one of them.
 */
#ifndef PC_CPU_H
#define PC_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/pc/acpi.h"
#include "arch/x86_64/pc/boot_info.h"
#include "arch/x86_64/pc/trap.h"

/** Belongs to its CPU; other CPUs only read self, apic_id and attention. */
struct pc_cpu {
	struct pc_cpu *self;  /**< first, for cpu_this() */
	uint32_t *attention;  /**< what plat_cpu_bind() gave, or NULL */
	uint32_t apic_id;     /**< where to send a wake-up */
	uint64_t deadline_ns; /**< asked for, UINT64_MAX if none */
	bool watched;         /**< by the guest that runs, not by the timer */
	uint64_t watch_tsc;   /**< TSC to look at it again, UINT64_MAX: never */
	/** Takes the FPU's registers from whom they are lent to, or NULL: they are the host's. */
	void (*fpu_release)(void *borrower);
	void *fpu_borrower;
	void *hvm; /**< what the engine hvm has for this CPU, or NULL */
};

/** Makes `cpu`, which is zero, the calling CPU, and switches on what C code and protection need. */
void cpu_init(struct pc_cpu *cpu);

/** The CPU that the image was started on. */
extern struct pc_cpu *const cpu_boot;

/** Starts other CPUs, if the image is for several; on the boot CPU, when its own parts are ready. */
void cpu_start_others(const struct boot_info *boot, const struct acpi_info *acpi);

/** The run ends: other CPUs halt for good. Does not come back where another CPU has called it before. */
void cpu_stop_others(void);

/** Stacks that the calling CPU may run on, for reports. */
const struct guarded_stack *cpu_stacks(size_t *count);

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
