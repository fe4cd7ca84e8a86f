/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c core/payload.c core/elf.c core/memory.c core/log.c tests/unit/fake_platform.c tests/unit/elf_image.c */
/* The payload: parts, and ELF files that are right, damaged or malicious. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>
#include <husk/payload.h>
#include <husk/vm.h>

#include "tests/unit/elf_image.h"
#include "tests/unit/fake_platform.h"

#define PHDR(field) (ELF_AT_PHDR + (field))
#define SHDR(n)     (ELF_AT_SHDR + 64u * (n))
#define SYM(n)      (ELF_AT_SYMTAB + 24u * (n))

/* Fields of a program header, a section header and a symbol. */
enum { P_OFFSET = 8, P_VADDR = 16, P_PADDR = 24, P_FILESZ = 32, P_MEMSZ = 40 };
enum { SH_TYPE = 4, SH_ADDR = 16, SH_OFFSET = 24, SH_SIZE = 32, SH_LINK = 40, SH_ENTSIZE = 56 };
enum { TEXT = 1, SYMTAB = 3, STRTAB = 4 };

#define RAM_GPA  0x100000u
#define RAM_SIZE 0x4000u

static struct vm vm;
static struct elf_image image;
static struct payload_elf_want want;
static struct payload_entry entry;
static struct payload_part part;
static struct payload payload;

static void use(bool big_endian)
{
	elf_image_init(&image, big_endian);
	want = (struct payload_elf_want){ .machine = 8, .big_endian = big_endian, .gpa_mask = ELF_IMAGE_MASK };
	part = (struct payload_part){
		.kind = PAYLOAD_KERNEL, .name = "vmlinux", .data = image.bytes, .size = sizeof(image.bytes)
	};
	payload = (struct payload){ .recipe = "test", .parts = &part, .count = 1 };
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	vm = (struct vm){ .nr_vcpus = 0 };
	assert_int_equal(memory_add_ram(&vm.memory, RAM_GPA, RAM_SIZE), 0);
	memset(vm.memory.ram[0].hva, 0xee, RAM_SIZE);
	entry = (struct payload_entry){ .entry = 0 };
	use(false);
	return 0;
}

static int load(void)
{
	fake_clear_text();
	return payload_load_elf(&vm, &part, &want, &entry);
}

static void put(unsigned offset, unsigned bytes, uint64_t value)
{
	elf_image_put(&image, offset, bytes, value);
}

/** Changes one field of the correct file, expects a result and one line that names the part. */
static void expect(unsigned offset, unsigned bytes, uint64_t value, int result, const char *words)
{
	use(want.big_endian);
	put(offset, bytes, value);
	assert_int_equal(load(), result);
	assert_non_null(strstr(fake_log, "husk: error: payload 'vmlinux' "));
	assert_non_null(strstr(fake_log, words));
	assert_ptr_equal(strchr(fake_log, '\n'), fake_log + fake_log_size - 1);
}

static void test_parts_are_found_by_kind(void **state)
{
	static const struct payload_part parts[] = {
		{ .kind = PAYLOAD_INITRD, .name = "a" },
		{ .kind = PAYLOAD_KERNEL, .name = "b" },
		{ .kind = PAYLOAD_INITRD, .name = "c" },
	};
	const struct payload p = { .parts = parts, .count = 3 };

	(void)state;
	assert_ptr_equal(payload_find(&p, PAYLOAD_KERNEL), &parts[1]);
	assert_ptr_equal(payload_find(&p, PAYLOAD_INITRD), &parts[0]);
	assert_null(payload_find(&p, PAYLOAD_DTB));
	assert_null(payload_find(&(struct payload){ .count = 0 }, PAYLOAD_KERNEL));
}

static void test_parts_are_placed(void **state)
{
	static const uint8_t data[] = { 1, 2, 3, 4 };
	struct payload_part p = { .kind = PAYLOAD_INITRD, .name = "initrd", .data = data, .size = 4 };

	(void)state;
	p.gpa = RAM_GPA + RAM_SIZE - 4;
	assert_int_equal(payload_place(&vm, &p), 0);
	assert_memory_equal(vm.memory.ram[0].hva + RAM_SIZE - 4, data, 4);
	p.gpa++;
	assert_int_equal(payload_place(&vm, &p), -ENOMEM);
	assert_string_equal(fake_log, "husk: error: payload 'initrd' needs guest RAM from 0x103ffd on for 0x4 bytes, "
				      "which the guest does not have: raise RAM_MB\n");
	p.gpa = UINT64_MAX;
	assert_int_equal(payload_place(&vm, &p), -ENOMEM);
}

static void check_loaded(void)
{
	const uint8_t *ram = vm.memory.ram[0].hva;

	assert_int_equal(load(), 0);
	assert_string_equal(fake_log, "");
	assert_true(entry.entry == ELF_IMAGE_ENTRY);
	assert_int_equal(entry.gpa_low, ELF_IMAGE_GPA);
	assert_int_equal(entry.gpa_high, ELF_IMAGE_GPA + ELF_IMAGE_MEMSZ);
	assert_memory_equal(ram, image.bytes + ELF_AT_TEXT, ELF_IMAGE_TEXT);
	for (unsigned i = ELF_IMAGE_TEXT; i < ELF_IMAGE_MEMSZ; i++)
		assert_int_equal(ram[i], 0);
	assert_int_equal(ram[ELF_IMAGE_MEMSZ], 0xee);
}

static void test_a_correct_kernel_is_loaded(void **state)
{
	(void)state;
	check_loaded();
	use(true);
	memset(vm.memory.ram[0].hva, 0xee, RAM_SIZE);
	check_loaded();
}

static void test_several_segments_make_one_range(void **state)
{
	(void)state;
	put(PHDR(56), 4, 1);
	put(PHDR(56 + P_PADDR), 8, ELF_IMAGE_BASE + 0x2000);
	put(PHDR(56 + P_FILESZ), 8, 8);
	put(PHDR(56 + P_MEMSZ), 8, 16);
	assert_int_equal(load(), 0);
	assert_int_equal(entry.gpa_low, ELF_IMAGE_GPA);
	assert_int_equal(entry.gpa_high, ELF_IMAGE_GPA + 0x2010);
	assert_int_equal(vm.memory.ram[0].hva[0x2007], 8);
	assert_int_equal(vm.memory.ram[0].hva[0x2008], 0);
}

static void test_a_physical_entry_will_do(void **state)
{
	(void)state;
	put(24, 8, ELF_IMAGE_GPA + 0x20);
	assert_int_equal(load(), 0);
	assert_int_equal(entry.entry, ELF_IMAGE_GPA + 0x20);
}

static void test_other_files_are_not_wanted(void **state)
{
	(void)state;
	expect(0, 1, 'x', -ENOEXEC, "not an ELF file");
	expect(4, 1, 1, -ENOEXEC, "32-bit");
	expect(18, 2, 62, -ENOEXEC, "ELF machine 62, this guest is 8");
	expect(16, 2, 1, -ENOEXEC, "not an executable");
	expect(16, 2, 3, -ENOEXEC, "not an executable");
	use(true);
	want.big_endian = false;
	assert_int_equal(load(), -ENOEXEC);
	assert_non_null(strstr(fake_log, "it is big-endian"));
	use(false);
	want.big_endian = true;
	assert_int_equal(load(), -ENOEXEC);
	assert_non_null(strstr(fake_log, "it is little-endian"));
	use(false);
	part.size = 0;
	assert_int_equal(load(), -ENOEXEC);
	part.size = 3;
	assert_int_equal(load(), -ENOEXEC);
}

static void test_malformed_headers_are_refused(void **state)
{
	(void)state;
	expect(5, 1, 0, -EBADMSG, "malformed");
	expect(5, 1, 3, -EBADMSG, "malformed");
	expect(6, 1, 0, -EBADMSG, "malformed");
	expect(54, 2, 32, -EBADMSG, "malformed");
	expect(54, 2, 0, -EBADMSG, "malformed");
	expect(58, 2, 40, -EBADMSG, "malformed");
	expect(56, 2, 0xffff, -EBADMSG, "malformed");
	expect(56, 2, 0xfffe, -EBADMSG, "beyond the end");
	expect(60, 2, 0xffff, -EBADMSG, "beyond the end");
	expect(56, 2, 0, -EBADMSG, "nothing to load");
	expect(32, 8, UINT64_MAX, -EBADMSG, "beyond the end");
	expect(32, 8, UINT64_MAX - 111, -EBADMSG, "beyond the end");
	expect(32, 8, ELF_IMAGE_SIZE - 111, -EBADMSG, "beyond the end");
	expect(40, 8, UINT64_MAX - 319, -EBADMSG, "beyond the end");
	expect(40, 8, ELF_IMAGE_SIZE, -EBADMSG, "beyond the end");
}

static void test_malicious_segments_are_refused(void **state)
{
	(void)state;
	expect(PHDR(P_OFFSET), 8, UINT64_MAX, -EBADMSG, "beyond the end");
	expect(PHDR(P_OFFSET), 8, UINT64_MAX - 0x3f, -EBADMSG, "beyond the end");
	expect(PHDR(P_OFFSET), 8, ELF_IMAGE_SIZE - 0x3f, -EBADMSG, "beyond the end");
	expect(PHDR(P_FILESZ), 8, UINT64_MAX, -EBADMSG, "larger in the file");
	expect(PHDR(P_FILESZ), 8, ELF_IMAGE_MEMSZ + 1, -EBADMSG, "larger in the file");
	expect(PHDR(P_MEMSZ), 8, ELF_IMAGE_TEXT - 1, -EBADMSG, "larger in the file");
	expect(PHDR(P_FILESZ), 8, ELF_IMAGE_MEMSZ, -EBADMSG, "beyond the end");
	expect(PHDR(P_MEMSZ), 8, 0, -EBADMSG, "nothing to load");
	expect(PHDR(P_MEMSZ), 8, RAM_SIZE + 1, -ENOMEM, "raise RAM_MB");
	expect(PHDR(P_MEMSZ), 8, UINT64_MAX, -ENOMEM, "raise RAM_MB");
	expect(PHDR(P_MEMSZ), 8, UINT64_MAX - RAM_GPA, -ENOMEM, "raise RAM_MB");
	expect(PHDR(P_PADDR), 8, 0, -ENOMEM, "0x0 on");
	expect(PHDR(P_PADDR), 8, RAM_GPA - 1, -ENOMEM, "0xfffff on");
	expect(PHDR(P_PADDR), 8, RAM_GPA + RAM_SIZE - ELF_IMAGE_MEMSZ + 1, -ENOMEM, "raise RAM_MB");
	expect(PHDR(P_PADDR), 8, UINT64_MAX, -ENOMEM, "0x1fffffff on");
	want.gpa_mask = UINT64_MAX;
	put(PHDR(P_PADDR), 8, UINT64_MAX - 0x10);
	assert_int_equal(load(), -ENOMEM);
}

static void test_the_entry_has_to_be_loaded(void **state)
{
	(void)state;
	expect(24, 8, ELF_IMAGE_BASE - 1, -EBADMSG, "entry point");
	expect(24, 8, ELF_IMAGE_BASE + ELF_IMAGE_MEMSZ, -EBADMSG, "entry point");
	expect(24, 8, 0, -EBADMSG, "entry point");
	expect(24, 8, UINT64_MAX, -EBADMSG, "entry point");
}

/** Copies the file to memory of exactly its size, so that the address sanitizer sees every byte too far. */
static uint8_t *cut(uint64_t size)
{
	uint8_t *copy = malloc(size != 0 ? size : 1);

	assert_non_null(copy);
	memcpy(copy, image.bytes, size);
	part.data = copy;
	part.size = size;
	return copy;
}

static void test_files_cut_anywhere_are_refused(void **state)
{
	uint64_t offset;

	(void)state;
	for (uint64_t size = 0; size < ELF_IMAGE_SIZE; size++) {
		uint8_t *copy = cut(size);
		int rc = load();

		assert_int_equal(rc, size < 4 ? -ENOEXEC : -EBADMSG);
		assert_null(payload_symbol(&payload, ELF_IMAGE_ENTRY, &offset));
		free(copy);
	}
}

static void expect_symbol(uint64_t address, const char *name, uint64_t offset)
{
	uint64_t found = 0;
	const char *symbol = payload_symbol(&payload, address, &found);

	assert_non_null(symbol);
	assert_string_equal(symbol, name);
	assert_int_equal(found, offset);
}

static void expect_no_symbol(uint64_t address)
{
	uint64_t offset = 1234;

	assert_null(payload_symbol(&payload, address, &offset));
	assert_int_equal(offset, 1234);
}

/* What is visited is what can be named, by its own address at least if nothing else is there. */
static void visit_one(void *ctx, uint64_t value, const char *name)
{
	uint64_t offset = 1;

	assert_non_null(payload_symbol(&payload, value, &offset));
	assert_int_equal(offset, 0);
	assert_true(name[0] != '$' && name[0] != '.' && name[0] != '\0');
	(*(unsigned *)ctx)++;
}

static void test_symbols_are_visited(void **state)
{
	(void)state;
	for (unsigned big = 0; big < 2; big++) {
		unsigned count = 0;

		use(big != 0);
		payload_visit_symbols(&payload, visit_one, &count);
		assert_true(count >= 3); /* _text, start, label */
	}
}

static void test_the_nearest_symbol_is_named(void **state)
{
	(void)state;
	for (unsigned big = 0; big < 2; big++) {
		use(big != 0);
		expect_symbol(ELF_IMAGE_BASE, "_text", 0);
		expect_symbol(ELF_IMAGE_BASE + 0xf, "_text", 0xf);
		expect_symbol(ELF_IMAGE_BASE + 0x10, "start", 0);   /* not label, which is no function */
		expect_symbol(ELF_IMAGE_BASE + 0x1f, "start", 0xf); /* neither $L1 nor object */
		expect_symbol(ELF_IMAGE_BASE + 0x3f, "last", 0x1f); /* not absolute */
		expect_no_symbol(ELF_IMAGE_BASE - 1);
		expect_no_symbol(ELF_IMAGE_BASE + 0x40); /* bss, which has no symbol */
		expect_no_symbol(0);
		expect_no_symbol(UINT64_MAX);
	}
}

static void test_a_payload_without_symbols_names_nothing(void **state)
{
	(void)state;
	put(60, 2, 0);
	expect_no_symbol(ELF_IMAGE_BASE);
	part.kind = PAYLOAD_INITRD;
	expect_no_symbol(ELF_IMAGE_BASE);
	payload.count = 0;
	expect_no_symbol(ELF_IMAGE_BASE);
	use(false);
	memset(image.bytes, 0, sizeof(image.bytes));
	expect_no_symbol(ELF_IMAGE_BASE);
}

/** Changes one field of the correct file and expects that no symbol is found. */
static void expect_hidden(unsigned offset, unsigned bytes, uint64_t value)
{
	use(false);
	put(offset, bytes, value);
	expect_no_symbol(ELF_IMAGE_BASE + 0x30);
}

static void test_malicious_symbol_tables_are_left_alone(void **state)
{
	(void)state;
	expect_hidden(SHDR(SYMTAB) + SH_OFFSET, 8, UINT64_MAX);
	expect_hidden(SHDR(SYMTAB) + SH_OFFSET, 8, ELF_IMAGE_SIZE - 191);
	expect_hidden(SHDR(SYMTAB) + SH_SIZE, 8, UINT64_MAX);
	expect_hidden(SHDR(SYMTAB) + SH_SIZE, 8, 23);
	expect_hidden(SHDR(SYMTAB) + SH_ENTSIZE, 8, 0);
	expect_hidden(SHDR(SYMTAB) + SH_ENTSIZE, 8, 16);
	expect_hidden(SHDR(SYMTAB) + SH_LINK, 4, 5);
	expect_hidden(SHDR(SYMTAB) + SH_LINK, 4, UINT32_MAX);
	expect_hidden(SHDR(SYMTAB) + SH_LINK, 4, TEXT);
	expect_hidden(SHDR(STRTAB) + SH_OFFSET, 8, UINT64_MAX - 1);
	expect_hidden(SHDR(STRTAB) + SH_SIZE, 8, UINT64_MAX);
	expect_hidden(SHDR(STRTAB) + SH_SIZE, 8, 0);
	expect_hidden(SHDR(STRTAB) + SH_SIZE, 8, 3); /* "_t" without an end */
	expect_hidden(SHDR(TEXT) + SH_SIZE, 8, 0x30);
	expect_hidden(SHDR(TEXT) + SH_ADDR, 8, UINT64_MAX);
}

static void test_malicious_symbols_are_passed_over(void **state)
{
	(void)state;
	put(SYM(6), 4, UINT32_MAX);
	expect_symbol(ELF_IMAGE_BASE + 0x30, "start", 0x20);
	put(SYM(3) + 6, 2, 5);
	expect_symbol(ELF_IMAGE_BASE + 0x30, "label", 0x20);
	put(SYM(2) + 8, 8, UINT64_MAX);
	expect_symbol(ELF_IMAGE_BASE + 0x30, "_text", 0x30);
	put(SYM(1) + 4, 1, 0xff);
	expect_no_symbol(ELF_IMAGE_BASE + 0x30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_parts_are_found_by_kind, setup),
		cmocka_unit_test_setup(test_parts_are_placed, setup),
		cmocka_unit_test_setup(test_a_correct_kernel_is_loaded, setup),
		cmocka_unit_test_setup(test_several_segments_make_one_range, setup),
		cmocka_unit_test_setup(test_a_physical_entry_will_do, setup),
		cmocka_unit_test_setup(test_other_files_are_not_wanted, setup),
		cmocka_unit_test_setup(test_malformed_headers_are_refused, setup),
		cmocka_unit_test_setup(test_malicious_segments_are_refused, setup),
		cmocka_unit_test_setup(test_the_entry_has_to_be_loaded, setup),
		cmocka_unit_test_setup(test_files_cut_anywhere_are_refused, setup),
		cmocka_unit_test_setup(test_the_nearest_symbol_is_named, setup),
		cmocka_unit_test_setup(test_symbols_are_visited, setup),
		cmocka_unit_test_setup(test_a_payload_without_symbols_names_nothing, setup),
		cmocka_unit_test_setup(test_malicious_symbol_tables_are_left_alone, setup),
		cmocka_unit_test_setup(test_malicious_symbols_are_passed_over, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
