/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/machine-pvh/machine.c features/machine-pvh/acpi.c features/machine-pvh/aml.c */
/* sources: features/machine-pvh/linux64.c features/machine-pvh/power.c features/machine-pvh/start.c features/machine-pvh/slots.c */
/* sources: features/timer-on-demand/on_demand.c tests/unit/hvm_fixture.c arch/x86_64/hvm/run.c */
/* sources: arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c arch/x86_64/hvm/msr.c */
/* sources: arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c arch/x86_64/hvm/print.c */
/* sources: core/bus.c core/console.c core/elf.c core/feature.c core/io.c core/log.c core/memory.c core/payload.c core/timer.c */
/* sources: core/vm.c tests/unit/fake_platform.c tests/unit/x86_image.c */
/* What a kernel finds when machine pvh starts it, by PVH or by Linux's 64-bit protocol; and the ports of the board. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <husk/feature.h>

#include "features/machine-pvh/pvh.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"
#include "tests/unit/x86_image.h"

#define RAM       0x800000u
#define INITRD_AT 0x500000u

static struct hvm_fixture f;
static struct memory *const m = &f.vm.memory;
static uint8_t file[X86_IMAGE_SIZE];
static struct payload_part parts[3];
static struct payload payload;

/* The parts of a payload: the kernel in `file`, a command line, and an initial RAM disk, which tests may leave out. */
static int setup(void **state)
{
	(void)state;
	fake_reset();
	hvm_fixture_init(&f, 0);
	parts[0] =
		(struct payload_part){ .kind = PAYLOAD_KERNEL, .name = "kernel", .data = file, .size = sizeof(file) };
	parts[1] = (struct payload_part){
		.kind = PAYLOAD_CMDLINE, .name = "cmdline", .data = (const uint8_t *)"a=b tsc=@TSC_KHZ@ c", .size = 19
	};
	parts[2] = (struct payload_part){ .kind = PAYLOAD_INITRD,
					  .name = "initrd",
					  .data = (const uint8_t *)"initial",
					  .size = 7,
					  .gpa = INITRD_AT };
	payload = (struct payload){ .recipe = "test", .parts = parts, .count = 3 };
	f.params.ram_bytes = RAM;
	f.vm.payload = &payload;
	f.vm.machine = feature_provider(FEATURE_MACHINE);
	assert_non_null(f.vm.machine);
	assert_int_equal(f.vm.machine->build(&f.vm), 0);
	return 0;
}

static int load(void)
{
	return f.vm.machine->load(&f.vm);
}

static uint64_t get(uint64_t gpa, unsigned bytes)
{
	uint64_t value = 0;

	assert_int_equal(memory_read(m, gpa, &value, bytes), 0);
	return value;
}

static const char *text_at(uint64_t gpa)
{
	return memory_borrow(m, gpa, 1);
}

/* The fixture's TSC has two ticks a nanosecond. */
#define CMDLINE "a=b tsc=2000000 c"

/* --- PVH: docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h of Xen */

static void expect_line(uint64_t at, uint64_t address, uint64_t end, uint32_t type)
{
	assert_int_equal(get(at, 8), address);
	assert_int_equal(get(at + 8, 8), end - address);
	assert_int_equal(get(at + 16, 4), type);
}

static void test_pvh(void **state)
{
	uint64_t info, map;

	(void)state;
	x86_image_elf(file);
	memset(memory_borrow(m, X86_IMAGE_LOAD, X86_IMAGE_MEMSZ), 0xee, X86_IMAGE_MEMSZ);
	assert_int_equal(load(), 0);
	assert_memory_equal(memory_borrow(m, X86_IMAGE_LOAD, X86_IMAGE_FILESZ), file + X86_IMAGE_TEXT,
			    X86_IMAGE_FILESZ);
	assert_int_equal(get(X86_IMAGE_LOAD + X86_IMAGE_FILESZ, 8), 0); /* bss */
	assert_int_equal(get(X86_IMAGE_LOAD + X86_IMAGE_MEMSZ - 8, 8), 0);
	assert_int_equal(f.cpu.rip, X86_IMAGE_ENTRY);
	info = f.cpu.gpr[X86_RBX];
	assert_int_equal(get(info, 4), 0x336ec578);
	assert_int_equal(get(info + 4, 4), 1);
	assert_int_equal(get(info + 8, 4), 0);
	assert_int_equal(get(info + 12, 4), 1);
	assert_int_equal(get(get(info + 16, 8), 8), INITRD_AT);
	assert_int_equal(get(get(info + 16, 8) + 8, 8), 7);
	assert_string_equal(text_at(get(info + 24, 8)), CMDLINE);
	assert_memory_equal(text_at(get(info + 32, 8)), "RSD PTR ", 8);
	map = get(info + 40, 8);
	assert_int_equal(get(info + 48, 4), 4);
	expect_line(map, 0, 0xa0000, 1);
	expect_line(map + 24, 0xe0000, 0x100000, 2);
	expect_line(map + 48, 0x100000, RAM, 1);
	expect_line(map + 72, 0xfeff8000, 0xff000000, 2);
	assert_memory_equal(text_at(INITRD_AT), "initial", 7);
}

static void expect_flat(enum x86_segment_number n, uint16_t attributes)
{
	assert_int_equal(f.segments[n].base, 0);
	assert_int_equal(f.segments[n].limit, UINT32_MAX);
	assert_int_equal(f.segments[n].attributes, attributes);
}

/* 32-bit protected mode, no paging, interrupts off. */
static void test_pvh_state(void **state)
{
	(void)state;
	x86_image_elf(file);
	assert_int_equal(load(), 0);
	assert_int_equal(f.controls[X86_CR0] & ~0x10ull, 1);
	assert_int_equal(f.controls[X86_CR4], 0);
	assert_int_equal(f.controls[X86_EFER], 0);
	assert_int_equal(f.cpu.rflags, 2);
	expect_flat(X86_CS, 0xc9b);
	for (unsigned n = X86_ES; n <= X86_GS; n++) {
		if (n != X86_CS)
			expect_flat(n, 0xc93);
	}
	assert_int_equal(f.segments[X86_TR].attributes, 0x8b);
	assert_int_equal(f.segments[X86_TR].limit, 0x67);
}

static void test_pvh_without_initrd(void **state)
{
	(void)state;
	x86_image_elf(file);
	payload.count = 2;
	assert_int_equal(load(), 0);
	assert_int_equal(get(f.cpu.gpr[X86_RBX] + 12, 4), 0);
	assert_int_equal(get(f.cpu.gpr[X86_RBX] + 16, 8), 0);
}

/* Loading again is as loading the first time, whatever the guest has left. */
static void test_reload(void **state)
{
	static uint8_t first[PVH_MAIN];

	(void)state;
	x86_image_elf(file);
	assert_int_equal(load(), 0);
	memcpy(first, memory_borrow(m, 0, PVH_MAIN), sizeof(first));
	memset(memory_borrow(m, 0, RAM), 0xa5, RAM);
	f.cpu.gpr[X86_RBX] = f.controls[X86_CR4] = 99;
	assert_int_equal(load(), 0);
	assert_memory_equal(memory_borrow(m, 0, PVH_MAIN), first, sizeof(first));
	assert_int_equal(f.cpu.gpr[X86_RBX], PVH_BOOT);
	assert_int_equal(f.controls[X86_CR4], 0);
}

static void expect_refusal(int error, const char *why)
{
	fake_clear_text();
	assert_int_equal(load(), error);
	assert_non_null(strstr(fake_log, why));
	assert_string_equal(strchr(fake_log, '\n'), "\n"); /* one line */
}

static void test_pvh_refusals(void **state)
{
	(void)state;
	x86_image_elf(file);
	x86_image_put(file, X86_IMAGE_NOTE + 8, 4, 17);
	expect_refusal(-ENOEXEC, "'kernel' has no ELF note Xen 18");
	x86_image_elf(file);
	x86_image_put(file, X86_IMAGE_NOTE + 4, 4, 2);
	expect_refusal(-EBADMSG, "its note XEN_ELFNOTE_PHYS32_ENTRY is damaged");
	x86_image_elf(file);
	x86_image_put(file, X86_IMAGE_NOTE + 16, 4, X86_IMAGE_LOAD - 1);
	expect_refusal(-EBADMSG, "its PVH entry 0x1fffff lies outside of what it loads");
	x86_image_elf(file);
	x86_image_put(file, 24, 8, 0x8000);
	x86_image_put(file, 64 + 16, 8, 0x8000);
	x86_image_put(file, 64 + 24, 8, 0x8000);
	x86_image_put(file, X86_IMAGE_NOTE + 16, 4, 0x8000);
	expect_refusal(-ENOMEM, "it loads to 0x8000, below 1 MiB");
	x86_image_elf(file);
	x86_image_put(file, 64 + 40, 8, RAM);
	expect_refusal(-ENOMEM, "kernel");
	x86_image_elf(file);
	parts[2].gpa = 0x9000;
	expect_refusal(-ENOMEM, "initrd: at 0x9000, where the machine pvh has no room");
	parts[2].gpa = RAM - 4;
	expect_refusal(-ENOMEM, "initrd");
	payload.parts = parts + 1;
	payload.count = 1;
	expect_refusal(-ENOENT, "the payload has no kernel");
}

static void test_long_command_lines(void **state)
{
	static char text[PVH_CMDLINE_MAX + 2];

	(void)state;
	x86_image_elf(file);
	memset(text, 'x', PVH_CMDLINE_MAX);
	parts[1].data = (const uint8_t *)text;
	expect_refusal(-EINVAL, "the command line is too long for the machine pvh: shorten GUEST_CMDLINE");
	text[PVH_CMDLINE_MAX - 1] = '\0';
	assert_int_equal(load(), 0);
	assert_string_equal(text_at(get(f.cpu.gpr[X86_RBX] + 24, 8)), text);
	x86_image_bzimage(file);
	expect_refusal(-EINVAL, "the command line is too long for kernel: shorten GUEST_CMDLINE");
	text[X86_IMAGE_CMDLINE] = '\0';
	assert_int_equal(load(), 0);
}

/* --- Linux's 64-bit protocol: Documentation/x86/boot.rst, zero-page.rst */

static void test_bzimage(void **state)
{
	uint64_t zero;

	(void)state;
	x86_image_bzimage(file);
	assert_int_equal(load(), 0);
	assert_int_equal(f.cpu.rip, X86_IMAGE_LOAD + 0x200);
	assert_memory_equal(text_at(X86_IMAGE_LOAD), file + X86_IMAGE_SETUP, sizeof(file) - X86_IMAGE_SETUP);
	zero = f.cpu.gpr[X86_RSI];
	assert_memory_equal(text_at(zero + 0x202), "HdrS", 4); /* the header is copied */
	assert_int_equal(get(zero + 0x258, 8), X86_IMAGE_LOAD);
	assert_int_equal(get(zero + 0x210, 1), 0xff);
	assert_int_equal(get(zero + 0x218, 4), INITRD_AT);
	assert_int_equal(get(zero + 0x21c, 4), 7);
	assert_string_equal(text_at(get(zero + 0x228, 4)), CMDLINE);
	assert_memory_equal(text_at(get(zero + 0x70, 8)), "RSD PTR ", 8);
	assert_int_equal(get(zero + 0x1e8, 1), 4);
	expect_line(zero + 0x2d0, 0, 0xa0000, 1);
	expect_line(zero + 0x2d0 + 40, 0x100000, RAM, 1);
	assert_int_equal(get(zero, 8), 0); /* all else is zero */
	assert_memory_equal(text_at(INITRD_AT), "initial", 7);
}

/* 64-bit mode on an identity map, with the two selectors in a GDT. */
static void test_bzimage_state(void **state)
{
	uint64_t gdt;

	(void)state;
	x86_image_bzimage(file);
	assert_int_equal(load(), 0);
	assert_int_equal(f.controls[X86_EFER] & 0x500, 0x500);
	assert_int_equal(f.controls[X86_CR0] & 0x80000001, 0x80000001);
	assert_true((f.controls[X86_CR4] & 0x20) != 0);
	assert_int_equal(f.cpu.rflags & 0x200, 0);
	assert_int_equal(f.segments[X86_CS].selector, 0x10);
	expect_flat(X86_CS, 0xa9b);
	for (unsigned n = X86_ES; n <= X86_GS; n++) {
		if (n == X86_CS)
			continue;
		assert_int_equal(f.segments[n].selector, 0x18);
		expect_flat(n, 0xc93);
	}
	gdt = f.segments[X86_GDTR].base;
	assert_int_equal(f.segments[X86_GDTR].limit, 31);
	assert_int_equal(get(gdt + 0x10, 8), 0x00af9b000000ffff);
	assert_int_equal(get(gdt + 0x18, 8), 0x00cf93000000ffff);
	f.vm.engine = &(const struct engine){ .translate = x86_translate };
	for (uint64_t gva = 0; gva < 0x100000000; gva += 0x0f234567) {
		uint64_t gpa = 1;

		assert_int_equal(x86_translate(&f.cpu.vcpu, gva, &gpa), 0);
		assert_int_equal(gpa, gva);
	}
}

static void test_bzimage_refusals(void **state)
{
	(void)state;
	x86_image_bzimage(file);
	x86_image_put(file, 0x206, 2, 0x20b);
	expect_refusal(-ENOEXEC, "its boot protocol is older than 2.12: take a newer kernel");
	x86_image_bzimage(file);
	x86_image_put(file, 0x236, 2, 0);
	expect_refusal(-ENOEXEC, "it is a 32-bit kernel: take one for amd64");
	x86_image_bzimage(file);
	x86_image_put(file, 0x1f1, 1, 7);
	expect_refusal(-ENOEXEC, "it is truncated");
	x86_image_bzimage(file);
	x86_image_put(file, 0x260, 4, 64 << 20);
	expect_refusal(-ENOMEM, "kernel needs 64 MiB of guest RAM from 0x200000 on");
	x86_image_bzimage(file);
	x86_image_put(file, 0x258, 8, 0x8000);
	expect_refusal(-ENOMEM, "raise RAM_MB");
}

/* --- the board */

static void test_limits(void **state)
{
	static const struct {
		uint64_t gpa;
		unsigned what;
	} cases[] = { { 0, 0 },
		      { 0x9f000, 0 },
		      { PVH_TABLES, MEMORY_READ_ONLY | MEMORY_NO_EXECUTE },
		      { PVH_BOOT, MEMORY_NO_EXECUTE },
		      { PVH_RESET_VECTOR, MEMORY_READ_ONLY },
		      { PVH_MAIN, 0 },
		      { PVH_SPECIAL, MEMORY_NO_EXECUTE } };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t size = 1;

		assert_int_equal(memory_limits(m, cases[i].gpa, &size), cases[i].what);
	}
}

static void test_ports(void **state)
{
	struct bus *ports = &f.vm.ports;

	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		f.vm.request = VM_KEEP_RUNNING;
		bus_write(ports, 0x600, 1, v);
		/* ACPI 6.4, 4.8.3.7: SLP_EN is bit 5, SLP_TYP bits 4:2, and S5's type 5 by the DSDT */
		assert_int_equal(f.vm.request, (v & 0x3c) == 0x34 ? VM_POWER_OFF : VM_KEEP_RUNNING);
		f.vm.request = VM_KEEP_RUNNING;
		bus_write(ports, 0x602, 1, v);
		assert_int_equal(f.vm.request, v == 1 ? VM_RESET : VM_KEEP_RUNNING);
		f.vm.request = VM_KEEP_RUNNING;
		bus_write(ports, 0x601, 1, v);
		assert_int_equal(f.vm.request, VM_KEEP_RUNNING);
	}
	assert_int_equal(bus_read(ports, 0x601, 1), 0);
	for (unsigned port = 0x40; port < 0x44; port++) { /* no 8254 */
		bus_write(ports, port, 1, 0xb0);
		assert_int_equal(bus_read(ports, port, 1), 0);
	}
}

/* The code at the BIOS's entry: mov dx, 0x602; mov al, 1; out dx, al; hlt. */
static void test_reset_vector(void **state)
{
	(void)state;
	x86_image_elf(file);
	assert_int_equal(load(), 0);
	assert_memory_equal(text_at(0xffff0), "\xba\x02\x06\xb0\x01\xee\xf4", 7);
}

static void test_no_memory(void **state)
{
	(void)state;
	fake_pages_left = 0;
	fake_clear_text();
	assert_int_equal(f.vm.machine->build(&f.vm), -ENOMEM);
	assert_string_equal(fake_log, "husk: error: machine pvh: no memory for the board\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pvh, setup),
		cmocka_unit_test_setup(test_pvh_state, setup),
		cmocka_unit_test_setup(test_pvh_without_initrd, setup),
		cmocka_unit_test_setup(test_reload, setup),
		cmocka_unit_test_setup(test_pvh_refusals, setup),
		cmocka_unit_test_setup(test_long_command_lines, setup),
		cmocka_unit_test_setup(test_bzimage, setup),
		cmocka_unit_test_setup(test_bzimage_state, setup),
		cmocka_unit_test_setup(test_bzimage_refusals, setup),
		cmocka_unit_test_setup(test_limits, setup),
		cmocka_unit_test_setup(test_ports, setup),
		cmocka_unit_test_setup(test_reset_vector, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
