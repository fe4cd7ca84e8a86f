/* SPDX-License-Identifier: BSD-2-Clause */
/* Start of host pc: from the boot loader's tables to husk_main(). */
#include <stddef.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/platform.h>
#include <husk/vm.h>

#include "arch/x86_64/pc/acpi.h"
#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/boot.h"
#include "arch/x86_64/pc/boot_info.h"
#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/memory.h"
#include "arch/x86_64/pc/power.h"
#include "arch/x86_64/pc/serial.h"
#include "arch/x86_64/pc/trap.h"
#include "arch/x86_64/pc/x86.h"

const char plat_name[] = "pc";

static struct boot_info boot;
static struct acpi_info acpi;
static const char *console_route = "none";

static void read_boot_info(uint32_t protocol, uint32_t structure)
{
	int err = -1;

	if (protocol == BOOT_PVH)
		err = pvh_parse(memory_early_view, structure, &boot);
	else if (protocol == BOOT_MULTIBOOT2)
		err = multiboot2_parse(memory_early_view, structure, &boot);
	if (err != 0 || boot.nr_regions == 0) {
		log_error("the boot loader gave no memory map: husk boots by PVH (version 1) or Multiboot2 "
			  "(entered with 0x%x, 0x%x)",
			  (unsigned)protocol, (unsigned)structure);
		plat_exit(HUSK_EXIT_HOST);
	}
	if (boot.rsdp_size == 0)
		boot.rsdp_size = acpi_find_rsdp(memory_early_view, boot.rsdp);
}

static void poll_console(void)
{
	serial_interrupt(&serial_com1);
}

/* The ways an interrupt of COM1 may get here are tried, because tables and reality differ. */
static void route_console(void)
{
	if (!serial_present(&serial_com1))
		return;
	console_route = "I/O APIC";
	if (apic_route_com1(&acpi) && serial_try_interrupt(&serial_com1))
		return;
	apic_unroute_com1();
	console_route = "8259";
	apic_route_com1_by_pic();
	if (serial_try_interrupt(&serial_com1))
		return;
	apic_unroute_com1();
	console_route = "polling";
	clock_poll(poll_console);
}

_Noreturn void pc_main(uint32_t protocol, uint32_t structure)
{
	cpu_init(cpu_boot);
	trap_init();
	serial_init(&serial_com1, SERIAL_COM1, cpu_console_input);
	read_boot_info(protocol, structure);
	acpi_parse(memory_early_view, boot.rsdp, boot.rsdp_size, &acpi);
	memory_init(&boot);
	power_init(&acpi);
	apic_init(&acpi);
	cpu_this()->apic_id = apic_id();
	clock_init(&acpi);
	cpu_start_others(&boot, &acpi);
	irq_enable();
	route_console();
	plat_exit(husk_main());
}

const char *plat_command_line(void)
{
	return boot.command_line;
}

static int attach(struct vm *vm)
{
	struct clock_facts c = clock_facts();

	(void)vm;
	log_debug("pc: booted by %s, %llu MiB free, %u CPUs, ACPI %s", boot.protocol,
		  (unsigned long long)(plat_pages_free() >> 20), acpi.nr_cpus, acpi.has_s5 ? "with S5" : "without S5");
	log_debug("pc: TSC %llu kHz by %s, %sAPIC timer %s %llu kHz", (unsigned long long)(c.tsc_hz / 1000), c.source,
		  apic_is_x2() ? "x2" : "", c.timer_hz == 0 ? "in TSC-deadline mode," : "at",
		  (unsigned long long)((c.timer_hz == 0 ? c.tsc_hz : c.timer_hz) / 1000));
	log_debug("pc: COM1 interrupt by %s", console_route);
	return 0;
}

HUSK_FEATURE(host_pc) = {
	.name = "host-pc",
	.purpose = "bare x86-64 computer or virtual machine, booted by PVH or Multiboot2",
	.level = FEATURE_HOST,
	.attach = attach,
};
