/* SPDX-License-Identifier: BSD-2-Clause */
/* Random operations for tests of the back end. */
#include "tests/unit/lower_fixture.h"

ir_var kept;

/* Of the helpers of a block's operations. */
static struct effect effects[IR_MAX_OPS];

ir_var any_operand(void)
{
	unsigned n = below(NR_GENERAL + NR_TEMPS);

	return (ir_var)(n < NR_GENERAL ? n : FIRST_TEMP + n - NR_GENERAL);
}

ir_var any_result(void)
{
	ir_var v;

	do
		v = any_operand();
	while (v == IR_ZERO || v == COUNTER || v == kept);
	return v;
}

static ir_var any_general_result(void)
{
	ir_var v;

	do
		v = any_result();
	while (v >= NR_GENERAL);
	return v;
}

ir_var any_fp(void)
{
	return (ir_var)(FIRST_FP + below(NR_FP));
}

static ir_var any_state_result(void)
{
	ir_var v;

	do
		v = (ir_var)(1 + below(NR_STATE - 1));
	while (v == COUNTER || v == kept);
	return v;
}

void define_temps(void)
{
	for (ir_var v = FIRST_TEMP; v < FIRST_TEMP + NR_TEMPS; v++)
		op(IR_CONST, v, IR_NONE, IR_NONE, operand());
}

/* The helper of an operation writes d and e, as the operation itself does. */
static void give_helper(struct ir_op *o)
{
	struct effect *e = &effects[o - ir.ops];

	*e = (struct effect){ .v = o->d, .also = o->e, .a = (ir_var)below(NR_STATE), .add = random64() };
	o->insn = e;
	o->in_slot = below(4) == 0;
}

/* --- general variables */

bool is_alu(enum ir_opcode code)
{
	return code < IR_LOAD || code == IR_STATE;
}

static bool is_division(enum ir_opcode code)
{
	return code >= IR_DIV && code <= IR_DIVUW;
}

static bool has_two_results(enum ir_opcode code)
{
	return code == IR_MULH || code == IR_MULHU || is_division(code);
}

static uint64_t immediate(enum ir_opcode code)
{
	switch (code) {
	case IR_CONST: return operand();
	case IR_ANDI:
	case IR_ORI:
	case IR_XORI: return (uint32_t)operand() & 0x7fffffff;
	case IR_SHLI:
	case IR_SHRI:
	case IR_SARI:
	case IR_RORI: return below(64);
	case IR_SHLIW:
	case IR_SHRIW:
	case IR_SARIW:
	case IR_RORIW: return below(32);
	default: return (uint64_t)(int64_t)(int32_t)operand();
	}
}

static void choose_field(struct ir_op *o)
{
	o->size = (uint8_t)(1u << below(4));
	o->is_signed = below(2) == 0;
	o->imm = offsetof(struct machine, fields) + below(FIELD_BYTES + 1u - o->size);
}

static ir_var second_result(ir_var d)
{
	static const ir_var some[] = { 9, 3, 12 };
	unsigned n = 0;

	while (some[n] == d || some[n] == kept)
		n++;
	return some[n];
}

struct ir_op *alu(enum ir_opcode code, ir_var d, ir_var a, ir_var b)
{
	struct ir_op *o = op(code, d, a, b, immediate(code));

	/* Helpers know no temporaries. */
	if (is_division(code) && d >= NR_STATE)
		o->d = kept == 10 ? 11 : 10;
	if (has_two_results(code))
		o->e = second_result(o->d);
	if (is_division(code)) {
		give_helper(o);
		effects[o - ir.ops].ignores_fp = true;
	}
	/* Operands that the operation does not have. */
	if (code == IR_CONST || code == IR_STATE)
		o->a = IR_NONE;
	if (code == IR_STATE)
		choose_field(o);
	return o;
}

void random_alu(void)
{
	enum ir_opcode code;

	do
		code = (enum ir_opcode)below(IR_NR_OPS);
	while (!is_alu(code));
	alu(code, any_result(), any_operand(), any_operand());
}

void random_general(void)
{
	if (below(12) == 0)
		choose_field(op(IR_PUT, IR_NONE, any_operand(), IR_NONE, 0));
	else
		random_alu();
}

/* --- floating point */

/* To a double or a long integer, which are 64 bits wide. */
static bool is_wide_conversion(unsigned cc)
{
	return cc == IR_S_TO_D || cc == IR_W_TO_D || cc == IR_L_TO_D || cc == IR_S_TO_L || cc == IR_D_TO_L ||
	       cc == IR_S_TRUNC_L || cc == IR_D_TRUNC_L;
}

/* MIPS condition codes are these bits of FCSR. */
static unsigned condition_bit(void)
{
	unsigned n = below(8);

	return n == 0 ? 23 : 24 + n;
}

static void set_fp_operands(struct ir_op *o, enum ir_opcode code)
{
	o->a = code == IR_FPUT ? any_operand() : any_fp();
	if (code <= IR_FDIV || (code >= IR_FMADD && code <= IR_FCMP))
		o->b = any_fp();
	if (code >= IR_FMADD && code <= IR_FNMSUB)
		o->e = any_fp();
}

void random_fp(void)
{
	enum ir_opcode code = (enum ir_opcode)(IR_FADD + below(IR_FPUT - IR_FADD + 1));
	bool to_general = code == IR_FCMP || code == IR_FGET;
	struct ir_op *o = op(code, to_general ? any_result() : any_fp(), IR_NONE, IR_NONE, 0);
	struct effect *e = &effects[o - ir.ops];

	set_fp_operands(o, code);
	o->size = below(2) == 0 ? 8 : 4;
	if (code == IR_FCVT) {
		o->cc = (uint8_t)below(IR_D_TRUNC_L + 1);
		o->size = is_wide_conversion(o->cc) ? 8 : 4;
	}
	o->keeps_high = o->size == 4 && !to_general;
	give_helper(o);
	e->also = IR_NONE;
	e->is_operation = ir_is_fp_arithmetic(o);
	o->note = e->is_operation ? ir.count : 0;
	if (code != IR_FCMP)
		return;
	o->cc = (uint8_t)(below(4) * 2);
	o->imm = condition_bit();
	e->v = IR_NONE;
	e->status = 1u << o->imm & (uint32_t)random64();
}

/* --- memory */

/* Makes a variable the address less the displacement. */
static ir_var address(uint64_t va, int64_t displacement)
{
	ir_var base = below(2) == 0 ? any_result() : (ir_var)ADDRESS_TEMP;

	op(IR_CONST, base, IR_NONE, IR_NONE, va - (uint64_t)displacement);
	return base;
}

static int64_t displacement(void)
{
	return below(3) == 0 ? 0 : (int64_t)below(60000) - 30000;
}

static bool is_wide_enough(unsigned size)
{
	return size >= 4;
}

/* A load or a store, of an FP register at times. */
static struct ir_op *access(ir_var base, uint64_t imm, unsigned size)
{
	bool is_store = below(2) == 0, fp = is_wide_enough(size) && below(3) == 0;
	struct ir_op *o = op(is_store ? IR_STORE : IR_LOAD, IR_NONE, base, IR_NONE, imm);

	o->size = (uint8_t)size;
	o->is_signed = below(2) == 0;
	if (is_store) {
		o->b = fp ? any_fp() : any_operand();
	} else {
		o->d = fp ? any_fp() : any_result();
		o->keeps_high = fp && size == 4;
	}
	return o;
}

void random_access(unsigned page)
{
	unsigned size = 1u << below(4);
	uint64_t offset = 64 + below(PAGE - 128);
	int64_t disp = displacement();
	ir_var base;

	if (below(8) != 0)
		offset &= ~(size - 1ull);
	base = address(RAM_VA + page * PAGE + offset, disp);
	access(base, (uint64_t)disp, size)->in_slot = below(4) == 0;
}

static void put(size_t offset, unsigned size, uint64_t value)
{
	ir_var v = any_result();

	op(IR_CONST, v, IR_NONE, IR_NONE, value);
	op(IR_PUT, IR_NONE, v, IR_NONE, offset)->size = (uint8_t)size;
}

void random_sc(unsigned page)
{
	unsigned size = below(2) == 0 ? 4 : 8;
	uint64_t va = RAM_VA + page * PAGE + 64 + (below(PAGE - 128) & (below(8) == 0 ? ~0u : ~(size - 1)));
	int64_t disp = displacement();
	ir_var base;
	struct ir_op *o;

	put(offsetof(struct machine, ll_valid), 1, below(8) != 0);
	put(offsetof(struct machine, ll_address), 8, below(8) != 0 ? va : va ^ 1ull << below(64));
	base = address(va, disp);
	o = op(IR_SC, any_general_result(), base, any_operand(), (uint64_t)disp);
	if (below(2) == 0)
		o->b = o->d;
	o->size = (uint8_t)size;
	give_helper(o);
}

/* What is checked together: a few bytes that no unit of the largest size begins, then such units. */
struct group {
	ir_var base, delta;
	unsigned unit, units, before;
	int64_t imm;
};

static unsigned span_of(const struct group *g)
{
	return g->before + g->units * g->unit;
}

static void map(const struct group *g, bool for_stores)
{
	struct ir_op *o = op(IR_MAP, g->delta, g->base, IR_NONE, (uint64_t)g->imm);

	o->size = (uint8_t)g->unit;
	o->note = span_of(g);
	o->is_signed = for_stores;
}

/* Accesses as what MAP says allows them. */
static void use_group(const struct group *g, bool for_stores)
{
	unsigned size = 1u << below((unsigned)__builtin_ctz(g->unit) + 1), first = g->before % size;
	unsigned places = (span_of(g) - first) / size;
	struct ir_op *o = access(g->base, (uint64_t)(g->imm + first + size * below(places)), size);

	if (o->op == IR_STORE && !for_stores) {
		o->op = IR_LOAD;
		o->b = IR_NONE;
		o->d = any_result();
	}
	o->e = g->delta;
}

void random_group(unsigned page)
{
	static ir_var next_delta;
	bool for_stores = below(2) == 0;
	struct group g = { .unit = 1u << below(4), .units = 1 + below(40), .imm = displacement() };
	uint64_t first;

	g.before = below(g.unit);
	/* In the middle of the page, or about its end; aligned most times. */
	first = RAM_VA + page * PAGE + (below(6) != 0 ? 64 + below(PAGE / 2) : PAGE - below(span_of(&g) + 64));
	first &= ~(uint64_t)(g.unit - 1);
	first += below(6) != 0 ? g.unit - g.before : 0;
	g.base = address(first, g.imm);
	g.delta = (ir_var)(FIRST_DELTA + next_delta++ % NR_DELTAS);
	map(&g, for_stores);
	kept = g.base;
	for (unsigned n = below(10); n-- > 0;) {
		use_group(&g, for_stores);
		if (below(3) == 0)
			random_general();
		if (below(10) == 0)
			random_exec(false);
		if (below(6) == 0)
			random_fp();
	}
	kept = IR_NONE;
}

/* --- the front end's helper */

void random_exec(bool may_leave)
{
	struct ir_op *o = op(IR_EXEC, IR_NONE, IR_NONE, IR_NONE, 0);
	struct effect *e = &effects[o - ir.ops];

	give_helper(o);
	o->size = (uint8_t)below(2);
	e->v = any_state_result();
	do
		e->also = any_state_result();
	while (e->also == e->v);
	e->status = below(3) == 0 ? 1u << below(32) : 0;
	e->attends = below(16) == 0;
	if (may_leave && below(30) == 0)
		e->leave = X86_LEAVE | (below(2) == 0 ? X86_OUT : 0);
}

void random_trap(void)
{
	struct ir_op *o = op(IR_TRAP, IR_NONE, any_operand(), any_operand(), 0);

	if (below(2) == 0)
		o->b = IR_ZERO;
	/* Equality is rare enough for blocks to go on. */
	o->cc = below(4) != 0 ? IR_EQ : (uint8_t)below(6);
	give_helper(o);
	effects[o - ir.ops].v = IR_NONE;
	effects[o - ir.ops].leave = X86_LEAVE | (below(2) == 0 ? X86_OUT : 0);
}

void random_any(void)
{
	switch (below(16)) {
	case 0:
	case 1: random_access(below(PAGE_FAULTS)); break;
	case 2: random_sc(below(PAGE_FAULTS)); break;
	case 3: random_exec(true); break;
	case 4: random_trap(); break;
	case 5: random_group(below(PAGE_SLOW)); break;
	case 6:
	case 7:
	case 8:
	case 9: random_fp(); break;
	default: random_general(); break;
	}
}
