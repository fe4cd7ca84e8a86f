/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSRs that exit, by one table. What is neither in it nor an extension's raises #GP, as a CPU without it does. Those
 * that the hardware switches by itself do not exit. Numbers: Intel SDM volume 4; APM 2, appendix A.
 */
#include <inttypes.h>
#include <stddef.h>

#include <husk/log.h>

#include "arch/x86_64/hvm/hvm.h"
#include "arch/x86_64/hvm/msr.h"
#include "arch/x86_64/pc/x86.h"

const uint32_t hvm_direct_msrs[HVM_DIRECT_MSRS] = {
	MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_PAT,     MSR_STAR,           MSR_LSTAR,
	MSR_CSTAR,       MSR_SFMASK,       MSR_FS_BASE,      MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
};

/** What a write does. SAME: the constant may be written, anything else is refused. */
enum write_rule { REFUSE, IGNORE, SAME };

/** An MSR that reads as a constant. */
struct rule {
	uint32_t msr;
	enum write_rule write;
	uint64_t value;
};

static const struct rule rules[] = {
	{ 0x0000003b, SAME, 0 },         /* TSC_ADJUST: the TSC is never set */
	{ 0x0000008b, IGNORE, 0 },       /* microcode revision: 0 is written before it is read */
	{ 0x000001a0, IGNORE, 1 },       /* MISC_ENABLE: fast strings */
	{ 0x000001d9, IGNORE, 0 },       /* DEBUGCTL: no last branch records */
	{ 0xc0010015, IGNORE, 0 },       /* AMD HWCR */
	{ 0xc001001f, IGNORE, 0 },       /* AMD NB_CFG */
	{ 0xc0010055, IGNORE, 0 },       /* AMD interrupt pending: no C1E */
	{ 0xc0010114, IGNORE, 1u << 4 }, /* AMD VM_CR: SVM is switched off */
	{ 0xc0011020, IGNORE, 0 },       /* AMD LS_CFG */
	{ 0xc0011022, IGNORE, 0 },       /* AMD DC_CFG */
	{ 0xc0011029, IGNORE, 1u << 1 }, /* AMD DE_CFG: LFENCE is serializing, as Linux wants it */
};

#define EFER_BITS   (X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE)
#define EFER_FFXSR  (1u << 14)
#define CPUID_FFXSR (1u << 25) /* 0x80000001, EDX */

static const struct rule *find(uint32_t msr)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].msr == msr)
			return &rules[i];
	}
	return NULL;
}

/* SDM 3A, 9.8.5: LME cannot change while paging is on; LMA is the CPU's own. */
static bool write_efer(struct x86_cpu *c, uint64_t value)
{
	uint64_t now = c->hvm->get(c, X86_EFER);
	bool paging = (c->hvm->get(c, X86_CR0) & X86_CR0_PG) != 0;
	uint64_t bits = EFER_BITS;

	/* Intel's CPUs do not have it, and would not enter the guest with it. */
	if ((cpuid(0x80000001u, 0).edx & CPUID_FFXSR) != 0)
		bits |= EFER_FFXSR;
	if ((value & ~bits) != 0 || (paging && ((value ^ now) & X86_EFER_LME) != 0))
		return false;
	c->hvm->set(c, X86_EFER, (value & ~(uint64_t)X86_EFER_LMA) | (now & X86_EFER_LMA));
	return true;
}

static bool refuse(struct x86_cpu *c, const char *what, uint32_t msr)
{
	log_debug("vCPU %u: %s MSR 0x%" PRIx32 " refused at 0x%" PRIx64, c->vcpu.id, what, msr, c->rip);
	return false;
}

bool hvm_read_msr(struct x86_cpu *c, uint32_t msr, uint64_t *value)
{
	const struct rule *rule = find(msr);

	for (struct x86_extension *x = c->extensions; x != NULL; x = x->next) {
		enum x86_msr_result done = x->read_msr != NULL ? x->read_msr(x, c, msr, value) : X86_MSR_UNKNOWN;

		if (done != X86_MSR_UNKNOWN)
			return done == X86_MSR_DONE || refuse(c, "read of", msr);
	}
	if (msr == MSR_EFER)
		*value = c->hvm->get(c, X86_EFER);
	else if (rule != NULL)
		*value = rule->value;
	else
		return refuse(c, "read of", msr);
	return true;
}

bool hvm_write_msr(struct x86_cpu *c, uint32_t msr, uint64_t value)
{
	const struct rule *rule = find(msr);

	for (struct x86_extension *x = c->extensions; x != NULL; x = x->next) {
		enum x86_msr_result done = x->write_msr != NULL ? x->write_msr(x, c, msr, value) : X86_MSR_UNKNOWN;

		if (done != X86_MSR_UNKNOWN)
			return done == X86_MSR_DONE || refuse(c, "write to", msr);
	}
	if (msr == MSR_EFER)
		return write_efer(c, value) || refuse(c, "write to", msr);
	if (rule != NULL && (rule->write == IGNORE || (rule->write == SAME && value == rule->value)))
		return true;
	return refuse(c, "write to", msr);
}
