# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_MACHINE_OCTEON) += machine-octeon
objs-machine-octeon := $(addprefix features/machine-octeon/,bootinfo.o bootmem.o ciu.o csr.o machine.o \
	$(if $(CONFIG_SMP),cores.o,one_core.o)) \
	arch/mips64/guest/boot.o
