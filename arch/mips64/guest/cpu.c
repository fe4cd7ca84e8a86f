/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset, interrupt inputs, mode. */
#include "arch/mips64/guest/cpu.h"

#include <string.h>

#include <husk/feature.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/mmu.h"

HUSK_FEATURE(cpu_mips64) = {
	.name = "cpu-mips64",
	.purpose = "MIPS64 Release 2 guest CPU: decoder, CP0, TLB, exceptions",
	.level = FEATURE_CPU,
};

/* State that follows from registers written by software, as after power-on. */
static void clear_state(struct mips_cpu *c)
{
	memset(c->gpr, 0, sizeof(c->gpr));
	memset(&c->cp0, 0, sizeof(c->cp0));
	memset(c->fpu.fpr, 0, sizeof(c->fpu.fpr));
	memset(&c->fpu.last, 0, sizeof(c->fpu.last));
	c->fpu.fcsr = 0;
	memset(&c->octeon, 0, sizeof(c->octeon));
	memset(c->cvmseg, 0, sizeof(c->cvmseg));
	memset(c->history, 0, sizeof(c->history));
	c->hi = c->lo = 0;
	c->insns = NULL;
	c->delay = NULL;
	c->ll_valid = c->waiting = c->user_mode_seen = false;
	c->ll_address = c->nested = c->exceptions = c->recorded = 0;
	c->refills = c->walks = 0;
	c->compare = c->stopped_count = 0;
	c->woken_pc[0] = c->woken_pc[1] = c->woken_exceptions = 0;
	c->lines_taken = 0;
}

int mips_reset(struct mips_cpu *c, const struct mips_model *model)
{
	int err;

	c->model = model;
	err = mips_tlb_create(c);
	if (err < 0)
		return err;
	clear_state(c);
	mips_tlb_reset(c);
	c->big_endian = model->big_endian;
	memcpy(c->cp0.config, model->config, sizeof(c->cp0.config));
	if (c->walker != NULL)
		c->cp0.config[3] |= CONFIG3_PW;
	c->cp0.status = STATUS_BEV | STATUS_ERL;
	c->cp0.intctl = model->intctl;
	c->cp0.ebase = 0xffffffff80000000ull | c->vcpu.id;
	c->pc = 0xffffffffbfc00000ull;
	mips_watch_update(c);
	mips_stlb_flush(c);
	mips_update_mode(c);
	return 0;
}

/* FCSR bits that must be 0 for arithmetic to be what the host's is: FS, Enables and RM. */
#define FCSR_UNUSUAL (1u << 24 | 0x1fu << 7 | 3u)

static bool has_fast_fp(const struct mips_cpu *c)
{
	uint32_t on = STATUS_CU1 | STATUS_FR;

	return c->fpu.settle != NULL && mips_has(c, MIPS_HAS_FPU) && (c->cp0.status & on) == on &&
	       (c->fpu.fcsr & FCSR_UNUSUAL) == 0;
}

static bool may_read_tls(const struct mips_cpu *c)
{
	return (c->cp0.config[3] & CONFIG3_ULRI) != 0 &&
	       (c->mode == MIPS_KERNEL || (c->cp0.status & STATUS_CU0) != 0 || (c->cp0.hwrena & HWRENA_ULR) != 0);
}

/* Virtual addresses have no more than 50 bits that tell them apart, besides those of their segment (62 and 63). */
static void update_code_mode(struct mips_cpu *c)
{
	c->code_mode = (uint32_t)c->mode | (mips_64bit_operations(c) ? 0 : MIPS_CODE_NARROW) |
		       (has_fast_fp(c) ? MIPS_CODE_FAST_FP : 0) | (may_read_tls(c) ? MIPS_CODE_TLS : 0);
	c->fetch_key = (uint64_t)c->code_mode << 49 ^ c->asid_key << 50;
}

void mips_update_mode(struct mips_cpu *c)
{
	uint32_t ksu = (c->cp0.status & STATUS_KSU) >> STATUS_KSU_SHIFT;

	/* KSU is 0 kernel, 1 supervisor, 2 user; EXL and ERL are kernel mode whatever it says (PRA 3.3). */
	if (c->cp0.status & (STATUS_EXL | STATUS_ERL) || ksu == 0)
		c->mode = MIPS_KERNEL;
	else
		c->mode = ksu == 1 ? MIPS_SUPERVISOR : MIPS_USER;
	if (c->mode == MIPS_USER)
		c->user_mode_seen = true;
	c->stlb = &c->stlbs[c->mode];
	c->itlb = c->itlbs[c->mode];
	c->asid_key = c->mode == MIPS_KERNEL ? 0 : (c->cp0.entryhi & ENTRYHI_ASID) << 4;
	update_code_mode(c);
}

void mips_take_lines(struct mips_cpu *c)
{
	uint32_t lines = __atomic_load_n(&c->lines, __ATOMIC_RELAXED);

	c->cp0.cause = (c->cp0.cause & ~(c->lines_taken & ~lines)) | (lines & ~c->lines_taken);
	c->lines_taken = lines;
}

void mips_irq_input(void *cpu, unsigned n, bool level)
{
	struct mips_cpu *c = cpu;
	uint32_t bit = 1u << (CAUSE_IP_SHIFT + n), lines = c->lines;

	/* Nobody else writes it: the VM is locked. */
	__atomic_store_n(&c->lines, level ? lines | bit : lines & ~bit, __ATOMIC_RELAXED);
	if (smp_is_own(&c->vcpu))
		mips_take_lines(c);
	vcpu_kick(&c->vcpu, ATTN_IRQ);
}
