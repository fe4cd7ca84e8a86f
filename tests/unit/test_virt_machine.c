/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/machine-virt/machine.c features/machine-virt/syscon.c arch/mips64/guest/boot.c */
/* sources: features/uart-ns16550/uart_ns16550.c core/bus.c core/console.c core/elf.c core/feature.c core/log.c */
/* sources: core/memory.c core/payload.c core/timer.c core/io.c core/vm.c tests/unit/fake_platform.c */
/* The board as a whole: CPU model, RAM, wires, UHI boot, and payloads it refuses. */
#include "tests/unit/mips_machine_tests.h"

#define KERNEL_VA    0xffffffff80100000ull
#define KERNEL_ENTRY 0xffffffff80100040ull
#define UART         0x1f000900ull
#define IP4          (1u << 12)

static void build(uint64_t ram)
{
	make_vm(ram, 1);
	assert_int_equal(vm.machine->build(&vm), 0);
}

static int board(void **state)
{
	(void)state;
	make_kernel(8, KERNEL_VA, KERNEL_ENTRY, 0x4000);
	make_payload(0x2800000, 0x2000000, "console=ttyS0");
	build(MB(48));
	return 0;
}

static void cpu_model_is_a_5kef(void **state)
{
	const struct mips_model *m = cpus[0].model;

	(void)state;
	assert_int_equal(m->prid, 0x00018900);
	assert_int_equal(m->features, MIPS_HAS_FPU);
	assert_int_equal(m->config[0], 0x80004482); /* M, AT 2, AR 1, MT 1, K0 2 */
	assert_int_equal(m->config[1] >> 31, 1);
	assert_int_equal((m->config[1] >> 25 & 63) | (m->config[4] & 255) << 6, m->tlb_entries - 1);
	assert_int_equal(m->config[1] >> 3 & 1, m->watches > 0);
	assert_int_equal(m->config[1] & 1, 1);      /* FP, as MIPS_FPU is on */
	assert_int_equal(m->config[1] >> 4 & 1, 0); /* no performance counters */
	/* A cache way is at most a page, so there are no aliases. */
	assert_true((64u << (m->config[1] >> 22 & 7)) * (2u << (m->config[1] >> 19 & 7)) <= 4096);
	assert_true((64u << (m->config[1] >> 13 & 7)) * (2u << (m->config[1] >> 10 & 7)) <= 4096);
	assert_int_equal(m->config[2], 0x80000000);
	assert_int_equal(m->config[3], 0x80002080); /* M, ULRI, LPA */
	assert_int_equal(m->intctl >> 29, 7);
	assert_int_equal(m->segbits, 42);
	assert_int_equal(m->pabits, 36);
	assert_false(m->big_endian);
}

static void ram_is_malta_s(void **state)
{
	(void)state;
	assert_int_equal(vm.memory.nr_ram, 1);
	assert_int_equal(vm.memory.ram[0].size, MB(48));
	build(MB(260));
	assert_int_equal(vm.memory.nr_ram, 2);
	assert_int_equal(vm.memory.ram[0].size, MB(256));
	assert_int_equal(vm.memory.ram[1].gpa, 0x90000000);
	assert_int_equal(vm.memory.ram[1].size, MB(4));
}

static void too_much_ram_is_refused(void **state)
{
	(void)state;
	make_vm(MB(2049), 1);
	assert_int_equal(vm.machine->build(&vm), -EINVAL);
	assert_non_null(strstr(fake_log, "at most 2048 MiB"));
	make_vm(MB(48), 1);
	fake_pages_left = MB(32);
	assert_int_equal(vm.machine->build(&vm), -ENOMEM);
	assert_non_null(strstr(fake_log, "RAM_MB"));
}

static void uhi_registers(void **state)
{
	(void)state;
	assert_int_equal(vm.machine->load(&vm), 0);
	assert_int_equal(cpus[0].pc, KERNEL_ENTRY);
	assert_int_equal(cpus[0].gpr[4], 0xfffffffffffffffe); /* a0 */
	assert_int_equal(cpus[0].gpr[5], 0xffffffff82800000); /* a1 */
	assert_int_equal(cpus[0].gpr[6], 0);
	assert_int_equal(cpus[0].gpr[7], 0);
}

static void payload_is_placed(void **state)
{
	(void)state;
	for (unsigned again = 0; again < 2; again++) {
		memset(vm.memory.ram[0].hva, 0xee, MB(48));
		cpus[0].pc = 0;
		assert_int_equal(vm.machine->load(&vm), 0);
		assert_int_equal(ram_get(0x100000, 1), 0x5a);
		assert_int_equal(ram_get(0x103ff8, 8), 0);
		assert_int_equal(ram_get(0x104000, 1), 0xee);
		assert_int_equal(ram_get(0x2000000, 1), 0x77);
		assert_int_equal(ram_get(0x2800000, 4), 0xedfe0dd0);
		assert_int_equal(cpus[0].pc, KERNEL_ENTRY);
	}
}

static void bad_payloads_are_refused(void **state)
{
	(void)state;
	parts[2].gpa = 0x103fff;
	refuses(-EBADMSG, "initrd at 0x103fff-0x1057fe overlaps kernel");
	parts[2].gpa = 0x800;
	refuses(-EBADMSG, "overlaps exception vectors");
	parts[2].gpa = 0x2800000;
	refuses(-EBADMSG, "overlaps device tree");
	parts[2].gpa = MB(48);
	refuses(-ENOMEM, "initrd.gz");
	parts[2].gpa = 0x2000000;
	parts[1].kind = PAYLOAD_DISK;
	refuses(-ENOENT, "no device tree, which the machine virt");
	make_kernel(62, KERNEL_VA, KERNEL_ENTRY, 0x4000);
	refuses(-ENOEXEC, "another CPU");
}

static void device_tree_must_be_in_reach_of_kseg0(void **state)
{
	(void)state;
	build(MB(260));
	parts[1].gpa = 0x90000000;
	refuses(-EBADMSG, "below 256 MiB");
}

static void uart_is_on_cpu_line_4(void **state)
{
	(void)state;
	bus_write(&vm.mmio, UART, 1, 'v');
	bus_write(&vm.mmio, UART, 1, '\n');
	assert_non_null(strstr(fake_console, "v\n"));
	assert_int_equal(bus_read(&vm.mmio, UART + 0x28, 1) & 0x60, 0x60);
	bus_write(&vm.mmio, UART + 8, 1, 2);
	assert_int_equal(cpus[0].cp0.cause, IP4);
	bus_reset(&vm.mmio);
	assert_int_equal(cpus[0].cp0.cause, 0);
}

static void reset_register_takes_0x42_only(void **state)
{
	(void)state;
	assert_int_equal(bus_read(&vm.mmio, 0x1f000500, 4), 0);
	bus_write(&vm.mmio, 0x1f000500, 4, 0x41);
	bus_write(&vm.mmio, 0x1f000501, 1, 0x42);
	bus_write(&vm.mmio, 0x1f000500, 4, 0x142);
	assert_int_equal(vm.request, VM_KEEP_RUNNING);
	bus_write(&vm.mmio, 0x1f000500, 4, 0x42);
	assert_int_equal(vm.request, VM_RESET);
	assert_int_equal(vm.mmio.unclaimed, 0);
}

/** Devices of features, of which several share an input of the CPU: it is high while any wants it. */
static void slots_share_cpu_lines(void **state)
{
	struct device dev[MACHINE_SLOTS];
	struct irq_line irq[MACHINE_SLOTS];

	(void)state;
	plug_all(dev, irq, 0x1f010000);
	irq_set(&irq[0], true);
	assert_int_equal(cpus[0].cp0.cause, 1u << 10);
	irq_set(&irq[4], true);
	irq_set(&irq[0], false);
	assert_int_equal(cpus[0].cp0.cause, 1u << 10);
	irq_set(&irq[7], true);
	irq_set(&irq[4], false);
	assert_int_equal(cpus[0].cp0.cause, 1u << 14);
	irq_set(&irq[7], false);
	assert_int_equal(cpus[0].cp0.cause, 0);
}

static void describe_names_the_board(void **state)
{
	(void)state;
	vm.machine->describe(&vm);
	assert_non_null(strstr(fake_log, "5KEf, 48 MiB of RAM"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(cpu_model_is_a_5kef, board),
		cmocka_unit_test_setup(ram_is_malta_s, board),
		cmocka_unit_test_setup(too_much_ram_is_refused, board),
		cmocka_unit_test_setup(uhi_registers, board),
		cmocka_unit_test_setup(payload_is_placed, board),
		cmocka_unit_test_setup(bad_payloads_are_refused, board),
		cmocka_unit_test_setup(device_tree_must_be_in_reach_of_kseg0, board),
		cmocka_unit_test_setup(uart_is_on_cpu_line_4, board),
		cmocka_unit_test_setup(reset_register_takes_0x42_only, board),
		cmocka_unit_test_setup(slots_share_cpu_lines, board),
		cmocka_unit_test_setup(describe_names_the_board, board),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
