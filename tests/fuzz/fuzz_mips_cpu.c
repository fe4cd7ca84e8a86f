/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: tests/fuzz/mips_guest.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c core/smp.c core/timer.c */
/* sources: features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c */
/* sources: arch/mips64/guest/walker.c arch/mips64/guest/octeon/octeon.c */
/* sources: arch/mips64/guest/fpu/arith.c arch/mips64/guest/fpu/compare.c arch/mips64/guest/fpu/control.c */
/* sources: arch/mips64/guest/fpu/convert.c arch/mips64/guest/fpu/decode.c arch/mips64/guest/fpu/move.c */
/* sources: arch/mips64/guest/fpu/last.c arch/mips64/guest/fpu/number.c arch/mips64/guest/fpu/quick.c */
/*
 * A guest made by a fuzzer, with some RAM and a device. The input is a list of
 * things that happen: code is written, a register, a TLB entry, and the guest runs a
 * few instructions. Two VMs do the same. One caches as it would in an image; the other
 * forgets all that its engine has cached before each instruction. The sanitizers see
 * what leaves the guest's memory; a difference between the two is a stale translation
 * or stale decoded code. An input may also have the first one run alone, through
 * whole pages, without a stop after each instruction.
 */
#include <stddef.h>
#include <stdint.h>

#include <husk/feature.h>
#include <husk/vm.h>

#include "tests/fuzz/mips_guest.h"
#include "tests/unit/fake_platform.h"

#define STEPS      200u /**< instructions of one input, at most, */
#define LAST_STEPS 16u  /**< and these after all of it has happened */

/** Bits of the first byte of an input: one guest runs alone. */
#define MODE_RUN 0xa0u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Instructions executed: the time of the guests. */
static uint64_t now;

/* A timer model whose time is the fuzzer's; starting it again, as a flush does, changes nothing. */

static void clock_start(struct guest_counter *c)
{
	(void)c;
}

static void clock_deliver(struct guest_counter *c)
{
	if (c->armed && now + c->offset >= c->compare) {
		c->armed = false;
		c->match(c);
	}
}

static uint64_t clock_read(struct guest_counter *c)
{
	clock_deliver(c);
	return now + c->offset;
}

static void clock_write(struct guest_counter *c, uint64_t count)
{
	c->offset = count - now;
	clock_deliver(c);
}

static void clock_set_compare(struct guest_counter *c, uint64_t compare)
{
	c->compare = compare;
	c->armed = true;
	clock_deliver(c);
}

static const struct timer_model fuzz_clock = {
	.name = "fuzz",
	.start = clock_start,
	.read = clock_read,
	.write = clock_write,
	.set_compare = clock_set_compare,
};

/* Running and comparing. */

static void step(struct guest *g)
{
	vcpu_take_attention(&g->cpu->vcpu);
	g->vm.engine->step(&g->cpu->vcpu);
	guest_check_state(g);
}

/** Executes an instruction in each guest. */
static void step_both(struct guest *cached, struct guest *fresh)
{
	now++;
	step(cached);
	fresh->vm.engine->flush(&fresh->cpu->vcpu);
	step(fresh);
	guest_compare(cached, fresh);
}

/** With attention asked for, the engine comes back at the first branch or at the end of the page. */
static void run_alone(struct guest *g)
{
	now += 16;
	plat_kick(&g->cpu->vcpu.attention, ATTN_TIMER);
	g->vm.engine->run(&g->cpu->vcpu);
	guest_check_state(g);
	vcpu_take_attention(&g->cpu->vcpu);
}

/** Runs both guests, or one alone; returns what that counts as. */
static unsigned run(struct guest *cached, struct guest *fresh, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		if (fresh != NULL)
			step_both(cached, fresh);
		else
			run_alone(cached);
	}
	return fresh != NULL ? count : 8 * count;
}

/** Has both execute the access they are at, and goes on at pc if it did not fault. */
static unsigned run_access(struct guest *cached, struct guest *fresh, uint64_t pc)
{
	unsigned steps = run(cached, fresh, 1);

	if (cached->cpu->pc == (GUEST_KSEG0 | (GUEST_ACCESS_GPA + 4))) {
		cached->cpu->pc = pc;
		if (fresh != NULL)
			fresh->cpu->pc = pc;
	}
	return steps;
}

/** Both guests in turn do what the input says; `fresh` is NULL if there is only one. */
static void play(struct guest *cached, struct guest *fresh, struct input *in)
{
	uint64_t gpa = GUEST_CODE_GPA;
	unsigned steps = 0;
	uint64_t pc;
	uint8_t what;

	while (in->left != 0 && steps < STEPS) {
		struct input again = *in;
		uint64_t same_gpa = gpa;

		what = in->data[0] % 16;
		if (what == GUEST_RUN) {
			steps += run(cached, fresh, input_take8(in) / 16 + 1);
			continue;
		}
		pc = cached->cpu->pc;
		guest_apply(cached, in, &gpa);
		if (fresh != NULL)
			guest_apply(fresh, &again, &same_gpa);
		if (what == GUEST_ACCESS)
			steps += run_access(cached, fresh, pc);
		else if (what == GUEST_VISIT)
			steps += run(cached, fresh, 3);
	}
	run(cached, fresh, LAST_STEPS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest cached, fresh;
	struct input in = { .data = data, .left = size };
	uint8_t mode = input_take8(&in);
	bool alone = (mode & MODE_RUN) == MODE_RUN;

	if (cached.cpu == NULL) {
		guest_make(&cached, feature_provider(FEATURE_ENGINE), &fuzz_clock);
		guest_make(&fresh, feature_provider(FEATURE_ENGINE), &fuzz_clock);
	}
	input_take_favourite(&in);
	now = 0;
	guest_reset(&cached, mode);
	guest_reset(&fresh, mode);
	play(&cached, alone ? NULL : &fresh, &in);
	if (!alone)
		guest_compare_memory(&cached, &fresh);
	guest_check_tlbs(&cached);
	fake_clear_text();
	return 0;
}
