# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_SMP) += smp
objs-smp := $(addprefix features/smp/,lock.o run.o stop.o turns.o counted.o)
features-$(if $(CONFIG_SMP),$(CONFIG_ENGINE_DBT)) += dbt-smp
objs-dbt-smp := features/smp/dbt.o arch/x86_64/emit/lower_atomic.o
