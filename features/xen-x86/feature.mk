# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_XEN_ABI) += xen-x86
objs-xen-x86 := features/xen-x86/xen_x86.o
cflags-xen-x86 := -idirafter /usr/include -mgeneral-regs-only

features-$(if $(CONFIG_XEN_ABI),$(CONFIG_SMP)) += xen-x86-smp
objs-xen-x86-smp := features/xen-x86/vcpus.o
cflags-xen-x86-smp := -idirafter /usr/include -mgeneral-regs-only
