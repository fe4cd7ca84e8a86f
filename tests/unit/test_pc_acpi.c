/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables of host pc: what is taken from good ones, and that bad ones do no harm. */
/* sources: arch/x86_64/pc/acpi.c core/log.c tests/unit/fake_platform.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arch/x86_64/pc/acpi.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/pc_memory.h"

#define XSDT 0x1100u
#define RSDT 0x1200u
#define FADT 0x1300u
#define MADT 0x1500u
#define DSDT 0x1600u
#define SSDT 0x1700u

/* One with more room than there is at MADT. */
#define LONG_MADT 0x1900u
#define END       (PC_MEMORY_BASE + PC_MEMORY_SIZE)

static uint8_t rsdp[BOOT_RSDP];
static struct acpi_info info;

static int reset(void **state)
{
	(void)state;
	pc_memory_reset();
	fake_reset();
	info = (struct acpi_info){ 0 };
	return 0;
}

static void seal(const uint8_t *p, size_t size, uint8_t *sum)
{
	uint8_t rest = 0;

	*sum = 0;
	while (size-- > 0)
		rest = (uint8_t)(rest - *p++);
	*sum = rest;
}

static void make_table(uint64_t pa, const char *signature, uint32_t length)
{
	memcpy(pc_at(pa), signature, 4);
	pc_put(pa + 4, length, 4);
	seal(pc_at(pa), length, pc_at(pa + 9));
}

static void make_rsdp(uint8_t revision)
{
	memset(rsdp, 0, sizeof(rsdp));
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = revision;
	memcpy(rsdp + 16, &(uint32_t){ RSDT }, 4);
	memcpy(rsdp + 20, &(uint32_t){ 36 }, 4);
	memcpy(rsdp + 24, &(uint64_t){ XSDT }, 8);
	seal(rsdp, 20, &rsdp[8]);
	seal(rsdp, 36, &rsdp[32]);
}

static void put_register(uint64_t pa, uint8_t space, uint64_t address)
{
	pc_put(pa, space, 1);
	pc_put(pa + 4, address, 8);
}

/* Name (\_S5, Package (4) {5, 7, 0, 0}) */
static const uint8_t s5[] = { 0x08, '\\', '_', 'S', '5', '_', 0x12, 0x08, 4, 0x0a, 5, 0x0a, 7, 0, 0 };

static void make_dsdt(uint64_t pa, const char *signature)
{
	memcpy(pc_at(pa + 50), s5, sizeof(s5));
	make_table(pa, signature, 80);
}

static void make_fadt(uint32_t flags)
{
	pc_put(FADT + 40, DSDT, 4);
	pc_put(FADT + 48, 0xb2, 4);
	pc_put(FADT + 52, 0xf1, 1);
	pc_put(FADT + 64, 0x604, 4);
	pc_put(FADT + 76, 0x608, 4);
	pc_put(FADT + 108, 0x32, 1);
	pc_put(FADT + 112, flags, 4);
	put_register(FADT + 184, 1, 0x704);
	put_register(FADT + 244, 0, 0xfea00000);
	make_table(FADT, "FACP", 276);
}

static void make_madt(void)
{
	static const uint8_t entries[] = {
		0, 8,  0, 0, 1,  0,    0,    0,                               /* a CPU */
		0, 8,  1, 1, 0,  0,    0,    0,                               /* one that is off */
		9, 16, 0, 0, 9,  0,    0,    0,    1,    0, 0, 0, 2, 0, 0, 0, /* one more */
		1, 12, 0, 0, 0,  0,    0xc0, 0xfe, 0,    0, 0, 0,             /* I/O APIC */
		1, 12, 1, 0, 0,  0x10, 0xc0, 0xfe, 24,   0, 0, 0,             /* another */
		2, 10, 0, 0, 2,  0,    0,    0,    0,    0,                   /* not COM1's */
		2, 10, 0, 4, 20, 0,    0,    0,    0x0f, 0,                   /* COM1's */
	};

	memcpy(pc_at(MADT + 44), entries, sizeof(entries));
	make_table(MADT, "APIC", 44 + sizeof(entries));
}

static void make_roots(void)
{
	pc_put(XSDT + 36, FADT, 8);
	pc_put(XSDT + 44, MADT, 8);
	make_table(XSDT, "XSDT", 52);
	pc_put(RSDT + 36, MADT, 4);
	make_table(RSDT, "RSDT", 40);
}

static void make_all(uint32_t flags)
{
	make_rsdp(2);
	make_roots();
	make_fadt(flags);
	make_madt();
	make_dsdt(DSDT, "DSDT");
}

static void test_all(void **state)
{
	(void)state;
	make_all(1u << 8);
	acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
	assert_false(info.hardware_reduced);
	assert_true(info.pm_timer_32);
	assert_int_equal(info.pm_timer.space, ACPI_SPACE_IO);
	assert_int_equal(info.pm_timer.address, 0x608);
	assert_int_equal(info.pm1a_control.address, 0x604);
	assert_int_equal(info.pm1b_control.address, 0x704);
	assert_int_equal(info.smi_command, 0xb2);
	assert_int_equal(info.acpi_enable, 0xf1);
	assert_int_equal(info.century, 0x32);
	assert_true(info.has_s5);
	assert_int_equal(info.sleep_type_a, 5);
	assert_int_equal(info.sleep_type_b, 7);
	assert_int_equal(info.nr_cpus, 2);
	assert_int_equal(info.cpu_ids[0], 0);
	assert_int_equal(info.cpu_ids[1], 9);
	assert_int_equal(info.nr_ioapics, 2);
	assert_int_equal(info.ioapics[0].address, 0xfec00000);
	assert_int_equal(info.ioapics[1].gsi_base, 24);
	assert_true(info.com1_overridden);
	assert_int_equal(info.com1_gsi, 20);
	assert_int_equal(info.com1_flags, 15);
	assert_int_equal(fake_log_size, 0);
}

static void test_hardware_reduced(void **state)
{
	(void)state;
	make_all(1u << 20);
	acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
	assert_true(info.hardware_reduced);
	assert_int_equal(info.pm1a_control.address, 0);
	assert_int_equal(info.pm_timer.address, 0);
	assert_int_equal(info.sleep_control.space, ACPI_SPACE_MEMORY);
	assert_int_equal(info.sleep_control.address, 0xfea00000);
}

static void test_old_root(void **state)
{
	(void)state;
	make_all(0);
	make_rsdp(0);
	acpi_parse(pc_view, rsdp, 20, &info);
	assert_int_equal(info.nr_ioapics, 2);
	assert_false(info.has_s5);
	/* A damaged XSDT: the RSDT is taken. */
	reset(NULL);
	make_all(0);
	*pc_at(XSDT + 40) ^= 1;
	acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
	assert_int_equal(info.nr_ioapics, 2);
	assert_non_null(strstr(fake_log, "wrong checksum"));
}

static void test_short_fadt(void **state)
{
	(void)state;
	make_all(0);
	make_table(FADT, "FACP", 70);
	acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
	assert_int_equal(info.pm1a_control.address, 0x604);
	assert_int_equal(info.pm_timer.address, 0);
	assert_int_equal(info.sleep_control.address, 0);
	assert_int_equal(info.century, 0);
	assert_true(info.has_s5);
}

static void test_s5_from_ssdt(void **state)
{
	(void)state;
	make_all(0);
	memset(pc_at(DSDT + 36), 0, 44);
	make_table(DSDT, "DSDT", 80);
	make_dsdt(SSDT, "SSDT");
	pc_put(XSDT + 44, SSDT, 8);
	make_table(XSDT, "XSDT", 52);
	acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
	assert_true(info.has_s5);
}

/* More CPUs than are remembered are counted, and nothing else is touched. */
static void test_many_cpus(void **state)
{
	uint8_t *entry = pc_at(LONG_MADT + 44);

	(void)state;
	make_all(0);
	pc_put(XSDT + 44, LONG_MADT, 8);
	make_table(XSDT, "XSDT", 52);
	for (unsigned i = 0; i < ACPI_MAX_CPUS + 8; i++, entry += 8)
		memcpy(entry, (const uint8_t[]){ 0, 8, (uint8_t)i, (uint8_t)(3 * i), 1, 0, 0, 0 }, 8);
	make_table(LONG_MADT, "APIC", 44 + 8 * (ACPI_MAX_CPUS + 8));
	acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
	assert_int_equal(info.nr_cpus, ACPI_MAX_CPUS + 8);
	assert_int_equal(info.cpu_ids[ACPI_MAX_CPUS - 1], 3 * (ACPI_MAX_CPUS - 1));
	assert_int_equal(info.nr_ioapics, 0);
	assert_false(info.com1_overridden);
}

static void test_damaged(void **state)
{
	(void)state;
	acpi_parse(pc_view, rsdp, 0, &info);
	assert_int_equal(fake_log_size, 0);
	make_all(0);
	rsdp[3] ^= 1;
	acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
	assert_non_null(strstr(fake_log, "going on without ACPI"));
	reset(NULL);
	make_all(0);
	/* Out of reach, too short, too long, an entry of the MADT that is longer than the rest. */
	pc_put(XSDT + 36, END - 10, 8);
	make_table(XSDT, "XSDT", 52);
	*pc_at(MADT + 44 + 1) = 0xff;
	make_table(MADT, "APIC", 120);
	acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
	assert_non_null(strstr(fake_log, "out of reach"));
	assert_non_null(strstr(fake_log, "damaged at byte 44"));
	assert_int_equal(info.nr_ioapics, 0);
	fake_reset();
	pc_put(XSDT + 4, 20, 4);
	pc_put(RSDT + 4, UINT32_MAX, 4);
	acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
	assert_non_null(strstr(fake_log, "bad length, 20"));
	assert_non_null(strstr(fake_log, "no usable root table"));
}

static void test_s5_search(void **state)
{
	uint8_t a = 0, b = 0, aml[sizeof(s5)];

	(void)state;
	assert_true(acpi_find_s5(s5, sizeof(s5), &a, &b));
	/* Cut off anywhere, it is not found, nor read beyond. */
	for (size_t size = 0; size < 13; size++) {
		uint8_t *cut = malloc(size);

		memcpy(cut, s5, size);
		assert_false(acpi_find_s5(cut, size, &a, &b));
		free(cut);
	}
	/* A type of more than three bits, a name that is only mentioned, no package. */
	memcpy(aml, s5, sizeof(s5));
	aml[10] = 8;
	assert_false(acpi_find_s5(aml, sizeof(aml), &a, &b));
	memcpy(aml, s5, sizeof(s5));
	aml[0] = 0;
	assert_false(acpi_find_s5(aml, sizeof(aml), &a, &b));
	memcpy(aml, s5, sizeof(s5));
	aml[6] = 0x13;
	assert_false(acpi_find_s5(aml, sizeof(aml), &a, &b));
	/* Constants by other encodings, and a length of two bytes. */
	static const uint8_t other[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x47, 0x00, 2, 0x01, 0x0b, 6, 0 };

	assert_true(acpi_find_s5(other, sizeof(other), &a, &b));
	assert_int_equal(a, 1);
	assert_int_equal(b, 6);
}

static void test_find_rsdp(void **state)
{
	uint8_t found[BOOT_RSDP];

	(void)state;
	/* Nothing of the BIOS area can be reached here. */
	assert_int_equal(acpi_find_rsdp(pc_view, found), 0);
}

static void fix_sums(void)
{
	static const uint64_t tables[] = { XSDT, RSDT, FADT, MADT, DSDT };

	for (unsigned i = 0; i < 5; i++) {
		uint32_t length;

		memcpy(&length, pc_at(tables[i] + 4), 4);
		if (length <= 512)
			seal(pc_at(tables[i]), length, pc_at(tables[i] + 9));
	}
}

/* Damage with right checksums: no crash, no read outside; the sanitizers judge. */
static void test_random_damage(void **state)
{
	(void)state;
	srand(5);
	for (unsigned round = 0; round < 5000; round++) {
		reset(NULL);
		make_all((uint32_t)rand());
		for (unsigned n = 0; n < 6; n++)
			pc_put(XSDT + (unsigned)rand() % 0x700, (uint64_t)rand() << (rand() % 2 ? 0 : 33),
			       1u << rand() % 4);
		fix_sums();
		acpi_parse(pc_view, rsdp, sizeof(rsdp), &info);
		assert_true(info.nr_ioapics <= ACPI_MAX_IOAPICS);
		assert_true(!info.has_s5 || info.sleep_type_a < 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all, reset),          cmocka_unit_test_setup(test_hardware_reduced, reset),
		cmocka_unit_test_setup(test_old_root, reset),     cmocka_unit_test_setup(test_short_fadt, reset),
		cmocka_unit_test_setup(test_s5_from_ssdt, reset), cmocka_unit_test_setup(test_damaged, reset),
		cmocka_unit_test_setup(test_many_cpus, reset),    cmocka_unit_test_setup(test_s5_search, reset),
		cmocka_unit_test_setup(test_find_rsdp, reset),    cmocka_unit_test_setup(test_random_damage, reset),
	};

	return cmocka_run_group_tests(tests, NULL, reset);
}
