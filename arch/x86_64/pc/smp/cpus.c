/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of platform.h that is about CPUs, for an image that uses several. */
#include "arch/x86_64/pc/smp/cpus.h"

#include <stddef.h>

#include <husk/platform.h>

#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/x86.h"

struct pc_processor pc_processors[PC_CPUS];
unsigned pc_nr_processors = 1;
struct pc_cpu *const cpu_boot = &pc_processors[0].cpu;

unsigned plat_cpus(void)
{
	return pc_nr_processors;
}

unsigned plat_cpu(void)
{
	return (unsigned)(pc_processor() - pc_processors);
}

/* --- waiting */

/* Halts with interrupts masked up to the HLT: STI takes effect after the next instruction (Intel SDM 2B, STI). */
static void halt_until_interrupt(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

void plat_wait(const uint32_t *attention)
{
	irq_disable();
	clock_wait();
	if (__atomic_load_n(attention, __ATOMIC_ACQUIRE) == 0)
		halt_until_interrupt();
	else
		irq_enable();
}

static bool is_listening(const struct pc_processor *p, const uint32_t *attention)
{
	return __atomic_load_n(&p->cpu.attention, __ATOMIC_SEQ_CST) == attention;
}

/*
 * Whoever makes the word non-zero tells the CPU. Bits that were there are another one's to tell: the CPU was told, or is
 * about to be, and looks at the word again before it waits or goes on with guest code. So does one that binds the word
 * meanwhile. This CPU need not be told: if it waits, an interrupt is what brought it here.
 */
void plat_kick(uint32_t *attention, uint32_t bits)
{
	if (__atomic_fetch_or(attention, bits, __ATOMIC_SEQ_CST) != 0)
		return;
	for (unsigned i = 0; i < pc_nr_processors; i++) {
		struct pc_processor *p = &pc_processors[i];

		if (is_listening(p, attention) && p != pc_processor())
			apic_send(p->cpu.apic_id, VECTOR_KICK);
	}
}

void plat_cpu_bind(uint32_t *attention)
{
	struct pc_processor *self = pc_processor();
	uint64_t flags = irq_save();
	const uint32_t *before = __atomic_exchange_n(&self->cpu.attention, attention, __ATOMIC_SEQ_CST);

	/* Input from before the binding is told now. */
	if (before == NULL && self == &pc_processors[0])
		__atomic_fetch_or(attention, ATTN_CONSOLE, __ATOMIC_RELEASE);
	irq_restore(flags);
}

/* Without a lock's holder that is not running, none of these waits is long. */
void plat_word_wait(const uint32_t *word, uint32_t expected)
{
	for (unsigned n = 0; n < 100 && __atomic_load_n(word, __ATOMIC_ACQUIRE) == expected; n++)
		cpu_relax();
}

void plat_word_wake(uint32_t *word)
{
	(void)word;
}

/* --- work for other CPUs */

_Noreturn void pc_wait_for_work(struct pc_processor *p)
{
	void (*fn)(void *);

	irq_disable();
	while ((fn = __atomic_load_n(&p->fn, __ATOMIC_ACQUIRE)) == NULL) {
		halt_until_interrupt();
		irq_disable();
	}
	/* Memory for code may have been made since this CPU started: what it knows of the tables is old (SDM 3A, 4.10.4.1). */
	write_cr3(read_cr3());
	irq_enable();
	fn(p->argument);
	for (;;)
		halt_until_interrupt();
}

int plat_cpu_start(unsigned n, void (*fn)(void *argument), void *argument)
{
	struct pc_processor *p = &pc_processors[n];

	p->argument = argument;
	__atomic_store_n(&p->fn, fn, __ATOMIC_RELEASE);
	apic_send(p->cpu.apic_id, VECTOR_KICK);
	return 0;
}
