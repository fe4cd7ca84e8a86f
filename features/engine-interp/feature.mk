# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_ENGINE_INTERP) += engine-interp
objs-engine-interp := features/engine-interp/interp.o features/engine-interp/page.o features/engine-interp/breakpoint.o
