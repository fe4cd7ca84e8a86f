# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_TIMER_ON_DEMAND) += timer-on-demand
objs-timer-on-demand := features/timer-on-demand/on_demand.o
