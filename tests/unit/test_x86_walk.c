/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c arch/x86_64/hvm/walk.c core/memory.c core/log.c tests/unit/fake_platform.c */
/* Guest page tables of every kind, and what is not mapped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/hvm/cpu.h"
#include "arch/x86_64/hvm/walk.h"
#include "tests/unit/fake_platform.h"

#define RAM  0x10000u
#define ROOT 0x1000u
#define NX   0x8000000000000000ull

static struct memory memory;
static const struct x86_paging long_mode = {
	.cr0 = X86_CR0_PG | X86_CR0_PE, .cr3 = ROOT | 0x18, .cr4 = X86_CR4_PAE, .efer = X86_EFER_LMA | X86_EFER_LME
};

static int setup(void **state)
{
	(void)state;
	fake_reset();
	memset(&memory, 0, sizeof(memory));
	return memory_add_ram(&memory, 0, RAM);
}

static void entry(uint64_t table, unsigned index, uint64_t value)
{
	assert_int_equal(memory_write(&memory, table + 8 * index, &value, 8), 0);
}

static void entry32(uint64_t table, unsigned index, uint32_t value)
{
	assert_int_equal(memory_write(&memory, table + 4 * index, &value, 4), 0);
}

static void expect(const struct x86_paging *p, uint64_t gva, uint64_t gpa)
{
	uint64_t found = 0;

	assert_int_equal(x86_walk(&memory, p, gva, &found), 0);
	assert_int_equal(found, gpa);
}

static void expect_fault(const struct x86_paging *p, uint64_t gva)
{
	uint64_t found;

	assert_int_equal(x86_walk(&memory, p, gva, &found), -EFAULT);
}

static void test_no_paging(void **state)
{
	static const struct x86_paging off = { .cr0 = X86_CR0_PE };

	(void)state;
	expect(&off, 0x12345678, 0x12345678);
	expect(&off, 0x112345678, 0x12345678);
}

static void test_four_levels(void **state)
{
	(void)state;
	entry(ROOT, 511, 0x2003);
	entry(0x2000, 510, 0x3003);
	entry(0x2000, 509, 0x40000083ull | NX); /* 1 GiB */
	entry(0x3000, 1, 0x4003);
	entry(0x3000, 2, 0x600083 | 1u << 12); /* 2 MiB, with its PAT bit */
	entry(0x4000, 3, 0xabcde003 | NX);
	expect(&long_mode, 0xffffffff80203456, 0xabcde456);
	expect(&long_mode, 0xffffffff80412345, 0x612345);
	expect(&long_mode, 0xffffffff40123456, 0x40123456);
	expect_fault(&long_mode, 0xffffffff80204000);
	expect_fault(&long_mode, 0x0000ffffffff8020); /* not canonical */
	expect_fault(&long_mode, 0x7fff80203456);
}

static void test_bad_tables(void **state)
{
	(void)state;
	entry(ROOT, 0, 0x100003); /* not RAM */
	entry(ROOT, 1, 0x2083);   /* no pages of 512 GiB: the bit is reserved, the entry a table */
	entry(0x2000, 0, 0x3003);
	expect_fault(&long_mode, 0);
	expect_fault(&long_mode, 0x8000000000);
	/* A table at the end of RAM, and one that the last entry leads out of. */
	entry(ROOT, 2, (RAM - 0x1000) | 3);
	expect_fault(&long_mode, 0x10000000000);
}

static void test_five_levels(void **state)
{
	struct x86_paging p = long_mode;

	(void)state;
	p.cr4 |= X86_CR4_LA57;
	entry(ROOT, 1, 0x2003);
	entry(0x2000, 2, 0x3003);
	entry(0x3000, 3, 0x80000083);
	expect(&p, 1ull << 48 | 2ull << 39 | 3ull << 30 | 0x1234, 0x80001234);
	expect_fault(&p, 1ull << 60);
}

static void test_pae(void **state)
{
	static const struct x86_paging p = { .cr0 = X86_CR0_PG | X86_CR0_PE, .cr3 = 0x1020, .cr4 = X86_CR4_PAE };

	(void)state;
	entry(0x1020, 3, 0x2001);
	entry(0x2000, 1, 0x3003);
	entry(0x2000, 2, (0x1234000083ull & ~0x1fffffull) | 0x83);
	entry(0x3000, 4, 0x9876543003);
	expect(&p, 0xc0204567, 0x9876543567);
	expect(&p, 0xc0400042, (0x1234000083ull & ~0x1fffffull) + 0x42);
	expect(&p, 0xffffffffc0204567, 0x9876543567); /* the upper half means nothing */
	expect_fault(&p, 0);
}

static void test_two_levels(void **state)
{
	struct x86_paging p = { .cr0 = X86_CR0_PG | X86_CR0_PE, .cr3 = ROOT, .cr4 = X86_CR4_PSE };

	(void)state;
	entry32(ROOT, 1, 0x2003);
	entry32(ROOT, 2, 0x00800083 | 5u << 13); /* 4 MiB above 4 GiB (PSE-36) */
	entry32(0x2000, 7, 0x5003);
	expect(&p, 0x407123, 0x5123);
	expect(&p, 0x812345, 0x500812345);
	p.cr4 = 0;
	entry32(ROOT, 2, 0x2083); /* a table, without PSE */
	expect(&p, 0x807123, 0x5123);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_no_paging, setup),  cmocka_unit_test_setup(test_four_levels, setup),
		cmocka_unit_test_setup(test_bad_tables, setup), cmocka_unit_test_setup(test_five_levels, setup),
		cmocka_unit_test_setup(test_pae, setup),        cmocka_unit_test_setup(test_two_levels, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
