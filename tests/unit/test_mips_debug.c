/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c arch/mips64/guest/octeon/octeon.c */
/* What an engine does for a debugger: breakpoints, watchpoints, interrupts held back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/mips64/guest/mmu.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/mips_fixture.h"

#define XKPHYS 0x9800000000000000ull /* cached */

static struct fixture *f;

static int start(void **state)
{
	(void)state;
	f = fixture_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_free(f);
	return 0;
}

static void put(uint64_t gpa, const uint32_t *words, size_t count)
{
	fixture_put(f, gpa, words, count);
}
#define PUT(gpa, ...) put(gpa, (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

/* Runs until the engine comes back; returns what it reached. */
static enum debug_event run(void)
{
	f->cpu->waiting = false;
	f->vcpu->attention = 0;
	f->vcpu->debug.event = DEBUG_NOTHING;
	f->vm.engine->run(f->vcpu);
	assert_int_equal((vcpu_attention(f->vcpu) & ATTN_DEBUG) != 0, f->vcpu->debug.event != DEBUG_NOTHING);
	return f->vcpu->debug.event;
}

static enum debug_event step(void)
{
	f->vcpu->attention = 0;
	f->vcpu->debug.event = DEBUG_NOTHING;
	f->vm.engine->step(f->vcpu);
	return f->vcpu->debug.event;
}

static void set(uint64_t gva, bool on)
{
	assert_int_equal(f->vm.engine->set_breakpoint(f->vcpu, gva, on), 0);
}

static void watch(uint64_t gva, uint64_t size, unsigned access, bool on)
{
	assert_int_equal(f->vm.engine->set_watchpoint(f->vcpu, gva, size, access, on), 0);
}

static void test_breakpoint(void **state)
{
	(void)state;
	PUT(CODE_GPA, ADDIU(2, 0, 1), ADDIU(2, 2, 1), ADDIU(2, 2, 1), WAIT);
	f->cpu->pc = CODE;
	assert_int_equal(run(), DEBUG_NOTHING); /* decoded now */
	assert_int_equal(f->cpu->gpr[2], 3);
	set(CODE + 4, true);
	set(CODE + 4, true);
	f->cpu->pc = CODE;
	for (unsigned twice = 0; twice < 2; twice++) {
		assert_int_equal(run(), DEBUG_BREAKPOINT);
		assert_int_equal(f->cpu->pc, CODE + 4);
		assert_int_equal(f->cpu->gpr[2], 1);
	}
	assert_int_equal(step(), DEBUG_NOTHING); /* goes through it */
	assert_int_equal(f->cpu->gpr[2], 2);
	assert_int_equal(run(), DEBUG_NOTHING);
	assert_int_equal(f->cpu->gpr[2], 3);
	set(CODE + 4, false);
	f->cpu->pc = CODE;
	assert_int_equal(run(), DEBUG_NOTHING);
	assert_int_equal(f->vm.engine->set_breakpoint(f->vcpu, CODE + 4, false), -ENOENT);
}

static void test_instructions_are_counted_once(void **state)
{
	uint64_t before;

	(void)state;
	PUT(CODE_GPA, ADDIU(2, 0, 1), ADDIU(2, 2, 1), WAIT);
	set(CODE + 4, true);
	f->cpu->pc = CODE;
	before = f->vcpu->instructions;
	run();
	run();
	assert_int_equal(f->vcpu->instructions - before, 1);
}

/* One physical page, two addresses: only one of them has the breakpoint. */
static void test_breakpoint_is_virtual(void **state)
{
	(void)state;
	PUT(CODE_GPA, ADDIU(2, 0, 1), ADDIU(2, 2, 1), BEQ(0, 0, 1), ADDIU(2, 2, 1), WAIT);
	set(XKPHYS + CODE_GPA + 4, true);
	set(XKPHYS + CODE_GPA + 8, true);
	f->cpu->pc = CODE;
	assert_int_equal(run(), DEBUG_NOTHING);
	assert_int_equal(f->cpu->gpr[2], 3);
	f->cpu->pc = XKPHYS + CODE_GPA;
	assert_int_equal(run(), DEBUG_BREAKPOINT);
	assert_int_equal(f->cpu->pc, XKPHYS + CODE_GPA + 4);
	step();
	assert_int_equal(run(), DEBUG_BREAKPOINT);
	assert_int_equal(f->cpu->pc, XKPHYS + CODE_GPA + 8);
	step();
	assert_int_equal(run(), DEBUG_NOTHING);
}

/* The slot of a branch that ends a page is the first instruction of the next one. */
static void test_breakpoint_behind_a_page_end(void **state)
{
	(void)state;
	PUT(CODE_GPA + 0xffc, BEQ(0, 0, 2), ADDIU(2, 0, 5), WAIT, WAIT);
	set(CODE + 0x1000, true);
	for (unsigned twice = 0; twice < 2; twice++) {
		f->cpu->pc = CODE + 0xffc;
		f->cpu->gpr[2] = 0;
		assert_int_equal(run(), DEBUG_NOTHING); /* executed with its branch */
		assert_int_equal(f->cpu->gpr[2], 5);
		f->cpu->pc = CODE + 0x1000;
		assert_int_equal(run(), DEBUG_BREAKPOINT);
	}
}

/* Code with a breakpoint is written: the breakpoint stays, the code is the new one. */
static void test_breakpoint_in_changing_code(void **state)
{
	(void)state;
	PUT(CODE_GPA, NOP, ADDIU(2, 0, 1), WAIT);
	set(CODE + 4, true);
	f->cpu->pc = CODE;
	assert_int_equal(run(), DEBUG_BREAKPOINT);
	PUT(CODE_GPA + 4, ADDIU(2, 0, 7));
	assert_int_equal(run(), DEBUG_BREAKPOINT);
	step();
	assert_int_equal(f->cpu->gpr[2], 7);
	f->vm.engine->flush(f->vcpu);
	f->cpu->pc = CODE;
	assert_int_equal(run(), DEBUG_BREAKPOINT);
}

static void test_too_many_breakpoints(void **state)
{
	unsigned n = 0;
	int err;

	(void)state;
	while ((err = f->vm.engine->set_breakpoint(f->vcpu, CODE + n * 4, true)) == 0)
		assert_in_range(++n, 1, 10000);
	assert_int_equal(err, -ENOSPC);
}

static void test_watchpoint_stops_before_the_access(void **state)
{
	uint32_t word = 0x11223344;

	(void)state;
	PUT(CODE_GPA, LW(2, 0, 4), SW(5, 0, 4), ADDIU(6, 0, 1), WAIT);
	memory_write(&f->vm.memory, DATA_GPA, &word, 4);
	f->cpu->pc = CODE;
	f->cpu->gpr[4] = DATA;
	f->cpu->gpr[5] = 77;
	assert_int_equal(run(), DEBUG_NOTHING); /* in the soft TLB now */
	memory_write(&f->vm.memory, DATA_GPA, &word, 4);
	watch(DATA + 2, 1, DEBUG_WRITE, true);
	f->cpu->pc = CODE;
	f->cpu->gpr[6] = 0;
	for (unsigned twice = 0; twice < 2; twice++) {
		assert_int_equal(run(), DEBUG_WATCHPOINT);
		assert_int_equal(f->cpu->pc, CODE + 4);
		assert_int_equal(f->vcpu->debug.address, DATA + 2);
		assert_int_equal(f->cpu->gpr[2], 0x11223344);
		memory_read(&f->vm.memory, DATA_GPA, &word, 4);
		assert_int_equal(word, 0x11223344);
	}
	assert_int_equal(step(), DEBUG_WATCHPOINT);
	f->vcpu->debug.ignore_watchpoints = true;
	assert_int_equal(step(), DEBUG_NOTHING);
	f->vcpu->debug.ignore_watchpoints = false;
	memory_read(&f->vm.memory, DATA_GPA, &word, 4);
	assert_int_equal(word, 77);
	assert_int_equal(run(), DEBUG_NOTHING);
	assert_int_equal(f->cpu->gpr[6], 1);
	assert_int_equal(f->cpu->exceptions, 0); /* the guest sees nothing of it */
}

static void test_watchpoint_kinds(void **state)
{
	(void)state;
	PUT(CODE_GPA, SD(5, 0, 4), LD(2, 0, 4), WAIT);
	f->cpu->gpr[4] = DATA;
	watch(DATA + 7, 1, DEBUG_READ, true);
	f->cpu->pc = CODE;
	assert_int_equal(run(), DEBUG_WATCHPOINT);
	assert_int_equal(f->cpu->pc, CODE + 4);
	watch(DATA + 7, 1, DEBUG_READ, false);
	watch(DATA, 8, DEBUG_READ | DEBUG_WRITE, true);
	f->cpu->pc = CODE;
	assert_int_equal(run(), DEBUG_WATCHPOINT);
	assert_int_equal(f->cpu->pc, CODE);
	watch(DATA, 8, DEBUG_READ | DEBUG_WRITE, false);
	watch(DATA + 8, 8, DEBUG_READ | DEBUG_WRITE, true);
	assert_int_equal(run(), DEBUG_NOTHING);
	assert_int_equal(f->vm.engine->set_watchpoint(f->vcpu, DATA, 8, DEBUG_READ, false), -ENOENT);
	assert_int_equal(f->vm.engine->set_watchpoint(f->vcpu, DATA, 0, DEBUG_READ, true), -EINVAL);
	assert_int_equal(f->vm.engine->set_watchpoint(f->vcpu, UINT64_MAX, 2, DEBUG_READ, true), -EINVAL);
}

static void test_watchpoint_in_a_delay_slot(void **state)
{
	(void)state;
	PUT(CODE_GPA, NOP, BEQ(0, 0, 2), SW(5, 0, 4), WAIT, ADDIU(6, 0, 1), WAIT);
	f->cpu->gpr[4] = DATA;
	watch(DATA, 4, DEBUG_WRITE, true);
	f->cpu->pc = CODE;
	assert_int_equal(run(), DEBUG_WATCHPOINT);
	assert_int_equal(f->cpu->pc, CODE + 4);
	watch(DATA, 4, DEBUG_WRITE, false);
	assert_int_equal(run(), DEBUG_NOTHING);
	assert_int_equal(f->cpu->gpr[6], 1);
}

/* Only pages that are watched are left out of the soft TLB. */
static void test_other_pages_stay_fast(void **state)
{
	(void)state;
	PUT(CODE_GPA, LW(2, 0, 4), LW(2, 0, 5), WAIT);
	f->cpu->gpr[4] = DATA;
	f->cpu->gpr[5] = DATA + 0x1000;
	watch(DATA + 0x1ffc, 4, DEBUG_WRITE, true);
	f->cpu->pc = CODE;
	assert_int_equal(run(), DEBUG_NOTHING);
	assert_int_equal(mips_stlb_read(f->cpu, DATA)->tag, (DATA & ~0xfffull) | f->cpu->asid_key);
	assert_int_not_equal(mips_stlb_read(f->cpu, DATA + 0x1000)->tag,
			     ((DATA + 0x1000) & ~0xfffull) | f->cpu->asid_key);
}

static void test_interrupts_are_held(void **state)
{
	(void)state;
	PUT(CODE_GPA, ADDIU(2, 0, 1), ADDIU(2, 2, 1), WAIT);
	f->cpu->pc = CODE;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_IE | 0x400);
	mips_irq_input(f->cpu, 2, true);
	f->vcpu->debug.hold_interrupts = true;
	step();
	assert_int_equal(f->cpu->pc, CODE + 4);
	f->vcpu->debug.hold_interrupts = false;
	step();
	assert_int_equal(f->cpu->cp0.epc, CODE + 4);
	assert_int_equal(f->cpu->gpr[2], 1);
}

/* Count stands still while a debugger looks around, and no deadline passes. */
static void test_time_is_held(void **state)
{
	const struct engine *e = f->vm.engine;
	uint32_t count;

	(void)state;
	fake_advance(1000000);
	RUN(f, 3, MFC0(2, 9, 0), ADDIU(2, 2, 1000), MTC0(2, 11, 0));
	count = mips_count(f->cpu);
	e->hold_time(f->vcpu, true);
	fake_advance(60000000000);
	e->hold_time(f->vcpu, false);
	assert_int_equal(mips_count(f->cpu), count);
	assert_false((f->cpu->cp0.cause & CAUSE_TI) != 0);
	fake_advance(1000000);
	assert_true(mips_count(f->cpu) - count >= 1000);
	assert_true((f->cpu->cp0.cause & CAUSE_TI) != 0);
}

static void test_float_registers(void **state)
{
	const struct engine *e = f->vm.engine;

	(void)state;
	for (unsigned n = 0; n < e->nr_registers; n++) {
		const char *name = e->registers[n].name;

		if (strcmp(name, "f31") == 0) {
			e->set_register(f->vcpu, n, 0x0123456789abcdef);
			assert_int_equal(f->cpu->fpu.fpr[31], 0x0123456789abcdef);
			assert_int_equal(e->get_register(f->vcpu, n), 0x0123456789abcdef);
			assert_true(n >= e->nr_registers - e->nr_details);
		} else if (strcmp(name, "fcsr") == 0) {
			e->set_register(f->vcpu, n, UINT64_MAX);
			assert_int_equal(e->get_register(f->vcpu, n), 0xff83ffff); /* as CTC1 would */
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(test_breakpoint),
		TEST(test_instructions_are_counted_once),
		TEST(test_breakpoint_is_virtual),
		TEST(test_breakpoint_behind_a_page_end),
		TEST(test_breakpoint_in_changing_code),
		TEST(test_too_many_breakpoints),
		TEST(test_watchpoint_stops_before_the_access),
		TEST(test_watchpoint_kinds),
		TEST(test_watchpoint_in_a_delay_slot),
		TEST(test_other_pages_stay_fast),
		TEST(test_interrupts_are_held),
		TEST(test_time_is_held),
		TEST(test_float_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
