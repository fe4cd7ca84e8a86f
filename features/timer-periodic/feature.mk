# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_TIMER_PERIODIC) += timer-periodic
objs-timer-periodic := features/timer-periodic/periodic.o
