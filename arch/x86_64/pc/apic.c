/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local APIC: Intel SDM 3A, chapter 10. I/O APIC: Intel 82093AA data sheet.
 * 8259A: Intel data sheet of that name.
 */
#include "arch/x86_64/pc/apic.h"

#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/pc/memory.h"
#include "arch/x86_64/pc/serial.h"
#include "arch/x86_64/pc/trap.h"
#include "arch/x86_64/pc/x86.h"

/* Table 10-1; the MSR of x2APIC is 0x800 + offset / 16 (10.12.1.2). */
#define LAPIC_ID            0x20u
#define LAPIC_VERSION       0x30u
#define LAPIC_TPR           0x80u
#define LAPIC_EOI           0xb0u
#define LAPIC_SPURIOUS      0xf0u
#define LAPIC_ISR           0x100u
#define LAPIC_ICR_LOW       0x300u
#define LAPIC_ICR_HIGH      0x310u
#define LAPIC_LVT_TIMER     0x320u
#define LAPIC_LVT_THERMAL   0x330u
#define LAPIC_LVT_COUNTERS  0x340u
#define LAPIC_LVT_LINT0     0x350u
#define LAPIC_LVT_LINT1     0x360u
#define LAPIC_LVT_ERROR     0x370u
#define LAPIC_TIMER_INITIAL 0x380u
#define LAPIC_TIMER_CURRENT 0x390u
#define LAPIC_TIMER_DIVIDE  0x3e0u

#define LVT_MASKED         (1u << 16)
#define LVT_TIMER_DEADLINE (2u << 17)
#define LVT_NMI            (4u << 8)
#define LVT_EXTINT         (7u << 8)
#define SPURIOUS_ENABLE    (1u << 8)
#define DIVIDE_BY_1        0xbu
#define ICR_ASSERT         (1u << 14)
#define ICR_PENDING        (1u << 12)

#define BASE_ENABLE  (1u << 11)
#define BASE_X2APIC  (1u << 10)
#define BASE_ADDRESS 0x000ffffffffff000ull

#define CPUID1_EDX_APIC   (1u << 9)
#define CPUID1_ECX_X2APIC (1u << 21)

#define IOAPIC_DEFAULT 0xfec00000ull
#define IOAPIC_SELECT  0x00u
#define IOAPIC_WINDOW  0x10u
#define IOAPIC_VERSION 0x01u
#define IOAPIC_REDIR   0x10u
#define REDIR_MASKED   (1u << 16)
#define REDIR_LEVEL    (1u << 15)
#define REDIR_LOW      (1u << 13)
/* ACPI 6.4, table 5.25: polarity in bits 1:0, trigger in 3:2; 3 is active low or level. */
#define INTI_LOW   3u
#define INTI_LEVEL 12u

#define PIC1 0x20u
#define PIC2 0xa0u

static bool x2apic, com1_by_pic;
static uint64_t lapic_base;
/* Where COM1's interrupt enters, 0 if it is not routed through an I/O APIC. */
static uint64_t com1_ioapic;
static uint32_t com1_pin;
/* The same for COM2, whose interrupt no board is known to move. */
static uint64_t com2_ioapic;
static uint32_t com2_pin;

static uint32_t lapic_read(uint32_t reg)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : mmio_read32(lapic_base + reg);
}

static void lapic_write(uint32_t reg, uint32_t value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + reg / 16, value);
	else
		mmio_write32(lapic_base + reg, value);
}

/* --- 8259s: edge triggered, vectors from VECTOR_PIC on, all inputs masked but those in `open` */

static void pic_init(uint8_t open)
{
	out8(PIC1, 0x11);
	out8(PIC2, 0x11);
	out8(PIC1 + 1, VECTOR_PIC);
	out8(PIC2 + 1, VECTOR_PIC + 8);
	out8(PIC1 + 1, 4);
	out8(PIC2 + 1, 2);
	out8(PIC1 + 1, 1);
	out8(PIC2 + 1, 1);
	out8(PIC1 + 1, (uint8_t)~open);
	out8(PIC2 + 1, 0xff);
}

/* --- I/O APICs */

static uint32_t ioapic_read(uint64_t base, uint32_t reg)
{
	mmio_write32(base + IOAPIC_SELECT, reg);
	return mmio_read32(base + IOAPIC_WINDOW);
}

static void ioapic_write(uint64_t base, uint32_t reg, uint32_t value)
{
	mmio_write32(base + IOAPIC_SELECT, reg);
	mmio_write32(base + IOAPIC_WINDOW, value);
}

/* Number of pins, or 0 if nothing answers there. */
static uint32_t ioapic_open(uint64_t base)
{
	uint32_t version;

	if ((base & 0xff) != 0 || memory_map_device(base) != 0) {
		log_warn("no I/O APIC can be at 0x%llx", (unsigned long long)base);
		return 0;
	}
	version = ioapic_read(base, IOAPIC_VERSION);
	if (version == 0 || version == UINT32_MAX)
		return 0;
	return (version >> 16 & 0xff) + 1;
}

/* Masks all pins and notes COM1's, if it is one of them. */
static void ioapic_init(uint64_t base, uint32_t gsi_base, uint32_t com1_gsi)
{
	uint32_t pins = ioapic_open(base);

	for (uint32_t pin = 0; pin < pins; pin++)
		ioapic_write(base, IOAPIC_REDIR + 2 * pin, REDIR_MASKED);
	if (com1_gsi - gsi_base < pins) {
		com1_ioapic = base;
		com1_pin = com1_gsi - gsi_base;
	}
	if (SERIAL2_ISA_IRQ - gsi_base < pins) {
		com2_ioapic = base;
		com2_pin = SERIAL2_ISA_IRQ - gsi_base;
	}
}

static void ioapics_init(const struct acpi_info *acpi)
{
	uint32_t gsi = acpi->com1_overridden ? acpi->com1_gsi : SERIAL_ISA_IRQ;

	if (acpi->nr_ioapics == 0)
		ioapic_init(IOAPIC_DEFAULT, 0, gsi);
	for (unsigned i = 0; i < acpi->nr_ioapics; i++)
		ioapic_init(acpi->ioapics[i].address, acpi->ioapics[i].gsi_base, gsi);
}

bool apic_route_com1(const struct acpi_info *acpi)
{
	uint32_t low = VECTOR_COM1;

	if (com1_ioapic == 0)
		return false;
	if (acpi->com1_overridden && (acpi->com1_flags & INTI_LOW) == INTI_LOW)
		low |= REDIR_LOW;
	if (acpi->com1_overridden && (acpi->com1_flags & INTI_LEVEL) == INTI_LEVEL)
		low |= REDIR_LEVEL;
	ioapic_write(com1_ioapic, IOAPIC_REDIR + 2 * com1_pin + 1, apic_id() << 24);
	ioapic_write(com1_ioapic, IOAPIC_REDIR + 2 * com1_pin, low);
	return true;
}

void apic_route_com1_by_pic(void)
{
	com1_by_pic = true;
	pic_init(1u << SERIAL_ISA_IRQ);
	lapic_write(LAPIC_LVT_LINT0, LVT_EXTINT);
}

bool apic_route_com2(void)
{
	if (com1_by_pic) {
		pic_init(1u << SERIAL_ISA_IRQ | 1u << SERIAL2_ISA_IRQ);
		return true;
	}
	if (com2_ioapic == 0)
		return false;
	ioapic_write(com2_ioapic, IOAPIC_REDIR + 2 * com2_pin + 1, apic_id() << 24);
	ioapic_write(com2_ioapic, IOAPIC_REDIR + 2 * com2_pin, VECTOR_COM2);
	return true;
}

void apic_unroute_com1(void)
{
	if (com1_ioapic != 0)
		ioapic_write(com1_ioapic, IOAPIC_REDIR + 2 * com1_pin, REDIR_MASKED);
	if (com1_by_pic)
		pic_init(0);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
	com1_by_pic = false;
}

/* --- local APIC */

static void lapic_open(void)
{
	struct cpuid features = cpuid(1, 0);
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if ((features.edx & CPUID1_EDX_APIC) == 0) {
		log_error("this CPU has no local APIC");
		plat_exit(HUSK_EXIT_HOST);
	}
	base |= BASE_ENABLE;
	wrmsr(MSR_APIC_BASE, base);
	/* Enabled first, then switched: figure 10-27. */
	x2apic = (features.ecx & CPUID1_ECX_X2APIC) != 0;
	if (x2apic) {
		wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
		return;
	}
	lapic_base = base & BASE_ADDRESS;
	if (memory_map_device(lapic_base) != 0) {
		log_error("the local APIC cannot be mapped at 0x%llx", (unsigned long long)lapic_base);
		plat_exit(HUSK_EXIT_HOST);
	}
}

void apic_init_cpu(void)
{
	uint32_t entries;

	lapic_open();
	entries = (lapic_read(LAPIC_VERSION) >> 16 & 0xff) + 1;
	lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
	lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
	if (entries >= 5)
		lapic_write(LAPIC_LVT_COUNTERS, LVT_MASKED);
	if (entries >= 6)
		lapic_write(LAPIC_LVT_THERMAL, LVT_MASKED);
}

void apic_init(const struct acpi_info *acpi)
{
	pic_init(0);
	apic_init_cpu();
	ioapics_init(acpi);
}

uint32_t apic_id(void)
{
	return x2apic ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
}

bool apic_is_x2(void)
{
	return x2apic;
}

void apic_send(uint32_t id, unsigned message)
{
	uint64_t flags;

	if (x2apic) {
		/* 10.12.9: one MSR; WRMSR to it does not order earlier stores (10.12.3). */
		__asm__ volatile("mfence; lfence" : : : "memory");
		wrmsr(MSR_X2APIC + LAPIC_ICR_LOW / 16, (uint64_t)id << 32 | ICR_ASSERT | message);
		return;
	}
	flags = irq_save();
	while ((lapic_read(LAPIC_ICR_LOW) & ICR_PENDING) != 0)
		cpu_relax();
	lapic_write(LAPIC_ICR_HIGH, id << 24);
	lapic_write(LAPIC_ICR_LOW, ICR_ASSERT | message);
	irq_restore(flags);
}

void apic_end_of_interrupt(unsigned vector)
{
	if (vector >= VECTOR_PIC && vector < VECTOR_PIC + 8 && com1_by_pic) {
		/* OCW2: specific end of interrupt. A spurious one (input 7) has none. */
		if (vector != VECTOR_PIC + 7)
			out8(PIC1, (uint8_t)(0x60 | (vector - VECTOR_PIC)));
		return;
	}
	/* Only what is in service: a spurious vector and those of the 8259s are not (10.9). */
	if ((vector >= VECTOR_TIMER && vector <= VECTOR_LAST) ||
	    (lapic_read(LAPIC_ISR + vector / 32 * 16) >> (vector % 32) & 1) != 0)
		lapic_write(LAPIC_EOI, 0);
}

void apic_timer_calibrate(void)
{
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
}

uint32_t apic_timer_left(void)
{
	return lapic_read(LAPIC_TIMER_CURRENT);
}

void apic_timer_start(uint32_t count)
{
	lapic_write(LAPIC_LVT_TIMER, count != 0 ? VECTOR_TIMER : LVT_MASKED | VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_INITIAL, count);
}

void apic_timer_use_deadline(void)
{
	lapic_write(LAPIC_LVT_TIMER, LVT_TIMER_DEADLINE | VECTOR_TIMER);
	/* 10.5.4.1: orders a write to memory-mapped registers before the MSR's. */
	__asm__ volatile("mfence" : : : "memory");
}
