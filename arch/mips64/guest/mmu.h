/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address translation and guest memory access. The inline functions are the fast
 * path: one lookup in the soft TLB of the current mode. They return false when an
 * exception was taken; the exec function then returns NULL.
 */
#ifndef MIPS64_MMU_H
#define MIPS64_MMU_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/exception.h"
#include "arch/mips64/guest/insn.h"
#include "arch/mips64/guest/tlb.h"

#define MIPS_TAG_NEVER (~(uint64_t)0)

/** Slow path of a load of 1, 2, 4 or 8 bytes: TLB, devices, watch, unaligned. Sets *value in guest byte order. */
bool mips_load_slow(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t *value);

/** Slow path of a store. */
bool mips_store_slow(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t value);

/** As mips_load_slow() and mips_store_slow(), but unaligned addresses fault on every model (LL, SC). */
bool mips_load_aligned(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t *value);
bool mips_store_aligned(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t value);

/**
 * A store of 4 or 8 bytes that is made only if they are `old` still, as mips_replace() has it; devices take it in any
 * case. Faults as mips_store_aligned(). *made says whether it was.
 */
bool mips_store_conditional(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t old,
			    uint64_t value, bool *made);

/**
 * Virtual → physical for an access, with all checks of the segment map (PRA, chapter 4). Takes the exception
 * at instruction i and returns false if it fails.
 */
bool mips_translate(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, enum mips_access access, uint64_t *gpa);

/** Virtual → physical without side effects, with the rights of kernel mode. Returns 0 or -EFAULT. */
int mips_probe(struct mips_cpu *c, uint64_t va, uint64_t *gpa);

/** Where an access goes. */
struct mips_mapping {
	uint64_t gpa;
	bool writable; /**< stores to the page need no further check */
	bool readable; /**< loads likewise */
	bool local;    /**< another address space has something else there */
	bool cvmseg;   /**< Octeon scratchpad: gpa is the offset in it */
};

/** Why an access fails. */
struct mips_fault {
	enum mips_exception code;
	bool refill; /**< no TLB entry matched */
};

/** The segment map and the TLB without side effects; false: *fault says why. */
bool mips_resolve(const struct mips_cpu *c, uint64_t va, enum mips_access access, struct mips_mapping *m,
		  struct mips_fault *fault);

/** Translates an instruction address; takes the exception at pc and returns false if it fails. */
bool mips_translate_fetch(struct mips_cpu *c, uint64_t pc, bool in_delay_slot, uint64_t va, uint64_t *gpa);

/** Derives which accesses the watch registers look at, after one was written. */
void mips_watch_update(struct mips_cpu *c);

/** True if a watch register matches an access of that kind; it then says so in WatchHi (PRA 9.39, 9.40). */
bool mips_watch_hit(struct mips_cpu *c, uint64_t va, enum mips_access access);

/**
 * Sets or removes a watchpoint of a debugger, as engine.set_watchpoint. Pages that have one are not cached in the soft
 * TLB, so that accesses to all others cost nothing more.
 */
int mips_set_watchpoint(struct vcpu *v, uint64_t gva, uint64_t size, unsigned access, bool on);

/** Forgets what kernel mode has cached of the present address space, before EntryHi.ASID changes. */
void mips_forget_local(struct mips_cpu *c);

/** Forgets every cached translation. */
void mips_stlb_flush(struct mips_cpu *c);

/** Forgets the translations that were cached from a TLB entry. */
void mips_stlb_flush_entry(struct mips_cpu *c, const struct mips_tlb_entry *e);

/**
 * Has memory.code_written() hear of stores to a RAM page from now on: those that vCPUs know the way to already take it no
 * more. Before code is decoded from the page, so that what is stored afterwards is noticed; under memory.code_lock.
 */
void mips_mark_code(struct vm *vm, uint64_t gpa);

/** Value of `size` bytes between guest byte order and the host's. */
static inline uint64_t mips_swap(const struct mips_cpu *c, uint64_t v, unsigned size)
{
	if (__builtin_expect(!c->big_endian, 1))
		return v;
	return __builtin_bswap64(v) >> (64 - 8 * size);
}

/** 1, 2, 4 or 8 bytes of host memory: memcpy() with a size known, as the C library's goes byte by byte. */
static inline uint64_t mips_host_read(const void *host, unsigned size)
{
	uint64_t v = 0;

	switch (size) {
	case 1: memcpy(&v, host, 1); break;
	case 2: memcpy(&v, host, 2); break;
	case 4: memcpy(&v, host, 4); break;
	default: memcpy(&v, host, 8); break;
	}
	return v;
}

/** Writes the low 1, 2, 4 or 8 bytes. */
static inline void mips_host_write(void *host, unsigned size, uint64_t v)
{
	switch (size) {
	case 1: memcpy(host, &v, 1); break;
	case 2: memcpy(host, &v, 2); break;
	case 4: memcpy(host, &v, 4); break;
	default: memcpy(host, &v, 8); break;
	}
}

/** Place of an address in a soft TLB. */
static inline unsigned mips_stlb_index(uint64_t va)
{
	return (va >> 12) % MIPS_STLB_ENTRIES;
}

/** The soft TLB entry for loads from an address in the current mode. */
static inline struct mips_stlb_entry *mips_stlb_read(const struct mips_cpu *c, uint64_t va)
{
	return &c->stlb->read[mips_stlb_index(va)];
}

/** The soft TLB entry for stores to an address in the current mode. */
static inline struct mips_stlb_entry *mips_stlb_write(const struct mips_cpu *c, uint64_t va)
{
	return &c->stlb->write[mips_stlb_index(va)];
}

/** What a tag must equal for an aligned access of `size` bytes at va. */
static inline uint64_t mips_stlb_key(const struct mips_cpu *c, uint64_t va, unsigned size)
{
	return (va & (~(uint64_t)0xfff | (size - 1))) | c->asid_key;
}

/** Loads 1, 2, 4 or 8 bytes, zero-extended. Returns false if an exception was taken. */
static inline bool mips_load(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t *value)
{
	const struct mips_stlb_entry *e = mips_stlb_read(c, va);

	if (__builtin_expect(e->tag != mips_stlb_key(c, va, size), 0))
		return mips_load_slow(c, i, va, size, value);
	*value = mips_swap(c, mips_host_read((const void *)(uintptr_t)(va + e->to_host), size), size);
	return true;
}

/** Stores the low 1, 2, 4 or 8 bytes. Returns false if an exception was taken. */
static inline bool mips_store(struct mips_cpu *c, const struct mips_insn *i, uint64_t va, unsigned size, uint64_t value)
{
	const struct mips_stlb_entry *e = mips_stlb_write(c, va);

	if (__builtin_expect(e->tag != mips_stlb_key(c, va, size), 0))
		return mips_store_slow(c, i, va, size, value);
	mips_host_write((void *)(uintptr_t)(va + e->to_host), size, mips_swap(c, value, size));
	return true;
}

#endif
