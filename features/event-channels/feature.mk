# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_EVENT_CHANNELS) += event-channels
objs-event-channels := $(addprefix features/event-channels/,evtchn.o evtchn_op.o monitor.o poll.o)
cflags-event-channels := -idirafter /usr/include
