# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_ACCESS_GROUPS) += dbt-groups
objs-dbt-groups := features/dbt-groups/groups.o
