# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_EVENT_CHANNELS_2L) += event-channels-2l
objs-event-channels-2l := $(addprefix features/event-channels-2l/,two_level.o)
cflags-event-channels-2l := -idirafter /usr/include
