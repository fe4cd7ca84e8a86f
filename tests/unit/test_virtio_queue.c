/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/virtio/device.c features/virtio/queue.c features/virtio-mmio/virtio_mmio.c */
/* sources: tests/unit/virtio_driver.c core/memory.c core/io.c core/log.c tests/unit/fake_platform.c */
/* Transport and queues against virtio 1.2, with a device that only takes and gives. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>

#include "tests/unit/fake_platform.h"
#include "tests/unit/virtio_driver.h"

#define INDIRECT VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT    VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define REFUSED  VIRTIO_FEATURE(5) /**< a feature that the device has and does not accept */
#define BUFFER   DRIVER_BUFFERS

static struct virtio_device device;
static struct virtqueue queues[2];
static struct io_vector vectors[6];
static struct virtio_chain chain;
static const uint8_t config[6] = { 1, 2, 3, 4, 5, 6 };
static unsigned starts, notifies, stops, resets;

static bool on_accept(struct virtio_device *d, uint64_t features)
{
	assert_ptr_equal(d, &device);
	return (features & REFUSED) == 0;
}

static void on_start(struct virtio_device *d)
{
	(void)d;
	starts++;
}

static void on_notify(struct virtio_device *d, unsigned n)
{
	(void)d;
	assert_true(n < 2);
	notifies++;
}

static void on_stop(struct virtio_device *d, unsigned n)
{
	assert_false(d->queues[n].ready);
	stops++;
}

static void on_reset(struct virtio_device *d)
{
	(void)d;
	resets++;
}

static const struct virtio_device_ops ops = {
	.accept = on_accept, .start = on_start, .notify = on_notify, .stop_queue = on_stop, .reset = on_reset
};

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	log_guest_output(true);
	driver_new_guest();
	device = (struct virtio_device){ .name = "test0",
					 .ops = &ops,
					 .id = 42,
					 .features = REFUSED,
					 .config = config,
					 .config_size = sizeof(config),
					 .queues = queues,
					 .nr_queues = 2 };
	virtio_init(&device, &driver_vm.memory, 16);
	driver_plug(&device);
	chain = (struct virtio_chain){ .vectors = vectors, .room = 6 };
	starts = notifies = stops = resets = 0;
	return 0;
}

static void add(uint16_t head, uint64_t gpa, uint32_t size, bool write)
{
	driver_add(0, head, &(struct driver_buffer){ gpa, size, write }, 1);
}

/** The device has stopped, told the driver, and the host said why, once. */
static void assert_failed(const char *why)
{
	assert_int_equal(driver_read(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET, VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_non_null(strstr(fake_log, why));
	assert_non_null(strstr(fake_log, "test0: the guest's driver breaks the rules in queue 0: "));
}

/* Registers. */

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(driver_read(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(driver_read(VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(driver_read(VIRTIO_MMIO_DEVICE_ID), 42);
	assert_int_equal(driver_read(VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_NUM_MAX), 16);
	driver_write(VIRTIO_MMIO_QUEUE_SEL, 2);
	assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	driver_write(VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_READY), 0);
}

static void test_registers_have_32_bits(void **state)
{
	(void)state;
	for (unsigned size = 1; size <= 8; size *= 2) {
		if (size != 4)
			assert_int_equal(driver_read_any(VIRTIO_MMIO_MAGIC_VALUE, size), 0);
		driver_write_any(VIRTIO_MMIO_STATUS, size, 1);
		assert_int_equal(driver_read(VIRTIO_MMIO_STATUS), size >= 4 ? 1 : 0);
	}
	assert_int_equal(driver_read_any(VIRTIO_MMIO_MAGIC_VALUE + 2, 4), 0);
}

static void test_configuration_has_any_width(void **state)
{
	(void)state;
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG, 1), 1);
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG + 1, 2), 0x0302);
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG, 4), 0x04030201);
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG, 8), 0x060504030201);
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG + 5, 4), 6);
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG + 6, 4), 0);
	assert_int_equal(driver_read_any(MACHINE_SLOT_SIZE - 8, 8), 0);
	driver_write_any(VIRTIO_MMIO_CONFIG, 1, 9);
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG, 1), 1);
}

static void test_features(void **state)
{
	(void)state;
	driver_write(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	assert_int_equal(driver_read(VIRTIO_MMIO_DEVICE_FEATURES), (uint32_t)(INDIRECT | EVENT | REFUSED));
	driver_write(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(driver_read(VIRTIO_MMIO_DEVICE_FEATURES),
			 (VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_F_RING_RESET)) >> 32);
	driver_write(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(driver_read(VIRTIO_MMIO_DEVICE_FEATURES), 0);
	assert_false(driver_negotiate(VIRTIO_FEATURE(6)));
	assert_false(driver_negotiate(REFUSED));
	assert_true(driver_negotiate(EVENT));
	/* Agreed is agreed. */
	driver_write(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	driver_write(VIRTIO_MMIO_DRIVER_FEATURES, 0);
	assert_true(virtio_has(&device, VIRTIO_RING_F_EVENT_IDX));
}

static void test_no_legacy_driver(void **state)
{
	(void)state;
	driver_write(VIRTIO_MMIO_STATUS, 3 | VIRTIO_CONFIG_S_FEATURES_OK);
	assert_int_equal(driver_read(VIRTIO_MMIO_STATUS), 3);
	driver_write(VIRTIO_MMIO_STATUS, 3 | VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(driver_read(VIRTIO_MMIO_STATUS), 3);
	assert_int_equal(starts, 0);
}

static void test_nothing_happens_before_the_driver_is_ready(void **state)
{
	(void)state;
	driver_queue(0); /* before features */
	assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_READY), 0);
	assert_true(driver_negotiate(0));
	driver_queue(0);
	assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_READY), 1);
	add(0, BUFFER, 8, false);
	driver_notify(0);
	assert_int_equal(notifies, 0);
	assert_int_equal(virtqueue_take(&queues[0], &chain), 0);
	driver_ok();
	assert_int_equal(starts, 1);
	driver_notify(0);
	driver_notify(1); /* not ready */
	driver_notify(2); /* there is none */
	assert_int_equal(notifies, 1);
	assert_int_equal(virtqueue_take(&queues[0], &chain), 1);
}

static void test_reset(void **state)
{
	(void)state;
	driver_start(0, 2);
	virtio_interrupt(&device, VIRTIO_INTERRUPT_QUEUE);
	assert_true(driver_irq);
	driver_write(VIRTIO_MMIO_STATUS, 0);
	assert_false(driver_irq);
	assert_int_equal(stops, 2);
	assert_int_equal(resets, 2);
	assert_int_equal(driver_read(VIRTIO_MMIO_STATUS), 0);
	assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(queues[0].descriptor_gpa, 0);
	assert_int_equal(device.driver_features, 0);
}

static void test_queue_is_taken_back(void **state)
{
	(void)state;
	driver_start(0, 2);
	add(0, BUFFER, 8, true);
	assert_int_equal(virtqueue_take(&queues[0], &chain), 1);
	driver_write(VIRTIO_MMIO_QUEUE_SEL, 0);
	driver_write(VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(stops, 1);
	virtqueue_give(&queues[0], 0, 8);
	virtqueue_flush(&queues[0]);
	assert_int_equal(driver_ring(0).used->idx, 0);
	assert_false(driver_irq);
	/* The addresses of a queue that is in use stay. */
	driver_write(VIRTIO_MMIO_QUEUE_SEL, 1);
	driver_write(VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	assert_int_equal(queues[1].descriptor_gpa, DRIVER_RING(1));
}

static void test_interrupts(void **state)
{
	(void)state;
	driver_start(0, 1);
	virtio_interrupt(&device, VIRTIO_INTERRUPT_QUEUE);
	virtio_config_changed(&device);
	assert_int_equal(driver_read(VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	assert_int_equal(driver_read(VIRTIO_MMIO_CONFIG_GENERATION), 1);
	driver_write(VIRTIO_MMIO_INTERRUPT_ACK, 1);
	assert_true(driver_irq);
	driver_write(VIRTIO_MMIO_INTERRUPT_ACK, 2);
	assert_false(driver_irq);
	assert_int_equal(driver_irqs, 1);
	/* Before the driver is ready nobody would listen. */
	driver_write(VIRTIO_MMIO_STATUS, 0);
	virtio_config_changed(&device);
	assert_false(driver_irq);
}

/* Queues. */

static void test_sizes_and_places_of_queues(void **state)
{
	static const struct {
		uint64_t reg;
		uint32_t value;
	} wrong[] = {
		{ VIRTIO_MMIO_QUEUE_NUM, 0 },
		{ VIRTIO_MMIO_QUEUE_NUM, 3 },
		{ VIRTIO_MMIO_QUEUE_NUM, 32 },
		{ VIRTIO_MMIO_QUEUE_NUM, 0x10008 },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, DRIVER_RAM + 8 },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, DRIVER_RAM - 16 },
		{ VIRTIO_MMIO_QUEUE_DESC_HIGH, 0xffffffff },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, DRIVER_RAM + 1 },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, DRIVER_RAM + DRIVER_RAM_SIZE - 16 },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, DRIVER_RAM + 2 },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, DRIVER_RAM + DRIVER_RAM_SIZE },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_true(driver_negotiate(0));
		driver_queue(0);
		driver_write(VIRTIO_MMIO_QUEUE_READY, 0);
		driver_write(wrong[i].reg, wrong[i].value);
		driver_write(VIRTIO_MMIO_QUEUE_READY, 1);
		assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_READY), 0);
		assert_failed(wrong[i].reg == VIRTIO_MMIO_QUEUE_NUM ? "its size is no power" : "it is misaligned");
		fake_clear_text();
		device.complained = false;
	}
}

/** The host says so once for the life of the guest, however often it happens. */
static void test_one_complaint(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		driver_start(0, 1);
		add(0, 0, 1, false);
		assert_int_equal(virtqueue_take(&queues[0], &chain), -EPROTO);
	}
	assert_null(strstr(strstr(fake_log, "breaks the rules") + 1, "breaks the rules"));
}

static void test_chain(void **state)
{
	const struct driver_buffer b[] = { { BUFFER, 16, false },
					   { BUFFER + 64, 0, false },
					   { BUFFER + 128, 5, true } };
	struct driver_used used;

	(void)state;
	driver_start(0, 1);
	driver_add(0, 3, b, 3);
	assert_int_equal(virtqueue_take(&queues[0], &chain), 1);
	assert_int_equal(chain.head, 3);
	assert_int_equal(chain.nr_out, 1);
	assert_int_equal(chain.nr_in, 1);
	assert_ptr_equal(vectors[0].base, driver_memory(BUFFER));
	assert_int_equal(vectors[0].size, 16);
	assert_ptr_equal(vectors[1].base, driver_memory(BUFFER + 128));
	assert_int_equal(virtqueue_take(&queues[0], &chain), 0);
	virtqueue_untake(&queues[0], 1);
	assert_int_equal(virtqueue_take(&queues[0], &chain), 1);
	virtqueue_give(&queues[0], 3, 4);
	assert_false(driver_take_used(0, &used));
	virtqueue_flush(&queues[0]);
	assert_true(driver_take_used(0, &used));
	assert_int_equal(used.id, 3);
	assert_int_equal(used.length, 4);
	assert_true(driver_irq);
}

static void test_many_rounds(void **state)
{
	struct driver_used used;

	(void)state;
	driver_start(EVENT, 1);
	for (unsigned i = 0; i < 70000; i++) {
		driver_ring(0).avail->ring[DRIVER_QUEUE_SIZE] = (uint16_t)i; /* used_event: this one */
		add((uint16_t)(i % 8), BUFFER, 1, true);
		assert_int_equal(virtqueue_next(&queues[0], &chain), 1);
		assert_int_equal(chain.head, i % 8);
		virtqueue_give(&queues[0], chain.head, 1);
		virtqueue_flush(&queues[0]);
		assert_true(driver_take_used(0, &used));
		assert_true(driver_irq);
		driver_write(VIRTIO_MMIO_INTERRUPT_ACK, 1);
	}
	assert_int_equal(driver_irqs, 70000);
}

static void test_buffer_spans_regions(void **state)
{
	(void)state;
	driver_start(0, 1);
	add(0, DRIVER_RAM_SPLIT - 4, 8, true);
	assert_int_equal(virtqueue_take(&queues[0], &chain), 1);
	assert_int_equal(chain.nr_in, 2);
	assert_ptr_equal(vectors[0].base, driver_memory(DRIVER_RAM_SPLIT - 4));
	assert_ptr_equal(vectors[1].base, driver_memory(DRIVER_RAM_SPLIT));
	assert_int_equal(vectors[1].size, 4);
}

/** Makes `table`, in guest memory, from buffers. */
static void write_table(uint64_t gpa, const struct driver_buffer *b, unsigned nr)
{
	struct vring_desc *d = driver_memory(gpa);

	for (unsigned i = 0; i < nr; i++)
		d[i] = (struct vring_desc){ b[i].gpa, b[i].size,
					    (uint16_t)((b[i].write ? VRING_DESC_F_WRITE : 0) |
						       (i + 1 < nr ? VRING_DESC_F_NEXT : 0)),
					    (uint16_t)(i + 1) };
}

static void add_indirect(uint16_t head, uint64_t table, uint32_t size)
{
	add(head, table, size, false);
	driver_ring(0).desc[head].flags = VRING_DESC_F_INDIRECT;
}

static void test_indirect(void **state)
{
	const struct driver_buffer b[] = { { BUFFER, 1, false }, { BUFFER + 1, 2, false }, { BUFFER + 3, 3, true } };
	const struct driver_buffer first = { BUFFER + 100, 7, false };

	(void)state;
	driver_start(INDIRECT, 1);
	write_table(BUFFER + 0x1000, b, 3);
	add_indirect(0, BUFFER + 0x1000, 48);
	assert_int_equal(virtqueue_take(&queues[0], &chain), 1);
	assert_int_equal(chain.nr_out, 2);
	assert_int_equal(chain.nr_in, 1);
	/* Behind an ordinary one (2.7.5.3.2). */
	driver_add(0, 2, &first, 1);
	driver_ring(0).desc[2].flags = VRING_DESC_F_NEXT;
	driver_ring(0).desc[2].next = 0;
	assert_int_equal(virtqueue_take(&queues[0], &chain), 1);
	assert_int_equal(chain.nr_out, 3);
	assert_int_equal(vectors[0].size, 7);
}

/** Takes, and expects the device to stop. */
static void assert_refused(const char *why)
{
	struct driver_used used;

	assert_int_equal(virtqueue_take(&queues[0], &chain), -EPROTO);
	assert_failed(why);
	assert_int_equal(driver_read(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_CONFIG);
	assert_int_equal(virtqueue_take(&queues[0], &chain), 0);
	driver_notify(0);
	assert_int_equal(notifies, 0);
	assert_false(driver_take_used(0, &used));
	fake_clear_text();
	device.complained = false;
	driver_start(INDIRECT, 1);
}

static void test_broken_rings(void **state)
{
	(void)state;
	driver_start(INDIRECT, 1);
	driver_ring(0).avail->idx = DRIVER_QUEUE_SIZE + 1;
	assert_refused("more buffers available");
	driver_ring(0).avail->ring[0] = DRIVER_QUEUE_SIZE;
	driver_ring(0).avail->idx = 1;
	assert_refused("a number that there is none of");
	add(0, BUFFER, 1, false);
	driver_ring(0).desc[0].flags = 8;
	assert_refused("unknown flags");
	add(0, BUFFER, 1, false);
	driver_ring(0).desc[0].flags = VRING_DESC_F_NEXT;
	driver_ring(0).desc[0].len = 0;
	assert_refused("does not end");
	add(0, BUFFER, 1, false);
	driver_ring(0).desc[0].flags = VRING_DESC_F_NEXT;
	assert_refused("more buffers than the device takes");
	driver_add(0, 0, (const struct driver_buffer[]){ { BUFFER, 1, true }, { BUFFER, 1, false } }, 2);
	assert_refused("to read follows");
	assert_int_equal(driver_negotiate(INDIRECT), true);
}

static void test_buffers_outside_memory(void **state)
{
	static const struct driver_buffer wrong[] = {
		{ 0, 1, false },
		{ DRIVER_RAM - 1, 2, true },
		{ DRIVER_RAM + DRIVER_RAM_SIZE - 1, 2, true },
		{ DRIVER_RAM, UINT32_MAX, false },
		{ UINT64_MAX, 2, false },
		{ DRIVER_HIGH + DRIVER_HIGH_SIZE - 4, 5, true },
	};

	(void)state;
	driver_start(INDIRECT, 1);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		driver_add(0, 0, &wrong[i], 1);
		assert_refused("a buffer is not in RAM");
	}
}

static void test_broken_tables(void **state)
{
	const struct driver_buffer b = { BUFFER, 1, false };

	(void)state;
	driver_start(INDIRECT, 1);
	add_indirect(0, BUFFER, 0);
	assert_refused("a wrong size");
	add_indirect(0, BUFFER, 24);
	assert_refused("a wrong size");
	add_indirect(0, BUFFER + 4, 16);
	assert_refused("a wrong size");
	add_indirect(0, DRIVER_RAM + DRIVER_RAM_SIZE - 16, 32);
	assert_refused("a table of descriptors is not in RAM");
	add_indirect(0, BUFFER, 16);
	driver_ring(0).desc[0].flags |= VRING_DESC_F_NEXT;
	assert_refused("an indirect descriptor is where none may be");
	write_table(BUFFER, &b, 1);
	((struct vring_desc *)driver_memory(BUFFER))->flags = VRING_DESC_F_INDIRECT;
	add_indirect(0, BUFFER, 16);
	assert_refused("an indirect descriptor is where none may be");
	write_table(BUFFER, &b, 1);
	((struct vring_desc *)driver_memory(BUFFER))->flags = VRING_DESC_F_NEXT;
	((struct vring_desc *)driver_memory(BUFFER))->next = 1;
	add_indirect(0, BUFFER, 16);
	assert_refused("a number that there is none of");
	/* Not agreed upon. */
	driver_start(0, 1);
	add_indirect(0, BUFFER, 16);
	assert_refused("an indirect descriptor is where none may be");
}

static void test_notifications_without_event_index(void **state)
{
	(void)state;
	driver_start(0, 1);
	virtqueue_ignore(&queues[0]);
	assert_int_equal(driver_ring(0).used->flags, VRING_USED_F_NO_NOTIFY);
	assert_int_equal(virtqueue_next(&queues[0], &chain), 0);
	assert_int_equal(driver_ring(0).used->flags, 0);
	driver_ring(0).avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	add(0, BUFFER, 1, true);
	assert_int_equal(virtqueue_next(&queues[0], &chain), 1);
	virtqueue_give(&queues[0], 0, 1);
	virtqueue_flush(&queues[0]);
	assert_false(driver_irq);
}

static void test_event_index(void **state)
{
	struct vring ring;

	(void)state;
	driver_start(EVENT, 1);
	ring = driver_ring(0);
	for (uint16_t i = 0; i < 4; i++)
		add(i, BUFFER, 1, true);
	while (virtqueue_next(&queues[0], &chain) > 0)
		continue;
	assert_int_equal(*(uint16_t *)&ring.used->ring[DRIVER_QUEUE_SIZE], 4);
	/* The driver wants to hear of the third. */
	ring.avail->ring[DRIVER_QUEUE_SIZE] = 2;
	for (uint16_t i = 0; i < 4; i++) {
		virtqueue_give(&queues[0], i, 1);
		virtqueue_flush(&queues[0]);
		assert_int_equal(driver_irq, i >= 2);
	}
	assert_int_equal(driver_irqs, 1);
}

/** Code in pages that the device writes, rings included, is heard of. */
static void test_written_code(void **state)
{
	(void)state;
	driver_start(0, 1);
	add(0, BUFFER, 0x1001, true);
	memory_mark_code(&driver_vm.memory, BUFFER + 0x1000, true);
	assert_int_equal(virtqueue_take(&queues[0], &chain), 1);
	virtio_announce(&device, vectors, 1);
	assert_int_equal(driver_code_written, 1);
	memory_mark_code(&driver_vm.memory, DRIVER_RING(0), true);
	virtqueue_give(&queues[0], 0, 1);
	assert_int_equal(driver_code_written, 2);
	virtqueue_flush(&queues[0]);
	assert_int_equal(driver_code_written, 3);
}

static void test_take_front(void **state)
{
	uint8_t a[3] = { 1, 2, 3 }, b[4] = { 4, 5, 6, 7 }, got[8] = { 0 };
	struct io_vector v[2] = { { a, 3 }, { b, 4 } }, *at = v;
	unsigned nr = 2;

	(void)state;
	assert_int_equal(virtio_take_front(&at, &nr, got, 4), 4);
	assert_memory_equal(got, "\1\2\3\4", 4);
	assert_int_equal(nr, 1);
	assert_ptr_equal(at->base, b + 1);
	assert_int_equal(virtio_take_front(&at, &nr, got, 8), 3);
	assert_int_equal(nr, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_identity, setup),
		cmocka_unit_test_setup(test_registers_have_32_bits, setup),
		cmocka_unit_test_setup(test_configuration_has_any_width, setup),
		cmocka_unit_test_setup(test_features, setup),
		cmocka_unit_test_setup(test_no_legacy_driver, setup),
		cmocka_unit_test_setup(test_nothing_happens_before_the_driver_is_ready, setup),
		cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_queue_is_taken_back, setup),
		cmocka_unit_test_setup(test_interrupts, setup),
		cmocka_unit_test_setup(test_sizes_and_places_of_queues, setup),
		cmocka_unit_test_setup(test_one_complaint, setup),
		cmocka_unit_test_setup(test_chain, setup),
		cmocka_unit_test_setup(test_many_rounds, setup),
		cmocka_unit_test_setup(test_buffer_spans_regions, setup),
		cmocka_unit_test_setup(test_indirect, setup),
		cmocka_unit_test_setup(test_broken_rings, setup),
		cmocka_unit_test_setup(test_buffers_outside_memory, setup),
		cmocka_unit_test_setup(test_broken_tables, setup),
		cmocka_unit_test_setup(test_notifications_without_event_index, setup),
		cmocka_unit_test_setup(test_event_index, setup),
		cmocka_unit_test_setup(test_written_code, setup),
		cmocka_unit_test_setup(test_take_front, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
