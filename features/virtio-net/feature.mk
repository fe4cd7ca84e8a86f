# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_VIRTIO_NET) += virtio-net
objs-virtio-net := $(addprefix features/virtio-net/,control.o filter.o networks.o receive.o rings.o steer.o transmit.o virtio_net.o)
cflags-virtio-net := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
