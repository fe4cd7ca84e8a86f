# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_TIMER_PV) += timer-pv
objs-timer-pv := $(addprefix features/timer-pv/,clock.o runstate.o timers.o)
cflags-timer-pv := -idirafter /usr/include
