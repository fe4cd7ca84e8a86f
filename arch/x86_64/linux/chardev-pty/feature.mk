# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_CHARDEV_PTY) += chardev-pty
objs-chardev-pty := arch/x86_64/linux/chardev-pty/pty.o
cflags-chardev-pty := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
