# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_GDB_STUB) += gdb-stub
objs-gdb-stub := $(addprefix features/gdb-stub/, stub.o server.o query.o resume.o state.o points.o packet.o \
	target.o mips64.o)
