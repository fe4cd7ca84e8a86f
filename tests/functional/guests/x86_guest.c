/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small x86 guest of our own, booted by PVH. What it does says the letter after "husk guest mode:", which the tests
 * change in finished images:
 *   h  tries every port, MSR, CPUID leaf, device address, virtualization instruction and hypercall with bad arguments,
 *      starts again by the reset register, and is well-behaved then: as f
 *   c  measures what exits cost, in ticks of the TSC (with QEMU's -icount: instructions)
 *   t  triple fault; x  executes where there is no RAM; n  where RAM is not for that
 *   m  an instruction for devices that husk does not know
 *   s  spins with interrupts off
 *   e  gives back what is typed, between interrupts that it sends itself without end, up to a q
 *   a  uses the local APIC in xAPIC mode
 *   i  two vCPUs, of which one sends the other interrupts, that runs or has halted
 *   p  two vCPUs that wait for each other by spinning: ticks of the TSC that a round takes
 *   f  checks that FPU registers survive exits and that NMIs do not nest
 */
#include "x86_guest.h"

/** What the stubs and the CPU push. */
struct frame {
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/** 64-bit gate (SDM 3A, 6.14.1). */
struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};

extern const uint8_t stubs[256][16];
static struct gate idt[256];
static volatile uint64_t nmis, nmi_depth, nmi_nested;
volatile uint64_t faults, interrupts;
volatile const uint8_t *resume;
void (*volatile on_interrupt)(uint64_t vector);
void (*volatile on_upcall)(void);
bool has_xen, has_com1, is_intel;
/* The text before it is how tests find it. */
static volatile struct {
	char label[16];
	char mode;
} choice = { "husk guest mode:", 'h' };

/* --- output */

void print(const char *text)
{
	size_t n = 0;

	while (text[n] != '\0')
		n++;
	if (has_xen && !has_com1)
		hypercall(CONSOLE_IO, 0, n, (uint64_t)text, 0);
	for (size_t i = 0; has_com1 && i < n; i++)
		out8(COM1, (uint8_t)text[i]);
}

void print_number(const char *what, uint64_t value)
{
	char digits[24];
	unsigned n = sizeof(digits);

	digits[--n] = '\0';
	digits[--n] = '\n';
	do
		digits[--n] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	print(what);
	print(digits + n);
}

static _Noreturn void power_off(void)
{
	out8(POWER, 5u << 2 | 1u << 5);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* --- exceptions */

void guest_exception(struct frame *f)
{
	if (f->vector == 2) {
		nmis++;
		nmi_depth++;
		if (nmi_depth > 1)
			nmi_nested++;
		/* One more, from inside: it has to wait for the IRET. */
		if (nmis < 3)
			write_apic(0x300, 1u << 18 | 4u << 8);
		for (volatile unsigned i = 0; i < 1000; i++)
			continue;
		nmi_depth--;
		return;
	}
	if (f->vector == UPCALL_VECTOR && on_upcall != NULL) {
		on_upcall();
		return;
	}
	if (f->vector >= 32) {
		interrupts++;
		if (on_interrupt != NULL)
			on_interrupt(f->vector);
		write_apic(0xb0, 0);
		return;
	}
	if (resume == NULL) {
		print_number("unexpected exception ", f->vector);
		print_number("at ", f->rip);
		power_off();
	}
	faults++;
	f->rip = (uint64_t)resume;
}

static void set_up_exceptions(void)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };

	for (unsigned i = 0; i < 256; i++) {
		uint64_t at = (uint64_t)stubs[i];

		idt[i] = (struct gate){ (uint16_t)at, 8, 0, 0x8e, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
	}
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

/* --- registers and interrupts */

void set_up_apic(void)
{
	write_apic(0xf0, 0x1ff);
	write_apic(0x3e0, 0xb);
	write_apic(0x320, APIC_VECTOR);
}

static void check_registers(void)
{
	static uint8_t pattern[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	uint8_t seen[16];
	bool good = true;

	for (unsigned i = 0; i < 100; i++) {
		uint32_t leaf = 0;

		__asm__ volatile("movdqu %1, %%xmm7; cpuid; outb %%al, $0x51; movdqu %%xmm7, %0"
				 : "=m"(seen), "+m"(pattern), "+a"(leaf)
				 :
				 : "rbx", "rcx", "rdx");
		print(i % 10 == 0 ? "." : "");
		for (unsigned b = 0; b < 16; b++)
			good &= seen[b] == pattern[b];
	}
	print(good ? "\nFPU registers are kept\n" : "\nFPU registers are lost\n");
	set_up_apic();
	write_apic(0x300, 1u << 18 | 4u << 8);
	for (volatile unsigned i = 0; i < 100000; i++)
		continue;
	print_number("NMIs ", nmis);
	print_number("nested ", nmi_nested);
}

#define SELF_VECTOR 0x60u

/* Hardly a moment without an interrupt to deliver: those of the host have to come through all the same. */
static void echo(void)
{
	uint8_t typed = 0;

	set_up_apic();
	print("echo\n");
	__asm__ volatile("sti");
	while (typed != 'q') {
		write_apic(0x300, 1u << 18 | SELF_VECTOR);
		if ((in8(COM1 + 5) & 1) == 0)
			continue;
		typed = in8(COM1);
		out8(COM1, typed);
	}
	__asm__ volatile("cli");
	print(interrupts != 0 ? "\ninterrupted\n" : "\nnot interrupted\n");
}

/* Where a word survives a reset, which loads the kernel again but clears no RAM beyond the first MiB. */
#define LEFT_BEHIND ((volatile uint64_t *)0x800000)
#define HAS_TRIED   0x6576696c206b7568ull

/* Once hostile, and after a reset as good as can be. */
static void hostile_then_good(void)
{
	if (*LEFT_BEHIND == HAS_TRIED) {
		print("started again\n");
		check_registers();
		return;
	}
	hostile();
	*LEFT_BEHIND = HAS_TRIED;
	out8(POWER + 2, 1);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void guest_main(void);
void guest_main(void)
{
	uint32_t r[4];

	set_up_exceptions();
	cpuid(0, 0, r);
	is_intel = r[1] == 0x756e6547; /* "Genu" */
	cpuid(0x40000000, 0, r);
	has_xen = r[1] == 0x566e6558;
	has_com1 = in8(COM1 + 5) != 0xff;
	print("test guest\n");
	switch (choice.mode) {
	case 'h': hostile_then_good(); break;
	case 'c': costs(); break;
	case 'e': echo(); break;
	case 'a': use_apic(); break;
	case 'i': send_messages(); break;
	case 'p': spin_together(); break;
	case 'f': check_registers(); break;
	case 't': __asm__ volatile("lidt %0; ud2" : : "m"(*(const uint8_t(*)[10]) "\0\0\0\0\0\0\0\0\0\0")); break;
	case 'n': ((void (*)(void))ACPI_TABLES)(); break;
	case 'x': ((void (*)(void))NOT_RAM)(); break;
	case 'm': __asm__ volatile("movaps %%xmm0, (%0)" : : "r"(NOT_RAM)); break;
	case 's':
		print("spinning\n");
		for (;;)
			__asm__ volatile("cli");
	default: print("no such mode\n"); break;
	}
	power_off();
}
