/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/machine-pvh/machine.c features/machine-pvh/acpi.c features/machine-pvh/aml.c */
/* sources: features/machine-pvh/linux64.c features/machine-pvh/power.c features/machine-pvh/start.c features/machine-pvh/slots.c */
/* sources: features/timer-on-demand/on_demand.c tests/unit/hvm_fixture.c arch/x86_64/hvm/run.c */
/* sources: arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c arch/x86_64/hvm/msr.c */
/* sources: arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c arch/x86_64/hvm/print.c */
/* sources: core/bus.c core/console.c core/elf.c core/feature.c core/io.c core/log.c core/memory.c core/payload.c core/timer.c */
/* sources: core/vm.c tests/unit/fake_platform.c */
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

#define RAM       0x400000u
#define FILE_SIZE 0x1000u
#define LOAD      0x200000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hvm_fixture f;
static uint8_t file[FILE_SIZE];

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void put(unsigned at, unsigned bytes, uint64_t value)
{
	memcpy(file + at, &value, bytes);
}

static void make_elf(void)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	memcpy(file, ident, sizeof(ident));
	put(16, 2, 2);
	put(18, 2, 62);
	put(24, 8, LOAD);
	put(32, 8, 64);
	put(54, 2, 56);
	put(56, 2, 2);
	put(64, 4, 1); /* PT_LOAD */
	put(64 + 8, 8, 0x400);
	put(64 + 16, 8, LOAD);
	put(64 + 24, 8, LOAD);
	put(64 + 32, 8, 0x100);
	put(64 + 40, 8, 0x2000);
	put(120, 4, 4); /* PT_NOTE */
	put(120 + 8, 8, 0x200);
	put(120 + 32, 8, 20);
	put(0x200, 4, 4);
	put(0x204, 4, 4);
	put(0x208, 4, 18);
	memcpy(file + 0x20c, "Xen", 4);
	put(0x210, 4, LOAD + 0x10);
}

static void make_bzimage(void)
{
	file[0x1f1] = 1;
	file[0x201] = 0x66;
	memcpy(file + 0x202, "HdrS", 4);
	put(0x206, 2, 0x20f);
	put(0x236, 2, 1);
	put(0x238, 4, 2047);
	put(0x258, 8, LOAD);
	put(0x260, 4, 0x10000);
}

static size_t make_file(const uint8_t *data, size_t size)
{
	uint8_t what = size > 0 ? data[0] % 3 : 0;

	memset(file, 0, sizeof(file));
	if (size > 0)
		data++, size--;
	if (what == 2) {
		size = size < FILE_SIZE ? size : FILE_SIZE;
		memcpy(file, data, size);
		return size;
	}
	if (what == 0)
		make_elf();
	else
		make_bzimage();
	for (; size >= 3; data += 3, size -= 3)
		file[(data[0] << 8 | data[1]) % 0x300] = data[2];
	return FILE_SIZE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct machine *machine;
	struct payload_part parts[] = {
		{ .kind = PAYLOAD_KERNEL, .name = "kernel", .data = file },
		{ .kind = PAYLOAD_CMDLINE, .name = "cmdline", .data = (const uint8_t *)"a=@TSC_KHZ@", .size = 11 },
	};
	const struct payload payload = { .recipe = "fuzz", .parts = parts, .count = 2 };

	fake_reset();
	parts[0].size = make_file(data, size);
	hvm_fixture_init(&f, 0);
	f.params.ram_bytes = RAM;
	f.vm.payload = &payload;
	machine = feature_provider(FEATURE_MACHINE);
	f.vm.machine = machine;
	check(machine->build(&f.vm) == 0);
	if (machine->load(&f.vm) == 0) {
		check(memory_borrow(&f.vm.memory, f.cpu.rip, 1) != NULL);
		check(f.cpu.rip >= PVH_MAIN);
	} else {
		check(strncmp(fake_log, "husk: error: ", 13) == 0 && strchr(fake_log, '\n')[1] == '\0');
	}
	return 0;
}
