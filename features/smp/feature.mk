# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_SMP) += smp
objs-smp := $(addprefix features/smp/,lock.o run.o stop.o turns.o counted.o)
