/* SPDX-License-Identifier: BSD-2-Clause */
/* The architectural TLB: variable page sizes, ASID, global, RI/XI (PRA, chapter 4). */
#ifndef MIPS64_TLB_H
#define MIPS64_TLB_H

#include <stdbool.h>
#include <stdint.h>

struct mips_cpu;

/** Most entries a model may have. */
#define MIPS_TLB_MAX 4096u

/** One half of an entry: a page. */
struct mips_tlb_page {
	uint64_t gpa; /**< physical address, aligned to the page size */
	uint8_t cca;  /**< cache coherency attribute C */
	bool valid, dirty, read_inhibit, exec_inhibit;
	bool global; /**< of the entry: in every address space */
};

/** One entry: an even and an odd page of the same size. */
struct mips_tlb_entry {
	uint64_t vpn2; /**< virtual address of the pair, region bits included, aligned to twice the page size */
	uint64_t mask; /**< address bits inside the pair: 2 * page size - 1 */
	struct mips_tlb_page page[2];
	uint8_t asid;
	bool global, present; /**< present is false for entries invalidated by EHINV */
	uint16_t next, prev;  /**< neighbours in the bucket, if present */
};

/** Page sizes, 4 KiB to 256 MiB, each for the entries of one address space and for global ones. */
#define MIPS_TLB_CLASSES 18u

#define MIPS_TLB_GRANULES_LOG 10u

/**
 * The array, and what finds an entry in it without a search: a hash table of address, and ASID or global, and
 * counts that tell which page sizes need a look at all.
 */
struct mips_tlb {
	struct mips_tlb_entry *entries;
	uint16_t *buckets;   /**< first entry of each chain */
	unsigned count;      /**< entries the model has */
	unsigned allocated;  /**< entries there is memory for */
	unsigned bucket_log; /**< buckets are 1 << bucket_log */
	uint32_t random;     /**< state of the generator behind Random and TLBWR */
	uint32_t classes;    /**< bit 2 * size + global, for size = log4(page size / 4 KiB): such entries are present */
	uint16_t in_class[MIPS_TLB_CLASSES]; /**< present entries */
	uint16_t local_in_region[4]; /**< of the present ones with a valid page: not global, by address bits 63:62 */
	uint16_t small
		[1u << MIPS_TLB_GRANULES_LOG]; /**< likewise: pairs below 2 MiB, by a hash of the 2 MiB around them */
};

/** What is written to an entry, in the format of the CP0 registers of these names. */
struct mips_tlb_image {
	uint64_t entryhi, entrylo[2];
	uint32_t pagemask;
};

/** Memory for the entries of c->model, unless it is there already. Returns 0, or -ENOMEM after logging one line. */
int mips_tlb_create(struct mips_cpu *c);

/** Power-on state: no entry present. */
void mips_tlb_reset(struct mips_cpu *c);

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

/**
 * Writes an entry as TLBWR would, from an image instead of the CP0 registers. Returns false, with nothing changed
 * but Random, if that would be a machine check.
 */
bool mips_tlb_write_random(struct mips_cpu *c, const struct mips_tlb_image *image);

/** Next value of Random: between Wired and the last entry. */
unsigned mips_tlb_random(struct mips_cpu *c);

#endif
