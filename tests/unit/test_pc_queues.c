/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: arch/x86_64/pc/virtio/ring.c arch/x86_64/pc/block-nvme/queue.c */
/* Virtqueues and NVMe queues from the driver's side, with a device that is the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_ring.h>

#include "arch/x86_64/pc/block-nvme/queue.h"
#include "arch/x86_64/pc/virtio/virtio.h"

/* --- virtqueues */

#define ENTRIES 8u

static uint8_t memory[8192] __attribute__((aligned(4096)));
static struct ring ring;
static uint16_t doorbell;

static int setup_ring(void **state)
{
	(void)state;
	assert_true(ring_bytes(ENTRIES) <= sizeof(memory));
	memset(memory, 0, sizeof(memory));
	ring_init(&ring, ENTRIES, memory);
	ring.notify = (uintptr_t)&doorbell;
	ring.number = 3;
	doorbell = UINT16_MAX;
	return 0;
}

/* The device: ends the chain with this head. */
static void use(uint32_t head, uint32_t written)
{
	uint16_t at = ring.used->idx;

	ring.used->ring[at % ENTRIES] = (struct vring_used_elem){ .id = head, .len = written };
	ring.used->idx = (uint16_t)(at + 1);
}

static uint16_t newest_head(void)
{
	return ring.avail->ring[(uint16_t)(ring.avail->idx - 1) % ENTRIES];
}

static void test_a_chain_is_what_the_device_sees(void **state)
{
	char a[3], b[5], c[7];
	const struct io_vector out[] = { { a, 3 }, { b, 5 } }, in = { c, 7 };
	const struct ring_chain chain = { .out = out, .nr_out = 2, .in = &in, .nr_in = 1 };
	const struct vring_desc *d;
	uint16_t token;
	uint32_t written;

	(void)state;
	assert_true(ring_add(&ring, &chain, 42));
	assert_int_equal(ring.avail->idx, 1);
	d = &ring.desc[newest_head()];
	assert_int_equal(d->addr, (uintptr_t)a);
	assert_int_equal(d->len, 3);
	assert_int_equal(d->flags, VRING_DESC_F_NEXT);
	d = &ring.desc[d->next];
	assert_int_equal(d->addr, (uintptr_t)b);
	assert_int_equal(d->flags, VRING_DESC_F_NEXT);
	d = &ring.desc[d->next];
	assert_int_equal(d->addr, (uintptr_t)c);
	assert_int_equal(d->flags, VRING_DESC_F_WRITE);
	assert_false(ring_take(&ring, &token, &written));
	use(newest_head(), 6);
	assert_true(ring_take(&ring, &token, &written));
	assert_int_equal(token, 42);
	assert_int_equal(written, 6);
	assert_int_equal(ring.nr_free, ENTRIES);
}

static void test_a_table_takes_one_descriptor(void **state)
{
	static struct vring_desc table[4];
	char a[3], b[5];
	const struct io_vector out = { a, 3 }, in = { b, 5 };
	const struct ring_chain chain = { .out = &out, .nr_out = 1, .in = &in, .nr_in = 1, .table = table };
	const struct vring_desc *d;

	(void)state;
	for (unsigned i = 0; i < ENTRIES; i++)
		assert_true(ring_add(&ring, &chain, (uint16_t)i));
	assert_false(ring_add(&ring, &chain, 9));
	d = &ring.desc[newest_head()];
	assert_int_equal(d->flags, VRING_DESC_F_INDIRECT);
	assert_int_equal(d->addr, (uintptr_t)table);
	assert_int_equal(d->len, 2 * sizeof(table[0]));
	assert_int_equal(table[0].flags, VRING_DESC_F_NEXT);
	assert_int_equal(table[0].next, 1);
	assert_int_equal(table[1].flags, VRING_DESC_F_WRITE);
}

static void test_any_order_for_a_long_time(void **state)
{
	char a[4];
	const struct io_vector v[] = { { a, 1 }, { a, 2 }, { a, 3 } };
	uint16_t heads[ENTRIES], tokens[ENTRIES], token;
	unsigned out = 0;
	uint32_t written;

	(void)state;
	srand(5);
	for (unsigned i = 0; i < 100000; i++) {
		const struct ring_chain chain = { .out = v, .nr_out = (unsigned)rand() % 3 + 1 };

		if (ring_add(&ring, &chain, (uint16_t)i)) {
			heads[out] = newest_head();
			tokens[out++] = (uint16_t)i;
		}
		if (out != 0 && rand() % 2 == 0) {
			unsigned n = (unsigned)rand() % out;

			use(heads[n], n);
			assert_true(ring_take(&ring, &token, &written));
			assert_int_equal(token, tokens[n]);
			heads[n] = heads[--out];
			tokens[n] = tokens[out];
		}
	}
}

static void test_a_broken_device(void **state)
{
	char a[4];
	const struct io_vector v = { a, 4 };
	const struct ring_chain chain = { .out = &v, .nr_out = 1 };
	uint16_t token;
	uint32_t written;

	(void)state;
	assert_true(ring_add(&ring, &chain, 1));
	use(ENTRIES, 0);
	use(UINT32_MAX, 0);
	use((newest_head() + 1u) % ENTRIES, 0);
	assert_false(ring_take(&ring, &token, &written));
	use(newest_head(), 0);
	use(newest_head(), 0);
	assert_true(ring_take(&ring, &token, &written));
	assert_false(ring_take(&ring, &token, &written));
	assert_int_equal(ring.nr_free, ENTRIES);
}

static void test_the_doorbell(void **state)
{
	(void)state;
	ring_notify(&ring);
	assert_int_equal(doorbell, 3);
	doorbell = UINT16_MAX;
	ring.used->flags = VRING_USED_F_NO_NOTIFY;
	ring_notify(&ring);
	assert_int_equal(doorbell, UINT16_MAX);
}

/* --- NVMe */

static struct nvme_command commands[4];
static struct nvme_completion completions[4];
static uint32_t tail_doorbell, head_doorbell;
static struct nvme_queue queue;

static int setup_queue(void **state)
{
	(void)state;
	memset(completions, 0, sizeof(completions));
	nvme_queue_init(&queue, 4, commands, completions);
	queue.tail_doorbell = &tail_doorbell;
	queue.head_doorbell = &head_doorbell;
	return 0;
}

static void test_completions_by_their_phase(void **state)
{
	uint16_t id, status, at = 0;
	bool phase = true;

	(void)state;
	for (uint16_t i = 0; i < 50; i++) {
		const struct nvme_command c = { .opcode = 2, .id = i };

		nvme_queue_add(&queue, &c);
		nvme_queue_ring(&queue);
		assert_int_equal(commands[i % 4].id, i);
		assert_int_equal(tail_doorbell, (i + 1) % 4);
		assert_false(nvme_queue_take(&queue, &id, &status));
		completions[at] =
			(struct nvme_completion){ .id = i, .status = (uint16_t)((i % 7 == 0 ? 0x80 << 1 : 0) | phase) };
		assert_true(nvme_queue_take(&queue, &id, &status));
		assert_int_equal(id, i);
		assert_int_equal(status, i % 7 == 0 ? 0x80 : 0);
		nvme_queue_taken(&queue);
		at = (uint16_t)((at + 1) % 4);
		phase = at == 0 ? !phase : phase;
		assert_int_equal(head_doorbell, at);
	}
}

static uint64_t list[NVME_PAGE / 8];

static void *at_page(uint64_t page, uint64_t offset)
{
	return (void *)(uintptr_t)(page * NVME_PAGE + offset);
}

static void test_pointers_to_pages(void **state)
{
	struct nvme_command c = { 0 };
	struct io_vector v[3] = { { at_page(10, 512), 1024 } };

	(void)state;
	assert_true(nvme_set_prps(&c, v, 1, list));
	assert_int_equal(c.prp1, 10 * NVME_PAGE + 512);
	assert_int_equal(c.prp2, 0);
	v[0].size = NVME_PAGE;
	assert_true(nvme_set_prps(&c, v, 1, list));
	assert_int_equal(c.prp2, 11 * NVME_PAGE);
	v[0].size = NVME_PAGE - 512;
	v[1] = (struct io_vector){ at_page(20, 0), 2 * NVME_PAGE };
	v[2] = (struct io_vector){ at_page(30, 0), 512 };
	assert_true(nvme_set_prps(&c, v, 3, list));
	assert_int_equal(c.prp2, (uintptr_t)list);
	assert_int_equal(list[0], 20 * NVME_PAGE);
	assert_int_equal(list[1], 21 * NVME_PAGE);
	assert_int_equal(list[2], 30 * NVME_PAGE);
	v[0] = (struct io_vector){ at_page(1000, 0), 513 * NVME_PAGE };
	assert_true(nvme_set_prps(&c, v, 1, list));
	v[0].size++;
	assert_false(nvme_set_prps(&c, v, 1, list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_chain_is_what_the_device_sees, setup_ring),
		cmocka_unit_test_setup(test_a_table_takes_one_descriptor, setup_ring),
		cmocka_unit_test_setup(test_any_order_for_a_long_time, setup_ring),
		cmocka_unit_test_setup(test_a_broken_device, setup_ring),
		cmocka_unit_test_setup(test_the_doorbell, setup_ring),
		cmocka_unit_test_setup(test_completions_by_their_phase, setup_queue),
		cmocka_unit_test_setup(test_pointers_to_pages, setup_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
