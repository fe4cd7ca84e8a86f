/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c arch/x86_64/pc/disk/disk.c arch/x86_64/pc/disk/open.c arch/x86_64/pc/disk/partition.c */
/* sources: arch/x86_64/pc/pci/pci.c core/block.c core/io.c core/log.c tests/unit/fake_platform.c tests/unit/fake_pci.c */
/* Requests divided by the limits of a device that is memory here; PCI devices of a fake bus. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <husk/vm.h>

#include "arch/x86_64/pc/disk/disk.h"
#include "tests/unit/fake_pci.h"
#include "tests/unit/fake_platform.h"

#define SIZE (1u << 20)
#define PAGE 4096u

static uint8_t store[SIZE], model[SIZE];
static struct vm vm;
static struct vcpu vcpu;
static unsigned commands, rung, done_calls;
static unsigned queue[DISK_SLOTS], nr_queue;
static bool fail_next, silent;

/* The device: does everything when its doorbell rings. */
static void fake_issue(struct disk *d, unsigned s)
{
	const struct disk_slot *slot = &d->slots[s];

	assert_true(slot->nr_segments <= d->max_segments);
	if (slot->request->op == BLOCK_READ || slot->request->op == BLOCK_WRITE) {
		assert_true(slot->size <= d->max_bytes && slot->size != 0);
		assert_int_equal(io_vectors_size(slot->segments, slot->nr_segments), slot->size);
		assert_int_equal(slot->size % d->block.granularity, 0);
	}
	for (unsigned i = 0; d->whole_pages && i < slot->nr_segments; i++) {
		uintptr_t start = (uintptr_t)slot->segments[i].base, end = start + slot->segments[i].size;

		assert_true(i == 0 ? start % 4 == 0 : start % PAGE == 0);
		assert_true(i + 1 == slot->nr_segments || end % PAGE == 0);
	}
	commands++;
	queue[nr_queue++] = s;
}

static void fake_ring(struct disk *d)
{
	(void)d;
	rung++;
}

static void fake_reap(struct disk *d)
{
	unsigned slots[DISK_SLOTS], n = nr_queue;

	if (silent) {
		fake_now += 1000000000;
		return;
	}
	memcpy(slots, queue, sizeof(queue));
	nr_queue = 0;
	/* Backwards: commands end in any order. */
	while (n-- > 0) {
		const struct disk_slot *s = &d->slots[slots[n]];
		const struct block_request *r = s->request;
		uint8_t *at = store + d->start + r->offset + s->at;

		if (r->op == BLOCK_WRITE)
			io_vectors_read(s->segments, s->nr_segments, 0, at, s->size);
		else if (r->op == BLOCK_READ)
			io_vectors_write(s->segments, s->nr_segments, 0, at, s->size);
		else if (r->op != BLOCK_FLUSH)
			memset(at, 0, s->size);
		disk_ended(d, slots[n], fail_next);
		fail_next = false;
	}
}

static const struct disk_ops fake_ops = { .issue = fake_issue, .ring = fake_ring, .reap = fake_reap };

static struct disk make(unsigned segments, uint64_t bytes, bool pages, unsigned slots)
{
	struct disk d = { .block = { .ops = &disk_block_ops,
				     .name = "test",
				     .size = SIZE,
				     .granularity = 512,
				     .flush = true,
				     .discard = true,
				     .write_zeroes = true },
			  .ops = &fake_ops,
			  .vm = &vm,
			  .max_bytes = bytes,
			  .max_discard = 4096,
			  .max_zero = 8192,
			  .max_segments = segments,
			  .whole_pages = pages,
			  .nr_slots = slots };

	assert_int_equal(disk_init(&d), 0);
	return d;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	vm = (struct vm){ .vcpus = { &vcpu } };
	vcpu = (struct vcpu){ .vm = &vm };
	commands = rung = done_calls = nr_queue = 0;
	fail_next = silent = false;
	memset(store, 0, sizeof(store));
	memset(model, 0, sizeof(model));
	return 0;
}

static void on_done(struct block_request *r)
{
	(void)r;
	done_calls++;
}

static int perform(struct disk *d, enum block_op op, uint64_t offset, const struct io_vector *v, unsigned nr,
		   uint64_t size)
{
	struct block_request r = {
		.op = op, .offset = offset, .size = size, .vectors = v, .nr_vectors = nr, .done = on_done
	};
	unsigned before = done_calls;

	assert_int_equal(block_check(&d->block, &r), 0);
	block_submit(&d->block, &r);
	block_drain(&d->block);
	assert_int_equal(done_calls, before + 1);
	return r.result;
}

/* Random requests with random vectors, against a model. */
static void expect_model(struct disk d)
{
	static uint8_t memory[32 * PAGE] __attribute__((aligned(4096)));
	static struct io_vector v[256];

	srand(3);
	for (unsigned round = 0; round < 500; round++) {
		uint64_t size = ((unsigned)rand() % 100 + 1) * 512, offset = (unsigned)rand() % 1900 * 512, left = size;
		unsigned nr = 0;
		uint8_t *at = memory + rand() % 4 * 512 + (round % 5 == 0 ? 3 : 0);

		while (left != 0) {
			size_t n = round % 3 == 0 ? (size_t)rand() % 700 + 1 : ((unsigned)rand() % 3 + 1) * PAGE;

			n = n < left ? n : (size_t)left;
			v[nr++] = (struct io_vector){ at, n };
			at += n;
			left -= n;
			if (nr == 255) {
				v[nr++] = (struct io_vector){ at, (size_t)left };
				left = 0;
			}
		}
		for (size_t i = 0; i < sizeof(memory); i++)
			memory[i] = (uint8_t)rand();
		if (rand() % 2 == 0) {
			assert_int_equal(perform(&d, BLOCK_WRITE, offset, v, nr, size), 0);
			io_vectors_read(v, nr, 0, model + offset, size);
		} else {
			static uint8_t got[SIZE];

			assert_int_equal(perform(&d, BLOCK_READ, offset, v, nr, size), 0);
			io_vectors_read(v, nr, 0, got, size);
			assert_memory_equal(got, model + offset, size);
		}
	}
	assert_memory_equal(store, model, SIZE);
}

static void test_any_request_with_few_segments(void **state)
{
	(void)state;
	expect_model(make(3, 8192, false, 2));
}

static void test_any_request_with_whole_pages(void **state)
{
	(void)state;
	expect_model(make(DISK_SEGMENTS, 65536, true, 8));
}

static void test_pages_in_a_row_are_one_command(void **state)
{
	static uint8_t memory[16 * PAGE] __attribute__((aligned(4096)));
	const struct io_vector v[] = { { memory + 512, PAGE - 512 },
				       { memory + 2 * PAGE, 3 * PAGE },
				       { memory + 8 * PAGE, 512 } };
	struct disk d = make(DISK_SEGMENTS, 1u << 20, true, 4);

	(void)state;
	assert_int_equal(perform(&d, BLOCK_WRITE, 0, v, 3, 4 * PAGE), 0);
	assert_int_equal(commands, 1);
	assert_int_equal(rung, 1);
}

static void test_ranges_are_divided_too(void **state)
{
	struct disk d = make(4, 4096, false, 4);

	(void)state;
	memset(store, 1, sizeof(store));
	assert_int_equal(perform(&d, BLOCK_DISCARD, 512, NULL, 0, 10000 / 512 * 512), 0);
	assert_int_equal(commands, 3);
	assert_int_equal(perform(&d, BLOCK_WRITE_ZEROES, 65536, NULL, 0, 8192), 0);
	assert_int_equal(commands, 4);
	assert_int_equal(perform(&d, BLOCK_FLUSH, 0, NULL, 0, 0), 0);
	assert_int_equal(commands, 5);
	assert_int_equal(store[511] + store[512 + 9728], 2);
	assert_int_equal(store[512] + store[512 + 9727] + store[65536 + 8191], 0);
}

static void test_more_requests_than_slots(void **state)
{
	enum { MANY = 20 };
	static uint8_t memory[512];
	const struct io_vector v = { memory, 512 };
	static struct block_request r[MANY];
	struct disk d = make(4, 4096, false, 3);

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		r[i] = (struct block_request){ .op = BLOCK_WRITE,
					       .offset = i * 512,
					       .size = 512,
					       .vectors = &v,
					       .nr_vectors = 1,
					       .done = on_done };
		block_submit(&d.block, &r[i]);
	}
	block_commit(&d.block);
	assert_int_equal(commands, 3);
	assert_int_equal(rung, 1);
	block_poll(&d.block);
	assert_int_equal(done_calls, 3);
	assert_true(vcpu_attention(&vcpu) & ATTN_IO);
	block_drain(&d.block);
	assert_int_equal(done_calls, MANY);
}

static void test_errors_and_silence(void **state)
{
	static uint8_t memory[512];
	const struct io_vector v = { memory, 512 };
	struct disk d = make(4, 4096, false, 3);

	(void)state;
	fail_next = true;
	assert_int_equal(perform(&d, BLOCK_READ, 0, &v, 1, 512), -EIO);
	assert_non_null(strstr(fake_log, "the device reports an error; the guest is told so"));
	assert_int_equal(perform(&d, BLOCK_READ, 0, &v, 1, 512), 0);
	silent = true;
	assert_int_equal(perform(&d, BLOCK_READ, 0, &v, 1, 512), -EIO);
	silent = false;
	/* It is not trusted any more. */
	assert_int_equal(perform(&d, BLOCK_READ, 0, &v, 1, 512), -EIO);
}

/* --- PCI and specs */

static bool is_nvme(pci_address a, uint32_t vendor_device, uint32_t class_code)
{
	(void)a;
	(void)vendor_device;
	return class_code == 0x010802;
}

static void test_devices_behind_bridges(void **state)
{
	pci_address a;

	(void)state;
	fake_pci_reset();
	fake_pci_add(0x0018, 0x12341111, 0x020000);
	fake_pci_add_bridge(0x0020, 1, 3);
	fake_pci_add(0x0100, 0x12342222, 0x010802);
	fake_pci_add(0x0300, 0x12343333, 0x010802);
	fake_pci_add(0x0500, 0x12344444, 0x010802); /* where no bridge leads */
	assert_int_equal(pci_find(is_nvme, 0, &a), 0);
	assert_int_equal(a, 0x0100);
	assert_int_equal(pci_find(is_nvme, 1, &a), 0);
	assert_int_equal(a, 0x0300);
	assert_int_equal(pci_find(is_nvme, 2, &a), -ENODEV);
}

static void test_a_bridge_to_itself_ends(void **state)
{
	pci_address a;

	(void)state;
	fake_pci_reset();
	fake_pci_add_bridge(0x0020, 0, 0);
	fake_pci_add_bridge(0x0028, 1, 0);
	assert_int_equal(pci_find(is_nvme, 0, &a), -ENODEV);
}

static void test_capabilities_that_go_round(void **state)
{
	(void)state;
	fake_pci_reset();
	fake_pci_add(0x0018, 0x12341111, 0x010802);
	fake_pci_capability(0x0018, 0x40, 0x09, 0x50);
	fake_pci_capability(0x0018, 0x50, 0x05, 0x40);
	assert_int_equal(pci_capability(0x0018, 0x09, 0), 0x40);
	assert_int_equal(pci_capability(0x0018, 0x05, 0), 0x50);
	assert_int_equal(pci_capability(0x0018, 0x11, 0), 0);
	assert_int_equal(pci_enable(0x0018, &vm), -ENOTSUP);
}

static void test_specs(void **state)
{
	struct disk_spec s;
	pci_address a;

	(void)state;
	assert_int_equal(disk_parse("x", "3", &s), 0);
	assert_int_equal(s.number, 3);
	assert_int_equal(disk_parse("x", "0,part=12,readonly", &s), 0);
	assert_int_equal(s.partition, 12);
	assert_true(s.read_only);
	assert_int_equal(disk_parse("x", "", &s), -EINVAL);
	assert_int_equal(disk_parse("x", "a", &s), -EINVAL);
	assert_int_equal(disk_parse("x", "0,part=0", &s), -EINVAL);
	assert_int_equal(disk_parse("x", "0,part=", &s), -EINVAL);
	assert_int_equal(disk_parse("x", "0,fast", &s), -EINVAL);
	fake_pci_reset();
	fake_pci_add(0x0018, 0x12341111, 0x010802);
	s = (struct disk_spec){ .number = 0 };
	assert_int_equal(disk_find("nvme:0", &s, is_nvme, "NVMe", &a), 0);
	assert_int_equal(disk_find("nvme:0", &s, is_nvme, "NVMe", &a), -EBUSY);
	s.number = 1;
	assert_int_equal(disk_find("nvme:1", &s, is_nvme, "NVMe", &a), -ENODEV);
	assert_non_null(strstr(fake_log, "no such PCI device (NVMe number 1, from 0 on)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_any_request_with_few_segments, setup),
		cmocka_unit_test_setup(test_any_request_with_whole_pages, setup),
		cmocka_unit_test_setup(test_pages_in_a_row_are_one_command, setup),
		cmocka_unit_test_setup(test_ranges_are_divided_too, setup),
		cmocka_unit_test_setup(test_more_requests_than_slots, setup),
		cmocka_unit_test_setup(test_errors_and_silence, setup),
		cmocka_unit_test_setup(test_devices_behind_bridges, setup),
		cmocka_unit_test_setup(test_a_bridge_to_itself_ends, setup),
		cmocka_unit_test_setup(test_capabilities_that_go_round, setup),
		cmocka_unit_test_setup(test_specs, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
