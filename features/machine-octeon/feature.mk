# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_MACHINE_OCTEON) += machine-octeon
objs-machine-octeon := $(addprefix features/machine-octeon/,bootinfo.o bootmem.o ciu.o cores.o csr.o machine.o) \
	arch/mips64/guest/boot.o
