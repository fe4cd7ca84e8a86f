# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_PCI) += pci
objs-pci := arch/x86_64/pc/pci/pci.o arch/x86_64/pc/pci/ports.o
# Its interrupt handler saves general registers only.
cflags-pci := -mgeneral-regs-only
