/* SPDX-License-Identifier: BSD-2-Clause */
/* MIPS64 as GDB knows it ("Debugging with GDB", section "MIPS Features"); numbers as in its own mips64-linux.xml. */
#include "features/gdb-stub/target.h"

enum { CPU, CP0, FPU };

static const char *const features[] = {
	[CPU] = "org.gnu.gdb.mips.cpu",
	[CP0] = "org.gnu.gdb.mips.cp0",
	[FPU] = "org.gnu.gdb.mips.fpu",
};

static const struct gdb_register registers[] = {
	{ "r0", "zero", "int", CPU },         { "r1", "at", "int", CPU },
	{ "r2", "v0", "int", CPU },           { "r3", "v1", "int", CPU },
	{ "r4", "a0", "int", CPU },           { "r5", "a1", "int", CPU },
	{ "r6", "a2", "int", CPU },           { "r7", "a3", "int", CPU },
	{ "r8", "a4", "int", CPU },           { "r9", "a5", "int", CPU },
	{ "r10", "a6", "int", CPU },          { "r11", "a7", "int", CPU },
	{ "r12", "t0", "int", CPU },          { "r13", "t1", "int", CPU },
	{ "r14", "t2", "int", CPU },          { "r15", "t3", "int", CPU },
	{ "r16", "s0", "int", CPU },          { "r17", "s1", "int", CPU },
	{ "r18", "s2", "int", CPU },          { "r19", "s3", "int", CPU },
	{ "r20", "s4", "int", CPU },          { "r21", "s5", "int", CPU },
	{ "r22", "s6", "int", CPU },          { "r23", "s7", "int", CPU },
	{ "r24", "t8", "int", CPU },          { "r25", "t9", "int", CPU },
	{ "r26", "k0", "int", CPU },          { "r27", "k1", "int", CPU },
	{ "r28", "gp", "int", CPU },          { "r29", "sp", "int", CPU },
	{ "r30", "s8", "int", CPU },          { "r31", "ra", "int", CPU },
	{ "status", "status", "int", CP0 },   { "lo", "lo", "int", CPU },
	{ "hi", "hi", "int", CPU },           { "badvaddr", "badvaddr", "int", CP0 },
	{ "cause", "cause", "int", CP0 },     { "pc", "pc", "int", CPU },
	{ "f0", "f0", "ieee_double", FPU },   { "f1", "f1", "ieee_double", FPU },
	{ "f2", "f2", "ieee_double", FPU },   { "f3", "f3", "ieee_double", FPU },
	{ "f4", "f4", "ieee_double", FPU },   { "f5", "f5", "ieee_double", FPU },
	{ "f6", "f6", "ieee_double", FPU },   { "f7", "f7", "ieee_double", FPU },
	{ "f8", "f8", "ieee_double", FPU },   { "f9", "f9", "ieee_double", FPU },
	{ "f10", "f10", "ieee_double", FPU }, { "f11", "f11", "ieee_double", FPU },
	{ "f12", "f12", "ieee_double", FPU }, { "f13", "f13", "ieee_double", FPU },
	{ "f14", "f14", "ieee_double", FPU }, { "f15", "f15", "ieee_double", FPU },
	{ "f16", "f16", "ieee_double", FPU }, { "f17", "f17", "ieee_double", FPU },
	{ "f18", "f18", "ieee_double", FPU }, { "f19", "f19", "ieee_double", FPU },
	{ "f20", "f20", "ieee_double", FPU }, { "f21", "f21", "ieee_double", FPU },
	{ "f22", "f22", "ieee_double", FPU }, { "f23", "f23", "ieee_double", FPU },
	{ "f24", "f24", "ieee_double", FPU }, { "f25", "f25", "ieee_double", FPU },
	{ "f26", "f26", "ieee_double", FPU }, { "f27", "f27", "ieee_double", FPU },
	{ "f28", "f28", "ieee_double", FPU }, { "f29", "f29", "ieee_double", FPU },
	{ "f30", "f30", "ieee_double", FPU }, { "f31", "f31", "ieee_double", FPU },
	{ "fcsr", "fcsr", "int", FPU },       { "fir", "fir", "int", FPU },
};

const struct gdb_target gdb_target_mips64 = {
	.features = features,
	.nr_features = sizeof(features) / sizeof(features[0]),
	.bytes = 8,
	.registers = registers,
	.nr_registers = sizeof(registers) / sizeof(registers[0]),
};
