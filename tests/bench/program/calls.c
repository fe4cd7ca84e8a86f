/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls: recursion, and a bytecode machine whose instructions are called or jumped to indirectly. */
#include "bench.h"

#define FIBONACCI 22u
#define TAK_X     12
#define TAK_Y     8
#define TAK_Z     4
#define COLLATZ   200u

static uint32_t __attribute__((noinline)) fibonacci(uint32_t n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

/* Takeuchi's function. */
static int32_t __attribute__((noinline)) tak(int32_t x, int32_t y, int32_t z)
{
	return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

static uint64_t recursion(void)
{
	uint32_t n = FIBONACCI;
	int32_t x = TAK_X;

	__asm__ volatile("" : "+r"(n), "+r"(x)); /* not constants for the compiler */
	return bench_mix(fibonacci(n), (uint32_t)tak(x, TAK_Y, TAK_Z));
}

/* --- the bytecode machine: an accumulator, a few registers */

enum opcode { LOAD, STORE, ADD, ADD_NOW, TRIPLE_1, HALVE, IF_ODD, IF_ONE, LOOP, GOTO, STOP, OPCODES };

struct code {
	uint8_t opcode, reg;
	int16_t operand;
};

struct machine {
	const struct code *next;
	int64_t accumulator, reg[4];
};

/* For every number up to COLLATZ: its steps to 1 (r0: number, r1: its value on the way, r2: steps). */
static struct code collatz[] = {
	{ LOAD, 0, 0 },   { STORE, 1, 0 },                                        /* 0 */
	{ LOAD, 1, 0 },   { IF_ONE, 0, 9 },   { IF_ODD, 0, 2 },  { HALVE, 0, 0 }, /* 2 */
	{ GOTO, 0, 1 },   { TRIPLE_1, 0, 0 },                                     /* 6 */
	{ STORE, 1, 0 },  { LOAD, 2, 0 },     { ADD_NOW, 0, 1 }, { STORE, 2, 0 }, /* 8 */
	{ GOTO, 0, -11 }, { LOAD, 3, 0 },     { ADD, 2, 0 },     { STORE, 3, 0 }, /* 12 */
	{ LOOP, 0, -17 }, { STOP, 0, 0 },                                         /* 16 */
};

static inline void do_load(struct machine *m, struct code c)
{
	m->accumulator = m->reg[c.reg];
}

static inline void do_store(struct machine *m, struct code c)
{
	m->reg[c.reg] = m->accumulator;
}

static inline void do_add(struct machine *m, struct code c)
{
	m->accumulator += m->reg[c.reg];
}

static inline void do_add_now(struct machine *m, struct code c)
{
	m->accumulator += c.operand;
}

static inline void do_triple_1(struct machine *m, struct code c)
{
	(void)c;
	m->accumulator = 3 * m->accumulator + 1;
}

static inline void do_halve(struct machine *m, struct code c)
{
	(void)c;
	m->accumulator >>= 1;
}

static inline void do_if_odd(struct machine *m, struct code c)
{
	if (m->accumulator & 1)
		m->next += c.operand;
}

static inline void do_if_one(struct machine *m, struct code c)
{
	if (m->accumulator == 1)
		m->next += c.operand;
}

static inline void do_loop(struct machine *m, struct code c)
{
	if (--m->reg[c.reg] > 0)
		m->next += c.operand;
}

static inline void do_goto(struct machine *m, struct code c)
{
	m->next += c.operand;
}

static void (*const handlers[OPCODES])(struct machine *, struct code) = {
	[LOAD] = do_load,         [STORE] = do_store, [ADD] = do_add,       [ADD_NOW] = do_add_now,
	[TRIPLE_1] = do_triple_1, [HALVE] = do_halve, [IF_ODD] = do_if_odd, [IF_ONE] = do_if_one,
	[LOOP] = do_loop,         [GOTO] = do_goto,
};

/* An indirect call for every instruction. */
static uint64_t bytecode_calls(void)
{
	struct machine m = { .next = collatz, .reg = { COLLATZ } };

	bench_barrier();
	for (struct code c = *m.next++; c.opcode != STOP; c = *m.next++)
		handlers[c.opcode](&m, c);
	return (uint64_t)m.reg[3];
}

/* An indirect jump for every instruction. */
static uint64_t bytecode_switch(void)
{
	struct machine m = { .next = collatz, .reg = { COLLATZ } };

	bench_barrier();
	for (;;) {
		struct code c = *m.next++;

		switch ((enum opcode)c.opcode) {
		case LOAD: do_load(&m, c); break;
		case STORE: do_store(&m, c); break;
		case ADD: do_add(&m, c); break;
		case ADD_NOW: do_add_now(&m, c); break;
		case TRIPLE_1: do_triple_1(&m, c); break;
		case HALVE: do_halve(&m, c); break;
		case IF_ODD: do_if_odd(&m, c); break;
		case IF_ONE: do_if_one(&m, c); break;
		case LOOP: do_loop(&m, c); break;
		case GOTO: do_goto(&m, c); break;
		case STOP:
		case OPCODES: return (uint64_t)m.reg[3];
		}
	}
}

const struct bench_item bench_calls[] = {
	{ "recursion", BENCH_US, 1, NULL, recursion, NULL, UINT64_C(16782936406638593138) },
	{ "bytecode-calls", BENCH_US, 1, NULL, bytecode_calls, NULL, 994528 },
	{ "bytecode-switch", BENCH_US, 1, NULL, bytecode_switch, NULL, 994528 },
	{ 0 },
};
