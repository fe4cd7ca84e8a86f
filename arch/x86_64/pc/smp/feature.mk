# SPDX-License-Identifier: BSD-2-Clause
features-$(if $(CONFIG_HOST_PC),$(CONFIG_SMP)) += pc-smp
objs-pc-smp := $(addprefix arch/x86_64/pc/smp/, cpus.o shared.o start.o stop.o trampoline.o)
# As the host's own: interrupts come here.
cflags-pc-smp := -mgeneral-regs-only -Os
