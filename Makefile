# SPDX-License-Identifier: BSD-2-Clause
# husk: one hypervisor and one guest in one image. `make help` lists the targets.
#
# One make for the whole tree, and nothing here lists features. A feature adds
# itself by its feature.mk:
#	features-$(CONFIG_SYMBOL) += NAME
#	objs-NAME := its objects, by their path in the tree
#	cflags-NAME := flags that only it needs, if any
#	link-script := linker script, link-flags := more  (hosts)

VERSION := 0.1
DEFAULT_DEFCONFIG := pc_octeon

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += -rR --no-print-directory
.PHONY: FORCE
FORCE:

# --- what the user gives

O ?= build
override O := $(abspath $(O))
V ?= 0
ifeq ($(origin CC),default)
CC := gcc
endif
PYTHON := /usr/bin/python3
export CC
export LC_ALL := C

ifneq ($(words $(CURDIR) $(O)),2)
$(error The path of the tree or of O= has a blank in it; make cannot handle that)
endif

Q := $(if $(filter 1,$(V)),,@)
quietly := $(if $(filter 1,$(V)),,>/dev/null)
# $(call say,VERB,object): the line that a quiet build shows.
say = @$(if $(filter 1,$(V)),:,printf '  %-7s %s\n' '$(1)' '$(2)')

# --- goals

# Those that write .config, and those that need none in $(O). All others need the image's rules.
config-goals := menuconfig nconfig %_defconfig olddefconfig randconfig
plain-goals := help savedefconfig clean distclean check check-% lint lint-% unit-programs bench bench-% lockstep
build-goals := $(filter-out $(config-goals) $(plain-goals),$(or $(MAKECMDGOALS),all))

ifneq ($(filter $(config-goals) clean distclean,$(MAKECMDGOALS)),)
ifneq ($(words $(MAKECMDGOALS)),1)
one-by-one := y
endif
endif

ifdef one-by-one

# Such as `make pc_virt_defconfig all`: a goal needs the result of the one before.
.PHONY: one-by-one $(MAKECMDGOALS)
$(MAKECMDGOALS): one-by-one
	@:
one-by-one:
	+@set -e; for goal in $(MAKECMDGOALS); do $(MAKE) $$goal; done

else

# --- packages and the C library

PACKAGES := $(O)/.packages
$(PACKAGES): images/packages.sh
	@mkdir -p $(@D)
	@sh images/packages.sh build
	@touch $@

include core/libc.mk

# --- configuration

KCONFIG := KCONFIG_CONFIG=$(O)/.config

.PHONY: menuconfig nconfig savedefconfig olddefconfig randconfig
menuconfig: $(PACKAGES)
	+$(Q)$(KCONFIG) kconfig-mconf Kconfig
nconfig: $(PACKAGES)
	+$(Q)$(KCONFIG) kconfig-nconf Kconfig
%_defconfig: $(PACKAGES) FORCE
	@test -f defconfigs/$@ || { echo "There is no defconfigs/$@. There are:" \
		$(sort $(notdir $(wildcard defconfigs/*))) >&2; exit 1; }
	$(Q)$(KCONFIG) kconfig-conf --defconfig=defconfigs/$@ Kconfig $(quietly)
	@sed -n '1s/^#/  CONFIG  $@:/p' defconfigs/$@
olddefconfig: $(O)/.config
	$(Q)$(KCONFIG) kconfig-conf --olddefconfig Kconfig $(quietly)
randconfig: $(PACKAGES)
	$(Q)$(KCONFIG) kconfig-conf --randconfig Kconfig $(quietly)
	$(Q)$(KCONFIG) kconfig-conf --olddefconfig Kconfig $(quietly)
savedefconfig: $(O)/.config
	$(Q)$(KCONFIG) kconfig-conf --savedefconfig=$(O)/defconfig Kconfig $(quietly)
	@echo "Wrote $(O)/defconfig. To keep it, put a line '# purpose' on top and copy it to defconfigs/NAME_defconfig."

$(O)/.config: | $(PACKAGES)
	@echo "There is no $(@:$(CURDIR)/%=%): using the default, $(DEFAULT_DEFCONFIG)_defconfig. 'make menuconfig' changes it."
	+@$(MAKE) $(DEFAULT_DEFCONFIG)_defconfig

# make reads config.mk, so it writes this and config/*.h first, and then starts again.
$(O)/gen/config.mk: $(O)/.config Kconfig images/genconfig.py
	$(Q)$(KCONFIG) kconfig-conf --olddefconfig Kconfig $(quietly)
	$(Q)$(PYTHON) images/genconfig.py --config $(O)/.config --out $(@D)

# --- compiling

WARNINGS := -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wundef -Wvla $(if $(filter-out 0,$(or $(WERROR),1)),-Werror)
# No path of this machine enters an object, so that any folder gives the same bytes.
PREFIX_MAP := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(O)=./build \
	-ffile-prefix-map=$(LIBC_DIR)=picolibc
# $(call base-cflags,COMPILER). The C library comes first, because its inttypes.h needs its own
# stdint.h and a freestanding compiler brings another.
base-cflags = -std=gnu11 -O2 -g -ffreestanding -fbuiltin -fno-pic -mno-red-zone -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -ffunction-sections -fdata-sections \
	-nostdinc -isystem $(LIBC_DIR)/include -isystem $(shell $(1) -print-file-name=include 2>/dev/null) \
	$(PREFIX_MAP) $(WARNINGS)

# Files that hold a text, $(stamp-NAME), written only if it changes: what depends on
# them is rebuilt when a flag or a list of objects changes.
STAMPS := $(O)/.stamp
differs = $(subst x$(1)x,,x$(2)x)$(subst x$(2)x,,x$(1)x)
write-stamp = $(if $(call differs,$(strip $(file <$@)),$(strip $(1))),$(file >$@,$(strip $(1))))
$(STAMPS)/%: FORCE | $(STAMPS)/.
	$(call write-stamp,$(stamp-$*))
$(STAMPS)/.:
	@mkdir -p $@

# Rule 1 of the design: the core cannot see the configuration.
$(O)/core/.unconfigured: $(wildcard core/*.[chS] core/include/husk/*.h)
	@mkdir -p $(@D)
	@if grep -n CONFIG_ $^ >&2; then \
		echo "core/ must not depend on the configuration: pass the value in struct params" \
			"(core/include/husk/params.h), or make the code a feature" >&2; exit 1; fi
	@touch $@

# --- the image

FEATURE_FRAGMENTS := $(sort $(wildcard features/*/feature.mk arch/*/*/feature.mk arch/*/*/*/feature.mk))

ifneq ($(build-goals),)

include $(O)/gen/config.mk
features-y :=
include $(FEATURE_FRAGMENTS)
FEATURES := $(sort $(features-y))
$(foreach f,$(FEATURES),$(if $(objs-$(f)),,$(error Feature $(f): its feature.mk sets no objs-$(f))))

# Payload, manifest and SBOM; sets PAYLOAD_OBJS.
ifneq ($(PAYLOAD),none)
include images/images.mk
else
PAYLOAD_OBJS := $(O)/tests/functional/empty_payload.o
endif

CORE_OBJS := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard core/*.c)))
FEATURE_OBJS := $(addprefix $(O)/,$(sort $(foreach f,$(FEATURES),$(objs-$(f)))))
IMAGE_OBJS := $(O)/images/params.o $(PAYLOAD_OBJS)
OBJS := $(CORE_OBJS) $(FEATURE_OBJS) $(IMAGE_OBJS)

CFLAGS := $(call base-cflags,$(CC))
# The core's own headers are all that it sees.
CORE_CFLAGS := $(CFLAGS) -Icore/include
FEATURE_CFLAGS := $(CFLAGS) -Icore/include -I. -I$(O)/gen
LDFLAGS := -nostdlib -static -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noexecstack $(link-flags)

stamp-core := $(CC) $(CORE_CFLAGS)
stamp-image := $(CC) $(FEATURE_CFLAGS)
stamp-link := $(CC) $(LDFLAGS) $(link-script) $(OBJS) $(LIBC)
$(CORE_OBJS): $(STAMPS)/core $(O)/core/.unconfigured
$(IMAGE_OBJS): $(STAMPS)/image
define feature-flags
stamp-feature-$(1) := $(CC) $(FEATURE_CFLAGS) $(cflags-$(1))
$(addprefix $(O)/,$(objs-$(1))): private MORE := $(cflags-$(1))
$(addprefix $(O)/,$(objs-$(1))): $(STAMPS)/feature-$(1)
endef
$(foreach f,$(FEATURES),$(eval $(call feature-flags,$(f))))

$(CORE_OBJS): $(O)/%.o: %.c | $(LIBC)
	$(call say,CC,$<)
	$(Q)$(CC) $(CORE_CFLAGS) -MMD -MP -c $< -o $@
define compile
	@mkdir -p $(@D)
	$(call say,CC,$(<:$(O)/%=%))
	$(Q)$(CC) $(FEATURE_CFLAGS) $(MORE) -MMD -MP -c $< -o $@
endef
$(O)/%.o: %.c | $(LIBC)
	$(compile)
$(O)/%.o: %.S | $(LIBC)
	$(compile)
$(O)/%.o: $(O)/%.c | $(LIBC)
	$(compile)
$(O)/%.o: $(O)/%.S | $(LIBC)
	$(compile)

# One digest for the bytes and names of all core objects.
$(O)/core/digest: $(CORE_OBJS) $(STAMPS)/link
	$(Q)cd $(@D) && sha256sum $(notdir $(CORE_OBJS)) | sha256sum | cut -d' ' -f1 >digest
$(O)/gen/husk-build.h: $(O)/core/digest Makefile
	$(Q)printf '#define HUSK_VERSION "%s"\n#define HUSK_CORE_DIGEST "%s"\n' $(VERSION) $$(cat $<) >$@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(O)/images/params.o: | $(O)/gen/husk-build.h

$(O)/husk.debug: $(OBJS) $(link-script) $(LIBC) $(STAMPS)/link
	$(if $(link-script),,$(error The configured host sets no link-script in its feature.mk))
	$(call say,LINK,husk)
	$(Q)$(CC) $(LDFLAGS) -Wl,-T,$(link-script) -Wl,-Map,$(O)/husk.map -o $@ $(OBJS) \
		$(LIBC) $$($(CC) -print-libgcc-file-name)
$(O)/husk: $(O)/husk.debug
	$(Q)objcopy --strip-debug $< $@

.PHONY: all core-digest features size manifest run iso
all: $(O)/husk
core-digest: $(O)/core/digest
	@cat $<
report = $(PYTHON) images/report.py $(1) $(O) $(foreach f,$(FEATURES),$(addprefix $(f):,$(objs-$(f))))
features: $(O)/husk
	@$(call report,features)
size: $(O)/husk
	@$(call report,size)
# Its prerequisite is in images.mk.
manifest:
	$(if $(filter none,$(PAYLOAD)),$(error An image without a payload has no manifest))
	@cat $(O)/husk.json

# --- running it

HOST := $(if $(CONFIG_HOST_LINUX),linux,pc)
run: $(O)/husk
	$(if $(CONFIG_HOST_LINUX),,@sh images/packages.sh run)
	+@NEEDS_HVM='$(strip $(if $(CONFIG_HVM_SVM),amd) $(if $(CONFIG_HVM_VMX),intel))' CPUS=$(CONFIG_VCPUS) sh images/run.sh $(O)/husk $(HOST) $(CONFIG_RAM_MB) $(ARGS)
iso: $(O)/husk.iso
$(O)/husk.iso: $(O)/husk images/iso.sh
	$(if $(CONFIG_HOST_PC),,$(error An ISO needs the host pc; this configuration is for $(HOST)))
	@sh images/packages.sh iso
	$(call say,ISO,husk.iso)
	$(Q)sh images/iso.sh $< $@

-include $(OBJS:.o=.d)

endif # build-goals

include tests/tests.mk

# --- the rest

define HELP
Configure
  menuconfig nconfig  choose in a menu (kconfig-mconf, kconfig-nconf)
  NAME_defconfig      take defconfigs/NAME_defconfig; there are:
                      $(patsubst %_defconfig,%,$(notdir $(sort $(wildcard defconfigs/*))))
  savedefconfig       write what differs from the defaults to $(O)/defconfig
  olddefconfig        complete .config with defaults
  randconfig          a random configuration (KCONFIG_SEED=n repeats one)

Build
  all                 the image, $(O)/husk (the default goal; with symbols: husk.debug)
  run                 build it and run it (ARGS="..." is its command line)
  iso                 a GRUB ISO for BIOS and UEFI, $(O)/husk.iso (host pc)
  features            features in the image: bytes, purpose; digest of the core
  size                bytes of core, features, C library and payload
  manifest            inputs with versions and hashes: husk.json, husk.spdx.json
  lock                pin the guest's packages: make lock IMAGES_LOCK=FILE
  clean distclean     remove what was built; distclean: the configuration too

Test
  check               everything below; the last line counts
  check-unit          unit tests of the real sources, with sanitizers
  check-lint lint     gcc, clang, clang-format, cppcheck, headers, sources
  check-kconfig       both Kconfig implementations read the tree alike
  check-core          one digest of the core over all configurations
  check-randconfig    ten random configurations build and link (SEED=n, N=count)
  check-repro         two builds in different folders give the same bytes
  check-fuzz          hostile input to everything that parses any (N=runs)
  check-differential  guest instructions against a reference emulator (N=count)
  check-functional    boot the images and talk to them; the build itself
  check-vmx           all tests of Intel VMX, in Bochs; "functional" has a few of them
  bench               husk, QEMU and native programs side by side (T=item, or T=smp; N=rounds, QUICK=1)
  bench-pvh           start of x86-64 guests beside no hypervisor, and beside Xen (N=rounds)
  lockstep            two engines side by side; finds the first instruction that differs (N=instructions)

Variables
  O=DIR build elsewhere   V=1 show commands   CC=clang another compiler   WERROR=0 warnings do not stop
  HUSK_CACHE=DIR downloads and the C library   IMAGES_LOCK=FILE exact hashes of guest packages
  PAYLOAD=none an image without a guest   T=NAME only tests with this in their name
endef

.PHONY: help clean distclean
help:
	$(info $(HELP))
	@:
clean:
	rm -rf $(addprefix $(O)/,arch bench check core features gen images lint payload tests .stamp .packages \
		.packages-check husk husk.debug husk.map husk.iso husk.json husk.spdx.json)
distclean: clean
	rm -f $(addprefix $(O)/,.config .config.old defconfig)
	@rmdir $(O) 2>/dev/null || true

endif # one-by-one
