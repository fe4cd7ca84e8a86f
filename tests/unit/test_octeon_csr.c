/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/machine-octeon/csr.c core/bus.c core/log.c tests/unit/fake_platform.c */
/* Every control and status register of the table, through a bus. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/bus.h>
#include <husk/log.h>

#include "features/machine-octeon/csr.h"
#include "tests/unit/fake_platform.h"

static struct csr_set set;
static struct bus bus;
static uint64_t clock_now;

static uint64_t read_clock(void *ctx)
{
	assert_ptr_equal(ctx, &bus);
	return clock_now;
}

static int start(void **state)
{
	(void)state;
	fake_reset();
	bus = (struct bus){ 0 };
	csr_init(&set, 100000000, read_clock, &bus);
	return csr_attach(&set, &bus);
}

static uint64_t get(uint64_t address)
{
	return bus_read(&bus, address, 8);
}

static void put(uint64_t address, uint64_t value)
{
	bus_write(&bus, address, 8, value);
}

static void constants_read_as_documented(void **state)
{
	static const struct {
		uint64_t address, value;
	} constants[] = {
		{ 0x11800000000f8, 0 },                       /* MIO_BOOT_BIST_STAT */
		{ 0x1180000001410, 1ull << 26 },              /* MIO_FUS_DAT2: no crypto */
		{ 0x1180000001418, 0 },                       /* MIO_FUS_DAT3 */
		{ 0x1180000001420, 0 },                       /* MIO_FUS_PDF */
		{ 0x1180000001618, 0 },                       /* MIO_RST_CTL0: not host mode */
		{ 0x1180000001620, 0 },                       /* MIO_RST_CTL1 */
		{ 0x11800800007b8, 3ull << 34 },              /* L2D_FUS3: crippled, so that nothing is locked */
		{ 0x1180080a00010, 0 },                       /* L2C_TAD0_TAG */
		{ 0x1180000001600, 2ull << 30 | 2ull << 24 }, /* MIO_RST_BOOT */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		assert_int_equal(get(constants[i].address), constants[i].value);
		put(constants[i].address, ~constants[i].value);
		assert_int_equal(get(constants[i].address), constants[i].value);
		assert_non_null(csr_name(constants[i].address));
	}
	assert_int_equal(set.unknown, 0);
	assert_int_equal(bus.unclaimed, 0);
}

static const uint64_t storage[] = {
	0x1180000000080, /* MIO_BOOT_LOC_CFG0 */
	0x1180000000088, /* MIO_BOOT_LOC_CFG1 */
	0x1180000000090, /* MIO_BOOT_LOC_ADR */
	0x1180000000098, /* MIO_BOOT_LOC_DAT */
	0x1180040000000, /* RNM_CTL_STATUS */
	0x1180080800000, /* L2C_CTL */
	0x11800f0000000, /* IOB_FAU_TIMEOUT */
	0x1670000000210, /* POW_NW_TIM */
};

#define NR_STORAGE (sizeof(storage) / sizeof(storage[0]))

static void storage_keeps_values_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_STORAGE; i++) {
		assert_int_equal(get(storage[i]), 0);
		put(storage[i], 0x8000000000000000ull + i);
	}
	put(0x1180000001500, 7);
	for (size_t i = 0; i < NR_STORAGE; i++)
		assert_int_equal(get(storage[i]), 0x8000000000000000ull + i);
	assert_int_equal(get(0x1180000001500), 7);
	assert_int_equal(set.unknown, 0);
}

static void reset_clears_storage(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_STORAGE; i++)
		put(storage[i], ~0ull);
	bus_reset(&bus);
	for (size_t i = 0; i < NR_STORAGE; i++)
		assert_int_equal(get(storage[i]), 0);
}

static void fuse_read_is_never_pending(void **state)
{
	(void)state;
	put(0x1180000001500, 1ull << 12 | 0x5aull << 16 | 0x33);
	assert_int_equal(get(0x1180000001500), 0x33); /* PEND and DAT read 0, the address stays */
	assert_string_equal(csr_name(0x1180000001500), "MIO_FUS_RCMD");
}

static void io_clock_counts(void **state)
{
	(void)state;
	clock_now = 1;
	assert_int_equal(get(0x14f0000000338), 1);
	clock_now = 0x123456789abcdef0;
	assert_int_equal(get(0x14f0000000338), 0x123456789abcdef0);
	put(0x14f0000000338, 0);
	assert_int_equal(get(0x14f0000000338), 0x123456789abcdef0);
}

static void clock_ratio_follows_the_counter(void **state)
{
	static const struct {
		uint64_t hz;
		unsigned ratio;
	} rates[] = {
		{ 1, 1 },         { 1000000, 1 },    { 50000000, 1 },    { 100000000, 2 },    { 124999999, 2 },
		{ 125000000, 3 }, { 800000000, 16 }, { 1000000000, 20 }, { 10000000000, 63 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t boot = csr_rst_boot(rates[i].hz);

		assert_int_equal(boot >> 30 & 0x3f, rates[i].ratio); /* c_mul */
		assert_int_equal(boot >> 24 & 0x3f,
				 rates[i].ratio); /* pnr_mul: 0 would stop a kernel's watchdog driver */
		assert_int_equal(boot & ~(0xfffull << 24), 0);
	}
	assert_int_equal(csr_rst_boot(1000000000), 0x514000000);
}

static void unknown_registers_are_counted_and_named(void **state)
{
	(void)state;
	log_set_level(LOG_INFO);
	assert_int_equal(get(0x1180000001a00), 0); /* LED_EN, of other chips */
	assert_int_equal(fake_log_size, 0);
	log_set_level(LOG_DEBUG);
	put(0x1180080000008, 1);
	assert_non_null(strstr(fake_log, "0x1180080000008"));
	assert_int_equal(set.unknown, 2);
	assert_null(csr_name(0x1180000001a00));
	log_set_level(LOG_INFO);
}

static void other_addresses_belong_to_nobody(void **state)
{
	(void)state;
	assert_int_equal(get(0x1180068000000), 0); /* USB */
	assert_int_equal(bus.unclaimed, 1);
}

static void uarts_and_ciu_fit_between_the_windows(void **state)
{
	static struct device uart0, uart1, ciu;

	(void)state;
	assert_int_equal(bus_attach(&bus, &uart0, 0x1180000000800, 0x400), 0);
	assert_int_equal(bus_attach(&bus, &uart1, 0x1180000000c00, 0x400), 0);
	assert_int_equal(bus_attach(&bus, &ciu, 0x1070000000000, 0x10000), 0);
}

static void narrow_accesses_see_their_part(void **state)
{
	(void)state;
	put(0x1180000000080, 0x1122334455667788);
	assert_int_equal(bus_read(&bus, 0x1180000000080, 4), 0x55667788);
	assert_int_equal(bus_read(&bus, 0x1180000000084, 2), 0x3344);
	bus_write(&bus, 0x1180000000084, 4, 0xa5a5a5a5);
	assert_int_equal(get(0x1180000000080), 0xa5a5a5a500000000);
	assert_int_equal(bus_read(&bus, 0x1180000000086, 4), 0xa5a5);
}

static void attach_fails_where_a_window_is_taken(void **state)
{
	static struct device other;

	(void)state;
	bus = (struct bus){ 0 };
	assert_int_equal(bus_attach(&bus, &other, 0x1180000001f00, 8), 0);
	assert_int_equal(csr_attach(&set, &bus), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(constants_read_as_documented, start),
		cmocka_unit_test_setup(storage_keeps_values_apart, start),
		cmocka_unit_test_setup(reset_clears_storage, start),
		cmocka_unit_test_setup(fuse_read_is_never_pending, start),
		cmocka_unit_test_setup(io_clock_counts, start),
		cmocka_unit_test_setup(clock_ratio_follows_the_counter, start),
		cmocka_unit_test_setup(unknown_registers_are_counted_and_named, start),
		cmocka_unit_test_setup(other_addresses_belong_to_nobody, start),
		cmocka_unit_test_setup(uarts_and_ciu_fit_between_the_windows, start),
		cmocka_unit_test_setup(narrow_accesses_see_their_part, start),
		cmocka_unit_test_setup(attach_fails_where_a_window_is_taken, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
