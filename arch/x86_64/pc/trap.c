/* SPDX-License-Identifier: BSD-2-Clause */
/* Section numbers are of the Intel SDM, volume 3A. */
#include "arch/x86_64/pc/trap.h"

#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/boot.h"
#include "arch/x86_64/pc/clock.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/serial.h"
#include "arch/x86_64/pc/x86.h"

#define PAGE        BOOT_PAGE
#define FAULT_STACK (8u << 10)

/* 8.7: 64-bit TSS. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map_base;
} __attribute__((packed));

/* 6.14.1: 64-bit gate. */
struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

#define GATE_INTERRUPT 0x8eu /* present, DPL 0, interrupts masked */
#define TSS_AVAILABLE  0x89ull

/* boot.S knows the first two members. */
struct stack_area {
	uint8_t guard0[PAGE], main[BOOT_STACK];
	uint8_t guard1[PAGE], double_fault[FAULT_STACK];
	uint8_t guard2[PAGE], nmi[FAULT_STACK];
	uint8_t guard3[PAGE], machine_check[FAULT_STACK];
	uint8_t guard4[PAGE];
} __attribute__((aligned(BOOT_PAGE)));
extern struct stack_area trap_stack_area;
struct stack_area trap_stack_area;

#define GDT_ENTRIES 5u

static struct tss main_tss;
static uint64_t main_gdt[GDT_ENTRIES];
static struct gate idt[256];

struct trap_cpu {
	struct stack_area stacks;
	struct tss tss;
	uint64_t gdt[GDT_ENTRIES];
};

const size_t trap_cpu_size = sizeof(struct trap_cpu);

extern const uint8_t vector_stubs[256][16];

const struct guarded_stack *trap_stacks(size_t *count)
{
	static const struct guarded_stack list[] = {
		{ "main stack", (uint64_t)trap_stack_area.main, BOOT_STACK },
		{ "double fault stack", (uint64_t)trap_stack_area.double_fault, FAULT_STACK },
		{ "NMI stack", (uint64_t)trap_stack_area.nmi, FAULT_STACK },
		{ "machine check stack", (uint64_t)trap_stack_area.machine_check, FAULT_STACK },
	};

	*count = sizeof(list) / sizeof(list[0]);
	return list;
}

void trap_cpu_stacks(const struct trap_cpu *t, struct guarded_stack stacks[TRAP_STACKS])
{
	size_t count;
	const struct guarded_stack *boot = trap_stacks(&count);

	for (size_t i = 0; i < count; i++) {
		stacks[i] = boot[i];
		stacks[i].base += (uint64_t)&t->stacks - (uint64_t)&trap_stack_area;
	}
}

static void load_gdt(uint64_t gdt[GDT_ENTRIES], struct tss *tss, const struct stack_area *stacks)
{
	uint64_t base = (uint64_t)tss;
	const struct table_pointer pointer = { .limit = GDT_ENTRIES * sizeof(*gdt) - 1, .base = (uint64_t)gdt };

	gdt[SELECTOR_CODE / 8] = 0x00af9b000000ffff;
	gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
	/* 8.2.3: a TSS descriptor takes two entries in 64-bit mode. */
	gdt[SELECTOR_TSS / 8] =
		(sizeof(*tss) - 1) | (base & 0xffffff) << 16 | TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
	tss->ist[0] = (uint64_t)(stacks->double_fault + FAULT_STACK);
	tss->ist[1] = (uint64_t)(stacks->nmi + FAULT_STACK);
	tss->ist[2] = (uint64_t)(stacks->machine_check + FAULT_STACK);
	tss->io_map_base = sizeof(*tss);
	__asm__ volatile("lgdt %0" : : "m"(pointer) : "memory");
	__asm__ volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:\t"
			 "mov %1, %%ds\n\tmov %1, %%es\n\tmov %1, %%ss\n\tltr %w2"
			 :
			 : "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(SELECTOR_TSS)
			 : "rax", "memory");
}

static void load_idt(void)
{
	const struct table_pointer pointer = { .limit = sizeof(idt) - 1, .base = (uint64_t)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

static void fill_idt(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t stub = (uint64_t)vector_stubs[i];

		idt[i] = (struct gate){ .offset0 = (uint16_t)stub,
					.selector = SELECTOR_CODE,
					.type = GATE_INTERRUPT,
					.offset1 = (uint16_t)(stub >> 16),
					.offset2 = (uint32_t)(stub >> 32) };
	}
	idt[8].ist = 1;
	idt[2].ist = 2;
	idt[18].ist = 3;
}

void trap_init(void)
{
	load_gdt(main_gdt, &main_tss, &trap_stack_area);
	fill_idt();
	load_idt();
}

void trap_init_cpu(struct trap_cpu *t)
{
	load_gdt(t->gdt, &t->tss, &t->stacks);
	load_idt();
}

static void (*com2_handler)(void);

void trap_set_com2(void (*handler)(void))
{
	com2_handler = handler;
}

static void (*device_handler)(void);

void trap_set_device(void (*handler)(void))
{
	device_handler = handler;
}

/* Runs with interrupts masked, between any two instructions: keep it short, general registers only. */
void trap_dispatch(struct trap_frame *frame)
{
	switch (frame->vector) {
	case VECTOR_NM:
		if (!cpu_fpu_trap())
			fault_report(frame);
		return;
	case VECTOR_TIMER: clock_interrupt(); break;
	case VECTOR_PIC + SERIAL_ISA_IRQ:
	case VECTOR_COM1: serial_interrupt(&serial_com1); break;
	case VECTOR_PIC + SERIAL2_ISA_IRQ:
	case VECTOR_COM2:
		if (com2_handler != NULL)
			com2_handler();
		break;
	case VECTOR_DEVICE:
		if (device_handler != NULL)
			device_handler();
		break;
	default:
		if (frame->vector < VECTOR_PIC)
			fault_report(frame);
		break;
	}
	apic_end_of_interrupt((unsigned)frame->vector);
}
