/* SPDX-License-Identifier: BSD-2-Clause */
/* Who wants to know of the code that the translator makes: profilers and tests. Without any it costs nothing. */
#ifndef DBT_OBSERVER_H
#define DBT_OBSERVER_H

#include <stddef.h>
#include <stdint.h>

struct vm;

/** One piece of host code with one entry, made of one stretch of guest code. Valid during the call. */
struct dbt_unit {
	struct vm *vm;
	uint64_t pc;        /**< guest virtual address of the first instruction */
	uint64_t gpa;       /**< guest physical address of the same */
	size_t guest_bytes; /**< of guest code from there on */
	const void *code;   /**< host code, executable and readable; its jumps change when it is linked */
	size_t bytes;       /**< of it */
};

/** Functions of an observer; none may be NULL. Called on the vCPU's CPU; they may not touch guest state. */
struct dbt_observer {
	/** A unit was made; it runs from now on. */
	void (*emitted)(const struct dbt_unit *unit);
	/** All units are gone; their places will be used again. */
	void (*flushed)(struct vm *vm);
};

/** Tells all observers; for the engine. */
void dbt_tell_emitted(const struct dbt_unit *unit);
void dbt_tell_flushed(struct vm *vm);

/** Adds an observer to the image, used as `DBT_OBSERVER(perf_map) = { ... };` */
#define DBT_OBSERVER(id)                                                                      \
	static const struct dbt_observer dbt_observer_##id;                                   \
	static const struct dbt_observer *const dbt_observer_entry_##id                       \
		__attribute__((used, retain, section("dbt_observers"))) = &dbt_observer_##id; \
	static const struct dbt_observer dbt_observer_##id

#endif
