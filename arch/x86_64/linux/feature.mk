# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_HOST_LINUX) += host-linux

objs-host-linux := $(addprefix arch/x86_64/linux/, entry.o start.o memory.o code.o time.o vdso.o cpu.o entropy.o thread.o io.o \
	stream.o console.o terminal.o signals.o fault.o libc_hooks.o)

features-$(if $(CONFIG_HOST_LINUX),$(CONFIG_SMP)) += host-linux-smp
objs-host-linux-smp := arch/x86_64/linux/smp.o
cflags-host-linux-smp = $(cflags-host-linux)

# The kernel's interface (package linux-libc-dev), after everything else: only linux/ and asm/ are wanted from there.
cflags-host-linux := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include

ifeq ($(CONFIG_HOST_LINUX),y)
link-script := arch/x86_64/linux/image.ld
endif
