# SPDX-License-Identifier: BSD-2-Clause
# Builds the differential test for the build host, as fast as it gets and with sanitizers.
#	make -f tests/differential/build.mk OUT=folder [ENGINE=interp] [NAME=interp] [OFF=symbols] [SET=SYMBOL=value...]
#		[BUILDS="plain sanitizer"] [CC=gcc]
# makes OUT/differential-NAME-plain and OUT/differential-NAME-sanitizer. OFF leaves features out that the engine has by
# default; they share the objects of a folder. Where SET differs, the folder has to.

OUT ?= build/tests/differential
ENGINE ?= interp
NAME ?= $(ENGINE)
ifeq ($(origin CC),default)
CC := gcc
endif
MAKEFLAGS += -rR --no-print-directory
.DELETE_ON_ERROR:

all:
.PHONY: all

# The default configuration with this engine and SET, with a value for everything.
-include $(OUT)/gen/config.mk
$(foreach symbol,$(OFF),$(if $(CONFIG_$(symbol)),,$(if $(CONFIG_CPU_MIPS64),$(error OFF=$(symbol): not on))) \
	$(eval CONFIG_$(symbol) := n))
include $(wildcard arch/*/*/feature.mk arch/*/*/*/feature.mk features/*/feature.mk)

# The sources of the CPU, the engine and what they need.
FEATURES := timer-on-demand $(filter cpu-mips64 mips-% engine-% dbt-%,$(features-y))
SOURCES := $(patsubst %.o,%.c,$(foreach f,$(FEATURES),$(objs-$(f)))) \
	$(addprefix core/, bus.c feature.c log.c memory.c smp.c timer.c) \
	tests/unit/fake_platform.c $(wildcard tests/differential/*.c)

BUILDS ?= plain sanitizer
CFLAGS := -std=gnu11 -g -ffunction-sections \
	-Icore/include -I. -I$(OUT)/gen $(strip $(foreach f,$(FEATURES),$(cflags-$(f))))
# The other sources have their warnings from `make lint`.
WARNINGS := -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
CFLAGS-plain := -O2
CFLAGS-sanitizer := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined

all: $(BUILDS:%=$(OUT)/differential-$(NAME)-%)

$(OUT)/.config: Kconfig $(wildcard features/*/Kconfig arch/*/*/Kconfig arch/*/*/*/Kconfig images/Kconfig)
	@mkdir -p $(@D)
	@printf 'CONFIG_%s\n' ENGINE_$(shell echo $(ENGINE) | tr a-z A-Z)=y $(SET) >$@
	@KCONFIG_CONFIG=$@ kconfig-conf --olddefconfig Kconfig >/dev/null
	@for value in $(SET); do grep -qx "CONFIG_$$value" $@ || { echo "SET=$$value: not taken" >&2; rm $@; exit 1; }; done
$(OUT)/gen/config.mk: $(OUT)/.config images/genconfig.py
	@/usr/bin/python3 images/genconfig.py --defaults --config $< --out $(@D)

# Changes when the command line does.
$(OUT)/command: always
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS) $(CFLAGS-sanitizer)' | cmp -s - $@ || echo '$(CC) $(CFLAGS) $(CFLAGS-sanitizer)' >$@
.PHONY: always

define build
$(OUT)/$(1)/%.o: %.c $(OUT)/gen/config.mk $(OUT)/command
	@mkdir -p $$(@D)
	@$(CC) $(CFLAGS) $(CFLAGS-$(1)) $$(if $$(filter tests/differential/%,$$<),$(WARNINGS)) -MMD -MP -c $$< -o $$@
$(OUT)/differential-$(NAME)-$(1): $(SOURCES:%.c=$(OUT)/$(1)/%.o)
	@$(CC) $(CFLAGS) $(CFLAGS-$(1)) -Wl,--gc-sections -o $$@ $$^ -lcmocka
-include $(SOURCES:%.c=$(OUT)/$(1)/%.d)
endef
$(foreach b,$(BUILDS),$(eval $(call build,$(b))))
