# SPDX-License-Identifier: BSD-2-Clause
# As in the engine, whose exits end here: the guest's FPU registers are not in the way.
features-$(CONFIG_LOCAL_APIC) += local-apic
objs-local-apic := features/local-apic/local_apic.o $(if $(CONFIG_SMP),,features/local-apic/one.o)
cflags-local-apic := -mgeneral-regs-only -Os

features-$(if $(CONFIG_LOCAL_APIC),$(CONFIG_SMP)) += local-apic-smp
objs-local-apic-smp := features/local-apic/posted.o
cflags-local-apic-smp := -mgeneral-regs-only -Os

features-$(CONFIG_LOCAL_APIC_VIRTUAL) += local-apic-virtual
objs-local-apic-virtual := features/local-apic/virtual.o
cflags-local-apic-virtual := -mgeneral-regs-only -Os
