# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_MACHINE_PVH) += machine-pvh
objs-machine-pvh := $(addprefix features/machine-pvh/, acpi.o aml.o linux64.o machine.o power.o start.o)
features-$(CONFIG_PVH_UART) += pvh-uart
objs-pvh-uart := features/machine-pvh/com1.o
features-$(CONFIG_PVH_RTC) += pvh-rtc
objs-pvh-rtc := features/machine-pvh/rtc.o
