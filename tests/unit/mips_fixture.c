/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/mips_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>

#include "arch/mips64/guest/tlb.h"
#include "tests/unit/fake_platform.h"

static const struct mips_model base_model = {
	.name = "test",
	.prid = 0x00018100,
	.config = { 0x80004c03, 0x7e000000 | 1u << 31, 1u << 31, 1u << 31 | CONFIG3_RXI | CONFIG3_ULRI | CONFIG3_LPA,
		    0xffu << 16 | 2u << CONFIG4_IE_SHIFT },
	.config0_rw = 7,
	.intctl = 7u << INTCTL_IPTI_SHIFT,
	.tlb_entries = 64,
	.segbits = 40,
	.pabits = 40,
	.watches = 2,
};

static void boot_state(struct fixture *f)
{
	mips_reset(f->cpu, &f->model);
	f->cpu->cp0.ebase = 0xffffffff80000000ull;
	mips_set_status(f->cpu, STATUS_KX | STATUS_SX | STATUS_UX | STATUS_CU0);
}

struct fixture *fixture_new_with(uint32_t features, bool big_endian)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_reset();
	f->params.counter_hz = 100000000;
	f->model = base_model;
	f->model.features = features;
	f->model.big_endian = big_endian;
	f->vm.params = &f->params;
	f->vm.engine = feature_provider(FEATURE_ENGINE);
	f->vm.timer = feature_provider(FEATURE_TIMER);
	assert_non_null(f->vm.engine);
	assert_non_null(f->vm.timer);
	assert_int_equal(memory_add_ram(&f->vm.memory, 0, FIXTURE_RAM), 0);
	f->vcpu = plat_pages_alloc(f->vm.engine->vcpu_size, 4096);
	f->vcpu->vm = &f->vm;
	f->vm.vcpus[0] = f->vcpu;
	f->vm.nr_vcpus = 1;
	f->cpu = mips_cpu(f->vcpu);
	plat_cpu_bind(&f->vcpu->attention);
	boot_state(f);
	assert_int_equal(f->vm.engine->create(f->vcpu), 0);
	return f;
}

struct fixture *fixture_new(void)
{
	return fixture_new_with(0, false);
}

void fixture_free(struct fixture *f)
{
	fake_reset();
	free(f);
}

void fixture_put(struct fixture *f, uint64_t gpa, const uint32_t *words, size_t count)
{
	for (size_t n = 0; n < count; n++) {
		uint32_t word = f->model.big_endian ? __builtin_bswap32(words[n]) : words[n];

		assert_int_equal(memory_write(&f->vm.memory, gpa + 4 * n, &word, 4), 0);
	}
}

void fixture_step(struct fixture *f, unsigned steps)
{
	while (steps-- > 0)
		f->vm.engine->step(f->vcpu);
}

void fixture_run(struct fixture *f, const uint32_t *words, size_t count, unsigned steps)
{
	fixture_put(f, CODE_GPA, words, count);
	f->cpu->pc = CODE;
	fixture_step(f, steps);
}

void fixture_exec(struct fixture *f, uint32_t word)
{
	fixture_run(f, &word, 1, 1);
}

void fixture_run_to_wait(struct fixture *f, const uint32_t *words, size_t count)
{
	enum engine_exit why;

	fixture_put(f, CODE_GPA, words, count);
	f->cpu->pc = CODE;
	do {
		vcpu_take_attention(f->vcpu);
		why = f->vm.engine->run(f->vcpu);
	} while (why == ENGINE_ATTENTION);
	f->cpu->waiting = false;
}

unsigned fixture_exccode(const struct fixture *f)
{
	return (f->cpu->cp0.cause & CAUSE_EXCCODE) >> CAUSE_EXCCODE_SHIFT;
}

void fixture_tlb(struct fixture *f, unsigned index, uint64_t va, uint8_t asid, uint32_t pagemask, uint64_t lo0,
		 uint64_t lo1)
{
	uint64_t entryhi = f->cpu->cp0.entryhi;

	mips_cp0_write(f->cpu, 5, 0, pagemask);
	mips_cp0_write(f->cpu, 10, 0, va | asid);
	mips_cp0_write(f->cpu, 2, 0, lo0);
	mips_cp0_write(f->cpu, 3, 0, lo1);
	mips_cp0_write(f->cpu, 0, 0, index);
	assert_true(mips_tlbwi(f->cpu));
	mips_cp0_write(f->cpu, 10, 0, entryhi);
}

void fixture_user_mode(struct fixture *f, uint64_t pc)
{
	mips_set_status(f->cpu, STATUS_KX | STATUS_SX | STATUS_UX | 2u << STATUS_KSU_SHIFT);
	f->cpu->pc = pc;
}

void fixture_leave_exception(struct fixture *f)
{
	mips_set_status(f->cpu, f->cpu->cp0.status & ~STATUS_EXL);
}
