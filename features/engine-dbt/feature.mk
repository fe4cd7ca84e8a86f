# SPDX-License-Identifier: BSD-2-Clause
features-$(CONFIG_ENGINE_DBT) += engine-dbt
objs-engine-dbt := $(addprefix features/engine-dbt/, blocks.o code.o create.o dbt.o helpers.o monitor.o observer.o part.o pass.o \
	step.o translate.o) \
	$(addprefix arch/mips64/translate/, emit.o emit_alu.o emit_memory.o emit_pairs.o \
		emit_system.o front.o) \
	$(addprefix arch/x86_64/emit/, alloc.o asm.o lower.o lower_alu.o lower_fp.o lower_memory.o runtime.o)
# Translation is rare beside what it makes.
cflags-engine-dbt := -Os
features-$(if $(CONFIG_ENGINE_DBT),$(CONFIG_MIPS_FPU)) += dbt-fpu
objs-dbt-fpu := arch/mips64/translate/fpu.o
cflags-dbt-fpu := -Os
