/* SPDX-License-Identifier: BSD-2-Clause */
/* The x86 test guest tries everything that exits, with bad arguments. What it may not do must end in an exception. */
#include "x86_guest.h"

#define SCHED_OP_OLD 6u

/* Of an MSR that is not there, one write is as good as another. */
static void try_msr(uint32_t msr)
{
	static const uint64_t values[] = { 0, 1, UINT64_MAX, 0x8000000000000000ull, 0x0123456789abcdefull };
	uint64_t before = faults;
	uint32_t low, high;

	__asm__ volatile("leaq 1f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx");
	__asm__ volatile("rdmsr\n1:" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	resume = NULL;
	for (unsigned i = 0; i < (faults == before ? sizeof(values) / sizeof(values[0]) : 1); i++) {
		__asm__ volatile("leaq 2f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx");
		__asm__ volatile("wrmsr\n2:"
				 :
				 : "c"(msr), "a"((uint32_t)values[i]), "d"((uint32_t)(values[i] >> 32))
				 : "memory");
		resume = NULL;
	}
}

/* All that the permission maps of SVM (APM 2, 15.11) and VMX (SDM 3C, 24.6.9) know, Xen's, and the highest. */
static void try_msrs(void)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = { { 0, 0x2000 },
		       { 0x40000000, 0x40001000 },
		       { 0xc0000000, 0xc0002000 },
		       { 0xc0010000, 0xc0012000 },
		       { 0xfffff000, 0xffffffff } };

	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		for (uint32_t msr = ranges[i].from; msr < ranges[i].to; msr++)
			try_msr(msr);
	}
}

#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC    0x800u
#define X2APIC_ICR    0x830u

static void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* The registers of the local APIC as MSRs, all but messages: to oneself that is an NMI or worse. */
static void try_x2apic(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	if ((r[2] >> 21 & 1) == 0)
		return;
	write_msr(MSR_APIC_BASE, LAPIC | 3u << 10);
	for (uint32_t msr = MSR_X2APIC; msr < MSR_X2APIC + 0x400; msr++) {
		if (msr != X2APIC_ICR)
			try_msr(msr);
	}
	write_msr(MSR_X2APIC + 8, 0); /* task priority */
	write_msr(MSR_APIC_BASE, LAPIC);
	write_msr(MSR_APIC_BASE, LAPIC | 1u << 11);
}

/*
 * In all widths as far as devices go; beyond, four at a time, alternately in and out.
 * No value that is written here is one that the power register (ACPI 4.8.3.7) or the reset register acts on.
 */
static void try_ports(void)
{
	for (uint32_t port = 0; port < 0x10000; port++) {
		uint32_t v;

		if (has_com1 && port + 4 > COM1 && port < COM1 + 8)
			continue;
		if (port >= 0x1000) {
			if (port % 2 == 0)
				__asm__ volatile("inl %%dx, %%eax" : "=a"(v) : "d"((uint16_t)port));
			else
				__asm__ volatile("outl %%eax, %%dx" : : "a"(0xffffffff), "d"((uint16_t)port));
			continue;
		}
		__asm__ volatile("inb %%dx, %%al; inw %%dx, %%ax; inl %%dx, %%eax" : "=a"(v) : "d"((uint16_t)port));
		__asm__ volatile("outb %%al, %%dx; outw %%ax, %%dx; outl %%eax, %%dx"
				 :
				 : "a"(0xffffffff), "d"((uint16_t)port));
	}
	for (unsigned v = 0; v < 256; v++) {
		if ((v & 0x3c) != 0x34)
			out8(POWER, (uint8_t)v);
		out8(POWER + 1, (uint8_t)v);
		if (v != 1)
			out8(POWER + 2, (uint8_t)v);
	}
	/* String forms, from and to where nothing is mapped. */
	__asm__ volatile("leaq 3f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx");
	__asm__ volatile("rep outsb\n3:" : : "d"((uint16_t)0x500), "S"(UNMAPPED - 2), "c"(8) : "memory");
	__asm__ volatile("leaq 4f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx");
	__asm__ volatile("rep insl\n4:" : : "d"((uint16_t)0x500), "D"(NOT_RAM), "c"(3) : "memory");
	resume = NULL;
}

static void try_cpuid(void)
{
	static const uint32_t bases[] = { 0,          0x20000000, 0x40000000, 0x40000100, 0x7ffffff0,
					  0x80000000, 0x80860000, 0xc0000000, 0xfffffff0 };
	uint32_t r[4];

	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		for (uint32_t n = 0; n < 0x24 && bases[i] + n >= bases[i]; n++) {
			for (uint32_t subleaf = 0; subleaf < 4; subleaf++)
				cpuid(bases[i] + n, subleaf, r);
			cpuid(bases[i] + n, 0xffffffff, r);
		}
	}
}

static void try_address(uint64_t at)
{
	volatile uint8_t *p8 = (volatile uint8_t *)at;
	volatile uint16_t *p16 = (volatile uint16_t *)at;
	volatile uint32_t *p32 = (volatile uint32_t *)at;
	volatile uint64_t *p64 = (volatile uint64_t *)at;

	(void)*p8;
	(void)*p16;
	(void)*p32;
	(void)*p64;
	*p8 = 0xff;
	*p16 = 0xffff;
	*p64 = UINT64_MAX;
	__asm__ volatile("orl %%eax, %0; addb $7, %0; xchgl %%eax, %0; testw $9, %0; cmpl %0, %%eax; movzbl %0, %%eax"
			 :
			 : "m"(*p32)
			 : "eax", "memory", "cc");
}

/* The tables of ACPI are read-only: whatever the instruction, a write has no effect, and flags are as if it had. */
static void try_rom(void)
{
	volatile uint64_t *rom = (volatile uint64_t *)ACPI_TABLES;
	uint64_t before = *rom, old = 1;
	bool is_zero;

	*rom = ~before;
	*(volatile uint8_t *)rom = 0;
	__asm__ volatile("xchgq %0, %1" : "+r"(old) : "m"(*rom) : "memory");
	__asm__ volatile("subq %2, %1" : "=@ccz"(is_zero) : "m"(*rom), "r"(before) : "memory", "cc");
	if (*rom != before || old != before || !is_zero)
		print("read-only memory has changed\n");
	else
		print("read-only memory is as before\n");
}

static void try_memory(void)
{
	static const uint64_t places[] = { NOT_RAM, 0xfec00000, 0xfec00010, 0xfed00000, 0xfff00000, 0xfffffff8 };

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		try_address(places[i]);
	try_rom();
	for (uint32_t offset = 0; offset < 0x1000; offset += 4) {
		if (offset == 0x300 || offset == 0x310) /* messages: to oneself that is an NMI or worse */
			continue;
		try_address(LAPIC + offset);
	}
}

static void try_instructions(void)
{
#define EXPECT_FAULT(text, ...)                                                                     \
	do {                                                                                        \
		uint64_t before = faults;                                                           \
		__asm__ volatile("leaq 5f(%%rip), %%rbx; movq %%rbx, %0" : "=m"(resume) : : "rbx"); \
		__asm__ volatile(text "\n5:" : : __VA_ARGS__ : "memory");                           \
		resume = NULL;                                                                      \
		if (faults == before)                                                               \
			print("no fault: " text "\n");                                              \
	} while (0)
	EXPECT_FAULT("vmrun %%rax", "a"(0));
	EXPECT_FAULT("vmload %%rax", "a"(0));
	EXPECT_FAULT("vmsave %%rax", "a"(0));
	EXPECT_FAULT("stgi", "a"(0));
	EXPECT_FAULT("clgi", "a"(0));
	EXPECT_FAULT("skinit %%eax", "a"(0));
	EXPECT_FAULT("invlpga %%rax, %%ecx", "a"(0), "c"(0));
	EXPECT_FAULT("rdpmc", "c"(0));
	EXPECT_FAULT("monitor", "a"(0), "c"(0), "d"(0));
	EXPECT_FAULT("mwait", "a"(0), "c"(0));
	EXPECT_FAULT("vmcall; ud2", "a"(~0ull));
	EXPECT_FAULT("rsm", "a"(0));
	__asm__ volatile("wbinvd");
	__asm__ volatile("invd");
}

/*
 * True for calls that a guest may make with such arguments, but with which it stops itself: it sleeps until an event
 * that never comes, puts its only vCPU down, or prints all its memory.
 */
static bool stops_itself(uint64_t nr, uint64_t op)
{
	return ((nr == SCHED_OP || nr == SCHED_OP_OLD) && op == 1) || (nr == VCPU_OP && op == 2) ||
	       (nr == CONSOLE_IO && op == 0);
}

static void try_hypercalls(void)
{
	static uint8_t buffer[16384] __attribute__((aligned(4096)));
	/* The first ones are good for numbers, but as addresses those of a zero: SCHEDOP_shutdown would power off. */
	const uint64_t values[] = { 0,          1,       0x7fffffff,        UNMAPPED - 4,     UNMAPPED,
				    UINT64_MAX, NOT_RAM, 0x800000000000ull, (uint64_t)buffer, (uint64_t)buffer + 4090 };
	const unsigned n = sizeof(values) / sizeof(values[0]);

	for (uint64_t nr = 0; nr < 64; nr++) {
		for (uint64_t op = 0; op < 48; op++) {
			if (stops_itself(nr, op))
				continue;
			for (unsigned i = nr == SCHED_OP ? 4 : 0; i < n; i++) {
				for (size_t b = 0; b < sizeof(buffer) / 8; b++)
					((volatile uint64_t *)buffer)[b] = UINT64_MAX;
				hypercall(nr, op, values[i], values[(i + op) % n], values[(i + 3) % n]);
			}
		}
		for (unsigned i = 0; i < n; i++)
			hypercall(nr, UINT64_MAX - i, values[i], values[(i + 1) % n], values[(i + 2) % n]);
	}
	for (unsigned i = 0; i < n; i++) {
		hypercall(CONSOLE_IO, 0, values[i], UNMAPPED, 0);
		hypercall(CONSOLE_IO, 0, UINT64_MAX - i, UNMAPPED - i, 0);
	}
	for (uint64_t vcpu = 1; vcpu < 0x100000000ull; vcpu = vcpu * 3 + 1)
		hypercall(VCPU_OP, 2, vcpu, 0, 0);
	for (unsigned bit = 6; bit < 64; bit++) {
		hypercall(1ull << bit, 1, 2, 3, 4);
		hypercall(UINT64_MAX << bit, 1, 2, 3, 4);
	}
}

void hostile(void)
{
	print("cpuid\n");
	try_cpuid();
	print("instructions\n");
	try_instructions();
	print("memory\n");
	try_memory();
	print("msrs\n");
	try_msrs();
	try_x2apic();
	if (has_xen) {
		print("hypercalls\n");
		try_hypercalls();
	}
	print("ports\n");
	try_ports();
	print_number("faults taken: ", faults);
	print("hostile guest is done\n");
}
