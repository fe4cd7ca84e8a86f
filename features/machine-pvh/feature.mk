# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_MACHINE_PVH) += machine-pvh
cflags-machine-pvh := -Os
objs-machine-pvh := $(addprefix features/machine-pvh/, acpi.o aml.o linux64.o machine.o power.o slots.o start.o)
features-$(CONFIG_PVH_UART) += pvh-uart
cflags-pvh-uart := -Os
objs-pvh-uart := features/machine-pvh/com1.o
features-$(CONFIG_PVH_RTC) += pvh-rtc
cflags-pvh-rtc := -Os
objs-pvh-rtc := features/machine-pvh/rtc.o
