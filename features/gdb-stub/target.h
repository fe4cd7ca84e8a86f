/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the debugger is told about the guest's registers: their names, numbers and order
 * in its own terms ("Debugging with GDB", appendix "Target Descriptions"), and which
 * register of the engine each one is.
 */
#ifndef GDB_TARGET_H
#define GDB_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <husk/engine.h>

#include "features/gdb-stub/packet.h"

/** Most registers of a target. */
#define GDB_MAX_REGISTERS 128u

/** A register of the debugger. Its number is its place in the table. */
struct gdb_register {
	const char *name;
	const char *engine_name; /**< of struct engine_register */
	const char *type;        /**< "int", "code_ptr", "ieee_double" */
	unsigned feature;        /**< index in features */
};

/** A guest architecture. All its registers are `bytes` wide for the debugger. */
struct gdb_target {
	const char *architecture; /**< BFD's name, or NULL to leave it to the debugger's symbol file */
	const char *const *features;
	unsigned nr_features;
	unsigned bytes;
	const struct gdb_register *registers;
	unsigned nr_registers;
};

/** 64-bit MIPS, the order of GDB's own descriptions. */
extern const struct gdb_target gdb_target_mips64;

/** A target bound to an engine. */
struct gdb_registers {
	const struct gdb_target *target;
	const struct engine *engine;
	bool big_endian;
	int numbers[GDB_MAX_REGISTERS]; /**< of the engine, negative if it has no such register */
};

/** Binds a target to an engine. */
void gdb_registers_init(struct gdb_registers *r, const struct gdb_target *target, const struct engine *engine,
			bool big_endian);

/** Adds the value of register n in the guest's byte order, or x for each digit if there is none. */
void gdb_register_put(const struct gdb_registers *r, struct vcpu *v, unsigned n, struct gdb_packet *out);

/** Sets register n from digits in the guest's byte order. Returns false if they are malformed or n is none. */
bool gdb_register_take(const struct gdb_registers *r, struct vcpu *v, unsigned n, struct gdb_scan *in);

/** Adds the part [offset, offset + size) of the target description in XML. Returns true if that reached its end. */
bool gdb_target_describe(const struct gdb_target *t, uint64_t offset, uint64_t size, struct gdb_packet *out);

#endif
