/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the x86 test guest share; see x86_guest.c. */
#ifndef GUESTS_X86_GUEST_H
#define GUESTS_X86_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COM1        0x3f8u
#define POWER       0x600u
#define LAPIC       0xfee00000ull
#define UNMAPPED    0x1000ull /* a hole in the page tables */
#define NOT_RAM     0xd0000000ull
#define OTHER       0x20000ull /* where the other vCPU begins, in real mode, with CS at its start */
#define ACPI_TABLES 0xe0000ull /* read-only, not for execution */
#define MEMORY_OP   12u
#define SET_TIMER   15u
#define XEN_VERSION 17u
#define CONSOLE_IO  18u
#define VCPU_OP     24u
#define SCHED_OP    29u
#define EVENT_OP    32u
#define HVM_OP      34u

/* Interrupts that the guest takes: of its local APIC, which wants to hear of their end, and of event channels. */
#define APIC_VECTOR   0x40u
#define UPCALL_VECTOR 0x50u

static inline void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(subleaf));
}

/** On Intel's CPUs hypercalls are VMCALL. */
extern bool is_intel;

static inline int64_t hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t r10 __asm__("r10") = d;
	int64_t result;

	__asm__ volatile("cmpb $0, %[intel]\n\tjne 1f\n\tvmmcall\n\tjmp 2f\n1:\tvmcall\n2:"
			 : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
			 : "a"(nr), [intel] "m"(is_intel)
			 : "memory", "cc", "r8", "r9");
	return result;
}

static inline uint32_t read_apic(uint32_t offset)
{
	return *(volatile uint32_t *)(LAPIC + offset);
}

static inline void write_apic(uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(LAPIC + offset) = value;
}

/** Faults taken so far; interrupts of the local APIC. */
extern volatile uint64_t faults, interrupts;
/** Where to go on after a fault; NULL: none is expected. */
extern volatile const uint8_t *resume;
/** Called for each other interrupt with its vector, before its end is told. */
extern void (*volatile on_interrupt)(uint64_t vector);
/** Called for each upcall of event channels. */
extern void (*volatile on_upcall)(void);
extern bool has_xen, has_com1;

void print(const char *text);
/** Prints `what`, a number and a line feed. */
void print_number(const char *what, uint64_t value);
void set_up_apic(void);
/** Copies code to OTHER and has the second vCPU begin there. */
void start_other(const uint8_t *code, const uint8_t *end);

void hostile(void);
void costs(void);
void spin_together(void);
void use_apic(void);
void send_messages(void);

#endif
