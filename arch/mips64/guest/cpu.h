/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State of one MIPS64 vCPU as the architecture defines it, shared by every engine
 * and by the machines. Sections cited are of "MIPS Architecture For Programmers",
 * MD00091 (volume III, privileged resources, PRA) unless another is named.
 */
#ifndef MIPS64_CPU_H
#define MIPS64_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <config/SOFT_TLB_BITS.h>
#include <husk/timer.h>
#include <husk/vcpu.h>

#include "arch/mips64/guest/tlb.h"

struct mips_cpu;
struct mips_insn;
struct mips_page;
struct mips_walker;

/** Number of the register that writes to $0 are decoded to: a place nobody reads. */
#define MIPS_REG_SINK 32u

/** Vendor extensions and options of a CPU model. */
enum mips_feature {
	MIPS_HAS_FPU = 1u << 0,       /**< coprocessor 1, 32 64-bit registers */
	MIPS_HAS_OCTEON = 1u << 1,    /**< Cavium Octeon II instructions, CVMSEG, CvmCount, CvmCtl, CvmMemCtl */
	MIPS_HAS_UNALIGNED = 1u << 2, /**< loads and stores of any alignment (Octeon); LL/SC still fault */
	MIPS_HAS_NAN2008 = 1u << 3,   /**< FCSR.NAN2008 and ABS2008 read as 1 and take effect */
};

/** A CPU model: constants that a machine chooses. */
struct mips_model {
	const char *name;
	uint32_t features;    /**< enum mips_feature */
	uint32_t prid;        /**< PRId, CP0 15.0 */
	uint32_t config[8];   /**< reset values of Config, Config1 ... Config7, CP0 16.0-7 */
	uint32_t config0_rw;  /**< writable bits of Config (K0, KU, K23) */
	uint32_t intctl;      /**< reset value of IntCtl, CP0 12.1: IPTI, IPPCI */
	uint32_t fir;         /**< FIR, CP1 control 0 */
	unsigned tlb_entries; /**< 1 to MIPS_TLB_MAX */
	unsigned segbits;     /**< bits of a mapped virtual address, 40 */
	unsigned pabits;      /**< bits of a physical address, 36 to 59 */
	unsigned watches;     /**< WatchLo/WatchHi pairs, 0 to 8 */
	bool big_endian;
};

/** Recorded exceptions for reports. */
#define MIPS_EXCEPTION_HISTORY 16u

struct mips_exception_record {
	uint64_t epc, badvaddr;
	uint32_t cause, status; /**< after the exception was taken */
	uint64_t repeats;       /**< times the same came again at once */
};

/** CP0, named as in the manual. Registers with 32 bits are kept as uint32_t. */
struct mips_cp0 {
	uint32_t index, wired;
	uint64_t entrylo[2], context, xcontext, entryhi;
	uint32_t pagemask, pagegrain;
	uint32_t hwrena;
	uint64_t badvaddr;
	uint32_t status, intctl, srsctl;
	uint32_t cause;
	uint64_t epc, errorepc, ebase;
	uint32_t config[8];
	uint64_t lladdr;
	uint64_t watchlo[8];
	uint32_t watchhi[8];
	uint64_t userlocal;
	uint64_t kscratch[8]; /**< by select, 2-7 in use */
	uint64_t desave, depc;
	uint64_t taglo, datalo, taghi, datahi, errctl;
	uint64_t pwbase, pwfield, pwsize;
	uint32_t pwctl;
	uint64_t cvmctl, cvmmemctl; /**< Octeon: CP0 9.7 and 11.7 */
	uint64_t cvmcount_offset;   /**< CvmCount (9.6) minus the counter, in ticks */
	uint64_t icacheerr, dcacheerr;
};

/**
 * An arithmetic instruction that was executed without looking at what it raised: FCSR's Cause, and Flags, follow from
 * this and from MXCSR, when somebody wants to see them.
 */
struct mips_fp_last {
	uint64_t a, b, e; /**< operands: fs, ft, fr */
	uint32_t note;    /**< which it was, see fpu.h; 0 if FCSR is as it should be */
};

/** Coprocessor 1. A double is fpr[n]; with Status.FR=0 the high half of an even register is the odd one. */
struct mips_fpu {
	uint64_t fpr[32];
	uint32_t fcsr; /**< condition codes, cause, enables, flags, rounding: the whole FCSR */
	struct mips_fp_last last;
	/** Brings FCSR up to date with `last`. NULL without an FPU in the image. */
	void (*settle)(struct mips_cpu *c);
};

/** Octeon II: the multiplier's registers, and those of coprocessor 2 that every chip has. */
struct mips_octeon {
	uint64_t mpl[3], p[3];
	uint64_t crc_polynomial, crc_iv, crc_length;
};

/** Modes that a soft TLB is kept for. */
enum mips_mode { MIPS_KERNEL, MIPS_SUPERVISOR, MIPS_USER, MIPS_MODES };

/** What code_mode is made of. */
enum mips_code_mode {
	MIPS_CODE_MODE = 3u << 0,    /**< enum mips_mode */
	MIPS_CODE_NARROW = 1u << 2,  /**< no 64-bit operations */
	MIPS_CODE_FAST_FP = 1u << 3, /**< FPU on, FR=1, rounding to nearest, no traps, no flushing: usual arithmetic */
	MIPS_CODE_TLS = 1u << 4,     /**< RDHWR of UserLocal is allowed */
};

#define MIPS_STLB_ENTRIES (1u << CONFIG_SOFT_TLB_BITS)

/**
 * Soft TLB entry: caches one 4 KiB page of a translation that ends in RAM. A tag
 * is the page's address | ASID << 4 (bits 11:4), or in kernel mode the address alone;
 * ~0 never matches. The low three bits of a lookup key are those of the address that
 * alignment forbids.
 */
struct mips_stlb_entry {
	uint64_t tag;
	uint64_t to_host; /**< add to a virtual address to get the host address */
};

/** The soft TLB of a mode: loads and stores have entries of their own. */
struct mips_stlb {
	struct mips_stlb_entry read[MIPS_STLB_ENTRIES];
	struct mips_stlb_entry write[MIPS_STLB_ENTRIES];
};

#define MIPS_ITLB_ENTRIES 256u

/** Same for instruction fetch: the decoded page of a virtual page. */
struct mips_itlb {
	uint64_t tag;
	struct mips_page *page;
	uint64_t gpa; /**< of the page, where an engine remembers that instead */
};

#define MIPS_WATCHPOINTS 16u

/** A watchpoint of a debugger, which the guest does not see: nothing of WatchLo and WatchHi. */
struct mips_watchpoint {
	uint64_t first, last; /**< addresses, both included */
	unsigned access;      /**< enum debug_access */
};

/** A MIPS64 vCPU. Engines embed it as their first member. */
struct mips_cpu {
	struct vcpu vcpu; /* first: the core's view */

	uint64_t gpr[33]; /**< $0 .. $31 and MIPS_REG_SINK */
	uint64_t hi, lo;
	uint64_t pc; /**< valid outside decoded code only; see mips_pc() */
	bool big_endian;

	/* Where decoded execution is. */
	const struct mips_insn *insns; /**< first instruction of the current page, or NULL */
	const struct mips_insn *delay; /**< branch whose delay slot is being executed, or NULL */
	uint64_t page_va;              /**< address of insns[0] */

	/* Address translation. */
	uint64_t asid_key; /**< of tags: EntryHi.ASID << 4, but 0 in kernel mode */
	/**
	 * Kernel mode sees little but global pages, and keeps what is cached of them when the ASID changes. Here are the
	 * places in its tables that hold others, for loads and for stores: they are forgotten then.
	 */
	uint64_t local[2][MIPS_STLB_ENTRIES / 64];
	bool any_local;
	bool local_fetch;       /**< kernel mode has fetched from such a page */
	struct mips_stlb *stlb; /**< table of the current mode */
	/** The engine's: instruction fetches from the page of va may go elsewhere now; ~0 is every page. Or NULL. */
	void (*fetch_changed)(struct mips_cpu *c, uint64_t va);
	struct mips_itlb *itlb;
	enum mips_mode mode;
	uint32_t code_mode; /**< all that decides what code means, besides its bytes: enum mips_code_mode */
	uint64_t fetch_key; /**< differs whenever code_mode or the ASID does; no bit of an address is in its place */

	struct mips_cp0 cp0;
	struct mips_tlb tlb;
	const struct mips_walker *walker; /**< hardware page table walker, or NULL */
	struct mips_fpu fpu;
	struct mips_octeon octeon;
	const struct mips_model *model;

	bool ll_valid;             /**< LLbit */
	uint64_t ll_address;       /**< virtual address of the last LL, 0 if none */
	uint64_t ll_value;         /**< what it loaded, extended or not; of meaning with several vCPUs only */
	uint32_t lines;            /**< inputs that are high, in the places of Cause; written with the VM locked */
	uint32_t lines_taken;      /**< those that Cause knows of */
	bool waiting;              /**< WAIT was executed and nothing woke it yet */
	uint64_t woken_pc[2];      /**< where the last two WAITs with interrupts off were woken */
	uint64_t woken_exceptions; /**< exceptions then */
	bool user_mode_seen;
	uint64_t nested;  /**< exceptions since the last ERET */
	uint64_t refills; /**< TLB misses that became exceptions */
	uint64_t walks;   /**< TLB misses that the walker served */

	struct guest_counter counter; /**< Count/Compare */
	uint32_t compare;
	uint32_t stopped_count;       /**< Count while Cause.DC is set */
	uint64_t held_count;          /**< of the counter, while time_held */
	uint64_t lost_count;          /**< vCPU 0: of the last time that it was held; the others' lose as much */
	bool time_held;               /**< a debugger holds the guest */
	uint64_t unknown_cp0;         /**< accesses to CP0 registers that the model lacks */
	bool watch_data, watch_fetch; /**< some WatchLo has R or W, or I, set */
	struct mips_watchpoint watchpoints[MIPS_WATCHPOINTS];
	unsigned nr_watchpoints;

	uint8_t cvmseg[54 * 128]; /**< Octeon scratchpad, kernel only: as many cache lines as it can have */

	struct mips_exception_record history[MIPS_EXCEPTION_HISTORY];
	uint64_t exceptions; /**< taken so far */
	uint64_t recorded;   /**< of these in the history, present or overwritten */

	struct mips_stlb stlbs[MIPS_MODES];
	struct mips_itlb itlbs[MIPS_MODES][MIPS_ITLB_ENTRIES];
};

/** The MIPS view of a vCPU. */
static inline struct mips_cpu *mips_cpu(struct vcpu *v)
{
	return (struct mips_cpu *)v;
}

/** True if the CPU model has all of these. */
static inline bool mips_has(const struct mips_cpu *c, uint32_t features)
{
	return (c->model->features & features) == features;
}

/**
 * Power-on state for a model (section 9, reset values; Status = BEV|ERL), with the
 * boot state left for the machine: it sets pc, gpr and what its firmware would.
 * Returns 0, or -ENOMEM after logging one line; only the first call for a vCPU can fail.
 */
int mips_reset(struct mips_cpu *c, const struct mips_model *model);

/**
 * Input `n` (2-7) of the CPU: Cause.IP[n], usable as an irq_input with the mips_cpu as controller. A CPU that somebody
 * else runs learns of it by ATTN_IRQ.
 */
void mips_irq_input(void *cpu, unsigned n, bool level);

/** Brings Cause.IP up to date with the inputs. */
void mips_take_lines(struct mips_cpu *c);

/** Recomputes mode, soft TLB table and keys after Status, EntryHi, HWREna or FCSR changed. */
void mips_update_mode(struct mips_cpu *c);

/** Prints CP0, TLB and the last exceptions with log_text(). */
void mips_print_state(struct mips_cpu *c);

#endif
