/* SPDX-License-Identifier: BSD-2-Clause */
/* husk's side: a vCPU of the engine that is linked in, and as much of Linux as a program needs. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <husk/feature.h>
#include <husk/vm.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/tlb.h"
#include "tests/differential/outcome.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/mips_fixture.h"

#define RAM       (16ull << 20)
#define SECONDS   20u    /* a program that takes longer hangs */
#define EBASE_GPA 0x1000 /* of the exception vectors */
#define FRAME     0x400u /* bytes of a signal frame */

struct user {
	struct vm vm;
	struct params params;
	struct mips_model model;
	struct vcpu *vcpu;
	struct mips_cpu *cpu;
	bool small_pages;
	uint64_t traps;
	const struct image *image;
	struct outcome *outcome;
};

/* The attention word of the running CPU, for the alarm. */
static uint32_t *running;
static volatile sig_atomic_t too_long;

static void on_alarm(int signal)
{
	(void)signal;
	too_long = 1;
	__atomic_fetch_or(running, ATTN_REQUEST, __ATOMIC_RELAXED);
}

struct user *user_new(const struct variant *v)
{
	struct user *u = calloc(1, sizeof(*u));

	if (u == NULL)
		abort();
	fake_reset();
	u->params.counter_hz = 100000000;
	u->model = (struct mips_model){
		.name = v->name,
		.features = v->features,
		.config = { 0x80004c02 | (v->big_endian ? CONFIG0_BE : 0), 0xfe000001, 1u << 31,
			    CONFIG3_RXI | CONFIG3_ULRI | CONFIG3_LPA },
		.tlb_entries = 64,
		.segbits = 40,
		.pabits = 40,
		.big_endian = v->big_endian,
	};
	u->vm.params = &u->params;
	u->vm.engine = feature_provider(FEATURE_ENGINE);
	u->vm.timer = feature_provider(FEATURE_TIMER);
	if (u->vm.engine == NULL || u->vm.timer == NULL || memory_add_ram(&u->vm.memory, 0, RAM) != 0)
		abort();
	u->vcpu = plat_pages_alloc(u->vm.engine->vcpu_size, 4096);
	u->vcpu->vm = &u->vm;
	u->vm.vcpus[0] = u->vcpu;
	u->vm.nr_vcpus = 1;
	u->cpu = mips_cpu(u->vcpu);
	mips_reset(u->cpu, &u->model);
	plat_cpu_bind(&u->vcpu->attention);
	if (u->vm.engine->create(u->vcpu) != 0 || feature_attach_all(&u->vm) != 0)
		abort();
	signal(SIGALRM, on_alarm);
	return u;
}

static uint64_t va_to_gpa(uint64_t va)
{
	return va & (RAM - 1);
}

/* An entry for the pair of pages of a virtual address. */
static void map(struct user *u, uint64_t va, uint32_t pagemask, uint64_t flags)
{
	struct mips_cpu *c = u->cpu;
	uint64_t half = ((uint64_t)pagemask >> 1 & ~0xfffull) + 0x1000, pair = va & ~(2 * half - 1),
		 gpa = va_to_gpa(pair);

	mips_cp0_write(c, 5, 0, pagemask);
	mips_cp0_write(c, 10, 0, pair);
	mips_cp0_write(c, 2, 0, ENTRYLO(gpa, flags));
	mips_cp0_write(c, 3, 0, half == RAM ? LO_G : ENTRYLO(gpa + half, flags));
	mips_tlbp(c);
	if ((c->cp0.index & INDEX_P) != 0)
		mips_tlbwr(c);
	else
		mips_tlbwi(c);
}

/* Every exception vector waits, which brings the engine back to us. */
static void put_vectors(struct user *u)
{
	static const unsigned vectors[] = { 0x000, 0x080, 0x180 };
	uint32_t wait = u->model.big_endian ? __builtin_bswap32(WAIT) : WAIT;

	for (unsigned n = 0; n < sizeof(vectors) / sizeof(vectors[0]); n++)
		memory_write(&u->vm.memory, EBASE_GPA + vectors[n], &wait, sizeof(wait));
}

static void start(struct user *u)
{
	struct mips_cpu *c = u->cpu;

	mips_reset(c, &u->model);
	u->vm.engine->flush(u->vcpu);
	memory_write(&u->vm.memory, va_to_gpa(IMAGE_VA), u->image->file, u->image->size);
	memory_zero(&u->vm.memory, va_to_gpa(IMAGE_VA) + u->image->size, u->image->memory - u->image->size);
	put_vectors(u);
	c->cp0.ebase = 0xffffffff80000000ull + EBASE_GPA;
	c->cp0.hwrena = HWRENA_ULR | 0xf;
	if (!u->small_pages)
		map(u, IMAGE_VA, 0x01ffe000, LO_G | LO_V | LO_D);
	mips_set_status(c, STATUS_KX | STATUS_SX | STATUS_UX | STATUS_PX | STATUS_FR | STATUS_CU1 |
				   2u << STATUS_KSU_SHIFT);
	c->pc = u->image->entry;
	u->traps = 0;
	u->vcpu->instructions = 0;
	too_long = 0;
	running = &u->vcpu->attention;
	alarm(SECONDS);
}

/* Goes on in user mode. */
static void resume(struct mips_cpu *c, uint64_t pc)
{
	mips_set_status(c, c->cp0.status & ~STATUS_EXL);
	c->pc = pc;
	c->waiting = false;
}

static void fail(struct user *u, const char *why, uint64_t value)
{
	struct outcome *o = u->outcome;
	const struct mips_cpu *c = u->cpu;

	snprintf(o->failure, sizeof(o->failure), "%s %#llx, EPC %#llx, Cause %#x, BadVAddr %#llx", why,
		 (unsigned long long)value, (unsigned long long)c->cp0.epc, c->cp0.cause,
		 (unsigned long long)c->cp0.badvaddr);
}

/* write(): all of the states in one. */
static bool take_states(struct user *u)
{
	const struct mips_cpu *c = u->cpu;
	struct outcome *o = u->outcome;
	uint64_t size = c->gpr[6];

	if (o->states != NULL || size > u->image->nr_runs * sizeof(struct state) || size % sizeof(struct state) != 0) {
		fail(u, "write of", size);
		return false;
	}
	o->states = malloc(size);
	if (o->states == NULL || memory_read(&u->vm.memory, va_to_gpa(c->gpr[5]), o->states, size) != 0) {
		fail(u, "write from", c->gpr[5]);
		return false;
	}
	o->nr_states = (unsigned)(size / sizeof(struct state));
	swap_words(u->image->variant, (uint64_t *)(void *)o->states, o->nr_states * STATE_WORDS);
	return true;
}

/* Returns false if the program is done. */
static bool system_call(struct user *u)
{
	struct mips_cpu *c = u->cpu;
	uint64_t number = c->gpr[2];

	c->gpr[2] = c->gpr[7] = 0;
	resume(c, c->cp0.epc + 4);
	switch (number) {
	case NR_SIGALTSTACK:
	case NR_RT_SIGACTION: return true;
	case NR_WRITE: return take_states(u);
	case NR_EXIT: return false;
	default: fail(u, "system call", number); return false;
	}
}

static void store(struct user *u, uint64_t va, uint64_t value)
{
	swap_words(u->image->variant, &value, 1);
	memory_write(&u->vm.memory, va_to_gpa(va), &value, sizeof(value));
}

/* As much of a signal frame as the program's handler looks at. */
static bool deliver(struct user *u, enum linux_signal number)
{
	struct mips_cpu *c = u->cpu;
	uint64_t frame = IMAGE_STACK + STACK_SIZE - FRAME;

	for (unsigned n = 0; n < 32; n++)
		store(u, frame + UCONTEXT_REGS + 8 * n, c->gpr[n]);
	store(u, frame + UCONTEXT_PC, c->cp0.epc);
	c->gpr[4] = number;
	c->gpr[5] = c->gpr[31] = 0;
	c->gpr[6] = c->gpr[29] = frame;
	c->gpr[25] = u->image->handler;
	resume(c, u->image->handler);
	u->outcome->signals++;
	return true;
}

/* A page that is not mapped yet is at first mapped for reading. */
static bool page_fault(struct user *u, bool write)
{
	uint64_t va = u->cpu->cp0.badvaddr;

	if (!u->small_pages || va < IMAGE_VA || va - IMAGE_VA >= u->image->memory)
		return deliver(u, SIGNAL_SEGV);
	map(u, va, 0, LO_G | LO_V | (write ? LO_D : 0));
	resume(u->cpu, u->cpu->cp0.epc);
	return true;
}

/* Returns false if the program is done. */
static bool exception(struct user *u)
{
	unsigned code = (u->cpu->cp0.cause & CAUSE_EXCCODE) >> CAUSE_EXCCODE_SHIFT;

	u->traps++;
	switch (code) {
	case EXC_SYS: return system_call(u);
	case EXC_TLBL:
	case EXC_TLBS: return page_fault(u, false);
	case EXC_MOD: return page_fault(u, true);
	case EXC_ADEL:
	case EXC_ADES: return deliver(u, SIGNAL_BUS);
	case EXC_RI:
	case EXC_CPU: return deliver(u, SIGNAL_ILL);
	case EXC_BP:
	case EXC_TR: return deliver(u, SIGNAL_TRAP);
	case EXC_OV:
	case EXC_FPE: return deliver(u, SIGNAL_FPE);
	default: fail(u, "exception", code); return false;
	}
}

struct outcome user_run(struct user *u, const struct image *image, bool small_pages)
{
	struct outcome o = { 0 };
	uint64_t around;

	u->image = image;
	u->outcome = &o;
	u->small_pages = small_pages;
	start(u);
	do {
		vcpu_take_attention(u->vcpu);
		do {
			u->vm.engine->run(u->vcpu);
		} while (!u->cpu->waiting && !too_long && vcpu_take_attention(u->vcpu) != 0);
		if (too_long)
			fail(u, "no end after seconds:", SECONDS);
	} while (o.failure[0] == '\0' && exception(u));
	alarm(0);
	around = u->traps + o.signals * image->on_signal + image->nr_runs * image->overhead;
	o.instructions = u->vcpu->instructions > around ? u->vcpu->instructions - around : 0;
	return o;
}

void outcome_free(struct outcome *o)
{
	free(o->states);
}
