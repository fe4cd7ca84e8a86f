# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_IO_APIC) += io-apic
objs-io-apic := features/io-apic/io_apic.o
cflags-io-apic := -mgeneral-regs-only -Os
