/* SPDX-License-Identifier: BSD-2-Clause */
/* Branches and jumps (MD00087, volume II). The delay slot runs before the branch is taken, with the link written. */
#include "arch/mips64/guest/branch.h"
#include "arch/mips64/guest/isa.h"
#include "arch/mips64/guest/operands.h"

#define BRANCH(name, how, condition)                                                       \
	static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                  \
		return how(c, i, condition);                                               \
	}

#define BRANCH_LINK(name, how, condition)                                                  \
	static const struct mips_insn *name(struct mips_cpu *c, const struct mips_insn *i) \
	{                                                                                  \
		bool taken = condition;                                                    \
		c->gpr[31] = mips_pc(c, i) + 8;                                            \
		return how(c, i, taken);                                                   \
	}

BRANCH(op_b, mips_branch, true)
BRANCH(op_beq, mips_branch, A == B)
BRANCH(op_bne, mips_branch, A != B)
BRANCH(op_blez, mips_branch, (int64_t)A <= 0)
BRANCH(op_bgtz, mips_branch, (int64_t)A > 0)
BRANCH(op_bltz, mips_branch, (int64_t)A < 0)
BRANCH(op_bgez, mips_branch, (int64_t)A >= 0)
BRANCH(op_beql, mips_branch_likely, A == B)
BRANCH(op_bnel, mips_branch_likely, A != B)
BRANCH(op_blezl, mips_branch_likely, (int64_t)A <= 0)
BRANCH(op_bgtzl, mips_branch_likely, (int64_t)A > 0)
BRANCH(op_bltzl, mips_branch_likely, (int64_t)A < 0)
BRANCH(op_bgezl, mips_branch_likely, (int64_t)A >= 0)
BRANCH_LINK(op_bltzal, mips_branch, (int64_t)A < 0)
BRANCH_LINK(op_bgezal, mips_branch, (int64_t)A >= 0)
BRANCH_LINK(op_bltzall, mips_branch_likely, (int64_t)A < 0)
BRANCH_LINK(op_bgezall, mips_branch_likely, (int64_t)A >= 0)

static const struct mips_insn *op_jr(struct mips_cpu *c, const struct mips_insn *i)
{
	uint64_t target = A;

	return mips_delay_slot(c, i) ? mips_jump(c, target) : NULL;
}

static const struct mips_insn *op_jalr(struct mips_cpu *c, const struct mips_insn *i)
{
	uint64_t target = A;

	c->gpr[i->d] = mips_pc(c, i) + 8;
	return mips_delay_slot(c, i) ? mips_jump(c, target) : NULL;
}

/* J and JAL stay in the 256 MiB region of their delay slot; imm is the 26-bit index. */
static uint64_t region_target(const struct mips_cpu *c, const struct mips_insn *i)
{
	return ((mips_pc(c, i) + 4) & ~0xfffffffull) | (uint64_t)(uint32_t)i->imm << 2;
}

static const struct mips_insn *op_j(struct mips_cpu *c, const struct mips_insn *i)
{
	uint64_t target = region_target(c, i);

	return mips_delay_slot(c, i) ? mips_jump(c, target) : NULL;
}

static const struct mips_insn *op_jal(struct mips_cpu *c, const struct mips_insn *i)
{
	uint64_t target = region_target(c, i);

	c->gpr[31] = mips_pc(c, i) + 8;
	return mips_delay_slot(c, i) ? mips_jump(c, target) : NULL;
}

static mips_exec *const by_opcode[64] = {
	[0x04] = op_beq,  [0x05] = op_bne,  [0x06] = op_blez,  [0x07] = op_bgtz,
	[0x14] = op_beql, [0x15] = op_bnel, [0x16] = op_blezl, [0x17] = op_bgtzl,
};

static mips_exec *const regimm[32] = {
	[0x00] = op_bltz,   [0x01] = op_bgez,   [0x02] = op_bltzl,   [0x03] = op_bgezl,
	[0x10] = op_bltzal, [0x11] = op_bgezal, [0x12] = op_bltzall, [0x13] = op_bgezall,
};

static mips_exec *decode_jump(uint32_t w, struct mips_insn *out)
{
	out->imm = (int32_t)(w & 0x3ffffff);
	return mips_op(w) == 0x02 ? op_j : op_jal;
}

mips_exec *mips_decode_branch(const struct mips_cpu *c, uint32_t w, struct mips_insn *out)
{
	unsigned op = mips_op(w);

	(void)c;
	out->imm = mips_simm(w) + 1; /* from the branch, not from its delay slot */
	switch (op) {
	case 0x00:
		if (mips_funct(w) == 0x08)
			return op_jr;
		return mips_funct(w) == 0x09 ? op_jalr : NULL;
	case 0x01: return regimm[mips_rt(w)];
	case 0x02:
	case 0x03: return decode_jump(w, out);
	case 0x04: return out->a == out->b ? op_b : op_beq;
	default: return by_opcode[op];
	}
}

bool mips_base_is_branch(uint32_t w)
{
	unsigned op = mips_op(w), funct = mips_funct(w);

	if (op == 0)
		return funct == 0x08 || funct == 0x09;
	if (op == 1)
		return regimm[mips_rt(w)] != NULL;
	return op == 0x02 || op == 0x03 || by_opcode[op] != NULL;
}
