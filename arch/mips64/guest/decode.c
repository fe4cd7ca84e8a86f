/* SPDX-License-Identifier: BSD-2-Clause */
/* Instruction words → decoded instructions, by asking the instruction set modules of the image. */
#include <husk/platform.h>

#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/insn.h"
#include "arch/mips64/guest/isa.h"

extern const struct mips_isa *const __start_mips_isa[] __attribute__((weak));
extern const struct mips_isa *const __stop_mips_isa[] __attribute__((weak));

const struct mips_insn *mips_exec_reserved(struct mips_cpu *c, const struct mips_insn *i)
{
	return mips_raise(c, i, EXC_RI);
}

const struct mips_insn *mips_exec_nop(struct mips_cpu *c, const struct mips_insn *i)
{
	(void)c;
	return i + 1;
}

const struct mips_insn *mips_stop_after(struct mips_cpu *c, const struct mips_insn *i)
{
	if (c->delay != NULL) {
		vcpu_kick(&c->vcpu, ATTN_IRQ);
		return i + 1;
	}
	c->pc = mips_pc(c, i) + 4;
	return NULL;
}

void mips_decode_fields(uint32_t word, struct mips_insn *out)
{
	*out = (struct mips_insn){
		.exec = mips_exec_reserved,
		.a = mips_rs(word),
		.b = mips_rt(word),
		.d = mips_dest(mips_rd(word)),
		.s = mips_sa(word),
		.imm = mips_simm(word),
	};
}

/* The base set is the fallback: it has no `needs`, and extensions redefine some of its words. */
static bool ask(const struct mips_cpu *c, uint32_t word, struct mips_insn *out, bool base)
{
	for (const struct mips_isa *const *m = __start_mips_isa; m < __stop_mips_isa; m++) {
		bool is_base = (*m)->needs == 0;

		if (is_base == base && mips_has(c, (*m)->needs) && (*m)->decode(c, word, out))
			return true;
	}
	return false;
}

void mips_decode(const struct mips_cpu *c, uint32_t word, struct mips_insn *out)
{
	if (!ask(c, word, out, false) && !ask(c, word, out, true))
		mips_decode_fields(word, out);
}

bool mips_is_branch(const struct mips_cpu *c, uint32_t word)
{
	for (const struct mips_isa *const *m = __start_mips_isa; m < __stop_mips_isa; m++)
		if (mips_has(c, (*m)->needs) && (*m)->is_branch != NULL && (*m)->is_branch(word))
			return true;
	return false;
}

bool mips_is_barred_from_slot(const struct mips_cpu *c, uint32_t word)
{
	bool cp0_function = mips_op(word) == 0x10 && (word >> 25 & 1) != 0;

	if (cp0_function && (mips_funct(word) == 0x18 || mips_funct(word) == 0x1f))
		return true; /* ERET, DERET */
	return mips_is_branch(c, word);
}

static bool decode_base(const struct mips_cpu *c, uint32_t word, struct mips_insn *out)
{
	static mips_exec *(*const groups[])(const struct mips_cpu *, uint32_t, struct mips_insn *) = {
		mips_decode_alu, mips_decode_memory, mips_decode_branch, mips_decode_muldiv, mips_decode_system,
	};

	for (unsigned n = 0; n < sizeof(groups) / sizeof(groups[0]); n++) {
		mips_exec *exec;

		mips_decode_fields(word, out);
		exec = groups[n](c, word, out);
		if (exec != NULL) {
			out->exec = exec;
			return true;
		}
	}
	return false;
}

MIPS_ISA(base) = {
	.name = "mips64r2",
	.needs = 0,
	.decode = decode_base,
	.is_branch = mips_base_is_branch,
};
