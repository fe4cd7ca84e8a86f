# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_SOCKET) += socket
objs-socket := $(addprefix arch/x86_64/linux/socket/,open.o socket.o)
cflags-socket := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
