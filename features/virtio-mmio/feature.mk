# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_VIRTIO_MMIO) += virtio-mmio
objs-virtio-mmio := features/virtio-mmio/virtio_mmio.o
cflags-virtio-mmio := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
