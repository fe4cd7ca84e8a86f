/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PVH boot protocol: Xen's docs/misc/pvh.pandoc; structures of public/arch-x86/hvm/start_info.h and notes of
 * public/elfnote.h.
 */
#include <errno.h>
#include <string.h>

#include <husk/log.h>

#include "arch/x86_64/hvm/cpu.h"
#include "arch/x86_64/hvm/hvm.h"
#include "features/machine-pvh/pvh.h"

#define EM_X86_64         62u
#define NOTE_PHYS32_ENTRY 18u         /* XEN_ELFNOTE_PHYS32_ENTRY */
#define START_MAGIC       0x336ec578u /* XEN_HVM_START_MAGIC_VALUE */

/* struct hvm_start_info, version 1. */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct module {
	uint64_t address, size, cmdline, reserved;
};

struct map_line {
	uint64_t address, size;
	uint32_t type, reserved;
};

/* All of it for one boot, at PVH_BOOT. */
struct boot_area {
	struct start_info info;
	struct module module;
	struct map_line map[PVH_MAP_LINES];
	char cmdline[];
};

#define IN_GUEST(member) (PVH_BOOT + offsetof(struct boot_area, member))

static int find_entry(const struct payload_part *kernel, uint32_t *entry)
{
	const uint8_t *value;
	uint32_t size;
	int err = payload_elf_note(kernel, "Xen", NOTE_PHYS32_ENTRY, &value, &size);

	if (err != 0)
		return err;
	if (size < sizeof(*entry)) {
		log_error("%s: its note XEN_ELFNOTE_PHYS32_ENTRY is damaged", kernel->name);
		return -EBADMSG;
	}
	memcpy(entry, value, sizeof(*entry));
	return 0;
}

static int write_boot_area(const struct pvh *board, const struct pvh_payload *p)
{
	struct boot_area *b = memory_borrow(&board->vm->memory, PVH_BOOT, PVH_BOOT_SIZE);
	size_t length = strlen(p->cmdline) + 1;

	if (length > PVH_BOOT_SIZE - sizeof(*b)) {
		log_error("the command line is too long for the machine pvh: shorten GUEST_CMDLINE");
		return -EINVAL;
	}
	memset(b, 0, sizeof(*b));
	b->info = (struct start_info){ .magic = START_MAGIC,
				       .version = 1,
				       .nr_modules = p->initrd != NULL,
				       .modlist = p->initrd != NULL ? IN_GUEST(module) : 0,
				       .cmdline = IN_GUEST(cmdline),
				       .rsdp = PVH_TABLES,
				       .memmap = IN_GUEST(map),
				       .memmap_entries = board->nr_map };
	if (p->initrd != NULL)
		b->module = (struct module){ .address = p->initrd->gpa, .size = p->initrd->size };
	for (unsigned i = 0; i < board->nr_map; i++)
		b->map[i] = (struct map_line){ .address = board->map[i].address,
					       .size = board->map[i].size,
					       .type = board->map[i].type };
	memcpy(b->cmdline, p->cmdline, length);
	return 0;
}

/* 32-bit protected mode without paging, flat segments, a 32-bit TSS; EBX is the structure. */
static void set_entry_state(struct x86_cpu *c, uint32_t entry)
{
	static const struct x86_segment code = { .attributes = X86_SEG_CODE32, .limit = UINT32_MAX };
	static const struct x86_segment data = { .attributes = X86_SEG_DATA32, .limit = UINT32_MAX };
	static const struct x86_segment tss = { .attributes = X86_SEG_TSS, .limit = 0x67 };
	static const struct x86_segment ldt = { .attributes = X86_SEG_LDT };

	x86_reset(c);
	c->hvm->set(c, X86_CR0, X86_CR0_PE | X86_CR0_ET);
	for (unsigned n = X86_ES; n <= X86_GS; n++)
		c->hvm->set_segment(c, n, n == X86_CS ? &code : &data);
	c->hvm->set_segment(c, X86_TR, &tss);
	c->hvm->set_segment(c, X86_LDTR, &ldt);
	c->gpr[X86_RBX] = PVH_BOOT;
	c->rip = entry;
}

int pvh_start_elf(struct pvh *board, const struct pvh_payload *p)
{
	static const struct payload_elf_want want = { .machine = EM_X86_64, .gpa_mask = UINT64_MAX };
	struct payload_entry loaded;
	uint32_t entry = 0;
	int err = payload_load_elf(board->vm, p->kernel, &want, &loaded);

	if (err == 0)
		err = find_entry(p->kernel, &entry);
	if (err == 0 && (entry < loaded.gpa_low || entry >= loaded.gpa_high)) {
		log_error("%s: its PVH entry 0x%x lies outside of what it loads", p->kernel->name, entry);
		err = -EBADMSG;
	}
	if (err == 0 && loaded.gpa_low < PVH_MAIN) {
		log_error("%s: it loads to 0x%llx, below 1 MiB, where the board has its tables: link it elsewhere",
			  p->kernel->name, (unsigned long long)loaded.gpa_low);
		err = -ENOMEM;
	}
	if (err == 0)
		err = write_boot_area(board, p);
	if (err == 0)
		set_entry_state(x86_cpu(board->vm->vcpus[0]), entry);
	return err;
}
