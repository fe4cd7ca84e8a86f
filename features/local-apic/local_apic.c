/* SPDX-License-Identifier: BSD-2-Clause */
/* Section, figure and table numbers are of the Intel SDM, volume 3A, chapter 10 (APIC). */
#include "features/local-apic/local_apic.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/platform.h>
#include <husk/vm.h>

#include "arch/x86_64/hvm/hvm.h"

/* Registers, in units of 16 bytes: offset / 16, or MSR - 0x800 (tables 10-1, 10-6) */
enum {
	REG_ID = 0x02,
	REG_VERSION = 0x03,
	REG_TPR = 0x08,
	REG_PPR = 0x0a,
	REG_EOI = 0x0b,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SVR = 0x0f,
	REG_ISR = 0x10,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_ICR_LOW = 0x30,
	REG_ICR_HIGH = 0x31,
	REG_LVT = 0x32,
	REG_TIMER_INITIAL = 0x38,
	REG_TIMER_CURRENT = 0x39,
	REG_TIMER_DIVIDE = 0x3e,
	REG_SELF_IPI = 0x3f,
};

#define VERSION ((LOCAL_APIC_LVTS - 1) << 16 | 0x14u) /* figure 10-7 */

#define MSR_APIC_BASE    0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC       0x800u
#define X2APIC_MSRS      0x40u
#define BASE_BSP         (1u << 8) /* figure 10-26 */
#define BASE_X2APIC      (1u << 10)
#define BASE_ENABLE      (1u << 11)

#define LVT_TIMER      0u
#define LVT_ERROR      5u
#define LVT_MASKED     (1u << 16)
#define LVT_BITS       0x0001f7ffu /* figure 10-8 */
#define TIMER_BITS     0x000700ffu
#define TIMER_MODE     (3u << 17)
#define TIMER_ONCE     (0u << 17)
#define TIMER_EVERY    (1u << 17)
#define TIMER_TSC      (2u << 17)
#define SVR_ENABLE     (1u << 8)
#define ERROR_SEND     (1u << 5) /* figure 10-9: illegal vector sent, received, register */
#define ERROR_RECEIVE  (1u << 6)
#define ERROR_REGISTER (1u << 7)

#define SHORTHAND_NONE 0u
#define SHORTHAND_SELF 1u
#define SHORTHAND_ALL  2u

#define CPUID1_EDX_APIC     (1u << 9)
#define CPUID1_ECX_X2APIC   (1u << 21)
#define CPUID1_ECX_DEADLINE (1u << 24)

#define NS_PER_S 1000000000u

static struct local_apic *of_device(struct device *dev)
{
	return (struct local_apic *)((char *)dev - offsetof(struct local_apic, dev));
}

static struct local_apic *of_source(const struct x86_interrupts *source)
{
	return (struct local_apic *)((uintptr_t)source - offsetof(struct local_apic, source));
}

struct local_apic *local_apic_of(struct vcpu *v)
{
	return x86_cpu(v)->apic;
}

static bool is_x2(const struct local_apic *a)
{
	return (a->base & BASE_X2APIC) != 0;
}

static bool is_enabled(const struct local_apic *a)
{
	return (a->base & BASE_ENABLE) != 0 && (a->spurious & SVR_ENABLE) != 0;
}

/* --- vectors */

static bool has_bit(const uint32_t bits[8], unsigned n)
{
	return (bits[n / 32] >> n % 32 & 1) != 0;
}

static void set_bit(uint32_t bits[8], unsigned n, bool on)
{
	if (on)
		bits[n / 32] |= 1u << n % 32;
	else
		bits[n / 32] &= ~(1u << n % 32);
}

/* Highest bit, or -1. */
static int highest(const uint32_t bits[8])
{
	for (int i = 7; i >= 0; i--) {
		if (bits[i] != 0)
			return 32 * i + 31 - __builtin_clz(bits[i]);
	}
	return -1;
}

/* CR8 is the upper half of TPR (10.8.6); its lower half has no effect on interrupts and is not kept. */
static uint32_t task_priority(const struct local_apic *a)
{
	return (uint32_t)a->cpu->hvm->get(a->cpu, X86_CR8) << 4;
}

/* 10.8.3.1 */
static uint32_t processor_priority(const struct local_apic *a)
{
	uint32_t task = task_priority(a);
	int serviced = highest(a->service);

	return serviced >= 0 && (uint32_t)serviced >> 4 >= task >> 4 ? (uint32_t)serviced & 0xf0 : task;
}

static void kick(const struct local_apic *a)
{
	vcpu_kick(&a->cpu->vcpu, ATTN_IRQ);
}

static void local_error(struct local_apic *a, uint32_t error)
{
	uint32_t lvt = a->lvt[LVT_ERROR];

	a->errors |= error;
	if ((lvt & LVT_MASKED) == 0 && (lvt & 0xff) >= 16)
		local_apic_raise_own(a, (uint8_t)lvt, false);
}

void local_apic_raise_own(struct local_apic *a, uint8_t vector, bool level)
{
	if (vector < 16) { /* 10.5.2 */
		a->errors |= ERROR_RECEIVE;
		return;
	}
	/* A kernel that sets up its APIC and finds requests already there tries to get rid of them. */
	if (!is_enabled(a)) {
		set_bit(a->early, vector, true);
		return;
	}
	set_bit(a->level, vector, level);
	set_bit(a->request, vector, true);
	kick(a);
}

static void take_early(struct local_apic *a)
{
	for (unsigned i = 0; i < 8; i++) {
		a->request[i] |= a->early[i];
		a->early[i] = 0;
	}
}

/* The task priority is for the CPU to judge, which can be asked to tell when it falls. */
static int pending(struct x86_interrupts *source)
{
	const struct local_apic *a = of_source(source);
	int vector = highest(a->request), serviced = highest(a->service);

	if (vector < 0 || !is_enabled(a))
		return -1;
	return serviced >= 0 && vector >> 4 <= serviced >> 4 ? -1 : vector;
}

static void accepted(struct x86_interrupts *source, uint8_t vector)
{
	struct local_apic *a = of_source(source);

	set_bit(a->request, vector, false);
	set_bit(a->service, vector, true);
}

static void end_of_interrupt(struct local_apic *a)
{
	int vector = highest(a->service);

	if (vector < 0)
		return;
	set_bit(a->service, (unsigned)vector, false);
	if (!has_bit(a->level, (unsigned)vector) || a->eoi == NULL)
		return;
	/* An MSR may have brought us here, which no lock is held for. */
	vm_lock(a->cpu->vcpu.vm);
	a->eoi(a->eoi_ctx, (uint8_t)vector);
	vm_unlock(a->cpu->vcpu.vm);
}

/* --- messages */

/* 10.6.2.2: flat or cluster model; 10.12.10.2: in x2APIC mode, cluster and bit follow from the id. */
static bool is_logical_match(const struct local_apic *a, uint32_t destination)
{
	uint32_t id = a->cpu->vcpu.id;

	if (is_x2(a))
		return destination >> 16 == id >> 4 && (destination >> (id & 15) & 1) != 0;
	if (a->format >> 28 == 0xf)
		return (destination & a->logical >> 24) != 0;
	return (destination >> 4 & 15) == a->logical >> 28 && (destination & a->logical >> 24 & 15) != 0;
}

static bool is_match(const struct local_apic *a, const struct local_apic_message *m)
{
	uint32_t all = is_x2(a) ? UINT32_MAX : 0xff;

	if (m->destination == all)
		return true;
	return m->logical ? is_logical_match(a, m->destination) : m->destination == a->cpu->vcpu.id;
}

void local_apic_receive_own(struct local_apic *a, const struct local_apic_message *m)
{
	switch (m->delivery) {
	case LOCAL_APIC_FIXED:
	case LOCAL_APIC_LOWEST:
		if (is_enabled(a)) /* 10.4.7.2 */
			local_apic_raise_own(a, m->vector, m->level);
		break;
	case LOCAL_APIC_NMI:
		a->cpu->nmi_pending = true;
		kick(a);
		break;
	default: log_debug("local APIC %u: message of delivery mode %u ignored", a->cpu->vcpu.id, m->delivery); break;
	}
}

void local_apic_send(struct vm *vm, const struct local_apic_message *m)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct local_apic *a = local_apic_of(vm->vcpus[i]);

		if (a == NULL || !is_match(a, m))
			continue;
		local_apic_receive(a, m);
		if (m->delivery == LOCAL_APIC_LOWEST)
			return;
	}
}

/* Figure 10-12 */
static void send_command(struct local_apic *a)
{
	uint32_t low = a->command_low, shorthand = low >> 18 & 3;
	struct local_apic_message m = { .destination = is_x2(a) ? a->command_high : a->command_high >> 24,
					.logical = (low >> 11 & 1) != 0,
					.delivery = low >> 8 & 7,
					.vector = (uint8_t)low };
	struct vm *vm = a->cpu->vcpu.vm;

	if (m.delivery <= LOCAL_APIC_LOWEST && m.vector < 16) {
		local_error(a, ERROR_SEND);
		return;
	}
	if (shorthand == SHORTHAND_NONE) {
		local_apic_send(vm, &m);
		return;
	}
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct local_apic *to = local_apic_of(vm->vcpus[i]);

		if (to != NULL && (to == a ? shorthand != 3 : shorthand != SHORTHAND_SELF))
			local_apic_receive(to, &m);
	}
}

/* --- timer */

/* Ticks of the timer's clock, a nanosecond each. */
static uint64_t clock_now(struct local_apic *a)
{
	return a->cpu->vcpu.vm->timer->read(&a->counter);
}

/* Figure 10-10: bits 3, 1 and 0; 7 divides by 1. */
static unsigned divide_shift(const struct local_apic *a)
{
	return ((a->divide & 3) + (a->divide >> 1 & 4) + 1) & 7;
}

static void arm(struct local_apic *a, uint64_t at)
{
	a->cpu->vcpu.vm->timer->set_compare(&a->counter, at);
}

static uint32_t timer_mode(const struct local_apic *a)
{
	return a->lvt[LVT_TIMER] & TIMER_MODE;
}

static uint64_t period(const struct local_apic *a)
{
	return (uint64_t)a->initial << divide_shift(a);
}

static void timer_fired(struct guest_counter *counter)
{
	struct local_apic *a = (struct local_apic *)((char *)counter - offsetof(struct local_apic, counter));
	uint32_t lvt = a->lvt[LVT_TIMER];

	if (timer_mode(a) == TIMER_TSC)
		a->deadline = 0;
	if ((lvt & LVT_MASKED) == 0)
		local_apic_raise_own(a, (uint8_t)lvt, false);
	if (timer_mode(a) != TIMER_EVERY || a->initial == 0)
		return;
	/* A guest that was not run for long gets one, not all that it missed. */
	uint64_t now = guest_counter_ticks(counter), passed = now - a->started;
	a->started += passed / period(a) * period(a);
	arm(a, a->started + period(a));
}

static void write_initial(struct local_apic *a, uint32_t value)
{
	if (timer_mode(a) == TIMER_TSC) /* 10.5.4.1 */
		return;
	a->initial = value;
	a->started = clock_now(a);
	arm(a, value == 0 ? TIMER_NEVER : a->started + period(a));
}

static uint32_t read_current(struct local_apic *a)
{
	uint64_t passed;

	if (timer_mode(a) == TIMER_TSC || a->initial == 0)
		return 0;
	passed = (clock_now(a) - a->started) >> divide_shift(a);
	if (timer_mode(a) == TIMER_EVERY)
		passed %= a->initial;
	return passed < a->initial ? a->initial - (uint32_t)passed : 0;
}

/* 10.5.4.1: a deadline in the past fires at once, 0 disarms. */
static void write_deadline(struct local_apic *a, uint64_t tsc)
{
	struct plat_time_scale s;
	uint64_t now = clock_now(a), tsc_now = plat_counter();

	if (timer_mode(a) != TIMER_TSC || !plat_time_scale(&s))
		return;
	a->deadline = tsc;
	if (tsc == 0)
		arm(a, TIMER_NEVER);
	else if (tsc <= tsc_now)
		arm(a, now);
	else
		arm(a, now + (uint64_t)((unsigned __int128)(tsc - tsc_now) * s.ns_per_tick >> 32) + 1);
}

static void write_lvt(struct local_apic *a, unsigned n, uint32_t value)
{
	uint32_t before = timer_mode(a);

	a->lvt[n] = value & (n == LVT_TIMER ? TIMER_BITS : LVT_BITS);
	if ((a->spurious & SVR_ENABLE) == 0)
		a->lvt[n] |= LVT_MASKED;
	/* 10.5.4.1: changing to or from TSC-deadline mode disarms. */
	if (n == LVT_TIMER && before != timer_mode(a) && (before == TIMER_TSC || timer_mode(a) == TIMER_TSC)) {
		a->initial = 0;
		a->deadline = 0;
		arm(a, TIMER_NEVER);
	}
}

/* --- registers */

static void write_spurious(struct local_apic *a, uint32_t value)
{
	a->spurious = value & 0x1ff;
	if ((value & SVR_ENABLE) != 0) {
		take_early(a);
		return;
	}
	for (unsigned i = 0; i < LOCAL_APIC_LVTS; i++) /* 10.4.7.2 */
		a->lvt[i] |= LVT_MASKED;
}

static uint32_t logical_id(const struct local_apic *a)
{
	uint32_t id = a->cpu->vcpu.id;

	return is_x2(a) ? (id >> 4) << 16 | 1u << (id & 15) : a->logical;
}

/* False: there is no such register. */
static bool read_register(struct local_apic *a, unsigned reg, uint32_t *value)
{
	if (reg >= REG_ISR && reg < REG_ESR) {
		const uint32_t *bits = reg < REG_TMR ? a->service : reg < REG_IRR ? a->level : a->request;

		*value = bits[reg % 8];
		return true;
	}
	if (reg >= REG_LVT && reg < REG_LVT + LOCAL_APIC_LVTS) {
		*value = a->lvt[reg - REG_LVT];
		return true;
	}
	switch (reg) {
	case REG_ID: *value = is_x2(a) ? a->cpu->vcpu.id : a->cpu->vcpu.id << 24; break;
	case REG_VERSION: *value = VERSION; break;
	case REG_TPR: *value = task_priority(a); break;
	case REG_PPR: *value = processor_priority(a); break;
	case REG_LDR: *value = logical_id(a); break;
	case REG_DFR: *value = a->format; break;
	case REG_SVR: *value = a->spurious; break;
	case REG_ESR: *value = a->error_latch; break;
	case REG_ICR_LOW: *value = a->command_low; break;
	case REG_ICR_HIGH: *value = a->command_high; break;
	case REG_TIMER_INITIAL: *value = a->initial; break;
	case REG_TIMER_CURRENT: *value = read_current(a); break;
	case REG_TIMER_DIVIDE: *value = a->divide; break;
	default: return false;
	}
	return true;
}

static bool write_register(struct local_apic *a, unsigned reg, uint32_t value)
{
	if (reg >= REG_LVT && reg < REG_LVT + LOCAL_APIC_LVTS) {
		write_lvt(a, reg - REG_LVT, value);
		return true;
	}
	switch (reg) {
	case REG_TPR: a->cpu->hvm->set(a->cpu, X86_CR8, value >> 4 & 15); break;
	case REG_EOI: end_of_interrupt(a); break;
	case REG_LDR: a->logical = value & 0xff000000u; break;
	case REG_DFR: a->format = value | 0x0fffffffu; break;
	case REG_SVR: write_spurious(a, value); break;
	case REG_ESR: /* 10.5.3: a write makes what has happened readable */
		a->error_latch = a->errors;
		a->errors = 0;
		break;
	case REG_ICR_HIGH: a->command_high = value; break;
	case REG_ICR_LOW:
		a->command_low = value & 0x000ccfffu;
		send_command(a);
		break;
	case REG_TIMER_INITIAL: write_initial(a, value); break;
	case REG_TIMER_DIVIDE: a->divide = value & 0xb; break;
	default: return false;
	}
	return true;
}

/* 10.4.1: registers are 32 bits at multiples of 16 bytes; other accesses are undefined. */
static uint64_t device_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct local_apic *a = of_device(dev);
	uint32_t value = 0;

	if (offset % 16 + size > 4 || !read_register(a, (unsigned)offset / 16, &value))
		local_error(a, ERROR_REGISTER);
	return value >> 8 * (offset % 4);
}

static void device_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct local_apic *a = of_device(dev);

	if (offset % 16 != 0 || size != 4 || !write_register(a, (unsigned)offset / 16, (uint32_t)value))
		local_error(a, ERROR_REGISTER);
}

/* The window is there in xAPIC mode only. */
static void place(struct local_apic *a)
{
	bool mapped = (a->base & (BASE_ENABLE | BASE_X2APIC)) == BASE_ENABLE;

	a->extension.device = mapped ? &a->dev : NULL;
	a->dev.base = LOCAL_APIC_BASE;
	a->dev.size = LOCAL_APIC_SIZE;
}

static void clear(struct local_apic *a)
{
	a->logical = a->errors = a->error_latch = a->command_low = a->command_high = 0;
	a->format = UINT32_MAX;
	a->spurious = 0xff;
	memset(a->early, 0, sizeof(a->early));
	memset(a->request, 0, sizeof(a->request));
	memset(a->service, 0, sizeof(a->service));
	memset(a->level, 0, sizeof(a->level));
	for (unsigned i = 0; i < LOCAL_APIC_LVTS; i++)
		a->lvt[i] = LVT_MASKED;
	a->divide = a->initial = 0;
	a->deadline = 0;
	a->cpu->vcpu.vm->timer->start(&a->counter);
}

/* 10.4.4, 10.12.5: no way from x2APIC to xAPIC but through off; the address is fixed. */
static enum x86_msr_result write_base(struct local_apic *a, uint64_t value)
{
	uint64_t mode = value & (BASE_ENABLE | BASE_X2APIC), before = a->base & (BASE_ENABLE | BASE_X2APIC);

	if ((value & ~(uint64_t)(BASE_ENABLE | BASE_X2APIC | BASE_BSP)) != LOCAL_APIC_BASE || mode == BASE_X2APIC)
		return X86_MSR_FAULT;
	if ((before == (BASE_ENABLE | BASE_X2APIC) && mode == BASE_ENABLE) ||
	    (before == 0 && (mode & BASE_X2APIC) != 0))
		return X86_MSR_FAULT;
	a->base = (value & ~(uint64_t)BASE_BSP) | (a->base & BASE_BSP);
	if (mode == 0)
		clear(a);
	place(a);
	return X86_MSR_DONE;
}

/* --- MSRs */

static struct local_apic *of_extension(struct x86_extension *x)
{
	return (struct local_apic *)x;
}

static bool is_x2apic_msr(uint32_t msr)
{
	return msr - MSR_X2APIC < X2APIC_MSRS;
}

/* Table 10-6: no DFR, one ICR of 64 bits, EOI and SELF IPI only written. */
static enum x86_msr_result x2_read(struct local_apic *a, unsigned reg, uint64_t *value)
{
	uint32_t low;

	if (!is_x2(a) || reg == REG_DFR || reg == REG_ICR_HIGH || !read_register(a, reg, &low))
		return X86_MSR_FAULT;
	*value = reg == REG_ICR_LOW ? (uint64_t)a->command_high << 32 | low : low;
	return X86_MSR_DONE;
}

static enum x86_msr_result x2_write(struct local_apic *a, unsigned reg, uint64_t value)
{
	if (!is_x2(a) || reg == REG_DFR || reg == REG_LDR || reg == REG_ICR_HIGH)
		return X86_MSR_FAULT;
	if (reg == REG_ICR_LOW) {
		a->command_high = (uint32_t)(value >> 32);
	} else if (value >> 32 != 0 || ((reg == REG_EOI || reg == REG_ESR) && value != 0)) {
		return X86_MSR_FAULT; /* reserved bits */
	} else if (reg == REG_SELF_IPI) {
		local_apic_raise_own(a, (uint8_t)value, false);
		return X86_MSR_DONE;
	}
	return write_register(a, reg, (uint32_t)value) ? X86_MSR_DONE : X86_MSR_FAULT;
}

static enum x86_msr_result read_msr(struct x86_extension *x, struct x86_cpu *c, uint32_t msr, uint64_t *value)
{
	struct local_apic *a = of_extension(x);

	(void)c;
	if (msr == MSR_APIC_BASE)
		*value = a->base;
	else if (msr == MSR_TSC_DEADLINE)
		*value = a->deadline;
	else
		return is_x2apic_msr(msr) ? x2_read(a, msr - MSR_X2APIC, value) : X86_MSR_UNKNOWN;
	return X86_MSR_DONE;
}

static enum x86_msr_result write_msr(struct x86_extension *x, struct x86_cpu *c, uint32_t msr, uint64_t value)
{
	struct local_apic *a = of_extension(x);

	(void)c;
	if (msr == MSR_APIC_BASE)
		return write_base(a, value);
	if (msr != MSR_TSC_DEADLINE)
		return is_x2apic_msr(msr) ? x2_write(a, msr - MSR_X2APIC, value) : X86_MSR_UNKNOWN;
	write_deadline(a, value);
	return X86_MSR_DONE;
}

static void cpuid(struct x86_extension *x, struct x86_cpu *c, uint32_t leaf, uint32_t subleaf, struct x86_cpuid *r)
{
	const struct local_apic *a = of_extension(x);

	(void)c;
	(void)subleaf;
	if (leaf != 1)
		return;
	r->ecx |= CPUID1_ECX_X2APIC | CPUID1_ECX_DEADLINE;
	if ((a->base & BASE_ENABLE) != 0)
		r->edx |= CPUID1_EDX_APIC;
}

static void reset(struct x86_extension *x, struct x86_cpu *c)
{
	struct local_apic *a = of_extension(x);

	a->base = LOCAL_APIC_BASE | BASE_ENABLE | (c->vcpu.id == 0 ? BASE_BSP : 0);
	clear(a);
	place(a);
}

static void print(struct x86_extension *x)
{
	const struct local_apic *a = of_extension(x);

	log_text("local APIC %u: %s, %s, request %d, in service %d, timer LVT %08x\n", a->cpu->vcpu.id,
		 is_x2(a) ? "x2APIC" : "xAPIC", is_enabled(a) ? "enabled" : "disabled", highest(a->request),
		 highest(a->service), (unsigned)a->lvt[LVT_TIMER]);
}

static const struct device_ops device_ops = {
	.read = device_read,
	.write = device_write,
};

static int add(struct vcpu *v)
{
	struct local_apic *a = plat_pages_alloc(sizeof(*a), 4096);

	if (a == NULL)
		return -ENOMEM;
	a->cpu = x86_cpu(v);
	a->cpu->apic = a;
	a->dev.name = "lapic";
	a->dev.ops = &device_ops;
	a->extension.read_msr = read_msr;
	a->extension.write_msr = write_msr;
	a->extension.cpuid = cpuid;
	a->extension.print = print;
	a->extension.reset = reset;
	a->source.pending = pending;
	a->source.accepted = accepted;
	a->counter.vcpu = v;
	a->counter.hz = NS_PER_S;
	a->counter.match = timer_fired;
	x86_add_extension(a->cpu, &a->extension);
	x86_add_interrupts(a->cpu, &a->source);
	return 0;
}

static int attach(struct vm *vm)
{
	int err = 0;

	for (unsigned i = 0; i < vm->nr_vcpus && err == 0; i++)
		err = add(vm->vcpus[i]);
	return err;
}

HUSK_FEATURE(local_apic) = {
	.name = "local-apic",
	.purpose = "local APIC of x86 guests with its timer, xAPIC and x2APIC",
	.level = FEATURE_CPU,
	.attach = attach,
};
