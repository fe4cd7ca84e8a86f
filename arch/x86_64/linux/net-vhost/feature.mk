# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_NET_VHOST) += net-vhost
objs-net-vhost := $(addprefix arch/x86_64/linux/net-vhost/,calls.o rings.o setup.o)
cflags-net-vhost := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
