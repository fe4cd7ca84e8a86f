/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c arch/mips64/guest/octeon/octeon.c */
/* Loads, stores, LL/SC, branches, delay slots, code that is written while it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/mips64/guest/mmu.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/mips_fixture.h"

static void poke(struct fixture *f, uint64_t gpa, const void *data, size_t size)
{
	assert_int_equal(memory_write(&f->vm.memory, gpa, data, size), 0);
}

static void peek(struct fixture *f, uint64_t gpa, void *data, size_t size)
{
	assert_int_equal(memory_read(&f->vm.memory, gpa, data, size), 0);
}

static const uint8_t bytes[16] = { 0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8, 1, 2, 3, 4, 5, 6, 7, 8 };

struct access {
	const char *name;
	unsigned op;
	uint64_t little, big;
};

static const struct access loads[] = {
	{ "lb", 0x20, 0xffffffffffffff81ull, 0xffffffffffffff81ull },
	{ "lbu", 0x24, 0x81, 0x81 },
	{ "lh", 0x21, 0xffffffffffff9281ull, 0xffffffffffff8192ull },
	{ "lhu", 0x25, 0x9281, 0x8192 },
	{ "lw", 0x23, 0xffffffffb4a39281ull, 0xffffffff8192a3b4ull },
	{ "lwu", 0x27, 0xb4a39281, 0x8192a3b4 },
	{ "ld", 0x37, 0xf8e7d6c5b4a39281ull, 0x8192a3b4c5d6e7f8ull },
	{ "ll", 0x30, 0xffffffffb4a39281ull, 0xffffffff8192a3b4ull },
	{ "lld", 0x34, 0xf8e7d6c5b4a39281ull, 0x8192a3b4c5d6e7f8ull },
};

static void check_loads(bool big)
{
	struct fixture *f = fixture_new_with(0, big);

	poke(f, DATA_GPA, bytes, sizeof(bytes));
	for (size_t n = 0; n < sizeof(loads) / sizeof(loads[0]); n++) {
		uint64_t expected = big ? loads[n].big : loads[n].little;

		f->cpu->gpr[4] = DATA + 8;
		for (int twice = 0; twice < 2; twice++) { /* slow, then from the soft TLB */
			f->cpu->gpr[2] = 0;
			fixture_exec(f, I_TYPE(loads[n].op, 4, 2, -8));
			if (f->cpu->gpr[2] != expected)
				fail_msg("%s gives %llx", loads[n].name, (unsigned long long)f->cpu->gpr[2]);
		}
	}
	fixture_free(f);
}

static void test_loads_little_endian(void **state)
{
	(void)state;
	check_loads(false);
}

static void test_loads_big_endian(void **state)
{
	(void)state;
	check_loads(true);
}

static void check_stores(bool big)
{
	static const unsigned ops[4] = { 0x28, 0x29, 0x2b, 0x3f };
	struct fixture *f = fixture_new_with(0, big);

	for (unsigned n = 0; n < 4; n++) {
		unsigned size = 1u << n;
		uint8_t after[9];

		memset(after, 0xee, sizeof(after));
		poke(f, DATA_GPA, after, sizeof(after));
		f->cpu->gpr[4] = DATA;
		f->cpu->gpr[2] = 0x0102030405060708ull;
		fixture_exec(f, I_TYPE(ops[n], 4, 2, 0));
		peek(f, DATA_GPA, after, sizeof(after));
		for (unsigned b = 0; b < size; b++)
			assert_int_equal(after[b], big ? 8 - size + 1 + b : 8 - b);
		assert_int_equal(after[size], 0xee);
	}
	fixture_free(f);
}

static void test_stores(void **state)
{
	(void)state;
	check_stores(false);
	check_stores(true);
}

/* Left and right halves against the definition: bytes moved one by one (MD00087, LWL and others). */
static void check_halves(bool big, unsigned size, unsigned left_op, unsigned right_op)
{
	struct fixture *f = fixture_new_with(0, big);
	uint8_t unit[8], after[8];

	for (unsigned offset = 0; offset < size; offset++)
		for (int right = 0; right < 2; right++) {
			/* Register bytes, most significant first, and which of memory's they pair with. */
			unsigned n = big ? offset : size - 1 - offset;
			unsigned count = right ? n + 1 : size - n;
			uint64_t value = 0x1122334455667788ull, expected = size == 8 ? value : value & 0xffffffff;

			poke(f, DATA_GPA, bytes, 8);
			for (unsigned b = 0; b < count; b++) {
				unsigned significance = right ? b : size - 1 - b; /* of the register byte */
				unsigned place = right ? n - b : n + b;           /* big-endian place in the unit */
				uint8_t byte = bytes[big ? place : size - 1 - place];

				expected &= ~(0xffull << 8 * significance);
				expected |= (uint64_t)byte << 8 * significance;
			}
			if (size == 4)
				expected = (uint64_t)(int64_t)(int32_t)expected;
			f->cpu->gpr[4] = DATA;
			f->cpu->gpr[2] = value;
			fixture_exec(f, I_TYPE(right ? right_op : left_op, 4, 2, offset));
			assert_int_equal(f->cpu->gpr[2], expected);

			/* And back: storing the same half writes just these bytes. */
			memset(unit, 0xee, sizeof(unit));
			poke(f, DATA_GPA, unit, 8);
			f->cpu->gpr[2] = value;
			fixture_exec(f, I_TYPE((right ? right_op : left_op) + (size == 4 ? 8 : 0x12), 4, 2, offset));
			peek(f, DATA_GPA, after, 8);
			for (unsigned b = 0; b < count; b++) {
				unsigned significance = right ? b : size - 1 - b, place = right ? n - b : n + b;

				unit[big ? place : size - 1 - place] = (uint8_t)(value >> 8 * significance);
			}
			assert_memory_equal(after, unit, 8);
		}
	fixture_free(f);
}

static void test_unaligned_halves(void **state)
{
	(void)state;
	check_halves(false, 4, 0x22, 0x26);
	check_halves(true, 4, 0x22, 0x26);
	check_halves(false, 8, 0x1a, 0x1b);
	check_halves(true, 8, 0x1a, 0x1b);
}

static void test_misaligned_faults(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->cpu->gpr[4] = DATA;
	fixture_exec(f, LW(2, 2, 4));
	assert_int_equal(fixture_exccode(f), EXC_ADEL);
	assert_int_equal(f->cpu->cp0.badvaddr, DATA + 2);
	mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
	fixture_exec(f, SD(2, 4, 4));
	assert_int_equal(fixture_exccode(f), EXC_ADES);
	fixture_free(f);
}

static void test_octeon_unaligned_works(void **state)
{
	struct fixture *f = fixture_new_with(MIPS_HAS_OCTEON | MIPS_HAS_UNALIGNED, false);
	uint64_t value;

	(void)state;
	poke(f, DATA_GPA + 1, bytes, 8);
	f->cpu->gpr[4] = DATA;
	fixture_exec(f, LD(2, 1, 4));
	assert_int_equal(f->cpu->gpr[2], 0xf8e7d6c5b4a39281ull);
	f->cpu->gpr[2] = 0x1122334455667788ull;
	fixture_exec(f, SD(2, 0xffd, 4)); /* across a page end */
	peek(f, DATA_GPA + 0xffd, &value, 8);
	assert_int_equal(value, 0x1122334455667788ull);
	fixture_exec(f, LL(2, 1, 4)); /* not these */
	assert_int_equal(fixture_exccode(f), EXC_ADEL);
	fixture_free(f);
}

static void test_load_linked(void **state)
{
	struct fixture *f = fixture_new();
	uint32_t value;

	(void)state;
	f->cpu->gpr[4] = DATA;
	f->cpu->gpr[3] = 77;
	RUN(f, 2, LL(2, 0, 4), SC(3, 0, 4));
	assert_int_equal(f->cpu->gpr[3], 1);
	peek(f, DATA_GPA, &value, 4);
	assert_int_equal(value, 77);
	f->cpu->gpr[3] = 78; /* the link is used up */
	RUN(f, 1, SC(3, 0, 4));
	assert_int_equal(f->cpu->gpr[3], 0);
	f->cpu->gpr[3] = 79; /* another address */
	RUN(f, 2, LL(2, 0, 4), SC(3, 8, 4));
	assert_int_equal(f->cpu->gpr[3], 0);
	f->cpu->gpr[3] = 80; /* ERET breaks the link */
	f->cpu->cp0.epc = CODE + 8;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_EXL);
	RUN(f, 3, LL(2, 0, 4), ERET, SC(3, 0, 4));
	assert_int_equal(f->cpu->gpr[3], 0);
	peek(f, DATA_GPA, &value, 4);
	assert_int_equal(value, 77);
	fixture_free(f);
}

static void test_indexed_and_atomic_octeon(void **state)
{
	struct fixture *f = fixture_new_with(MIPS_HAS_OCTEON, false);
	uint64_t value = 0xfffffffffffffffeull;

	(void)state;
	poke(f, DATA_GPA, &value, 8);
	f->cpu->gpr[4] = DATA - 8;
	f->cpu->gpr[5] = 8;
	f->cpu->gpr[6] = DATA;
	fixture_exec(f, R_TYPE(0x1f, 4, 5, 2, 0x08, 0x0a)); /* ldx */
	assert_int_equal(f->cpu->gpr[2], value);
	fixture_exec(f, R_TYPE(0x1f, 4, 5, 2, 0x06, 0x0a)); /* lbux */
	assert_int_equal(f->cpu->gpr[2], 0xfe);
	fixture_exec(f, R_TYPE(0x1f, 4, 5, 2, 0x10, 0x0a)); /* lwux */
	assert_int_equal(f->cpu->gpr[2], 0xfffffffe);
	fixture_exec(f, R_TYPE(0x1c, 6, 0, 2, 0x03, 0x1f)); /* laid */
	assert_int_equal(f->cpu->gpr[2], value);
	fixture_exec(f, R_TYPE(0x1c, 6, 0, 2, 0x02, 0x1f)); /* lai */
	assert_int_equal(f->cpu->gpr[2], 0xffffffffffffffffull);
	peek(f, DATA_GPA, &value, 8);
	assert_int_equal(value, 0xffffffff00000000ull);
	fixture_exec(f, R_TYPE(0x1c, 6, 5, 2, 0x17, 0x1f)); /* lawd: swap in 8 */
	assert_int_equal(f->cpu->gpr[2], value);
	fixture_exec(f, R_TYPE(0x1c, 6, 5, 0, 0, 0x19)); /* saad: 8 + 8 */
	peek(f, DATA_GPA, &value, 8);
	assert_int_equal(value, 16);
	fixture_exec(f, R_TYPE(0x1c, 6, 0, 2, 0x0f, 0x1f)); /* lacd */
	assert_int_equal(f->cpu->gpr[2], 16);
	fixture_exec(f, R_TYPE(0x1c, 6, 0, 2, 0x0b, 0x1f)); /* lasd */
	assert_int_equal(f->cpu->gpr[2], 0);
	peek(f, DATA_GPA, &value, 8);
	assert_int_equal(value, ~0ull);
	fixture_free(f);
}

static void test_branches(void **state)
{
	static const struct {
		uint32_t word;
		uint64_t rs, rt;
		bool taken;
	} cases[] = {
		{ BEQ(4, 5, 3), 1, 1, true },
		{ BEQ(4, 5, 3), 1, 2, false },
		{ BNE(4, 5, 3), 1, 2, true },
		{ BNE(4, 5, 3), 1, 1, false },
		{ I_TYPE(0x06, 4, 0, 3), 0, 0, true },         /* blez */
		{ I_TYPE(0x07, 4, 0, 3), 0, 0, false },        /* bgtz */
		{ I_TYPE(0x01, 4, 0x00, 3), ~0ull, 0, true },  /* bltz */
		{ I_TYPE(0x01, 4, 0x01, 3), ~0ull, 0, false }, /* bgez */
		{ I_TYPE(0x01, 4, 0x11, 3), 0, 0, true },      /* bgezal */
		{ I_TYPE(0x01, 4, 0x10, 3), 0, 0, false },     /* bltzal */
	};
	struct fixture *f = fixture_new();

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		f->cpu->gpr[2] = 0;
		f->cpu->gpr[31] = 0;
		f->cpu->gpr[4] = cases[n].rs;
		f->cpu->gpr[5] = cases[n].rt;
		RUN(f, 1, cases[n].word, ADDIU(2, 0, 7));
		assert_int_equal(f->cpu->gpr[2], 7); /* the slot runs either way */
		assert_int_equal(f->cpu->pc, cases[n].taken ? CODE + 16 : CODE + 8);
		if (n >= 8)
			assert_int_equal(f->cpu->gpr[31], CODE + 8);
	}
	fixture_free(f);
}

static void test_branch_likely_skips_its_slot(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->cpu->gpr[4] = 1;
	RUN(f, 1, I_TYPE(0x14, 4, 0, 3), ADDIU(2, 0, 7)); /* beql not taken */
	assert_int_equal(f->cpu->gpr[2], 0);
	assert_int_equal(f->cpu->pc, CODE + 8);
	RUN(f, 1, I_TYPE(0x15, 4, 0, 3), ADDIU(2, 0, 7)); /* bnel taken */
	assert_int_equal(f->cpu->gpr[2], 7);
	assert_int_equal(f->cpu->pc, CODE + 16);
	fixture_free(f);
}

static void test_jumps(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->cpu->gpr[4] = CODE + 0x40;
	RUN(f, 1, SPECIAL(0x09, 5, 4, 0), ADDIU(2, 5, 0)); /* jalr: the slot sees the link */
	assert_int_equal(f->cpu->pc, CODE + 0x40);
	assert_int_equal(f->cpu->gpr[5], CODE + 8);
	RUN(f, 1, 3u << 26 | ((CODE_GPA + 0x80) >> 2), NOP); /* jal */
	assert_int_equal(f->cpu->pc, CODE + 0x80);
	assert_int_equal(f->cpu->gpr[31], CODE + 8);
	f->cpu->gpr[4] = CODE + 2;
	RUN(f, 1, JR(4), NOP);
	fixture_step(f, 1); /* the target faults, not the jump */
	assert_int_equal(fixture_exccode(f), EXC_ADEL);
	assert_int_equal(f->cpu->cp0.epc, CODE + 2);
	assert_int_equal(f->cpu->cp0.badvaddr, CODE + 2);
	fixture_free(f);
}

static void test_exception_in_delay_slot(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	RUN(f, 1, BEQ(0, 0, 3), SYSCALL);
	assert_int_equal(fixture_exccode(f), EXC_SYS);
	assert_int_equal(f->cpu->cp0.epc, CODE);
	assert_true((f->cpu->cp0.cause & CAUSE_BD) != 0);
	mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
	RUN(f, 1, SYSCALL);
	assert_false((f->cpu->cp0.cause & CAUSE_BD) != 0);
	fixture_free(f);
}

static void test_branch_in_delay_slot_is_reserved(void **state)
{
	struct fixture *f = fixture_new();
	uint32_t page[1024];

	(void)state;
	for (unsigned n = 0; n < 1024; n++)
		page[n] = BEQ(0, 0, 1);
	fixture_put(f, CODE_GPA, page, 1024);
	fixture_put(f, CODE_GPA + 4096, page, 1);
	for (unsigned at = 0; at < 1024; at += 1023) { /* within the page, and across its end */
		mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
		f->cpu->pc = CODE + 4 * at;
		fixture_step(f, 1);
		assert_int_equal(fixture_exccode(f), EXC_RI);
		assert_int_equal(f->cpu->cp0.epc, CODE + 4 * at);
	}
	/* ERET has no slot: a branch may follow it. */
	f->cpu->cp0.epc = CODE + 0x100;
	RUN(f, 1, ERET, BEQ(0, 0, 1));
	assert_int_equal(f->cpu->pc, CODE + 0x100);
	fixture_free(f);
}

static void test_branch_at_page_end(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_put(f, CODE_GPA + 0xffc, (const uint32_t[]){ BEQ(0, 4, 8), ADDIU(2, 2, 1), ADDIU(3, 0, 3) }, 3);
	f->cpu->gpr[4] = 0;
	f->cpu->pc = CODE + 0xffc;
	fixture_step(f, 1);
	assert_int_equal(f->cpu->pc, CODE + 0x1000 + 32);
	assert_int_equal(f->cpu->gpr[2], 1);
	f->cpu->gpr[4] = 1;
	f->cpu->pc = CODE + 0xffc;
	fixture_step(f, 3); /* the page's second end is a step of its own */
	assert_int_equal(f->cpu->gpr[2], 2);
	assert_int_equal(f->cpu->gpr[3], 3);
	fixture_free(f);
}

static void test_fault_of_a_slot_in_the_next_page(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_tlb(f, 0, 0x4000, 0, 0, ENTRYLO(CODE_GPA, LO_G | LO_V), ENTRYLO(0, LO_G));
	fixture_put(f, CODE_GPA + 0xffc, (const uint32_t[]){ BEQ(0, 0, 8) }, 1);
	f->cpu->pc = 0x4ffc;
	fixture_step(f, 1);
	assert_int_equal(fixture_exccode(f), EXC_TLBL);
	assert_int_equal(f->cpu->cp0.epc, 0x4ffc);
	assert_int_equal(f->cpu->cp0.badvaddr, 0x5000);
	assert_true((f->cpu->cp0.cause & CAUSE_BD) != 0);
	fixture_free(f);
}

static void test_code_that_rewrites_itself(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	/* A loop adds 1 to $2; its first round replaces the addition with one of 16. */
	f->cpu->gpr[4] = CODE;
	f->cpu->gpr[5] = ADDIU(2, 2, 16);
	f->cpu->gpr[6] = 3;
	RUN_TO_WAIT(f, ADDIU(2, 2, 1), SW(5, 0, 4), DADDIU(6, 6, -1), BNE(6, 0, -4), NOP, WAIT);
	assert_int_equal(f->cpu->gpr[2], 1 + 16 + 16);
	/* The store is of the very next instruction. */
	f->cpu->gpr[5] = ADDIU(2, 0, 99);
	RUN_TO_WAIT(f, SW(5, 4, 4), ADDIU(2, 0, 1), WAIT);
	assert_int_equal(f->cpu->gpr[2], 99);
	/* From outside, as a device would. */
	fixture_put(f, CODE_GPA + 4, (const uint32_t[]){ ADDIU(2, 0, 5) }, 1);
	f->cpu->gpr[5] = NOP;
	f->cpu->pc = CODE + 4;
	fixture_step(f, 1);
	assert_int_equal(f->cpu->gpr[2], 5);
	fixture_free(f);
}

static void test_only_ram_is_executed(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->cpu->pc = 0xffffffffbfc00000ull;
	fixture_step(f, 1);
	assert_int_equal(fixture_exccode(f), EXC_IBE);
	fixture_free(f);
}

static void test_scratchpad(void **state)
{
	struct fixture *f = fixture_new_with(MIPS_HAS_OCTEON, false);

	(void)state;
	f->cpu->gpr[4] = 0xffffffffffff8000ull;
	f->cpu->gpr[2] = 0x1234;
	f->cpu->cp0.cvmmemctl = CVMMEMCTL_KERNEL | 1;
	RUN(f, 2, SD(2, 0x78, 4), LD(3, 0x78, 4));
	assert_int_equal(f->cpu->gpr[3], 0x1234);
	fixture_exec(f, LD(3, 0x80, 4)); /* beyond its one line the TLB decides */
	assert_int_equal(fixture_exccode(f), EXC_TLBL);
	fixture_free(f);
}

static void test_octeon_zeroes_cache_blocks(void **state)
{
	static const uint32_t zcb[] = { R_TYPE(0x1c, 4, 0, 0, 0x1c, 0x1f), R_TYPE(0x1c, 4, 0, 0, 0x1d, 0x1f) };
	struct fixture *f = fixture_new_with(MIPS_HAS_OCTEON, false);
	uint8_t block[3 * 128];

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		memset(block, 0xee, sizeof(block));
		assert_int_equal(memory_write(&f->vm.memory, DATA_GPA, block, sizeof(block)), 0);
		f->cpu->gpr[4] = DATA + 128 + 77;
		fixture_exec(f, zcb[n]);
		memset(block + 128, 0, 128);
		assert_memory_equal(memory_borrow(&f->vm.memory, DATA_GPA, sizeof(block)), block, sizeof(block));
	}
	f->cpu->gpr[4] = 0x10077;
	fixture_exec(f, zcb[0]);
	assert_int_equal(fixture_exccode(f), EXC_TLBS);
	assert_int_equal(f->cpu->cp0.badvaddr, 0x10077);
	fixture_free(f);
}

static void test_octeon_scratchpad_has_its_size(void **state)
{
	const uint64_t base = 0xffffffffffff8000ull;
	struct fixture *f = fixture_new_with(MIPS_HAS_OCTEON, false);

	(void)state;
	mips_cp0_write(f->cpu, 11, 7, CVMMEMCTL_KERNEL | 54);
	f->cpu->gpr[2] = 0x1122334455667788ull;
	f->cpu->gpr[4] = base + 54 * 128 - 8;
	RUN(f, 2, SD(2, 0, 4), LD(3, 0, 4));
	assert_int_equal(f->cpu->exceptions, 0);
	assert_int_equal(f->cpu->gpr[3], f->cpu->gpr[2]);
	fixture_exec(f, LD(3, 8, 4)); /* behind it the segment is mapped */
	assert_int_equal(fixture_exccode(f), EXC_TLBL);
	mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
	mips_cp0_write(f->cpu, 11, 7, CVMMEMCTL_KERNEL | 1);
	fixture_exec(f, LD(3, 0, 4));
	assert_int_equal(fixture_exccode(f), EXC_TLBL);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads_little_endian),
		cmocka_unit_test(test_loads_big_endian),
		cmocka_unit_test(test_stores),
		cmocka_unit_test(test_unaligned_halves),
		cmocka_unit_test(test_misaligned_faults),
		cmocka_unit_test(test_octeon_unaligned_works),
		cmocka_unit_test(test_load_linked),
		cmocka_unit_test(test_indexed_and_atomic_octeon),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_branch_likely_skips_its_slot),
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_exception_in_delay_slot),
		cmocka_unit_test(test_branch_in_delay_slot_is_reserved),
		cmocka_unit_test(test_branch_at_page_end),
		cmocka_unit_test(test_fault_of_a_slot_in_the_next_page),
		cmocka_unit_test(test_code_that_rewrites_itself),
		cmocka_unit_test(test_only_ram_is_executed),
		cmocka_unit_test(test_scratchpad),
		cmocka_unit_test(test_octeon_zeroes_cache_blocks),
		cmocka_unit_test(test_octeon_scratchpad_has_its_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
