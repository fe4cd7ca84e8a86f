# SPDX-License-Identifier: BSD-2-Clause
# Static checks, run by `make lint`: each is a goal of its own. They look at all
# code of the tree, whatever the configuration is.

LINT := $(O)/lint
LINTS := gcc clang format cppcheck headers files
.PHONY: $(addprefix lint-,$(LINTS))

ifneq ($(filter $(addprefix lint-,$(LINTS)),$(MAKECMDGOALS)),)

# Without a configuration, feature.mk files add their names to `features-`.
features- :=
include $(FEATURE_FRAGMENTS)
LINT_FEATURES := $(sort $(features-))
LINT_OBJS := $(patsubst %.c,%.o,$(wildcard core/*.c)) images/params.o $(foreach f,$(LINT_FEATURES),$(objs-$(f)))
LINT_OBJS := $(sort $(LINT_OBJS))
LINT_HEADERS := $(sort $(shell find core arch features -name '*.h'))
LINT_C := $(sort $(shell find core arch features images tests -name '*.[ch]'))

# $(call lint-compile,COMPILER): rules for every object with one compiler.
define lint-compile
lint-$(1): $(addprefix $(LINT)/$(1)/,$(LINT_OBJS))
$(LINT)/$(1)/core/%.o: core/%.c | lint-config
	@mkdir -p $$(@D)
	$$(Q)$(1) $$(call base-cflags,$(1)) -Icore/include -MMD -MP -c $$< -o $$@
$(LINT)/$(1)/%.o: %.c | lint-config
	@mkdir -p $$(@D)
	$$(Q)$(1) $$(call base-cflags,$(1)) -Icore/include -I. -I$(UNIT)/gen $$(MORE) -MMD -MP -c $$< -o $$@
$(LINT)/$(1)/%.o: %.S | lint-config
	@mkdir -p $$(@D)
	$$(Q)$(1) $$(call base-cflags,$(1)) -Icore/include -I. -I$(UNIT)/gen $$(MORE) -MMD -MP -c $$< -o $$@
$(foreach f,$(LINT_FEATURES),$(eval $(addprefix $(LINT)/$(1)/,$(objs-$(f))): private MORE := $(cflags-$(f))))
-include $(addprefix $(LINT)/$(1)/,$(LINT_OBJS:.o=.d))
endef
ifneq ($(filter lint-gcc lint-clang,$(MAKECMDGOALS)),)
$(foreach c,gcc clang,$(eval $(call lint-compile,$(c))))
endif

.PHONY: lint-config
lint-config: $(UNIT)/gen/config.mk $(LIBC)
	@mkdir -p $(LINT)
	@echo '#define HUSK_VERSION "lint"' >$(UNIT)/gen/husk-build.h
	@echo '#define HUSK_CORE_DIGEST "lint"' >>$(UNIT)/gen/husk-build.h

lint-format:
	$(Q)clang-format --dry-run -Werror $(LINT_C)

# comparePointers: the bounds of linker sections are two objects to it.
lint-cppcheck: lint-config
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr --enable=warning,performance,portability \
		--suppress=missingInclude --suppress=missingIncludeSystem --suppress=comparePointers -Icore/include -I. -I$(UNIT)/gen core arch features images

# Each header compiles alone and may be included twice.
lint-headers: lint-config
	$(Q)status=0; for header in $(LINT_HEADERS); do \
		case $$header in core/*) more=;; *) more="-I. -I$(UNIT)/gen $(foreach f,$(LINT_FEATURES),$(cflags-$(f)))";; esac; \
		printf '#include "%s"\n#include "%s"\n' $$PWD/$$header $$PWD/$$header | \
			$(CC) $(call base-cflags,$(CC)) -Icore/include $$more -fsyntax-only -x c - || \
			{ echo "$$header does not stand alone"; status=1; }; \
	done; exit $$status

# Scripts parse, every source says its licence, C files stay readable.
lint-files:
	$(Q)sh tests/lint_files.sh

endif # lint
