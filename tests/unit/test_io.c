/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c core/io.c core/block.c core/net.c core/log.c tests/unit/fake_platform.c */
/* Vectors, specs, finding back ends, and the border that requests of guests pass. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/block.h>
#include <husk/log.h>
#include <husk/net.h>
#include <husk/vm.h>

#include "tests/unit/fake_platform.h"

static struct block probe_disk = { .size = 8192, .granularity = 1024 };
static const char *opened_with;

static int open_probe(struct vm *vm, const char *spec, const char *arguments, struct block **out)
{
	(void)vm;
	(void)spec;
	opened_with = arguments;
	*out = &probe_disk;
	return 0;
}

HUSK_BLOCK_DRIVER(probe) = { .scheme = "probe", .usage = "PATH", .open = open_probe };

static int open_wire(struct vm *vm, const char *spec, const char *arguments, struct net **out)
{
	(void)vm;
	(void)spec;
	(void)out;
	opened_with = arguments;
	return -ENOENT;
}

HUSK_NET_DRIVER(wire) = { .scheme = "wire", .usage = "", .open = open_wire };

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_INFO);
	opened_with = NULL;
	probe_disk = (struct block){ .size = 8192, .granularity = 1024 };
	return 0;
}

static void test_a_spec_is_opened_by_its_scheme(void **state)
{
	struct block *b = NULL;
	struct net *n = NULL;

	(void)state;
	assert_int_equal(block_open(NULL, "probe:a.img,direct", &b), 0);
	assert_ptr_equal(b, &probe_disk);
	assert_string_equal(opened_with, "a.img,direct");
	assert_non_null(strstr(fake_log, "disk 'probe:a.img,direct': 8 KiB\n"));
	assert_int_equal(block_open(NULL, "probe", &b), 0);
	assert_string_equal(opened_with, "");
	assert_int_equal(net_open(NULL, "wire:x", &n), -ENOENT);
	assert_string_equal(opened_with, "x");
}

static void test_an_unknown_scheme_lists_what_there_is(void **state)
{
	struct block *b = NULL;
	struct net *n = NULL;

	(void)state;
	assert_int_equal(block_open(NULL, "prob:a.img", &b), -ENODEV);
	assert_non_null(strstr(fake_log, "disk 'prob:a.img': this image has no such back end"));
	assert_non_null(strstr(fake_log, "  probe:PATH\n"));
	assert_int_equal(net_open(NULL, "probe:a.img", &n), -ENODEV);
	assert_non_null(strstr(fake_log, "  wire\n"));
	assert_null(opened_with);
}

static void test_words_of_a_spec(void **state)
{
	const char *at = "disk.img,,readonly";
	char word[9];

	(void)state;
	assert_int_equal(io_next_word(&at, word, sizeof(word)), 8);
	assert_string_equal(word, "disk.img");
	assert_int_equal(io_next_word(&at, word, sizeof(word)), 0);
	assert_string_equal(word, "");
	assert_int_equal(io_next_word(&at, word, 8), -EINVAL);
	assert_int_equal(io_next_word(&at, word, sizeof(word)), 8);
	assert_string_equal(word, "readonly");
	assert_int_equal(io_next_word(&at, word, sizeof(word)), -ENOENT);
}

static void test_vectors_are_one_run_of_bytes(void **state)
{
	char a[4] = "abc", b[1], c[4] = "def", out[8] = "";
	const struct io_vector v[] = { { a, 3 }, { b, 0 }, { c, 3 } };

	(void)state;
	assert_int_equal(io_vectors_size(v, 3), 6);
	assert_int_equal(io_vectors_read(v, 3, 0, out, sizeof(out)), 6);
	assert_string_equal(out, "abcdef");
	assert_int_equal(io_vectors_read(v, 3, 2, out, 2), 2);
	assert_memory_equal(out, "cd", 2);
	assert_int_equal(io_vectors_read(v, 3, 6, out, 2), 0);
	assert_int_equal(io_vectors_write(v, 3, 3, "xyz!", 4), 3);
	assert_string_equal(a, "abc");
	assert_memory_equal(c, "xyz", 3);
}

static int check(enum block_op op, uint64_t offset, uint64_t size, size_t vector)
{
	static char memory[16];
	const struct io_vector v = { memory, vector };
	const struct block_request r = { .op = op, .offset = offset, .size = size, .vectors = &v, .nr_vectors = 1 };

	return block_check(&probe_disk, &r);
}

static void test_requests_outside_of_the_disk_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check(BLOCK_READ, 0, 8192, 8192), 0);
	assert_int_equal(check(BLOCK_READ, 7168, 1024, 1024), 0);
	assert_int_equal(check(BLOCK_READ, 8192, 1024, 1024), -EINVAL);
	assert_int_equal(check(BLOCK_WRITE, 1024, 8192, 8192), -EINVAL);
	assert_int_equal(check(BLOCK_WRITE, UINT64_MAX - 1023, 1024, 1024), -EINVAL);
	assert_int_equal(check(BLOCK_READ, 1024, UINT64_MAX - 1023, 0), -EINVAL);
	assert_int_equal(check(BLOCK_READ, 512, 1024, 1024), -EINVAL);
	assert_int_equal(check(BLOCK_READ, 0, 512, 512), -EINVAL);
	assert_int_equal(check(BLOCK_READ, 0, 1024, 1023), -EINVAL);
}

static void test_requests_that_the_disk_does_not_have_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check(BLOCK_FLUSH, 0, 0, 0), -ENOTSUP);
	assert_int_equal(check(BLOCK_DISCARD, 0, 1024, 0), -ENOTSUP);
	assert_int_equal(check((enum block_op)77, 0, 1024, 0), -ENOTSUP);
	probe_disk.flush = probe_disk.discard = probe_disk.write_zeroes = true;
	assert_int_equal(check(BLOCK_FLUSH, UINT64_MAX, 1, 0), 0);
	assert_int_equal(check(BLOCK_DISCARD, 0, 1024, 0), 0);
	assert_int_equal(check(BLOCK_WRITE_ZEROES, 8192, 1024, 0), -EINVAL);
	probe_disk.read_only = true;
	assert_int_equal(check(BLOCK_WRITE, 0, 1024, 1024), -EROFS);
	assert_int_equal(check(BLOCK_DISCARD, 0, 1024, 0), -EROFS);
	assert_int_equal(check(BLOCK_READ, 0, 1024, 1024), 0);
	assert_int_equal(check(BLOCK_FLUSH, 0, 0, 0), 0);
}

static char polled[8];

static void poll_a(struct io_client *c)
{
	(void)c;
	strcat(polled, "a");
}

static void poll_b(struct io_client *c)
{
	(void)c;
	strcat(polled, "b");
}

static void test_clients_are_polled_in_order(void **state)
{
	static struct io_client a = { .poll = poll_a }, b = { .poll = poll_b };
	static struct vm vm;
	static struct vcpu vcpu;

	(void)state;
	vm.vcpus[0] = &vcpu;
	io_poll(&vm);
	io_attach(&vm, &a);
	io_attach(&vm, &b);
	io_poll(&vm);
	assert_string_equal(polled, "ab");
	io_kick(&vm);
	assert_int_equal(vcpu_attention(&vcpu), ATTN_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_spec_is_opened_by_its_scheme, setup),
		cmocka_unit_test_setup(test_an_unknown_scheme_lists_what_there_is, setup),
		cmocka_unit_test_setup(test_words_of_a_spec, setup),
		cmocka_unit_test_setup(test_vectors_are_one_run_of_bytes, setup),
		cmocka_unit_test_setup(test_requests_outside_of_the_disk_are_refused, setup),
		cmocka_unit_test_setup(test_requests_that_the_disk_does_not_have_are_refused, setup),
		cmocka_unit_test_setup(test_clients_are_polled_in_order, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
