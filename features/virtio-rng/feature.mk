# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_VIRTIO_RNG) += virtio-rng
objs-virtio-rng := features/virtio-rng/virtio_rng.o
cflags-virtio-rng := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
