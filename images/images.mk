# SPDX-License-Identifier: BSD-2-Clause
# The payload: what goes into the image besides husk, and the manifest and SBOM
# that name it. Sets PAYLOAD_OBJS. Goals: manifest, lock.
#	IMAGES_LOCK=FILE      take exactly the packages that FILE pins
#	IMAGES_REFRESH=1      take the newest packages even if this folder has a payload
#	IMAGES_SOURCES=FILE   apt sources to use instead of the system's

PAYLOAD_DIR  := $(O)/payload
PAYLOAD_OBJS := $(PAYLOAD_DIR)/payload.o $(PAYLOAD_DIR)/payload_table.o
IMAGES_LOCK  ?=
export IMAGES_REFRESH IMAGES_SOURCES

compose = $(PYTHON) images/compose.py --config $(O)/.config --gen $(O)/gen --out $(PAYLOAD_DIR) \
	--cache '$(HUSK_CACHE)' $(if $(IMAGES_LOCK),--lock '$(IMAGES_LOCK)')

# Every file that a payload is made of. Missing ones are the composer's to report.
custom-files := $(CONFIG_CUSTOM_KERNEL) $(CONFIG_CUSTOM_INITRD) $(CONFIG_CUSTOM_DTB) $(CONFIG_CUSTOM_DISK)
PAYLOAD_INPUTS := $(O)/.config $(O)/gen/config.mk \
	$(filter-out %/manifest.py %/spdx.py %/genconfig.py %/report.py,$(wildcard images/*.py)) \
	$(wildcard images/recipes/* images/initramfs/init images/rootfs/packages.toml images/rootfs/etc/* images/rootfs/etc/*/* images/rootfs/etc/*/*/* images/initramfs/etc/* images/initramfs/etc/*/* features/machine-*/board.json \
	features/machine-*/*.dts features/machine-*/*.dtsi $(IMAGES_LOCK) $(custom-files))

stamp-payload := $(IMAGES_LOCK) $(if $(IMAGES_REFRESH),$(shell date +%s%N)) $(PAYLOAD_INPUTS)

$(PAYLOAD_DIR)/.composed: $(PAYLOAD_INPUTS) $(STAMPS)/payload
	@mkdir -p $(@D)
	$(call say,PAYLOAD ,$(PAYLOAD_DIR:$(CURDIR)/%=%))
	$(Q)$(compose)
	@touch $@
$(PAYLOAD_DIR)/payload.S $(PAYLOAD_DIR)/payload_table.c $(PAYLOAD_DIR)/payload.json: $(PAYLOAD_DIR)/.composed ;

# No -g: there is nothing to debug, and the object names no path.
$(PAYLOAD_DIR)/payload.o: $(PAYLOAD_DIR)/payload.S
	$(call say,AS      ,payload/payload.S)
	$(Q)$(CC) -c -Wa,-I,$(PAYLOAD_DIR) $< -o $@

ifneq ($(PAYLOAD),none)

.PHONY: lock manifest
lock:
	$(Q)$(if $(IMAGES_LOCK),,echo "Which file? make lock IMAGES_LOCK=FILE" >&2; exit 1;) \
		IMAGES_REFRESH=1 $(compose) --write-lock
	@echo "  LOCK    $(IMAGES_LOCK)"

manifest: $(O)/husk.json
all: $(O)/husk.json

# The manifest has the digest of all sources, those that this image does not use included.
MANIFEST_SOURCES := $(sort $(shell find Kconfig Makefile arch core features images -type f ! -name '.*' ! -name '*.pyc'))
stamp-manifest := $(CC) $(MANIFEST_SOURCES)
$(O)/husk.json: $(O)/husk $(O)/core/digest $(PAYLOAD_DIR)/payload.json $(MANIFEST_SOURCES) $(STAMPS)/manifest
	$(call say,MANIFEST,husk.json husk.spdx.json)
	$(Q)$(PYTHON) images/manifest.py --config $(O)/.config --payload $(PAYLOAD_DIR)/payload.json --image $(O)/husk \
		--husk-version '$(VERSION)' --core-digest $$(cat $(O)/core/digest) --compiler '$(CC)' \
		--libc picolibc,$(LIBC_VERSION),$(LIBC_SHA256) --out $(O)/husk.json --spdx $(O)/husk.spdx.json

endif
