/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/machine-pvh/slots.c features/machine-pvh/acpi.c features/machine-pvh/aml.c core/bus.c core/log.c */
/* sources: core/memory.c tests/unit/fake_platform.c */
/* Devices of other features on the machine pvh: their window, their interrupt, and what ACPI says of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>

#include "features/machine-pvh/pvh.h"
#include "tests/unit/fake_platform.h"

static struct vm vm;
static struct pvh board;
static unsigned last_input = 99;

static void on_input(void *controller, unsigned n, bool level)
{
	assert_ptr_equal(controller, &board);
	last_input = level ? n : 99;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	vm = (struct vm){ .board = &board };
	board = (struct pvh){ .vm = &vm, .gsi_input = on_input, .gsi_controller = &board };
	assert_int_equal(memory_add_ram(&vm.memory, 0, PVH_MAIN), 0);
	return 0;
}

static unsigned count(const char *bytes, size_t size)
{
	const uint8_t *tables = memory_borrow(&vm.memory, PVH_TABLES, PVH_TABLES_SIZE);
	unsigned n = 0;

	for (size_t i = 0; i + size <= PVH_TABLES_SIZE; i++)
		n += memcmp(tables + i, bytes, size) == 0;
	return n;
}

static void test_slots(void **state)
{
	static const struct device_ops ops;
	struct device dev[MACHINE_SLOTS] = { { .name = "a", .ops = &ops } };
	struct irq_line irq[MACHINE_SLOTS];

	(void)state;
	for (unsigned n = 0; n < MACHINE_SLOTS; n++) {
		assert_int_equal(pvh_plug(&vm, n, &dev[n], &irq[n]), 0);
		assert_int_equal(dev[n].base, 0xd0000000 + n * 0x1000);
		irq_set(&irq[n], true);
		assert_int_equal(last_input, 16 + n);
		irq_set(&irq[n], false);
		assert_true(board.devices[n]->level);
	}
	assert_int_equal(pvh_write_acpi(&board), 0);
	assert_int_equal(count("LNRO0005", 8), MACHINE_SLOTS);
	assert_int_equal(count("VIO7", 4), 1);
	/* Memory32Fixed (ACPI 6.4, 6.4.3.4) and level-triggered extended interrupt (6.4.3.6) of slot 1. */
	assert_int_equal(count("\x86\x09\x00\x01\x00\x10\x00\xd0\x00\x02\x00\x00", 12), 1);
	assert_int_equal(count("\x89\x06\x00\x01\x01\x11\x00\x00\x00", 9), 1);
}

static void test_a_window_that_is_taken(void **state)
{
	static const struct device_ops ops;
	struct device first = { .name = "a", .ops = &ops }, second = { .name = "b", .ops = &ops };
	struct irq_line irq;

	(void)state;
	assert_int_equal(pvh_plug(&vm, 0, &first, &irq), 0);
	assert_int_equal(pvh_plug(&vm, 0, &second, &irq), -EEXIST);
	assert_int_equal(board.nr_devices, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_slots, setup),
		cmocka_unit_test_setup(test_a_window_that_is_taken, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
