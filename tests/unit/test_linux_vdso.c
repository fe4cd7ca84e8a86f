/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/linux/vdso.c */
/* Symbol lookup in the vDSO: in the running kernel's, and in made ones with either kind of hash table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <elf.h>
#include <sys/auxv.h>

#include "arch/x86_64/linux/vdso.h"

/* An image with the functions "first" and "second", a datum "third" and an undefined "fourth". */
struct image {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[2];
	Elf64_Dyn dynamic[5];
	Elf64_Sym symbols[5];
	uint32_t hash[2]; /* System V: only the number of symbols is used */
	uint32_t gnu_header[4];
	uint64_t bloom[1];
	uint32_t buckets[1];
	uint32_t chain[4];
	char strings[32];
};

static uint32_t gnu_hash(const char *name)
{
	uint32_t h = 5381;

	while (*name != '\0')
		h = (h << 5) + h + (unsigned char)*name++;
	return h;
}

static void add_symbol(struct image *im, unsigned i, const char *name, unsigned type, uint16_t section)
{
	static const uint32_t offsets[] = { 0, 1, 8, 16, 24 };

	strcpy(im->strings + offsets[i], name);
	im->symbols[i] = (Elf64_Sym){ .st_name = offsets[i],
				      .st_info = (unsigned char)type,
				      .st_shndx = section,
				      .st_value = 0x7000 + 0x10 * i };
	im->chain[i - 1] = (gnu_hash(name) & ~1u) | (i == 4);
}

static void make_image(struct image *im, int64_t hash_tag, size_t hash_offset)
{
	const uint64_t base = 0x7000; /* addresses in the file are not where it is mapped */

	memset(im, 0, sizeof(*im));
	memcpy(im->ehdr.e_ident, ELFMAG, SELFMAG);
	im->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	im->ehdr.e_phoff = offsetof(struct image, phdr);
	im->ehdr.e_phnum = 2;
	im->phdr[0] = (Elf64_Phdr){ .p_type = PT_DYNAMIC, .p_vaddr = base + offsetof(struct image, dynamic) };
	im->phdr[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = base };
	im->dynamic[0] = (Elf64_Dyn){ .d_tag = DT_SYMTAB, .d_un.d_ptr = base + offsetof(struct image, symbols) };
	im->dynamic[1] = (Elf64_Dyn){ .d_tag = DT_STRTAB, .d_un.d_ptr = base + offsetof(struct image, strings) };
	im->dynamic[2] = (Elf64_Dyn){ .d_tag = hash_tag, .d_un.d_ptr = base + hash_offset };
	im->hash[1] = 5;
	memcpy(im->gnu_header, (uint32_t[]){ 1, 1, 1, 0 }, sizeof(im->gnu_header));
	im->buckets[0] = 1;
	add_symbol(im, 1, "first", STT_FUNC, 1);
	add_symbol(im, 2, "second", STT_FUNC, 1);
	add_symbol(im, 3, "third", STT_OBJECT, 1);
	add_symbol(im, 4, "fourth", STT_FUNC, SHN_UNDEF);
}

static void expect_functions(const struct image *im)
{
	assert_ptr_equal(vdso_find(im, "first"), (const char *)im + 0x10);
	assert_ptr_equal(vdso_find(im, "second"), (const char *)im + 0x20);
	assert_null(vdso_find(im, "third"));
	assert_null(vdso_find(im, "fourth"));
	assert_null(vdso_find(im, "fifth"));
	assert_null(vdso_find(im, ""));
}

static void finds_by_system_v_table(void **state)
{
	struct image im;

	(void)state;
	make_image(&im, DT_HASH, offsetof(struct image, hash));
	expect_functions(&im);
}

static void finds_by_gnu_table(void **state)
{
	struct image im;

	(void)state;
	make_image(&im, DT_GNU_HASH, offsetof(struct image, gnu_header));
	expect_functions(&im);
	im.buckets[0] = 0; /* an empty bucket */
	assert_null(vdso_find(&im, "first"));
	im.gnu_header[0] = 0;
	assert_null(vdso_find(&im, "first"));
}

static void takes_only_complete_images(void **state)
{
	struct image im;

	(void)state;
	assert_null(vdso_find(NULL, "first"));
	make_image(&im, DT_DEBUG, 0);
	assert_null(vdso_find(&im, "first"));
	make_image(&im, DT_HASH, offsetof(struct image, hash));
	im.dynamic[0].d_tag = DT_DEBUG;
	assert_null(vdso_find(&im, "first"));
	make_image(&im, DT_HASH, offsetof(struct image, hash));
	im.ehdr.e_phnum = 1;
	assert_null(vdso_find(&im, "first"));
	make_image(&im, DT_HASH, offsetof(struct image, hash));
	im.ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	assert_null(vdso_find(&im, "first"));
	im.ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	im.ehdr.e_ident[0] = 0;
	assert_null(vdso_find(&im, "first"));
}

static void finds_the_kernels_clock(void **state)
{
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	int (*clock)(int, struct timespec *);
	struct timespec before, now, after;

	(void)state;
	if (image == NULL)
		skip(); /* the kernel runs with vdso=0 */
	clock = (int (*)(int, struct timespec *))(uintptr_t)vdso_find(image, "__vdso_clock_gettime");
	assert_non_null(clock);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(clock(CLOCK_MONOTONIC, &now), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(now.tv_sec > before.tv_sec || (now.tv_sec == before.tv_sec && now.tv_nsec >= before.tv_nsec));
	assert_true(after.tv_sec > now.tv_sec || (after.tv_sec == now.tv_sec && after.tv_nsec >= now.tv_nsec));
	assert_null(vdso_find(image, "__vdso_no_such_function"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_system_v_table),
		cmocka_unit_test(finds_by_gnu_table),
		cmocka_unit_test(takes_only_complete_images),
		cmocka_unit_test(finds_the_kernels_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
