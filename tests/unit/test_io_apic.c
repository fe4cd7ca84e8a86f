/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/local-apic/one.c features/io-apic/io_apic.c features/local-apic/local_apic.c features/timer-on-demand/on_demand.c */
/* sources: tests/unit/hvm_fixture.c arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c */
/* sources: arch/x86_64/hvm/cpuid.c arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c */
/* sources: arch/x86_64/hvm/walk.c arch/x86_64/hvm/print.c features/machine-pvh/acpi.c features/machine-pvh/aml.c */
/* sources: core/bus.c core/console.c core/elf.c core/feature.c core/io.c core/log.c core/memory.c core/payload.c core/timer.c */
/* sources: core/vm.c tests/unit/fake_platform.c */
/* The I/O APIC, from lines of devices to requests in a local APIC and back by the end of interrupt (82093AA data sheet). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>

#include "features/io-apic/io_apic.h"
#include "features/local-apic/local_apic.h"
#include "features/machine-pvh/pvh.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"

#define MASKED 0x10000u
#define LEVEL  0x8000u
#define IRR    0x4000u

static struct hvm_fixture f;
static struct pvh board;
static struct local_apic *a;

static int setup(void **state)
{
	(void)state;
	fake_reset();
	memset(&board, 0, sizeof(board));
	hvm_fixture_init(&f, 0x10000);
	board.vm = &f.vm;
	f.vm.board = &board;
	plat_cpu_bind(&f.cpu.vcpu.attention);
	assert_int_equal(feature_attach_all(&f.vm), 0);
	x86_reset(&f.cpu);
	a = local_apic_of(&f.cpu.vcpu);
	a->dev.ops->write(&a->dev, 0xf0, 4, 0x1ff);
	return 0;
}

static void wr(unsigned reg, uint32_t value)
{
	bus_write(&f.vm.mmio, IO_APIC_BASE, 4, reg);
	bus_write(&f.vm.mmio, IO_APIC_BASE + 0x10, 4, value);
}

static uint32_t rd(unsigned reg)
{
	bus_write(&f.vm.mmio, IO_APIC_BASE, 4, reg);
	return (uint32_t)bus_read(&f.vm.mmio, IO_APIC_BASE + 0x10, 4);
}

/* Programs a pin for the only vCPU. */
static void pin(unsigned n, uint32_t low)
{
	wr(0x10 + 2 * n + 1, 0);
	wr(0x10 + 2 * n, low);
}

static void line(unsigned n, bool level)
{
	board.gsi_input(board.gsi_controller, n, level);
}

static int wanted(void)
{
	return a->source.pending(&a->source);
}

/* The CPU takes what is wanted. */
static void take(int vector)
{
	assert_int_equal(wanted(), vector);
	a->source.accepted(&a->source, (uint8_t)vector);
	assert_int_equal(wanted(), -1);
}

static void end(void)
{
	a->dev.ops->write(&a->dev, 0xb0, 4, 0);
}

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(rd(0), 0);
	wr(0, 0xffffffff);
	assert_int_equal(rd(0), 0x0f000000);
	assert_int_equal(rd(1), 0x170011); /* 24 pins */
	wr(1, 0);
	assert_int_equal(rd(1), 0x170011);
	for (unsigned n = 0; n < IO_APIC_PINS; n++) {
		assert_int_equal(rd(0x10 + 2 * n), MASKED);
		assert_int_equal(rd(0x11 + 2 * n), 0);
		wr(0x11 + 2 * n, 0xffffffff);
		wr(0x10 + 2 * n, 0xffffffff);
		assert_int_equal(rd(0x11 + 2 * n), 0xff000000);
		assert_int_equal(rd(0x10 + 2 * n), 0x1afff); /* not the delivery status, nor remote IRR */
	}
	wr(0x40, 5);
	assert_int_equal(rd(0x40), 0);
	assert_int_equal(rd(0xff), 0);
	bus_write(&f.vm.mmio, IO_APIC_BASE, 4, 0x112);
	assert_int_equal(bus_read(&f.vm.mmio, IO_APIC_BASE, 4), 0x12);
	assert_int_equal(bus_read(&f.vm.mmio, IO_APIC_BASE + 0x20, 4), 0);
}

static void test_edge(void **state)
{
	(void)state;
	pin(4, 0x31);
	line(4, true);
	take(0x31);
	end();
	assert_int_equal(wanted(), -1); /* still high, but that is no edge */
	line(4, false);
	assert_int_equal(wanted(), -1);
	line(4, true);
	take(0x31);
	/* One more while it is handled waits for its end. */
	line(4, false);
	line(4, true);
	assert_int_equal(wanted(), -1);
	end();
	take(0x31);
}

static void test_masked_edge_is_lost(void **state)
{
	(void)state;
	pin(4, 0x31 | MASKED);
	line(4, true);
	pin(4, 0x31);
	assert_int_equal(wanted(), -1);
}

static void test_level(void **state)
{
	(void)state;
	pin(16, 0x51 | LEVEL);
	line(16, true);
	assert_int_equal(rd(0x30), 0x51 | LEVEL | IRR);
	take(0x51);
	line(16, false);
	line(16, true);
	assert_int_equal(wanted(), -1);
	end(); /* high at the end: again */
	take(0x51);
	line(16, false);
	end();
	assert_int_equal(wanted(), -1);
	assert_int_equal(rd(0x30), 0x51 | LEVEL);
}

static void test_masked_level_waits(void **state)
{
	(void)state;
	pin(17, 0x52 | LEVEL | MASKED);
	line(17, true);
	assert_int_equal(wanted(), -1);
	pin(17, 0x52 | LEVEL);
	take(0x52);
	wr(0x32, 0x52 | LEVEL | MASKED);
	end(); /* masked meanwhile */
	assert_int_equal(wanted(), -1);
	wr(0x32, 0x52 | LEVEL);
	take(0x52);
	line(17, false);
	end();
	/* Edge clears what a level has left. */
	line(17, true);
	wr(0x32, 0x52);
	assert_int_equal(rd(0x32), 0x52);
}

/* Two pins with one vector: its end is for both. */
static void test_shared_vector(void **state)
{
	(void)state;
	pin(18, 0x60 | LEVEL);
	pin(19, 0x60 | LEVEL);
	line(18, true);
	line(19, true);
	take(0x60);
	line(18, false);
	end();
	take(0x60);
	line(19, false);
	end();
	assert_int_equal(wanted(), -1);
}

static void test_destinations(void **state)
{
	(void)state;
	wr(0x10 + 2 * 5 + 1, 0x07000000); /* nobody */
	wr(0x10 + 2 * 5, 0x44);
	line(5, true);
	assert_int_equal(wanted(), -1);
	wr(0x10 + 2 * 6 + 1, 0xff000000); /* all */
	wr(0x10 + 2 * 6, 0x45);
	line(6, true);
	take(0x45);
	end();
	pin(7, 4u << 8); /* NMI */
	line(7, true);
	assert_true(f.cpu.nmi_pending);
	line(IO_APIC_PINS, true); /* no such pin */
	assert_int_equal(wanted(), -1);
}

/* Lines keep their level over a reset; pins are masked again. */
static void test_reset(void **state)
{
	struct device *dev = bus_find(&f.vm.mmio, IO_APIC_BASE, 4);

	(void)state;
	pin(16, 0x51 | LEVEL | MASKED);
	line(16, true);
	dev->ops->reset(dev);
	assert_int_equal(rd(0x30), MASKED);
	pin(16, 0x51 | LEVEL);
	take(0x51);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_edge, setup),
		cmocka_unit_test_setup(test_masked_edge_is_lost, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_masked_level_waits, setup),
		cmocka_unit_test_setup(test_shared_vector, setup),
		cmocka_unit_test_setup(test_destinations, setup),
		cmocka_unit_test_setup(test_reset, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
