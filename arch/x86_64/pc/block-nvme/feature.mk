# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_BLOCK_NVME) += block-nvme
objs-block-nvme := $(addprefix arch/x86_64/pc/block-nvme/,queue.o nvme.o)
