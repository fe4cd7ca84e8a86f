/* SPDX-License-Identifier: BSD-2-Clause */
/* Table, figure and section numbers are of the Intel SDM, volume 2. */
#include "arch/x86_64/hvm/emulate.h"

#include <errno.h>
#include <stddef.h>

#define LONGEST 15u /* 2.3.11 */

/* RFLAGS (volume 1, 3.4.3) */
#define FLAG_CF   (1u << 0)
#define FLAG_PF   (1u << 2)
#define FLAG_AF   (1u << 4)
#define FLAG_ZF   (1u << 6)
#define FLAG_SF   (1u << 7)
#define FLAG_OF   (1u << 11)
#define FLAGS_ALU (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

/* How an opcode is written. */
#define BYTE    (1u << 0) /* the operand in memory has 8 bits */
#define IMM8    (1u << 1)
#define IMM     (1u << 2) /* as wide as the operand, at most 32 bits */
#define MOFFS   (1u << 3) /* RAX and an absolute address */
#define GROUP   (1u << 4) /* reg of ModRM goes on with the opcode */
#define WORD    (1u << 5) /* the operand in memory has 16 bits */
#define DWORD   (1u << 6) /* ...32 bits */
#define TWO     (1u << 7) /* second opcode map: after 0F */
#define ANY_REG 8u

/** An opcode. */
struct encoding {
	uint8_t opcode, mask; /**< opcode & mask must be equal */
	uint8_t form;
	uint8_t group; /**< with GROUP the reg that it must have, ANY_REG: it is the ALU operation */
	uint8_t operation;
};

/* Appendix A. In the ALU's opcodes, bits 5:3 are the operation. */
static const struct encoding encodings[] = {
	{ 0x00, 0xc7, BYTE, 0, X86_MODIFY },
	{ 0x01, 0xc7, 0, 0, X86_MODIFY },
	{ 0x02, 0xc7, BYTE, 0, X86_COMBINE },
	{ 0x03, 0xc7, 0, 0, X86_COMBINE },
	{ 0x80, 0xff, BYTE | IMM8 | GROUP, ANY_REG, X86_MODIFY },
	{ 0x81, 0xff, IMM | GROUP, ANY_REG, X86_MODIFY },
	{ 0x83, 0xff, IMM8 | GROUP, ANY_REG, X86_MODIFY },
	{ 0x84, 0xff, BYTE, 0, X86_TEST },
	{ 0x85, 0xff, 0, 0, X86_TEST },
	{ 0xf6, 0xff, BYTE | IMM8 | GROUP, 0, X86_TEST },
	{ 0xf7, 0xff, IMM | GROUP, 0, X86_TEST },
	{ 0x86, 0xff, BYTE, 0, X86_EXCHANGE },
	{ 0x87, 0xff, 0, 0, X86_EXCHANGE },
	{ 0x88, 0xff, BYTE, 0, X86_STORE },
	{ 0x89, 0xff, 0, 0, X86_STORE },
	{ 0xa2, 0xff, BYTE | MOFFS, 0, X86_STORE },
	{ 0xa3, 0xff, MOFFS, 0, X86_STORE },
	{ 0xc6, 0xff, BYTE | IMM8 | GROUP, 0, X86_STORE },
	{ 0xc7, 0xff, IMM | GROUP, 0, X86_STORE },
	{ 0x8a, 0xff, BYTE, 0, X86_LOAD },
	{ 0x8b, 0xff, 0, 0, X86_LOAD },
	{ 0xa0, 0xff, BYTE | MOFFS, 0, X86_LOAD },
	{ 0xa1, 0xff, MOFFS, 0, X86_LOAD },
	{ 0x63, 0xff, DWORD, 0, X86_LOAD_SIGN },
	{ 0xb6, 0xff, TWO | BYTE, 0, X86_LOAD_ZERO },
	{ 0xb7, 0xff, TWO | WORD, 0, X86_LOAD_ZERO },
	{ 0xbe, 0xff, TWO | BYTE, 0, X86_LOAD_SIGN },
	{ 0xbf, 0xff, TWO | WORD, 0, X86_LOAD_SIGN },
};

/** Decoding at work. */
struct decoder {
	const uint8_t *bytes;
	unsigned n, at;
	enum x86_code code;
	bool operand_prefix, address_prefix, cut;
	uint8_t rex;
};

static uint8_t next(struct decoder *d)
{
	if (d->at < d->n && d->at < LONGEST)
		return d->bytes[d->at++];
	d->cut = true;
	return 0;
}

static uint64_t next_signed(struct decoder *d, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)next(d) << 8 * i;
	return (uint64_t)((int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes));
}

/* 2.1.1: segments, LOCK and the repetitions change nothing here. */
static bool is_prefix(uint8_t byte)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3 };

	for (unsigned i = 0; i < sizeof(prefixes); i++) {
		if (prefixes[i] == byte)
			return true;
	}
	return false;
}

/* Returns the first byte of the opcode. 2.2.1: REX counts only right before it. */
static uint8_t skip_prefixes(struct decoder *d)
{
	uint8_t byte = next(d);

	while (!d->cut && (is_prefix(byte) || (d->code == X86_CODE64 && byte >> 4 == 4))) {
		d->operand_prefix |= byte == 0x66;
		d->address_prefix |= byte == 0x67;
		d->rex = is_prefix(byte) ? 0 : byte;
		byte = next(d);
	}
	return byte;
}

static unsigned address_bytes(const struct decoder *d)
{
	switch (d->code) {
	case X86_CODE64: return d->address_prefix ? 4 : 8;
	case X86_CODE32: return d->address_prefix ? 2 : 4;
	default: return d->address_prefix ? 4 : 2;
	}
}

static unsigned operand_bytes(const struct decoder *d)
{
	if ((d->rex & 8) != 0)
		return 8;
	return (d->code == X86_CODE16) != d->operand_prefix ? 2 : 4;
}

/* Tables 2-1 to 2-3: skips SIB and displacement. */
static void skip_address(struct decoder *d, uint8_t modrm)
{
	unsigned mod = modrm >> 6, rm = modrm & 7;

	if (address_bytes(d) == 2) {
		if (mod == 1)
			next(d);
		else if (mod == 2 || rm == 6)
			next_signed(d, 2);
		return;
	}
	if (rm == 4 && (next(d) & 7) == 5 && mod == 0)
		next_signed(d, 4);
	if (mod == 1)
		next(d);
	else if (mod == 2 || (mod == 0 && rm == 5))
		next_signed(d, 4);
}

static const struct encoding *find(uint8_t opcode, bool two)
{
	for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		const struct encoding *e = &encodings[i];

		if ((opcode & e->mask) == e->opcode && ((e->form & TWO) != 0) == two)
			return e;
	}
	return NULL;
}

static void set_register(const struct decoder *d, struct x86_insn *i, unsigned reg)
{
	i->reg = (uint8_t)(reg | (d->rex & 4) << 1);
	/* 2.2.1.2: without REX, 4 to 7 of the byte registers are the high bytes of the first four. */
	if (i->wide == 1 && d->rex == 0 && reg >= 4) {
		i->high_byte = true;
		i->reg = (uint8_t)(reg - 4);
	}
}

static void set_sizes(const struct decoder *d, const struct encoding *e, struct x86_insn *i)
{
	unsigned wide = operand_bytes(d);

	i->size = (uint8_t)((e->form & BYTE) != 0 ? 1 : (e->form & WORD) != 0 ? 2 : (e->form & DWORD) != 0 ? 4 : wide);
	i->wide = (uint8_t)(e->operation == X86_LOAD_ZERO || e->operation == X86_LOAD_SIGN ? wide : i->size);
}

static bool decode_modrm(struct decoder *d, const struct encoding *e, struct x86_insn *i)
{
	uint8_t modrm = next(d);
	unsigned reg = modrm >> 3 & 7;

	if (modrm >> 6 == 3 && !d->cut)
		return false;
	skip_address(d, modrm);
	if ((e->form & GROUP) == 0) {
		set_register(d, i, reg);
		return true;
	}
	i->alu = (uint8_t)reg;
	return e->group == ANY_REG || e->group == reg;
}

int x86_decode(const uint8_t *bytes, unsigned n, enum x86_code code, struct x86_insn *out)
{
	struct decoder d = { .bytes = bytes, .n = n, .code = code };
	uint8_t opcode = skip_prefixes(&d);
	bool two = opcode == 0x0f;
	const struct encoding *e;

	*out = (struct x86_insn){ 0 };
	if (two)
		opcode = next(&d);
	e = find(opcode, two);
	if (!d.cut && (e == NULL || ((e->form & DWORD) != 0 && code != X86_CODE64)))
		return -ENOTSUP;
	if (d.cut || e == NULL)
		return n < LONGEST ? -EAGAIN : -ENOTSUP;
	out->operation = e->operation;
	out->alu = opcode >> 3 & 7;
	set_sizes(&d, e, out);
	if ((e->form & MOFFS) != 0)
		next_signed(&d, address_bytes(&d));
	else if (!decode_modrm(&d, e, out))
		return -ENOTSUP;
	out->has_immediate = (e->form & (IMM8 | IMM)) != 0;
	if (out->has_immediate)
		out->immediate = next_signed(&d, (e->form & IMM8) != 0 ? 1 : out->size == 8 ? 4 : out->size);
	if (d.cut)
		return n < LONGEST ? -EAGAIN : -ENOTSUP;
	out->length = (uint8_t)d.at;
	return 0;
}

unsigned x86_prefixed_length(const uint8_t *bytes, unsigned n, unsigned opcode, bool is_64bit)
{
	struct decoder d = { .bytes = bytes, .n = n, .code = is_64bit ? X86_CODE64 : X86_CODE32 };

	skip_prefixes(&d);
	if (d.cut || d.at - 1 + opcode > LONGEST)
		return 0;
	return d.at - 1 + opcode;
}

/* --- carrying out */

static uint64_t mask_of(unsigned bytes)
{
	return bytes == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * bytes) - 1;
}

static uint64_t get_register(const struct x86_insn *i, const uint64_t gpr[16])
{
	return (i->high_byte ? gpr[i->reg] >> 8 : gpr[i->reg]) & mask_of(i->wide);
}

/* Volume 1, 3.4.1.1: 32-bit results are zero-extended, narrower ones leave the rest as it is. */
static void set_gpr(const struct x86_insn *i, uint64_t gpr[16], uint64_t value)
{
	uint64_t mask = mask_of(i->wide);

	value &= mask;
	if (i->high_byte)
		gpr[i->reg] = (gpr[i->reg] & ~0xff00ull) | value << 8;
	else if (i->wide >= 4)
		gpr[i->reg] = value;
	else
		gpr[i->reg] = (gpr[i->reg] & ~mask) | value;
}

static uint64_t sign_extend(uint64_t value, unsigned bytes)
{
	return (uint64_t)((int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes));
}

static uint32_t result_flags(uint64_t result, unsigned bytes)
{
	uint32_t flags = 0;

	if ((result & mask_of(bytes)) == 0)
		flags |= FLAG_ZF;
	if ((result >> (8 * bytes - 1) & 1) != 0)
		flags |= FLAG_SF;
	if (__builtin_parity((unsigned)(result & 0xff)) == 0)
		flags |= FLAG_PF;
	return flags;
}

/* Carries out of each bit tell carry, auxiliary carry and overflow. */
static uint32_t carry_flags(uint64_t carries, unsigned bytes)
{
	unsigned top = 8 * bytes - 1;
	uint32_t flags = 0;

	if ((carries >> top & 1) != 0)
		flags |= FLAG_CF;
	if ((carries >> 3 & 1) != 0)
		flags |= FLAG_AF;
	if (((carries >> top ^ carries >> (top - 1)) & 1) != 0)
		flags |= FLAG_OF;
	return flags;
}

static uint64_t alu(unsigned operation, uint64_t a, uint64_t b, unsigned bytes, uint64_t *rflags)
{
	uint64_t carry = *rflags & FLAG_CF, result;
	uint32_t flags = 0;

	a &= mask_of(bytes);
	b &= mask_of(bytes);
	switch (operation) {
	case ALU_OR: result = a | b; break;
	case ALU_AND: result = a & b; break;
	case ALU_XOR: result = a ^ b; break;
	case ALU_ADD:
	case ALU_ADC:
		result = a + b + (operation == ALU_ADC ? carry : 0);
		flags = carry_flags((a & b) | ((a | b) & ~result), bytes);
		break;
	default: /* SUB, SBB, CMP */
		result = a - b - (operation == ALU_SBB ? carry : 0);
		flags = carry_flags((~a & b) | ((~a | b) & result), bytes);
		break;
	}
	*rflags = (*rflags & ~(uint64_t)FLAGS_ALU) | flags | result_flags(result, bytes);
	return result & mask_of(bytes);
}

static uint64_t source(const struct x86_insn *i, const uint64_t gpr[16])
{
	return i->has_immediate ? i->immediate & mask_of(i->size) : get_register(i, gpr);
}

void x86_execute(const struct x86_insn *i, uint64_t gpr[16], uint64_t *rflags, const struct x86_operand *m)
{
	uint64_t value = i->operation == X86_STORE ? 0 : m->read(m->ctx, i->size) & mask_of(i->size);

	switch (i->operation) {
	case X86_STORE: m->write(m->ctx, i->size, source(i, gpr)); break;
	case X86_LOAD:
	case X86_LOAD_ZERO: set_gpr(i, gpr, value); break;
	case X86_LOAD_SIGN: set_gpr(i, gpr, sign_extend(value, i->size)); break;
	case X86_EXCHANGE:
		m->write(m->ctx, i->size, get_register(i, gpr));
		set_gpr(i, gpr, value);
		break;
	case X86_TEST: alu(ALU_AND, value, source(i, gpr), i->size, rflags); break;
	case X86_MODIFY:
		value = alu(i->alu, value, source(i, gpr), i->size, rflags);
		if (i->alu != ALU_CMP)
			m->write(m->ctx, i->size, value);
		break;
	case X86_COMBINE:
		value = alu(i->alu, get_register(i, gpr), value, i->size, rflags);
		if (i->alu != ALU_CMP)
			set_gpr(i, gpr, value);
		break;
	default: break;
	}
}
