/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: features/machine-octeon/ciu.c core/bus.c core/log.c tests/unit/fake_platform.c */
/* The interrupt unit: every source, enable and output, mailboxes, edges, several cores, other registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/bus.h>
#include <husk/log.h>

#include "features/machine-octeon/ciu.h"
#include "tests/unit/fake_platform.h"

static struct ciu ciu;
static struct bus bus;
static bool cpu_line[CIU_CORES][8]; /* inputs of the cores as driven */
static unsigned soft_resets;

/* Cores that only record their inputs; the controller is the core's row. */
static void cpu_input(void *core, unsigned n, bool level)
{
	((bool *)core)[n] = level;
}

static void count_reset(void *ctx)
{
	assert_ptr_equal(ctx, &bus);
	soft_resets++;
}

static void start(unsigned cores)
{
	fake_reset();
	bus = (struct bus){ 0 };
	soft_resets = 0;
	ciu_init(&ciu, cores, count_reset, &bus);
	for (unsigned c = 0; c < CIU_CORES; c++)
		for (unsigned n = 0; n < 8; n++)
			cpu_line[c][n] = false;
	for (unsigned c = 0; c < cores; c++)
		for (unsigned o = 0; o < CIU_OUTPUTS; o++)
			irq_connect(&ciu.output[c][o], cpu_input, cpu_line[c], 2 + o);
	assert_int_equal(bus_attach(&bus, &ciu.dev, CIU_BASE, CIU_SIZE), 0);
}

static int one_core(void **state)
{
	(void)state;
	start(1);
	return 0;
}

static int all_cores(void **state)
{
	(void)state;
	start(CIU_CORES);
	return 0;
}

static uint64_t get(uint64_t offset)
{
	return bus_read(&bus, CIU_BASE + offset, 8);
}

static void put(uint64_t offset, uint64_t value)
{
	bus_write(&bus, CIU_BASE + offset, 8, value);
}

/* Offsets as a kernel computes them (cvmx-ciu-defs): `i` is 2 * core for IP2, 2 * core + 1 for IP3. */
static uint64_t sum0(unsigned i)
{
	return 8 * i;
}
static uint64_t en(unsigned i, unsigned line)
{
	return 0x200 + 16 * i + 8 * line;
}
static uint64_t en_w1c(unsigned i, unsigned line)
{
	return 0x2200 + 16 * i + 8 * line;
}
static uint64_t en_w1s(unsigned i, unsigned line)
{
	return 0x6200 + 16 * i + 8 * line;
}
#define SUM1 0x108u

static bool is_edge(unsigned line, unsigned bit)
{
	if (line == 1)
		return bit == 47;
	return (bit >= 48 && bit <= 50) || (bit >= 52 && bit <= 55) || bit == 58;
}

static bool is_mailbox(unsigned line, unsigned bit)
{
	return line == 0 && (bit == 32 || bit == 33);
}

static uint64_t sum(unsigned i, unsigned line)
{
	return line == 0 ? get(sum0(i)) : get(SUM1);
}

static void each_source_reaches_each_output(void **state)
{
	(void)state;
	for (unsigned line = 0; line < 2; line++) {
		for (unsigned bit = 0; bit < 64; bit++) {
			uint64_t mask = 1ull << bit;

			if (is_mailbox(line, bit))
				continue;
			for (unsigned o = 0; o < 2; o++) {
				put(en(o, line), mask);
				ciu_input(&ciu, CIU_INPUT(line, bit), true);
				assert_int_equal(sum(o, line), mask);
				assert_true(cpu_line[0][2 + o]);
				assert_false(cpu_line[0][3 - o]);
				ciu_input(&ciu, CIU_INPUT(line, bit), false);
				assert_int_equal(cpu_line[0][2 + o], is_edge(line, bit));
				put(line == 0 ? sum0(o) : SUM1, mask);
				assert_false(cpu_line[0][2 + o]);
				assert_int_equal(sum(o, line), 0);
				put(en(o, line), 0);
			}
		}
	}
}

static void source_without_enable_is_silent(void **state)
{
	(void)state;
	put(en(0, 0), ~(1ull << 34));
	put(en(0, 1), ~0ull);
	ciu_input(&ciu, CIU_UART0, true);
	assert_int_equal(get(sum0(0)), 1ull << 34);
	assert_int_equal(get(sum0(1)), 1ull << 34);
	assert_false(cpu_line[0][2]);
	assert_false(cpu_line[0][3]);
	put(en(0, 0), 1ull << 34);
	assert_true(cpu_line[0][2]);
	put(en(0, 0), 0);
	assert_false(cpu_line[0][2]);
}

static void uarts_are_bits_34_and_35(void **state)
{
	(void)state;
	ciu_input(&ciu, CIU_UART0, true);
	assert_int_equal(get(sum0(0)), 1ull << 34);
	ciu_input(&ciu, CIU_UART1, true);
	assert_int_equal(get(sum0(0)), 3ull << 34);
}

static void level_source_is_not_acknowledged_by_sum(void **state)
{
	(void)state;
	put(en(0, 0), ~0ull);
	ciu_input(&ciu, CIU_UART0, true);
	put(sum0(0), ~0ull);
	assert_int_equal(get(sum0(0)), 1ull << 34);
	assert_true(cpu_line[0][2]);
}

static void edge_needs_a_new_rise(void **state)
{
	(void)state;
	put(en(1, 1), 1ull << 47);
	ciu_input(&ciu, CIU_INPUT(1, 47), true);
	assert_true(cpu_line[0][3]);
	put(SUM1, 1ull << 46);
	assert_true(cpu_line[0][3]);
	put(SUM1, 1ull << 47);
	assert_false(cpu_line[0][3]);
	ciu_input(&ciu, CIU_INPUT(1, 47), true);
	assert_false(cpu_line[0][3]);
	ciu_input(&ciu, CIU_INPUT(1, 47), false);
	assert_false(cpu_line[0][3]);
	ciu_input(&ciu, CIU_INPUT(1, 47), true);
	assert_true(cpu_line[0][3]);
}

static void edge_is_acknowledged_for_all_cores(void **state)
{
	(void)state;
	put(en(0, 0), 1ull << 52);
	put(en(2 * 15 + 1, 0), 1ull << 52);
	ciu_input(&ciu, CIU_INPUT(0, 52), true);
	assert_true(cpu_line[0][2]);
	assert_true(cpu_line[15][3]);
	put(sum0(2 * 15), 1ull << 52);
	assert_false(cpu_line[0][2]);
	assert_false(cpu_line[15][3]);
}

static void enables_of_all_cores_are_apart(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * CIU_CORES; i++)
		for (unsigned line = 0; line < 2; line++)
			put(en(i, line), 0x1000u + 2 * i + line);
	for (unsigned i = 0; i < 2 * CIU_CORES; i++)
		for (unsigned line = 0; line < 2; line++)
			assert_int_equal(get(en(i, line)), 0x1000u + 2 * i + line);
	assert_int_equal(ciu.unknown, 0);
}

static void w1s_and_w1c_change_only_their_bits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * CIU_CORES; i++) {
		for (unsigned line = 0; line < 2; line++) {
			put(en(i, line), 0xff00);
			put(en_w1s(i, line), 0x00f0);
			assert_int_equal(get(en(i, line)), 0xfff0);
			put(en_w1c(i, line), 0xf00f);
			assert_int_equal(get(en(i, line)), 0x0ff0);
			assert_int_equal(get(en_w1s(i, line)), 0x0ff0);
			assert_int_equal(get(en_w1c(i, line)), 0x0ff0);
			put(en(i, line), 0);
		}
	}
	for (unsigned i = 0; i < 2 * CIU_CORES; i++)
		assert_int_equal(get(en(i, 0)) | get(en(i, 1)), 0);
}

static void w1s_and_w1c_drive_the_output(void **state)
{
	(void)state;
	ciu_input(&ciu, CIU_UART0, true);
	put(en_w1s(0, 0), 1ull << 34);
	assert_true(cpu_line[0][2]);
	put(en_w1c(0, 0), 1ull << 35);
	assert_true(cpu_line[0][2]);
	put(en_w1c(0, 0), 1ull << 34);
	assert_false(cpu_line[0][2]);
	put(en_w1s(1, 0), 1ull << 34);
	assert_true(cpu_line[0][3]);
	assert_false(cpu_line[0][2]);
}

static void only_the_enabled_core_is_interrupted(void **state)
{
	(void)state;
	for (unsigned core = 0; core < CIU_CORES; core++) {
		put(en(2 * core, 0), 1ull << 34);
		ciu_input(&ciu, CIU_UART0, true);
		for (unsigned c = 0; c < CIU_CORES; c++) {
			assert_int_equal(cpu_line[c][2], c == core);
			assert_false(cpu_line[c][3]);
		}
		ciu_input(&ciu, CIU_UART0, false);
		assert_false(cpu_line[core][2]);
		put(en(2 * core, 0), 0);
	}
}

static void mailboxes_are_per_core(void **state)
{
	(void)state;
	for (unsigned core = 0; core < CIU_CORES; core++)
		put(en(2 * core, 0), 1ull << 32 | 1ull << 33);
	for (unsigned core = 0; core < CIU_CORES; core++) {
		put(0x600 + 8 * core, 0x4);
		for (unsigned c = 0; c < CIU_CORES; c++) {
			assert_int_equal(get(0x680 + 8 * c), c == core ? 0x4 : 0);
			assert_int_equal(get(sum0(2 * c)), c == core ? 1ull << 32 : 0);
			assert_int_equal(get(sum0(2 * c + 1)), c == core ? 1ull << 32 : 0);
			assert_int_equal(cpu_line[c][2], c == core);
		}
		put(0x680 + 8 * core, 0x4);
		assert_false(cpu_line[core][2]);
	}
}

static void mailbox_halves_are_two_sources(void **state)
{
	(void)state;
	put(0x600, 0x8000);
	assert_int_equal(get(sum0(0)), 1ull << 32);
	put(0x600, 0x10000);
	assert_int_equal(get(sum0(0)), 3ull << 32);
	assert_int_equal(get(0x600), 0x18000);
	put(0x680, 0xffff);
	assert_int_equal(get(sum0(0)), 1ull << 33);
	assert_int_equal(get(0x680), 0x10000);
	put(0x680, ~0ull);
	assert_int_equal(get(sum0(0)), 0);
}

static void mailbox_bits_have_no_wire(void **state)
{
	(void)state;
	ciu_input(&ciu, CIU_INPUT(0, 32), true);
	ciu_input(&ciu, CIU_INPUT(0, 33), true);
	assert_int_equal(get(sum0(0)), 0);
}

static void interrupt_as_the_kernel_handles_it(void **state)
{
	(void)state;
	put(en_w1s(0, 0), 1ull << 34);
	ciu_input(&ciu, CIU_UART0, true);
	assert_true(cpu_line[0][2]);
	assert_int_equal(get(sum0(0)), 1ull << 34);
	put(en_w1c(0, 0), 1ull << 34);
	assert_false(cpu_line[0][2]);
	ciu_input(&ciu, CIU_UART0, false);
	put(en_w1s(2, 0), 1ull << 34); /* the next core, as after a change of affinity */
	assert_false(cpu_line[1][2]);
	ciu_input(&ciu, CIU_UART0, true);
	assert_true(cpu_line[1][2]);
	assert_false(cpu_line[0][2]);
}

static void fuse_has_a_bit_per_core(void **state)
{
	(void)state;
	static const unsigned cores[] = { 1, 2, 4, 16 };

	for (unsigned i = 0; i < 4; i++) {
		start(cores[i]);
		assert_int_equal(get(0x728), (1u << cores[i]) - 1);
	}
}

static void watchdog_is_storage(void **state)
{
	(void)state;
	for (unsigned core = 0; core < CIU_CORES; core++) {
		put(0x500 + 8 * core, 0x1234500 + core);
		put(0x580 + 8 * core, 1);
	}
	for (unsigned core = 0; core < CIU_CORES; core++) {
		assert_int_equal(get(0x500 + 8 * core), 0x1234500 + core);
		assert_int_equal(get(0x580 + 8 * core), 0);
		assert_int_equal(ciu.core[core].pokes, 1);
	}
	assert_int_equal(ciu.unknown, 0);
}

static void soft_reset_needs_bit_0(void **state)
{
	(void)state;
	put(0x740, 2);
	assert_int_equal(soft_resets, 0);
	put(0x740, 1);
	assert_int_equal(soft_resets, 1);
	assert_int_equal(get(0x740), 0);
}

static void soft_bist_is_known(void **state)
{
	(void)state;
	put(0x738, 1);
	assert_int_equal(get(0x738), 0);
	assert_int_equal(ciu.unknown, 0);
}

static void unknown_registers_are_counted_and_named(void **state)
{
	(void)state;
	log_set_level(LOG_INFO);
	assert_int_equal(get(0x8c00), 0);
	assert_int_equal(fake_log_size, 0);
	log_set_level(LOG_DEBUG);
	put(0xac00, 1);
	assert_non_null(strstr(fake_log, "0x107000000ac00"));
	assert_int_equal(ciu.unknown, 2);
	log_set_level(LOG_INFO);
}

static void absent_cores_have_no_registers(void **state)
{
	(void)state;
	put(en(2, 0), ~0ull);
	put(0x608, ~0ull);
	put(0x508, 7);
	assert_int_equal(get(en(2, 0)), 0);
	assert_int_equal(get(0x608), 0);
	assert_int_equal(get(sum0(2)), 0);
	assert_int_equal(get(0x508), 0);
	assert_int_equal(ciu.unknown, 7);
}

static void narrow_loads_see_their_part(void **state)
{
	(void)state;
	put(en(0, 0), 0x1122334455667788);
	assert_int_equal(bus_read(&bus, CIU_BASE + en(0, 0), 4), 0x55667788);
	assert_int_equal(bus_read(&bus, CIU_BASE + en(0, 0) + 4, 4), 0x11223344);
	assert_int_equal(bus_read(&bus, CIU_BASE + en(0, 0) + 7, 1), 0x11);
	bus_write(&bus, CIU_BASE + en_w1c(0, 0) + 4, 4, 0x11223344);
	assert_int_equal(get(en(0, 0)), 0x55667788);
}

static void every_register_takes_anything(void **state)
{
	(void)state;
	for (uint64_t offset = 0; offset < CIU_SIZE; offset++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			bus_write(&bus, CIU_BASE + offset, size, ~0ull);
			bus_read(&bus, CIU_BASE + offset, size);
		}
	}
}

static void reset_forgets_all_but_the_inputs(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * CIU_CORES; i++)
		put(en(i, 0), ~0ull);
	put(0x600, 1);
	put(0x500, 1);
	ciu_input(&ciu, CIU_UART0, true);
	ciu_input(&ciu, CIU_INPUT(0, 48), true);
	assert_true(cpu_line[7][3]);
	bus_reset(&bus);
	for (unsigned c = 0; c < CIU_CORES; c++) {
		assert_false(cpu_line[c][2]);
		assert_false(cpu_line[c][3]);
		assert_int_equal(get(en(2 * c, 0)), 0);
	}
	assert_int_equal(get(0x600), 0);
	assert_int_equal(get(0x500), 0);
	assert_int_equal(get(sum0(0)), 1ull << 34);
	ciu_input(&ciu, CIU_UART0, false);
	assert_int_equal(get(sum0(0)), 0);
}

static void core_count_is_bounded(void **state)
{
	(void)state;
	ciu_init(&ciu, 0, NULL, NULL);
	assert_int_equal(ciu.cores, 1);
	ciu_init(&ciu, 17, NULL, NULL);
	assert_int_equal(ciu.cores, 16);
	ciu.dev.ops->write(&ciu.dev, 0x740, 8, 1); /* nobody wants to hear of the reset */
}

static void describe_prints_a_line_per_core(void **state)
{
	(void)state;
	put(0x678, 5);
	ciu.dev.ops->describe(&ciu.dev);
	assert_non_null(strstr(fake_log, "core 0:"));
	assert_non_null(strstr(fake_log, "core 15: sum0 100000000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_source_reaches_each_output, one_core),
		cmocka_unit_test_setup(source_without_enable_is_silent, one_core),
		cmocka_unit_test_setup(uarts_are_bits_34_and_35, one_core),
		cmocka_unit_test_setup(level_source_is_not_acknowledged_by_sum, one_core),
		cmocka_unit_test_setup(edge_needs_a_new_rise, one_core),
		cmocka_unit_test_setup(edge_is_acknowledged_for_all_cores, all_cores),
		cmocka_unit_test_setup(enables_of_all_cores_are_apart, all_cores),
		cmocka_unit_test_setup(w1s_and_w1c_change_only_their_bits, all_cores),
		cmocka_unit_test_setup(w1s_and_w1c_drive_the_output, one_core),
		cmocka_unit_test_setup(only_the_enabled_core_is_interrupted, all_cores),
		cmocka_unit_test_setup(mailboxes_are_per_core, all_cores),
		cmocka_unit_test_setup(mailbox_halves_are_two_sources, one_core),
		cmocka_unit_test_setup(mailbox_bits_have_no_wire, one_core),
		cmocka_unit_test_setup(interrupt_as_the_kernel_handles_it, all_cores),
		cmocka_unit_test_setup(fuse_has_a_bit_per_core, one_core),
		cmocka_unit_test_setup(watchdog_is_storage, all_cores),
		cmocka_unit_test_setup(soft_reset_needs_bit_0, one_core),
		cmocka_unit_test_setup(soft_bist_is_known, one_core),
		cmocka_unit_test_setup(unknown_registers_are_counted_and_named, one_core),
		cmocka_unit_test_setup(absent_cores_have_no_registers, one_core),
		cmocka_unit_test_setup(narrow_loads_see_their_part, one_core),
		cmocka_unit_test_setup(every_register_takes_anything, all_cores),
		cmocka_unit_test_setup(reset_forgets_all_but_the_inputs, all_cores),
		cmocka_unit_test_setup(core_count_is_bounded, one_core),
		cmocka_unit_test_setup(describe_prints_a_line_per_core, all_cores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
