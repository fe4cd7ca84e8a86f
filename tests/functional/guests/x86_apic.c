/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC in xAPIC mode: registers read back, interrupts come by priority, once each, and messages and the timer
 * work. What is printed is the same on every CPU, but for the last line: ticks of the TSC that reading a register takes.
 * Offsets of registers are of the Intel SDM, volume 3A, table 10-1.
 */
#include "x86_guest.h"

#define ID        0x020u
#define VERSION   0x030u
#define TPR       0x080u
#define PPR       0x0a0u
#define LDR       0x0d0u
#define DFR       0x0e0u
#define SVR       0x0f0u
#define ISR       0x100u
#define TMR       0x180u
#define IRR       0x200u
#define ESR       0x280u
#define ICR_LOW   0x300u
#define ICR_HIGH  0x310u
#define LVT_TIMER 0x320u
#define LVT_LINT1 0x360u
#define LVT_ERROR 0x370u
#define INITIAL   0x380u
#define CURRENT   0x390u
#define DIVIDE    0x3e0u
#define TO_SELF   (1u << 18)
#define LOGICAL   (1u << 11)
#define EVERY     (1u << 17)
#define TIMER     0x45u
#define ERROR     0x47u
#define READS     1000u
#define AFTER     1000000u /* ns: much longer than handling takes, in Bochs too */

/* Vectors in the order in which they came. */
static volatile uint8_t came[64];
static volatile unsigned nr_came;
static volatile uint32_t service_inside, priority_inside;

static void note(uint64_t vector)
{
	came[nr_came++ % sizeof(came)] = (uint8_t)vector;
	if (vector != 0x61)
		return;
	/* A higher one gets in between, a lower one has to wait. */
	service_inside = read_apic(ISR + 0x61 / 32 * 16);
	priority_inside = read_apic(PPR);
	write_apic(ICR_LOW, TO_SELF | 0x52);
	write_apic(ICR_LOW, TO_SELF | 0x73);
	__asm__ volatile("sti; nop; nop; cli");
	came[nr_came++ % sizeof(came)] = 0; /* the end of this one */
}

static void tell(const char *what)
{
	print(what);
	print_number(" interrupts ", nr_came);
	for (unsigned i = 0; i < nr_came; i++)
		print_number("  vector ", came[i]);
	nr_came = 0;
}

/* Interrupts are off but for this. */
static void let_in(void)
{
	__asm__ volatile("sti; nop; nop; cli");
}

/* Registers of which what was written, or a part, is read back. */
static void read_back(void)
{
	static const struct {
		uint32_t offset, value;
	} writes[] = { { TPR, 0x50 },          { LDR, 0x01ffffff },      { DFR, 0xffffffff },
		       { SVR, 0x1ff },         { ICR_HIGH, 0x05000000 }, { LVT_TIMER, TIMER },
		       { LVT_LINT1, 0x10400 }, { LVT_ERROR, ERROR },     { DIVIDE, 0xff },
		       { ID, 0x07000000 },     { VERSION, 0 },           { TPR, 0 } };

	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		write_apic(writes[i].offset, writes[i].value);
		print_number("offset ", writes[i].offset);
		print_number("  reads ", read_apic(writes[i].offset));
	}
	let_in();
	write_apic(ESR, 0);
	print_number("errors ", read_apic(ESR)); /* of the writes to what is only read */
	write_apic(DIVIDE, 0xb);
	tell("register");
	print_number("version ", *(volatile uint8_t *)(LAPIC + VERSION));
}

static void by_priority(void)
{
	write_apic(ICR_LOW, TO_SELF | 0x61);
	write_apic(ICR_LOW, TO_SELF | 0x44);
	write_apic(ICR_LOW, TO_SELF | 0x44); /* one that waits already */
	print_number("waiting ", read_apic(IRR + 0x44 / 32 * 16));
	let_in();
	print_number("in service ", service_inside);
	print_number("priority ", priority_inside);
	tell("priority");
	/* The task priority holds back, by CR8 and by its register. */
	write_apic(TPR, 0x60);
	write_apic(ICR_LOW, TO_SELF | 0x52);
	write_apic(ICR_LOW, TO_SELF | 0x70);
	let_in();
	tell("at 6");
	__asm__ volatile("mov %0, %%cr8" : : "r"(4ull));
	let_in();
	print_number("task priority ", read_apic(TPR));
	tell("at 4");
	write_apic(TPR, 0);
	print_number("left ", read_apic(IRR + 0x52 / 32 * 16) | read_apic(ISR + 0x52 / 32 * 16) | read_apic(TMR));
}

static void messages(void)
{
	write_apic(ICR_HIGH, read_apic(ID));
	write_apic(ICR_LOW, 0x66); /* by id */
	write_apic(LDR, 1u << 24);
	write_apic(ICR_HIGH, 1u << 24);
	write_apic(ICR_LOW, LOGICAL | 0x67);
	write_apic(ICR_HIGH, 2u << 24);
	write_apic(ICR_LOW, LOGICAL | 0x68); /* nobody */
	let_in();
	tell("message");
	write_apic(ICR_LOW, TO_SELF | 3); /* no such vector: an error, of which an interrupt tells */
	let_in();
	write_apic(ESR, 0);
	print_number("errors ", read_apic(ESR));
	tell("error");
}

static void timers(void)
{
	unsigned before;

	write_apic(LVT_TIMER, TIMER);
	write_apic(INITIAL, AFTER);
	print(read_apic(CURRENT) <= AFTER ? "timer counts down\n" : "timer does not count down\n");
	__asm__ volatile("sti; hlt; cli");
	tell("timer");
	write_apic(LVT_TIMER, EVERY | TIMER);
	write_apic(INITIAL, AFTER);
	for (before = nr_came; nr_came - before < 5;)
		__asm__ volatile("sti; hlt; cli");
	write_apic(INITIAL, 0);
	let_in();
	nr_came = 0;
	print("timer again and again\n");
}

void use_apic(void)
{
	uint64_t start;

	on_interrupt = note;
	set_up_apic();
	read_back();
	by_priority();
	messages();
	timers();
	/* Off and on again: what is in the page is the APIC's still. */
	write_apic(SVR, 0xff);
	print_number("timer ", read_apic(LVT_TIMER));
	set_up_apic();
	by_priority();
	print_number("id ", read_apic(ID));
	start = rdtsc();
	for (unsigned i = 0; i < READS; i++)
		read_apic(VERSION);
	print_number("ticks a read ", (rdtsc() - start) / READS);
}
