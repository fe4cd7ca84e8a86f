/* SPDX-License-Identifier: BSD-2-Clause */
/* What several CPUs share: free memory, and the console, on which lines of messages stay whole. */
#include <stddef.h>

#include <husk/platform.h>

#include "arch/x86_64/pc/memory.h"
#include "arch/x86_64/pc/serial.h"
#include "arch/x86_64/pc/smp/cpus.h"
#include "arch/x86_64/pc/x86.h"

/* At the end of the run only one CPU is left, and a lock may never be free again. Returns true if it was taken. */
static bool enter(bool *lock)
{
	while (!pc_is_stopping()) {
		if (!__atomic_exchange_n(lock, true, __ATOMIC_ACQUIRE))
			return true;
		cpu_relax();
	}
	return false;
}

static void leave(bool *lock, bool entered)
{
	if (entered)
		__atomic_store_n(lock, false, __ATOMIC_RELEASE);
}

static bool memory_lock, console_lock;

void *plat_ram_alloc(size_t bytes, size_t align)
{
	bool entered = enter(&memory_lock);
	void *memory = memory_take(bytes, align);

	leave(&memory_lock, entered);
	return memory;
}

void plat_console_write(const void *buf, size_t size)
{
	bool entered = enter(&console_lock);

	serial_write(&serial_com1, buf, size);
	leave(&console_lock, entered);
}

void plat_log_write(const void *buf, size_t size)
{
	bool entered = enter(&console_lock);

	serial_write_lines(&serial_com1, buf, size);
	leave(&console_lock, entered);
}

/* The ring belongs to the boot CPU, which the UART interrupts, and which alone is told of input. */
size_t plat_console_read(void *buf, size_t size)
{
	return pc_processor() == &pc_processors[0] ? serial_read(&serial_com1, buf, size) : 0;
}

bool plat_console_eof(void)
{
	return false;
}

void cpu_console_input(void)
{
	uint32_t *attention = pc_processors[0].cpu.attention;

	if (attention != NULL)
		plat_kick(attention, ATTN_CONSOLE);
}
