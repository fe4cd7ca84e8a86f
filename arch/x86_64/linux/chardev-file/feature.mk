# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_CHARDEV_FILE) += chardev-file
objs-chardev-file := arch/x86_64/linux/chardev-file/file.o
cflags-chardev-file := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
