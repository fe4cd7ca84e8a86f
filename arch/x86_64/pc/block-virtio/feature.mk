# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_BLOCK_VIRTIO_PCI) += block-virtio
objs-block-virtio := arch/x86_64/pc/block-virtio/block.o
cflags-block-virtio := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
