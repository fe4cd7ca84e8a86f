/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/engine-dbt/blocks.c features/engine-dbt/part.c features/dbt-linking/linking.c */
/* sources: arch/x86_64/emit/asm.c core/log.c tests/unit/fake_platform.c */
/* The table of translated blocks: keys, links between blocks, what a changed range of guest code drops. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/memory.h>

#include "features/engine-dbt/blocks.h"
#include "features/engine-dbt/part.h"
#include "tests/unit/fake_platform.h"

#define ARENA_BYTES (64u * 1024u)
#define CODE_BYTES  32u

static struct blocks blocks;
static const struct dbt_linking *linking;

/* As the engine does. */
static void dropped(void *ctx, struct block *block)
{
	linking->unlink(ctx, block);
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	memset(&blocks, 0, sizeof(blocks));
	assert_int_equal(plat_code_alloc(ARENA_BYTES, &blocks.arena), 0);
	blocks.start = blocks.next = blocks.arena.write + 64;
	assert_int_equal(blocks_create(&blocks, ARENA_BYTES), 0);
	linking = dbt_part(DBT_LINKING);
	blocks.dropped = dropped;
	blocks.dropped_ctx = &blocks;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

static uint64_t running_address(const uint8_t *written)
{
	return (uint64_t)(uintptr_t)(blocks.arena.execute + (written - blocks.arena.write));
}

/* Adds a block of `bytes` guest bytes with one exit. */
static uint32_t add(uint64_t pc, uint64_t gpa, uint32_t mode, uint32_t bytes)
{
	struct block block = { .key = { pc, gpa, mode },
			       .code = running_address(blocks.next),
			       .first = gpa,
			       .bytes = bytes,
			       .first_exit = blocks.nr_exits,
			       .nr_exits = 1 };

	blocks.exits[blocks.nr_exits++] = (struct block_exit){
		.displacement = blocks.next + 1,
		.unlinked = running_address(blocks.next + 16),
		.linkable = true,
		.next = EXIT_NONE,
	};
	blocks.next += CODE_BYTES;
	return blocks_add(&blocks, &block);
}

static uint32_t find(uint64_t pc, uint64_t gpa, uint32_t mode)
{
	return blocks_find(&blocks, &(struct block_key){ pc, gpa, mode, 0 });
}

/* Where the jump of an exit goes. */
static uint64_t target(uint32_t exit)
{
	const uint8_t *displacement = blocks.exits[exit].displacement;
	int32_t relative;

	memcpy(&relative, displacement, sizeof(relative));
	return running_address(displacement + 4) + (uint64_t)(int64_t)relative;
}

static void test_find(void **state)
{
	uint32_t a, b, c, d;

	(void)state;
	assert_int_equal(find(0x1000, 0x5000, 0), BLOCK_NONE);
	a = add(0x1000, 0x5000, 0, 16);
	b = add(0x1000, 0x5000, 1, 16);
	c = add(0x1000, 0x9000, 0, 16);
	d = add(0xffffffff80001000, 0x5000, 0, 16);
	assert_int_equal(find(0x1000, 0x5000, 0), a);
	assert_int_equal(find(0x1000, 0x5000, 1), b);
	assert_int_equal(find(0x1000, 0x9000, 0), c);
	assert_int_equal(find(0xffffffff80001000, 0x5000, 0), d);
	assert_int_equal(find(0x1004, 0x5004, 0), BLOCK_NONE);
	assert_int_equal(find(0x1000, 0x5000, 2), BLOCK_NONE);
	assert_int_equal(blocks.counts.translated, 4);
}

/* More blocks than buckets: chains are walked to their ends. */
static void test_collisions(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < blocks.max_blocks; n++)
		assert_int_equal(add(n * 64ull * blocks.buckets, 0x1000ull * n, 0, 4), n);
	for (uint32_t n = 0; n < blocks.max_blocks; n++)
		assert_int_equal(find(n * 64ull * blocks.buckets, 0x1000ull * n, 0), n);
	for (uint32_t n = 0; n < blocks.max_blocks; n += 2)
		assert_int_equal(blocks_invalidate(&blocks, 0x1000ull * n, 4), 1);
	for (uint32_t n = 0; n < blocks.max_blocks; n++)
		assert_int_equal(find(n * 64ull * blocks.buckets, 0x1000ull * n, 0), n % 2 == 0 ? BLOCK_NONE : n);
}

static void test_links(void **state)
{
	uint32_t a, b, c;

	(void)state;
	a = add(0x1000, 0x1000, 0, 16);
	b = add(0x2000, 0x2000, 0, 16);
	c = add(0x3000, 0x3000, 0, 16);
	linking->link(&blocks, blocks.blocks[a].first_exit, c);
	linking->link(&blocks, blocks.blocks[b].first_exit, c);
	linking->link(&blocks, blocks.blocks[c].first_exit, c);
	for (uint32_t exit = 0; exit < 3; exit++)
		assert_int_equal(target(exit), blocks.blocks[c].code);
	assert_int_equal(blocks.counts.links, 3);
	linking->link(&blocks, blocks.blocks[a].first_exit, c); /* once more changes nothing */
	assert_int_equal(blocks.counts.links, 3);

	assert_int_equal(blocks_invalidate(&blocks, 0x3000, 4), 1);
	assert_true(blocks.blocks[c].dead);
	assert_int_equal(blocks.blocks[c].incoming, EXIT_NONE);
	for (uint32_t exit = 0; exit < 3; exit++) {
		assert_int_equal(target(exit), blocks.exits[exit].unlinked);
		assert_int_equal(blocks.exits[exit].next, EXIT_NONE);
	}
	assert_int_equal(blocks.counts.unlinks, 3);
	assert_int_equal(find(0x3000, 0x3000, 0), BLOCK_NONE);
	assert_int_equal(find(0x1000, 0x1000, 0), a);
	assert_int_equal(find(0x2000, 0x2000, 0), b);
}

/* A dropped block may still run: its exit stays in the list of where it goes, and is undone with it. */
static void test_exit_of_dead_block(void **state)
{
	uint32_t a, b, again;

	(void)state;
	a = add(0x1000, 0x1000, 0, 16);
	b = add(0x2000, 0x2000, 0, 16);
	linking->link(&blocks, blocks.blocks[a].first_exit, b);
	blocks_invalidate(&blocks, 0x1000, 4);
	assert_int_equal(target(blocks.blocks[a].first_exit), blocks.blocks[b].code);
	again = add(0x1000, 0x1000, 0, 16);
	assert_int_equal(find(0x1000, 0x1000, 0), again);
	linking->link(&blocks, blocks.blocks[again].first_exit, b);
	blocks_invalidate(&blocks, 0x2000, 4);
	assert_int_equal(target(blocks.blocks[a].first_exit), blocks.exits[blocks.blocks[a].first_exit].unlinked);
	assert_int_equal(target(blocks.blocks[again].first_exit),
			 blocks.exits[blocks.blocks[again].first_exit].unlinked);
}

static void test_ranges(void **state)
{
	static const struct {
		uint64_t gpa, size;
		bool hit;
	} cases[] = {
		{ 0x5000, 0x100, false }, { 0x50fc, 4, false }, { 0x50ff, 1, false },  { 0x5110, 1, false },
		{ 0x5110, 0xef0, false }, { 0x5100, 0, false }, { 0x6100, 16, false }, { 0x15100, 16, false },
		{ 0x5100, 1, true },      { 0x510f, 1, true },  { 0x50ff, 2, true },   { 0x5000, 0x1000, true },
		{ 0x5104, 4, true },      { 0x5108, 8, true },
	};

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		uint32_t block = add(0x100, 0x5100, 0, 16);

		assert_int_equal(blocks_invalidate(&blocks, cases[n].gpa, cases[n].size), cases[n].hit);
		assert_int_equal(find(0x100, 0x5100, 0), cases[n].hit ? BLOCK_NONE : block);
		assert_int_equal(blocks_in_page(&blocks, 0x5ffc), !cases[n].hit);
		blocks_flush(&blocks);
	}
}

/* Only the blocks that a range touches go; their neighbours in the page stay. */
static void test_neighbours(void **state)
{
	uint32_t first, last;

	(void)state;
	first = add(0x1000, 0x5000, 0, 16);
	add(0x1010, 0x5010, 0, 16);
	add(0x1014, 0x5014, 0, 32); /* overlaps the one before */
	last = add(0x1034, 0x5034, 0, 16);
	assert_int_equal(blocks_invalidate(&blocks, 0x5018, 4), 2);
	assert_int_equal(find(0x1000, 0x5000, 0), first);
	assert_int_equal(find(0x1010, 0x5010, 0), BLOCK_NONE);
	assert_int_equal(find(0x1014, 0x5014, 0), BLOCK_NONE);
	assert_int_equal(find(0x1034, 0x5034, 0), last);
	assert_true(blocks_in_page(&blocks, 0x5000));
	assert_int_equal(blocks_invalidate(&blocks, 0x5000, 0x1000), 2);
	assert_false(blocks_in_page(&blocks, 0x5000));
	assert_int_equal(blocks_invalidate(&blocks, 0x5000, 0x1000), 0);
	assert_int_equal(blocks.counts.invalidated, 4);
}

/* A block whose code begins before its entry. */
static void test_code_before_the_entry(void **state)
{
	uint32_t n = add(0x9010, 0x5010, 0, 0x20);

	(void)state;
	blocks.blocks[n].first = 0x5004;
	assert_int_equal(blocks_invalidate(&blocks, 0x5024, 4), 0);
	assert_int_equal(blocks_invalidate(&blocks, 0x5000, 4), 0);
	assert_int_equal(blocks_invalidate(&blocks, 0x5004, 4), 1);
}

/* One that was replaced is found by nobody, and goes with its code all the same. */
static void test_retire(void **state)
{
	uint32_t old = add(0x9100, 0x5100, 0, 4), new;

	(void)state;
	blocks_retire(&blocks, old);
	assert_int_equal(find(0x9100, 0x5100, 0), BLOCK_NONE);
	assert_false(blocks.blocks[old].dead);
	new = add(0x9100, 0x5100, 0, 4);
	assert_int_equal(find(0x9100, 0x5100, 0), new);
	assert_int_equal(blocks_invalidate(&blocks, 0x5100, 4), 2);
	assert_true(blocks.blocks[old].dead && blocks.blocks[new].dead);
	assert_int_equal(find(0x9100, 0x5100, 0), BLOCK_NONE);
	assert_false(blocks_in_page(&blocks, 0x5100));
}

static void test_flush(void **state)
{
	(void)state;
	add(0x1000, 0x5000, 0, 16);
	add(0x2000, 0x6000, 0, 16);
	linking->link(&blocks, 0, 1);
	blocks_flush(&blocks);
	assert_int_equal(blocks.counts.flushes, 1);
	assert_int_equal(find(0x1000, 0x5000, 0), BLOCK_NONE);
	assert_int_equal(find(0x2000, 0x6000, 0), BLOCK_NONE);
	assert_false(blocks_in_page(&blocks, 0x5000));
	assert_ptr_equal(blocks.next, blocks.start);
	assert_int_equal(blocks.nr_blocks, 0);
	assert_int_equal(blocks.nr_exits, 0);
	assert_int_equal(add(0x3000, 0x5000, 0, 16), 0);
	assert_int_equal(blocks.blocks[0].incoming, EXIT_NONE);
	assert_int_equal(blocks_invalidate(&blocks, 0x5000, 4), 1);
}

static void test_room(void **state)
{
	const uint8_t *end = blocks.arena.write + blocks.arena.size;

	(void)state;
	assert_true(blocks_have_room(&blocks, (size_t)(end - blocks.next), 1));
	assert_false(blocks_have_room(&blocks, (size_t)(end - blocks.next) + 1, 1));
	assert_true(blocks_have_room(&blocks, 1, blocks.max_exits));
	assert_false(blocks_have_room(&blocks, 1, blocks.max_exits + 1));
	blocks.nr_exits = blocks.max_exits - 3;
	assert_true(blocks_have_room(&blocks, 1, 3));
	assert_false(blocks_have_room(&blocks, 1, 4));
	blocks_flush(&blocks);
	for (uint32_t n = 0; n < blocks.max_blocks; n++) {
		assert_true(blocks_have_room(&blocks, 1, 1));
		add(4ull * n, 4ull * n, 0, 4);
	}
	assert_false(blocks_have_room(&blocks, 1, 1));
	blocks_flush(&blocks);
	assert_true(blocks_have_room(&blocks, 1, 1));
}

static void test_no_memory(void **state)
{
	struct blocks other = { .start = blocks.start };

	(void)state;
	fake_pages_left = 4096;
	assert_int_equal(blocks_create(&other, ARENA_BYTES), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_collisions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exit_of_dead_block, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_neighbours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_code_before_the_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retire, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
