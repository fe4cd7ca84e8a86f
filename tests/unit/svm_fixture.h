/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AMD SVM on a CPU that is not there: CPUID, MSRs and the entry into the guest are the test's own, and what is looked at
 * is the VMCB. So parts of SVM that no emulator has are tested too, each with the CPU having it and not. For tests that
 * name the sources which test_svm.c names.
 */
#ifndef TESTS_SVM_FIXTURE_H
#define TESTS_SVM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of arch/x86_64/pc/x86.h. */
#define PC_X86_H
#define MSR_EFER 0xc0000080u

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static struct {
	bool svm;
	uint32_t features; /* CPUID 8000000A EDX */
	bool gigabyte_pages;
	uint64_t vm_cr, efer, save_area;
} computer;

static struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	switch (leaf) {
	case 0x80000000u: return (struct cpuid){ .eax = computer.svm ? 0x8000000au : 0x80000008u };
	case 0x80000001u:
		return (struct cpuid){ .ecx = computer.svm ? 1u << 2 : 0,
				       .edx = computer.gigabyte_pages ? 1u << 26 : 0 };
	case 0x8000000au: return (struct cpuid){ .edx = computer.features };
	default: return (struct cpuid){ 0 };
	}
}

static uint64_t rdmsr(uint32_t msr)
{
	return msr == 0xc0010114u ? computer.vm_cr : msr == MSR_EFER ? computer.efer : 0;
}

static void wrmsr(uint32_t msr, uint64_t value)
{
	*(msr == MSR_EFER ? &computer.efer : &computer.save_area) = value;
}

#include "arch/x86_64/hvm/svm/svm.c"

#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"

#define NPT      (1u << 0)
#define NRIPS    (1u << 3)
#define CLEAN    (1u << 5)
#define FLUSH    (1u << 6)
#define DECODE   (1u << 7)
#define SPINS    (1u << 10)
#define VGIF     (1u << 16)
#define ALL      (NPT | NRIPS | CLEAN | FLUSH | DECODE | SPINS | VGIF)
#define GUEST_AT 0x8000u
#define RAM      0x400000u

static struct hvm_fixture f;
static struct x86_cpu *const c = &f.cpu;
static struct vmcb *b;
static void (*on_enter)(void);
static unsigned entries, recalls;

/* The CPU in place of entry.S: it enters, and leaves as on_enter() says. */
bool svm_enter(uint64_t *gpr, struct vmcb *vmcb, struct vmcb *host, const uint32_t *attention)
{
	assert_ptr_equal(gpr, c->gpr);
	assert_ptr_equal(vmcb, b);
	assert_ptr_equal(host, vmcb + 1);
	if (*attention != 0)
		return false;
	entries++;
	b->exit_event = 0;
	if (on_enter != NULL)
		on_enter();
	return true;
}

void svm_save_host(struct vmcb *host)
{
	assert_int_equal((uintptr_t)host % 4096, 0);
}

void svm_recall_interrupts(void)
{
	recalls++;
}

int hvm_fpu_create(struct x86_cpu *cpu)
{
	(void)cpu;
	return 0;
}

void hvm_fpu_load(struct x86_cpu *cpu)
{
	(void)cpu;
}

/* Makes the vCPU on a computer whose SVM has these parts. */
static void make(uint32_t features)
{
	fake_reset();
	plain = false;
	on_enter = NULL;
	entries = recalls = 0;
	memset(&computer, 0, sizeof(computer));
	computer.svm = true;
	computer.features = features;
	hvm_fixture_init(&f, RAM);
	c->hvm = &svm_ops;
	assert_int_equal(svm_ops.create(c), 0);
	b = &((struct svm *)c->state)->vmcb;
	assert_int_equal(svm_ops.map_memory(c), 0);
	x86_reset(c);
	svm_set(c, X86_EFER, X86_EFER_LMA | X86_EFER_LME);
	svm_set_segment(c, X86_CS, &(struct x86_segment){ .attributes = X86_SEG_CODE64 });
	c->rip = GUEST_AT;
}

static struct hvm_exit leave(uint64_t code, uint64_t info1, uint64_t info2)
{
	struct hvm_exit x;

	memset(&x, 0xa5, sizeof(x)); /* as on the engine's stack */
	b->exit_code = code;
	b->exit_info1 = info1;
	b->exit_info2 = info2;
	svm_ops.enter(c, &x);
	return x;
}

static void put_code(const void *code, size_t size)
{
	assert_int_equal(memory_write(&f.vm.memory, GUEST_AT, code, size), 0);
}

#endif
