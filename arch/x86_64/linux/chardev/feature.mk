# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_CHARDEV) += chardev
objs-chardev := arch/x86_64/linux/chardev/fd_chardev.o
cflags-chardev := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
