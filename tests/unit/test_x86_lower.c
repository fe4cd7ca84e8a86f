/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/emit/asm.c arch/x86_64/emit/alloc.c arch/x86_64/emit/lower.c */
/* sources: arch/x86_64/emit/lower_alu.c arch/x86_64/emit/runtime.c core/log.c tests/unit/fake_platform.c */
/*
 * The x86-64 back end: blocks of IR are lowered and run, and an interpreter of the
 * IR in C says what they have to leave behind. The vCPU is a small made-up one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/emit/lower.h"
#include "tests/unit/fake_platform.h"

#define NR_STATE    20u
#define FIRST_TEMP  NR_STATE
#define TLB_BITS    4u
#define TAG_KEY     0x0300000000000000ull
#define FETCH_KEY   0xa500000000000000ull
#define PAGE        4096u
#define NR_PAGES    4u
#define RAM_VA      0x0000007f80003000ull
#define ARENA_BYTES (1u << 20)
#define FIRST_EXIT  1000u
#define INTERPRETER 0x7000ull /* guest address of made-up instructions */

/* Pages of the guest's memory: found in the soft TLB, only for reading, only by helpers, faulting. */
enum { PAGE_FAST, PAGE_READ_ONLY, PAGE_SLOW, PAGE_FAULTS };

struct entry {
	uint64_t tag, to_host;
};

/** What code may change. */
struct machine {
	uint64_t vars[NR_STATE];
	uint64_t pc, instructions;
	uint8_t ram[NR_PAGES * PAGE];
	uint64_t fault_where, fault_va;
};

struct cpu {
	struct machine m;
	uint64_t spill[IR_MAX_VARS], tag_key, fetch_key;
	uint32_t attention, field;
	struct entry read[1u << TLB_BITS], write[1u << TLB_BITS];
	struct entry jumps[64 * 64];
};

/** What EXEC's helper does: v = a + add, or it leaves. */
struct effect {
	ir_var v, a;
	bool leave;
	uint64_t add;
};

static struct cpu cpu;
static struct machine expected;
static struct ir_block ir;
static struct plat_code arena;
static struct x86_runtime runtime;
static struct x86_lowering *lowering;
static uint8_t *blocks_start;
static struct x86_block made;
static bool big_endian;

static const struct x86_pin pins[] = {
	{ 2, RSI }, { 3, RDI }, { 4, R8 }, { 5, R9 }, { 6, R10 }, { 7, R11 },
};

/* --- random values */

static uint64_t seed;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n)
{
	return (unsigned)((random64() >> 32) % n);
}

/* Values at the edges as often as any. */
static uint64_t operand(void)
{
	static const uint64_t edges[] = { 0,
					  1,
					  31,
					  32,
					  63,
					  64,
					  0x7f,
					  0x80,
					  0xff,
					  0x8000,
					  0x7fffffff,
					  0x80000000,
					  0xffffffff,
					  0x100000000,
					  INT64_MAX,
					  (uint64_t)INT64_MIN,
					  ~0ull,
					  0xffffffff80000000,
					  0xffffffff7fffffff };

	switch (below(4)) {
	case 0: return edges[below(sizeof(edges) / sizeof(edges[0]))];
	case 1: return (uint64_t)(int64_t)(int32_t)random64();
	default: return random64();
	}
}

/* --- helpers of generated code */

/* Helpers may change these (System V ABI 3.2.1). */
static void clobber(void)
{
	__asm__ volatile("mov $-1, %%rsi; mov %%rsi, %%rdi; mov %%rsi, %%r8; mov %%rsi, %%r9\n\t"
			 "mov %%rsi, %%r10; mov %%rsi, %%r11; mov %%rsi, %%rcx" ::
				 : "rsi", "rdi", "r8", "r9", "r10", "r11", "rcx");
}

static bool access_ok(struct machine *m, uint64_t va, uint64_t size, uint64_t where)
{
	if (va - RAM_VA <= sizeof(m->ram) - size && (va - RAM_VA) / PAGE != PAGE_FAULTS)
		return true;
	m->fault_where = where;
	m->fault_va = va;
	m->pc = 0xbad;
	return false;
}

static uint64_t swap_if_big(uint64_t v, uint64_t size)
{
	return big_endian ? __builtin_bswap64(v) >> (64 - 8 * size) : v;
}

static struct x86_result load(void *ctx, uint64_t va, uint64_t where, uint64_t kind)
{
	struct machine *m = ctx;
	uint64_t size = kind & 15, v = 0;
	unsigned unused = 64 - 8 * (unsigned)size;

	if (!access_ok(m, va, size, where)) {
		clobber();
		return (struct x86_result){ .value = 0x55, .leave = 1 };
	}
	memcpy(&v, &m->ram[va - RAM_VA], size);
	v = swap_if_big(v, size);
	if ((kind & X86_SIGNED) != 0)
		v = (uint64_t)((int64_t)(v << unused) >> unused);
	clobber();
	return (struct x86_result){ .value = v };
}

static uint64_t store(void *ctx, uint64_t va, uint64_t where, uint64_t value, uint64_t size)
{
	struct machine *m = ctx;
	bool ok = access_ok(m, va, size, where);

	if (ok) {
		uint64_t v = swap_if_big(value, size);

		memcpy(&m->ram[va - RAM_VA], &v, size);
	}
	clobber();
	return !ok;
}

static uint64_t exec(void *ctx, const void *insn, uint64_t where)
{
	struct machine *m = ctx;
	const struct effect *e = insn;

	m->vars[e->v] = m->vars[e->a] + e->add;
	if (e->leave)
		m->pc = where;
	clobber();
	return e->leave;
}

/* --- the reference */

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

static uint64_t reference_shift(enum ir_opcode op, uint64_t a, uint64_t b)
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

/* d of an operation without e. */
static uint64_t reference_alu(const struct ir_op *o, uint64_t d, uint64_t a, uint64_t b)
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
	case IR_RORW: return reference_shift((enum ir_opcode)o->op, a, b);
	case IR_SHLI: return reference_shift(IR_SHL, a, o->imm);
	case IR_SHLIW: return reference_shift(IR_SHLW, a, o->imm);
	case IR_SHRI: return reference_shift(IR_SHR, a, o->imm);
	case IR_SHRIW: return reference_shift(IR_SHRW, a, o->imm);
	case IR_SARI: return reference_shift(IR_SAR, a, o->imm);
	case IR_SARIW: return reference_shift(IR_SARW, a, o->imm);
	case IR_RORI: return reference_shift(IR_ROR, a, o->imm);
	case IR_RORIW: return reference_shift(IR_RORW, a, o->imm);
	case IR_SEXT8: return (uint64_t)(int64_t)(int8_t)a;
	case IR_SEXT16: return (uint64_t)(int64_t)(int16_t)a;
	case IR_SEXT32: return sext32(a);
	case IR_ZEXT32: return (uint32_t)a;
	case IR_MUL: return a * b;
	case IR_MULW: return sext32(a * b);
	case IR_MOVZ: return b == 0 ? a : d;
	case IR_MOVN: return b != 0 ? a : d;
	case IR_STATE: return cpu.field;
	default: fail_msg("no reference for operation %u", o->op); return 0;
	}
}

static bool reference_condition(const struct ir_op *o, uint64_t a, uint64_t b)
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

static uint64_t place_of(const struct ir_op *o)
{
	return o->pc | o->in_slot;
}

/* Leaves by an exit, the number of exits before it being `exits`. */
static uint32_t reference_exit(const struct ir_op *o, unsigned exits)
{
	expected.instructions += o->insns;
	if (o->op == IR_STEP)
		return (FIRST_EXIT + exits) | X86_STEP_FLAG;
	if (o->linkable)
		return FIRST_EXIT + exits;
	expected.pc = o->imm;
	return X86_LEFT;
}

/* Runs ir on `expected`. Returns why it leaves. */
static uint32_t reference(void)
{
	uint64_t temps[IR_MAX_VARS] = { 0 };
	unsigned exits = 0;

	for (const struct ir_op *o = ir.ops; o < &ir.ops[ir.count]; o++) {
#define VAR(v) (*((v) < NR_STATE ? &expected.vars[v] : &temps[v]))
		uint64_t a = o->a == IR_NONE ? 0 : VAR(o->a), b = o->b == IR_NONE ? 0 : VAR(o->b);

		if (o->op == IR_MULH || o->op == IR_MULHU) {
			__int128 s = (__int128)(int64_t)a * (int64_t)b;
			unsigned __int128 u = (unsigned __int128)a * b;

			VAR(o->d) = a * b;
			VAR(o->e) = o->op == IR_MULH ? (uint64_t)(s >> 64) : (uint64_t)(u >> 64);
		} else if (o->op == IR_LOAD) {
			struct x86_result r = load(&expected, a + sext32(o->imm), place_of(o),
						   o->size | (o->is_signed ? X86_SIGNED : 0));

			if (r.leave)
				return X86_LEFT;
			VAR(o->d) = r.value;
		} else if (o->op == IR_STORE) {
			if (store(&expected, a + sext32(o->imm), place_of(o), b, o->size))
				return X86_LEFT;
		} else if (o->op == IR_EXEC) {
			if (exec(&expected, o->insn, place_of(o)))
				return X86_LEFT;
		} else if (o->op == IR_JUMP) {
			expected.instructions += o->insns;
			expected.pc = a;
			return X86_LEFT;
		} else if (o->op == IR_BRANCH) {
			if (reference_condition(o, a, b))
				return reference_exit(o, exits);
			exits++;
		} else if (ir_leaves(o)) {
			return reference_exit(o, exits);
		} else {
			VAR(o->d) = reference_alu(o, VAR(o->d), a, b);
		}
#undef VAR
	}
	fail_msg("the block does not end");
	return 0;
}

/* --- set-up */

static int32_t place_of_var(ir_var v)
{
	return (int32_t)(offsetof(struct cpu, m.vars) + 8 * (size_t)v);
}

static void make_runtime(void)
{
	struct x86_asm a = { .write = arena.write,
			     .end = arena.write + arena.size,
			     .to_execute = arena.execute - arena.write };

	runtime.layout = (struct x86_layout){
		.attention = offsetof(struct cpu, attention),
		.pc = offsetof(struct cpu, m.pc),
		.instructions = offsetof(struct cpu, m.instructions),
		.tag_key = offsetof(struct cpu, tag_key),
		.spill = offsetof(struct cpu, spill),
		.fetch_key = offsetof(struct cpu, fetch_key),
		.jump_cache = offsetof(struct cpu, jumps),
		.var = place_of_var,
		.nr_state = NR_STATE,
		.tlb_bits = TLB_BITS,
		.pins = pins,
		.nr_pins = sizeof(pins) / sizeof(pins[0]),
	};
	runtime.helpers = (struct x86_helpers){ .load = load, .store = store, .exec = exec };
	x86_emit_runtime(&runtime, &a);
	blocks_start = a.write;
}

static void map_page(struct entry *tlb, unsigned page)
{
	uint64_t va = RAM_VA + page * PAGE;

	tlb[va / PAGE % (1u << TLB_BITS)] = (struct entry){
		.tag = va | TAG_KEY,
		.to_host = (uint64_t)(uintptr_t)&cpu.m.ram[page * PAGE] - va,
	};
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	seed = 0x123456789abcdef;
	big_endian = false;
	memset(&cpu, 0, sizeof(cpu));
	cpu.tag_key = TAG_KEY;
	cpu.fetch_key = FETCH_KEY;
	memset(cpu.read, 0xff, sizeof(cpu.read));
	memset(cpu.write, 0xff, sizeof(cpu.write));
	memset(cpu.jumps, 0xff, sizeof(cpu.jumps));
	map_page(cpu.read, PAGE_FAST);
	map_page(cpu.read, PAGE_READ_ONLY);
	map_page(cpu.write, PAGE_FAST);
	assert_int_equal(plat_code_alloc(ARENA_BYTES, &arena), 0);
	lowering = malloc(x86_lowering_size());
	make_runtime();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(lowering);
	fake_reset();
	return 0;
}

/* --- building and running blocks */

static void start(void)
{
	ir.count = 0;
}

static struct ir_op *op(enum ir_opcode code, ir_var d, ir_var a, ir_var b, uint64_t imm)
{
	struct ir_op *o = &ir.ops[ir.count++];

	*o = (struct ir_op){ .op = (uint8_t)code, .d = d, .e = IR_NONE, .a = a, .b = b, .imm = imm };
	o->pc = INTERPRETER + 4ull * ir.count;
	return o;
}

static void end(void)
{
	struct ir_op *o = op(IR_EXIT, IR_NONE, IR_NONE, IR_NONE, 0x4000);

	o->linkable = true;
	o->insns = 3;
}

/* Puts the block at `at`. */
static void lower_at(uint8_t *at)
{
	struct x86_asm a = { .write = at, .end = arena.write + arena.size, .to_execute = arena.execute - arena.write };

	memset(&made, 0, sizeof(made));
	made.ir = &ir;
	made.tlb_read = offsetof(struct cpu, read);
	made.tlb_write = offsetof(struct cpu, write);
	made.big_endian = big_endian;
	made.first_exit = FIRST_EXIT;
	assert_true(x86_lower(&runtime, lowering, &a, &made));
}

static uint32_t enter(uint64_t code)
{
	return runtime.enter(&cpu, (const void *)(uintptr_t)code);
}

static void randomize(void)
{
	for (unsigned v = 1; v < NR_STATE; v++)
		cpu.m.vars[v] = operand();
	for (size_t n = 0; n < sizeof(cpu.m.ram); n += 8)
		memcpy(&cpu.m.ram[n], &(uint64_t){ random64() }, 8);
	cpu.field = (uint32_t)random64();
	cpu.m.pc = 1;
}

/* Runs what was lowered, compares with the reference. */
static void check(void)
{
	uint32_t why, wanted;

	memcpy(&expected, &cpu.m, sizeof(expected));
	wanted = reference();
	why = enter(made.code);
	if (why != wanted || memcmp(&cpu.m, &expected, sizeof(expected)) != 0) {
		for (unsigned n = 0; n < ir.count; n++)
			print_error("%u: op %u d %u e %u a %u b %u imm %llx size %u\n", n, ir.ops[n].op, ir.ops[n].d,
				    ir.ops[n].e, ir.ops[n].a, ir.ops[n].b, (unsigned long long)ir.ops[n].imm,
				    ir.ops[n].size);
		for (unsigned v = 0; v < NR_STATE; v++)
			if (cpu.m.vars[v] != expected.vars[v])
				print_error("variable %u is %llx, not %llx\n", v, (unsigned long long)cpu.m.vars[v],
					    (unsigned long long)expected.vars[v]);
		fail_msg("left with %x, not %x; pc %llx, not %llx", why, wanted, (unsigned long long)cpu.m.pc,
			 (unsigned long long)expected.pc);
	}
}

static void run(void)
{
	lower_at(blocks_start);
	randomize();
	check();
}

/* --- arithmetic */

static bool is_alu(enum ir_opcode code)
{
	return code < IR_LOAD || code == IR_STATE;
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
	case IR_STATE: return offsetof(struct cpu, field);
	default: return sext32(operand());
	}
}

static struct ir_op *alu(enum ir_opcode code, ir_var d, ir_var a, ir_var b)
{
	struct ir_op *o = op(code, d, a, b, immediate(code));

	if (code == IR_MULH || code == IR_MULHU)
		o->e = d == 9 ? 3 : 9;
	return o;
}

/* Unpinned variables, more than there are registers for. */
static void change_many(void)
{
	for (ir_var v = 8; v < 16; v++)
		op(IR_ADDI, v, v, IR_NONE, 1);
}

static void one_operation(enum ir_opcode code, const ir_var v[3], bool pressure)
{
	start();
	op(IR_CONST, FIRST_TEMP, IR_NONE, IR_NONE, operand());
	if (pressure)
		change_many();
	alu(code, v[0], v[1], v[2]);
	if (pressure)
		change_many();
	op(IR_MOV, 16, FIRST_TEMP, IR_NONE, 0);
	end();
	lower_at(blocks_start);
	for (unsigned n = 0; n < 3; n++) {
		randomize();
		if (n == 2)
			cpu.m.vars[v[2] < NR_STATE && v[2] != 0 ? v[2] : 1] = 0;
		check();
	}
}

/* Every operation with operands of every kind in every place, the same one in several included. */
static void test_operands(void **state)
{
	static const ir_var vars[] = { FIRST_TEMP, 2, 3, 8, 9, IR_ZERO };

	(void)state;
	for (unsigned code = 0; code < IR_NR_OPS; code++)
		for (unsigned n = 0; is_alu((enum ir_opcode)code) && n < 5 * 6 * 6; n++) {
			const ir_var v[3] = { vars[n / 36], vars[n / 6 % 6], vars[n % 6] };

			one_operation((enum ir_opcode)code, v, false);
			one_operation((enum ir_opcode)code, v, true);
		}
}

static ir_var any_operand(void)
{
	return (ir_var)below(FIRST_TEMP + 8);
}

static ir_var any_result(void)
{
	return (ir_var)(1 + below(FIRST_TEMP + 7));
}

static void random_alu(void)
{
	enum ir_opcode code;
	struct ir_op *o;

	do
		code = (enum ir_opcode)below(IR_NR_OPS);
	while (!is_alu(code));
	o = alu(code, any_result(), any_operand(), any_operand());
	if (o->e != IR_NONE)
		do
			o->e = any_result();
		while (o->e == o->d);
	/* Operands that the operation does not have. */
	if (code == IR_CONST || code == IR_STATE)
		o->a = IR_NONE;
}

/* Temporaries hold something before they are read. */
static void define_temps(void)
{
	for (ir_var v = FIRST_TEMP; v < FIRST_TEMP + 8; v++)
		op(IR_CONST, v, IR_NONE, IR_NONE, operand());
}

static void test_long_blocks(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		start();
		define_temps();
		for (unsigned k = below(100); k-- > 0;)
			random_alu();
		end();
		run();
	}
}

/* --- memory */

/* An access of the page, at any alignment now and then. Its address goes through temporary 8. */
static void random_access(unsigned page)
{
	uint8_t size = (uint8_t)(1u << below(4));
	uint64_t offset = 64 + below(PAGE - 128);
	int64_t displacement = below(3) == 0 ? 0 : (int64_t)below(60000) - 30000;
	ir_var base = below(2) == 0 ? any_result() : (ir_var)(FIRST_TEMP + 8);
	bool is_store = below(2) == 0;
	struct ir_op *o;

	if (below(8) != 0)
		offset &= ~(size - 1ull);
	op(IR_CONST, base, IR_NONE, IR_NONE, RAM_VA + page * PAGE + offset - (uint64_t)displacement);
	o = op(is_store ? IR_STORE : IR_LOAD, is_store ? IR_NONE : any_result(), base,
	       is_store ? any_operand() : IR_NONE, (uint64_t)displacement);
	o->size = size;
	o->is_signed = below(2) == 0;
	o->in_slot = below(2) == 0;
}

static void memory_blocks(unsigned pages)
{
	for (unsigned n = 0; n < 1500; n++) {
		start();
		define_temps();
		for (unsigned k = below(40); k-- > 0;)
			if (below(3) == 0)
				random_access(below(pages));
			else
				random_alu();
		end();
		run();
	}
}

static void test_memory(void **state)
{
	(void)state;
	memory_blocks(PAGE_SLOW + 1);
	big_endian = true;
	memory_blocks(PAGE_SLOW + 1);
}

/* A helper that leaves finds the state in memory as it was before the operation, and it stays so. */
static void test_faults(void **state)
{
	(void)state;
	memory_blocks(PAGE_FAULTS + 1);
	big_endian = true;
	memory_blocks(PAGE_FAULTS + 1);
}

/* A load that faults keeps the old value of its destination, wherever that was. */
static void test_faulting_load_keeps_destination(void **state)
{
	static const ir_var destinations[] = { 2, 8, 9, 16 };

	(void)state;
	for (unsigned n = 0; n < 2 * sizeof(destinations); n++) {
		ir_var d = destinations[n / 2];

		start();
		op(IR_CONST, FIRST_TEMP, IR_NONE, IR_NONE, RAM_VA + PAGE_FAULTS * PAGE);
		op(IR_CONST, d, IR_NONE, IR_NONE, n % 2 == 0 ? 1234 : RAM_VA + PAGE_FAULTS * PAGE);
		op(IR_LOAD, d, n % 2 == 0 ? FIRST_TEMP : d, IR_NONE, 8)->size = 8;
		end();
		run();
		assert_int_equal(cpu.m.pc, 0xbad);
		assert_int_equal(cpu.m.vars[d], n % 2 == 0 ? 1234 : RAM_VA + PAGE_FAULTS * PAGE);
	}
}

/* --- the front end's helper */

static void test_exec(void **state)
{
	static struct effect effects[64];

	(void)state;
	for (unsigned n = 0; n < 1500; n++) {
		start();
		define_temps();
		for (unsigned k = 0; k < 30; k++) {
			if (below(5) != 0) {
				random_alu();
				continue;
			}
			effects[k] = (struct effect){ .v = (ir_var)(1 + below(NR_STATE - 1)),
						      .a = (ir_var)below(NR_STATE),
						      .leave = below(30) == 0,
						      .add = random64() };
			op(IR_EXEC, IR_NONE, IR_NONE, IR_NONE, 0)->insn = &effects[k];
		}
		end();
		run();
	}
}

/* --- leaving */

static void test_exits(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3000; n++) {
		static const enum ir_opcode last[] = { IR_EXIT, IR_JUMP, IR_STEP };
		struct ir_op *o;

		start();
		define_temps();
		for (unsigned k = below(30); k-- > 0;) {
			random_alu();
			if (below(6) != 0)
				continue;
			o = op(IR_BRANCH, IR_NONE, any_operand(), any_operand(), 0x5000 + 4 * k);
			o->b = below(2) == 0 ? IR_ZERO : o->b;
			o->cc = (uint8_t)below(6);
			o->insns = (uint8_t)below(60);
			o->linkable = below(2) == 0;
			o->loops = below(2) == 0;
		}
		o = op(last[n % 3], IR_NONE, n % 3 == 1 ? any_operand() : IR_NONE, IR_NONE, 0x6000);
		o->linkable = n % 2 == 0;
		o->insns = (uint8_t)below(200);
		cpu.attention = below(2);
		run();
	}
}

/* Every condition, with operands at the edges, equal ones, and zero on either side. */
static void test_branches(void **state)
{
	static const ir_var operands[][2] = { { 2, 8 },       { 8, 2 },       { 8, 8 },
					      { 8, IR_ZERO }, { IR_ZERO, 8 }, { IR_ZERO, IR_ZERO },
					      { 2, IR_ZERO }, { IR_ZERO, 2 } };

	(void)state;
	for (unsigned n = 0; n < 6 * 8; n++) {
		struct ir_op *o;

		start();
		o = op(IR_BRANCH, IR_NONE, operands[n % 8][0], operands[n % 8][1], 0x5000);
		o->cc = (uint8_t)(n / 8);
		o->linkable = true;
		end();
		for (unsigned k = 0; k < 20; k++) {
			lower_at(blocks_start);
			randomize();
			if (k == 0)
				cpu.m.vars[8] = cpu.m.vars[2] = operand();
			else if (k == 1)
				cpu.m.vars[8] = cpu.m.vars[2] = 0;
			check();
		}
	}
}

/* Lowers a block that adds to variable 2 and goes to `target`. */
static void adder(uint8_t *at, uint64_t add, uint64_t target, bool loops)
{
	struct ir_op *o;

	start();
	op(IR_ADDI, 2, 2, IR_NONE, add);
	o = op(IR_EXIT, IR_NONE, IR_NONE, IR_NONE, target);
	o->linkable = o->loops = loops;
	o->insns = 1;
	lower_at(at);
}

static void test_linking(void **state)
{
	struct x86_exit exit;
	uint64_t first, second;

	(void)state;
	adder(blocks_start, 1, 0x5000, true);
	first = made.code;
	exit = made.exits[0];
	assert_int_equal(made.nr_exits, 1);
	assert_true(exit.linkable);
	assert_int_equal(exit.target, 0x5000);
	start();
	op(IR_ADDI, 2, 2, IR_NONE, 16);
	op(IR_STEP, IR_NONE, IR_NONE, IR_NONE, 0)->pc = 0x5004;
	lower_at(blocks_start + X86_BLOCK_MAX_BYTES);
	second = made.code;
	assert_int_equal(made.exits[0].target, 0x5004);
	assert_true(made.exits[0].step);

	assert_int_equal(enter(first), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 1);
	x86_patch(exit.displacement, arena.execute - arena.write, second);
	assert_int_equal(enter(first), FIRST_EXIT | X86_STEP_FLAG);
	assert_int_equal(cpu.m.vars[2], 18);
	/* Who waits for attention gets it at once. */
	cpu.attention = 4;
	assert_int_equal(enter(first), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 19);
	cpu.attention = 0;
	x86_patch(exit.displacement, arena.execute - arena.write, exit.unlinked);
	assert_int_equal(enter(first), FIRST_EXIT);
	assert_int_equal(cpu.m.vars[2], 20);
	assert_int_equal(cpu.m.instructions, 4);
}

/* The entry of the jump cache for an address, as the engine's jump_slot() has it. */
static struct entry *jump_slot(uint64_t va)
{
	return &cpu.jumps[(va >> 12 & 63) * 64 + ((va ^ va >> 6) >> 2 & 63)];
}

static void test_jump_cache(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 500; n++) {
		uint64_t va = operand() & ~3ull, code;
		struct entry *slot = jump_slot(va);

		start();
		op(IR_ADDI, 2, 2, IR_NONE, 16);
		end();
		lower_at(blocks_start + X86_BLOCK_MAX_BYTES);
		code = made.code;
		adder(blocks_start, 1, va, false);
		cpu.m.vars[2] = 0;
		assert_int_equal(enter(made.code), X86_LEFT);
		assert_int_equal(cpu.m.pc, va);
		*slot = (struct entry){ va ^ FETCH_KEY, code };
		assert_int_equal(enter(made.code), FIRST_EXIT);
		assert_int_equal(cpu.m.vars[2], 18);
		cpu.attention = 1;
		assert_int_equal(enter(made.code), X86_LEFT);
		cpu.attention = 0;
		cpu.fetch_key ^= 1ull << 50;
		assert_int_equal(enter(made.code), X86_LEFT);
		cpu.fetch_key = FETCH_KEY;
		assert_int_equal(cpu.m.vars[2], 20);
		slot->tag = ~0ull;
	}
}

static void test_no_room(void **state)
{
	struct x86_asm a = { .write = arena.write,
			     .end = arena.write + X86_BLOCK_MAX_BYTES - 1,
			     .to_execute = arena.execute - arena.write };

	(void)state;
	start();
	end();
	made.ir = &ir;
	assert_false(x86_lower(&runtime, lowering, &a, &made));
	assert_ptr_equal(a.write, arena.write);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_operands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faulting_load_keeps_destination, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exec, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_branches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_linking, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jump_cache, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
