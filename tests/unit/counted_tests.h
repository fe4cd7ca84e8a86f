/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an engine must do while instructions are counted (timer_model.by_instructions), whichever it is: included by the
 * test of each engine.
 */
#ifndef TESTS_COUNTED_TESTS_H
#define TESTS_COUNTED_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>

#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/tlb.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/mips_fixture.h"

#define LDL(rt, off, base) I_TYPE(0x1a, base, rt, off)
#define LWL(rt, off, base) I_TYPE(0x22, base, rt, off)
#define JAL(index)         ((uint32_t)0x03 << 26 | (index))

/* One level of directories, of which all entries lead to one page table of 64-bit entries with EntryLo from bit 2 on. */
#define DIRECTORY  0x400000ull
#define TABLE      0x401000ull
#define ENTRY(gpa) (ENTRYLO(gpa, LO_V | LO_D) << 2)

/** Mapped pages for code, a pair, and for data, one of each of two pairs. */
#define CODE_VA     0x10000ull
#define PAGE_A      0x20000ull
#define PAGE_B      0x30000ull
#define CODE_VA_GPA 0x500000ull
#define PAGE_A_GPA  0x510000ull
#define PAGE_B_GPA  0x520000ull

static struct fixture *f;

static void put64(uint64_t gpa, uint64_t value)
{
	assert_int_equal(memory_write(&f->vm.memory, gpa, &value, 8), 0);
}

static void map(uint64_t va, uint64_t gpa)
{
	put64(TABLE + (va >> 12) % 512 * 8, ENTRY(gpa));
}

/* A CPU with a walker and a TLB of one entry, so that each walk replaces what the last one found. */
static int start(void **state)
{
	struct mips_cp0 *p;

	(void)state;
	f = fixture_new();
	assert_int_equal(feature_attach_all(&f->vm), 0);
	f->model.tlb_entries = 1;
	assert_int_equal(mips_reset(f->cpu, &f->model), 0);
	p = &f->cpu->cp0;
	p->ebase = 0xffffffff80000000ull;
	mips_set_status(f->cpu, STATUS_KX | STATUS_SX | STATUS_UX | STATUS_CU0);
	for (unsigned n = 0; n < 512; n++)
		put64(DIRECTORY + 8 * n, 0xffffffff80000000ull | TABLE);
	p->pwbase = 0xffffffff80000000ull | DIRECTORY;
	p->pwfield = 21u << 12 | 12u << 6 | 2u;
	p->pwsize = 1u << 30 | 9u << 12 | 9u << 6;
	p->pwctl = 1u << 31 | 1u << 26; /* PWEn, XU */
	map(CODE_VA, CODE_VA_GPA);
	map(CODE_VA + 0x1000, CODE_VA_GPA + 0x1000);
	map(PAGE_A, PAGE_A_GPA);
	map(PAGE_B, PAGE_B_GPA);
	put64(PAGE_A_GPA, 0x1122334455667788ull);
	put64(PAGE_A_GPA + 8, 0x99aabbccddeeff00ull);
	f->cpu->gpr[4] = PAGE_A;
	f->cpu->gpr[6] = PAGE_B;
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_free(f);
	return 0;
}

static bool stopped;

static void on_stop(struct vcpu_stop *s)
{
	(void)s;
	stopped = true;
}

/* Runs `count` instructions, or until the guest waits, as the run loop does. */
static void run(uint64_t count)
{
	struct vcpu_stop stop = { .reached = on_stop };
	enum engine_exit why = ENGINE_ATTENTION;

	stopped = false;
	vcpu_stop_set(f->vcpu, &stop, f->vcpu->instructions + count);
	for (;;) {
		vcpu_run_stops(f->vcpu);
		vcpu_take_attention(f->vcpu);
		if (stopped || why != ENGINE_ATTENTION)
			break;
		why = f->vm.engine->run(f->vcpu);
	}
	vcpu_stop_clear(f->vcpu, &stop);
}

#define PUT(gpa, ...) fixture_put(f, gpa, (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

/* Loads that are not done when memory has been read: the walk must not end them there. */
static void test_unaligned_load_walks(void **state)
{
	(void)state;
	PUT(CODE_GPA, LWL(2, 3, 4), LDL(3, 6, 4), WAIT);
	f->cpu->pc = CODE;
	run(100);
	assert_int_equal(f->cpu->gpr[2], 0x55667788);
	assert_int_equal(f->cpu->gpr[3], 0x2233445566778800ull);
	assert_int_equal(f->cpu->walks, 1);
}

static void test_load_linked_walks(void **state)
{
	(void)state;
	PUT(CODE_GPA, LL(2, 0, 4), NOP, WAIT);
	f->cpu->pc = CODE;
	run(2);
	assert_int_equal(f->cpu->gpr[2], 0x55667788);
	assert_true(f->cpu->ll_valid);
	assert_int_equal(f->cpu->ll_address, PAGE_A);
	assert_int_equal(f->cpu->walks, 1);
}

/* The second access to page A comes after its entry was replaced. The first of all makes the page known to the engine. */
static void test_replaced_page_is_walked_again(void **state)
{
	(void)state;
	PUT(CODE_GPA, LD(2, 0, 4), BEQ(0, 0, 1), NOP, LD(2, 0, 4), LD(3, 0, 6), LD(5, 8, 4), WAIT);
	f->cpu->pc = CODE;
	run(100);
	assert_int_equal(f->cpu->gpr[5], 0x99aabbccddeeff00ull);
	assert_int_equal(f->cpu->walks, 3);
}

/* Code whose entry a load has replaced is fetched by a walk, behind that load. */
static void test_replaced_code_is_walked_again(void **state)
{
	(void)state;
	PUT(CODE_VA_GPA, LD(2, 0, 4), NOP, NOP, WAIT);
	f->cpu->pc = CODE_VA;
	run(2);
	assert_int_equal(f->cpu->pc, CODE_VA + 8);
	assert_int_equal(f->cpu->walks, 3);
}

/*
 * A stop between a branch and its delay slot is reached behind the slot; one behind a branch taken before is not passed
 * for that. The first run makes all of the code known.
 */
static void test_stop_behind_branch(void **state)
{
	(void)state;
	PUT(CODE_VA_GPA, BNE(2, 0, 0x3ff), NOP, NOP, BNE(0, 0, 8), NOP, NOP);
	PUT(CODE_VA_GPA + 0x1000, ADDIU(5, 5, 1), ADDIU(5, 5, 1), WAIT);
	f->cpu->gpr[2] = 1;
	for (unsigned n = 0; n < 2; n++) {
		f->cpu->gpr[5] = 0;
		f->cpu->pc = CODE_VA;
		run(100);
		assert_true(f->cpu->waiting);
		f->cpu->waiting = false;
	}
	for (unsigned n = 0; n < 3; n++) {
		uint64_t before = f->vcpu->instructions;

		f->cpu->gpr[5] = 0;
		f->cpu->pc = CODE_VA;
		run(4);
		assert_int_equal(f->vcpu->instructions, before + 4);
		assert_int_equal(f->cpu->gpr[5], 2);
		assert_false(f->cpu->waiting);
	}
	f->cpu->gpr[2] = 0;
	f->cpu->pc = CODE_VA;
	run(4);
	assert_int_equal(f->cpu->pc, CODE_VA + 20);
}

/* A watch that hit in an exception handler is reported as soon as the handler is left. */
static void test_deferred_watch(void **state)
{
	(void)state;
	PUT(CODE_GPA, ERET, NOP, ADDIU(2, 0, 1), NOP);
	PUT(0x180, NOP, NOP, NOP, NOP);
	f->cpu->gpr[2] = 0;
	f->cpu->cp0.epc = CODE + 4;
	mips_set_status(f->cpu, f->cpu->cp0.status | STATUS_EXL);
	f->cpu->cp0.cause |= CAUSE_WP;
	f->cpu->pc = CODE;
	run(4);
	assert_int_equal(fixture_exccode(f), EXC_WATCH);
	assert_int_equal(f->cpu->cp0.epc, CODE + 4);
	assert_int_equal(f->cpu->gpr[2], 0);
}

/* A branch before another one in its page has no effect but the exception. */
static void test_branch_in_slot(void **state)
{
	(void)state;
	PUT(CODE_GPA, JAL(0x40000), JAL(0x40000), NOP);
	PUT(0x180, NOP, NOP, NOP, NOP);
	f->cpu->gpr[31] = 5;
	f->cpu->pc = CODE;
	run(1);
	assert_int_equal(f->vcpu->instructions, 1);
	assert_int_equal(fixture_exccode(f), EXC_RI);
	assert_int_equal(f->cpu->cp0.cause & CAUSE_BD, 0);
	assert_int_equal(f->cpu->cp0.epc, CODE);
	assert_int_equal(f->cpu->gpr[31], 5);
}

#define COUNTED_TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
#define COUNTED_TESTS                                                                                               \
	COUNTED_TEST(test_unaligned_load_walks), COUNTED_TEST(test_load_linked_walks),                              \
		COUNTED_TEST(test_replaced_page_is_walked_again), COUNTED_TEST(test_replaced_code_is_walked_again), \
		COUNTED_TEST(test_stop_behind_branch), COUNTED_TEST(test_deferred_watch),                           \
		COUNTED_TEST(test_branch_in_slot)

#endif
