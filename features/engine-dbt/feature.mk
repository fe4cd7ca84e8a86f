# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_ENGINE_DBT) += engine-dbt
objs-engine-dbt := features/engine-dbt/blocks.o features/engine-dbt/dbt.o features/engine-dbt/observer.o features/engine-dbt/part.o features/engine-dbt/pass.o features/engine-dbt/step.o \
	arch/mips64/translate/emit.o arch/mips64/translate/front.o \
	$(addprefix arch/x86_64/emit/, alloc.o asm.o lower.o lower_alu.o lower_fp.o lower_memory.o runtime.o)
features-$(if $(CONFIG_ENGINE_DBT),$(CONFIG_MIPS_FPU)) += dbt-fpu
objs-dbt-fpu := arch/mips64/translate/fpu.o
