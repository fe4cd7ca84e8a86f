# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_MIPS_FPU) += mips-fpu
objs-mips-fpu := \
	arch/mips64/guest/fpu/arith.o \
	arch/mips64/guest/fpu/compare.o \
	arch/mips64/guest/fpu/control.o \
	arch/mips64/guest/fpu/convert.o \
	arch/mips64/guest/fpu/decode.o \
	arch/mips64/guest/fpu/last.o \
	arch/mips64/guest/fpu/move.o \
	arch/mips64/guest/fpu/number.o \
	arch/mips64/guest/fpu/quick.o
