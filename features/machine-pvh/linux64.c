/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's 64-bit boot protocol for bzImage files: Documentation/x86/boot.rst and zero-page.rst of the Linux source
 * ("64-bit Boot Protocol", "The Real-Mode Kernel Header").
 */
#include <errno.h>
#include <string.h>

#include <husk/log.h>

#include "arch/x86_64/hvm/cpu.h"
#include "arch/x86_64/hvm/hvm.h"
#include "features/machine-pvh/pvh.h"

/* Offsets in the file and in the zero page. */
#define ZERO_PAGE_RSDP     0x070u
#define ZERO_PAGE_E820_NR  0x1e8u
#define HEADER             0x1f1u
#define HEADER_SECTORS     0x1f1u
#define HEADER_JUMP        0x201u /* its offset says where the header ends */
#define HEADER_MAGIC       0x202u
#define HEADER_VERSION     0x206u
#define HEADER_LOADER      0x210u
#define HEADER_RAMDISK     0x218u
#define HEADER_RAMDISK_LEN 0x21cu
#define HEADER_CMDLINE     0x228u
#define HEADER_XLOADFLAGS  0x236u
#define HEADER_CMDLINE_MAX 0x238u
#define HEADER_PREFERRED   0x258u
#define HEADER_INIT_SIZE   0x260u
#define HEADER_END         0x268u
#define ZERO_PAGE_E820     0x2d0u

#define MAGIC        0x53726448u /* "HdrS" */
#define VERSION_MIN  0x020cu     /* has xloadflags */
#define KERNEL_64    (1u << 0)
#define LOADER_OTHER 0xffu
#define ENTRY_64     0x200u
#define SECTOR       512u

/* Places in the boot area. */
#define ZERO_PAGE    PVH_BOOT
#define GDT          (PVH_BOOT + 0x1000u)
#define PAGE_TABLES  (PVH_BOOT + 0x2000u) /* PML4, PDPT, four directories: 4 GiB in pages of 2 MiB */
#define CMDLINE      (PVH_BOOT + 0x8000u)
#define CMDLINE_ROOM (PVH_BOOT_SIZE - 0x8000u)
_Static_assert(PVH_BOOT_SIZE > 0x8000u, "room for all");

#define SELECTOR_CODE 0x10u
#define SELECTOR_DATA 0x18u
#define PTE_TABLE     3u
#define PTE_LARGE     0x83u

static uint64_t get(const uint8_t *p, unsigned offset, unsigned bytes)
{
	uint64_t value = 0;

	memcpy(&value, p + offset, bytes);
	return value;
}

static void put(uint8_t *p, unsigned offset, uint64_t value, unsigned bytes)
{
	memcpy(p + offset, &value, bytes);
}

bool pvh_is_bzimage(const struct payload_part *kernel)
{
	return kernel->size >= HEADER_END && get(kernel->data, HEADER_MAGIC, 4) == MAGIC;
}

static int refuse(const struct payload_part *kernel, const char *why)
{
	log_error("%s: %s", kernel->name, why);
	return -ENOEXEC;
}

/* Bytes of the real-mode part, which is not used. */
static uint64_t setup_size(const uint8_t *data)
{
	uint64_t sectors = data[HEADER_SECTORS];

	return ((sectors != 0 ? sectors : 4) + 1) * SECTOR;
}

static int check(const struct payload_part *kernel)
{
	const uint8_t *data = kernel->data;

	if (get(data, HEADER_VERSION, 2) < VERSION_MIN)
		return refuse(kernel, "its boot protocol is older than 2.12: take a newer kernel");
	if ((get(data, HEADER_XLOADFLAGS, 2) & KERNEL_64) == 0)
		return refuse(kernel, "it is a 32-bit kernel: take one for amd64");
	if (kernel->size <= setup_size(data) + ENTRY_64)
		return refuse(kernel, "it is truncated");
	return 0;
}

/* The kernel unpacks itself within [address, address + init_size). */
static int place(struct pvh *board, const struct payload_part *kernel, uint64_t *address)
{
	uint64_t setup = setup_size(kernel->data), size = kernel->size - setup;
	uint64_t needed = get(kernel->data, HEADER_INIT_SIZE, 4);
	struct memory *m = &board->vm->memory;

	*address = get(kernel->data, HEADER_PREFERRED, 8);
	if (*address < PVH_MAIN || memory_borrow(m, *address, needed > size ? needed : size) == NULL) {
		log_error("%s needs %llu MiB of guest RAM from 0x%llx on, which the guest does not have: raise RAM_MB",
			  kernel->name, (unsigned long long)(needed >> 20), (unsigned long long)*address);
		return -ENOMEM;
	}
	return memory_write(m, *address, kernel->data + setup, size);
}

static void write_e820(const struct pvh *board, uint8_t *zero)
{
	zero[ZERO_PAGE_E820_NR] = (uint8_t)board->nr_map;
	memcpy(zero + ZERO_PAGE_E820, board->map, board->nr_map * sizeof(board->map[0]));
}

static int write_zero_page(const struct pvh *board, const struct pvh_payload *p, uint8_t *zero, char *cmdline)
{
	const uint8_t *data = p->kernel->data;
	/* The jump at 0x200 leads over the header. */
	size_t end = HEADER_JUMP + 1 + data[HEADER_JUMP], length = strlen(p->cmdline);

	if (length >= CMDLINE_ROOM || length > get(data, HEADER_CMDLINE_MAX, 4)) {
		log_error("the command line is too long for %s: shorten GUEST_CMDLINE", p->kernel->name);
		return -EINVAL;
	}
	memcpy(zero + HEADER, data + HEADER, (end < ZERO_PAGE_E820 ? end : ZERO_PAGE_E820) - HEADER);
	zero[HEADER_LOADER] = LOADER_OTHER;
	put(zero, HEADER_CMDLINE, CMDLINE, 4);
	put(zero, ZERO_PAGE_RSDP, PVH_TABLES, 8);
	if (p->initrd != NULL) {
		put(zero, HEADER_RAMDISK, p->initrd->gpa, 4);
		put(zero, HEADER_RAMDISK_LEN, p->initrd->size, 4);
	}
	write_e820(board, zero);
	memcpy(cmdline, p->cmdline, length + 1);
	return 0;
}

static void write_tables(uint8_t *gdt, uint64_t *tables)
{
	static const uint64_t descriptors[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff };

	memcpy(gdt, descriptors, sizeof(descriptors));
	tables[0] = (PAGE_TABLES + 0x1000) | PTE_TABLE;
	for (unsigned i = 0; i < 4; i++)
		tables[512 + i] = (PAGE_TABLES + 0x2000 + i * 0x1000) | PTE_TABLE;
	for (unsigned i = 0; i < 4 * 512; i++)
		tables[1024 + i] = (uint64_t)i << 21 | PTE_LARGE;
}

/* 64-bit mode with an identity map, flat segments of the selectors that the protocol names; RSI is the zero page. */
static void set_entry_state(struct x86_cpu *c, uint64_t entry)
{
	static const struct x86_segment code = { .selector = SELECTOR_CODE,
						 .attributes = X86_SEG_CODE64,
						 .limit = UINT32_MAX };
	static const struct x86_segment data = { .selector = SELECTOR_DATA,
						 .attributes = X86_SEG_DATA32,
						 .limit = UINT32_MAX };
	static const struct x86_segment tss = { .attributes = X86_SEG_TSS, .limit = 0x67 };
	static const struct x86_segment ldt = { .attributes = X86_SEG_LDT };
	static const struct x86_segment gdt = { .limit = 4 * 8 - 1, .base = GDT };

	x86_reset(c);
	c->hvm->set(c, X86_CR3, PAGE_TABLES);
	c->hvm->set(c, X86_CR4, X86_CR4_PAE);
	c->hvm->set(c, X86_EFER, X86_EFER_LME | X86_EFER_LMA);
	c->hvm->set(c, X86_CR0, X86_CR0_PG | X86_CR0_PE | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP);
	for (unsigned n = X86_ES; n <= X86_GS; n++)
		c->hvm->set_segment(c, n, n == X86_CS ? &code : &data);
	c->hvm->set_segment(c, X86_TR, &tss);
	c->hvm->set_segment(c, X86_LDTR, &ldt);
	c->hvm->set_segment(c, X86_GDTR, &gdt);
	c->gpr[X86_RSI] = ZERO_PAGE;
	c->rip = entry;
}

int pvh_start_bzimage(struct pvh *board, const struct pvh_payload *p)
{
	uint8_t *area = memory_borrow(&board->vm->memory, PVH_BOOT, PVH_BOOT_SIZE);
	uint64_t address = 0;
	int err = check(p->kernel);

	if (err == 0)
		err = place(board, p->kernel, &address);
	if (err != 0)
		return err;
	memset(area, 0, PVH_BOOT_SIZE);
	err = write_zero_page(board, p, area, (char *)area + (CMDLINE - PVH_BOOT));
	if (err != 0)
		return err;
	write_tables(area + (GDT - PVH_BOOT), (uint64_t *)(area + (PAGE_TABLES - PVH_BOOT)));
	set_entry_state(x86_cpu(board->vm->vcpus[0]), address + ENTRY_64);
	return 0;
}
