# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_VIRTIO_BLK) += virtio-blk
objs-virtio-blk := $(addprefix features/virtio-blk/,disks.o virtio_blk.o)
cflags-virtio-blk := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
