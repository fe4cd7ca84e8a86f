# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_XEN_ABI) += xen-abi
objs-xen-abi := $(addprefix features/xen-abi/,domain.o hvm_op.o memory_op.o multicall.o sched_op.o $(if $(CONFIG_SMP),,vcpu_one.o) \
	vcpu_op.o version.o)
# Xen's public headers (package libxen-dev), after everything else: only xen/ is wanted from there.
cflags-xen-abi := -idirafter /usr/include
