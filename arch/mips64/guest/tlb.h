/* SPDX-License-Identifier: BSD-2-Clause */
/* The architectural TLB: variable page sizes, ASID, global, RI/XI (PRA, chapter 4). */
#ifndef MIPS64_TLB_H
#define MIPS64_TLB_H

#include <stdbool.h>
#include <stdint.h>

struct mips_cpu;

/** Most entries a model may have. */
#define MIPS_TLB_MAX 64u

/** One half of an entry: a page. */
struct mips_tlb_page {
	uint64_t gpa; /**< physical address, aligned to the page size */
	uint8_t cca;  /**< cache coherency attribute C */
	bool valid, dirty, read_inhibit, exec_inhibit;
};

/** One entry: an even and an odd page of the same size. */
struct mips_tlb_entry {
	uint64_t vpn2; /**< virtual address of the pair, region bits included, aligned to twice the page size */
	uint64_t mask; /**< address bits inside the pair: 2 * page size - 1 */
	uint8_t asid;
	bool global, present; /**< present is false for entries invalidated by EHINV */
	struct mips_tlb_page page[2];
};

/** The array. */
struct mips_tlb {
	struct mips_tlb_entry entries[MIPS_TLB_MAX];
	unsigned count;  /**< entries the model has */
	uint32_t random; /**< state of the generator behind Random and TLBWR */
};

/** What a lookup found. */
enum mips_tlb_result { MIPS_TLB_HIT, MIPS_TLB_MISS, MIPS_TLB_INVALID, MIPS_TLB_MODIFIED, MIPS_TLB_RI, MIPS_TLB_XI };

/** Why an address is translated. */
enum mips_access { MIPS_READ, MIPS_WRITE, MIPS_FETCH };

/**
 * Translates a mapped address with the present ASID. On a hit sets *gpa, and *page to the page (which
 * tells whether it may be written). No side effects.
 */
enum mips_tlb_result mips_tlb_lookup(const struct mips_cpu *c, uint64_t va, enum mips_access access, uint64_t *gpa,
				     const struct mips_tlb_page **page);

/** TLBP, TLBR, TLBWI, TLBWR, TLBINV, TLBINVF on the CP0 registers (PRA, instruction descriptions). */
void mips_tlbp(struct mips_cpu *c);
void mips_tlbr(struct mips_cpu *c);
/** The writes return false and set Status.TS if the new entry would match together with another: machine check. */
bool mips_tlbwi(struct mips_cpu *c);
bool mips_tlbwr(struct mips_cpu *c);
void mips_tlbinv(struct mips_cpu *c);
void mips_tlbinvf(struct mips_cpu *c);

/** Next value of Random: between Wired and the last entry. */
unsigned mips_tlb_random(struct mips_cpu *c);

#endif
