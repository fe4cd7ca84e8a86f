/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/machine-octeon/bootinfo.c features/machine-octeon/bootmem.c core/memory.c core/log.c */
/* sources: tests/unit/fake_platform.c */
/* Boot loader structures, byte by byte, and the free list for several sizes of RAM. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <husk/memory.h>

#include "features/machine-octeon/bootinfo.h"
#include "features/machine-octeon/bootmem.h"
#include "features/machine-octeon/record.h"
#include "tests/unit/fake_platform.h"

#define MB(n) ((uint64_t)(n) << 20)

static struct memory memory;

/* RAM without host memory behind it: computing the list looks at the regions only. */
static void regions(uint64_t megabytes)
{
	memory = (struct memory){ .nr_ram = 1, .ram = { { .size = MB(megabytes) } } };
	if (megabytes <= 256)
		return;
	memory.ram[0].size = MB(256);
	memory.ram[1] = (struct ram_region){ .gpa = 0x20000000, .size = MB(megabytes - 256) };
	memory.nr_ram = 2;
}

static int real_ram(void **state)
{
	(void)state;
	fake_reset();
	memory = (struct memory){ 0 };
	return memory_add_ram(&memory, 0, MB(8));
}

static const uint8_t *bytes_at(uint64_t gpa, uint64_t size)
{
	const uint8_t *p = memory_borrow(&memory, gpa, size);

	assert_non_null(p);
	return p;
}

static uint64_t le(uint64_t gpa, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)bytes_at(gpa, size)[i] << (8 * i);
	return value;
}

static uint64_t be(uint64_t gpa, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value = value << 8 | bytes_at(gpa, size)[i];
	return value;
}

static struct bootinfo an_info(const char *cmdline)
{
	return (struct bootinfo){
		.cores = 1,
		.ram_bytes = MB(256),
		.eclock_hz = 100000000,
		.fdt = 0x20000,
		.free_head = 0x100000,
		.cmdline = (const uint8_t *)cmdline,
		.cmdline_size = cmdline != NULL ? strlen(cmdline) : 0,
	};
}

static void write_info(const struct bootinfo *info)
{
	memset(memory.ram[0].hva, 0xee, memory.ram[0].size);
	assert_int_equal(bootinfo_write(&memory, info), 0);
}

static void descriptor_little_endian(void **state)
{
	struct bootinfo info = an_info("console=ttyS0,115200 nokaslr");

	(void)state;
	write_info(&info);
	assert_int_equal(le(0x10038, 4), 2);       /* argc */
	assert_int_equal(le(0x10040, 4), 0x16000); /* argv[0] */
	assert_int_equal(le(0x10044, 4), 0x16015); /* argv[1] */
	assert_int_equal(le(0x10048, 4), 0);       /* argv[2] */
	assert_int_equal(le(0x10140, 4), 1);       /* core_mask */
	assert_int_equal(le(0x10144, 4), 0);       /* flags: console is UART0 */
	assert_int_equal(le(0x10188, 8), 0x11000); /* cvmx_desc_vaddr */
	assert_string_equal((const char *)bytes_at(0x16000, 64), "console=ttyS0,115200");
	assert_string_equal((const char *)bytes_at(0x16015, 64), "nokaslr");
}

static void bootinfo_little_endian(void **state)
{
	struct bootinfo info = an_info(NULL);

	(void)state;
	info.cores = 4;
	write_info(&info);
	assert_int_equal(le(0x11000, 4), 4);         /* minor_version */
	assert_int_equal(le(0x11004, 4), 1);         /* major_version */
	assert_int_equal(le(0x11030, 4), 0xf);       /* core_mask */
	assert_int_equal(le(0x11038, 4), 0x12000);   /* phy_mem_desc_addr */
	assert_int_equal(le(0x1103c, 4), 256);       /* dram_size */
	assert_int_equal(le(0x11040, 4), 100000000); /* eclock_hz */
	assert_int_equal(le(0x1104c, 4), 400000000); /* dclock_hz */
	assert_int_equal(le(0x11056, 2), 28);        /* board_type: GENERIC */
	assert_int_equal(le(0x11088, 8), 0);         /* led_display_base_addr */
	assert_int_equal(le(0x11090, 4), 0);         /* config_flags */
	assert_int_equal(le(0x11098, 8), 0x20000);   /* fdt_addr */
	assert_int_equal(le(0x110a0, 8), 0xf);       /* ext_core_mask */
	for (unsigned i = 1; i < 16; i++)
		assert_int_equal(le(0x110a0 + 8 * i, 8), 0);
	assert_int_equal(le(0x10038, 4), 0); /* no command line, no arguments */
}

static void bootmem_little_endian(void **state)
{
	struct bootinfo info = an_info(NULL);

	(void)state;
	write_info(&info);
	assert_int_equal(le(0x12000, 4), 0);        /* flags */
	assert_int_equal(le(0x12004, 4), 0);        /* lock */
	assert_int_equal(le(0x12008, 8), 0x100000); /* head_addr */
	assert_int_equal(le(0x12010, 4), 0);        /* minor_version */
	assert_int_equal(le(0x12014, 4), 3);        /* major_version */
	assert_int_equal(le(0x12028, 4), 128);      /* named_block_name_len */
	assert_int_equal(le(0x1202c, 4), 64);       /* named_block_num_blocks */
	assert_int_equal(le(0x12030, 8), 0x13000);  /* named_block_array_addr */
	for (unsigned i = 0; i < 64 * 0x90; i += 8)
		assert_int_equal(le(0x13000 + i, 8), 0);
}

/* The words keep their values; what is smaller changes places in its word, arrays and strings do not. */
static void structures_big_endian(void **state)
{
	struct bootinfo info = an_info("one two three");

	(void)state;
	info.big_endian = true;
	write_info(&info);
	assert_int_equal(be(0x1003c, 4), 3); /* argc */
	assert_int_equal(be(0x10040, 4), 0x16000);
	assert_int_equal(be(0x10044, 4), 0x16004);
	assert_int_equal(be(0x10048, 4), 0x16008);
	assert_int_equal(be(0x10188, 8), 0x11000);
	assert_string_equal((const char *)bytes_at(0x16004, 64), "two");
	assert_int_equal(be(0x11000, 4), 1);         /* major_version comes first */
	assert_int_equal(be(0x11004, 4), 4);         /* minor_version */
	assert_int_equal(be(0x1103c, 4), 0x12000);   /* phy_mem_desc_addr */
	assert_int_equal(be(0x11044, 4), 100000000); /* eclock_hz */
	assert_int_equal(be(0x11050, 2), 28);        /* board_type */
	assert_int_equal(be(0x11098, 8), 0x20000);
	assert_int_equal(be(0x12008, 8), 0x100000);
	assert_int_equal(be(0x12010, 4), 3);
	assert_int_equal(be(0x12028, 4), 64);
	assert_int_equal(be(0x1202c, 4), 128);
}

static void blanks_and_line_ends_are_no_arguments(void **state)
{
	struct bootinfo info = an_info("  a \t b=\"c  d\"\n\n");

	(void)state;
	write_info(&info);
	assert_int_equal(le(0x10038, 4), 3);
	assert_string_equal((const char *)bytes_at(0x16000, 16), "a");
	assert_string_equal((const char *)bytes_at(0x16002, 16), "b=\"c");
	assert_string_equal((const char *)bytes_at(0x16007, 16), "d\"");
}

static void text_ends_at_nul(void **state)
{
	struct bootinfo info = an_info("a b");

	(void)state;
	info.cmdline = (const uint8_t *)"a\0b";
	write_info(&info);
	assert_int_equal(le(0x10038, 4), 1);
}

static void the_last_argument_takes_the_rest(void **state)
{
	char text[512] = "";
	struct bootinfo info;

	(void)state;
	for (unsigned i = 0; i < 70; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "a%02u ", i);
	info = an_info(text);
	write_info(&info);
	assert_int_equal(le(0x10038, 4), 64);
	assert_string_equal((const char *)bytes_at(le(0x10040 + 4 * 62, 4), 64), "a62");
	assert_string_equal((const char *)bytes_at(le(0x10040 + 4 * 63, 4), 64), "a63 a64 a65 a66 a67 a68 a69");
	assert_int_equal(le(0x10140, 4), 1); /* the array did not run into what follows */
}

static void exactly_64_arguments_fit(void **state)
{
	char text[129] = "";
	struct bootinfo info;

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		strcat(text, "x ");
	info = an_info(text);
	write_info(&info);
	assert_int_equal(le(0x10038, 4), 64);
	assert_string_equal((const char *)bytes_at(le(0x10040 + 4 * 63, 4), 8), "x");
}

static void a_long_command_line_is_bounded(void **state)
{
	size_t room = BOOT_END - BOOT_STRINGS;
	char *text = malloc(room + 1);
	struct bootinfo info;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', room);
	text[room - 1] = '\0';
	info = an_info(text);
	write_info(&info);
	assert_int_equal(bytes_at(BOOT_END - 1, 1)[0], 0);
	assert_int_equal(bytes_at(BOOT_END, 1)[0], 0xee);
	text[room - 1] = 'x';
	text[room] = '\0';
	info = an_info(text);
	assert_int_equal(bootinfo_write(&memory, &info), -E2BIG);
	assert_non_null(strstr(fake_log, "GUEST_CMDLINE"));
	free(text);
}

static void no_ram_is_an_error(void **state)
{
	struct bootinfo info = an_info("a");

	(void)state;
	memory = (struct memory){ 0 };
	assert_int_equal(bootinfo_write(&memory, &info), -EFAULT);
	assert_non_null(strstr(fake_log, "0x10000"));
}

static bool has(const char *text, const char *word)
{
	return bootinfo_has_word((const uint8_t *)text, strlen(text), word);
}

static void words_are_found_whole(void **state)
{
	(void)state;
	assert_true(has("nokaslr", "nokaslr"));
	assert_true(has("a nokaslr\n", "nokaslr"));
	assert_true(has("\tnokaslr b", "nokaslr"));
	assert_false(has("nokaslr=1 xnokaslr", "nokaslr"));
	assert_false(has("", "nokaslr"));
	assert_false(bootinfo_has_word((const uint8_t *)"a\0nokaslr", 9, "nokaslr"));
	assert_false(bootinfo_has_word(NULL, 0, "nokaslr"));
}

/* Free list. */

static const struct mips_boot_range debian[] = {
	{ "vectors", 0, 0x20000 },          { "kernel", 0x1100000, 0x22f38b0 },    { "device tree", 0x20000, 0x21000 },
	{ "initrd", 0x8000000, 0x8123456 }, { "relocated", 0x2300000, 0x44f38b0 },
};

/** Checks that the list is ascending, disjoint, inside RAM, clear of what is reserved, and misses no whole MiB. */
static uint64_t check_list(const struct mips_boot_range *reserved, size_t nr, struct bootmem_block *blocks)
{
	size_t count = bootmem_free_blocks(&memory, reserved, nr, blocks, BOOTMEM_MAX_BLOCKS);
	uint64_t total = 0, seen = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t end = blocks[i].start + blocks[i].size;

		assert_true(blocks[i].size >= BOOTMEM_ALIGN);
		assert_true(i == 0 || blocks[i].start > blocks[i - 1].start + blocks[i - 1].size);
		assert_non_null(memory_region(&memory, blocks[i].start));
		assert_ptr_equal(memory_region(&memory, blocks[i].start), memory_region(&memory, end - 1));
		for (size_t r = 0; r < nr; r++)
			assert_true(reserved[r].end <= blocks[i].start || end <= reserved[r].start);
		seen += blocks[i].size;
	}
	for (unsigned m = 0; m < memory.nr_ram; m++) {
		for (uint64_t gpa = memory.ram[m].gpa; gpa < memory.ram[m].gpa + memory.ram[m].size; gpa += MB(1)) {
			bool taken = false;

			for (size_t r = 0; r < nr; r++)
				taken |= reserved[r].start < gpa + MB(1) && gpa < reserved[r].end;
			total += taken ? 0 : MB(1);
		}
	}
	assert_int_equal(seen, total);
	return count;
}

static void list_of_256_as_verified(void **state)
{
	struct bootmem_block blocks[BOOTMEM_MAX_BLOCKS];

	(void)state;
	regions(256);
	assert_int_equal(check_list(debian, 5, blocks), 3);
	assert_int_equal(blocks[0].start, 0x100000);
	assert_int_equal(blocks[0].size, 0x1000000);
	assert_int_equal(blocks[1].start, 0x4500000);
	assert_int_equal(blocks[1].size, 0x8000000 - 0x4500000);
	assert_int_equal(blocks[2].start, 0x8200000);
	assert_int_equal(blocks[2].size, 0x10000000 - 0x8200000);
	assert_int_equal(bootmem_usable(blocks, 3, 0x44f38b0).bytes, 0x3800000 + 0x7c00000);
	assert_int_equal(bootmem_usable(blocks, 3, 0x44f38b0).end, 0x8200000 + 0x7c00000);
}

static void lists_of_all_sizes(void **state)
{
	static const unsigned sizes[] = { 32, 64, 70, 100, 128, 129, 255, 256, 257, 512, 1024, 2048, 5120 };
	struct bootmem_block blocks[BOOTMEM_MAX_BLOCKS];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		regions(sizes[i]);
		check_list(debian, 5, blocks);
		check_list(debian, 4, blocks); /* nokaslr */
		check_list(NULL, 0, blocks);
	}
}

static void list_of_64_without_kaslr(void **state)
{
	struct bootmem_block blocks[BOOTMEM_MAX_BLOCKS];
	struct mips_boot_range reserved[4];

	(void)state;
	memcpy(reserved, debian, sizeof(reserved));
	reserved[3] = (struct mips_boot_range){ "initrd", 0x3d00000, 0x3ff0000 };
	regions(64);
	assert_int_equal(check_list(reserved, 4, blocks), 2);
	assert_int_equal(blocks[1].start, 0x2300000);
	assert_int_equal(blocks[1].size, 0x3d00000 - 0x2300000);
	assert_int_equal(bootmem_usable(blocks, 2, 0x22f38b0).bytes, 0x1800000);
	assert_int_equal(bootmem_usable(blocks, 2, 0x22f38b0).end, 0x3b00000);
}

static void high_memory_is_one_block(void **state)
{
	struct bootmem_block blocks[BOOTMEM_MAX_BLOCKS];

	(void)state;
	regions(2048);
	assert_int_equal(check_list(debian, 5, blocks), 4);
	assert_int_equal(blocks[3].start, 0x20000000);
	assert_int_equal(blocks[3].size, MB(2048 - 256));
}

static void everything_reserved_leaves_nothing(void **state)
{
	static const struct mips_boot_range all = { "all", 1, 0x10000000 - 1 };
	struct bootmem_block blocks[BOOTMEM_MAX_BLOCKS];

	(void)state;
	regions(256);
	assert_int_equal(bootmem_free_blocks(&memory, &all, 1, blocks, BOOTMEM_MAX_BLOCKS), 0);
	assert_int_equal(bootmem_usable(blocks, 0, 0).bytes, 0);
	assert_int_equal(bootmem_usable(blocks, 0, 0).end, 0);
}

static void the_array_is_bounded(void **state)
{
	struct bootmem_block blocks[2];

	(void)state;
	regions(2048);
	assert_int_equal(bootmem_free_blocks(&memory, debian, 5, blocks, 2), 2);
}

static void headers_link_the_blocks(void **state)
{
	static const struct bootmem_block blocks[] = { { 0x100000, 0x100000 },
						       { 0x300000, 0x200000 },
						       { 0x600000, 0x200000 } };

	(void)state;
	memset(memory.ram[0].hva, 0xee, memory.ram[0].size);
	assert_int_equal(bootmem_write_list(&memory, blocks, 3, false), 0);
	assert_int_equal(le(0x100000, 8), 0x300000);
	assert_int_equal(le(0x100008, 8), 0x100000);
	assert_int_equal(le(0x300000, 8), 0x600000);
	assert_int_equal(le(0x300008, 8), 0x200000);
	assert_int_equal(le(0x600000, 8), 0);
	assert_int_equal(le(0x600008, 8), 0x200000);
	assert_int_equal(bytes_at(0x600010, 1)[0], 0xee);
	assert_int_equal(bootmem_write_list(&memory, blocks, 3, true), 0);
	assert_int_equal(be(0x300000, 8), 0x600000);
	assert_int_equal(be(0x300008, 8), 0x200000);
}

static void a_block_outside_ram_is_an_error(void **state)
{
	static const struct bootmem_block block = { 0x10000000, 0x100000 };

	(void)state;
	assert_int_equal(bootmem_write_list(&memory, &block, 1, false), -EFAULT);
}

static void records_stay_inside(void **state)
{
	uint8_t bytes[12] = { 0 };
	struct record r = { .bytes = bytes, .size = 8 };

	(void)state;
	record_put(&r, 7, 1, 0x11);
	record_put64(&r, 8, ~0ull);
	record_put32(&r, 1000, ~0u);
	assert_int_equal(bytes[7], 0x11);
	assert_int_equal(bytes[8], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(descriptor_little_endian, real_ram),
		cmocka_unit_test_setup(bootinfo_little_endian, real_ram),
		cmocka_unit_test_setup(bootmem_little_endian, real_ram),
		cmocka_unit_test_setup(structures_big_endian, real_ram),
		cmocka_unit_test_setup(blanks_and_line_ends_are_no_arguments, real_ram),
		cmocka_unit_test_setup(text_ends_at_nul, real_ram),
		cmocka_unit_test_setup(the_last_argument_takes_the_rest, real_ram),
		cmocka_unit_test_setup(exactly_64_arguments_fit, real_ram),
		cmocka_unit_test_setup(a_long_command_line_is_bounded, real_ram),
		cmocka_unit_test_setup(no_ram_is_an_error, real_ram),
		cmocka_unit_test(words_are_found_whole),
		cmocka_unit_test(list_of_256_as_verified),
		cmocka_unit_test(lists_of_all_sizes),
		cmocka_unit_test(list_of_64_without_kaslr),
		cmocka_unit_test(high_memory_is_one_block),
		cmocka_unit_test(everything_reserved_leaves_nothing),
		cmocka_unit_test(the_array_is_bounded),
		cmocka_unit_test_setup(headers_link_the_blocks, real_ram),
		cmocka_unit_test_setup(a_block_outside_ram_is_an_error, real_ram),
		cmocka_unit_test(records_stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
