/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of platform.h that CPUs share or wake each other by, for an image that uses one of them. */
#include <stddef.h>

#include <husk/platform.h>

#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/memory.h"
#include "arch/x86_64/pc/serial.h"
#include "arch/x86_64/pc/x86.h"

static struct pc_cpu cpu;
struct pc_cpu *const cpu_boot = &cpu;

void cpu_start_others(const struct boot_info *boot, const struct acpi_info *acpi)
{
	(void)boot;
	(void)acpi;
}

void cpu_stop_others(void) {}

const struct guarded_stack *cpu_stacks(size_t *count)
{
	return trap_stacks(count);
}

void cpu_console_input(void)
{
	if (cpu.attention != NULL)
		plat_kick(cpu.attention, ATTN_CONSOLE);
}

void plat_cpu_bind(uint32_t *attention)
{
	uint64_t flags = irq_save();

	cpu.attention = attention;
	/* Input from before the binding is told now. */
	__atomic_fetch_or(attention, ATTN_CONSOLE, __ATOMIC_RELEASE);
	irq_restore(flags);
}

void plat_wait(const uint32_t *attention)
{
	irq_disable();
	clock_wait();
	if (__atomic_load_n(attention, __ATOMIC_ACQUIRE) != 0) {
		irq_enable();
		return;
	}
	/* STI takes effect after the next instruction: no interrupt can come between the test and HLT. */
	__asm__ volatile("sti; hlt" : : : "memory");
}

/* If this CPU waits, an interrupt is what brought it here. */
void plat_kick(uint32_t *attention, uint32_t bits)
{
	__atomic_fetch_or(attention, bits, __ATOMIC_RELEASE);
}

void *plat_ram_alloc(size_t bytes, size_t align)
{
	return memory_take(bytes, align);
}

size_t plat_console_read(void *buf, size_t size)
{
	return serial_read(&serial_com1, buf, size);
}

bool plat_console_eof(void)
{
	return false;
}

void plat_console_write(const void *buf, size_t size)
{
	serial_write(&serial_com1, buf, size);
}

void plat_log_write(const void *buf, size_t size)
{
	serial_write_lines(&serial_com1, buf, size);
}
