# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_RETURN_STACK) += dbt-returns
objs-dbt-returns := features/dbt-returns/returns.o arch/x86_64/emit/return_stack.o
