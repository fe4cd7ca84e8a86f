# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_BLOCK_FILE) += block-file
objs-block-file := $(addprefix arch/x86_64/linux/block-file/,file.o open.o worker.o)
cflags-block-file := -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
