# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_SUPERBLOCKS) += dbt-superblocks
objs-dbt-superblocks := features/dbt-superblocks/superblocks.o
