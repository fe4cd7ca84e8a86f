# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_LOCKSTEP) += lockstep
objs-lockstep := $(addprefix features/lockstep/, lockstep.o output.o mips64.o $(if $(CONFIG_ENGINE_DBT), block.o))

# The kernel's interface, for write().
cflags-lockstep := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
