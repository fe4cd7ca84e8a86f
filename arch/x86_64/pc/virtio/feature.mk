# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_PC_VIRTIO) += pc-virtio
objs-pc-virtio := arch/x86_64/pc/virtio/transport.o arch/x86_64/pc/virtio/ring.o
cflags-pc-virtio := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
