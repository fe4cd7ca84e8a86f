/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/machine-pvh/acpi.c features/machine-pvh/aml.c core/bus.c core/log.c core/memory.c */
/* sources: tests/unit/fake_platform.c */
/* ACPI tables of machine pvh, read as an operating system does (ACPI specification 6.4), checksums included. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "features/machine-pvh/aml.h"
#include "features/machine-pvh/pvh.h"
#include "tests/unit/fake_platform.h"

static struct vm vm;
static struct pvh board;

static void no_input(void *controller, unsigned n, bool level)
{
	(void)controller;
	(void)n;
	(void)level;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	vm = (struct vm){ .board = &board, .nr_vcpus = 3 };
	board = (struct pvh){ .vm = &vm, .gsi_input = no_input };
	assert_int_equal(memory_add_ram(&vm.memory, 0, PVH_MAIN), 0);
	memset(memory_borrow(&vm.memory, PVH_TABLES, PVH_TABLES_SIZE), 0xa5, PVH_TABLES_SIZE);
	return 0;
}

static const uint8_t *at(uint64_t gpa, uint64_t size)
{
	const uint8_t *p = memory_borrow(&vm.memory, gpa, size);

	assert_true(gpa >= PVH_TABLES && gpa + size <= PVH_TABLES + PVH_TABLES_SIZE);
	assert_non_null(p);
	return p;
}

static uint64_t get(const uint8_t *p, unsigned offset, unsigned bytes)
{
	uint64_t value = 0;

	memcpy(&value, p + offset, bytes);
	return value;
}

static uint8_t sum(const uint8_t *p, size_t size)
{
	uint8_t s = 0;

	while (size-- > 0)
		s = (uint8_t)(s + *p++);
	return s;
}

/* A table with a good header. */
static const uint8_t *table(uint64_t gpa, const char *signature, uint32_t *length)
{
	const uint8_t *t = at(gpa, 36);

	assert_memory_equal(t, signature, 4);
	*length = (uint32_t)get(t, 4, 4);
	at(gpa, *length);
	assert_int_equal(sum(t, *length), 0);
	return t;
}

/** What there is, found from the RSDP on. */
static struct {
	const uint8_t *fadt, *madt, *dsdt;
	uint32_t fadt_size, madt_size, dsdt_size;
} acpi;

static void read_tables(void)
{
	const uint8_t *rsdp, *xsdt;
	uint32_t size;

	assert_int_equal(pvh_write_acpi(&board), 0);
	rsdp = at(PVH_TABLES, 36);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	assert_int_equal(rsdp[15], 2);
	assert_int_equal(get(rsdp, 20, 4), 36);
	xsdt = table(get(rsdp, 24, 8), "XSDT", &size);
	assert_int_equal(size, 36 + 2 * 8);
	acpi.fadt = table(get(xsdt, 36, 8), "FACP", &acpi.fadt_size);
	acpi.madt = table(get(xsdt, 44, 8), "APIC", &acpi.madt_size);
	acpi.dsdt = table(get(acpi.fadt, 140, 8), "DSDT", &acpi.dsdt_size);
}

/* Table 5.1: an I/O port, 8 bits wide. */
static void expect_port(const uint8_t *gas, uint64_t port)
{
	assert_int_equal(gas[0], 1);
	assert_int_equal(gas[1], 8);
	assert_int_equal(gas[2], 0);
	assert_int_equal(get(gas, 4, 8), port);
}

/* Table 5.33 */
static void test_fadt(void **state)
{
	(void)state;
	read_tables();
	assert_int_equal(acpi.fadt_size, 276);
	assert_int_equal(acpi.fadt[8], 6);
	assert_true((get(acpi.fadt, 112, 4) & 1u << 20) != 0); /* reduced hardware */
	assert_true((get(acpi.fadt, 112, 4) & 1u << 10) != 0); /* has a reset register */
	assert_int_equal(get(acpi.fadt, 109, 2), 1u << 2 | 1u << 5);
	expect_port(acpi.fadt + 116, 0x602);
	assert_int_equal(acpi.fadt[128], 1);
	expect_port(acpi.fadt + 244, 0x600);
	expect_port(acpi.fadt + 256, 0x601);
	/* No fixed hardware: SMI, PM1, timer, GPE, the 32-bit pointers. */
	for (unsigned offset = 36; offset < 109; offset++)
		assert_int_equal(acpi.fadt[offset], 0);
}

/* Tables 5.43 to 5.48 */
static void test_madt(void **state)
{
	(void)state;
	read_tables();
	assert_int_equal(get(acpi.madt, 36, 4), 0xfee00000);
	assert_int_equal(get(acpi.madt, 40, 4), 0); /* no 8259 */
	assert_int_equal(acpi.madt_size, 44 + 3 * 8 + 12);
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *e = acpi.madt + 44 + 8 * i;

		assert_int_equal(e[0], 0);
		assert_int_equal(e[1], 8);
		assert_int_equal(e[2], i);
		assert_int_equal(e[3], i);
		assert_int_equal(get(e, 4, 4), 1);
	}
	assert_int_equal(acpi.madt[68], 1);
	assert_int_equal(acpi.madt[69], 12);
	assert_int_equal(get(acpi.madt, 72, 4), 0xfec00000);
	assert_int_equal(get(acpi.madt, 76, 4), 0);
	board.gsi_input = NULL;
	vm.nr_vcpus = 1;
	read_tables();
	assert_int_equal(acpi.madt_size, 44 + 8);
}

/* --- DSDT: AML (20.2) as far as it is used */

/* A package length (20.2.4) at p; *end is where the package ends. Returns what follows the length. */
static const uint8_t *package(const uint8_t *p, const uint8_t **end)
{
	unsigned more = *p >> 6, length = more == 0 ? *p & 63u : *p & 15u;

	for (unsigned i = 1; i <= more; i++)
		length |= (unsigned)p[i] << (8 * i - 4);
	*end = p + length;
	return p + 1 + more;
}

static const struct pvh_acpi_device devices[] = {
	{ .name = "COM1", .hid = "PNP0501", .uid = 1, .port = 0x3f8, .port_size = 8, .gsi = 4 },
	{ .name = "VIO0",
	  .hid = "LNRO0005",
	  .uid = 7,
	  .memory = 0xd0000000,
	  .memory_size = 0x200,
	  .gsi = 16,
	  .level = true },
	{ .name = "NONE", .hid = "ACPI0012", .uid = 2, .gsi = -1 },
};

/* A device: its names, in this order; returns its resources. */
static const uint8_t *expect_device(const uint8_t **p, const char *name, const char *hid, size_t hid_size, uint32_t uid,
				    const uint8_t **end)
{
	const uint8_t *d, *next, *buffer;

	assert_memory_equal(*p, "\x5b\x82", 2);
	d = package(*p + 2, &next);
	assert_memory_equal(d, name, 4);
	assert_memory_equal(d + 4, "\x08_HID", 5);
	assert_memory_equal(d + 9, hid, hid_size);
	d += 9 + hid_size;
	assert_memory_equal(d, "\x08_UID\x0c", 6);
	assert_int_equal(get(d, 6, 4), uid);
	assert_memory_equal(d + 10, "\x08_CRS\x11", 6);
	buffer = package(d + 16, end);
	assert_ptr_equal(*end, next);
	assert_int_equal(buffer[0], 0x0b);
	assert_int_equal(get(buffer, 1, 2), *end - buffer - 3);
	*p = next;
	return buffer + 3;
}

static void test_dsdt(void **state)
{
	const uint8_t *p, *end, *scope_end, *r;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pvh_add_device(&vm, &devices[i]), 0);
	read_tables();
	assert_int_equal(acpi.dsdt[8], 2);
	/* Name (_S5, Package { 5, 0, 0, 0 }) */
	assert_memory_equal(acpi.dsdt + 36, "\x08_S5_\x12\x07\x04\x0a\x05\x00\x00\x00", 13);
	assert_int_equal(acpi.dsdt[49], 0x10);
	p = package(acpi.dsdt + 50, &scope_end);
	assert_ptr_equal(scope_end, acpi.dsdt + acpi.dsdt_size);
	assert_memory_equal(p, "\\_SB_", 5);
	p += 5;

	/* 5.6.8: EISAID ("PNP0501") is 0x0105d041. I/O ports (6.4.2.5), interrupt (6.4.3.6): edge, active high. */
	r = expect_device(&p, "COM1", "\x0c\x41\xd0\x05\x01", 5, 1, &end);
	assert_memory_equal(r, "\x47\x01\xf8\x03\xf8\x03\x01\x08\x89\x06\x00\x03\x01\x04\x00\x00\x00\x79\x00", 19);
	assert_ptr_equal(r + 19, end);
	/* Fixed memory (6.4.3.4), level. */
	r = expect_device(&p, "VIO0", "\x0dLNRO0005", 10, 7, &end);
	assert_memory_equal(
		r, "\x86\x09\x00\x01\x00\x00\x00\xd0\x00\x02\x00\x00\x89\x06\x00\x01\x01\x10\x00\x00\x00\x79\x00", 23);
	assert_ptr_equal(r + 23, end);
	r = expect_device(&p, "NONE",
			  "\x0d"
			  "ACPI0012",
			  10, 2, &end);
	assert_memory_equal(r, "\x79\x00", 2);
	assert_ptr_equal(r + 2, end);
	assert_ptr_equal(p, scope_end);
}

static void test_too_many_devices(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PVH_MAX_PARTS; i++)
		assert_int_equal(pvh_add_device(&vm, &devices[i % 3]), 0);
	read_tables();
	assert_int_equal(pvh_add_device(&vm, &devices[0]), -ENOSPC);
	assert_string_equal(fake_log, "husk: error: machine pvh: no room for device COM1\n");
}

/* A table that does not fit says so, and writes nothing beyond. */
static void test_aml_is_bounded(void **state)
{
	uint8_t room[8] = { 0 };
	struct aml a = { .data = room, .size = 6 };
	size_t begin;

	(void)state;
	begin = aml_begin(&a);
	aml_number(&a, 0x11223344, 4);
	assert_false(a.full);
	aml_number(&a, 0x55, 1);
	assert_true(a.full);
	aml_end(&a, begin);
	assert_true(a.full);
	assert_int_equal(room[6], 0);
	assert_int_equal(room[7], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_fadt, setup),
		cmocka_unit_test_setup(test_madt, setup),
		cmocka_unit_test_setup(test_dsdt, setup),
		cmocka_unit_test_setup(test_too_many_devices, setup),
		cmocka_unit_test_setup(test_aml_is_bounded, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
