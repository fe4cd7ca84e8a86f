# SPDX-License-Identifier: BSD-2-Clause
# Tests. `make check` runs everything below by way of tests/check.py, which
# counts; each check-NAME runs one part of it.

CHECKS := unit lint kconfig core randconfig repro fuzz differential functional
.PHONY: check $(addprefix check-,$(CHECKS)) lint bench lockstep

# Variables of the command line that every make in there gets, too.
GIVEN = $(addprefix --variable=,$(foreach v,CC HUSK_CACHE IMAGES_LOCK SEED,$(if $(filter command%,$(origin $(v))),'$(v)=$($(v))')))
CHECK = $(PYTHON) tests/check.py --out '$(O)' --make '$(MAKE)' $(if $(N),--count '$(N)') $(if $(T),--only '$(T)') $(GIVEN)

$(O)/.packages-check: images/packages.sh
	@mkdir -p $(@D)
	@sh images/packages.sh check
	@touch $@
check: $(O)/.packages-check
	@$(CHECK) $(CHECKS)
$(addprefix check-,$(CHECKS)): check-%: $(O)/.packages-check
	@$(CHECK) $*
lint: check-lint
# All that runs on Intel VMX, in an emulated PC that is slow; `make check` has a part of it.
.PHONY: check-vmx
check-vmx: $(O)/.packages-check
	@HUSK_LONG=1 $(CHECK) vmx
bench: $(O)/.packages-check
	@$(PYTHON) tests/bench/bench.py --out '$(O)/bench' --cache '$(HUSK_CACHE)' --make '$(MAKE)' $(if $(N),--count '$(N)') \
		$(if $(T),--only '$(T)') $(if $(QUICK),--quick) $(GIVEN)

lockstep: $(O)/.packages-check
	@HUSK_OUT='$(O)/check' HUSK_MAKE='$(MAKE)' HUSK_VARIABLES='$(patsubst --variable=%,%,$(GIVEN))' \
		$(PYTHON) tests/lockstep/lockstep.py $(if $(N),--count '$(N)') $(if $(T),--only '$(T)')

# x86-64 guests beside the same kernel without a hypervisor, and under Xen.
.PHONY: bench-pvh
bench-pvh: $(O)/.packages-check
	@$(PYTHON) tests/bench/pvh.py --out '$(O)/bench' --make '$(MAKE)' $(if $(N),--count '$(N)') $(GIVEN)
bench: $(if $(T),,bench-pvh)

# --- unit test programs, a goal for tests/check.py

UNIT := $(O)/tests
UNIT_TESTS := $(basename $(notdir $(sort $(wildcard tests/unit/test_*.c))))
# As images, test programs lie below 2 GiB: generated code calls functions by 32-bit displacements.
UNIT_CFLAGS := -std=gnu11 -O1 -g -fno-pie -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-Wall -Wextra -Wshadow -Wundef -Werror -Icore/include -I. -I$(UNIT)/gen

# The default configuration, with a value for everything.
$(UNIT)/.config: Kconfig $(wildcard features/*/Kconfig arch/*/*/Kconfig arch/*/*/*/Kconfig images/Kconfig)
	@mkdir -p $(@D)
	$(Q)KCONFIG_CONFIG=$@ kconfig-conf --alldefconfig Kconfig $(quietly)
$(UNIT)/gen/config.mk: $(UNIT)/.config images/genconfig.py
	$(Q)$(PYTHON) images/genconfig.py --defaults --config $< --out $(@D)

ifneq ($(filter unit-programs,$(MAKECMDGOALS)),)

# The sources that each test names: "unit-sources-test_bus := core/bus.c core/log.c".
$(UNIT)/unit.mk: $(wildcard tests/unit/test_*.c) tests/tests.mk
	@mkdir -p $(@D)
	@for test in $(UNIT_TESTS); do \
		echo "unit-sources-$$test :=" $$(sed -n 's,^.*/\* sources: \(.*\)\*/.*$$,\1,p' tests/unit/$$test.c); \
	done >$@
include $(UNIT)/unit.mk

.PHONY: unit-programs
unit-programs: $(UNIT_TESTS:%=$(UNIT)/%)

stamp-unit := $(CC) $(UNIT_CFLAGS)

# The same source is compiled once for all tests that use it.
$(UNIT)/obj/%.o: %.c $(UNIT)/gen/config.mk $(STAMPS)/unit
	@mkdir -p $(@D)
	$(call say,CC test ,$<)
	$(Q)$(CC) $(UNIT_CFLAGS) -MMD -MP -c $< -o $@

unit-objects = $(patsubst %.c,$(UNIT)/obj/%.o,tests/unit/$(1).c $(unit-sources-$(1)))
define unit-program
$(UNIT)/$(1): $(call unit-objects,$(1)) $(UNIT)/unit.mk
	$$(Q)$$(CC) $$(UNIT_CFLAGS) -no-pie -o $$@ $$(filter %.o,$$^) -lcmocka -lm -lpthread
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit-program,$(t))))
-include $(sort $(foreach t,$(UNIT_TESTS),$(patsubst %.o,%.d,$(call unit-objects,$(t)))))

endif # unit-programs

include tests/lint.mk
