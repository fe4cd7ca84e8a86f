# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_NET_VIRTIO_PCI) += net-virtio
objs-net-virtio := arch/x86_64/pc/net-virtio/net.o
cflags-net-virtio := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
