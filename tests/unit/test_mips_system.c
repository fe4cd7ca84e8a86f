/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c arch/mips64/guest/octeon/octeon.c */
/* CP0, exceptions, interrupts, the counter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_platform.h"
#include "tests/unit/mips_fixture.h"

#define VECTORS 0xffffffff80000000ull

static void test_traps_and_coprocessors(void **state)
{
	static const struct {
		uint32_t word;
		unsigned code;
	} cases[] = {
		{ SYSCALL, EXC_SYS },
		{ 0x0000000d, EXC_BP },
		{ SPECIAL(0x34, 0, 0, 0), EXC_TR }, /* teq */
		{ SPECIAL(0x30, 0, 0, 0), EXC_TR }, /* tge */
		{ I_TYPE(1, 0, 0x0c, 0), EXC_TR },  /* teqi */
		{ I_TYPE(1, 0, 0x0a, 1), EXC_TR },  /* tlti */
		{ 0x7c00003f, EXC_RI },
		{ 0x48000000, EXC_CPU }, /* cop2 */
		{ 0x46000000, EXC_CPU }, /* add.s without an FPU */
	};
	struct fixture *f = fixture_new();

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		fixture_leave_exception(f);
		fixture_exec(f, cases[n].word);
		assert_int_equal(fixture_exccode(f), cases[n].code);
		assert_int_equal(f->cpu->pc, VECTORS + 0x180);
	}
	assert_int_equal((f->cpu->cp0.cause & CAUSE_CE) >> CAUSE_CE_SHIFT, 1);
	fixture_leave_exception(f);
	fixture_exec(f, SPECIAL(0x36, 0, 0, 0)); /* tne does not trap */
	assert_int_equal(f->cpu->pc, CODE + 4);
	fixture_free(f);
}

static void test_eret(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->cpu->cp0.epc = CODE + 0x100;
	f->cpu->cp0.errorepc = CODE + 0x200;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_EXL | STATUS_ERL);
	fixture_exec(f, ERET);
	assert_int_equal(f->cpu->pc, CODE + 0x200);
	assert_int_equal(f->cpu->cp0.status & (STATUS_EXL | STATUS_ERL), STATUS_EXL);
	fixture_exec(f, ERET);
	assert_int_equal(f->cpu->pc, CODE + 0x100);
	assert_int_equal(f->cpu->cp0.status & STATUS_EXL, 0);
	fixture_free(f);
}

static void test_interrupts(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_IE | 0x400);
	mips_irq_input(f->cpu, 3, true); /* masked */
	RUN(f, 1, NOP);
	assert_int_equal(f->cpu->pc, CODE + 4);
	mips_irq_input(f->cpu, 2, true);
	fixture_step(f, 1);
	assert_int_equal(fixture_exccode(f), EXC_INT);
	assert_int_equal(f->cpu->cp0.epc, CODE + 4);
	assert_int_equal(f->cpu->pc & ~0xfffull, VECTORS);
	mips_cp0_write(f->cpu, 13, 0, CAUSE_IV);
	fixture_leave_exception(f);
	f->cpu->pc = CODE;
	fixture_put(f, 0x200, (const uint32_t[]){ NOP }, 1);
	fixture_step(f, 1); /* takes it and executes the first instruction of the handler */
	assert_int_equal(f->cpu->pc, VECTORS + 0x204);
	mips_irq_input(f->cpu, 2, false);
	fixture_leave_exception(f);
	RUN(f, 1, NOP);
	assert_int_equal(f->cpu->pc, CODE + 4);
	fixture_free(f);
}

static void test_interrupt_that_came_in_a_handler(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_IE | STATUS_EXL | 0x400);
	fixture_put(f, 0x180, (const uint32_t[]){ MTC0(0, 12, 0), WAIT }, 2);
	/* A first run, so that all code is decoded and found without a look at what is pending. */
	f->cpu->cp0.epc = CODE + 8;
	RUN_TO_WAIT(f, ERET, NOP, ADDIU(2, 2, 1), WAIT);
	assert_int_equal(f->cpu->gpr[2], 1);
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_EXL);
	mips_irq_input(f->cpu, 2, true);
	RUN_TO_WAIT(f, ERET, NOP, ADDIU(2, 2, 1), WAIT);
	assert_int_equal(f->cpu->gpr[2], 1); /* taken at once, before what ERET returns to */
	assert_int_equal(f->cpu->cp0.epc, CODE + 8);
	assert_int_equal(f->cpu->cp0.cause & CAUSE_EXCCODE, 0);
	fixture_free(f);
}

static void test_software_interrupt_after_mtc0(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_IE | 0x100);
	fixture_put(f, 0x180, (const uint32_t[]){ MTC0(0, 13, 0), WAIT }, 2);
	f->cpu->gpr[4] = 0x100;
	RUN_TO_WAIT(f, MTC0(4, 13, 0), ADDIU(2, 0, 1), WAIT);
	assert_int_equal(f->cpu->gpr[2], 0); /* taken before the next instruction */
	assert_int_equal(f->cpu->cp0.epc, CODE + 4);
	fixture_free(f);
}

static void test_vectored_interrupts(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->cpu->cp0.config[3] |= CONFIG3_VINT;
	mips_cp0_write(f->cpu, 12, 1, 1u << 5); /* spacing 0x20 */
	mips_cp0_write(f->cpu, 13, 0, CAUSE_IV);
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_IE | STATUS_IM);
	mips_irq_input(f->cpu, 2, true);
	mips_irq_input(f->cpu, 5, true);
	fixture_put(f, 0x200 + 5 * 0x20, (const uint32_t[]){ NOP }, 1);
	RUN(f, 1, NOP);
	assert_int_equal(f->cpu->pc, VECTORS + 0x200 + 5 * 0x20 + 4);
	/* The vectors in ROM know one for all. */
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_BEV);
	fixture_leave_exception(f);
	mips_take_interrupt(f->cpu);
	assert_int_equal(f->cpu->pc, 0xffffffffbfc00400ull);
	fixture_free(f);
}

static void test_enable_and_disable(void **state)
{
	struct fixture *f = fixture_new();
	uint32_t status = f->cpu->cp0.status;

	(void)state;
	fixture_exec(f, 0x41626020); /* ei $2 */
	assert_int_equal(f->cpu->gpr[2], status);
	assert_true((f->cpu->cp0.status & STATUS_IE) != 0);
	fixture_exec(f, 0x41636000); /* di $3 */
	assert_int_equal(f->cpu->gpr[3], status | STATUS_IE);
	assert_false((f->cpu->cp0.status & STATUS_IE) != 0);
	fixture_free(f);
}

static void test_count_and_compare(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t start = mips_cp0_read32(f->cpu, 9, 0);

	(void)state;
	fake_advance(1000); /* 100 ticks at 100 MHz */
	assert_int_equal(mips_cp0_read32(f->cpu, 9, 0), start + 100);
	f->cpu->gpr[4] = start + 150;
	fixture_exec(f, MTC0(4, 11, 0));
	assert_int_equal(mips_cp0_read32(f->cpu, 13, 0) & CAUSE_TI, 0);
	fake_now += 500; /* the host's timer has not fired: a read of Cause must see it all the same */
	assert_true((mips_cp0_read32(f->cpu, 13, 0) & CAUSE_TI) != 0);
	assert_true((f->cpu->cp0.cause & 0x8000) != 0);
	fixture_exec(f, MTC0(4, 11, 0)); /* acknowledges */
	assert_int_equal(f->cpu->cp0.cause & (CAUSE_TI | 0x8000), 0);
	/* Count can be written, and wraps at 32 bits. */
	mips_cp0_write32(f->cpu, 9, 0, 0xfffffffe);
	fake_advance(100);
	assert_int_equal(mips_cp0_read32(f->cpu, 9, 0), 8);
	/* DC stops it. */
	mips_cp0_write32(f->cpu, 13, 0, CAUSE_DC);
	fake_advance(1000);
	assert_int_equal(mips_cp0_read32(f->cpu, 9, 0), 8);
	mips_cp0_write32(f->cpu, 13, 0, 0);
	fake_advance(100);
	assert_int_equal(mips_cp0_read32(f->cpu, 9, 0), 18);
	fixture_free(f);
}

static void test_wait(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	RUN(f, 1, WAIT);
	vcpu_take_attention(f->vcpu);
	assert_int_equal(f->vm.engine->run(f->vcpu), ENGINE_HALTED); /* IE is off */
	f->cpu->waiting = false;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_IE | 0x400);
	RUN(f, 1, WAIT);
	vcpu_take_attention(f->vcpu);
	assert_int_equal(f->vm.engine->run(f->vcpu), ENGINE_IDLE);
	mips_irq_input(f->cpu, 2, true);
	fixture_step(f, 1);
	assert_false(f->cpu->waiting);
	assert_int_equal(f->cpu->cp0.epc, CODE + 4);
	fixture_free(f);
}

static void expect_halt(const uint32_t *code, size_t count)
{
	struct fixture *f = fixture_new();
	enum engine_exit why = ENGINE_ATTENTION;

	/* A halted kernel: interrupts off for good, one pending that it will never take. */
	mips_set_status(f->cpu, f->cpu->cp0.status | 0x400);
	mips_irq_input(f->cpu, 2, true);
	fixture_put(f, CODE_GPA, code, count);
	f->cpu->pc = CODE;
	for (int n = 0; n < 10 && why == ENGINE_ATTENTION; n++) {
		vcpu_take_attention(f->vcpu);
		why = f->vm.engine->run(f->vcpu);
	}
	assert_int_equal(why, ENGINE_HALTED);
	fixture_free(f);
}

static void test_wait_in_vain(void **state)
{
	(void)state;
	expect_halt((const uint32_t[]){ WAIT, BEQ(0, 0, -2), NOP }, 3);
	/* As Octeon kernels do it. */
	expect_halt((const uint32_t[]){ WAIT, WAIT, BEQ(0, 0, -3), NOP }, 4);
}

static void test_hardware_registers(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_tlb(f, 0, 0, 0, 0x1fffe000, ENTRYLO(0, LO_G | LO_V), ENTRYLO(0, LO_G));
	f->cpu->cp0.userlocal = 0x1234;
	fixture_exec(f, RDHWR(2, 29));
	assert_int_equal(f->cpu->gpr[2], 0x1234);
	fixture_exec(f, RDHWR(2, 31)); /* Octeon's */
	assert_int_equal(fixture_exccode(f), EXC_RI);
	fixture_put(f, CODE_GPA, (const uint32_t[]){ RDHWR(3, 29) }, 1);
	fixture_user_mode(f, CODE_GPA);
	fixture_step(f, 1);
	assert_int_equal(fixture_exccode(f), EXC_RI); /* not enabled */
	mips_cp0_write(f->cpu, 7, 0, 0xffffffff);
	assert_int_equal(f->cpu->cp0.hwrena, 0x2000000f);
	fixture_user_mode(f, CODE_GPA);
	fixture_step(f, 1);
	assert_int_equal(f->cpu->gpr[3], 0x1234);
	fixture_free(f);
}

static void test_octeon_registers(void **state)
{
	struct fixture *f = fixture_new_with(MIPS_HAS_OCTEON, false);

	(void)state;
	fake_advance(1000);
	mips_cp0_write(f->cpu, 9, 6, 1ull << 40);
	fake_advance(1000);
	fixture_exec(f, DMFC0(2, 9, 6));
	assert_int_equal(f->cpu->gpr[2], (1ull << 40) + 100);
	mips_cp0_write32(f->cpu, 9, 0, 5); /* Count is another view; writing it leaves CvmCount */
	assert_int_equal(mips_cvmcount(f->cpu), (1ull << 40) + 100);
	fixture_exec(f, RDHWR(3, 31));
	assert_int_equal(f->cpu->gpr[3], (1ull << 40) + 100);
	mips_cp0_write(f->cpu, 11, 7, ~0ull);
	assert_int_equal(mips_cp0_read(f->cpu, 11, 7) >> 58, 0);
	fixture_free(f);
}

static void test_register_fields(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	mips_cp0_write(f->cpu, 10, 0, 0x3fffffffffffe0ffull);
	assert_int_equal(mips_cp0_read(f->cpu, 10, 0), ((1ull << 40) - 0x2000) | 0xff);
	mips_cp0_write(f->cpu, 2, 0, ~0ull);
	assert_int_equal(mips_cp0_read(f->cpu, 2, 0),
			 (1ull << 30) - 1); /* 36-bit addresses without ELPA, no RI or XI */
	mips_cp0_write(f->cpu, 5, 1, ~0u);
	assert_int_equal(mips_cp0_read(f->cpu, 5, 1) & 0xffffffff,
			 PAGEGRAIN_RIE | PAGEGRAIN_XIE | PAGEGRAIN_IEC | PAGEGRAIN_ELPA);
	mips_cp0_write(f->cpu, 2, 0, ~0ull);
	assert_int_equal(mips_cp0_read(f->cpu, 2, 0), ((1ull << 34) - 1) | ENTRYLO_RI | ENTRYLO_XI);
	mips_cp0_write32(f->cpu, 15, 1, 0xfffff000);
	assert_int_equal(mips_cp0_read(f->cpu, 15, 1), 0xffffffffbffff000ull);
	f->cpu->cp0.context = f->cpu->cp0.xcontext = 0x30; /* of a miss; software owns PTEBase alone */
	mips_cp0_write(f->cpu, 4, 0, ~0ull);
	assert_int_equal(mips_cp0_read(f->cpu, 4, 0), ~0x7fffffull | 0x30);
	mips_cp0_write(f->cpu, 20, 0, ~0ull);
	assert_int_equal(mips_cp0_read(f->cpu, 20, 0), ~((1ull << 33) - 1) | 0x30);
	mips_cp0_write(f->cpu, 31, 3, 0x99);
	assert_int_equal(mips_cp0_read(f->cpu, 31, 3), 0x99);
	mips_cp0_write(f->cpu, 16, 0, 0xffffffff);
	assert_int_equal((uint32_t)mips_cp0_read(f->cpu, 16, 0), 0x80004c07);
	assert_int_equal(mips_cp0_read(f->cpu, 22, 0), 0); /* nothing there */
	assert_int_equal(f->cpu->unknown_cp0, 1);
	mips_cp0_write(f->cpu, 0, 0, 64); /* Index stays inside the TLB */
	assert_in_range(f->cpu->cp0.index, 0, 63);
	fixture_free(f);
}

static void test_history_counts_repetitions(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	RUN(f, 1, SYSCALL);
	fixture_put(f, 0x180, (const uint32_t[]){ 0x7c00003f }, 1); /* a handler that faults for ever */
	fixture_step(f, 100);
	assert_int_equal(f->cpu->nested, 101);
	assert_int_equal(f->cpu->recorded, 2);
	assert_int_equal(f->cpu->history[1].repeats, 99);
	mips_print_state(f->cpu);
	assert_non_null(strstr(fake_log, "system call"));
	assert_non_null(strstr(fake_log, "99 times more"));
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traps_and_coprocessors),
		cmocka_unit_test(test_eret),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_interrupt_that_came_in_a_handler),
		cmocka_unit_test(test_software_interrupt_after_mtc0),
		cmocka_unit_test(test_vectored_interrupts),
		cmocka_unit_test(test_enable_and_disable),
		cmocka_unit_test(test_count_and_compare),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_wait_in_vain),
		cmocka_unit_test(test_hardware_registers),
		cmocka_unit_test(test_octeon_registers),
		cmocka_unit_test(test_register_fields),
		cmocka_unit_test(test_history_counts_repetitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
