# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_PC_DISK) += pc-disk
objs-pc-disk := $(addprefix arch/x86_64/pc/disk/,disk.o open.o partition.o)
