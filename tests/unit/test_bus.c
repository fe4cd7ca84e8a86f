/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/bus.c core/log.c tests/unit/fake_platform.c */
/* Windows, hostile accesses, and the record of the last ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <husk/bus.h>
#include <husk/log.h>

#include "tests/unit/fake_platform.h"

/** A device that records. */
struct probe {
	struct device dev;
	uint64_t offset, value, answer;
	unsigned size, calls, resets;
};

static struct bus bus;
static struct probe low, high, top;
static char reset_order[64];

static struct probe *probe(struct device *dev)
{
	return (struct probe *)dev;
}

static void note(struct device *dev, uint64_t offset, unsigned size)
{
	assert_true(size == 1 || size == 2 || size == 4 || size == 8);
	assert_true(size <= dev->size && offset <= dev->size - size);
	probe(dev)->offset = offset;
	probe(dev)->size = size;
	probe(dev)->calls++;
}

static uint64_t probe_read(struct device *dev, uint64_t offset, unsigned size)
{
	note(dev, offset, size);
	return probe(dev)->answer;
}

static void probe_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	note(dev, offset, size);
	probe(dev)->value = value;
}

static void probe_reset(struct device *dev)
{
	probe(dev)->resets++;
	strcat(reset_order, dev->name);
}

static const struct device_ops ops = { .read = probe_read, .write = probe_write, .reset = probe_reset };
static const struct device_ops no_reset = { .read = probe_read, .write = probe_write };

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	reset_order[0] = '\0';
	bus = (struct bus){ .nr_devices = 0 };
	low = (struct probe){ .dev = { .name = "low", .ops = &ops } };
	high = (struct probe){ .dev = { .name = "high", .ops = &ops } };
	top = (struct probe){ .dev = { .name = "top", .ops = &no_reset } };
	assert_int_equal(bus_attach(&bus, &high.dev, 0x2000, 0x100), 0);
	assert_int_equal(bus_attach(&bus, &top.dev, UINT64_MAX - 7, 8), 0);
	assert_int_equal(bus_attach(&bus, &low.dev, 0x1000, 0x10), 0);
	return 0;
}

static void test_windows_are_sorted(void **state)
{
	(void)state;
	assert_int_equal(bus.nr_devices, 3);
	assert_ptr_equal(bus.devices[0], &low.dev);
	assert_ptr_equal(bus.devices[1], &high.dev);
	assert_ptr_equal(bus.devices[2], &top.dev);
	assert_int_equal(high.dev.base, 0x2000);
	assert_int_equal(high.dev.size, 0x100);
}

static void test_wrong_windows_are_refused(void **state)
{
	struct probe p = { .dev = { .name = "p", .ops = &ops } };

	(void)state;
	assert_int_equal(bus_attach(&bus, &p.dev, 0x5000, 0), -EINVAL);
	assert_int_equal(bus_attach(&bus, &p.dev, 0x5000, UINT64_MAX), -EINVAL);
	assert_int_equal(bus_attach(&bus, &p.dev, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(bus_attach(&bus, &p.dev, 0x1000, 0x10), -EEXIST);
	assert_int_equal(bus_attach(&bus, &p.dev, 0x100f, 1), -EEXIST);
	assert_int_equal(bus_attach(&bus, &p.dev, 0xfff, 2), -EEXIST);
	assert_int_equal(bus_attach(&bus, &p.dev, 0, UINT64_MAX), -EEXIST);
	assert_int_equal(bus_attach(&bus, &p.dev, UINT64_MAX, 1), -EEXIST);
	assert_int_equal(bus_attach(&bus, &p.dev, 0x2080, 8), -EEXIST);
	assert_int_equal(p.dev.size, 0);
	assert_int_equal(bus_attach(&bus, &p.dev, 0x1010, 0x2000 - 0x1010), 0);
}

static void test_number_of_windows_is_bounded(void **state)
{
	static struct probe more[BUS_MAX_DEVICES];

	(void)state;
	for (unsigned i = 3; i < BUS_MAX_DEVICES; i++)
		assert_int_equal(bus_attach(&bus, &more[i].dev, 0x100000 + i * 0x1000, 0x1000), 0);
	assert_int_equal(bus_attach(&bus, &more[0].dev, 0, 8), -ENOSPC);
	for (unsigned i = 3; i < BUS_MAX_DEVICES; i++)
		assert_ptr_equal(bus_find(&bus, 0x100ff8 + i * 0x1000, 8), &more[i].dev);
	assert_ptr_equal(bus_find(&bus, 0x1000, 1), &low.dev);
}

static void test_find_wants_the_whole_access(void **state)
{
	(void)state;
	assert_ptr_equal(bus_find(&bus, 0x1000, 8), &low.dev);
	assert_ptr_equal(bus_find(&bus, 0x100f, 1), &low.dev);
	assert_ptr_equal(bus_find(&bus, 0x1000, 16), &low.dev);
	assert_ptr_equal(bus_find(&bus, UINT64_MAX, 1), &top.dev);
	assert_null(bus_find(&bus, 0x1000, 0));
	assert_null(bus_find(&bus, 0x1000, 17));
	assert_null(bus_find(&bus, 0x100f, 2));
	assert_null(bus_find(&bus, 0xfff, 2));
	assert_null(bus_find(&bus, 0x1010, 1));
	assert_null(bus_find(&bus, 0, 1));
	assert_null(bus_find(&bus, UINT64_MAX, 2));
	assert_null(bus_find(&bus, UINT64_MAX - 7, UINT32_MAX));
	assert_null(bus_find(&(struct bus){ .nr_devices = 0 }, 0, 1));
}

static void test_values_have_the_width_of_the_access(void **state)
{
	(void)state;
	high.answer = 0x1122334455667788;
	assert_int_equal(bus_read(&bus, 0x2003, 1), 0x88);
	assert_int_equal(bus_read(&bus, 0x2002, 2), 0x7788);
	assert_int_equal(bus_read(&bus, 0x2004, 4), 0x55667788);
	assert_int_equal(bus_read(&bus, 0x2008, 8), 0x1122334455667788);
	assert_int_equal(high.offset, 8);
	bus_write(&bus, 0x20fc, 4, 0xffffffff12345678);
	assert_int_equal(high.value, 0x12345678);
	assert_int_equal(high.offset, 0xfc);
	assert_int_equal(high.size, 4);
	assert_int_equal(high.dev.reads, 4);
	assert_int_equal(high.dev.writes, 1);
	assert_int_equal(bus.unclaimed, 0);
}

static void test_hostile_accesses_reach_no_device(void **state)
{
	static const unsigned sizes[] = { 0, 3, 5, 7, 9, 16, 256, UINT32_MAX };

	(void)state;
	low.answer = high.answer = 0xff;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(bus_read(&bus, 0x2000, sizes[i]), 0);
		bus_write(&bus, 0x2000, sizes[i], UINT64_MAX);
	}
	assert_int_equal(bus_read(&bus, 0x100c, 8), 0);
	assert_int_equal(bus_read(&bus, 0xffe, 4), 0);
	bus_write(&bus, UINT64_MAX - 3, 8, 1);
	assert_int_equal(low.calls + high.calls + top.calls, 0);
	assert_int_equal(bus.unclaimed, 2 * sizeof(sizes) / sizeof(sizes[0]) + 3);
	assert_string_equal(fake_log, "");
}

static void test_unclaimed_accesses_are_named_at_debug(void **state)
{
	(void)state;
	log_set_level(LOG_DEBUG);
	bus_read(&bus, 0x3000, 4);
	bus_write(&bus, 0x3008, 2, 0xfffff);
	assert_string_equal(fake_log, "husk: debug: read of 4 bytes from 0x3000, where there is nothing\n"
				      "husk: debug: write of 0xffff (2 bytes) to 0x3008, where there is nothing\n");
}

static void test_history_keeps_the_last(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BUS_HISTORY + 2; i++)
		bus_write(&bus, 0x2000 + i, 1, i);
	low.answer = 0x42;
	bus_read(&bus, 0x1008, 8);
	bus_read(&bus, 0x9000, 4);
	assert_int_equal(bus.count, BUS_HISTORY + 4);
	bus_print_history(&bus);
	assert_null(strstr(fake_log, "0x2003 high"));
	assert_non_null(strstr(fake_log, "write 1 bytes at 0x2004 high+0x4: 0x4\n"));
	assert_non_null(strstr(fake_log, "read  8 bytes at 0x1008 low+0x8: 0x42\n"
					 "  read  4 bytes at 0x9000 nothing"));
	assert_non_null(strstr(fake_log, "(20 since the guest started, 1 to addresses with no device)"));
}

static void test_reset_is_in_address_order(void **state)
{
	(void)state;
	bus_read(&bus, 0x2000, 8);
	bus_read(&bus, 0x9000, 8);
	bus_reset(&bus);
	assert_string_equal(reset_order, "lowhigh");
	assert_int_equal(bus.count, 0);
	assert_int_equal(bus.unclaimed, 1);
	assert_int_equal(high.dev.reads, 1);
	bus_print_history(&bus);
	assert_null(strstr(fake_log, "bytes at"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_windows_are_sorted, setup),
		cmocka_unit_test_setup(test_wrong_windows_are_refused, setup),
		cmocka_unit_test_setup(test_number_of_windows_is_bounded, setup),
		cmocka_unit_test_setup(test_find_wants_the_whole_access, setup),
		cmocka_unit_test_setup(test_values_have_the_width_of_the_access, setup),
		cmocka_unit_test_setup(test_hostile_accesses_reach_no_device, setup),
		cmocka_unit_test_setup(test_unclaimed_accesses_are_named_at_debug, setup),
		cmocka_unit_test_setup(test_history_keeps_the_last, setup),
		cmocka_unit_test_setup(test_reset_is_in_address_order, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
