/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot descriptor, bootinfo and bootmem descriptor. Only fields that a kernel reads are filled in;
 * offsets are those of the little-endian layout, see record.h.
 */
#include "features/machine-octeon/bootinfo.h"

#include <errno.h>
#include <string.h>

#include <husk/log.h>

#include "features/machine-octeon/record.h"

/* struct octeon_boot_descriptor */
#define DESC_SIZE       0x190u
#define DESC_DESC_SIZE  0x000u
#define DESC_ARGC       0x038u
#define DESC_ARGV       0x040u /* 64 words: physical addresses */
#define DESC_CORE_MASK  0x140u
#define DESC_FLAGS      0x144u /* bit 3: console on UART1 */
#define DESC_CVMX_VADDR 0x188u

/* struct cvmx_bootinfo */
#define INFO_SIZE          0x120u
#define INFO_MINOR         0x000u
#define INFO_MAJOR         0x004u
#define INFO_CORE_MASK     0x030u
#define INFO_PHY_MEM_DESC  0x038u
#define INFO_DRAM_MB       0x03cu
#define INFO_ECLOCK_HZ     0x040u
#define INFO_DCLOCK_HZ     0x04cu
#define INFO_BOARD_TYPE    0x056u
#define INFO_FDT           0x098u
#define INFO_EXT_CORE_MASK 0x0a0u

#define BOOTINFO_MAJOR     1u
#define BOOTINFO_MINOR     4u /* 3 brought fdt_addr, 4 ext_core_mask */
#define BOARD_TYPE_GENERIC 28u
#define DRAM_CLOCK_HZ      400000000u

/* struct cvmx_bootmem_desc */
#define BOOTMEM_SIZE        0x38u
#define BOOTMEM_HEAD        0x08u
#define BOOTMEM_MAJOR       0x14u
#define BOOTMEM_NAME_LEN    0x28u
#define BOOTMEM_NUM_BLOCKS  0x2cu
#define BOOTMEM_NAMED_ARRAY 0x30u

#define BOOTMEM_VERSION 3u
#define NAMED_NAME_LEN  128u
#define NAMED_BLOCKS    64u

_Static_assert(BOOT_DESCRIPTOR + DESC_SIZE <= BOOT_INFO, "descriptor runs into bootinfo");
_Static_assert(BOOT_NAMED + NAMED_BLOCKS * (NAMED_NAME_LEN + 16) <= BOOT_STRINGS, "named blocks run into strings");

/** Arguments on their way into guest memory. */
struct args {
	char *area; /**< BOOT_STRINGS in guest RAM */
	size_t room, used;
	uint32_t argv[BOOT_MAX_ARGS]; /**< physical addresses */
	uint32_t argc;
};

static bool is_blank(uint8_t c)
{
	return c <= ' ';
}

/** Bytes of text before the first NUL, without the blanks at its end. */
static size_t text_length(const uint8_t *text, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(text, 0, size) : NULL;

	if (end != NULL)
		size = (size_t)(end - text);
	while (size > 0 && is_blank(text[size - 1]))
		size--;
	return size;
}

bool bootinfo_has_word(const uint8_t *text, size_t size, const char *word)
{
	size_t length = strlen(word), at = 0;

	size = text_length(text, size);
	while (at < size) {
		size_t start = at;

		while (at < size && !is_blank(text[at]))
			at++;
		if (at - start == length && memcmp(text + start, word, length) == 0)
			return true;
		at++;
	}
	return false;
}

/** Adds one argument. Returns 0 or -E2BIG. */
static int add_arg(struct args *args, const uint8_t *text, size_t size)
{
	if (size + 1 > args->room - args->used)
		return -E2BIG;
	args->argv[args->argc++] = (uint32_t)(BOOT_STRINGS + args->used);
	memcpy(args->area + args->used, text, size);
	args->area[args->used + size] = '\0';
	args->used += size + 1;
	return 0;
}

/** Splits the command line at blanks; what is left when the last argument is reached stays whole. */
static int split_cmdline(struct args *args, const uint8_t *text, size_t size)
{
	size_t at = 0;

	size = text_length(text, size);
	for (;;) {
		while (at < size && is_blank(text[at]))
			at++;
		if (at == size)
			return 0;
		size_t end = at;

		while (end < size && !is_blank(text[end]))
			end++;
		if (args->argc == BOOT_MAX_ARGS - 1)
			end = size;
		int err = add_arg(args, text + at, end - at);

		if (err < 0)
			return err;
		at = end;
	}
}

/** One bit for each core. */
static uint32_t core_mask(const struct bootinfo *info)
{
	return (uint32_t)((1ull << info->cores) - 1);
}

static int write_descriptor(struct memory *m, const struct bootinfo *info, const struct args *args)
{
	uint8_t bytes[DESC_SIZE] = { 0 };
	struct record r = { .bytes = bytes, .size = sizeof(bytes), .big_endian = info->big_endian };

	record_put32(&r, DESC_DESC_SIZE, DESC_SIZE);
	record_put32(&r, DESC_ARGC, args->argc);
	for (uint32_t i = 0; i < args->argc; i++)
		record_put_array32(&r, DESC_ARGV, i, args->argv[i]);
	record_put32(&r, DESC_CORE_MASK, core_mask(info));
	record_put32(&r, DESC_FLAGS, 0);
	record_put64(&r, DESC_CVMX_VADDR, BOOT_INFO);
	return memory_write(m, BOOT_DESCRIPTOR, bytes, sizeof(bytes));
}

static int write_info(struct memory *m, const struct bootinfo *info)
{
	uint8_t bytes[INFO_SIZE] = { 0 };
	struct record r = { .bytes = bytes, .size = sizeof(bytes), .big_endian = info->big_endian };

	record_put32(&r, INFO_MINOR, BOOTINFO_MINOR);
	record_put32(&r, INFO_MAJOR, BOOTINFO_MAJOR);
	record_put32(&r, INFO_CORE_MASK, core_mask(info));
	record_put32(&r, INFO_PHY_MEM_DESC, BOOT_BOOTMEM);
	record_put32(&r, INFO_DRAM_MB, (uint32_t)(info->ram_bytes >> 20));
	record_put32(&r, INFO_ECLOCK_HZ, (uint32_t)info->eclock_hz);
	record_put32(&r, INFO_DCLOCK_HZ, DRAM_CLOCK_HZ);
	record_put16(&r, INFO_BOARD_TYPE, BOARD_TYPE_GENERIC);
	record_put64(&r, INFO_FDT, info->fdt);
	record_put64(&r, INFO_EXT_CORE_MASK, core_mask(info));
	return memory_write(m, BOOT_INFO, bytes, sizeof(bytes));
}

static int write_bootmem(struct memory *m, const struct bootinfo *info)
{
	uint8_t bytes[BOOTMEM_SIZE] = { 0 };
	struct record r = { .bytes = bytes, .size = sizeof(bytes), .big_endian = info->big_endian };

	record_put64(&r, BOOTMEM_HEAD, info->free_head);
	record_put32(&r, BOOTMEM_MAJOR, BOOTMEM_VERSION);
	record_put32(&r, BOOTMEM_NAME_LEN, NAMED_NAME_LEN);
	record_put32(&r, BOOTMEM_NUM_BLOCKS, NAMED_BLOCKS);
	record_put64(&r, BOOTMEM_NAMED_ARRAY, BOOT_NAMED);
	return memory_write(m, BOOT_BOOTMEM, bytes, sizeof(bytes));
}

int bootinfo_write(struct memory *m, const struct bootinfo *info)
{
	struct args args = { .room = BOOT_END - BOOT_STRINGS };
	int err = memory_zero(m, BOOT_DESCRIPTOR, BOOT_END - BOOT_DESCRIPTOR);

	args.area = memory_borrow(m, BOOT_STRINGS, args.room);
	if (err < 0 || args.area == NULL) {
		log_error("no RAM at 0x%x for the boot descriptors", BOOT_DESCRIPTOR);
		return -EFAULT;
	}
	err = split_cmdline(&args, info->cmdline, info->cmdline_size);
	if (err < 0) {
		log_error("the kernel command line is longer than %u bytes: shorten it (GUEST_CMDLINE)",
			  BOOT_END - BOOT_STRINGS);
		return err;
	}
	err = write_descriptor(m, info, &args);
	if (err == 0)
		err = write_info(m, info);
	if (err == 0)
		err = write_bootmem(m, info);
	return err;
}
