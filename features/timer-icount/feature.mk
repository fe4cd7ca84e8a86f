# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_TIMER_ICOUNT) += timer-icount
objs-timer-icount := features/timer-icount/icount.o
