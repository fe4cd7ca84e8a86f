# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_EVENT_CHANNELS_FIFO) += event-channels-fifo
objs-event-channels-fifo := $(addprefix features/event-channels-fifo/,fifo.o)
cflags-event-channels-fifo := -idirafter /usr/include
