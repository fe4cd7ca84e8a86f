# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_NET_TAP) += net-tap
objs-net-tap := arch/x86_64/linux/net-tap/tap.o
cflags-net-tap := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
