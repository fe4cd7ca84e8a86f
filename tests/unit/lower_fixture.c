/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/lower_fixture.h"

#include <stdlib.h>
#include <string.h>

struct plat_code arena;
struct x86_runtime runtime;
struct x86_block made;
uint8_t *blocks_start;
bool allow_loops;
static struct x86_lowering *lowering;
static bool has_tag_key;

static const struct x86_pin pins[] = { { 2, RSI }, { 3, RDI }, { 4, R8 }, { 5, R11 } };

static int32_t place_of_var(ir_var v)
{
	return (int32_t)(offsetof(struct cpu, m.vars) + 8 * (size_t)v);
}

static void make_runtime(bool bmi2, const struct x86_jump_code *jumps)
{
	struct x86_asm a = { .write = arena.write,
			     .end = arena.write + arena.size,
			     .to_execute = arena.execute - arena.write };

	/* Newer instructions come and go together here. */
	runtime = (struct x86_runtime){ .bmi2 = bmi2, .avx = bmi2 && x86_host_has_avx(), .jumps = jumps };
	runtime.layout = (struct x86_layout){
		.attention = offsetof(struct cpu, m.attention),
		.pc = offsetof(struct cpu, m.pc),
		.instructions = offsetof(struct cpu, m.instructions),
		.partial = offsetof(struct cpu, partial),
		.limit = offsetof(struct cpu, limit),
		.tag_key = offsetof(struct cpu, tag_key),
		.spill = offsetof(struct cpu, spill),
		.fetch_key = offsetof(struct cpu, fetch_key),
		.jump_cache = offsetof(struct cpu, jumps),
		.returns = offsetof(struct cpu, returns),
		.counts = offsetof(struct cpu, counts),
		.ll_valid = offsetof(struct cpu, m.ll_valid),
		.ll_address = offsetof(struct cpu, m.ll_address),
		.fp_status = offsetof(struct cpu, m.fp_status),
		.fp_last = offsetof(struct cpu, m.last),
		.fp_masks = offsetof(struct cpu, fp_masks),
		.var = place_of_var,
		.nr_state = NR_STATE,
		.first_fp = FIRST_FP,
		.tlb_bits = TLB_BITS,
		.pins = pins,
		.nr_pins = sizeof(pins) / sizeof(pins[0]),
		.counted = counted,
	};
	runtime.helpers = (struct x86_helpers){
		.load = helper_load, .store = helper_store, .exec = helper_exec, .exec_fp = helper_exec_fp
	};
	x86_emit_runtime(&runtime, &a);
	blocks_start = a.write;
}

static void make_constants(void)
{
	for (unsigned n = 0; n < 256; n++)
		cpu.counts[n][0] = n;
	cpu.fp_masks = (struct x86_fp_masks){
		.sign = { { 1ull << 31, 0 }, { 1ull << 63, 0 } },
		.magnitude = { { ~(1ull << 31), ~0ull }, { ~(1ull << 63), ~0ull } },
	};
	cpu.tag_key = TAG_KEY;
	cpu.fetch_key = FETCH_KEY;
	cpu.limit = UINT64_MAX;
	memset(&cpu.jumps, 0xff, sizeof(cpu.jumps));
	cpu.jumps.bits = JUMP_BITS;
}

static void make(bool bmi2, const struct x86_jump_code *jumps)
{
	fake_reset();
	seed = 0x123456789abcdef;
	big_endian = allow_loops = false;
	kept = IR_NONE;
	memset(&cpu, 0, sizeof(cpu));
	make_constants();
	assert_int_equal(plat_code_alloc(ARENA_BYTES, &arena), 0);
	lowering = malloc(x86_lowering_size());
	make_runtime(bmi2, jumps);
}

int lower_setup(void **state)
{
	(void)state;
	counted = false;
	make(false, &x86_jump_code);
	return 0;
}

int lower_setup_bmi2(void **state)
{
	(void)state;
	counted = false;
	make(x86_host_has_bmi2(), &x86_jump_code);
	return 0;
}

int lower_setup_without_jumps(void **state)
{
	(void)state;
	counted = false;
	make(false, NULL);
	return 0;
}

int lower_setup_counted(void **state)
{
	(void)state;
	counted = true;
	make(false, &x86_jump_code);
	return 0;
}

int lower_teardown(void **state)
{
	(void)state;
	free(lowering);
	fake_reset();
	return 0;
}

/* --- building and running blocks */

void start(void)
{
	ir = (struct ir_block){ .pc = ENTRY_PC, .nr_vars = FIRST_DELTA + NR_DELTAS, .nr_insns = 200 };
	kept = IR_NONE;
}

struct ir_op *op(enum ir_opcode code, ir_var d, ir_var a, ir_var b, uint64_t imm)
{
	struct ir_op *o = &ir.ops[ir.count++];

	*o = (struct ir_op){ .op = (uint8_t)code, .d = d, .e = IR_NONE, .a = a, .b = b, .imm = imm };
	o->pc = ENTRY_PC + 4ull * ir.count;
	o->insns = (uint8_t)ir.count;
	return o;
}

void end(void)
{
	op(IR_EXIT, IR_NONE, IR_NONE, IR_NONE, 0x4000)->linkable = true;
}

void lower_at(uint8_t *at)
{
	struct x86_asm a = { .write = at, .end = arena.write + arena.size, .to_execute = arena.execute - arena.write };

	has_tag_key = below(2) == 0;
	map_pages(has_tag_key);
	made = (struct x86_block){
		.ir = &ir,
		.tlb_read = offsetof(struct cpu, read),
		.tlb_write = offsetof(struct cpu, write),
		.has_tag_key = has_tag_key,
		.big_endian = big_endian,
		.loops = allow_loops,
		.first_exit = FIRST_EXIT,
	};
	assert_true(x86_lower(&runtime, lowering, &a, &made));
}

uint32_t enter(uint64_t code)
{
	return runtime.enter(&cpu, (const void *)(uintptr_t)code);
}

void randomize(void)
{
	struct machine *m = &cpu.m;

	for (unsigned v = 1; v < NR_STATE; v++)
		m->vars[v] = v < FIRST_FP ? operand() : fp_operand();
	m->vars[COUNTER] = below(12);
	for (size_t n = 0; n < sizeof(m->ram); n += 8)
		memcpy(&m->ram[n], &(uint64_t){ random64() }, 8);
	for (size_t n = 0; n < FIELD_BYTES; n++)
		m->fields[n] = (uint8_t)random64();
	m->fp_status = (uint32_t)random64();
	m->pc = 1;
	m->attention = below(8) == 0;
}

static void settle(struct machine *m)
{
	collect_flags(m);
	forget_unused_operands(&m->last);
}

static void print_difference(void)
{
	for (unsigned n = 0; n < ir.count; n++) {
		const struct ir_op *o = &ir.ops[n];

		print_error("%u: op %u d %u e %u a %u b %u imm %llx size %u cc %u note %u%s\n", n, o->op, o->d, o->e,
			    o->a, o->b, (unsigned long long)o->imm, o->size, o->cc, o->note, o->in_slot ? " slot" : "");
	}
	for (unsigned v = 0; v < NR_STATE; v++)
		if (cpu.m.vars[v] != expected.vars[v])
			print_error("variable %u is %llx, not %llx\n", v, (unsigned long long)cpu.m.vars[v],
				    (unsigned long long)expected.vars[v]);
	if (cpu.m.seen != expected.seen)
		print_error("helpers saw something else\n");
	print_error("instructions %llu, not %llu; FP status %x, not %x; flags %x, not %x; note %u, not %u\n",
		    (unsigned long long)cpu.m.instructions, (unsigned long long)expected.instructions, cpu.m.fp_status,
		    expected.fp_status, cpu.m.fp_flags, expected.fp_flags, cpu.m.last.note, expected.last.note);
}

void check(void)
{
	uint32_t why, wanted;

	memset(&cpu.m.last, 0, sizeof(cpu.m.last));
	cpu.m.fp_flags = 0;
	memcpy(&expected, &cpu.m, sizeof(expected));
	x86_clear_fp_flags();
	wanted = reference(allow_loops && !counted);
	settle(&expected);
	why = enter(made.code);
	settle(&cpu.m);
	if (why == wanted && memcmp(&cpu.m, &expected, sizeof(expected)) == 0)
		return;
	print_difference();
	fail_msg("left with %x, not %x; pc %llx, not %llx", why, wanted, (unsigned long long)cpu.m.pc,
		 (unsigned long long)expected.pc);
}

void run(void)
{
	lower_at(blocks_start);
	for (unsigned n = 0; n < 2; n++) {
		randomize();
		check();
	}
}
