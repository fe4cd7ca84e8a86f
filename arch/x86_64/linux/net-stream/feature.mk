# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_NET_STREAM) += net-stream
objs-net-stream := $(addprefix arch/x86_64/linux/net-stream/,frames.o stream.o)
cflags-net-stream := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
