# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_INDIRECT_CACHE) += dbt-jumps
objs-dbt-jumps := features/dbt-jumps/jumps.o arch/x86_64/emit/jump_cache.o
