# SPDX-License-Identifier: BSD-2-Clause
# Builds the differential test for the build host, twice: as fast as it gets, and with
# sanitizers.
#	make -f tests/differential/build.mk OUT=folder [ENGINE=interp] [CC=gcc]
# makes OUT/differential-ENGINE-plain and OUT/differential-ENGINE-sanitizer.

OUT ?= build/tests/differential
ENGINE ?= interp
ifeq ($(origin CC),default)
CC := gcc
endif
MAKEFLAGS += -rR --no-print-directory
.DELETE_ON_ERROR:

# The sources of the CPU, the engine and what they need.
FEATURES := cpu-mips64 mips-fpu mips-octeon engine-$(ENGINE) timer-on-demand $(if $(filter dbt,$(ENGINE)),dbt-fpu dbt-groups)
include $(wildcard arch/*/*/feature.mk arch/*/*/*/feature.mk features/*/feature.mk)
SOURCES := $(patsubst %.o,%.c,$(foreach f,$(FEATURES),$(objs-$(f)))) \
	$(addprefix core/, bus.c feature.c log.c memory.c timer.c) \
	tests/unit/fake_platform.c $(wildcard tests/differential/*.c)

BUILDS := plain sanitizer
CFLAGS := -std=gnu11 -g -ffunction-sections \
	-Icore/include -I. -I$(OUT)/gen $(foreach f,$(FEATURES),$(cflags-$(f)))
# The other sources have their warnings from `make lint`.
WARNINGS := -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
CFLAGS-plain := -O2
CFLAGS-sanitizer := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined

all: $(BUILDS:%=$(OUT)/differential-$(ENGINE)-%)
.PHONY: all

# The default configuration, with a value for everything.
$(OUT)/.config: Kconfig $(wildcard features/*/Kconfig arch/*/*/Kconfig arch/*/*/*/Kconfig images/Kconfig)
	@mkdir -p $(@D)
	@KCONFIG_CONFIG=$@ kconfig-conf --alldefconfig Kconfig >/dev/null
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
$(OUT)/differential-$(ENGINE)-$(1): $(SOURCES:%.c=$(OUT)/$(1)/%.o)
	@$(CC) $(CFLAGS) $(CFLAGS-$(1)) -Wl,--gc-sections -o $$@ $$^ -lcmocka
-include $(SOURCES:%.c=$(OUT)/$(1)/%.d)
endef
$(foreach b,$(BUILDS),$(eval $(call build,$(b))))
