/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FPU, SSE and AVX registers of guest and host. They stay the guest's over exits, with CR0.TS set for the host: most
 * exits need no FPU. The host's first FPU or SSE instruction traps, which saves the guest's registers; they are loaded
 * again before the guest runs. The host has nothing to save: no such register lives over a call (System V ABI, 3.2.1).
 * XCR0 is the guest's all the time; the host neither needs nor trusts it. Sections: Intel SDM volume 1.
 */
#include <errno.h>
#include <string.h>

#include <husk/platform.h>

#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/x86.h"

#define CPUID1_ECX_XSAVE (1u << 26)
#define FXSAVE_SIZE      512u
#define FCW_AT           0u /* table 10-2 */
#define MXCSR_AT         24u
#define FCW_RESET        0x37fu
#define MXCSR_RESET      0x1f80u
#define XCR0_RESET       1u
#define XCR0_X87         (1u << 0)
#define XCR0_SSE         (1u << 1)
#define XCR0_AVX         (1u << 2)

static bool has_xsave(void)
{
	return (cpuid(1, 0).ecx & CPUID1_ECX_XSAVE) != 0;
}

/* 13.2: all that the CPU can save, whatever the guest has switched on. */
static uint64_t all_components(void)
{
	struct cpuid r = cpuid(0xd, 0);

	return (uint64_t)r.edx << 32 | r.eax;
}

static uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static void write_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

void hvm_fpu_start(void)
{
	if (has_xsave())
		write_cr4(read_cr4() | X86_CR4_OSXSAVE);
}

int hvm_fpu_create(struct x86_cpu *c)
{
	size_t size = has_xsave() ? cpuid(0xd, 0).ecx : FXSAVE_SIZE;

	hvm_fpu_start();
	c->fpu = plat_pages_alloc(size, 4096);
	return c->fpu != NULL ? 0 : -ENOMEM;
}

/* Called by the trap that the first use raises, with TS off. General registers only: see feature.mk. */
static void release(void *ctx)
{
	struct x86_cpu *c = ctx;
	const uint32_t mxcsr = MXCSR_RESET;

	if (has_xsave()) {
		uint64_t all = all_components();

		c->xcr0 = read_xcr0();
		/* A component that the guest has switched off keeps its registers. */
		write_xcr0(all);
		__asm__ volatile("xsave64 (%0)"
				 :
				 : "r"(c->fpu), "a"((uint32_t)all), "d"((uint32_t)(all >> 32))
				 : "memory");
		write_xcr0(c->xcr0);
	} else {
		__asm__ volatile("fxsave64 (%0)" : : "r"(c->fpu) : "memory");
	}
	__asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
}

static void load(struct x86_cpu *c)
{
	if (has_xsave()) {
		uint64_t all = all_components();

		write_xcr0(all);
		__asm__ volatile("xrstor64 (%0)"
				 :
				 : "r"(c->fpu), "a"((uint32_t)all), "d"((uint32_t)(all >> 32))
				 : "memory");
		write_xcr0(c->xcr0);
	} else {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(c->fpu) : "memory");
	}
}

/* 13.3: x87 is always on, AVX needs SSE; what CPUID does not tell of is not there. */
bool hvm_fpu_set_xcr0(struct x86_cpu *c, uint64_t value)
{
	uint64_t offered = all_components() & HVM_XCR0;

	if ((value & ~offered) != 0 || (value & XCR0_X87) == 0 || (value & (XCR0_SSE | XCR0_AVX)) == XCR0_AVX)
		return false;
	c->xcr0 = value;
	if (cpu_fpu_lent_to(c))
		write_xcr0(value);
	return true;
}

void hvm_fpu_load(struct x86_cpu *c)
{
	if (cpu_fpu_lent_to(c))
		return;
	/* Of another vCPU, perhaps, whose XCR0 is still there, too. */
	cpu_take_fpu();
	load(c);
	cpu_lend_fpu(release, c);
}

void hvm_fpu_reset(struct x86_cpu *c)
{
	const uint16_t fcw = FCW_RESET;
	const uint32_t mxcsr = MXCSR_RESET;

	cpu_take_fpu();
	memset(c->fpu, 0, FXSAVE_SIZE + 64);
	memcpy((uint8_t *)c->fpu + FCW_AT, &fcw, sizeof(fcw));
	memcpy((uint8_t *)c->fpu + MXCSR_AT, &mxcsr, sizeof(mxcsr));
	c->xcr0 = XCR0_RESET;
}
