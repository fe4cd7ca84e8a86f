/* SPDX-License-Identifier: BSD-2-Clause */
/* Section numbers are of the ACPI Specification 6.4. */
#include "arch/x86_64/pc/power.h"

#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/memory.h"
#include "arch/x86_64/pc/serial.h"
#include "arch/x86_64/pc/x86.h"

/* 4.8.3.2.1: PM1 control; 4.8.3.7: sleep control */
#define PM1_SCI_EN      (1u << 0)
#define PM1_SLEEP_TYPE  10u
#define PM1_SLEEP_MASK  (7u << 10)
#define PM1_SLEEP_START (1u << 13)
#define SLEEP_TYPE      2u
#define SLEEP_START     (1u << 5)

/* QEMU's isa-debug-exit, given iobase=0xf4: ends QEMU with status value << 1 | 1. */
#define DEBUG_EXIT 0xf4u

static struct acpi_info acpi;

void power_init(const struct acpi_info *info)
{
	acpi = *info;
	/* Map it now: at the end there may be no memory left for a table. */
	if (acpi.sleep_control.space == ACPI_SPACE_MEMORY && acpi.sleep_control.address != 0 &&
	    memory_map_device(acpi.sleep_control.address) != 0) {
		log_warn("ACPI: no sleep control register can be at 0x%llx",
			 (unsigned long long)acpi.sleep_control.address);
		acpi.sleep_control.address = 0;
	}
}

/* The port of a PM1 control register, 0 if there is none. Memory-mapped ones exist on paper only. */
static uint16_t pm1_port(const struct acpi_register *r)
{
	return r->space == ACPI_SPACE_IO ? (uint16_t)r->address : 0;
}

/* 16.3.2: firmware that starts in legacy mode has to be told that ACPI takes over. */
static void enter_acpi_mode(uint16_t pm1a)
{
	if (acpi.smi_command == 0 || acpi.acpi_enable == 0 || (in16(pm1a) & PM1_SCI_EN) != 0)
		return;
	out8(acpi.smi_command, acpi.acpi_enable);
	for (unsigned n = 0; n < 1000000 && (in16(pm1a) & PM1_SCI_EN) == 0; n++)
		cpu_relax();
}

static void pm1_sleep(uint16_t port, uint8_t type)
{
	uint32_t value = in16(port) & ~(PM1_SLEEP_MASK | PM1_SLEEP_START);

	value |= (uint32_t)type << PM1_SLEEP_TYPE | PM1_SLEEP_START;
	out16(port, (uint16_t)value);
}

/* 16.1.7 */
static void enter_s5(void)
{
	uint8_t value = (uint8_t)(acpi.sleep_type_a << SLEEP_TYPE | SLEEP_START);
	uint16_t pm1a = pm1_port(&acpi.pm1a_control), pm1b = pm1_port(&acpi.pm1b_control);

	if (!acpi.has_s5)
		return;
	if (pm1a != 0) {
		enter_acpi_mode(pm1a);
		if (pm1b != 0)
			pm1_sleep(pm1b, acpi.sleep_type_b);
		pm1_sleep(pm1a, acpi.sleep_type_a);
	} else if (acpi.sleep_control.address != 0) {
		if (acpi.sleep_control.space == ACPI_SPACE_IO)
			out8((uint16_t)acpi.sleep_control.address, value);
		else
			*(volatile uint8_t *)acpi.sleep_control.address = value;
	}
}

_Noreturn void plat_exit(enum husk_exit status)
{
	static const char halted[] = "husk: halted\n";

	irq_disable();
	cpu_stop_others();
	if (serial_overruns(&serial_com1) != 0)
		log_warn("COM1 lost input %llu times", (unsigned long long)serial_overruns(&serial_com1));
	serial_drain(&serial_com1);
	if (status != HUSK_EXIT_OK)
		out8(DEBUG_EXIT, (uint8_t)status);
	enter_s5();
	/* Switching off may take a moment. */
	for (unsigned n = 0; n < 1000000; n++)
		in8(0x80);
	plat_log_write(halted, sizeof(halted) - 1);
	serial_drain(&serial_com1);
	for (;;)
		__asm__ volatile("hlt");
}
