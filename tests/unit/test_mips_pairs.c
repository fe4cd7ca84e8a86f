/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/mips64/translate/emit.c arch/mips64/translate/emit_alu.c arch/mips64/translate/emit_memory.c */
/* sources: arch/mips64/translate/emit_pairs.c arch/mips64/translate/emit_system.c arch/mips64/translate/front.c */
/* sources: core/smp.c tests/unit/mips_fixture.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c */
/* sources: core/timer.c features/timer-on-demand/on_demand.c features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c arch/mips64/guest/octeon/octeon.c */
/*
 * Which LDL and LDR, LWL and LWR, and their stores, the translator takes for pairs, and which it must not: nothing that may fault or see
 * the register may stand between the halves. That pairs load and store the right value is what the differential tests see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/mips64/translate/front.h"
#include "tests/unit/mips_fixture.h"

#define I(op, rs, rt, imm) \
	((uint32_t)(op) << 26 | (uint32_t)(rs) << 21 | (uint32_t)(rt) << 16 | ((uint32_t)(imm)&0xffff))
#define LDL_(rt, imm, base)  I(0x1a, base, rt, imm)
#define LDR_(rt, imm, base)  I(0x1b, base, rt, imm)
#define LWL_(rt, imm, base)  I(0x22, base, rt, imm)
#define LWR_(rt, imm, base)  I(0x26, base, rt, imm)
#define SWL_(rt, imm, base)  I(0x2a, base, rt, imm)
#define SWR_(rt, imm, base)  I(0x2e, base, rt, imm)
#define SDL_(rt, imm, base)  I(0x2c, base, rt, imm)
#define SDR_(rt, imm, base)  I(0x2d, base, rt, imm)
#define LD_(rt, imm, base)   I(0x37, base, rt, imm)
#define SD_(rt, imm, base)   I(0x3f, base, rt, imm)
#define PREF_(imm, base)     I(0x33, base, 0, imm)
#define BEQ_(rs, rt, imm)    I(0x04, rs, rt, imm)
#define DADDIU_(rt, rs, imm) I(0x19, rs, rt, imm)
#define JR_RA                0x03e00008u
#define PAGE_WORDS           1024u

static uint32_t page[PAGE_WORDS];
static struct ir_block ir;
static struct mips_breakpoints breakpoints;
/* The way that the guest went, for translate_at(). */
static const uint64_t *path;
static unsigned nr_path;

static bool pairs = true, big_endian;

/* Puts words at the n-th of a page, with a return behind them, and translates from the one `skip` behind that on. */
static void translate_from(const uint32_t *words, size_t count, unsigned n, unsigned skip)
{
	struct fixture *f = fixture_new_with(0, big_endian);
	struct mips_insn insns[MIPS_BLOCK_INSNS];
	struct mips_source source = { .cpu = f->cpu,
				      .pc = CODE + 4ull * (n + skip),
				      .page = (const uint8_t *)page,
				      .fixed_mapping = true,
				      .pairs = pairs,
				      .path = path,
				      .nr_path = nr_path,
				      .breakpoints = &breakpoints,
				      .insns = insns,
				      .nr_insns = MIPS_BLOCK_INSNS };

	memset(page, 0, sizeof(page));
	for (size_t i = 0; i < count + 1 && n + i < PAGE_WORDS; i++) {
		uint32_t w = i < count ? words[i] : JR_RA;

		page[n + i] = big_endian ? __builtin_bswap32(w) : w;
	}
	mips_translate_block(&source, &ir);
	fixture_free(f);
}

static void translate_at(const uint32_t *words, size_t count, unsigned n, bool is_big_endian, bool uses_pairs)
{
	big_endian = is_big_endian;
	pairs = uses_pairs;
	translate_from(words, count, n, 0);
	big_endian = false;
	pairs = true;
}

#define WORDS(...)     (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4
#define TRANSLATE(...) translate_at(WORDS(__VA_ARGS__), 0, false, true)

static const struct ir_op *find(enum ir_opcode code, unsigned n)
{
	for (unsigned i = 0; i < ir.count; i++)
		if (ir.ops[i].op == code && n-- == 0)
			return &ir.ops[i];
	return NULL;
}

static unsigned count(enum ir_opcode code)
{
	unsigned n = 0;

	while (find(code, n) != NULL)
		n++;
	return n;
}

/* The n-th load is of a whole value, and of the page that the n-th MAP has found. */
static void check_load(unsigned n, const struct ir_op *map, unsigned rt, int64_t imm, unsigned size)
{
	const struct ir_op *o = find(IR_LOAD, n);

	assert_non_null(o);
	assert_int_equal(o->e, map->d);
	assert_int_equal(o->d, rt);
	assert_int_equal(o->imm, (uint64_t)imm);
	assert_int_equal(o->size, size);
	assert_true(o->is_signed);
}

static void check_store(unsigned n, const struct ir_op *map, unsigned rt, int64_t imm, unsigned size)
{
	const struct ir_op *o = find(IR_STORE, n);

	assert_non_null(o);
	assert_int_equal(o->e, map->d);
	assert_int_equal(o->b, rt);
	assert_int_equal(o->imm, (uint64_t)imm);
	assert_int_equal(o->size, size);
}

static void check_map(const struct ir_op *map, unsigned base, int64_t imm, unsigned bytes, uint64_t pc)
{
	assert_non_null(map);
	assert_int_equal(map->a, base);
	assert_int_equal(map->imm, (uint64_t)imm);
	assert_int_equal(map->note, bytes);
	assert_int_equal(map->size, 1); /* no alignment */
	assert_int_equal(map->is_signed, find(IR_STORE, 0) != NULL && find(IR_STORE, 0)->e == map->d);
	assert_int_equal(map->pc, pc);
}

static void test_pair(void **state)
{
	(void)state;
	TRANSLATE(LDR_(8, 3, 5), LDL_(8, 10, 5));
	assert_int_equal(count(IR_MAP), 1);
	assert_int_equal(count(IR_LOAD), 1);
	check_map(find(IR_MAP, 0), 5, 3, 8, CODE);
	check_load(0, find(IR_MAP, 0), 8, 3, 8);
}

static void test_either_order(void **state)
{
	(void)state;
	TRANSLATE(LDL_(8, 10, 5), LDR_(8, 3, 5), LWL_(9, -1, 6), LWR_(9, -4, 6));
	assert_int_equal(count(IR_MAP), 2);
	assert_int_equal(count(IR_LOAD), 2);
	check_load(0, find(IR_MAP, 0), 8, 3, 8);
	check_map(find(IR_MAP, 1), 6, -4, 4, CODE + 8);
	check_load(1, find(IR_MAP, 1), 9, -4, 4);
}

static void test_big_endian(void **state)
{
	(void)state;
	translate_at(WORDS(LDL_(8, 3, 5), LDR_(8, 10, 5), LWR_(9, 3, 6), LWL_(9, 0, 6)), 0, true, true);
	assert_int_equal(count(IR_LOAD), 2);
	check_load(0, find(IR_MAP, 0), 8, 3, 8);
	check_load(1, find(IR_MAP, 1), 9, 0, 4);
}

/* As a copy loop has them: one MAP for all. */
static void test_interleaved(void **state)
{
	(void)state;
	TRANSLATE(LDR_(8, 0, 5), LDR_(9, 8, 5), DADDIU_(6, 6, -32), LDL_(8, 7, 5), LDL_(9, 15, 5), PREF_(128, 5),
		  LDR_(10, 16, 5), LDL_(10, 23, 5), SD_(8, 0, 4), SD_(9, 8, 4));
	assert_int_equal(count(IR_MAP), 1);
	assert_int_equal(count(IR_LOAD), 3);
	check_map(find(IR_MAP, 0), 5, 0, 24, CODE);
	for (unsigned n = 0; n < 3; n++)
		check_load(n, find(IR_MAP, 0), 8 + n, 8 * n, 8);
	assert_int_equal(count(IR_STORE), 2);
	assert_int_equal(find(IR_ADDI, 0)->d, 6);
}

/* What follows a run is not part of it, even if it looks as its beginning does. */
static void test_stores(void **state)
{
	(void)state;
	TRANSLATE(SWR_(8, 0, 5), SWR_(9, 4, 5), SWL_(8, 3, 5), SWL_(9, 7, 5), SDL_(10, 15, 5), SDR_(10, 8, 5));
	assert_int_equal(count(IR_MAP), 1);
	assert_int_equal(count(IR_STORE), 3);
	assert_int_equal(count(IR_EXEC), 0);
	check_map(find(IR_MAP, 0), 5, 0, 16, CODE);
	check_store(0, find(IR_MAP, 0), 8, 0, 4);
	check_store(1, find(IR_MAP, 0), 9, 4, 4);
	check_store(2, find(IR_MAP, 0), 10, 8, 8);
	translate_at(WORDS(SWL_(8, 0, 5), SWR_(8, 3, 5)), 0, true, true);
	assert_int_equal(count(IR_STORE), 1);
	check_store(0, find(IR_MAP, 0), 8, 0, 4);
}

/* Halves that write the same bytes in turn, and a run of both kinds: the order counts, so helpers keep it. */
static void test_stores_that_are_no_run(void **state)
{
	(void)state;
	TRANSLATE(SWR_(8, 0, 5), SWR_(9, 2, 5), SWL_(8, 3, 5), SWL_(9, 5, 5));
	assert_int_equal(count(IR_STORE), 0);
	assert_int_equal(count(IR_EXEC), 4);
	TRANSLATE(SWR_(8, 0, 5), DADDIU_(8, 8, 1), SWL_(8, 3, 5));
	assert_int_equal(count(IR_STORE), 0);
	TRANSLATE(SWR_(8, 0, 5), LWR_(9, 8, 5), SWL_(8, 3, 5), LWL_(9, 11, 5));
	assert_int_equal(count(IR_STORE), 0);
	/* One behind the other they are in order. */
	TRANSLATE(SWR_(8, 0, 5), SWL_(8, 3, 5), SWR_(9, 2, 5), SWL_(9, 5, 5));
	assert_int_equal(count(IR_STORE), 2);
	translate_at(WORDS(SWR_(8, 0, 5), SWL_(8, 3, 5)), 0, false, false);
	assert_int_equal(count(IR_STORE), 0);
}

static void test_run_ends(void **state)
{
	(void)state;
	TRANSLATE(LDR_(8, 0, 5), LDL_(8, 7, 5), LDR_(9, 8, 5), SD_(8, 0, 4));
	assert_int_equal(count(IR_MAP), 1);
	check_map(find(IR_MAP, 0), 5, 0, 8, CODE);
	assert_int_equal(count(IR_LOAD), 3); /* a single LDR has two */
}

static void check_none(void)
{
	assert_int_equal(count(IR_MAP), 0);
	assert_true(count(IR_LOAD) >= 2);
}

static void test_no_pairs(void **state)
{
	(void)state;
	TRANSLATE(LDR_(8, 0, 5), LDL_(8, 6, 5)); /* not the same value */
	check_none();
	TRANSLATE(LDR_(8, 0, 5), LDL_(9, 7, 5)); /* not the same register */
	check_none();
	TRANSLATE(LDR_(8, 0, 5), LDL_(8, 7, 6)); /* not the same base */
	check_none();
	TRANSLATE(LDR_(8, 0, 5), LWL_(8, 3, 5)); /* not the same size */
	check_none();
	TRANSLATE(LDR_(8, 0, 5), LDR_(8, 0, 5)); /* twice the same half */
	check_none();
	TRANSLATE(LDR_(5, 0, 5), LDL_(5, 7, 5)); /* the base becomes another */
	check_none();
	TRANSLATE(LDR_(0, 0, 5), LDL_(0, 7, 5)); /* only to see whether they fault */
	check_none();
}

static void test_between(void **state)
{
	(void)state;
	TRANSLATE(LDR_(8, 0, 5), SD_(9, 0, 4), LDL_(8, 7, 5)); /* may fault */
	check_none();
	TRANSLATE(LDR_(8, 0, 5), LD_(9, 0, 4), LDL_(8, 7, 5));
	check_none();
	TRANSLATE(LDR_(8, 0, 5), DADDIU_(9, 8, 1), LDL_(8, 7, 5)); /* sees the half */
	check_none();
	TRANSLATE(LDR_(8, 0, 5), DADDIU_(8, 9, 1), LDL_(8, 7, 5)); /* changes it */
	check_none();
	TRANSLATE(LDR_(8, 0, 5), DADDIU_(5, 5, 8), LDL_(8, 7, 5)); /* moves the base */
	check_none();
	TRANSLATE(LDR_(8, 0, 5), JR_RA, LDL_(8, 7, 5)); /* in a delay slot */
	check_none();
}

static void test_where_blocks_end(void **state)
{
	(void)state;
	breakpoints.count = 1;
	breakpoints.gva[0] = CODE + 4;
	TRANSLATE(LDR_(8, 0, 5), LDL_(8, 7, 5));
	check_none();
	breakpoints.count = 0;
	translate_at(WORDS(LDR_(8, 0, 5), LDL_(8, 7, 5)), PAGE_WORDS - 1, false, true);
	check_none();
	translate_at(WORDS(LDR_(8, 0, 5), LDL_(8, 7, 5)), 0, false, false); /* a careful block */
	check_none();
}

/* A block is not ended by its size between two halves: the run begins the next one. */
static void test_long_blocks(void **state)
{
	uint32_t words[MIPS_BLOCK_INSNS + 2];

	(void)state;
	for (unsigned start = MIPS_BLOCK_INSNS - 8; start < MIPS_BLOCK_INSNS; start++) {
		for (unsigned n = 0; n < start; n++)
			words[n] = DADDIU_(6, 6, 1);
		words[start] = LDR_(8, 0, 5);
		words[start + 1] = LDL_(8, 7, 5);
		translate_at(words, start + 2, 0, false, true);
		assert_int_equal(count(IR_MAP), 0);
	}
}

/* A block that goes back to what stands before its beginning ends there: that may be between two halves. */
static void test_way_back_into_a_run(void **state)
{
	static const uint64_t way[] = { CODE };
	const uint32_t words[] = { LDR_(8, 0, 5), LDL_(8, 7, 5), BEQ_(0, 0, -3), 0 };

	(void)state;
	path = way;
	nr_path = 1;
	translate_from(words, 4, 0, 1);
	path = NULL;
	nr_path = 0;
	check_none();
	assert_int_equal(count(IR_LOAD), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair),        cmocka_unit_test(test_either_order),
		cmocka_unit_test(test_big_endian),  cmocka_unit_test(test_interleaved),
		cmocka_unit_test(test_stores),      cmocka_unit_test(test_stores_that_are_no_run),
		cmocka_unit_test(test_run_ends),    cmocka_unit_test(test_no_pairs),
		cmocka_unit_test(test_between),     cmocka_unit_test(test_where_blocks_end),
		cmocka_unit_test(test_long_blocks), cmocka_unit_test(test_way_back_into_a_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
