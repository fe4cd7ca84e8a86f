/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c */
/* sources: arch/mips64/guest/fpu/arith.c arch/mips64/guest/fpu/compare.c arch/mips64/guest/fpu/control.c */
/* sources: arch/mips64/guest/fpu/convert.c arch/mips64/guest/fpu/decode.c arch/mips64/guest/fpu/move.c */
/* sources: arch/mips64/guest/fpu/last.c arch/mips64/guest/fpu/number.c arch/mips64/guest/fpu/quick.c */
/* FPU moves, transfers to general registers, loads and stores; coprocessor unusable. */
#include <husk/memory.h>

#include "tests/unit/fpu_fixture.h"

#define VALUE 0x8899aabb87654321ull

#define LWC1  0x31
#define LDC1  0x35
#define SWC1  0x39
#define SDC1  0x3d
#define INDEX 5 /* general register of index, base is $4 */

static uint64_t memory_at(struct fixture *f, uint64_t gpa)
{
	uint64_t v;

	assert_int_equal(memory_read(&f->vm.memory, gpa, &v, 8), 0);
	return v;
}

static void test_transfers(void **state)
{
	struct fixture *f = fpu_new();
	struct mips_cpu *c = f->cpu;

	(void)state;
	c->fpu.fpr[3] = VALUE;
	fpu_exec(f, TRANSFER(MFC1, 2, 3));
	assert_int_equal(c->gpr[2], 0xffffffff87654321ull);
	fpu_exec(f, TRANSFER(MFHC1, 2, 3));
	assert_int_equal(c->gpr[2], 0xffffffff8899aabbull);
	fpu_exec(f, TRANSFER(DMFC1, 2, 3));
	assert_int_equal(c->gpr[2], VALUE);
	fpu_exec(f, TRANSFER(DMFC1, 0, 3));
	assert_int_equal(c->gpr[0], 0);
	c->gpr[2] = 0x1111111122222222ull;
	fpu_exec(f, TRANSFER(MTC1, 2, 3));
	assert_int_equal(c->fpu.fpr[3], 0x8899aabb22222222ull);
	fpu_exec(f, TRANSFER(MTHC1, 2, 3));
	assert_int_equal(c->fpu.fpr[3], 0x2222222222222222ull);
	fpu_exec(f, TRANSFER(DMTC1, 2, 3));
	assert_int_equal(c->fpu.fpr[3], 0x1111111122222222ull);
	fixture_free(f);
}

static void test_transfers_of_pairs(void **state)
{
	struct fixture *f = fpu_new_with(STATUS_CU1, 0);
	struct mips_cpu *c = f->cpu;

	(void)state;
	c->fpu.fpr[2] = VALUE;
	fpu_exec(f, TRANSFER(MFC1, 2, 3));
	assert_int_equal(c->gpr[2], 0xffffffff8899aabbull);
	fpu_exec(f, TRANSFER(MFHC1, 2, 2));
	assert_int_equal(c->gpr[2], 0xffffffff8899aabbull);
	fpu_exec(f, TRANSFER(DMFC1, 2, 2));
	assert_int_equal(c->gpr[2], VALUE);
	c->gpr[2] = 7;
	fpu_exec(f, TRANSFER(MTC1, 2, 3));
	assert_int_equal(c->fpu.fpr[2], 0x0000000787654321ull);
	fpu_exec(f, TRANSFER(MTHC1, 2, 4));
	assert_int_equal(c->fpu.fpr[4], 7ull << 32);
	fpu_expect(f, TRANSFER(DMFC1, 2, 3), EXC_RI);
	fpu_expect(f, TRANSFER(DMTC1, 2, 3), EXC_RI);
	fixture_free(f);
}

/* User mode without UX and PX has no 64-bit operations. */
static void test_transfers_need_64_bits(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	fixture_tlb(f, 0, 0, 0, 0x1e000, ENTRYLO(CODE_GPA, LO_G | LO_V), LO_G);
	fixture_put(f, CODE_GPA, (const uint32_t[]){ TRANSFER(DMTC1, 2, 4) }, 1);
	mips_set_status(f->cpu, STATUS_CU1 | STATUS_FR | 2u << STATUS_KSU_SHIFT);
	f->cpu->pc = 0;
	fixture_step(f, 1);
	assert_int_equal(f->cpu->exceptions, 1);
	assert_int_equal(fixture_exccode(f), EXC_RI);
	fixture_free(f);
}

static void test_moves(void **state)
{
	struct fixture *f = fpu_new();
	struct mips_cpu *c = f->cpu;

	(void)state;
	c->fpu.fpr[FS] = VALUE;
	c->gpr[4] = 0;
	c->gpr[5] = 1ull << 40;
	fpu_exec(f, COP1(D, 0, FS, 9, 6));
	assert_int_equal(c->fpu.fpr[9], VALUE);
	fpu_exec(f, COP1(S, 0, FS, 10, 6));
	assert_int_equal(c->fpu.fpr[10], 0x87654321);
	fpu_exec(f, COP1(D, 4, FS, 11, 18)); /* movz.d on $4 */
	assert_int_equal(c->fpu.fpr[11], VALUE);
	fpu_exec(f, COP1(D, 5, FS, 12, 18));
	assert_int_equal(c->fpu.fpr[12], 0);
	fpu_exec(f, COP1(D, 5, FS, 13, 19)); /* movn.d on $5 */
	assert_int_equal(c->fpu.fpr[13], VALUE);
	fpu_exec(f, COP1(S, 4, FS, 14, 19));
	assert_int_equal(c->fpu.fpr[14], 0);
	assert_int_equal(c->fpu.fcsr, 0);
	fixture_free(f);
}

static void memory_round_trip(struct fixture *f)
{
	struct mips_cpu *c = f->cpu;
	uint64_t data = VALUE;

	assert_int_equal(memory_write(&f->vm.memory, DATA_GPA, &data, 8), 0);
	c->gpr[4] = DATA - 16;
	c->gpr[INDEX] = 16;
	fpu_exec(f, I_TYPE(LDC1, 4, 2, 16));
	assert_int_equal(c->fpu.fpr[2], VALUE);
	fpu_exec(f, I_TYPE(LWC1, 4, 4, 16));
	assert_int_equal((uint32_t)c->fpu.fpr[4], 0x87654321);
	fpu_exec(f, COP1X(4, INDEX, 0, 6, 1)); /* ldxc1 */
	assert_int_equal(c->fpu.fpr[6], VALUE);
	fpu_exec(f, COP1X(4, INDEX, 0, 8, 0)); /* lwxc1 */
	assert_int_equal((uint32_t)c->fpu.fpr[8], 0x87654321);
	fpu_exec(f, I_TYPE(SDC1, 4, 2, 24));
	assert_int_equal(memory_at(f, DATA_GPA + 8), VALUE);
	fpu_exec(f, I_TYPE(SWC1, 4, 2, 36));
	assert_int_equal(memory_at(f, DATA_GPA + 16), 0x87654321ull << 32);
	c->gpr[INDEX] = 48;
	fpu_exec(f, COP1X(4, INDEX, 2, 0, 9)); /* sdxc1 */
	assert_int_equal(memory_at(f, DATA_GPA + 32), VALUE);
	c->gpr[INDEX] = 56;
	fpu_exec(f, COP1X(4, INDEX, 2, 0, 8)); /* swxc1 */
	assert_int_equal(memory_at(f, DATA_GPA + 40), 0x87654321);
	fpu_exec(f, COP1X(4, INDEX, 0, 0, 15)); /* prefx */
}

static void test_memory(void **state)
{
	struct fixture *f = fpu_new();

	(void)state;
	memory_round_trip(f);
	f->cpu->gpr[INDEX] = 23;
	fpu_exec(f, COP1X(4, INDEX, 0, 7, 5)); /* luxc1 ignores the low bits */
	assert_int_equal(f->cpu->fpu.fpr[7], VALUE);
	f->cpu->gpr[INDEX] = 85;
	fpu_exec(f, COP1X(4, INDEX, 7, 0, 13)); /* suxc1 */
	assert_int_equal(memory_at(f, DATA_GPA + 64), VALUE);
	fpu_expect(f, I_TYPE(LDC1, 4, 2, 20), EXC_ADEL);
	fpu_expect(f, I_TYPE(SWC1, 4, 2, 18), EXC_ADES);
	fixture_free(f);
}

static void test_memory_of_pairs(void **state)
{
	struct fixture *f = fpu_new_with(STATUS_CU1, 0);

	(void)state;
	memory_round_trip(f);
	fpu_exec(f, I_TYPE(LWC1, 4, 3, 20));
	assert_int_equal(f->cpu->fpu.fpr[2], 0x8899aabb87654321ull);
	fpu_exec(f, I_TYPE(SWC1, 4, 3, 16 + 48));
	assert_int_equal(memory_at(f, DATA_GPA + 48), 0x8899aabb);
	fpu_expect(f, I_TYPE(LDC1, 4, 3, 16), EXC_RI);
	fpu_expect(f, I_TYPE(SDC1, 4, 3, 16), EXC_RI);
	fpu_expect(f, COP1X(4, INDEX, 0, 8, 5), EXC_RI); /* luxc1 */
	fpu_expect(f, COP1X(4, INDEX, 8, 0, 13), EXC_RI);
	fixture_free(f);
}

/* Big-endian: a word of memory is a register's value, not its bytes. */
static void test_big_endian(void **state)
{
	struct fixture *f = fixture_new_with(MIPS_HAS_FPU, true);
	const uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	(void)state;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_CU1 | STATUS_FR);
	assert_int_equal(memory_write(&f->vm.memory, DATA_GPA, bytes, 8), 0);
	f->cpu->gpr[4] = DATA;
	fpu_exec(f, I_TYPE(LDC1, 4, 2, 0));
	assert_int_equal(f->cpu->fpu.fpr[2], 0x0102030405060708ull);
	fpu_exec(f, I_TYPE(LWC1, 4, 3, 4));
	assert_int_equal(f->cpu->fpu.fpr[3], 0x05060708);
	fixture_free(f);
}

/* Status.CU1=0 comes before everything else, reserved words included. */
static void test_unusable(void **state)
{
	static const uint32_t words[] = {
		OPERATION(D, 0),          OPERATION(S, 2),       OPERATION(D, 3),       OPERATION(D, 4),
		OPERATION(D, 5),          OPERATION(D, 7),       OPERATION(D, 13),      OPERATION(D, 21),
		OPERATION(D, 6),          OPERATION(S, 17),      OPERATION(W, 33),      C_COND(D, 2, 0),
		C_COND(S, 12, 0),         BC1(0, 0, 1, 2),       BC1(0, 1, 1, 2),       MULTIPLY_ADD(32, 1),
		MULTIPLY_ADD(56, 0),      TRANSFER(MFC1, 2, 3),  TRANSFER(MTC1, 2, 3),  TRANSFER(DMFC1, 2, 3),
		TRANSFER(DMTC1, 2, 3),    TRANSFER(MFHC1, 2, 3), TRANSFER(MTHC1, 2, 3), TRANSFER(CFC1, 2, 31),
		TRANSFER(CTC1, 2, 31),    I_TYPE(LWC1, 4, 3, 0), I_TYPE(LDC1, 4, 3, 0), I_TYPE(SWC1, 4, 3, 0),
		I_TYPE(SDC1, 4, 3, 0),    COP1X(4, 5, 0, 6, 1),  COP1X(4, 5, 6, 0, 13), COP1X(4, 5, 0, 0, 15),
		R_TYPE(0, 4, 0, 2, 0, 1), OPERATION(22, 0),      COP1X(0, 0, 0, 0, 63),
	};
	struct fixture *f = fpu_new_with(0, 0);

	(void)state;
	for (size_t n = 0; n < sizeof(words) / sizeof(words[0]); n++) {
		fpu_expect(f, words[n], EXC_CPU);
		assert_int_equal((f->cpu->cp0.cause & CAUSE_CE) >> CAUSE_CE_SHIFT, 1);
	}
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_CU1 | STATUS_FR);
	fpu_expect(f, OPERATION(22, 0), EXC_RI);
	fpu_expect(f, COP1X(0, 0, 0, 0, 63), EXC_RI);
	fpu_expect(f, COP1X(0, 0, 0, 0, 38), EXC_RI); /* madd.ps */
	fpu_expect(f, COP1X(0, 0, 0, 0, 30), EXC_RI); /* alnv.ps */
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transfers),
		cmocka_unit_test(test_transfers_of_pairs),
		cmocka_unit_test(test_transfers_need_64_bits),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_of_pairs),
		cmocka_unit_test(test_big_endian),
		cmocka_unit_test(test_unusable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
