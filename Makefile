# SPDX-License-Identifier: BSD-2-Clause
# husk: one hypervisor and one guest in one image. `make help` lists the targets.
#
# One make for the whole tree. A feature adds itself by its feature.mk:
#	features-$(CONFIG_SYMBOL) += NAME
#	objs-NAME := paths of its objects, from the top of the tree
#	cflags-NAME := flags that only it needs
#	link-script := linker script             (hosts)
# Nothing here lists features.

VERSION := 0.1
DEFAULT_DEFCONFIG := pc_octeon

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += -rR --no-print-directory
FORCE:
.PHONY: FORCE

O ?= build
override O := $(abspath $(O))
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
# $(call say,VERB,object): the line a quiet build shows.
say = @$(if $(filter 1,$(V)),:,echo "  $(1)$(2)")

ifneq ($(words $(CURDIR) $(O)),2)
$(error The path of the tree or of O= has a blank in it; make cannot handle that)
endif

ifeq ($(origin CC),default)
CC := gcc
endif
PYTHON := /usr/bin/python3
export LC_ALL := C

# Goals that write .config, and goals that do not need one in $(O).
config-goals := menuconfig nconfig %_defconfig olddefconfig randconfig
plain-goals := help savedefconfig clean distclean check check-% lint bench packages
build-goals := $(filter-out $(config-goals) $(plain-goals),$(or $(MAKECMDGOALS),all))

ifneq ($(filter $(config-goals) clean distclean,$(MAKECMDGOALS)),)
ifneq ($(words $(MAKECMDGOALS)),1)
one-by-one := y
endif
endif

ifdef one-by-one

# Such as `make pc_virt_defconfig all`: the second goal needs the first one's result.
.PHONY: one-by-one $(MAKECMDGOALS)
$(MAKECMDGOALS): one-by-one
	@:
one-by-one:
	+@set -e; for goal in $(MAKECMDGOALS); do $(MAKE) $$goal; done

else

PACKAGES := $(O)/.packages
$(PACKAGES): images/packages.sh
	@mkdir -p $(@D)
	@sh images/packages.sh build
	@touch $@

include core/libc.mk

# --- configuration

KCONFIG := KCONFIG_CONFIG=$(O)/.config KCONFIG_AUTOCONFIG=$(O)/gen/auto.conf \
	KCONFIG_AUTOHEADER=$(O)/gen/autoconf.h KCONFIG_TRISTATE=$(O)/gen/tristate.conf
quietly = $(if $(filter 1,$(V)),,>/dev/null)

.PHONY: menuconfig nconfig savedefconfig olddefconfig randconfig
menuconfig: $(PACKAGES)
	+$(Q)$(KCONFIG) kconfig-mconf Kconfig
nconfig: $(PACKAGES)
	+$(Q)$(KCONFIG) kconfig-nconf Kconfig
%_defconfig: $(PACKAGES) FORCE
	@test -f defconfigs/$@ || { echo "There is no defconfigs/$@. There are:" $(sort $(notdir $(wildcard defconfigs/*))) >&2; exit 1; }
	$(Q)$(KCONFIG) kconfig-conf --defconfig=defconfigs/$@ Kconfig $(quietly)
	@echo "  CONFIG  $@: $$(sed -n '1s/^# *//p' defconfigs/$@)"
olddefconfig: $(O)/.config
	$(Q)$(KCONFIG) kconfig-conf --olddefconfig Kconfig $(quietly)
randconfig: $(PACKAGES)
	$(Q)$(KCONFIG) kconfig-conf --randconfig Kconfig $(quietly)
savedefconfig: $(O)/.config
	$(Q)$(KCONFIG) kconfig-conf --savedefconfig=$(O)/defconfig Kconfig
	@echo "  CONFIG  $(O)/defconfig: copy it to defconfigs/NAME_defconfig to keep it"

$(O)/.config: | $(PACKAGES)
	@echo "No $(@:$(CURDIR)/%=%): using the default, $(DEFAULT_DEFCONFIG)_defconfig. 'make menuconfig' changes it."
	+@$(MAKE) $(DEFAULT_DEFCONFIG)_defconfig

# make reads config.mk, so it writes this and the headers first and then starts again.
$(O)/gen/config.mk: $(O)/.config Kconfig images/genconfig.py
	$(Q)$(KCONFIG) kconfig-conf --olddefconfig Kconfig $(quietly)
	$(Q)$(PYTHON) images/genconfig.py --config $(O)/.config --out $(@D)

# --- the image

ifneq ($(build-goals),)

include $(O)/gen/config.mk
features-y :=
include $(sort $(wildcard features/*/feature.mk arch/*/*/feature.mk arch/*/*/*/feature.mk))
FEATURES := $(sort $(features-y))
$(foreach f,$(FEATURES),$(if $(objs-$(f)),,$(error Feature $(f): its feature.mk sets no objs-$(f))))
-include images/images.mk
ifeq ($(PAYLOAD),none)
PAYLOAD_OBJS := tests/functional/empty_payload.o
endif

CORE_OBJS := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard core/*.c)))
FEATURE_OBJS := $(addprefix $(O)/,$(sort $(foreach f,$(FEATURES),$(objs-$(f)))))
IMAGE_OBJS := $(O)/images/params.o $(addprefix $(O)/,$(patsubst $(O)/%,%,$(PAYLOAD_OBJS)))
OBJS := $(CORE_OBJS) $(FEATURE_OBJS) $(IMAGE_OBJS)

WARNINGS := -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wundef -Wvla $(if $(filter-out 0,$(or $(WERROR),1)),-Werror)
# No path of this machine enters an object, so that any folder gives the same bytes.
PREFIX_MAP := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(O)=./build \
	-ffile-prefix-map=$(LIBC_DIR)=picolibc
CC_INCLUDE := $(shell $(CC) -print-file-name=include)
CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -mno-red-zone -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -ffunction-sections -fdata-sections \
	-nostdinc -isystem $(CC_INCLUDE) -isystem $(LIBC_DIR)/include $(PREFIX_MAP) $(WARNINGS)
# The core sees its own headers only, and no configuration.
CORE_CFLAGS := $(CFLAGS) -Icore/include
FEATURE_CFLAGS := $(CFLAGS) -Icore/include -I. -I$(O)/gen
LDFLAGS := -nostdlib -static -no-pie -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noexecstack

# Files that hold text given by a variable, written only if the text changes: what
# depends on them is rebuilt when a flag or a list of objects changes.
differs = $(subst x$(1)x,,x$(2)x)$(subst x$(2)x,,x$(1)x)
stamp = $(if $(call differs,$(file <$@),$(strip $(1))),$(file >$@,$(strip $(1))))
STAMPS := $(O)/.stamp
$(STAMPS)/%: FORCE | $(STAMPS)/.
	$(call stamp,$(stamp-$*))
$(STAMPS)/.:
	@mkdir -p $@

stamp-core := $(CC) $(CORE_CFLAGS)
stamp-images := $(CC) $(FEATURE_CFLAGS)
stamp-link = $(CC) $(LDFLAGS) $(link-flags) -T $(link-script) $(OBJS) $(LIBC)
$(foreach f,$(FEATURES),$(eval stamp-feature-$(f) := $(CC) $(FEATURE_CFLAGS) $(cflags-$(f))))
$(foreach f,$(FEATURES),$(eval $(addprefix $(O)/,$(objs-$(f))): $(STAMPS)/feature-$(f)))
$(foreach f,$(FEATURES),$(eval $(addprefix $(O)/,$(objs-$(f))): private MORE := $(cflags-$(f))))
$(CORE_OBJS): $(STAMPS)/core $(O)/core/.unconfigured
$(IMAGE_OBJS): $(STAMPS)/images

$(CORE_OBJS): $(O)/%.o: %.c | $(LIBC)
	$(call say,CC      ,$<)
	$(Q)$(CC) $(CORE_CFLAGS) -MMD -MP -c $< -o $@
$(O)/%.o: %.c | $(LIBC)
	@mkdir -p $(@D)
	$(call say,CC      ,$<)
	$(Q)$(CC) $(FEATURE_CFLAGS) $(MORE) -MMD -MP -c $< -o $@
$(O)/%.o: %.S | $(LIBC)
	@mkdir -p $(@D)
	$(call say,AS      ,$<)
	$(Q)$(CC) $(FEATURE_CFLAGS) $(MORE) -MMD -MP -c $< -o $@
$(O)/%.o: $(O)/%.c | $(LIBC)
	$(call say,CC      ,$(<:$(O)/%=%))
	$(Q)$(CC) $(FEATURE_CFLAGS) -MMD -MP -c $< -o $@
$(O)/%.o: $(O)/%.S | $(LIBC)
	$(call say,AS      ,$(<:$(O)/%=%))
	$(Q)$(CC) $(FEATURE_CFLAGS) -MMD -MP -c $< -o $@

# Rule 1 of the design: the core cannot see the configuration.
$(O)/core/.unconfigured: $(wildcard core/*.[chS] core/include/husk/*.h)
	@mkdir -p $(@D)
	@if grep -n CONFIG_ $^ >&2; then \
		echo "core/ must not depend on the configuration: pass the value in struct params" \
			"(core/include/husk/params.h), or make the code a feature" >&2; exit 1; fi
	@touch $@

$(O)/core/digest: $(CORE_OBJS)
	$(Q)cd $(O)/core && sha256sum $(notdir $(CORE_OBJS)) | sha256sum | cut -d' ' -f1 >digest

$(O)/gen/husk-build.h: $(O)/core/digest Makefile
	$(Q)printf '#define HUSK_VERSION "%s"\n#define HUSK_CORE_DIGEST "%s"\n' $(VERSION) $$(cat $<) >$@
$(O)/images/params.o: $(O)/gen/husk-build.h

$(O)/husk.debug: $(OBJS) $(link-script) $(LIBC) $(STAMPS)/link
	$(call say,LINK    ,husk)
	$(Q)$(CC) $(LDFLAGS) $(link-flags) -Wl,-T,$(link-script) -Wl,-Map,$(O)/husk.map -o $@ $(OBJS) \
		$(LIBC) $$($(CC) -print-libgcc-file-name)
$(O)/husk: $(O)/husk.debug
	$(Q)objcopy --strip-debug $< $@

.PHONY: all
all: $(O)/husk

-include $(wildcard $(OBJS:.o=.d))

endif # build-goals

.PHONY: clean distclean
clean:
	rm -rf $(addprefix $(O)/,arch check core features gen images payload tests .stamp .packages \
		husk husk.debug husk.map manifest.json sbom.spdx.json husk.iso)
distclean: clean
	rm -f $(O)/.config $(O)/.config.old $(O)/defconfig
	@rmdir $(O) 2>/dev/null || true

endif # one-by-one
