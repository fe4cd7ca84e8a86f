# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_HOST_PC) += host-pc
objs-host-pc := $(addprefix arch/x86_64/pc/,acpi.o apic.o boot.o boot_info.o clock.o cpu.o entropy.o fault.o main.o \
	memory.o multiboot2.o $(if $(CONFIG_SMP),,one.o) power.o pvh.o ranges.o rtc.o serial.o stream.o trap.o vectors.o)
# Interrupts may come at any instruction, and the handlers save general registers only.
cflags-host-pc := -mgeneral-regs-only -Os

ifeq ($(CONFIG_HOST_PC),y)
link-script := arch/x86_64/pc/image.ld
link-flags := -Wl,-z,max-page-size=4096 -Wl,-z,norelro
endif
