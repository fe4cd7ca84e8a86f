# SPDX-License-Identifier: BSD-2-Clause
features-$(if $(CONFIG_ENGINE_HVM),$(CONFIG_SMP)) += hvm-smp
objs-hvm-smp := arch/x86_64/hvm/smp/smp.o
# As in the engine: the guest's FPU registers are not in the way.
cflags-hvm-smp := -mgeneral-regs-only -Os
