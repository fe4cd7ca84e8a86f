# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_VIRTIO_CONSOLE) += virtio-console
objs-virtio-console := $(addprefix features/virtio-console/,consoles.o control.o virtio_console.o)
cflags-virtio-console := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
