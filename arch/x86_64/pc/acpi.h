/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The little of ACPI that husk needs: interrupt routing from the MADT, power
 * control and the PM timer from the FADT, the value of S5 from the DSDT. No AML
 * is executed.
 *
 * Pure: reaches memory through a phys_view only. Every table is checked for
 * length and sum; a bad one is logged and left out.
 */
#ifndef PC_ACPI_H
#define PC_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86_64/pc/boot_info.h"

#define ACPI_MAX_IOAPICS 8u
#define ACPI_MAX_CPUS    32u

#define ACPI_SPACE_MEMORY 0u
#define ACPI_SPACE_IO     1u

/** Generic address (ACPI 6.4, 5.2.3.2); address 0 means that there is no such register. */
struct acpi_register {
	uint8_t space; /**< ACPI_SPACE_MEMORY or ACPI_SPACE_IO */
	uint64_t address;
};

/** An I/O APIC. */
struct acpi_ioapic {
	uint64_t address;
	uint32_t gsi_base; /**< global interrupt number of its first pin */
};

/** What was found. Zero-initialised: nothing. */
struct acpi_info {
	bool hardware_reduced; /**< no fixed hardware: power control by sleep_control */
	uint16_t smi_command;  /**< port that switches to ACPI mode; 0: there is none */
	uint8_t acpi_enable;   /**< value to write there */
	struct acpi_register pm1a_control, pm1b_control, sleep_control, pm_timer;
	bool pm_timer_32; /**< the PM timer has 32 bits, otherwise 24 */
	uint8_t century;  /**< CMOS index of the century, or 0 */
	bool has_s5;
	uint8_t sleep_type_a, sleep_type_b; /**< S5's values for pm1a/pm1b or sleep_control */

	struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
	unsigned nr_ioapics;
	uint32_t cpu_ids[ACPI_MAX_CPUS]; /**< APIC ids of the first of them */
	unsigned nr_cpus;                /**< enabled processors */
	bool com1_overridden;            /**< ISA interrupt 4 has a source override: the next two */
	uint32_t com1_gsi;
	uint16_t com1_flags; /**< MPS INTI flags (ACPI 6.4, 5.2.12.5) */
};

/** Reads the tables that the root pointer (a copy, `size` bytes) leads to. */
void acpi_parse(phys_view *view, const uint8_t *rsdp, size_t size, struct acpi_info *out);

/** Root pointer in the BIOS area (ACPI 6.4, 5.2.5.1) for loaders that tell none. Returns its size or 0. */
size_t acpi_find_rsdp(phys_view *view, uint8_t rsdp[BOOT_RSDP]);

/** Finds `Name (\_S5, Package () {a, b, ...})` in a definition block's AML. Pure search, no execution. */
bool acpi_find_s5(const uint8_t *aml, size_t size, uint8_t *type_a, uint8_t *type_b);

#endif
