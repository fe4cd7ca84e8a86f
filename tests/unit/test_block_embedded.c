/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/block-embedded/embedded.c features/block-embedded/overlay.c core/block.c core/io.c core/log.c */
/* sources: core/payload.c core/elf.c core/memory.c tests/unit/fake_platform.c */
/* The disk in the image: what is written hides what is embedded, and only that. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <husk/block.h>
#include <husk/vm.h>

#include "features/block-embedded/overlay.h"
#include "tests/unit/fake_platform.h"

#define PAGE OVERLAY_PAGE
/* The last page of what is embedded is not a full one. */
#define EMBEDDED (4 * PAGE + 1000)
#define SIZE     ((uint64_t)1 << 20)

static uint8_t content[EMBEDDED], model[SIZE];
static struct payload_part part = { .kind = PAYLOAD_DISK, .name = "disk", .data = content, .size = EMBEDDED };
static struct payload payload = { .parts = &part, .count = 1 };
static struct vm vm;
static struct vcpu vcpu;
static unsigned ended;

static int setup(void **state)
{
	(void)state;
	fake_reset();
	for (size_t i = 0; i < EMBEDDED; i++)
		content[i] = (uint8_t)(i * 3 + i / 256);
	memset(model, 0, sizeof(model));
	memcpy(model, content, EMBEDDED);
	payload.count = 1;
	vm = (struct vm){ .payload = &payload, .vcpus = { &vcpu } };
	vcpu = (struct vcpu){ .vm = &vm };
	ended = 0;
	return 0;
}

static void on_done(struct block_request *r)
{
	(void)r;
	ended++;
}

static int perform(struct block *b, struct block_request *r)
{
	r->done = on_done;
	assert_int_equal(block_check(b, r), 0);
	block_submit(b, r);
	block_commit(b);
	assert_true(vcpu_take_attention(&vcpu) & ATTN_IO);
	block_poll(b);
	return r->result;
}

static int move(struct block *b, enum block_op op, uint64_t offset, uint8_t *memory, size_t size)
{
	size_t half = size / 2;
	const struct io_vector v[] = { { memory, half }, { memory + half, size - half } };
	struct block_request r = { .op = op, .offset = offset, .size = size, .vectors = v, .nr_vectors = 2 };

	return perform(b, &r);
}

static int zero(struct block *b, enum block_op op, uint64_t offset, size_t size)
{
	struct block_request r = { .op = op, .offset = offset, .size = size };

	return perform(b, &r);
}

static struct block *opened(void)
{
	struct block *b = NULL;

	assert_int_equal(block_open(&vm, "embedded:size=1", &b), 0);
	assert_int_equal(b->size, SIZE);
	return b;
}

static void expect_model(struct block *b)
{
	static uint8_t all[SIZE];

	assert_int_equal(move(b, BLOCK_READ, 0, all, SIZE), 0);
	assert_memory_equal(all, model, SIZE);
}

static void test_behind_what_is_embedded_there_are_zeroes(void **state)
{
	struct block *b = opened();

	(void)state;
	expect_model(b);
	assert_int_equal(ended, 1);
	assert_int_equal(block_open(&vm, "embedded", &b), 0);
	assert_int_equal(b->size, 5 * PAGE);
}

static void test_random_changes_are_those_of_a_model(void **state)
{
	struct block *b = opened();
	static uint8_t data[16 * 512];

	(void)state;
	srand(7);
	for (unsigned i = 0; i < 2000; i++) {
		size_t size = ((unsigned)rand() % 40 + 1) * 512, offset = (unsigned)rand() % 100 * 512;

		if (rand() % 2 == 0 && size <= sizeof(data)) {
			memset(data, rand(), sizeof(data));
			assert_int_equal(move(b, BLOCK_WRITE, offset, data, size), 0);
			memcpy(model + offset, data, size);
		} else {
			assert_int_equal(zero(b, i % 3 ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES, offset, size), 0);
			memset(model + offset, 0, size);
		}
	}
	expect_model(b);
	assert_int_equal(content[5], (uint8_t)15);
}

static void test_the_end_of_memory_is_no_space(void **state)
{
	static uint8_t data[300 * PAGE];
	struct block *b = NULL;

	(void)state;
	assert_int_equal(block_open(&vm, "embedded:size=2", &b), 0);
	fake_pages_left = 256 * PAGE;
	memset(data, 1, sizeof(data));
	assert_int_equal(move(b, BLOCK_WRITE, 0, data, sizeof(data)), -ENOSPC);
	assert_non_null(strstr(fake_log, "no memory for what the guest writes"));
	/* Discarded pages serve again. */
	assert_int_equal(zero(b, BLOCK_DISCARD, 0, 100 * PAGE), 0);
	assert_int_equal(move(b, BLOCK_WRITE, 200 * PAGE, data, 100 * PAGE), 0);
	assert_int_equal(move(b, BLOCK_WRITE, 0, data, PAGE), 0);
}

static void expect_refusal(const char *spec, int error, const char *why)
{
	struct block *b = NULL;

	fake_clear_text();
	assert_int_equal(block_open(&vm, spec, &b), error);
	assert_null(b);
	assert_non_null(strstr(fake_log, why));
}

static void test_what_cannot_be_opened_is_explained(void **state)
{
	(void)state;
	expect_refusal("embedded:size=0", -EINVAL, "with 1 MiB or more");
	expect_refusal("embedded:size=", -EINVAL, "write embedded, or embedded:size=MIB");
	expect_refusal("embedded:size=9x", -EINVAL, "write embedded");
	expect_refusal("embedded:size=99999999999999", -EINVAL, "write embedded");
	expect_refusal("embedded:big", -EINVAL, "write embedded");
	payload.count = 0;
	expect_refusal("embedded", -ENOENT, "no disk is embedded in this image; choose one");
	payload.count = 1;
	fake_pages_left = 5000;
	expect_refusal("embedded:size=16", -ENOMEM, "no memory for its table");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_behind_what_is_embedded_there_are_zeroes, setup),
		cmocka_unit_test_setup(test_random_changes_are_those_of_a_model, setup),
		cmocka_unit_test_setup(test_the_end_of_memory_is_no_space, setup),
		cmocka_unit_test_setup(test_what_cannot_be_opened_is_explained, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
