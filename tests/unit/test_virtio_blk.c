/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/virtio-blk/virtio_blk.c features/virtio/device.c features/virtio/queue.c */
/* sources: features/virtio-mmio/virtio_mmio.c tests/unit/virtio_driver.c core/memory.c core/io.c core/block.c */
/* sources: core/log.c tests/unit/fake_platform.c */
/* The disk against virtio 1.2, 5.2, on a back end that ends requests when it is told to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/log.h>

#include "features/virtio-blk/virtio_blk.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/virtio_driver.h"

#define FLUSH       VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH)
#define DISK        (64u * BLOCK_SECTOR)
#define HEADER      DRIVER_BUFFERS
#define DATA        (DRIVER_BUFFERS + 0x1000u)
#define STATUS      (DRIVER_BUFFERS + 0x5000u)
#define STATUS_NONE 0x55

static struct virtio_blk disk;
static struct block block;
static uint8_t bytes[DISK];
static struct block_request *waiting[32];
static unsigned nr_waiting, nr_commits, nr_drains, flushes_done;
static int result;

/* The back end. */

static void on_submit(struct block *b, struct block_request *r)
{
	assert_ptr_equal(b, &block);
	assert_int_equal(block_check(b, r), 0);
	assert_true(nr_waiting < 32);
	waiting[nr_waiting++] = r;
}

static void on_commit(struct block *b)
{
	(void)b;
	nr_commits++;
}

static void end_request(struct block_request *r)
{
	switch (r->op) {
	case BLOCK_READ: io_vectors_write(r->vectors, r->nr_vectors, 0, bytes + r->offset, r->size); break;
	case BLOCK_WRITE: io_vectors_read(r->vectors, r->nr_vectors, 0, bytes + r->offset, r->size); break;
	case BLOCK_FLUSH: flushes_done++; break;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES: memset(bytes + r->offset, 0, r->size); break;
	}
	r->result = result;
	r->done(r);
}

/** Ends what has been submitted so far, the last first. */
static void end_all(void)
{
	unsigned n = nr_waiting;
	struct block_request *all[32];

	memcpy(all, waiting, sizeof(all));
	nr_waiting = 0;
	while (n > 0)
		end_request(all[--n]);
}

static void on_poll(struct block *b)
{
	(void)b;
}

static void on_drain(struct block *b)
{
	(void)b;
	nr_drains++;
	end_all();
}

static const struct block_ops block_ops = {
	.submit = on_submit, .commit = on_commit, .poll = on_poll, .drain = on_drain
};

static void end_and_poll(void)
{
	end_all();
	disk.io.poll(&disk.io);
	/* The poll does this in a real run; here requests end before it looks. */
	for (unsigned n = 0; n < disk.virtio.nr_queues; n++)
		virtqueue_flush(&disk.queues[n]);
}

static void make(struct block b, struct virtio_blk_options options)
{
	fake_reset();
	log_set_level(LOG_INFO);
	driver_new_guest();
	block = b;
	memset(&disk, 0, sizeof(disk));
	for (unsigned i = 0; i < DISK; i++)
		bytes[i] = (uint8_t)(i / BLOCK_SECTOR + 1);
	nr_waiting = nr_commits = nr_drains = flushes_done = 0;
	result = 0;
	assert_int_equal(virtio_blk_init(&disk, &options, &driver_vm.memory, &block), 0);
	driver_plug(&disk.virtio);
}

static const struct block good = { .ops = &block_ops,
				   .name = "test",
				   .size = DISK,
				   .granularity = 512,
				   .flush = true,
				   .discard = true,
				   .write_zeroes = true,
				   .serial = "back end" };
static const struct virtio_blk_options one_queue = { .name = "disk0", .serial = "", .queues = 1, .queue_size = 8 };

static int setup(void **state)
{
	(void)state;
	make(good, one_queue);
	driver_start(FLUSH, 1);
	return 0;
}

/* The driver. */

/** Puts a request with up to one data buffer into queue n, its descriptors from 3 * `slot` on. */
static void ask(unsigned n, unsigned slot, uint32_t type, uint64_t sector, uint32_t size, bool write)
{
	struct virtio_blk_outhdr *h = driver_memory(HEADER + slot * 16);
	struct driver_buffer b[3] = { { HEADER + slot * 16, 16, false } };
	unsigned nr = 1;

	*h = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	if (size != 0)
		b[nr++] = (struct driver_buffer){ DATA + slot * 0x1000, size, write };
	b[nr++] = (struct driver_buffer){ STATUS + slot, 1, true };
	*(uint8_t *)driver_memory(STATUS + slot) = STATUS_NONE;
	driver_add(n, (uint16_t)(3 * slot), b, nr);
	driver_notify(n);
}

static uint8_t status(unsigned slot)
{
	return *(uint8_t *)driver_memory(STATUS + slot);
}

static uint32_t used_length(void)
{
	struct driver_used used;

	assert_true(driver_take_used(0, &used));
	return used.length;
}

/** A request that is refused at once. */
static void assert_answer(uint8_t wanted, uint32_t type, uint64_t sector, uint32_t size, bool write)
{
	ask(0, 0, type, sector, size, write);
	assert_int_equal(nr_waiting, 0);
	assert_int_equal(status(0), wanted);
	assert_int_equal(used_length(), 1);
}

static void test_configuration(void **state)
{
	struct block b = good;

	(void)state;
	assert_int_equal(driver_read_any(VIRTIO_MMIO_CONFIG, 8), 64);
	assert_int_equal(driver_read(VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, seg_max)),
			 VIRTIO_BLK_SEGMENTS);
	assert_int_equal(driver_read(VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, blk_size)), 512);
	assert_int_equal(driver_read(VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, max_discard_seg)), 1);
	assert_true((disk.virtio.features & VIRTIO_FEATURE(VIRTIO_BLK_F_RO)) == 0);
	b.flush = b.discard = b.write_zeroes = false;
	b.read_only = true;
	make(b, one_queue);
	assert_true((disk.virtio.features & VIRTIO_FEATURE(VIRTIO_BLK_F_RO)) != 0);
	assert_true((disk.virtio.features &
		     (FLUSH | VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD) | VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES))) == 0);
}

static void test_read(void **state)
{
	(void)state;
	memory_mark_code(&driver_vm.memory, DATA, true);
	ask(0, 0, VIRTIO_BLK_T_IN, 5, 1024, true);
	assert_int_equal(nr_waiting, 1);
	assert_true(nr_commits >= 1);
	assert_int_equal(status(0), STATUS_NONE);
	assert_false(driver_irq);
	end_and_poll();
	assert_int_equal(status(0), VIRTIO_BLK_S_OK);
	assert_int_equal(used_length(), 1025);
	assert_int_equal(*(uint8_t *)driver_memory(DATA), 6);
	assert_int_equal(*(uint8_t *)driver_memory(DATA + 1023), 7);
	assert_int_equal(driver_code_written, 1);
	assert_true(driver_irq);
}

static void test_write(void **state)
{
	(void)state;
	memset(driver_memory(DATA), 0xaa, 512);
	ask(0, 0, VIRTIO_BLK_T_OUT, 63, 512, false);
	end_and_poll();
	assert_int_equal(status(0), VIRTIO_BLK_S_OK);
	assert_int_equal(used_length(), 1);
	assert_int_equal(bytes[DISK - 1], 0xaa);
	assert_int_equal(bytes[DISK - 513], 63);
	assert_int_equal(flushes_done, 0);
}

/** Requests end in any order, and more may come meanwhile. */
static void test_several_in_flight(void **state)
{
	struct driver_used used;

	(void)state;
	ask(0, 0, VIRTIO_BLK_T_IN, 1, 512, true);
	ask(0, 1, VIRTIO_BLK_T_IN, 2, 512, true);
	assert_int_equal(nr_waiting, 2);
	end_and_poll();
	assert_true(driver_take_used(0, &used));
	assert_int_equal(used.id, 3);
	assert_true(driver_take_used(0, &used));
	assert_int_equal(used.id, 0);
	assert_int_equal(*(uint8_t *)driver_memory(DATA), 2);
	assert_int_equal(*(uint8_t *)driver_memory(DATA + 0x1000), 3);
}

/** A request in pieces that have nothing to do with its parts (2.7.4). */
static void test_any_layout(void **state)
{
	struct virtio_blk_outhdr *h = driver_memory(HEADER);
	const struct driver_buffer b[] = {
		{ HEADER, 3, false }, { HEADER + 3, 13, false }, { DATA, 100, true }, { DATA + 100, 413, true }
	};

	(void)state;
	*h = (struct virtio_blk_outhdr){ .type = VIRTIO_BLK_T_IN, .sector = 9 };
	driver_add(0, 0, b, 4);
	driver_notify(0);
	end_and_poll();
	assert_int_equal(*(uint8_t *)driver_memory(DATA), 10);
	assert_int_equal(*(uint8_t *)driver_memory(DATA + 511), 10);
	assert_int_equal(*(uint8_t *)driver_memory(DATA + 512), VIRTIO_BLK_S_OK);
	assert_int_equal(used_length(), 513);
}

static void test_flush(void **state)
{
	(void)state;
	ask(0, 0, VIRTIO_BLK_T_FLUSH, 0, 0, false);
	assert_int_equal(waiting[0]->op, BLOCK_FLUSH);
	end_and_poll();
	assert_int_equal(status(0), VIRTIO_BLK_S_OK);
}

/** A driver that does not flush gets its writes back when they are stable (5.2.6.2). */
static void test_driver_without_flush(void **state)
{
	(void)state;
	driver_start(0, 1);
	ask(0, 0, VIRTIO_BLK_T_OUT, 0, 512, false);
	end_all();
	assert_int_equal(status(0), STATUS_NONE);
	assert_int_equal(nr_waiting, 1);
	assert_int_equal(waiting[0]->op, BLOCK_FLUSH);
	disk.io.poll(&disk.io);
	end_and_poll();
	assert_int_equal(flushes_done, 1);
	assert_int_equal(status(0), VIRTIO_BLK_S_OK);
}

static void erase(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes *range = driver_memory(DATA);

	*range = (struct virtio_blk_discard_write_zeroes){ .sector = sector, .num_sectors = sectors, .flags = flags };
	ask(0, 0, type, 0, sizeof(*range), false);
	if (nr_waiting != 0)
		end_and_poll();
	used_length();
}

static void test_erase(void **state)
{
	(void)state;
	erase(VIRTIO_BLK_T_WRITE_ZEROES, 2, 3, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	assert_int_equal(status(0), VIRTIO_BLK_S_OK);
	assert_int_equal(bytes[2 * 512 - 1], 2);
	assert_int_equal(bytes[2 * 512], 0);
	assert_int_equal(bytes[5 * 512], 6);
	erase(VIRTIO_BLK_T_DISCARD, 60, 4, 0);
	assert_int_equal(status(0), VIRTIO_BLK_S_OK);
	erase(VIRTIO_BLK_T_DISCARD, 60, 5, 0);
	assert_int_equal(status(0), VIRTIO_BLK_S_IOERR);
	erase(VIRTIO_BLK_T_DISCARD, UINT64_MAX, 1, 0);
	assert_int_equal(status(0), VIRTIO_BLK_S_IOERR);
	erase(VIRTIO_BLK_T_DISCARD, 0, 1, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	assert_int_equal(status(0), VIRTIO_BLK_S_UNSUPP);
	erase(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 2);
	assert_int_equal(status(0), VIRTIO_BLK_S_UNSUPP);
	assert_answer(VIRTIO_BLK_S_IOERR, VIRTIO_BLK_T_DISCARD, 0, 15, false);
	assert_answer(VIRTIO_BLK_S_IOERR, VIRTIO_BLK_T_DISCARD, 0, 32, false);
}

static void test_serial(void **state)
{
	struct virtio_blk_options options = one_queue;

	(void)state;
	ask(0, 0, VIRTIO_BLK_T_GET_ID, 0, 20, true);
	assert_memory_equal(driver_memory(DATA), "back end\0\0\0\0\0\0\0\0\0\0\0", 20);
	assert_int_equal(used_length(), 21);
	options.serial = "12345678901234567890";
	make(good, options);
	driver_start(FLUSH, 1);
	ask(0, 0, VIRTIO_BLK_T_GET_ID, 0, 20, true);
	assert_memory_equal(driver_memory(DATA), "12345678901234567890", 20);
	options.serial = "123456789012345678901";
	assert_int_equal(virtio_blk_init(&disk, &options, &driver_vm.memory, &block), -EINVAL);
	assert_non_null(strstr(fake_log, "longer than 20"));
}

static void test_wrong_requests(void **state)
{
	(void)state;
	assert_answer(VIRTIO_BLK_S_IOERR, VIRTIO_BLK_T_IN, 63, 1024, true);
	assert_answer(VIRTIO_BLK_S_IOERR, VIRTIO_BLK_T_IN, 64, 512, true);
	assert_answer(VIRTIO_BLK_S_IOERR, VIRTIO_BLK_T_IN, 1ull << 55, 512, true);
	assert_answer(VIRTIO_BLK_S_IOERR, VIRTIO_BLK_T_OUT, UINT64_MAX, 512, false);
	assert_answer(VIRTIO_BLK_S_IOERR, VIRTIO_BLK_T_IN, 0, 500, true);
	assert_answer(VIRTIO_BLK_S_UNSUPP, 99, 0, 512, true);
	assert_int_equal(disk.errors, 6);
}

static void test_read_only(void **state)
{
	struct block b = good;

	(void)state;
	b.read_only = true;
	b.flush = false;
	make(b, one_queue);
	driver_start(0, 1);
	assert_answer(VIRTIO_BLK_S_IOERR, VIRTIO_BLK_T_OUT, 0, 512, false);
	assert_answer(VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_T_FLUSH, 0, 0, false);
	ask(0, 0, VIRTIO_BLK_T_IN, 0, 512, true);
	assert_int_equal(nr_waiting, 1);
}

static void test_failing_disk(void **state)
{
	(void)state;
	result = -EIO;
	ask(0, 0, VIRTIO_BLK_T_IN, 0, 512, true);
	end_and_poll();
	assert_int_equal(status(0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(used_length(), 1);
	result = -ENOTSUP;
	ask(0, 0, VIRTIO_BLK_T_FLUSH, 0, 0, false);
	end_and_poll();
	assert_int_equal(status(0), VIRTIO_BLK_S_UNSUPP);
}

static void assert_stopped(void)
{
	assert_true((disk.virtio.status & VIRTIO_CONFIG_S_NEEDS_RESET) != 0);
	driver_start(FLUSH, 1);
}

static void test_broken_requests(void **state)
{
	(void)state;
	driver_add(0, 0, &(struct driver_buffer){ HEADER, 15, false }, 1);
	driver_notify(0);
	assert_stopped();
	driver_add(0, 0, &(struct driver_buffer){ HEADER, 16, false }, 1);
	driver_notify(0);
	assert_stopped();
	driver_add(0, 0, (const struct driver_buffer[]){ { HEADER, 15, false }, { STATUS, 1, true } }, 2);
	driver_notify(0);
	assert_stopped();
	/* One that the device still has. */
	ask(0, 0, VIRTIO_BLK_T_IN, 0, 512, true);
	ask(0, 0, VIRTIO_BLK_T_IN, 0, 512, true);
	assert_int_equal(nr_waiting, 1);
	assert_stopped();
}

/** After a reset nothing of what was in flight touches the guest any more. */
static void test_reset_while_busy(void **state)
{
	struct driver_used used;

	(void)state;
	ask(0, 0, VIRTIO_BLK_T_IN, 0, 512, true);
	ask(0, 1, VIRTIO_BLK_T_OUT, 0, 512, false);
	driver_write(VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(nr_waiting, 0);
	assert_true(nr_drains >= 1);
	assert_int_equal(disk.in_flight, 0);
	assert_false(driver_take_used(0, &used));
	assert_false(driver_irq);
	/* A driver that does not flush has a flush behind each write. */
	driver_start(0, 1);
	ask(0, 0, VIRTIO_BLK_T_OUT, 0, 512, false);
	driver_write(VIRTIO_MMIO_QUEUE_SEL, 0);
	driver_write(VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(disk.in_flight, 0);
	assert_int_equal(flushes_done, 1);
	driver_start(FLUSH, 1);
	ask(0, 0, VIRTIO_BLK_T_IN, 0, 512, true);
	end_and_poll();
	assert_int_equal(status(0), VIRTIO_BLK_S_OK);
}

/* One queue goes back to its start, with what was under way; the device goes on. */
static void test_reset_of_a_queue(void **state)
{
	struct driver_used used;

	(void)state;
	driver_start(FLUSH | VIRTIO_FEATURE(VIRTIO_F_RING_RESET), 1);
	ask(0, 0, VIRTIO_BLK_T_IN, 0, 512, true);
	driver_write(VIRTIO_MMIO_QUEUE_SEL, 0);
	driver_write(VIRTIO_MMIO_QUEUE_RESET, 1);
	assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_RESET), 0);
	assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(disk.in_flight, 0);
	assert_int_equal(disk.queues[0].descriptor_gpa, 0);
	assert_false(driver_take_used(0, &used));
	assert_false(driver_irq);
	driver_queue(0);
	ask(0, 0, VIRTIO_BLK_T_IN, 0, 512, true);
	end_and_poll();
	assert_int_equal(status(0), VIRTIO_BLK_S_OK);
	assert_true(driver_take_used(0, &used));
	/* Not agreed upon: no such register. */
	driver_start(FLUSH, 1);
	driver_write(VIRTIO_MMIO_QUEUE_RESET, 1);
	assert_int_equal(driver_read(VIRTIO_MMIO_QUEUE_READY), 1);
}

static void test_queues(void **state)
{
	struct virtio_blk_options options = one_queue;
	struct driver_used used;

	(void)state;
	options.queues = 3;
	make(good, options);
	assert_int_equal(disk.config.num_queues, 3);
	driver_start(FLUSH | VIRTIO_FEATURE(VIRTIO_BLK_F_MQ), 3);
	ask(2, 0, VIRTIO_BLK_T_IN, 0, 512, true);
	ask(1, 1, VIRTIO_BLK_T_IN, 0, 512, true);
	end_and_poll();
	assert_false(driver_take_used(0, &used));
	assert_true(driver_take_used(1, &used));
	assert_int_equal(used.id, 3);
	assert_true(driver_take_used(2, &used));
	assert_int_equal(used.id, 0);
}

static void test_no_memory(void **state)
{
	(void)state;
	fake_pages_left = 100;
	assert_int_equal(virtio_blk_init(&disk, &one_queue, &driver_vm.memory, &block), -ENOMEM);
	assert_non_null(strstr(fake_log, "disk0: no memory for its requests"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_configuration, setup),
		cmocka_unit_test_setup(test_read, setup),
		cmocka_unit_test_setup(test_write, setup),
		cmocka_unit_test_setup(test_several_in_flight, setup),
		cmocka_unit_test_setup(test_any_layout, setup),
		cmocka_unit_test_setup(test_flush, setup),
		cmocka_unit_test_setup(test_driver_without_flush, setup),
		cmocka_unit_test_setup(test_erase, setup),
		cmocka_unit_test_setup(test_serial, setup),
		cmocka_unit_test_setup(test_wrong_requests, setup),
		cmocka_unit_test_setup(test_read_only, setup),
		cmocka_unit_test_setup(test_failing_disk, setup),
		cmocka_unit_test_setup(test_broken_requests, setup),
		cmocka_unit_test_setup(test_reset_while_busy, setup),
		cmocka_unit_test_setup(test_reset_of_a_queue, setup),
		cmocka_unit_test_setup(test_queues, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
