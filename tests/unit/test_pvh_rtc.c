/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/machine-pvh/rtc.c core/bus.c core/feature.c core/log.c tests/unit/fake_platform.c */
/* The calendar clock of machine pvh: dates in BCD, and that nothing can be set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <husk/feature.h>

#include "features/machine-pvh/pvh.h"
#include "tests/unit/fake_platform.h"

static struct vm vm;

static int setup(void **state)
{
	(void)state;
	fake_reset();
	vm = (struct vm){ 0 };
	assert_int_equal(feature_attach_all(&vm), 0);
	return 0;
}

static unsigned reg(unsigned n)
{
	bus_write(&vm.ports, 0x70, 1, n);
	return (unsigned)bus_read(&vm.ports, 0x71, 1);
}

/* Years since 1970 of days and seconds, from any other calendar; weekday 1 is Sunday. */
static void test_dates(void **state)
{
	static const struct {
		uint64_t seconds;
		unsigned year, month, day, weekday, hour, minute, second;
	} cases[] = {
		{ 0, 0x70, 0x01, 0x01, 5, 0, 0, 0 },
		{ 951782399, 0x00, 0x02, 0x28, 2, 0x23, 0x59, 0x59 }, /* 2000 is a leap year */
		{ 951782400, 0x00, 0x02, 0x29, 3, 0, 0, 0 },
		{ 951868800, 0x00, 0x03, 0x01, 4, 0, 0, 0 },
		{ 1709164800, 0x24, 0x02, 0x29, 5, 0, 0, 0 },
		{ 1767225599, 0x25, 0x12, 0x31, 4, 0x23, 0x59, 0x59 },
		{ 1767225600, 0x26, 0x01, 0x01, 5, 0, 0, 0 },
		{ 4107542400, 0x00, 0x03, 0x01, 2, 0, 0, 0 }, /* 2100 is none */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_wallclock = cases[i].seconds * 1000000000;
		assert_int_equal(reg(9), cases[i].year);
		assert_int_equal(reg(8), cases[i].month);
		assert_int_equal(reg(7), cases[i].day);
		assert_int_equal(reg(6), cases[i].weekday);
		assert_int_equal(reg(4), cases[i].hour);
		assert_int_equal(reg(2), cases[i].minute);
		assert_int_equal(reg(0), cases[i].second);
	}
}

static void test_status(void **state)
{
	(void)state;
	assert_int_equal(reg(10) & 0x80, 0); /* no update in progress */
	assert_int_equal(reg(11), 2);        /* 24 hours, BCD, no interrupts */
	assert_int_equal(reg(13), 0x80);     /* the battery is good */
	assert_int_equal(reg(0x32), 0);
	assert_int_equal(bus_read(&vm.ports, 0x70, 1), 0xff);
	assert_int_equal(reg(0x80 | 11), 2); /* bit 7 is no part of the number */
}

static void test_writes_are_forgotten(void **state)
{
	(void)state;
	fake_wallclock = 1767225600ull * 1000000000;
	assert_int_equal(reg(9), 0x26);
	bus_write(&vm.ports, 0x71, 1, 0x99);
	assert_int_equal(reg(9), 0x26);
	assert_int_equal(reg(11), 2);
	bus_write(&vm.ports, 0x71, 1, 0xff);
	assert_int_equal(reg(11), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_dates, setup),
		cmocka_unit_test_setup(test_status, setup),
		cmocka_unit_test_setup(test_writes_are_forgotten, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
