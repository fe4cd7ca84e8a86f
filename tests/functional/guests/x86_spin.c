/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two vCPUs that wait for each other by spinning, as for a lock: what a round costs tells whether one gives way. The CLI
 * in their loops is for Bochs: a guest that is entered with interrupts off, and leaves the flag alone, it does not
 * take out of the guest for interrupts of the host.
 */
#include "x86_guest.h"

#define ROUNDS 10u
#define WORD   0x100 /* from there, the word that says whose move it is */

/* The second vCPU: whenever the word is 1, it makes it 0. */
extern const uint8_t spin_start[], spin_end[];
__asm__(".pushsection .rodata\n"
	".code16\n"
	"spin_start:\n\t"
	"mov %cs, %ax\n\t"
	"mov %ax, %ds\n"
	"1:\tcli\n\t"
	"pause\n\t"
	"cmpw $1, 0x100\n\t"
	"jne 1b\n\t"
	"movw $0, 0x100\n\t"
	"jmp 1b\n"
	"spin_end:\n"
	".code64\n"
	".popsection");

void start_other(const uint8_t *code, const uint8_t *end)
{
	for (size_t i = 0; i < (size_t)(end - code); i++)
		((volatile uint8_t *)OTHER)[i] = code[i];
	set_up_apic();
	write_apic(0x310, 1u << 24);
	write_apic(0x300, 5u << 8 | 1u << 14);
	write_apic(0x300, 6u << 8 | 1u << 14 | OTHER >> 12);
}

static void round_trip(void)
{
	volatile uint16_t *word = (volatile uint16_t *)(OTHER + WORD);

	*word = 1;
	while (*word != 0)
		__asm__ volatile("cli; pause");
}

void spin_together(void)
{
	uint64_t start;

	start_other(spin_start, spin_end);
	round_trip();
	start = rdtsc();
	for (unsigned i = 0; i < ROUNDS; i++)
		round_trip();
	print_number("ticks a round ", (rdtsc() - start) / ROUNDS);
}
