/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SSE2 as the arithmetic behind the FPU. Between instructions MXCSR rounds to nearest
 * and masks all exceptions, so that plain C arithmetic does the same; its flags are
 * anything. Where mode or flags matter, the operation and its accesses to MXCSR are
 * one asm statement, because compilers move arithmetic across changes of MXCSR.
 * SSE finds tininess after rounding, as MIPS does; both raise Underflow only if
 * the result is also inexact.
 */
#ifndef MIPS64_FPU_HOST_SSE_H
#define MIPS64_FPU_HOST_SSE_H

#include <stdint.h>
#include <string.h>

#include "arch/mips64/guest/fpu/fpu.h"

/* MXCSR (Intel SDM volume 1, 10.2.3). */
#define SSE_IE    0x01u
#define SSE_ZE    0x04u
#define SSE_OE    0x08u
#define SSE_UE    0x10u
#define SSE_PE    0x20u
#define SSE_FLAGS (SSE_IE | SSE_ZE | SSE_OE | SSE_UE | SSE_PE)
#define SSE_IDLE  0x1f80u

/** Makes MXCSR what it has to be between instructions, whoever used it before. */
static inline void sse_idle(void)
{
	uint32_t idle = SSE_IDLE;

	__asm__ volatile("ldmxcsr %0" : : "m"(idle));
}

/** MXCSR for a rounding mode. MIPS counts nearest, zero, up, down; SSE nearest, down, up, zero. */
static inline uint32_t sse_control(enum fpu_rounding r)
{
	return SSE_IDLE | (-(uint32_t)r & 3) << 13;
}

/** IEEE exceptions in the FCSR's order from MXCSR flags. */
static inline unsigned sse_exceptions(uint32_t mxcsr)
{
	return ((mxcsr & SSE_PE) != 0 ? FPU_INEXACT : 0u) | ((mxcsr & SSE_UE) != 0 ? FPU_UNDERFLOW : 0u) |
	       ((mxcsr & SSE_OE) != 0 ? FPU_OVERFLOW : 0u) | ((mxcsr & SSE_ZE) != 0 ? FPU_DIVISION : 0u) |
	       ((mxcsr & SSE_IE) != 0 ? FPU_INVALID : 0u);
}

/** sse_NAME(to, from, &mxcsr) runs INSN in the mode given in mxcsr, sets mxcsr to what it left, and restores MXCSR. */
#define SSE_OPERATION(name, type, insn)                                                      \
	static inline type sse_##name(type to, type from, uint32_t *mxcsr)                   \
	{                                                                                    \
		const uint32_t idle = SSE_IDLE;                                              \
		__asm__ volatile("ldmxcsr %1\n\t" insn " %2, %0\n\tstmxcsr %1\n\tldmxcsr %3" \
				 : "+x"(to), "+m"(*mxcsr)                                    \
				 : "x"(from), "m"(idle));                                    \
		return to;                                                                   \
	}

SSE_OPERATION(add_d, double, "addsd")
SSE_OPERATION(sub_d, double, "subsd")
SSE_OPERATION(mul_d, double, "mulsd")
SSE_OPERATION(div_d, double, "divsd")
SSE_OPERATION(sqrt_d, double, "sqrtsd")
SSE_OPERATION(add_s, float, "addss")
SSE_OPERATION(sub_s, float, "subss")
SSE_OPERATION(mul_s, float, "mulss")
SSE_OPERATION(div_s, float, "divss")
SSE_OPERATION(sqrt_s, float, "sqrtss")

/** A conversion INSN from register class FROM to class TO, in the mode given in mxcsr. */
#define SSE_CONVERSION(name, to_type, to_class, from_type, from_class, insn)                 \
	static inline to_type sse_##name(from_type from, uint32_t *mxcsr)                    \
	{                                                                                    \
		const uint32_t idle = SSE_IDLE;                                              \
		to_type to;                                                                  \
		__asm__ volatile("ldmxcsr %1\n\t" insn " %2, %0\n\tstmxcsr %1\n\tldmxcsr %3" \
				 : "=" to_class(to), "+m"(*mxcsr)                            \
				 : from_class(from), "m"(idle));                             \
		return to;                                                                   \
	}

SSE_CONVERSION(d_to_w, int32_t, "r", double, "x", "cvtsd2si")
SSE_CONVERSION(d_to_l, int64_t, "r", double, "x", "cvtsd2si")
SSE_CONVERSION(l_to_d, double, "x", int64_t, "r", "cvtsi2sdq")
SSE_CONVERSION(l_to_s, float, "x", int64_t, "r", "cvtsi2ssq")
SSE_CONVERSION(d_to_s, float, "x", double, "x", "cvtsd2ss")
SSE_CONVERSION(s_to_d, double, "x", float, "x", "cvtss2sd")

/** Bit patterns and host types. */
static inline double sse_double(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}
static inline float sse_float(uint32_t bits)
{
	float v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}
static inline uint64_t sse_double_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}
static inline uint32_t sse_float_bits(float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

#endif
