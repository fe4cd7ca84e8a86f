/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A MIPS64 vCPU in a VM with RAM and nothing else, run by the image's engine, and
 * encoders for the instruction words that tests are made of.
 */
#ifndef TESTS_MIPS_FIXTURE_H
#define TESTS_MIPS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/vm.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/exception.h"

#define FIXTURE_RAM (16ull << 20)
#define CODE        0xffffffff80100000ull /**< where fixture_run() puts instructions, in kseg0 */
#define CODE_GPA    0x100000ull
#define DATA        0xffffffff80200000ull /**< scratch memory in kseg0 */
#define DATA_GPA    0x200000ull

/** A VM with one vCPU of the engine that is linked in. */
struct fixture {
	struct vm vm;
	struct params params;
	struct mips_model model;
	struct vcpu *vcpu;
	struct mips_cpu *cpu;
};

/** A new VM: MIPS64R2, 64 TLB entries, 40-bit segments, KX|SX|UX, no BEV, EBase 0x80000000. Change model first if need be. */
struct fixture *fixture_new(void);

/** As fixture_new() with these enum mips_feature and byte order. */
struct fixture *fixture_new_with(uint32_t features, bool big_endian);

/** Frees it and everything the fake host gave. */
void fixture_free(struct fixture *f);

/** Writes instruction words at a guest physical address. */
void fixture_put(struct fixture *f, uint64_t gpa, const uint32_t *words, size_t count);

/** Puts words at CODE, sets pc there and executes `steps` instructions (a branch includes its slot). */
void fixture_run(struct fixture *f, const uint32_t *words, size_t count, unsigned steps);

/** Executes one word at CODE. */
void fixture_exec(struct fixture *f, uint32_t word);

/** Steps on from the present pc. */
void fixture_step(struct fixture *f, unsigned steps);

/** Runs words at CODE until WAIT. */
void fixture_run_to_wait(struct fixture *f, const uint32_t *words, size_t count);

#define RUN(f, steps, ...) \
	fixture_run(f, (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, steps)
#define RUN_TO_WAIT(f, ...) \
	fixture_run_to_wait(f, (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

/** ExcCode of the last exception. */
unsigned fixture_exccode(const struct fixture *f);

/* Formats: register (SPECIAL and others), immediate, jump. */
#define R_TYPE(op, rs, rt, rd, sa, funct)                                                            \
	((uint32_t)(op) << 26 | (uint32_t)(rs) << 21 | (uint32_t)(rt) << 16 | (uint32_t)(rd) << 11 | \
	 (uint32_t)(sa) << 6 | (uint32_t)(funct))
#define I_TYPE(op, rs, rt, imm) \
	((uint32_t)(op) << 26 | (uint32_t)(rs) << 21 | (uint32_t)(rt) << 16 | ((uint32_t)(imm)&0xffff))
#define SPECIAL(funct, rd, rs, rt)  R_TYPE(0, rs, rt, rd, 0, funct)
#define SPECIAL2(funct, rd, rs, rt) R_TYPE(0x1c, rs, rt, rd, 0, funct)

#define NOP                 0u
#define WAIT                0x42000020u
#define SYSCALL             0x0000000cu
#define ERET                0x42000018u
#define TLBR                0x42000001u
#define TLBWI               0x42000002u
#define TLBWR               0x42000006u
#define TLBP                0x42000008u
#define ADDIU(rt, rs, imm)  I_TYPE(0x09, rs, rt, imm)
#define DADDIU(rt, rs, imm) I_TYPE(0x19, rs, rt, imm)
#define ORI(rt, rs, imm)    I_TYPE(0x0d, rs, rt, imm)
#define LUI(rt, imm)        I_TYPE(0x0f, 0, rt, imm)
#define BEQ(rs, rt, off)    I_TYPE(0x04, rs, rt, off)
#define BNE(rs, rt, off)    I_TYPE(0x05, rs, rt, off)
#define JR(rs)              SPECIAL(0x08, 0, rs, 0)
#define LW(rt, off, base)   I_TYPE(0x23, base, rt, off)
#define LD(rt, off, base)   I_TYPE(0x37, base, rt, off)
#define SW(rt, off, base)   I_TYPE(0x2b, base, rt, off)
#define SD(rt, off, base)   I_TYPE(0x3f, base, rt, off)
#define LL(rt, off, base)   I_TYPE(0x30, base, rt, off)
#define SC(rt, off, base)   I_TYPE(0x38, base, rt, off)
#define MFC0(rt, reg, sel)  R_TYPE(0x10, 0x00, rt, reg, 0, sel)
#define DMFC0(rt, reg, sel) R_TYPE(0x10, 0x01, rt, reg, 0, sel)
#define MTC0(rt, reg, sel)  R_TYPE(0x10, 0x04, rt, reg, 0, sel)
#define DMTC0(rt, reg, sel) R_TYPE(0x10, 0x05, rt, reg, 0, sel)
#define RDHWR(rt, rd)       R_TYPE(0x1f, 0, rt, rd, 0, 0x3b)

/** EntryLo of a page. */
#define ENTRYLO(gpa, flags) ((uint64_t)(gpa) >> 12 << 6 | 3ull << 3 | (flags))
#define LO_G                1ull
#define LO_V                2ull
#define LO_D                4ull

/** Writes TLB entry `index` by way of the CP0 registers. */
void fixture_tlb(struct fixture *f, unsigned index, uint64_t va, uint8_t asid, uint32_t pagemask, uint64_t lo0,
		 uint64_t lo1);

/** Clears Status.EXL and leaves the pc alone. */
void fixture_leave_exception(struct fixture *f);

/** Sets Status to user mode with interrupts off, and the pc. */
void fixture_user_mode(struct fixture *f, uint64_t pc);

#endif
