# SPDX-License-Identifier: BSD-2-Clause
# picolibc, the C library of every host: Debian's source, checked by hash, built
# once per compiler and set of flags, and kept in the cache.

LIBC_VERSION := 1.8.10
LIBC_SHA256  := d1fc2a20f217472f8d9da084a519a25678e8d91852a41c7f3f1840d3508f7163
LIBC_SOURCE  := pool/main/p/picolibc/picolibc_$(LIBC_VERSION).orig.tar.gz

HUSK_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/husk
LIBC_CACHE ?= $(HUSK_CACHE)

# Code model and sections as the rest of the image.
LIBC_CFLAGS := -O2 -ffreestanding -fno-pic -mno-red-zone -fno-stack-protector \
	-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections

# One thread, because husk's CPUs never share the C library's state; 64-bit
# integers but no floating point in printf; nothing but the library itself.
LIBC_OPTIONS := -Dmultilib=false -Dtests=false -Dpicocrt=false -Dsemihost=false \
	-Dspecsdir=none -Dthread-local-storage=false -Dsingle-thread=true \
	-Dformat-default=integer -Dio-long-long=true

LIBC_KEY := $(firstword $(shell { $(CC) --version; cat core/libc.sh; \
	echo '$(LIBC_SHA256) $(LIBC_CFLAGS) $(LIBC_OPTIONS)'; } 2>/dev/null | sha256sum | cut -c1-16))
LIBC_DIR := $(LIBC_CACHE)/picolibc-$(LIBC_VERSION)-$(LIBC_KEY)
LIBC     := $(LIBC_DIR)/lib/libc.a

$(LIBC): | $(PACKAGES)
	@echo "  LIBC    picolibc $(LIBC_VERSION) (once per compiler, kept in $(LIBC_CACHE))"
	$(Q)CC='$(CC)' SHA256='$(LIBC_SHA256)' SOURCE='$(LIBC_SOURCE)' CACHE='$(LIBC_CACHE)' \
		CFLAGS='$(LIBC_CFLAGS)' OPTIONS='$(LIBC_OPTIONS)' sh core/libc.sh '$(LIBC_DIR)'
