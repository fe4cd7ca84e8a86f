# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_BLOCK_EMBEDDED) += block-embedded
objs-block-embedded := features/block-embedded/embedded.o features/block-embedded/overlay.o
