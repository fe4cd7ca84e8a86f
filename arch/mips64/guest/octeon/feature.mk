# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_MIPS_OCTEON) += mips-octeon
objs-mips-octeon := arch/mips64/guest/octeon/octeon.o
