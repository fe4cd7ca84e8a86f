/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions and interrupts: descriptor tables, stacks with guard pages, dispatch, reports. */
#ifndef PC_TRAP_H
#define PC_TRAP_H

#include <stddef.h>
#include <stdint.h>

/* Exception for FPU instructions with CR0.TS set. */
#define VECTOR_NM 7u

/* Interrupt vectors above the CPU's own. */
#define VECTOR_PIC      0x20u /* 8259s: 16 vectors */
#define VECTOR_TIMER    0x30u
#define VECTOR_COM1     0x31u
#define VECTOR_KICK     0x32u
#define VECTOR_COM2     0x33u
#define VECTOR_DEVICE   0x34u /* message-signalled interrupts of PCI devices */
#define VECTOR_POSTED   0x35u /* for a guest that takes it; else nothing to do */
#define VECTOR_LAST     VECTOR_POSTED
#define VECTOR_SPURIOUS 0xffu

/** Registers at the trap, as vectors.S and the CPU push them. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/** A stack with an unmapped page on either side. */
struct guarded_stack {
	const char *name;
	uint64_t base, size; /**< the usable part, page aligned; guards are the pages before and after */
};

#define TRAP_STACKS 4u

/** Stacks of the boot CPU: first the one that code runs on, then those for #DF, NMI and #MC. */
const struct guarded_stack *trap_stacks(size_t *count);

/** Loads GDT, TSS and IDT; from here on every exception is reported. */
void trap_init(void);

/** What another CPU's traps need, in zeroed memory, page aligned. */
struct trap_cpu;

/** Bytes of one. */
extern const size_t trap_cpu_size;

/** Says which stacks are in there, as for the boot CPU. */
void trap_cpu_stacks(const struct trap_cpu *t, struct guarded_stack stacks[TRAP_STACKS]);

/** Loads the calling CPU's GDT and TSS from `t`, and the IDT that all CPUs share. */
void trap_init_cpu(struct trap_cpu *t);

/** Sets what COM2's interrupt calls. There is none before. */
void trap_set_com2(void (*handler)(void));

/** Sets what interrupts of PCI devices call, all of them. */
void trap_set_device(void (*handler)(void));

/**
 * Called by vectors.S for every exception and interrupt, interrupts masked; likewise for an interrupt, of which only the
 * vector counts, that the CPU has acknowledged without entering its handler.
 */
void trap_dispatch(struct trap_frame *frame);

/** Prints what is known about an exception and ends the run with HUSK_EXIT_HOST. */
_Noreturn void fault_report(const struct trap_frame *frame);

#endif
