/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPU that the guest sees: what the host's CPU has, masked by one table. What is not in it reads as 0. Features
 * that are extensions (local APIC, Xen) add their own bits. Leaves: Intel SDM 2A, CPUID; APM 3, appendix E.
 */
#include <stddef.h>

#include <husk/platform.h>

#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/pc/x86.h"

#define ALL 0xffffffffu

/** Bits of a leaf that pass. */
struct rule {
	uint32_t leaf, subleaf; /**< subleaf ANY: any */
	uint32_t eax, ebx, ecx, edx;
};

#define ANY 0xffffffffu

/*
 * 1.ecx: SSE3 PCLMULQDQ SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND. Not: MONITOR, VMX, PDCM,
 * PCID, x2APIC, TSC-deadline.
 */
#define LEAF1_ECX                                                                                                   \
	(1u << 0 | 1u << 1 | 1u << 9 | 1u << 12 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 22 | 1u << 23 | 1u << 25 | \
	 1u << 26 | 1u << 28 | 1u << 29 | 1u << 30)
/* FPU DE PSE TSC MSR PAE CX8 SEP PGE CMOV PAT PSE36 CLFLUSH MMX FXSR SSE SSE2. Not: VME, MCE, APIC, MTRR, MCA, HTT. */
#define LEAF1_EDX                                                                                               \
	(1u << 0 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8 | 1u << 11 | 1u << 13 | 1u << 15 | \
	 1u << 16 | 1u << 17 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 26)
/* FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA */
#define LEAF7_EBX                                                                                                \
	(1u << 0 | 1u << 3 | 1u << 5 | 1u << 7 | 1u << 8 | 1u << 9 | 1u << 18 | 1u << 19 | 1u << 20 | 1u << 23 | \
	 1u << 24 | 1u << 29)
/* UMIP VAES VPCLMULQDQ RDPID */
#define LEAF7_ECX (1u << 2 | 1u << 9 | 1u << 10 | 1u << 22)
/* LAHF CR8 ABM SSE4A MISALIGNSSE PREFETCHW. Not: SVM, IBS, XOP, FMA4, TBM, topology. */
#define EXT1_ECX (1u << 0 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8)
/* Those of leaf 1, and SYSCALL NX MMXEXT FFXSR 1GIB RDTSCP LM */
#define EXT1_EDX                                                                                                  \
	((LEAF1_EDX & ~(1u << 11 | 1u << 19 | 1u << 25 | 1u << 26)) | 1u << 11 | 1u << 20 | 1u << 22 | 1u << 25 | \
	 1u << 26 | 1u << 27 | 1u << 29)

/* Bits of EAX, EBX, ECX and EDX. */
static const struct rule rules[] = {
	{ 0x00000000, ANY, 0, ALL, ALL, ALL }, /* vendor; the highest leaf is set below */
	{ 0x00000001, ANY, ALL, 0x0000ff00, LEAF1_ECX, LEAF1_EDX },
	{ 0x00000007, 0, 0, LEAF7_EBX, LEAF7_ECX, 1u << 4 }, /* FSRM */
	{ 0x0000000d, 0, HVM_XCR0, ALL, ALL, 0 },
	{ 0x0000000d, 1, 7, ALL, 0, 0 }, /* XSAVEOPT XSAVEC XGETBV1 */
	{ 0x0000000d, 2, ALL, ALL, ALL, 0 },
	{ 0x80000000, ANY, 0, ALL, ALL, ALL },
	{ 0x80000001, ANY, ALL, 0, EXT1_ECX, EXT1_EDX },
	{ 0x80000002, ANY, ALL, ALL, ALL, ALL }, /* name */
	{ 0x80000003, ANY, ALL, ALL, ALL, ALL },
	{ 0x80000004, ANY, ALL, ALL, ALL, ALL },
	{ 0x80000005, ANY, ALL, ALL, ALL, ALL }, /* caches */
	{ 0x80000006, ANY, ALL, ALL, ALL, ALL },
	{ 0x80000007, ANY, 0, 0, 0, 0 },
	{ 0x80000008, ANY, 0x0000ffff, 1u << 0 | 1u << 2, 0, 0 }, /* address sizes; CLZERO, XSAVEERPTR */
};

#define HIGHEST_BASIC    0x0000000du
#define HIGHEST_EXTENDED 0x80000008u

#define LEAF1_ECX_OSXSAVE    (1u << 27)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define LEAF1_EBX_APIC_ID    24u
/* A TSC that the host's clock is made of is constant, and tells that nobody has set it. */
#define LEAF7_EBX_TSC_ADJUST (1u << 1)
#define EXT7_EDX_INVARIANT   (1u << 8)

static const struct rule *find(uint32_t leaf, uint32_t subleaf)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].leaf == leaf && (rules[i].subleaf == ANY || rules[i].subleaf == subleaf))
			return &rules[i];
	}
	return NULL;
}

/* Bits that are the virtual CPU's own. */
static void complete(struct x86_cpu *c, uint32_t leaf, uint32_t subleaf, struct x86_cpuid *r)
{
	struct plat_time_scale scale;

	switch (leaf) {
	case 0: r->eax = HIGHEST_BASIC; break;
	case 1:
		r->ebx |= c->vcpu.id << LEAF1_EBX_APIC_ID;
		r->ecx |= LEAF1_ECX_HYPERVISOR;
		if ((c->hvm->get(c, X86_CR4) & X86_CR4_OSXSAVE) != 0)
			r->ecx |= LEAF1_ECX_OSXSAVE;
		break;
	case 7:
		if (subleaf == 0 && plat_time_scale(&scale))
			r->ebx |= LEAF7_EBX_TSC_ADJUST;
		break;
	case 0x80000007u:
		if (plat_time_scale(&scale))
			r->edx |= EXT7_EDX_INVARIANT;
		break;
	case 0x80000000u: r->eax = HIGHEST_EXTENDED; break;
	default: break;
	}
}

/* The highest leaves of the host's kind: higher ones of the host would be answered for one that it does not have. */
static bool host_has(uint32_t leaf)
{
	return leaf <= cpuid(leaf & 0x80000000u, 0).eax;
}

void hvm_cpuid(struct x86_cpu *c)
{
	uint32_t leaf = (uint32_t)c->gpr[X86_RAX], subleaf = (uint32_t)c->gpr[X86_RCX];
	const struct rule *rule = find(leaf, subleaf);
	struct x86_cpuid r = { 0 };

	if (rule != NULL && host_has(leaf)) {
		struct cpuid host = cpuid(leaf, subleaf);

		r = (struct x86_cpuid){ .eax = host.eax & rule->eax,
					.ebx = host.ebx & rule->ebx,
					.ecx = host.ecx & rule->ecx,
					.edx = host.edx & rule->edx };
		complete(c, leaf, subleaf, &r);
	}
	for (struct x86_extension *x = c->extensions; x != NULL; x = x->next) {
		if (x->cpuid != NULL)
			x->cpuid(x, c, leaf, subleaf, &r);
	}
	c->gpr[X86_RAX] = r.eax;
	c->gpr[X86_RBX] = r.ebx;
	c->gpr[X86_RCX] = r.ecx;
	c->gpr[X86_RDX] = r.edx;
}
