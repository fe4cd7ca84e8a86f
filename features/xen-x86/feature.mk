# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_XEN_ABI) += xen-x86
objs-xen-x86 := $(addprefix features/xen-x86/,xen_x86.o $(if $(CONFIG_SMP),vcpus.o))
cflags-xen-x86 := -idirafter /usr/include -mgeneral-regs-only
