/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/machine-pvh/machine.c features/machine-pvh/acpi.c features/machine-pvh/aml.c */
/* sources: features/machine-pvh/linux64.c features/machine-pvh/power.c features/machine-pvh/start.c features/machine-pvh/slots.c */
/* sources: features/timer-on-demand/on_demand.c tests/unit/hvm_fixture.c arch/x86_64/hvm/run.c */
/* sources: arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c arch/x86_64/hvm/msr.c */
/* sources: arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c arch/x86_64/hvm/print.c */
/* sources: core/bus.c core/console.c core/elf.c core/feature.c core/io.c core/log.c core/memory.c core/payload.c core/timer.c */
/* sources: core/vm.c tests/unit/fake_platform.c tests/unit/x86_image.c */
/*
 * The loaders of machine pvh on kernels made by a fuzzer. The first byte chooses: an ELF file with a PVH note or a
 * bzImage of which the rest changes bytes (place and value), or the rest as it is. A kernel that is taken starts inside
 * of RAM; one that is not is refused in a line.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <husk/feature.h>

#include "features/machine-pvh/pvh.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"
#include "tests/unit/x86_image.h"

#define RAM 0x400000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hvm_fixture f;
static uint8_t file[X86_IMAGE_SIZE];

static void check(bool condition)
{
	if (!condition)
		abort();
}

static size_t make_file(const uint8_t *data, size_t size)
{
	uint8_t what = size > 0 ? data[0] % 3 : 0;

	memset(file, 0, sizeof(file));
	if (size > 0)
		data++, size--;
	if (what == 2) {
		size = size < X86_IMAGE_SIZE ? size : X86_IMAGE_SIZE;
		memcpy(file, data, size);
		return size;
	}
	if (what == 0)
		x86_image_elf(file);
	else
		x86_image_bzimage(file);
	for (; size >= 3; data += 3, size -= 3)
		file[(data[0] << 8 | data[1]) % 0x300] = data[2];
	return X86_IMAGE_SIZE;
}

static struct payload_part parts[] = {
	{ .kind = PAYLOAD_KERNEL, .name = "kernel", .data = file },
	{ .kind = PAYLOAD_CMDLINE, .name = "cmdline", .data = (const uint8_t *)"a=@TSC_KHZ@", .size = 11 },
};
static const struct payload payload = { .recipe = "fuzz", .parts = parts, .count = 2 };

/* One board for all runs: loading again has to be as good as the first time. */
static void build(void)
{
	fake_reset();
	hvm_fixture_init(&f, 0);
	f.params.ram_bytes = RAM;
	f.vm.payload = &payload;
	f.vm.machine = feature_provider(FEATURE_MACHINE);
	check(f.vm.machine->build(&f.vm) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (f.vm.machine == NULL)
		build();
	fake_clear_text();
	parts[0].size = make_file(data, size);
	if (f.vm.machine->load(&f.vm) == 0) {
		check(memory_borrow(&f.vm.memory, f.cpu.rip, 1) != NULL);
		check(f.cpu.rip >= PVH_MAIN);
	} else {
		check(strncmp(fake_log, "husk: error: ", 13) == 0 && strchr(fake_log, '\n')[1] == '\0');
	}
	return 0;
}
