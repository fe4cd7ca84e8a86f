/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions that random programs are made of. One line in encodings.c is one
 * instruction: its fixed bits, and its operands as pairs of letters.
 *
 * First letter, the place: s, t, d, a are bits 25:21, 20:16, 15:11 and 10:6.
 * Second letter, what stands there:
 *	r  general register, read                w  one that holds a sign-extended word, read
 *	R  general register, written (64 bits)   W  general register, written with a sign-extended word
 *	U  general register, read and written    u  one that holds a word, read and written with a word
 *	N  general register but $0, read                Z  the same, written (64 bits)
 *	k  general register but $31, read
 *	e  same register as in the place before  5  any number
 *	f  FP register with a single or word, read    F  the same, written
 *	g  FP register with a double or long, read    G  the same, written
 *
 * Operands with a place of their own:
 *	i-  16 bits: any immediate         n-  10 bits from bit 6: any immediate
 *	mN  offset and base of an access of N bytes; aligned, or, on CPUs that can, at any address
 *	ML  offset and base of an access to bytes around an address (LWL and friends)
 *	O-  offset and base that are no multiple of 4
 *	xN  indexed access of N bytes: base and index registers
 *	XN  the same, where the low bits of the address are ignored
 *	lN  offset and base of an LL, and the SC that goes with it; LN: an SC to another address
 *	@N  access at a base register without an offset, aligned
 *	bN  bit field: 0 EXT, 1 DEXTM, 2 DEXTU, 3 DEXT, 4 INS, 5 DINSM, 6 DINSU, 7 DINS; 8 and 9 EXTS/CINS, EXTS32/CINS32
 *	c-  condition code to set, bits 10:8    C-  condition code to test, bits 20:18
 *	o-  branch distance    j-  jump target    J-  s is a register with a jump target
 *	p-  before it, stores that write the instruction itself
 *	q-  before it, quiet the signalling NaN that the FP register in place d may hold
 */
#ifndef DIFFERENTIAL_ENCODINGS_H
#define DIFFERENTIAL_ENCODINGS_H

#include <stdint.h>

/** Kinds of instructions, mixed differently from block to block. */
enum group { G_ALU, G_MULDIV, G_MEMORY, G_BRANCH, G_FLOAT, G_OCTEON, G_ATOMIC, G_TRAP, G_CODE, GROUPS };

/** One instruction. */
struct encoding {
	const char *name;
	uint32_t bits;
	const char *operands;
	enum group group;
};

/** All of them. */
extern const struct encoding encodings[];
/** How many. */
extern const unsigned nr_encodings;

#endif
