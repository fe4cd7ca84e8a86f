/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All interleavings of a few threads, at the granularity of their atomic accesses: a source that is compiled behind this
 * header stops before each of them, and the explorer lets one thread after the other go on in every order. States that
 * have been reached before, on whatever way, are not explored again, so that it comes to an end.
 */
#ifndef TESTS_EXPLORE_H
#define TESTS_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_THREADS 3u

/** Memory that threads share, or that says how far they are. All that may change has to be in one. */
struct explore_region {
	void *data;
	size_t size;
};

/** What is explored. */
struct exploration {
	unsigned nr_threads;
	void (*threads[EXPLORE_THREADS])(void);
	const struct explore_region *regions;
	unsigned nr_regions;
	bool (*good)(void); /**< after all threads have ended: is the outcome one that may be? */
};

/** What was found. */
struct explore_result {
	uint64_t states; /**< different ones */
	uint64_t ends;   /**< ends, good or bad; equal states before the end are one */
	uint64_t bad;    /**< of them; and states where no thread can go on */
};

/** Explores; the regions are then as they were before. */
struct explore_result explore(const struct exploration *x);

/** A lock of threads; part of a region, as false. */
void explore_lock(bool *lock);
void explore_unlock(bool *lock);

/** Called before an access to shared memory. Nothing happens outside of explore(). */
void explore_step(void);

/**
 * The thread has done one thing more of what it does, and goes on from here the same way whatever it has learned: all
 * that it keeps is in the regions. Keeps the number of states small.
 */
void explore_done(void);

/** Likewise at the start of a loop that may be gone through any number of times; only one such place between two things. */
void explore_loop(void);

/** Called with what a thread has learned from an access; returns it. */
uint64_t explore_saw(uint64_t value);

/* A macro is not expanded within itself. */
#define __atomic_load_n(p, o)        explore_saw(__atomic_load_n((explore_step(), (p)), o))
#define __atomic_store_n(p, v, o)    __atomic_store_n((explore_step(), (p)), v, o)
#define __atomic_fetch_or(p, v, o)   explore_saw(__atomic_fetch_or((explore_step(), (p)), v, o))
#define __atomic_fetch_and(p, v, o)  explore_saw(__atomic_fetch_and((explore_step(), (p)), v, o))
#define __atomic_exchange_n(p, v, o) explore_saw(__atomic_exchange_n((explore_step(), (p)), v, o))
#define __atomic_compare_exchange_n(p, e, v, w, o, f)                                          \
	({                                                                                     \
		bool done = __atomic_compare_exchange_n((explore_step(), (p)), e, v, w, o, f); \
		explore_saw(done);                                                             \
		explore_saw(*(e));                                                             \
		done;                                                                          \
	})

#endif
