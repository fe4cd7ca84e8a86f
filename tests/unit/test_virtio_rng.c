/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/virtio-rng/virtio_rng.c features/virtio/device.c features/virtio/queue.c core/timer.c */
/* sources: features/virtio-mmio/virtio_mmio.c tests/unit/virtio_driver.c core/memory.c core/io.c core/log.c */
/* sources: tests/unit/fake_platform.c */
/* The entropy device, and its limit. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>

#include "features/virtio-rng/virtio_rng.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/virtio_driver.h"

#define RATE 64u
#define DATA DRIVER_BUFFERS

static struct virtio_rng rng;

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	driver_new_guest();
	plat_cpu_bind(&driver_vcpu.attention);
	memset(&rng, 0, sizeof(rng));
	assert_int_equal(virtio_rng_init(&rng, &driver_vm.memory, &driver_vcpu, RATE), 0);
	driver_plug(&rng.virtio);
	driver_start(0, 1);
	return 0;
}

static void ask(uint16_t head, uint32_t size, bool write)
{
	driver_add(0, head, &(struct driver_buffer){ DATA + head * 0x100u, size, write }, 1);
	driver_notify(0);
}

static uint32_t got(void)
{
	struct driver_used used;

	return driver_take_used(0, &used) ? used.length : UINT32_MAX;
}

static void test_bytes(void **state)
{
	(void)state;
	ask(0, 8, true);
	assert_int_equal(got(), 8);
	assert_int_equal(driver_read(VIRTIO_MMIO_CONFIG + 4), 0); /* it has no configuration */
	assert_memory_equal(driver_memory(DATA), "\1\x08\x0f\x16\x1d\x24\x2b\x32", 8);
	assert_int_equal(*(uint8_t *)driver_memory(DATA + 8), 0);
	assert_true(driver_irq);
}

static void test_limit(void **state)
{
	(void)state;
	ask(0, 1000, true);
	assert_int_equal(got(), RATE);
	ask(1, 32, true);
	assert_int_equal(got(), UINT32_MAX);
	assert_true(rng.refill.armed);
	/* Not before there is a portion. */
	fake_advance(249999999);
	timer_run_due(&driver_vcpu);
	assert_int_equal(got(), UINT32_MAX);
	fake_advance(2);
	timer_run_due(&driver_vcpu);
	assert_int_equal(got(), 16);
	/* A long time fills it up to a second's worth. */
	fake_advance(3600ull * 1000000000);
	ask(2, 1000, true);
	assert_int_equal(got(), RATE);
}

static void test_reset_while_waiting(void **state)
{
	(void)state;
	ask(0, 1000, true);
	ask(1, 1000, true);
	assert_true(rng.refill.armed);
	driver_write(VIRTIO_MMIO_STATUS, 0);
	assert_false(rng.refill.armed);
}

static void test_buffer_to_read(void **state)
{
	(void)state;
	ask(0, 100, false);
	assert_int_equal(got(), 0);
}

static void test_source_fails(void **state)
{
	(void)state;
	fake_entropy_error = -ENODEV;
	ask(0, 8, true);
	assert_int_equal(got(), UINT32_MAX);
	fake_entropy_error = 0;
	fake_advance(1000000000);
	timer_run_due(&driver_vcpu);
	assert_int_equal(got(), 8);
	fake_entropy_error = -ENODEV;
	assert_int_equal(virtio_rng_init(&rng, &driver_vm.memory, &driver_vcpu, RATE), -ENODEV);
	assert_non_null(strstr(fake_log, "switch off VIRTIO_RNG"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bytes, setup),
		cmocka_unit_test_setup(test_limit, setup),
		cmocka_unit_test_setup(test_reset_while_waiting, setup),
		cmocka_unit_test_setup(test_buffer_to_read, setup),
		cmocka_unit_test_setup(test_source_fails, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
