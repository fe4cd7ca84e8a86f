# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_CHARDEV_STREAM) += chardev-stream
objs-chardev-stream := arch/x86_64/linux/chardev-stream/stream.o
cflags-chardev-stream := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
