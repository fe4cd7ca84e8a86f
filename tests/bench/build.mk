# SPDX-License-Identifier: BSD-2-Clause
# Builds the benchmark program for guests and for the build host, from the same sources and alike:
#	make -f tests/bench/build.mk OUT=folder
# makes OUT/mips64el/bench and OUT/native/bench, both static.

OUT ?= build/bench/program
MAKEFLAGS += -rR --no-print-directory
.DELETE_ON_ERROR:

SOURCES := $(wildcard tests/bench/program/*.c)
# Small loops do not cross a page: emulators are slow there, and whether one does would change with every line of code.
# Results are the same to the last bit: no multiplication with addition in one step. And a loop that copies is to
# remain one: the compiler would call the C library, which is measured by items of its own.
CFLAGS := -std=gnu11 -O2 -static -ffp-contract=off -fno-math-errno -fno-tree-loop-distribute-patterns \
	-falign-functions=64 -falign-loops=64 \
	-Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror

all: $(OUT)/native/bench $(OUT)/mips64el/bench
.PHONY: all

$(OUT)/native/bench: COMPILE := gcc
$(OUT)/mips64el/bench: COMPILE := mips64el-linux-gnuabi64-gcc -mabi=64 -march=mips64r2
$(OUT)/%/bench: $(SOURCES) tests/bench/program/bench.h tests/bench/build.mk
	@mkdir -p $(@D)
	@$(COMPILE) $(CFLAGS) -o $@ $(SOURCES) -lm
