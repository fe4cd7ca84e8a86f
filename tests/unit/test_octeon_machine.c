/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/machine-octeon/bootinfo.c features/machine-octeon/bootmem.c features/machine-octeon/ciu.c */
/* sources: features/machine-octeon/cores.c features/machine-octeon/csr.c features/machine-octeon/machine.c arch/mips64/guest/boot.c */
/* sources: features/uart-ns16550/uart_ns16550.c core/bus.c core/console.c core/elf.c core/feature.c core/log.c */
/* sources: core/memory.c core/payload.c core/timer.c core/io.c core/vm.c tests/unit/fake_platform.c */
/* The board as a whole: CPU model, RAM, wires, what the boot loader leaves, and payloads it refuses. */
#include "tests/unit/mips_machine_tests.h"
#include "arch/mips64/guest/cp0.h"

#define KERNEL_VA    0xffffffff81100000ull
#define KERNEL_ENTRY 0xffffffff81100040ull
#define KERNEL_END   0x1104000ull
#define IP2          (1u << 10)
#define IP3          (1u << 11)

static void debian_like(const char *cmdline)
{
	make_kernel(8, KERNEL_VA, KERNEL_ENTRY, 0x4000);
	make_payload(0x20000, 0x3800000, cmdline);
}

static void build(uint64_t ram, unsigned cores)
{
	make_vm(ram, cores);
	assert_int_equal(vm.machine->build(&vm), 0);
}

static int board(void **state)
{
	(void)state;
	debian_like("console=ttyS0,115200 nokaslr");
	build(MB(64), 2);
	return 0;
}

static void cpu_model_is_cn63xx_pass_2_2(void **state)
{
	const struct mips_model *m = cpus[1].model;

	(void)state;
	assert_int_equal(m->prid, 0x000d900a);
	assert_int_equal(m->features, MIPS_HAS_FPU | MIPS_HAS_OCTEON | MIPS_HAS_UNALIGNED);
	assert_int_equal(m->config[0], 0x80004483); /* M, AT 2, AR 1, MT 1, K0 3 */
	assert_int_equal(m->config[1] >> 31, 1);
	assert_int_equal((m->config[1] >> 25 & 63) | (m->config[4] & 255) << 6, m->tlb_entries - 1);
	assert_int_equal(m->config[1] >> 19 & 7, 6); /* instruction cache lines of 128 bytes */
	assert_int_equal(m->config[1] & 0x1a, 0);    /* no performance counters, watch or MDMX */
	assert_int_equal(m->config[1] & 1, 1);       /* FP, as MIPS_FPU is on */
	assert_int_equal(m->config[2], 0x80000000);
	assert_int_equal(m->config[3], 0x80003080);         /* M, ULRI, RXI, LPA: no VInt, VEIC, MT, DSP, PW */
	assert_int_equal(m->config[4] & ~255u, 0xc03c4000); /* M, IE 2, KScratch 2-5, MMUExtDef 1 */
	assert_int_equal(m->config[5], 0);
	assert_int_equal(m->intctl, 0xf8000000);
	assert_int_equal(m->segbits, 49);
	assert_int_equal(m->pabits, 49);
	assert_int_equal(m->watches, 0);
	assert_false(m->big_endian);
}

static void ram_has_the_boot_bus_hole(void **state)
{
	(void)state;
	assert_int_equal(vm.memory.nr_ram, 1);
	assert_int_equal(vm.memory.ram[0].gpa, 0);
	assert_int_equal(vm.memory.ram[0].size, MB(64));
	build(MB(264), 1);
	assert_int_equal(vm.memory.nr_ram, 2);
	assert_int_equal(vm.memory.ram[0].size, MB(256));
	assert_int_equal(vm.memory.ram[1].gpa, 0x20000000);
	assert_int_equal(vm.memory.ram[1].size, MB(8));
}

static void too_much_ram_is_refused(void **state)
{
	(void)state;
	make_vm(MB(5121), 1);
	assert_int_equal(vm.machine->build(&vm), -EINVAL);
	assert_non_null(strstr(fake_log, "at most 5120 MiB"));
	make_vm(MB(64), 1);
	fake_pages_left = MB(32);
	assert_int_equal(vm.machine->build(&vm), -ENOMEM);
	assert_non_null(strstr(fake_log, "RAM_MB"));
	make_vm(MB(64), 1);
	fake_pages_left = 0;
	assert_int_equal(vm.machine->build(&vm), -ENOMEM);
}

static void more_than_16_cores_are_refused(void **state)
{
	(void)state;
	cpus[0].vcpu.id = 16;
	assert_int_equal(vm.machine->init_vcpu(&cpus[0].vcpu), -EINVAL);
	assert_non_null(strstr(fake_log, "16 cores"));
}

static void cores_start_as_the_boot_loader_does(void **state)
{
	(void)state;
	assert_int_equal(vm.machine->load(&vm), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(cpus[i].pc, KERNEL_ENTRY);
		assert_int_equal(cpus[i].gpr[6], i == 0);             /* a2 */
		assert_int_equal(cpus[i].gpr[7], 0xffffffff80010000); /* a3 */
		assert_int_equal(cpus[i].cp0.cvmctl, 0x3f0);
		assert_int_equal(cpus[i].cp0.cvmmemctl, 0x100);
	}
}

static void pass_time(uint64_t ns)
{
	fake_now += ns;
	timer_run_due(&cpus[0].vcpu);
	timer_run_due(&cpus[1].vcpu);
}

/* The others wait until the first clears a mailbox, or for a second. */
static void other_cores_are_held_until_they_are_wanted(void **state)
{
	(void)state;
	assert_int_equal(vm.machine->load(&vm), 0);
	assert_false(cpus[0].waiting);
	assert_true(cpus[1].waiting);
	mmio_put(0x1070000006200, 1);
	pass_time(1000);
	assert_true(cpus[1].waiting);
	mmio_put(0x1070000000680, 0xffff);
	pass_time(0);
	assert_false(cpus[1].waiting);

	assert_int_equal(vm.machine->load(&vm), 0);
	assert_true(cpus[1].waiting);
	pass_time(1000000000);
	pass_time(0);
	assert_false(cpus[1].waiting);
}

/* While they spin they sleep most of the time, until they have gone elsewhere. */
static void cores_that_spin_sleep(void **state)
{
	(void)state;
	assert_int_equal(vm.machine->load(&vm), 0);
	mmio_put(0x1070000000680, 0xffff);
	pass_time(0);
	cpus[1].pc += 0x100; /* to the loop */
	pass_time(60000);
	assert_false(cpus[1].waiting);
	for (unsigned n = 0; n < 100; n++) {
		cpus[1].pc ^= 4;
		pass_time(60000);
		assert_true(cpus[1].waiting);
		pass_time(3000000);
		assert_false(cpus[1].waiting);
	}
	for (unsigned n = 0; n < 5; n++) {
		cpus[1].pc += 0x1000;
		pass_time(60000);
	}
	assert_null(cpus[1].vcpu.timers.first);
	pass_time(1000000000);
	assert_false(cpus[1].waiting);
}

static void pass_time_of(unsigned n, uint64_t ns)
{
	fake_now += ns;
	timer_run_due(&cpus[n].vcpu);
}

/* The kernel counts its own time for an answer: it goes on when the core that the host had left waiting has looked. */
static void first_core_pauses_until_others_have_looked(void **state)
{
	(void)state;
	assert_int_equal(vm.machine->load(&vm), 0);
	mmio_put(0x1070000000680, 0xffff);
	cpus[0].cp0.status = 0;
	pass_time_of(0, 3000000);
	assert_false(cpus[0].waiting); /* with interrupts off, that would be the end */
	cpus[0].cp0.status = STATUS_IE | STATUS_IM;
	pass_time_of(0, 500000);
	assert_true(cpus[0].waiting);
	pass_time_of(0, 500000);
	assert_true(cpus[0].waiting);
	pass_time_of(1, 0);
	pass_time_of(1, 60000);
	pass_time_of(0, 500000);
	assert_false(cpus[0].waiting);
	for (unsigned n = 0; n < 10; n++) { /* enough time for looks */
		pass_time_of(1, 2000000);
		pass_time_of(1, 60000);
		pass_time_of(0, 1000000);
		assert_false(cpus[0].waiting);
	}
}

static void payload_is_where_the_kernel_looks(void **state)
{
	(void)state;
	memset(vm.memory.ram[0].hva, 0xee, MB(64));
	assert_int_equal(vm.machine->load(&vm), 0);
	assert_int_equal(ram_get(0x1100000, 8), 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(ram_get(KERNEL_END - 8, 8), 0); /* bss */
	assert_int_equal(ram_get(KERNEL_END, 1), 0xee);
	assert_int_equal(ram_get(0x3800000, 1), 0x77);
	assert_int_equal(ram_get(0x20000, 4), 0xedfe0dd0);
	assert_int_equal(ram_get(0x11098, 8), 0x20000);    /* fdt_addr */
	assert_int_equal(ram_get(0x110a0, 8), 3);          /* ext_core_mask */
	assert_int_equal(ram_get(0x11040, 4), 100000000);  /* eclock_hz */
	assert_int_equal(ram_get(0x1103c, 4), 64);         /* dram_size */
	assert_int_equal(ram_get(0x10038, 4), 2);          /* argc */
	assert_int_equal(ram_get(0x12008, 8), 0x100000);   /* head of the free list */
	assert_int_equal(ram_get(0x100000, 8), 0x1200000); /* next: behind the kernel */
	assert_int_equal(ram_get(0x100008, 8), 0x1000000);
	assert_int_equal(ram_get(0x1200000, 8), 0x3900000); /* next: behind the initrd */
	assert_int_equal(ram_get(0x1200008, 8), 0x2600000);
	assert_int_equal(ram_get(0x3900000, 8), 0);
	assert_int_equal(ram_get(0x3900008, 8), 0x700000);
}

static void loading_again_gives_the_same(void **state)
{
	static uint8_t before[0x20000];

	(void)state;
	assert_int_equal(vm.machine->load(&vm), 0);
	memcpy(before, vm.memory.ram[0].hva, sizeof(before));
	memset(vm.memory.ram[0].hva + 0x1000, 0xee, MB(16));
	cpus[0].pc = cpus[0].gpr[6] = 0;
	bus_reset(&vm.mmio);
	assert_int_equal(vm.machine->load(&vm), 0);
	assert_memory_equal(before + 0x10000, vm.memory.ram[0].hva + 0x10000, 0x10000);
	assert_int_equal(ram_get(0x100008, 8), 0x1000000);
	assert_int_equal(cpus[0].pc, KERNEL_ENTRY);
	assert_int_equal(cpus[0].gpr[6], 1);
}

/* The window in which a relocated kernel may be: from its rounded length on, 16 MiB and its length wide. */
static void relocation_window_is_kept_free(void **state)
{
	(void)state;
	debian_like("console=ttyS0,115200");
	assert_int_equal(vm.machine->load(&vm), 0);
	assert_int_equal(ram_get(0x100000, 8), 0x2200000); /* 0x1100000 + 0x10000 + 0x1000000 + 0x4000, rounded up */
	debian_like("console=ttyS0,115200 xnokaslr");
	assert_int_equal(vm.machine->load(&vm), 0);
	assert_int_equal(ram_get(0x100000, 8), 0x2200000);
}

static void no_command_line_is_fine(void **state)
{
	(void)state;
	payload.count = 3;
	assert_int_equal(vm.machine->load(&vm), 0);
	assert_int_equal(ram_get(0x10038, 4), 0);
}

static void no_initrd_is_fine(void **state)
{
	(void)state;
	parts[2].kind = PAYLOAD_DISK;
	assert_int_equal(vm.machine->load(&vm), 0);
	assert_int_equal(ram_get(0x1200000, 8), 0);
	assert_int_equal(ram_get(0x1200008, 8), 0x4000000 - 0x1200000);
}

static void kernels_in_xkphys_load_at_their_address(void **state)
{
	(void)state;
	make_kernel(8, 0x8000000001100000, 0x8000000001100040, 0x4000);
	assert_int_equal(vm.machine->load(&vm), 0);
	assert_int_equal(cpus[0].pc, 0x8000000001100040);
	assert_int_equal(ram_get(0x1100000, 1), 0x5a);
}

static void bad_payloads_are_refused(void **state)
{
	(void)state;
	make_kernel(62, KERNEL_VA, KERNEL_ENTRY, 0x4000);
	refuses(-ENOEXEC, "another CPU");
	make_kernel(8, 0x120000000, 0x120000040, 0x4000);
	refuses(-ENOEXEC, "unmapped segment");
	make_kernel(8, KERNEL_VA, KERNEL_ENTRY, 0x4000);
	kernel[5] = 2;
	refuses(-EBADMSG, "vmlinux");
	make_kernel(8, KERNEL_VA, KERNEL_ENTRY, 0x4000);
	parts[0].size = 0x1800;
	refuses(-EBADMSG, "vmlinux");
	parts[0].size = 10;
	refuses(-EBADMSG, "vmlinux");
	parts[0].kind = PAYLOAD_DISK;
	refuses(-ENOENT, "no kernel");
}

static void bad_device_trees_are_refused(void **state)
{
	(void)state;
	dtb[0] = 0;
	refuses(-ENOEXEC, "board.dtb");
	dtb[0] = 0xd0;
	dtb[7] = 0x41;
	refuses(-EBADMSG, "truncated");
	parts[1].size = 39;
	refuses(-ENOEXEC, "board.dtb");
	parts[1].kind = PAYLOAD_DISK;
	refuses(-ENOENT, "no device tree");
}

static void overlaps_are_refused(void **state)
{
	(void)state;
	parts[2].gpa = KERNEL_END - 1;
	refuses(-EBADMSG, "initrd at 0x1103fff-0x11057fe overlaps kernel");
	parts[2].gpa = KERNEL_END;
	assert_int_equal(vm.machine->load(&vm), 0);
	parts[2].gpa = 0x20000;
	refuses(-EBADMSG, "overlaps device tree");
	parts[2].gpa = 0x3800000;
	parts[1].gpa = 0x12000;
	refuses(-EBADMSG, "device tree at 0x12000-0x1203f overlaps exception vectors and boot descriptors");
	make_kernel(8, 0xffffffff80010000, 0xffffffff80010040, 0x4000);
	refuses(-EBADMSG, "kernel at 0x10000");
}

static void an_initrd_in_the_relocation_window_is_refused(void **state)
{
	(void)state;
	debian_like("quiet");
	parts[2].gpa = 0x1200000;
	refuses(-EBADMSG, "nokaslr");
	debian_like("nokaslr");
	parts[2].gpa = 0x1200000;
	assert_int_equal(vm.machine->load(&vm), 0);
}

static void parts_outside_ram_are_refused(void **state)
{
	(void)state;
	parts[2].gpa = MB(64) - 0x1000;
	refuses(-ENOMEM, "initrd.gz");
	parts[2].gpa = UINT64_MAX - 0x10;
	refuses(-ENOMEM, "initrd.gz");
	parts[1].gpa = MB(64);
	refuses(-ENOMEM, "board.dtb");
	make_kernel(8, KERNEL_VA, KERNEL_ENTRY, MB(64));
	refuses(-ENOMEM, "vmlinux");
}

static void too_little_ram_is_refused(void **state)
{
	(void)state;
	build(MB(60), 1);
	make_kernel(8, KERNEL_VA, KERNEL_ENTRY, MB(38));
	refuses(-ENOMEM, "nothing for the guest");
	debian_like("quiet");
	build(MB(33), 1);
	parts[2].gpa = 0x40000;
	refuses(-ENOMEM, "set RAM_MB to at least 38, or add nokaslr");
	build(MB(38), 1);
	assert_int_equal(vm.machine->load(&vm), 0);
}

/* The kernel drops an initrd beyond the memory that it took from the list, which it does in pieces of 4 MiB. */
static void an_initrd_above_the_usable_ram_is_refused(void **state)
{
	(void)state;
	parts[2].gpa = MB(61);
	refuses(-EBADMSG, "initrd ends at 0x3d01800, the kernel finds RAM up to 0x3a00000");
	parts[2].gpa = MB(59);
	assert_int_equal(vm.machine->load(&vm), 0);
	build(MB(264), 1);
	parts[2].gpa = MB(255);
	assert_int_equal(vm.machine->load(&vm), 0);
}

static void long_command_lines_are_refused(void **state)
{
	static char text[0xa002];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	debian_like(text);
	parts[3].size = sizeof(text) - 1;
	refuses(-E2BIG, "GUEST_CMDLINE");
}

static void uarts_interrupt_through_the_ciu(void **state)
{
	static const struct {
		uint64_t base;
		unsigned bit;
	} uarts[] = { { 0x1180000000800, 34 }, { 0x1180000000c00, 35 } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t bit = 1ull << uarts[i].bit;

		mmio_put(0x1070000000200, bit); /* EN0 of core 0, IP2 */
		mmio_put(0x1070000000230, bit); /* EN0 of core 1, IP3 */
		mmio_put(uarts[i].base + 8, 2); /* IER: THR empty */
		assert_int_equal(mmio_get(0x1070000000000), bit);
		assert_int_equal(cpus[0].cp0.cause, IP2);
		assert_int_equal(cpus[1].cp0.cause, IP3);
		mmio_put(uarts[i].base + 8, 0);
		assert_int_equal(cpus[0].cp0.cause, 0);
		assert_int_equal(cpus[1].cp0.cause, 0);
	}
}

/** Devices of features, at addresses whose bits 47:40 are not 0 and on inputs that nothing else uses. */
static void slots_interrupt_through_the_ciu(void **state)
{
	struct device dev[MACHINE_SLOTS];
	struct irq_line irq[MACHINE_SLOTS];

	(void)state;
	plug_all(dev, irq, 0x10f0000000000);
	for (unsigned n = 0; n < MACHINE_SLOTS; n++) {
		irq_set(&irq[n], true);
		assert_int_equal(mmio_get(0x1070000000000) & 0xff0000, 1u << (16 + n)); /* SUM0 of core 0 */
		irq_set(&irq[n], false);
	}
}

static void uart_as_the_early_console_uses_it(void **state)
{
	(void)state;
	assert_int_equal(mmio_get(0x1180000000828) & 0x60, 0x60); /* LSR */
	mmio_put(0x1180000000840, 'h');                           /* THR at its own place */
	mmio_put(0x1180000000840, '\n');
	assert_non_null(strstr(fake_console, "h\n"));
	mmio_put(0x1180000000818, 0x83);
	assert_int_equal(mmio_get(0x1180000000818), 0x83); /* LCR reads back */
	assert_int_equal(mmio_get(0x1180000000938), 0);    /* USR: not busy */
}

static void soft_reset_asks_for_a_reset(void **state)
{
	(void)state;
	mmio_put(0x1070000000740, 1);
	assert_int_equal(vm.request, VM_RESET);
}

static void mailboxes_reach_their_core(void **state)
{
	(void)state;
	mmio_put(0x1070000000220, 1ull << 32); /* EN0 of core 1, IP2 */
	mmio_put(0x1070000000608, 1);
	assert_int_equal(cpus[0].cp0.cause, 0);
	assert_int_equal(cpus[1].cp0.cause, IP2);
	mmio_put(0x1070000000688, 1);
	assert_int_equal(cpus[1].cp0.cause, 0);
}

static void io_clock_is_one_counter_for_all_cores(void **state)
{
	(void)state;
	timer_ticks = 0x123456789ab;
	assert_int_equal(mmio_get(0x14f0000000338), 0x123456789ab);
	assert_int_equal(mmio_get(0x1180000001600), 2ull << 30 | 2ull << 24);
	assert_int_equal(mmio_get(0x1070000000728), 3); /* CIU_FUSE: two cores */
}

static void reset_silences_the_board(void **state)
{
	(void)state;
	mmio_put(0x1070000000200, ~0ull);
	mmio_put(0x1180000000808, 2);
	assert_int_equal(cpus[0].cp0.cause, IP2);
	bus_reset(&vm.mmio);
	assert_int_equal(cpus[0].cp0.cause, 0);
	assert_int_equal(mmio_get(0x1070000000000), 0);
}

static void describe_names_what_is_not_modelled(void **state)
{
	(void)state;
	mmio_get(0x1180000001a00);
	mmio_get(0x1070000008c00);
	vm.machine->describe(&vm);
	assert_non_null(strstr(fake_log, "CN63XX, 2 cores, 64 MiB"));
	assert_non_null(strstr(fake_log, "1 CSR, 1 CIU"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(cpu_model_is_cn63xx_pass_2_2, board),
		cmocka_unit_test_setup(ram_has_the_boot_bus_hole, board),
		cmocka_unit_test_setup(too_much_ram_is_refused, board),
		cmocka_unit_test_setup(more_than_16_cores_are_refused, board),
		cmocka_unit_test_setup(other_cores_are_held_until_they_are_wanted, board),
		cmocka_unit_test_setup(cores_that_spin_sleep, board),
		cmocka_unit_test_setup(first_core_pauses_until_others_have_looked, board),
		cmocka_unit_test_setup(cores_start_as_the_boot_loader_does, board),
		cmocka_unit_test_setup(payload_is_where_the_kernel_looks, board),
		cmocka_unit_test_setup(loading_again_gives_the_same, board),
		cmocka_unit_test_setup(relocation_window_is_kept_free, board),
		cmocka_unit_test_setup(no_command_line_is_fine, board),
		cmocka_unit_test_setup(no_initrd_is_fine, board),
		cmocka_unit_test_setup(kernels_in_xkphys_load_at_their_address, board),
		cmocka_unit_test_setup(bad_payloads_are_refused, board),
		cmocka_unit_test_setup(bad_device_trees_are_refused, board),
		cmocka_unit_test_setup(overlaps_are_refused, board),
		cmocka_unit_test_setup(an_initrd_in_the_relocation_window_is_refused, board),
		cmocka_unit_test_setup(parts_outside_ram_are_refused, board),
		cmocka_unit_test_setup(too_little_ram_is_refused, board),
		cmocka_unit_test_setup(an_initrd_above_the_usable_ram_is_refused, board),
		cmocka_unit_test_setup(long_command_lines_are_refused, board),
		cmocka_unit_test_setup(uarts_interrupt_through_the_ciu, board),
		cmocka_unit_test_setup(slots_interrupt_through_the_ciu, board),
		cmocka_unit_test_setup(uart_as_the_early_console_uses_it, board),
		cmocka_unit_test_setup(soft_reset_asks_for_a_reset, board),
		cmocka_unit_test_setup(mailboxes_reach_their_core, board),
		cmocka_unit_test_setup(io_clock_is_one_counter_for_all_cores, board),
		cmocka_unit_test_setup(reset_silences_the_board, board),
		cmocka_unit_test_setup(describe_names_what_is_not_modelled, board),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
