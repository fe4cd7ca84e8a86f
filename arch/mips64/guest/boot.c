/* SPDX-License-Identifier: BSD-2-Clause */
/* Payload of MIPS64 machines: kernel, device tree, initrd. */
#include "arch/mips64/guest/boot.h"

#include <errno.h>
#include <string.h>

#include <husk/log.h>
#include <husk/vm.h>

#define EM_MIPS     8
#define FDT_MAGIC   0xd00dfeedu
#define ELF_E_ENTRY 24 /* offset of e_entry in a 64-bit ELF header */

int mips_boot_add_ram(struct vm *vm, uint64_t low_max, uint64_t high_base, uint64_t high_max)
{
	uint64_t size = vm->params->ram_bytes, low = size < low_max ? size : low_max;
	int err;

	if (size - low > high_max) {
		log_error("machine %s: at most %llu MiB of RAM, not %llu (RAM_MB)", vm->machine->name,
			  (unsigned long long)(low_max + high_max) >> 20, (unsigned long long)size >> 20);
		return -EINVAL;
	}
	err = memory_add_ram(&vm->memory, 0, low);
	if (err == 0 && size > low)
		err = memory_add_ram(&vm->memory, high_base, size - low);
	return err;
}

/** True if va is in xkphys, whose two top bits are 10 (PRA 4.2). */
static bool in_xkphys(uint64_t va)
{
	return va >> 62 == 2;
}

/** True if va is in kseg0 or kseg1: with xkphys the segments that work before there are mappings. */
static bool in_kseg01(uint64_t va)
{
	return va >= 0xffffffff80000000ull && va < 0xffffffffc0000000ull;
}

uint64_t mips_boot_gpa_mask(const struct payload_part *kernel, bool big_endian)
{
	uint64_t entry = 0;

	if (kernel->size >= ELF_E_ENTRY + sizeof(entry))
		memcpy(&entry, kernel->data + ELF_E_ENTRY, sizeof(entry));
	if (big_endian)
		entry = __builtin_bswap64(entry);
	return in_xkphys(entry) ? 0x07ffffffffffffffull : 0x1fffffffull;
}

static int load_kernel(struct vm *vm, bool big_endian, struct mips_boot *boot)
{
	const struct payload_part *part = payload_find(vm->payload, PAYLOAD_KERNEL);

	if (part == NULL) {
		log_error("the payload has no kernel: build the image with one (CUSTOM_KERNEL or an image recipe)");
		return -ENOENT;
	}
	struct payload_elf_want want = {
		.machine = EM_MIPS,
		.big_endian = big_endian,
		.gpa_mask = mips_boot_gpa_mask(part, big_endian),
	};
	int err = payload_load_elf(vm, part, &want, &boot->kernel);

	if (err < 0)
		return err;
	if (!in_xkphys(boot->kernel.entry) && !in_kseg01(boot->kernel.entry)) {
		log_error("%s: entry 0x%llx is in no unmapped segment (kseg0, kseg1, xkphys): not a kernel", part->name,
			  (unsigned long long)boot->kernel.entry);
		return -ENOEXEC;
	}
	return 0;
}

static uint32_t big_endian32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int load_dtb(struct vm *vm, struct mips_boot *boot)
{
	const struct payload_part *part = payload_find(vm->payload, PAYLOAD_DTB);

	if (part == NULL) {
		log_error("the payload has no device tree, which the machine %s boots with", vm->machine->name);
		return -ENOENT;
	}
	/* Header: magic, total size; both big-endian whatever the guest is (Devicetree Specification 0.4, 5.2). */
	if (part->size < 40 || big_endian32(part->data) != FDT_MAGIC) {
		log_error("%s: not a flattened device tree", part->name);
		return -ENOEXEC;
	}
	if (big_endian32(part->data + 4) > part->size) {
		log_error("%s: truncated: %llu of %u bytes", part->name, (unsigned long long)part->size,
			  big_endian32(part->data + 4));
		return -EBADMSG;
	}
	boot->dtb = part;
	return payload_place(vm, part);
}

int mips_boot_load(struct vm *vm, bool big_endian, struct mips_boot *boot)
{
	int err = load_kernel(vm, big_endian, boot);

	if (err == 0)
		err = load_dtb(vm, boot);
	if (err < 0)
		return err;
	boot->cmdline = payload_find(vm->payload, PAYLOAD_CMDLINE);
	boot->initrd = payload_find(vm->payload, PAYLOAD_INITRD);
	return boot->initrd != NULL ? payload_place(vm, boot->initrd) : 0;
}

struct mips_boot_range mips_boot_part_range(const char *name, const struct payload_part *part)
{
	struct mips_boot_range range = { .name = name };

	if (part != NULL) {
		range.start = part->gpa;
		range.end = part->gpa + part->size;
	}
	return range;
}

int mips_boot_check_ranges(const struct mips_boot_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct mips_boot_range *a = &ranges[j], *b = &ranges[i];

			if (a->start >= a->end || b->start >= b->end || a->end <= b->start || b->end <= a->start)
				continue;
			log_error("%s at 0x%llx-0x%llx overlaps %s at 0x%llx-0x%llx: place one of them elsewhere",
				  b->name, (unsigned long long)b->start, (unsigned long long)b->end - 1, a->name,
				  (unsigned long long)a->start, (unsigned long long)a->end - 1);
			return -EBADMSG;
		}
	}
	return 0;
}
