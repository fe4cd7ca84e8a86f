# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_VIRTIO) += virtio
objs-virtio := $(addprefix features/virtio/,device.o queue.o)

# Constants and structures of the specification as the kernel has them (package linux-libc-dev), after everything else:
# only linux/ and asm/ are wanted from there. Features of devices use it, too.
cflags-virtio := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
