# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_MONITOR) += monitor
objs-monitor := features/monitor/monitor.o features/monitor/commands.o features/monitor/info.o \
	features/monitor/dump.o
