# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_MACHINE_VIRT) += machine-virt
objs-machine-virt := features/machine-virt/machine.o features/machine-virt/syscon.o arch/mips64/guest/boot.o
