/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c arch/x86_64/linux/block-file/file.c arch/x86_64/linux/block-file/open.c */
/* sources: arch/x86_64/linux/block-file/worker.c core/block.c core/io.c core/log.c */
/* sources: tests/unit/fake_platform.c tests/unit/fake_threads.c */
/* The disk in a file, on files of this system with real threads and real system calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <husk/block.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "tests/unit/fake_platform.h"

#define SIZE  (1u << 20)
#define BLOCK 4096u

static struct vm vm;
static struct vcpu vcpu;
static char path[64], spec[128];
static unsigned ended;

static int setup(void **state)
{
	int fd;

	(void)state;
	fake_clear_text(); /* no fake_reset(): threads of disks live on, and so does their memory */
	log_set_level(LOG_INFO);
	vm = (struct vm){ .vcpus = { &vcpu } };
	vcpu = (struct vcpu){ .vm = &vm };
	ended = 0;
	/* Not in /tmp, which may be a tmpfs without O_DIRECT. */
	strcpy(path, "/var/tmp/husk-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static int open_with(const char *options, struct block **b)
{
	static char texts[64][128];
	static unsigned used;
	char *text = texts[used++];

	snprintf(text, sizeof(texts[0]), "file:%s%s", path, options);
	strcpy(spec, text);
	return block_open(&vm, text, b);
}

static struct block *opened(const char *options)
{
	struct block *b = NULL;

	assert_int_equal(open_with(options, &b), 0);
	return b;
}

static void on_done(struct block_request *r)
{
	(void)r;
	ended++;
}

static struct block_request make(enum block_op op, uint64_t offset, const struct io_vector *v, unsigned nr)
{
	return (struct block_request){ .op = op,
				       .offset = offset,
				       .size = io_vectors_size(v, nr),
				       .vectors = v,
				       .nr_vectors = nr,
				       .done = on_done,
				       .result = 1 };
}

static int perform(struct block *b, struct block_request *r)
{
	assert_int_equal(block_check(b, r), 0);
	block_submit(b, r);
	block_drain(b);
	return r->result;
}

static void test_what_is_written_is_in_the_file(struct block *b)
{
	static uint8_t in[3 * BLOCK], out[3 * BLOCK], file[3 * BLOCK];
	const struct io_vector w[] = { { in, 512 }, { in + 512, BLOCK }, { in + 512 + BLOCK, 2 * BLOCK - 512 } };
	const struct io_vector r[] = { { out, BLOCK }, { out + BLOCK, 2 * BLOCK } };
	struct block_request write = make(BLOCK_WRITE, BLOCK, w, 3), flush = make(BLOCK_FLUSH, 0, NULL, 0),
			     read = make(BLOCK_READ, BLOCK, r, 2);
	int fd = open(path, O_RDONLY);

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(perform(b, &write), 0);
	assert_int_equal(perform(b, &flush), 0);
	assert_int_equal(pread(fd, file, sizeof(file), BLOCK), sizeof(file));
	assert_memory_equal(file, in, sizeof(in));
	assert_int_equal(perform(b, &read), 0);
	assert_memory_equal(out, in, sizeof(in));
	assert_int_equal(ended, 3);
	close(fd);
}

static void test_writes_and_reads(void **state)
{
	(void)state;
	test_what_is_written_is_in_the_file(opened(""));
	assert_non_null(strstr(fake_log, ": 1024 KiB\n"));
}

static void test_direct_with_memory_of_any_alignment(void **state)
{
	static uint8_t in[BLOCK + 1], out[BLOCK + 3];
	const struct io_vector w = { in + 1, BLOCK }, r = { out + 3, BLOCK };
	struct block_request write = make(BLOCK_WRITE, 0, &w, 1), read = make(BLOCK_READ, 0, &r, 1);
	struct block *b = NULL;

	(void)state;
	if (open_with(",direct", &b) == -ENOTSUP) {
		print_message("no O_DIRECT in /var/tmp\n");
		skip();
	}
	test_what_is_written_is_in_the_file(b);
	memset(in, 0xa5, sizeof(in));
	assert_int_equal(perform(b, &write), 0);
	assert_int_equal(perform(b, &read), 0);
	assert_memory_equal(out + 3, in + 1, BLOCK);
}

static void test_many_requests_in_flight(void **state)
{
	enum { MANY = 200 };
	static uint8_t memory[MANY][512], back[MANY][512];
	static struct io_vector v[2 * MANY];
	static struct block_request r[2 * MANY];
	struct block *b = opened("");

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		memset(memory[i], (int)i, 512);
		v[i] = (struct io_vector){ memory[i], 512 };
		r[i] = make(BLOCK_WRITE, i * 512u, &v[i], 1);
		block_submit(b, &r[i]);
	}
	block_commit(b);
	block_drain(b);
	assert_int_equal(ended, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		v[MANY + i] = (struct io_vector){ back[i], 512 };
		r[MANY + i] = make(BLOCK_READ, i * 512u, &v[MANY + i], 1);
		block_submit(b, &r[MANY + i]);
	}
	block_commit(b);
	while (ended < 2 * MANY)
		block_poll(b);
	assert_memory_equal(back, memory, sizeof(memory));
	assert_int_equal(vcpu_attention(&vcpu) & ATTN_IO, ATTN_IO);
}

static void test_more_vectors_than_one_call_takes(void **state)
{
	enum { MANY = 300 };
	static uint8_t memory[MANY * 512], back[MANY * 512];
	static struct io_vector w[MANY], r[MANY];
	struct block_request write, read;
	struct block *b = opened("");

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		memset(memory + i * 512, (int)(i * 3), 512);
		w[i] = (struct io_vector){ memory + i * 512, 512 };
		r[i] = (struct io_vector){ back + i * 512, 512 };
	}
	write = make(BLOCK_WRITE, 0, w, MANY);
	read = make(BLOCK_READ, 0, r, MANY);
	assert_int_equal(perform(b, &write), 0);
	assert_int_equal(perform(b, &read), 0);
	assert_memory_equal(back, memory, sizeof(memory));
}

static void test_zeroes_and_discarded_blocks(void **state)
{
	static uint8_t in[4 * BLOCK], out[4 * BLOCK], zero[BLOCK];
	const struct io_vector w = { in, sizeof(in) }, r = { out, sizeof(out) };
	struct block_request write = make(BLOCK_WRITE, 0, &w, 1), read = make(BLOCK_READ, 0, &r, 1);
	struct block_request zeroes = { .op = BLOCK_WRITE_ZEROES, .offset = BLOCK, .size = BLOCK, .done = on_done };
	struct block_request unmap = {
		.op = BLOCK_WRITE_ZEROES, .offset = 2 * BLOCK, .size = BLOCK, .may_unmap = true, .done = on_done
	};
	struct block_request discard = { .op = BLOCK_DISCARD, .offset = 3 * BLOCK, .size = BLOCK, .done = on_done };
	struct block *b = opened("");

	(void)state;
	memset(in, 0x5a, sizeof(in));
	assert_int_equal(perform(b, &write), 0);
	assert_int_equal(perform(b, &zeroes), 0);
	assert_int_equal(perform(b, &unmap), 0);
	assert_int_equal(perform(b, &discard), 0);
	assert_int_equal(perform(b, &read), 0);
	assert_memory_equal(out, in, BLOCK);
	assert_memory_equal(out + BLOCK, zero, BLOCK);
	assert_memory_equal(out + 2 * BLOCK, zero, BLOCK);
}

static void test_errors_reach_the_guest_and_are_told_once(void **state)
{
	static uint8_t memory[BLOCK];
	const struct io_vector v = { memory, BLOCK };
	struct block *b = opened("");
	struct block_request beyond = make(BLOCK_READ, SIZE - BLOCK, &v, 1), again = beyond;

	(void)state;
	assert_int_equal(truncate(path, BLOCK), 0);
	assert_int_equal(perform(b, &beyond), -EIO);
	assert_non_null(strstr(fake_log, "the kernel reports error 5; the guest is told so"));
	fake_clear_text();
	assert_int_equal(perform(b, &again), -EIO);
	assert_string_equal(fake_log, "");
}

static void expect_refusal(const char *options, int error, const char *why)
{
	struct block *b = NULL;

	fake_clear_text();
	assert_int_equal(open_with(options, &b), error);
	assert_null(b);
	if (strstr(fake_log, why) == NULL)
		fail_msg("no '%s' in: %s", why, fake_log);
}

static void test_what_cannot_be_opened_is_explained(void **state)
{
	struct block *b = NULL;

	(void)state;
	expect_refusal("x", -ENOENT, "make one with: truncate -s 4G /var/tmp/");
	expect_refusal(",fast", -EINVAL, "there are ',readonly' and ',direct'");
	assert_int_equal(truncate(path, 1000), 0);
	expect_refusal("", -EINVAL, "wrong size, 1000 bytes; make it a multiple of 512");
	assert_int_equal(truncate(path, 0), 0);
	expect_refusal("", -EINVAL, "wrong size, 0 bytes");
	assert_int_equal(block_open(&vm, "file:", &b), -EINVAL);
	assert_int_equal(block_open(&vm, "file:/", &b), -EINVAL);
	assert_non_null(strstr(fake_log, "/ is neither a file nor a block device"));
}

static void test_one_writer_or_many_readers(void **state)
{
	(void)state;
	opened(",readonly");
	assert_true(opened(",readonly")->read_only);
	expect_refusal("", -EBUSY, "in use by another process or another disk of this guest");
	unlink(path);
	setup(NULL);
	assert_false(opened("")->read_only);
	expect_refusal("", -EBUSY, "in use");
	expect_refusal(",readonly", -EBUSY, "in use");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_writes_and_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_direct_with_memory_of_any_alignment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_requests_in_flight, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_vectors_than_one_call_takes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zeroes_and_discarded_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_reach_the_guest_and_are_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_opened_is_explained, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_writer_or_many_readers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
