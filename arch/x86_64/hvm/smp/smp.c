/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands between the run loop and the engine in an image for several vCPUs: virtualization is switched on for each
 * CPU, registers that vCPUs of one CPU share change hands, messages of other vCPUs are taken, and vCPUs that were not
 * started wait. Sections are of the Intel SDM, volume 3A.
 */
#include "arch/x86_64/hvm/smp/smp.h"

#include <errno.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/hvm/msr.h"
#include "arch/x86_64/pc/x86.h"

#define CPUID_RDTSCP (1u << 27) /* 0x80000001, EDX */

/* Registers that neither the hardware nor the FPU's owner changes with the vCPU. */
struct shared {
	uint64_t dr[4];
	uint64_t tsc_aux;
};

/** What is kept of a vCPU. */
struct vcpu_state {
	struct shared registers;
	bool to_reset; /**< before it runs again: the state belongs to its own CPU */
};

/** What is kept of a CPU. */
struct cpu_state {
	bool started;
	struct vcpu_state *last; /**< whose registers it has, or NULL */
};

static struct vcpu_state vcpu_states[VM_MAX_VCPUS];
static struct cpu_state cpu_states[VM_MAX_VCPUS];
/* What stood behind us: the engine, or who was there before. */
static enum engine_exit (*run_next)(struct vcpu *v);
static bool has_tsc_aux;

/* --- a CPU */

static void load(const struct shared *s)
{
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
			 :
			 : "r"(s->dr[0]), "r"(s->dr[1]), "r"(s->dr[2]), "r"(s->dr[3]));
	if (has_tsc_aux)
		wrmsr(MSR_TSC_AUX, s->tsc_aux);
}

static void save(struct shared *s)
{
	__asm__ volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3"
			 : "=r"(s->dr[0]), "=r"(s->dr[1]), "=r"(s->dr[2]), "=r"(s->dr[3]));
	if (has_tsc_aux)
		s->tsc_aux = rdmsr(MSR_TSC_AUX);
}

/* CPU 0 is where the engine found what it needs; others of the same computer have it. */
static void start_cpu(struct cpu_state *cpu, const struct x86_cpu *c)
{
	cpu->started = true;
	if (plat_cpu() != 0 && c->hvm->start() != 0)
		plat_exit(HUSK_EXIT_HOST);
	hvm_fpu_start();
}

static void become(struct x86_cpu *c)
{
	struct cpu_state *cpu = &cpu_states[plat_cpu()];
	struct vcpu_state *v = &vcpu_states[c->vcpu.id];

	if (!cpu->started)
		start_cpu(cpu, c);
	if (cpu->last != v) {
		if (cpu->last != NULL)
			save(&cpu->last->registers);
		load(&v->registers);
		cpu->last = v;
	}
	if (!v->to_reset)
		return;
	v->to_reset = false;
	x86_reset(c);
	c->stopped = true;
}

/* --- starting and stopping */

static bool is_boot(const struct x86_cpu *c)
{
	return c->vcpu.id == 0;
}

void x86_smp_init(struct x86_cpu *c)
{
	if (is_boot(c)) {
		log_debug("vCPU 0: INIT ignored");
		return;
	}
	x86_reset(c);
	c->stopped = true;
}

void x86_smp_begin(struct x86_cpu *c)
{
	x86_reset(c);
	c->stopped = false;
	__atomic_store_n(&c->down, false, __ATOMIC_RELEASE);
}

/* 8.4.3, table 9-1: as after INIT, but for where it begins. */
void x86_smp_start_up(struct x86_cpu *c, uint8_t vector)
{
	const struct x86_segment code = {
		.selector = (uint16_t)(vector << 8), .attributes = 0x9b, .limit = 0xffff, .base = (uint64_t)vector << 12
	};
	static const struct x86_segment data = { .attributes = 0x93, .limit = 0xffff };
	static const struct x86_segment ldt = { .attributes = X86_SEG_LDT, .limit = 0xffff };
	static const struct x86_segment tss = { .attributes = X86_SEG_TSS, .limit = 0xffff };

	if (!c->stopped)
		return;
	x86_smp_begin(c);
	c->hvm->set(c, X86_CR0, X86_CR0_ET);
	for (unsigned n = X86_ES; n <= X86_GS; n++)
		c->hvm->set_segment(c, n, n == X86_CS ? &code : &data);
	c->hvm->set_segment(c, X86_LDTR, &ldt);
	c->hvm->set_segment(c, X86_TR, &tss);
	c->hvm->set_segment(c, X86_GDTR, &data);
	c->hvm->set_segment(c, X86_IDTR, &data);
	log_debug("vCPU %u: starts at 0x%x", c->vcpu.id, (unsigned)vector << 12);
}

static enum engine_exit run(struct vcpu *v)
{
	struct x86_cpu *c = x86_cpu(v);

	become(c);
	for (struct x86_extension *x = c->extensions; x != NULL; x = x->next) {
		if (x->take != NULL)
			x->take(x, c);
	}
	if (c->stopped || __atomic_load_n(&c->down, __ATOMIC_ACQUIRE))
		return vcpu_attention(v) != 0 ? ENGINE_ATTENTION : ENGINE_HALTED;
	return run_next(v);
}

/* --- the feature */

static void spins(struct x86_cpu *c)
{
	smp_end_turn(&c->vcpu);
}

static void reset(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct x86_cpu *c = x86_cpu(vm->vcpus[i]);

		c->down = false;
		c->stopped = !is_boot(c);
		c->spins = smp_shares_cpu(&c->vcpu) ? spins : NULL;
		vcpu_states[i].to_reset = !is_boot(c);
	}
}

static int attach(struct vm *vm)
{
	run_next = vm->run;
	vm->run = run;
	has_tsc_aux = (cpuid(0x80000001u, 0).edx & CPUID_RDTSCP) != 0;
	return 0;
}

HUSK_FEATURE(hvm_smp) = {
	.name = "hvm-smp",
	.purpose = "several vCPUs of the engine hvm: start, stop, messages, each CPU's virtualization",
	.level = FEATURE_ENGINE,
	.attach = attach,
	.reset = reset,
};
