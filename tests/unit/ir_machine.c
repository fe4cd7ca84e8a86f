/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/ir_machine.h"

#include <string.h>

struct cpu cpu;
struct machine expected;
struct ir_block ir;
bool big_endian;
bool counted;
uint64_t seed;

uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

unsigned below(unsigned n)
{
	return (unsigned)((random64() >> 32) % n);
}

uint64_t operand(void)
{
	static const uint64_t edges[] = {
		0,
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
		~1ull,
		0x1ffffffff,
		0xffffffff80000000,
		0xffffffff7fffffff,
	};

	switch (below(4)) {
	case 0: return edges[below(sizeof(edges) / sizeof(edges[0]))];
	case 1: return (uint64_t)(int64_t)(int32_t)random64();
	default: return random64();
	}
}

static uint64_t bits_of_single(float f)
{
	uint32_t v;

	memcpy(&v, &f, sizeof(v));
	return v;
}

static uint64_t bits_of_double(double d)
{
	uint64_t v;

	memcpy(&v, &d, sizeof(v));
	return v;
}

uint64_t fp_operand(void)
{
	/* zeros, infinities, quiet and signalling NaNs, subnormals, the least normal and the largest numbers */
	static const uint64_t doubles[] = {
		0, 1ull << 63,         0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0x7ff4000000000001,
		1, 0x800fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff
	};
	static const uint32_t singles[] = { 0,          1u << 31, 0x7f800000, 0xff800000, 0x7fc00000,
					    0x7fa00001, 1,        0x807fffff, 0x00800000, 0x7f7fffff };
	uint64_t high = random64() << 32;

	switch (below(8)) {
	case 0: return doubles[below(sizeof(doubles) / sizeof(doubles[0]))];
	case 1: return high | singles[below(sizeof(singles) / sizeof(singles[0]))];
	case 2: return operand();
	case 3: return random64();
	case 4: return bits_of_double((double)(int64_t)operand());
	case 5: return high | bits_of_single((float)(int64_t)operand());
	case 6: return bits_of_double((double)(int32_t)random64() / 64);
	default: return high | bits_of_single((float)(int16_t)random64() / 64);
	}
}

/* --- memory */

static void map_page(struct soft_tlb_entry *tlb, unsigned page, uint64_t key)
{
	uint64_t va = RAM_VA + page * PAGE;

	tlb[va / PAGE % (1u << TLB_BITS)] = (struct soft_tlb_entry){
		.tag = va | key,
		.to_host = (uint64_t)(uintptr_t)&cpu.m.ram[page * PAGE] - va,
	};
}

void map_pages(bool has_tag_key)
{
	uint64_t key = has_tag_key ? TAG_KEY : 0;

	memset(cpu.read, 0xff, sizeof(cpu.read));
	memset(cpu.write, 0xff, sizeof(cpu.write));
	map_page(cpu.read, PAGE_FAST, key);
	map_page(cpu.read, PAGE_READ_ONLY, key);
	map_page(cpu.write, PAGE_FAST, key);
}

bool is_fast(uint64_t va, uint64_t size, bool is_store)
{
	uint64_t page = (va - RAM_VA) / PAGE;

	return va % size == 0 && (page == PAGE_FAST || (page == PAGE_READ_ONLY && !is_store));
}

static uint64_t swap_if_big(uint64_t v, uint64_t size)
{
	return big_endian ? __builtin_bswap64(v) >> (64 - 8 * size) : v;
}

uint64_t read_ram(const struct machine *m, uint64_t va, uint64_t size, bool is_signed)
{
	unsigned unused = 64 - 8 * (unsigned)size;
	uint64_t v = 0;

	memcpy(&v, &m->ram[va - RAM_VA], size);
	v = swap_if_big(v, size);
	return is_signed ? (uint64_t)((int64_t)(v << unused) >> unused) : v;
}

void write_ram(struct machine *m, uint64_t va, uint64_t size, uint64_t value)
{
	value = swap_if_big(value, size);
	memcpy(&m->ram[va - RAM_VA], &value, size);
}

/* --- helpers */

void collect_flags(struct machine *m)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	m->fp_flags |= mxcsr & FLAGS_THAT_COUNT;
	x86_clear_fp_flags();
}

void forget_unused_operands(struct x86_fp_last *last)
{
	const struct ir_op *o = last->note == 0 ? NULL : &ir.ops[last->note - 1];

	if (o == NULL || o->op == IR_FCMP)
		last->a = 0;
	if (o == NULL || o->op == IR_FCMP || o->b == IR_NONE)
		last->b = 0;
	if (o == NULL || !ir_reads_e(o))
		last->e = 0;
}

static void add_to_digest(struct machine *m, const void *data, size_t size)
{
	const uint8_t *byte = data;

	for (size_t n = 0; n < size; n++)
		m->seen = (m->seen ^ byte[n]) * 0x100000001b3;
}

/* A helper must find the state as it is before its instruction; it notes what it sees. */
static void look_at(struct machine *m, uint64_t where)
{
	uint32_t partial = cpu.partial;

	add_to_digest(m, m->vars, sizeof(m->vars));
	add_to_digest(m, &m->instructions, sizeof(m->instructions));
	add_to_digest(m, m->fields, sizeof(m->fields));
	add_to_digest(m, &m->ll_address, sizeof(m->ll_address));
	add_to_digest(m, &m->ll_valid, sizeof(m->ll_valid));
	add_to_digest(m, &m->fp_status, sizeof(m->fp_status));
	add_to_digest(m, &where, sizeof(where));
	if (counted)
		add_to_digest(m, &partial, sizeof(partial));
}

/* An operation with a note of its own needs to know only whether there are flags to be looked at. */
static void look_at_fp(struct machine *m, bool is_operation)
{
	struct x86_fp_last last = m->last;

	if (is_operation)
		last = (struct x86_fp_last){ .note = last.note != 0 };
	else
		forget_unused_operands(&last);
	add_to_digest(m, &last.note, sizeof(last.note));
	add_to_digest(m, &last.a, sizeof(last.a));
	add_to_digest(m, &last.b, sizeof(last.b));
	add_to_digest(m, &last.e, sizeof(last.e));
}

/* Helpers may change these (System V ABI 3.2.1). */
static void clobber(void)
{
	__asm__ volatile("mov $-1, %%rsi; mov %%rsi, %%rdi; mov %%rsi, %%r8; mov %%rsi, %%r9\n\t"
			 "mov %%rsi, %%r10; mov %%rsi, %%r11; mov %%rsi, %%rcx\n\t"
			 "movq %%rsi, %%xmm0; punpcklqdq %%xmm0, %%xmm0\n\t"
			 "movaps %%xmm0, %%xmm1; movaps %%xmm0, %%xmm2; movaps %%xmm0, %%xmm3\n\t"
			 "movaps %%xmm0, %%xmm4; movaps %%xmm0, %%xmm5; movaps %%xmm0, %%xmm6\n\t"
			 "movaps %%xmm0, %%xmm7; movaps %%xmm0, %%xmm8; movaps %%xmm0, %%xmm9\n\t"
			 "movaps %%xmm0, %%xmm10; movaps %%xmm0, %%xmm11; movaps %%xmm0, %%xmm12\n\t"
			 "movaps %%xmm0, %%xmm13; movaps %%xmm0, %%xmm14; movaps %%xmm0, %%xmm15" ::
				 : "rsi", "rdi", "r8", "r9", "r10", "r11", "rcx", "xmm0", "xmm1", "xmm2", "xmm3",
				   "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
				   "xmm14", "xmm15");
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

/* Some faults are the engine's. */
static uint64_t fault(uint64_t va)
{
	return X86_LEAVE | ((va >> 3 & 1) != 0 ? X86_OUT : 0);
}

struct x86_result helper_load(void *ctx, uint64_t va, uint64_t where, uint64_t kind)
{
	struct machine *m = ctx;
	uint64_t size = kind & 15;
	struct x86_result result = { .value = 0x55 };

	look_at(m, where);
	look_at_fp(m, false);
	if (access_ok(m, va, size, where))
		result.value = read_ram(m, va, size, (kind & X86_SIGNED) != 0);
	else
		result.leave = fault(va);
	clobber();
	return result;
}

uint64_t helper_store(void *ctx, uint64_t va, uint64_t where, uint64_t value, uint64_t size)
{
	struct machine *m = ctx;
	bool ok;

	look_at(m, where);
	look_at_fp(m, false);
	ok = access_ok(m, va, size, where);
	if (ok)
		write_ram(m, va, size, value);
	clobber();
	return ok ? 0 : fault(va);
}

static uint64_t execute(struct machine *m, const struct effect *e, uint64_t where)
{
	uint64_t a = m->vars[e->a];

	if (e->v != IR_NONE)
		m->vars[e->v] = a + e->add;
	if (e->also != IR_NONE)
		m->vars[e->also] = a ^ e->add;
	m->fp_status ^= e->status;
	if (e->attends)
		m->attention = 1;
	if (e->leave != 0)
		m->pc = where;
	clobber();
	return e->leave;
}

uint64_t helper_exec(void *ctx, const void *insn, uint64_t where)
{
	const struct effect *e = insn;

	look_at(ctx, where);
	if (!e->ignores_fp)
		look_at_fp(ctx, false);
	return execute(ctx, e, where);
}

uint64_t helper_exec_fp(void *ctx, const void *insn, uint64_t where)
{
	struct machine *m = ctx;
	const struct effect *e = insn;

	collect_flags(m);
	look_at(m, where);
	look_at_fp(m, e->is_operation);
	add_to_digest(m, &m->fp_flags, sizeof(m->fp_flags));
	memset(&m->last, 0, sizeof(m->last));
	return execute(m, e, where);
}
