/* SPDX-License-Identifier: BSD-2-Clause */
/* Random instructions with operands that have a defined result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/mips64/guest/cpu.h"
#include "tests/differential/program.h"

#define LUI(rt, imm)        (0x3c000000u | (uint32_t)(rt) << 16 | ((uint32_t)(imm)&0xffff))
#define ORI(rt, rs, imm)    (0x34000000u | (uint32_t)(rs) << 21 | (uint32_t)(rt) << 16 | ((uint32_t)(imm)&0xffff))
#define ADDIU(rt, rs, imm)  (0x24000000u | (uint32_t)(rs) << 21 | (uint32_t)(rt) << 16 | ((uint32_t)(imm)&0xffff))
#define DADDIU(rt, rs, imm) (0x64000000u | (uint32_t)(rs) << 21 | (uint32_t)(rt) << 16 | ((uint32_t)(imm)&0xffff))

#define LL 0x30u

/* From the instruction that makes its address to one that is written. */
#define CODE_DISTANCE 6u

enum { SHIFT_S = 21, SHIFT_T = 16, SHIFT_D = 11, SHIFT_A = 6 };

/* Of every MIX_TOTAL instructions, how many of each group. */
#define MIX_TOTAL 40u
static const uint8_t mixes[][GROUPS] = {
	{ 15, 5, 6, 4, 0, 9, 1, 0 },   /* integer */
	{ 5, 0, 20, 3, 5, 4, 3, 0 },   /* memory */
	{ 3, 0, 3, 2, 32, 0, 0, 0 },   /* floating point */
	{ 8, 1, 1, 20, 5, 5, 0, 0 },   /* branches */
	{ 9, 3, 7, 5, 9, 5, 1, 0, 1 }, /* everything, and code that changes */
	{ 8, 3, 7, 5, 9, 5, 1, 2 },    /* and traps */
};

/* One block in the making. */
struct generator {
	struct block *block;
	struct random *r;
	const struct variant *v;
	const char *only;
	const uint8_t *mix;
};

/* One instruction in the making. */
struct insn {
	uint32_t word;
	uint32_t before[6]; /* instructions that prepare its operands */
	unsigned nr_before;
	bool branch;
	int how;       /* of the fixup */
	uint32_t pair; /* the SC of an LL, the other half of a load of halves */
	unsigned last; /* register chosen last */
};

static unsigned word_register(struct generator *g)
{
	return random_below(g->r, LAST_WORD + 1);
}

static unsigned any_register(struct generator *g)
{
	return random_below(g->r, 32);
}

/* For a result of 32 bits: any register but BASE. */
static unsigned any_result(struct generator *g)
{
	unsigned n = random_below(g->r, 31);

	return n >= BASE ? n + 1 : n;
}

/* For a result of 64 bits. */
static unsigned wide_result(struct generator *g)
{
	unsigned n = LAST_WORD + random_below(g->r, 31 - LAST_WORD);

	if (n == LAST_WORD)
		return random_once_in(g->r, 4) ? 0 : 31;
	return n >= BASE ? n + 1 : n;
}

static unsigned float_register(struct generator *g, bool is_double)
{
	unsigned n = random_below(g->r, FIRST_SINGLE);

	return is_double != random_once_in(g->r, 16) ? n : n + FIRST_SINGLE;
}

static unsigned pick_register(struct generator *g, const struct insn *in, char kind)
{
	switch (kind) {
	case 'r': return any_register(g);
	case 'k': return random_below(g->r, 31);
	case 'N': return 1 + random_below(g->r, 31);
	case 'Z': return LAST_WORD + 1 + random_below(g->r, BASE - LAST_WORD - 1);
	case 'w':
	case 'u': return word_register(g);
	case 'W': return any_result(g);
	case 'R':
	case 'U': return wide_result(g);
	case 'f':
	case 'F': return float_register(g, false);
	case 'g':
	case 'G': return float_register(g, true);
	case 'e': return in->last;
	case '5': return random_below(g->r, 32);
	default: fprintf(stderr, "no kind of operand %c\n", kind); abort();
	}
}

/* An offset from the middle of the scratch memory for `size` bytes, aligned or not. */
static int scratch_offset(struct generator *g, unsigned size, bool aligned)
{
	int n = (int)random_below(g->r, SCRATCH_BYTES - size + 1) - (int)SCRATCH_BYTES / 2;

	return aligned ? n & -(int)size : n;
}

static bool may_be_unaligned(struct generator *g)
{
	return (g->v->features & MIPS_HAS_UNALIGNED) != 0 && random_once_in(g->r, 3);
}

static void prepare(struct insn *in, uint32_t word)
{
	in->before[in->nr_before++] = word;
}

/* Offset and base. Now and then the base is another register, a little off. */
static void place_memory(struct generator *g, struct insn *in, int offset)
{
	unsigned base = BASE;

	if (random_once_in(g->r, 4)) {
		int moved = (int)random_below(g->r, 0x8000) - 0x4000;

		base = INDEX;
		prepare(in, DADDIU(INDEX, BASE, moved));
		offset -= moved;
	}
	in->word |= base << SHIFT_S | ((uint32_t)offset & 0xffff);
}

static void place_indexed(struct generator *g, struct insn *in, unsigned size, bool ignores_low_bits)
{
	bool swapped = random_once_in(g->r, 2);

	prepare(in, ADDIU(INDEX, 0, scratch_offset(g, size, !ignores_low_bits)));
	in->word |= (swapped ? INDEX : BASE) << SHIFT_S | (swapped ? BASE : INDEX) << SHIFT_T;
}

static void place_at(struct generator *g, struct insn *in, unsigned size)
{
	prepare(in, DADDIU(INDEX, BASE, scratch_offset(g, size, true)));
	in->word |= INDEX << SHIFT_S;
}

/* The fields msb or size (bits 15:11) and lsb (10:6) of a bit field instruction. */
static void place_bit_field(struct generator *g, struct insn *in, char kind)
{
	unsigned width = kind == '0' || kind == '4' ? 32 : 64, low = 0, size, high, n = (unsigned)(kind - '0');

	for (;;) {
		low = random_below(g->r, width);
		size = 1 + random_below(g->r, width - low);
		high = low + size - 1;
		/* Each form of the 64-bit ones has its range of position and size. */
		if (n == 1 && (size <= 32 || low >= 32))
			continue;
		if ((n == 2 || n == 9) && (size > 32 || low < 32))
			continue;
		if ((n == 3 || n == 8) && (size > 32 || low >= 32))
			continue;
		if (n == 5 && (low >= 32 || high < 32))
			continue;
		if (n == 6 && low < 32)
			continue;
		if (n == 7 && high >= 32)
			continue;
		break;
	}
	if (n < 4 || n >= 8)
		high = size - 1;
	in->word |= (high & 31) << SHIFT_D | (low & 31) << SHIFT_A;
}

/* A jump through a register: its value comes with the place of the block. */
static void place_jump_register(struct generator *g, struct insn *in)
{
	unsigned link = in->word >> SHIFT_D & 31, target;

	do {
		target = wide_result(g);
	} while (target == 0 || target == link);
	prepare(in, LUI(target, 0));
	prepare(in, ORI(target, target, 0));
	in->word |= target << SHIFT_S;
	in->branch = true;
	in->how = FIX_REGISTER;
}

/* ABS and NEG: twice the value is not a signalling NaN. */
static void quiet(struct insn *in)
{
	uint32_t source = in->word >> SHIFT_D & 31, format = in->word & 31u << SHIFT_S;

	prepare(in, 0x44000000u | format | source << SHIFT_T | source << SHIFT_D | source << SHIFT_A);
}

/*
 * Writes the instruction that follows: ADDIU of an immediate that a register gives. SYNCI makes the change visible;
 * what real hardware needs in addition (a jump with a hazard barrier) neither side does.
 */
static void place_code(struct generator *g, struct insn *in)
{
	unsigned code, value = word_register(g);

	do {
		code = wide_result(g);
	} while (code == 0 || code == INDEX);
	in->word |= any_result(g) << SHIFT_T;
	in->how = FIX_CODE;
	prepare(in, LUI(INDEX, 0));
	prepare(in, ORI(INDEX, INDEX, 0));
	prepare(in, LUI(code, in->word >> 16));
	prepare(in, 0x7c000004u | value << SHIFT_S | code << SHIFT_T | 15u << SHIFT_D); /* INS, 16 bits */
	prepare(in, 0xac000000u | INDEX << SHIFT_S | code << SHIFT_T);                  /* SW */
	prepare(in, 0x041f0000u | INDEX << SHIFT_S);                                    /* SYNCI */
}

static void place_branch(struct insn *in, int how)
{
	in->branch = true;
	in->how = how;
}

/* An SC or SCD for an LL or LLD at the same address, or one that is not. */
static void place_linked(struct generator *g, struct insn *in, unsigned size, bool elsewhere)
{
	uint32_t conditional = (in->word >> 26) + 8;

	place_memory(g, in, scratch_offset(g, size, true));
	in->pair = conditional << 26 | (in->word & 0x03ffffff);
	if (elsewhere)
		in->pair ^= size << random_below(g->r, 3);
}

static void place_operand(struct generator *g, struct insn *in, char place, char kind)
{
	unsigned size = (unsigned)(kind - '0');

	switch (place) {
	case 's': in->word |= (in->last = pick_register(g, in, kind)) << SHIFT_S; break;
	case 't': in->word |= (in->last = pick_register(g, in, kind)) << SHIFT_T; break;
	case 'd': in->word |= (in->last = pick_register(g, in, kind)) << SHIFT_D; break;
	case 'a': in->word |= (in->last = pick_register(g, in, kind)) << SHIFT_A; break;
	case 'i': in->word |= (uint32_t)random_integer(g->r) & 0xffff; break;
	case 'n': in->word |= ((uint32_t)random_integer(g->r) & 0x3ff) << 6; break;
	case 'm': place_memory(g, in, scratch_offset(g, size, !may_be_unaligned(g))); break;
	case 'M': place_memory(g, in, scratch_offset(g, 8, false)); break;
	case 'O': place_memory(g, in, scratch_offset(g, 8, true) + 1 + (int)random_below(g->r, 3)); break;
	case 'l': place_linked(g, in, size, false); break;
	case 'L': place_linked(g, in, size, true); break;
	case 'x': place_indexed(g, in, size, false); break;
	case 'X': place_indexed(g, in, size, true); break;
	case '@': place_at(g, in, size); break;
	case 'b': place_bit_field(g, in, kind); break;
	case 'c': in->word |= random_below(g->r, 8) << 8; break;
	case 'C': in->word |= random_below(g->r, 8) << 18; break;
	case 'y': in->word |= random_below(g->r, 16); break;
	case 'o': place_branch(in, FIX_DISTANCE); break;
	case 'j': place_branch(in, FIX_REGION); break;
	case 'J': place_jump_register(g, in); break;
	case 'q': quiet(in); break;
	case 'p': place_code(g, in); break;
	default: fprintf(stderr, "no place of an operand %c\n", place); abort();
	}
}

/*
 * LDL for LDR and the reverse, LWL for LWR, their stores: the half that makes a whole value of that of the lower address, or nearly.
 * 0 for other instructions.
 */
static uint32_t other_half(struct generator *g, uint32_t word)
{
	/* By byte order: LDR, LWR, SDR, SWR; LDL, LWL, SDL, SWL. */
	static const uint8_t lower[2][4] = { { 0x1b, 0x26, 0x2d, 0x2e }, { 0x1a, 0x22, 0x2c, 0x2a } };
	const uint8_t *own = lower[g->v->big_endian], *other = lower[!g->v->big_endian];

	for (unsigned n = 0; n < 4; n++) {
		unsigned size = n % 2 == 0 ? 8 : 4, distance = size - 1 - random_once_in(g->r, 5);

		if (word >> 26 == own[n] && !random_once_in(g->r, 4))
			return (uint32_t)other[n] << 26 | (word & 0x03ff0000) | ((word + distance) & 0xffff);
	}
	return 0;
}

static struct insn make(struct generator *g, const struct encoding *e)
{
	struct insn in = { .word = e->bits };

	for (const char *s = e->operands; *s != '\0'; s += 2)
		place_operand(g, &in, s[0], s[1]);
	if (in.pair != 0)
		in.pair |= any_result(g) << SHIFT_T;
	else
		in.pair = other_half(g, in.word);
	return in;
}

/* COP1, COP1X, MOVCI, loads and stores. */
static bool uses_fpu(uint32_t word)
{
	static const uint8_t opcodes[] = { 0x11, 0x13, 0x31, 0x35, 0x39, 0x3d };

	return memchr(opcodes, (int)(word >> 26), sizeof(opcodes)) != NULL || (word & 0xfc00003f) == 0x01;
}

static bool available(const struct generator *g, const struct encoding *e)
{
	if (e->bits >> 26 == LL && (g->v->without >> G_ATOMIC & 1) != 0)
		return false;
	if (uses_fpu(e->bits))
		return (g->v->features & MIPS_HAS_FPU) != 0;
	return e->group != G_OCTEON || (g->v->features & MIPS_HAS_OCTEON) != 0;
}

static const struct encoding *named(const char *name)
{
	for (unsigned n = 0; n < nr_encodings; n++)
		if (strcmp(encodings[n].name, name) == 0)
			return &encodings[n];
	fprintf(stderr, "differential: no instruction %s\n", name);
	exit(2);
}

/* A group the CPU has, by the mix, then one of its instructions. */
static const struct encoding *choose(struct generator *g)
{
	unsigned n, group;

	if (g->only != NULL)
		return named(g->only);
	do {
		n = random_below(g->r, MIX_TOTAL);
		for (group = 0; n >= g->mix[group]; group++)
			n -= g->mix[group];
	} while ((g->v->without >> group & 1) != 0 || (group == G_FLOAT && (g->v->features & MIPS_HAS_FPU) == 0) ||
		 (group == G_OCTEON && (g->v->features & MIPS_HAS_OCTEON) == 0));
	for (;;) {
		const struct encoding *e = &encodings[random_below(g->r, nr_encodings)];

		if (e->group == group && available(g, e))
			return e;
	}
}

static void append(struct block *b, uint32_t word)
{
	b->words[b->nr_words++] = word;
}

/* One word of arithmetic that cannot trap. */
static uint32_t harmless(struct generator *g)
{
	for (;;) {
		const struct encoding *e = &encodings[random_below(g->r, nr_encodings)];

		if (e->group == G_ALU)
			return make(g, e).word;
	}
}

/* BNE $n,$n, BGTZ $0, BLTZ $0, BLTZAL $0. */
static bool never_taken(uint32_t branch)
{
	unsigned op = branch >> 26, s = branch >> SHIFT_S & 31, t = branch >> SHIFT_T & 31;

	return (op == 5 && s == t) || (op == 7 && s == 0) || (op == 1 && s == 0 && (t == 0x00 || t == 0x10));
}

/* Something for the delay slot of a branch: one word that is no branch. */
static uint32_t slot(struct generator *g, uint32_t branch)
{
	for (unsigned tries = 0; tries < 20 && !never_taken(branch); tries++) {
		struct insn in = make(g, choose(g));

		if (!in.branch && in.nr_before == 0 && in.pair == 0)
			return in.word;
	}
	return harmless(g);
}

/* Between LL and SC, or two halves: something that neither touches memory nor moves the base. */
static uint32_t between(struct generator *g)
{
	uint32_t word;

	do {
		word = harmless(g);
	} while ((word >> SHIFT_T & 31) == INDEX || (word >> SHIFT_D & 31) == INDEX);
	return word;
}

static void append_branch(struct generator *g, const struct insn *in)
{
	struct block *b = g->block;
	unsigned word = b->nr_words - (in->how == FIX_REGISTER ? 2 : 0);

	b->fixups[b->nr_fixups++] = (struct fixup){
		.word = word,
		.target = b->nr_items + 1 + random_below(g->r, 5),
		.how = in->how,
	};
	append(b, in->word);
	append(b, slot(g, in->word));
}

static void append_pair(struct generator *g, const struct insn *in)
{
	append(g->block, in->word);
	for (unsigned n = random_below(g->r, 3); n > 0; n--)
		append(g->block, between(g));
	append(g->block, in->pair);
}

static void append_item(struct generator *g)
{
	struct block *b = g->block;
	struct insn in;

	do {
		in = make(g, choose(g));
	} while (in.pair != 0 && (in.word >> SHIFT_T & 31) == INDEX);
	b->items[b->nr_items] = b->nr_words;
	if (in.how == FIX_CODE)
		b->fixups[b->nr_fixups++] = (struct fixup){ .word = b->nr_words, .how = FIX_CODE };
	for (unsigned n = 0; n < in.nr_before; n++)
		append(b, in.before[n]);
	if (in.branch)
		append_branch(g, &in);
	else if (in.pair != 0)
		append_pair(g, &in);
	else
		append(b, in.word);
	b->items[++b->nr_items] = b->nr_words;
}

void generate_block(struct block *b, struct random *r, const struct variant *v, const char *only)
{
	struct generator g = {
		.block = b,
		.r = r,
		.v = v,
		.only = only,
		.mix = mixes[random_below(r, sizeof(mixes) / sizeof(mixes[0]))],
	};
	unsigned items = 20 + random_below(r, BLOCK_ITEMS - 20 + 1);

	memset(b, 0, sizeof(*b));
	while (b->nr_items < items)
		append_item(&g);
}

void block_fix(struct block *b)
{
	for (unsigned n = 0; n < b->nr_fixups; n++) {
		const struct fixup *f = &b->fixups[n];
		unsigned target = b->items[f->target < b->nr_items ? f->target : b->nr_items];
		uint64_t va = b->pc + 4 * (f->how == FIX_CODE ? f->word + CODE_DISTANCE : target);
		uint32_t *w = &b->words[f->word];

		if (f->how == FIX_DISTANCE) {
			*w = (*w & ~0xffffu) | ((target - f->word - 1) & 0xffff);
		} else if (f->how == FIX_REGION) {
			*w = (*w & ~0x03ffffffu) | ((uint32_t)(va >> 2) & 0x03ffffff);
		} else {
			w[0] = (w[0] & ~0xffffu) | ((uint32_t)(va >> 16) & 0xffff);
			w[1] = (w[1] & ~0xffffu) | ((uint32_t)va & 0xffff);
		}
	}
}
