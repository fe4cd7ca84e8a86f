# SPDX-License-Identifier: BSD-2-Clause
# Paravirtual time leaves counters of devices to it.
features-$(or $(CONFIG_TIMER_ON_DEMAND),$(CONFIG_TIMER_PV)) += timer-on-demand
objs-timer-on-demand := features/timer-on-demand/on_demand.o
