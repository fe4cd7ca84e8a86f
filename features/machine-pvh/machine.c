/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine "pvh": x86-64 CPUs, RAM, ACPI on reduced hardware; devices are features of their own. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/hvm/cpu.h"
#include "features/machine-pvh/pvh.h"

/* In the command line it stands for the rate of the guest's TSC, which no register of this machine tells. */
#define TSC_WORD "@TSC_KHZ@"

#define NS_PER_MS 1000000ull

/* The CPU model is the host's, masked; see hvm_cpuid(). */
static int pvh_init_vcpu(struct vcpu *v)
{
	(void)v;
	return 0;
}

static void add_line(struct pvh *board, uint64_t address, uint64_t end, uint32_t type)
{
	if (address < end)
		board->map[board->nr_map++] = (struct pvh_map_line){ address, end - address, type };
}

/* Tables are as in a ROM, and data is not code. */
static int limit_ram(struct memory *m)
{
	static const struct memory_limit limits[] = {
		{ PVH_TABLES, PVH_TABLES_SIZE, MEMORY_READ_ONLY | MEMORY_NO_EXECUTE },
		{ PVH_BOOT, PVH_BOOT_SIZE, MEMORY_NO_EXECUTE },
		{ PVH_ROM, PVH_MAIN - PVH_ROM, MEMORY_READ_ONLY },
		{ PVH_SPECIAL, PVH_SPECIAL_SIZE, MEMORY_NO_EXECUTE },
	};
	int err = 0;

	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]) && err == 0; i++)
		err = memory_limit(m, limits[i].gpa, limits[i].size, limits[i].what);
	return err;
}

/* Below 1 MiB all is RAM, but the guest is not told of what would be ROM and video memory. */
static int add_ram(struct pvh *board)
{
	struct memory *m = &board->vm->memory;
	uint64_t size = board->vm->params->ram_bytes, low = size < PVH_LOW_RAM_MAX ? size : PVH_LOW_RAM_MAX;
	int err = memory_add_ram(m, 0, low);

	if (err == 0 && size > low)
		err = memory_add_ram(m, PVH_HIGH, size - low);
	if (err == 0)
		err = memory_add_ram(m, PVH_SPECIAL, PVH_SPECIAL_SIZE);
	if (err == 0)
		err = limit_ram(m);
	add_line(board, 0, PVH_LOW_END, PVH_MAP_RAM);
	add_line(board, PVH_TABLES, PVH_MAIN, PVH_MAP_RESERVED);
	add_line(board, PVH_MAIN, low, PVH_MAP_RAM);
	add_line(board, PVH_SPECIAL, PVH_SPECIAL + PVH_SPECIAL_SIZE, PVH_MAP_RESERVED);
	add_line(board, PVH_HIGH, PVH_HIGH + size - low, PVH_MAP_RAM);
	return err;
}

static int pvh_build(struct vm *vm)
{
	struct pvh *board = plat_pages_alloc(sizeof(*board), 4096);
	int err;

	if (board == NULL) {
		log_error("machine pvh: no memory for the board");
		return -ENOMEM;
	}
	board->vm = vm;
	vm->board = board;
	err = add_ram(board);
	return err == 0 ? pvh_power_init(board) : err;
}

/* Copies the command line, with the TSC's rate for each TSC_WORD. */
static int complete_cmdline(struct pvh *board, const char *text)
{
	struct plat_time_scale scale;
	uint64_t khz = 0;
	char *out = board->cmdline;
	size_t room = sizeof(board->cmdline);

	if (plat_time_scale(&scale))
		khz = (NS_PER_MS << 32) / scale.ns_per_tick;
	while (*text != '\0') {
		bool word = strncmp(text, TSC_WORD, strlen(TSC_WORD)) == 0;
		int n = word ? snprintf(out, room, "%" PRIu64, khz) : snprintf(out, room, "%c", *text);

		if (n < 0 || (size_t)n >= room) {
			log_error("the command line is too long for the machine pvh: shorten GUEST_CMDLINE");
			return -EINVAL;
		}
		out += n;
		room -= (size_t)n;
		text += word ? strlen(TSC_WORD) : 1;
	}
	*out = '\0';
	return 0;
}

static int check_initrd(const struct payload_part *initrd)
{
	if (initrd == NULL || (initrd->gpa >= PVH_MAIN && initrd->gpa + initrd->size <= PVH_LOW_RAM_MAX))
		return 0;
	log_error("%s: at 0x%" PRIx64 ", where the machine pvh has no room for it", initrd->name, initrd->gpa);
	return -ENOMEM;
}

/* RAM may hold anything; what is not loaded below 1 MiB is cleared, because kernels search it for tables. */
static int pvh_load(struct vm *vm)
{
	struct pvh *board = vm->board;
	const struct payload_part *cmdline = payload_find(vm->payload, PAYLOAD_CMDLINE);
	struct pvh_payload p = { .kernel = payload_find(vm->payload, PAYLOAD_KERNEL),
				 .initrd = payload_find(vm->payload, PAYLOAD_INITRD),
				 .cmdline = board->cmdline };
	int err;

	if (p.kernel == NULL) {
		log_error("the payload has no kernel: build the image with one (CUSTOM_KERNEL or an image recipe)");
		return -ENOENT;
	}
	memory_zero(&vm->memory, 0, PVH_MAIN);
	memory_zero(&vm->memory, PVH_SPECIAL, PVH_SPECIAL_SIZE);
	err = complete_cmdline(board, cmdline != NULL ? (const char *)cmdline->data : "");
	if (err == 0)
		err = check_initrd(p.initrd);
	pvh_write_reset_vector(board);
	if (err == 0)
		err = pvh_write_acpi(board);
	if (err == 0)
		err = pvh_is_bzimage(p.kernel) ? pvh_start_bzimage(board, &p) : pvh_start_elf(board, &p);
	if (err == 0 && p.initrd != NULL)
		err = payload_place(vm, p.initrd);
	return err;
}

static void pvh_describe(struct vm *vm)
{
	const struct pvh *board = vm->board;

	log_text("pvh: %u vCPU%s, %llu MiB of RAM, %u device%s in ACPI\n", vm->nr_vcpus, vm->nr_vcpus == 1 ? "" : "s",
		 (unsigned long long)vm->params->ram_bytes >> 20, board->nr_devices, board->nr_devices == 1 ? "" : "s");
}

static const struct machine pvh_machine = {
	.name = "pvh",
	.init_vcpu = pvh_init_vcpu,
	.build = pvh_build,
	.load = pvh_load,
	.plug = pvh_plug,
	.describe = pvh_describe,
};

HUSK_FEATURE(machine_pvh) = {
	.name = "machine-pvh",
	.purpose = "x86-64 without legacy devices, booted by PVH or as a Linux bzImage",
	.level = FEATURE_MACHINE,
	.provides = &pvh_machine,
};
