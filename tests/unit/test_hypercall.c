/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c core/hypercall.c core/memory.c core/log.c tests/unit/fake_platform.c */
/* Finding handlers, and copies to and from the caller's memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/hypercall.h>
#include <husk/vm.h>

#include "tests/unit/fake_platform.h"

#define RAM  0x10000u
#define BASE 0xffff800000000000ull

static struct vm vm;
static struct vcpu vcpu;
static struct hypercall call;

/* Pages at BASE in reverse order; the one that would be page 3 is not mapped. */
static int translate(struct vcpu *v, uint64_t gva, uint64_t *gpa)
{
	uint64_t offset = gva - (call.word == 8 ? BASE : 0xffff0000u);

	assert_ptr_equal(v, &vcpu);
	if (offset >= RAM || offset >> 12 == 3)
		return -EFAULT;
	*gpa = (RAM - 4096 - (offset & ~0xfffull)) | (offset & 0xfff);
	return 0;
}

static const struct engine engine = { .translate = translate };

static int64_t one(struct hypercall *h)
{
	return (int64_t)h->args[1];
}
HYPERCALL(first) = { 7, 1, one };

static int64_t two(struct hypercall *h)
{
	h->again = true;
	return -(int64_t)h->args[1];
}
HYPERCALL(second) = { 7, 2, two };

static int64_t any(struct hypercall *h)
{
	return (int64_t)h->args[0];
}
HYPERCALL(third) = { 9, HYPERCALL_ANY_OP, any };

static int setup(void **state)
{
	(void)state;
	fake_reset();
	memset(&vm, 0, sizeof(vm));
	vm.engine = &engine;
	vcpu.vm = &vm;
	call = (struct hypercall){ .vcpu = &vcpu, .word = 8 };
	assert_int_equal(memory_add_ram(&vm.memory, 0, RAM), 0);
	return 0;
}

static int64_t dispatch(uint64_t nr, uint64_t a0, uint64_t a1)
{
	call.nr = nr;
	call.args[0] = a0;
	call.args[1] = a1;
	return hypercall_dispatch(&call);
}

static void test_dispatch(void **state)
{
	(void)state;
	assert_int_equal(dispatch(7, 1, 42), 42);
	assert_false(call.again);
	assert_int_equal(dispatch(7, 2, 42), -42);
	assert_true(call.again);
	assert_int_equal(dispatch(9, 5, 0), 5);
	assert_int_equal(dispatch(9, UINT32_MAX, 0), UINT32_MAX);
	/* Operations are 32 bits wide. */
	assert_int_equal(dispatch(7, 0xabcd00000001ull, 3), 3);
}

static void test_unknown(void **state)
{
	(void)state;
	assert_int_equal(dispatch(7, 3, 0), -38);
	assert_int_equal(dispatch(7, UINT32_MAX, 0), -38);
	assert_int_equal(dispatch(8, 1, 0), -38);
	/* The number is not cut. */
	assert_int_equal(dispatch(0x100000007ull, 1, 0), -38);
}

static void test_copy(void **state)
{
	uint8_t out[6000], in[6000];

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	assert_int_equal(hypercall_write(&call, BASE + 4000, out, sizeof(out)), 0);
	assert_int_equal(hypercall_read(&call, BASE + 4000, in, sizeof(in)), 0);
	assert_memory_equal(in, out, sizeof(in));
	/* The first 96 bytes are at the end of the last page. */
	assert_memory_equal((uint8_t *)memory_borrow(&vm.memory, RAM - 96, 96), out, 96);
	assert_memory_equal((uint8_t *)memory_borrow(&vm.memory, RAM - 2 * 4096, 96), out + 96, 96);
	assert_int_equal(hypercall_read(&call, 0, in, 0), 0);
}

static void test_fault(void **state)
{
	uint8_t buf[8] = "abcdefg";

	(void)state;
	assert_int_equal(hypercall_read(&call, 0, buf, 1), -14);
	assert_int_equal(hypercall_read(&call, BASE + 3 * 4096 - 4, buf, 8), -14);
	assert_int_equal(hypercall_write(&call, BASE + RAM - 4, buf, 8), -14);
	assert_int_equal(hypercall_read(&call, UINT64_MAX - 3, buf, 8), -14);
	/* What lies before the bad page is written. */
	assert_int_equal(hypercall_write(&call, BASE + 3 * 4096 - 4, buf, 8), -14);
	assert_memory_equal((uint8_t *)memory_borrow(&vm.memory, RAM - 2 * 4096 - 4, 4), buf, 4);
}

/* Mapped to nothing that is RAM. */
static void test_not_ram(void **state)
{
	uint8_t buf[8];

	(void)state;
	vm.memory.nr_ram = 0;
	assert_int_equal(hypercall_read(&call, BASE, buf, 8), -14);
	assert_int_equal(hypercall_write(&call, BASE, buf, 8), -14);
}

/* 32-bit addresses wrap, and upper bits do not count. */
static void test_short_word(void **state)
{
	uint8_t buf[8];

	(void)state;
	call.word = 4;
	assert_int_equal(hypercall_read(&call, 0xffff0000u, buf, 8), 0);
	assert_int_equal(hypercall_read(&call, 0x5ffff0000ull, buf, 8), 0);
	assert_int_equal(hypercall_read(&call, 0xfffffffcu, buf, 4), 0);
	assert_int_equal(hypercall_read(&call, 0xfffffffcu, buf, 8), -14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_dispatch, setup), cmocka_unit_test_setup(test_unknown, setup),
		cmocka_unit_test_setup(test_copy, setup),     cmocka_unit_test_setup(test_fault, setup),
		cmocka_unit_test_setup(test_not_ram, setup),  cmocka_unit_test_setup(test_short_word, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
