# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_LOCAL_APIC) += local-apic
objs-local-apic := $(addprefix features/local-apic/,local_apic.o $(if $(CONFIG_SMP),posted.o,one.o))
# As in the engine, whose exits end here: the guest's FPU registers are not in the way.
cflags-local-apic := -mgeneral-regs-only -Os

features-$(CONFIG_LOCAL_APIC_VIRTUAL) += local-apic-virtual
objs-local-apic-virtual := features/local-apic/virtual.o
cflags-local-apic-virtual := -mgeneral-regs-only -Os
