# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_CPU_MIPS64) += cpu-mips64
objs-cpu-mips64 := $(addprefix arch/mips64/guest/, boot.o cp0.o cpu.o decode.o exception.o \
	$(if $(CONFIG_SMP),atomic_smp.o,atomic_up.o) isa_alu.o isa_branch.o isa_memory.o isa_muldiv.o isa_system.o mmu.o pending.o print.o registers.o tlb.o)
features-$(CONFIG_MIPS_PAGE_WALKER) += mips-walker
objs-mips-walker := arch/mips64/guest/walker.o
