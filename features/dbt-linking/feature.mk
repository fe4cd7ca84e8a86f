# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_BLOCK_LINKING) += dbt-linking
objs-dbt-linking := features/dbt-linking/linking.o
