/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields of CP0 registers, and access by register number and select (PRA, chapter 9). */
#ifndef MIPS64_CP0_H
#define MIPS64_CP0_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/mips64/guest/cpu.h"

/* Status, 12.0 */
#define STATUS_IE        (1u << 0)
#define STATUS_EXL       (1u << 1)
#define STATUS_ERL       (1u << 2)
#define STATUS_KSU_SHIFT 3
#define STATUS_KSU       (3u << STATUS_KSU_SHIFT)
#define STATUS_UX        (1u << 5)
#define STATUS_SX        (1u << 6)
#define STATUS_KX        (1u << 7)
#define STATUS_IM        0xff00u
#define STATUS_NMI       (1u << 19)
#define STATUS_SR        (1u << 20)
#define STATUS_TS        (1u << 21)
#define STATUS_BEV       (1u << 22)
#define STATUS_PX        (1u << 23)
#define STATUS_FR        (1u << 26)
#define STATUS_RP        (1u << 27)
#define STATUS_CU0       (1u << 28)
#define STATUS_CU1       (1u << 29)
#define STATUS_CU2       (1u << 30)
#define STATUS_CU3       (1u << 31)

/* Cause, 13.0 */
#define CAUSE_EXCCODE_SHIFT 2
#define CAUSE_EXCCODE       (31u << CAUSE_EXCCODE_SHIFT)
#define CAUSE_IP_SHIFT      8
#define CAUSE_IP            0xff00u
#define CAUSE_IP_SOFTWARE   0x0300u
#define CAUSE_WP            (1u << 22)
#define CAUSE_IV            (1u << 23)
#define CAUSE_DC            (1u << 27)
#define CAUSE_CE_SHIFT      28
#define CAUSE_CE            (3u << CAUSE_CE_SHIFT)
#define CAUSE_TI            (1u << 30)
#define CAUSE_BD            (1u << 31)

/* Context, 4.0 */
#define CONTEXT_PTEBASE (~0x7fffffull)

/* EntryHi, 10.0 */
#define ENTRYHI_ASID  0xffull
#define ENTRYHI_EHINV (1ull << 10)
#define ENTRYHI_R     (3ull << 62)

/* EntryLo0/1, 2.0 and 3.0 */
#define ENTRYLO_G         (1ull << 0)
#define ENTRYLO_V         (1ull << 1)
#define ENTRYLO_D         (1ull << 2)
#define ENTRYLO_C_SHIFT   3
#define ENTRYLO_PFN_SHIFT 6
#define ENTRYLO_XI        (1ull << 62)
#define ENTRYLO_RI        (1ull << 63)

/* PageGrain, 5.1 */
#define PAGEGRAIN_IEC  (1u << 27)
#define PAGEGRAIN_ELPA (1u << 29)
#define PAGEGRAIN_XIE  (1u << 30)
#define PAGEGRAIN_RIE  (1u << 31)

/* Index, 0.0 */
#define INDEX_P (1u << 31)

/* Config registers, 16.x */
#define CONFIG0_BE              (1u << 15)
#define CONFIG1_FP              (1u << 0)
#define CONFIG1_WR              (1u << 3)
#define CONFIG3_VINT            (1u << 5)
#define CONFIG3_LPA             (1u << 7)
#define CONFIG3_RXI             (1u << 12)
#define CONFIG3_ULRI            (1u << 13)
#define CONFIG3_PW              (1u << 24)
#define CONFIG4_KSCREXIST_SHIFT 16
#define CONFIG4_MMUEXTDEF_SIZE  (1u << 14) /* bits 7:0 extend Config1.MMUSize */
#define CONFIG4_IE_SHIFT        29

/** Config1.MMUSize, and with Config4.MMUExtDef its extension, for a number of TLB entries (PRA, chapter 9). */
#define CONFIG1_TLB(entries) ((((entries)-1u) & 63u) << 25)
#define CONFIG4_TLB(entries) (CONFIG4_MMUEXTDEF_SIZE | ((entries)-1u) >> 6)

/* IntCtl, 12.1 */
#define INTCTL_VS         0x3e0u
#define INTCTL_IPTI_SHIFT 29

/* HWREna, 7.0 */
#define HWRENA_ULR (1u << 29)

/* WatchLo, 18.x, and WatchHi, 19.x */
#define WATCHLO_W    (1u << 0)
#define WATCHLO_R    (1u << 1)
#define WATCHLO_I    (1u << 2)
#define WATCHHI_MASK 0xff8u
#define WATCHHI_G    (1u << 30)

/* CvmMemCtl, 11.7 (Cavium Octeon): CVMSEG size in lines and kernel enable */
#define CVMMEMCTL_SIZE   0x3fu
#define CVMMEMCTL_KERNEL (1u << 8)

/* CvmCtl, 9.7 (Cavium Octeon): fuses that tell what coprocessor 2 lacks */
#define CVMCTL_NOCRYPTO  (1u << 26)
#define CVMCTL_NODFA_CP2 (1u << 28)

/** Reads a register as DMFC0 would; MFC0 takes the low half and moves RI and XI, see mips_cp0_read32(). */
uint64_t mips_cp0_read(struct mips_cpu *c, unsigned reg, unsigned sel);

/** Reads a register as MFC0 would: sign-extended from 32 bits. */
uint64_t mips_cp0_read32(struct mips_cpu *c, unsigned reg, unsigned sel);

/**
 * Writes a register as DMTC0 would. Returns true if decoded execution must stop after the instruction
 * because interrupts, mode or mappings may have changed.
 */
bool mips_cp0_write(struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t value);

/** Writes a register as MTC0 would: 32 bits, sign-extended. */
bool mips_cp0_write32(struct mips_cpu *c, unsigned reg, unsigned sel, uint64_t value);

/** Sets Status with every consequence for mode and cached translations. */
void mips_set_status(struct mips_cpu *c, uint32_t status);

/** Sets EntryHi with every consequence for cached translations. */
void mips_set_entryhi(struct mips_cpu *c, uint64_t entryhi);

/** Bits of EntryLo that can be written now: PABITS and PageGrain decide. */
uint64_t mips_entrylo_mask(const struct mips_cpu *c);

/** Count (9.0), 32 bits. */
uint32_t mips_count(struct mips_cpu *c);

/** Makes Count and CvmCount stand still, and go on where they stood. For engine.hold_time. */
void mips_hold_time(struct vcpu *v, bool hold);

/** CvmCount (9.6), 64 bits. */
uint64_t mips_cvmcount(struct mips_cpu *c);

/** The counter reached Compare: raises TI and the timer's interrupt. For guest_counter.match. */
void mips_counter_match(struct guest_counter *counter);

/** Bits of a virtual address that the TLB compares: region and SEGBITS. */
static inline uint64_t mips_va_mask(const struct mips_cpu *c)
{
	return ENTRYHI_R | ((1ull << c->model->segbits) - 1);
}

/** The bits of XContext, 20.0, that are software's: PTEBase, above R and BadVPN2 (PRA 9.44). */
static inline uint64_t mips_xcontext_ptebase(const struct mips_cpu *c)
{
	return ~((1ull << (c->model->segbits - 7)) - 1);
}

/** True if 64-bit operations are enabled: always but in user mode without PX and UX (PRA 3.4). */
static inline bool mips_64bit_operations(const struct mips_cpu *c)
{
	return c->mode != MIPS_USER || (c->cp0.status & (STATUS_PX | STATUS_UX)) != 0;
}

#endif
