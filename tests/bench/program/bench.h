/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A benchmark that times itself: what its files share.
 *
 * An item does the same work over and over. Every repetition returns a checksum, and the harness compares each with
 * the one that is right, so that an engine that computes nonsense is not called fast.
 */
#ifndef HUSK_BENCH_H
#define HUSK_BENCH_H

#include <stddef.h>
#include <stdint.h>

/** How the time of a repetition becomes the value of an item. */
enum bench_unit {
	/** Nanoseconds for each of `amount` operations. */
	BENCH_NS,
	/** Microseconds for each of `amount` operations. */
	BENCH_US,
	/** Megabytes (10^6) per second; `amount` is bytes. */
	BENCH_MB_S,
	/** Millions of floating point operations per second; `amount` is operations. */
	BENCH_MFLOP_S,
};

/** One thing that is measured. A file exports an array of them that ends with a name of NULL. */
struct bench_item {
	const char *name;
	enum bench_unit unit;
	/** Operations, bytes or floating point operations of one repetition. */
	double amount;
	/** Gets what the repetitions need, or NULL; a failure ends the program by bench_fail(). */
	void (*begin)(void);
	/** One repetition; returns its checksum. */
	uint64_t (*once)(void);
	/** Gives back what begin() got, or NULL. */
	void (*end)(void);
	/** What once() must return. */
	uint64_t checksum;
};

extern const struct bench_item bench_integer[];
extern const struct bench_item bench_calls[];
extern const struct bench_item bench_float[];
extern const struct bench_item bench_memory[];
extern const struct bench_item bench_transfer[];
extern const struct bench_item bench_system[];
extern const struct bench_item bench_codegen[];

/** Folder for files, in memory if the system has one there; see the option -d. */
extern const char *bench_folder;

/** The way to start this program again: what exec(2) needs. */
extern const char *bench_self;

/** Ends the program with the reason: `what` and errno. */
void bench_fail(const char *what) __attribute__((noreturn));

/** Memory of `size` bytes, page aligned, written once, so that all of it is there; never NULL. */
void *bench_allocate(size_t size);

/** Gives back what bench_allocate() returned. */
void bench_release(void *memory, size_t size);

/** Makes the compiler forget what it knows of memory, so that it omits no store and no load. */
static inline void bench_barrier(void)
{
	__asm__ volatile("" : : : "memory");
}

/** The next of a sequence of numbers that look random (Marsaglia's xorshift64); `state` is not 0. */
static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/** Adds a value to a checksum: the order counts. */
static inline uint64_t bench_mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
}

/** Fills `size` bytes with text that compresses about as well as program text does, always the same. */
void bench_text(char *text, size_t size);

#endif
