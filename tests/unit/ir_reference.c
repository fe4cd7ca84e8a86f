/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/ir_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint64_t sext32(uint64_t v)
{
	return (uint64_t)(int64_t)(int32_t)v;
}

static uint64_t rotate(uint64_t v, unsigned n, unsigned bits)
{
	uint64_t mask = bits == 64 ? ~0ull : 0xffffffff;

	v &= mask;
	return n == 0 ? v : (v >> n | v << (bits - n)) & mask;
}

static uint64_t shift(enum ir_opcode op, uint64_t a, uint64_t b)
{
	unsigned n = b & 63, w = b & 31;

	switch (op) {
	case IR_SHL: return a << n;
	case IR_SHLW: return sext32(a << w);
	case IR_SHR: return a >> n;
	case IR_SHRW: return sext32((uint32_t)a >> w);
	case IR_SAR: return (uint64_t)((int64_t)a >> n);
	case IR_SARW: return (uint64_t)((int64_t)(int32_t)a >> w);
	case IR_ROR: return rotate(a, n, 64);
	default: return sext32(rotate(a, w, 32));
	}
}

static uint64_t leading_zeros(uint64_t v, unsigned bits)
{
	unsigned n = 0;

	while (n < bits && (v >> (bits - 1 - n) & 1) == 0)
		n++;
	return n;
}

static uint64_t read_field(const struct ir_op *o)
{
	uint64_t offset = o->imm - offsetof(struct machine, fields), v = 0;
	unsigned unused = 64 - 8u * o->size;

	memcpy(&v, &expected.fields[offset], o->size);
	return o->is_signed ? (uint64_t)((int64_t)(v << unused) >> unused) : v;
}

/* d of an operation that has only that. */
static uint64_t alu(const struct ir_op *o, uint64_t d, uint64_t a, uint64_t b)
{
	uint64_t imm = sext32(o->imm);

	switch ((enum ir_opcode)o->op) {
	case IR_CONST: return o->imm;
	case IR_MOV: return a;
	case IR_ADD: return a + b;
	case IR_ADDW: return sext32(a + b);
	case IR_SUB: return a - b;
	case IR_SUBW: return sext32(a - b);
	case IR_AND: return a & b;
	case IR_OR: return a | b;
	case IR_XOR: return a ^ b;
	case IR_NOR: return ~(a | b);
	case IR_ADDI: return a + imm;
	case IR_ADDIW: return sext32(a + imm);
	case IR_ANDI: return a & imm;
	case IR_ORI: return a | imm;
	case IR_XORI: return a ^ imm;
	case IR_SLT: return (int64_t)a < (int64_t)b;
	case IR_SLTU: return a < b;
	case IR_SLTI: return (int64_t)a < (int64_t)imm;
	case IR_SLTIU: return a < imm;
	case IR_SEQ: return a == b;
	case IR_SNE: return a != b;
	case IR_SHL:
	case IR_SHLW:
	case IR_SHR:
	case IR_SHRW:
	case IR_SAR:
	case IR_SARW:
	case IR_ROR:
	case IR_RORW: return shift((enum ir_opcode)o->op, a, b);
	case IR_SHLI: return shift(IR_SHL, a, o->imm);
	case IR_SHLIW: return shift(IR_SHLW, a, o->imm);
	case IR_SHRI: return shift(IR_SHR, a, o->imm);
	case IR_SHRIW: return shift(IR_SHRW, a, o->imm);
	case IR_SARI: return shift(IR_SAR, a, o->imm);
	case IR_SARIW: return shift(IR_SARW, a, o->imm);
	case IR_RORI: return shift(IR_ROR, a, o->imm);
	case IR_RORIW: return shift(IR_RORW, a, o->imm);
	case IR_SEXT8: return (uint64_t)(int64_t)(int8_t)a;
	case IR_SEXT16: return (uint64_t)(int64_t)(int16_t)a;
	case IR_SEXT32: return sext32(a);
	case IR_ZEXT32: return (uint32_t)a;
	case IR_MUL: return a * b;
	case IR_MULW: return sext32(a * b);
	case IR_CLZ: return leading_zeros(a, 64);
	case IR_CLZW: return leading_zeros(a, 32);
	case IR_MOVZ: return b == 0 ? a : d;
	case IR_MOVN: return b != 0 ? a : d;
	case IR_STATE: return read_field(o);
	default: fail_msg("no reference for operation %u", o->op); return 0;
	}
}

static bool holds(const struct ir_op *o, uint64_t a, uint64_t b)
{
	switch (o->cc) {
	case IR_EQ: return a == b;
	case IR_NE: return a != b;
	case IR_LT: return (int64_t)a < (int64_t)b;
	case IR_GE: return (int64_t)a >= (int64_t)b;
	case IR_LE: return (int64_t)a <= (int64_t)b;
	default: return (int64_t)a > (int64_t)b;
	}
}

/* --- the block under way */

static uint64_t temps[IR_MAX_VARS];

static uint64_t *var(ir_var v)
{
	return v < NR_STATE ? &expected.vars[v] : &temps[v];
}

static uint64_t value(ir_var v)
{
	return v == IR_NONE ? 0 : *var(v);
}

static uint64_t place_of(const struct ir_op *o)
{
	return o->pc | (o->in_slot ? X86_IN_SLOT : 0);
}

/* Instructions that count when a helper leaves: its own, and the branch in whose slot that stands. */
static unsigned insns_with(const struct ir_op *o)
{
	return o->insns + (o->in_slot ? 2u : 1u);
}

/* True if control leaves by what a helper returned. */
static bool left(const struct ir_op *o, uint64_t result)
{
	if (result != 0)
		expected.instructions += insns_with(o);
	return result != 0;
}

static bool exec(const struct ir_op *o, bool fp)
{
	cpu.partial = insns_with(o);
	return left(o, (fp ? helper_exec_fp : helper_exec)(&expected, o->insn, place_of(o)));
}

/* True if control leaves, as of all below. */
static bool load(const struct ir_op *o)
{
	uint64_t va = value(o->a) + sext32(o->imm), v;
	bool slow = o->e == IR_NONE && !is_fast(va, o->size, false);

	if (!slow) {
		v = read_ram(&expected, va, o->size, o->is_signed);
	} else {
		uint64_t kind = o->size | (o->is_signed ? X86_SIGNED : 0);
		struct x86_result r;

		cpu.partial = insns_with(o);
		r = helper_load(&expected, va, place_of(o), kind);
		if (left(o, r.leave))
			return true;
		v = r.value;
	}
	*var(o->d) = o->keeps_high ? (value(o->d) & ~0xffffffffull) | (uint32_t)v : v;
	if (!slow || !counted || o->in_slot || expected.attention == 0)
		return false;
	expected.instructions += insns_with(o);
	expected.pc = o->pc + 4;
	return true;
}

static bool store(const struct ir_op *o)
{
	uint64_t va = value(o->a) + sext32(o->imm);

	if (o->e != IR_NONE || is_fast(va, o->size, true)) {
		write_ram(&expected, va, o->size, value(o->b));
		return false;
	}
	cpu.partial = insns_with(o);
	return left(o, helper_store(&expected, va, place_of(o), value(o->b), o->size));
}

static bool store_conditional(const struct ir_op *o)
{
	uint64_t va = value(o->a) + sext32(o->imm);

	if (expected.ll_valid == 0 || expected.ll_address != va || !is_fast(va, o->size, true))
		return exec(o, false);
	write_ram(&expected, va, o->size, value(o->b));
	expected.ll_valid = 0;
	*var(o->d) = 1;
	return false;
}

/* True if the page of all accesses is at hand. */
static bool is_mapped(const struct ir_op *o)
{
	uint64_t first = value(o->a) + sext32(o->imm), last = first + o->note - o->size;

	return first / PAGE == last / PAGE && is_fast(last, o->size, o->is_signed);
}

static bool divide(const struct ir_op *o)
{
	bool wide = o->op == IR_DIV || o->op == IR_DIVU, is_signed = o->op == IR_DIV || o->op == IR_DIVW;
	uint64_t a = wide ? value(o->a) : (uint32_t)value(o->a), b = wide ? value(o->b) : (uint32_t)value(o->b), q, r;

	/* The back end leaves all divisions by -1 to the helper. */
	if (b == 0 || (is_signed && b == (wide ? ~0ull : 0xffffffff)))
		return exec(o, false);
	if (is_signed) {
		int64_t n = wide ? (int64_t)a : (int32_t)a, m = wide ? (int64_t)b : (int32_t)b;

		q = (uint64_t)(n / m);
		r = (uint64_t)(n % m);
	} else {
		q = a / b;
		r = a % b;
	}
	*var(o->d) = wide ? q : sext32(q);
	*var(o->e) = wide ? r : sext32(r);
	return false;
}

static void multiply(const struct ir_op *o)
{
	uint64_t a = value(o->a), b = value(o->b);
	__int128 s = (__int128)(int64_t)a * (int64_t)b;
	unsigned __int128 u = (unsigned __int128)a * b;

	*var(o->d) = a * b;
	*var(o->e) = o->op == IR_MULH ? (uint64_t)(s >> 64) : (uint64_t)(u >> 64);
}

static bool floating_point(const struct ir_op *o)
{
	uint64_t a = value(o->a), b = value(o->b), e = value(o->e), result;
	bool usual = reference_fp(o, *var(o->d), a, b, e, &result);

	if (ir_is_fp_arithmetic(o))
		expected.last = (struct x86_fp_last){ .a = a, .b = b, .e = e, .note = o->note };
	if (!usual) {
		if (exec(o, true))
			return true;
		if (o->op == IR_FCMP)
			*var(o->d) = expected.fp_status >> o->imm & 1;
		return false;
	}
	*var(o->d) = result;
	if (o->op == IR_FCMP)
		expected.fp_status = (expected.fp_status & ~(1u << o->imm)) | (uint32_t)result << o->imm;
	return false;
}

static void put_field(const struct ir_op *o)
{
	uint64_t v = value(o->a);

	memcpy((uint8_t *)&expected + o->imm, &v, o->size);
}

/* An operation that goes on unless a helper leaves. */
static bool one(const struct ir_op *o)
{
	if (o->op >= IR_FADD && o->op <= IR_FPUT)
		return floating_point(o);
	switch ((enum ir_opcode)o->op) {
	case IR_MULH:
	case IR_MULHU: multiply(o); return false;
	case IR_DIV:
	case IR_DIVU:
	case IR_DIVW:
	case IR_DIVUW: return divide(o);
	case IR_LOAD: return load(o);
	case IR_STORE: return store(o);
	case IR_SC: return store_conditional(o);
	case IR_EXEC: return exec(o, o->size != 0);
	case IR_TRAP: return holds(o, value(o->a), value(o->b)) && exec(o, false);
	case IR_PUT: put_field(o); return false;
	default: *var(o->d) = alu(o, *var(o->d), value(o->a), value(o->b)); return false;
	}
}

/* --- leaving */

static unsigned number_of(const struct ir_op *o)
{
	unsigned n = 0;

	for (const struct ir_op *before = ir.ops; before < o; before++)
		n += before->op == IR_BRANCH || before->op == IR_MAP ||
		     (before->op == IR_ATTEND && (counted || before->always));
	return FIRST_EXIT + n;
}

/* Leaves by an exit. */
static uint32_t leave_by(const struct ir_op *o)
{
	expected.instructions += o->insns;
	if (o->op == IR_STEP)
		return number_of(o) | X86_STEP_FLAG;
	if (o->linkable || o->op == IR_MAP)
		return number_of(o);
	expected.pc = o->imm;
	return X86_LEFT;
}

static bool is_taken(const struct ir_op *o)
{
	switch ((enum ir_opcode)o->op) {
	case IR_MAP: return !is_mapped(o);
	case IR_ATTEND: return (counted || o->always) && expected.attention != 0;
	case IR_BRANCH: return holds(o, value(o->a), value(o->b));
	default: return ir_leaves(o);
	}
}

static bool goes_back(const struct ir_op *o)
{
	return (o->op == IR_BRANCH || o->op == IR_EXIT) && o->imm == ir.pc;
}

uint32_t reference(bool loops)
{
	memset(temps, 0, sizeof(temps));
	for (const struct ir_op *o = ir.ops; o < &ir.ops[ir.count]; o++) {
		if (!is_taken(o)) {
			if (o->op != IR_BRANCH && o->op != IR_MAP && o->op != IR_ATTEND && one(o))
				return X86_LEFT;
			continue;
		}
		if (o->op == IR_JUMP) {
			expected.instructions += o->insns;
			expected.pc = value(o->a);
			return X86_LEFT;
		}
		if (!loops || !goes_back(o))
			return leave_by(o);
		expected.instructions += o->insns;
		if (expected.attention != 0)
			return number_of(o);
		o = ir.ops - 1;
	}
	fail_msg("the block does not end");
	return 0;
}
