# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_XEN_CONSOLE) += xen-console
objs-xen-console := $(addprefix features/xen-console/,console_io.o ring.o)
cflags-xen-console := -idirafter /usr/include
