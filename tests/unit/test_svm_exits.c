/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/engine-hvm/hvm.c features/timer-on-demand/on_demand.c tests/unit/hvm_fixture.c */
/* sources: arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c */
/* sources: arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c */
/* sources: arch/x86_64/hvm/nested.c arch/x86_64/hvm/print.c core/bus.c core/console.c core/elf.c core/feature.c */
/* sources: core/log.c core/memory.c core/payload.c core/timer.c core/io.c core/vm.c tests/unit/fake_platform.c */
/* Between vCPU and VMCB: registers, events, exits; and nested page tables as the CPU reads them. */
#include "tests/unit/svm_fixture.h"

/* --- in and out */

static struct vmcb at_entry;

static void look_at_all(void)
{
	at_entry = *b;
	b->rip = 0x1111;
	b->rflags = 0x246;
	b->rax = 0x2222;
	b->rsp = 0x3333;
	b->interrupt_shadow = 1;
}

static void test_general_registers(void **state)
{
	(void)state;
	make(ALL);
	on_enter = look_at_all;
	c->rip = 0x7777;
	c->rflags = 0x202;
	c->gpr[X86_RAX] = 5;
	c->gpr[X86_RSP] = 6;
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(at_entry.rip, 0x7777);
	assert_int_equal(at_entry.rflags, 0x202);
	assert_int_equal(at_entry.rax, 5);
	assert_int_equal(at_entry.rsp, 6);
	assert_int_equal(at_entry.interrupt_shadow, 0);
	assert_int_equal(c->rip, 0x1111);
	assert_int_equal(c->rflags, 0x246);
	assert_int_equal(c->gpr[X86_RAX], 0x2222);
	assert_int_equal(c->gpr[X86_RSP], 0x3333);
	assert_true(c->shadow);
	assert_false(c->seen_user);
	b->cpl = 3;
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(at_entry.interrupt_shadow, 1);
	assert_true(c->seen_user);
}

static void cut_delivery_short(void)
{
	at_entry = *b;
	b->exit_event = b->event;
	b->exit_event_error = b->event_error;
}

/* What is injected, and again if it has not been delivered (15.7.2, 15.20). */
static void test_events(void **state)
{
	(void)state;
	make(ALL);
	on_enter = look_at_all;
	c->inject = (struct x86_event){ .valid = true, .type = X86_EVENT_INTERRUPT, .vector = 0x41 };
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(at_entry.event, 0x80000041);
	assert_false(c->inject.valid);
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(at_entry.event, 0);
	x86_raise(c, X86_GP, 0x1234);
	on_enter = cut_delivery_short;
	leave(SVM_EXIT_NPF, 0, 0xd0000000);
	assert_int_equal(at_entry.event, 0x80000b0d);
	assert_int_equal(at_entry.event_error, 0x1234);
	assert_true(c->inject.valid && c->inject.has_error);
	assert_int_equal(c->inject.type, X86_EVENT_EXCEPTION);
	assert_int_equal(c->inject.vector, X86_GP);
	assert_int_equal(c->inject.error, 0x1234);
	c->inject = (struct x86_event){ .valid = true, .type = X86_EVENT_NMI, .vector = 2 };
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(at_entry.event, 0x80000202);
}

/* Nothing has changed if the guest was not entered. */
static void test_attention(void **state)
{
	struct hvm_exit x;

	(void)state;
	make(ALL);
	c->vcpu.attention = ATTN_IRQ;
	c->inject = (struct x86_event){ .valid = true, .vector = 0x41 };
	x = leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(x.cause, HVM_ATTENTION);
	assert_int_equal(entries, 0);
	assert_true(c->inject.valid);
	assert_int_equal(c->rip, GUEST_AT);
}

static int accepted;

static void accept(struct x86_interrupts *source, uint8_t vector)
{
	(void)source;
	accepted = vector;
}

static void take_interrupt(void)
{
	b->v_intr &= ~SVM_V_IRQ;
}

/* What waits for the guest to take interrupts is the CPU's to deliver (15.21.4), and accepted once it has been. */
static void test_window(void **state)
{
	struct x86_interrupts source = { .accepted = accept };

	(void)state;
	make(ALL & ~VGIF);
	accepted = -1;
	c->window = 0x72;
	c->window_source = &source;
	svm_set(c, X86_CR8, 3);
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(b->v_intr, 1u << 24 | 7u << 16 | 1u << 8 | 3);
	assert_int_equal(b->v_vector, 0x72);
	source.ignores_priority = true;
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(b->v_intr, 1u << 24 | 1u << 20 | 7u << 16 | 1u << 8 | 3);
	assert_int_equal(c->window, 0x72);
	assert_int_equal(accepted, -1);
	on_enter = take_interrupt;
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(c->window, -1);
	assert_int_equal(accepted, 0x72);
	assert_int_equal(recalls, 3);
	accepted = -1;
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(recalls, 3);
	assert_int_equal(b->v_intr, 1u << 24 | 3);
	assert_int_equal(accepted, -1);
}

static void test_exits(void **state)
{
	struct hvm_exit x;

	(void)state;
	make(ALL);
	/* IN AX, DX with port 0x3f8; REP OUTSB */
	x = leave(SVM_EXIT_IOIO, 0x3f8u << 16 | 1u << 5 | 1, GUEST_AT + 2);
	assert_int_equal(x.cause, HVM_PORT);
	assert_int_equal(x.port, 0x3f8);
	assert_int_equal(x.size, 2);
	assert_true(x.in && !x.string && !x.repeat);
	assert_int_equal(x.length, 2);
	x = leave(SVM_EXIT_IOIO, 0x60u << 16 | 1u << 4 | 1u << 3 | 1u << 2, GUEST_AT + 2);
	assert_true(!x.in && x.string && x.repeat && x.size == 1);
	assert_int_equal(leave(SVM_EXIT_MSR, 0, 0).cause, HVM_MSR_READ);
	assert_int_equal(leave(SVM_EXIT_MSR, 1, 0).cause, HVM_MSR_WRITE);
	x = leave(SVM_EXIT_NPF, 2, 0x1234);
	assert_true(x.write && !x.fetch);
	x = leave(SVM_EXIT_NPF, 0x14, 0x1234);
	assert_true(!x.write && x.fetch);
	x = leave(SVM_EXIT_EXCEPTION + X86_AC, 7, 0);
	assert_int_equal(x.cause, HVM_EXCEPTION);
	assert_int_equal(x.vector, X86_AC);
	assert_int_equal(x.error, 7);
	assert_int_equal(leave(SVM_EXIT_SHUTDOWN, 0, 0).cause, HVM_SHUTDOWN);
	assert_int_equal(leave(UINT64_MAX, 0, 0).cause, HVM_INVALID);
	assert_int_equal(leave(0x3ff, 0, 0).cause, HVM_UNKNOWN);
	for (uint64_t code = SVM_EXIT_VMRUN; code <= SVM_EXIT_SKINIT; code++)
		assert_int_equal(leave(code, 0, 0).cause, code == SVM_EXIT_VMMCALL ? HVM_CALL : HVM_FORBIDDEN);
	assert_string_equal(svm_exit_name(SVM_EXIT_NPF), "NPF");
	assert_string_equal(svm_exit_name(0x4d), "exception");
	assert_string_equal(svm_exit_name(UINT64_MAX), "INVALID");
	assert_string_equal(svm_exit_name(0x3ff), "?");
}

static void test_registers(void **state)
{
	(void)state;
	make(ALL);
	for (unsigned n = 0; n < X86_CONTROLS; n++)
		svm_set(c, n, n == X86_CR8 ? 9 : 0x100 + n);
	for (unsigned n = 0; n < X86_CONTROLS; n++)
		assert_int_equal(svm_get(c, n), n == X86_CR8 ? 9 : 0x100 + n);
	assert_int_equal(b->efer & 0x1000, 0x1000); /* SVME, without which VMRUN fails (15.5.1) */
	for (unsigned n = 0; n < X86_SEGMENTS; n++)
		svm_set_segment(c, n, &(struct x86_segment){ (uint16_t)(n + 1), (uint16_t)(n << 5), n * 3, n * 5 });
	for (unsigned n = 0; n < X86_SEGMENTS; n++) {
		struct x86_segment s;

		svm_get_segment(c, n, &s);
		assert_true(s.selector == n + 1 && s.attributes == n << 5 && s.limit == n * 3 && s.base == n * 5);
	}
	assert_int_equal(b->cpl, X86_SS); /* the DPL of SS */
	assert_int_equal(b->segments[1].selector, X86_CS + 1);
	assert_int_equal(b->segments[9].selector, X86_TR + 1);
}

/* --- nested paging */

/* What the CPU finds for an address in the tables: host address and bits, 0: nothing. */
static uint64_t look_up(uint64_t gpa, unsigned *level)
{
	const uint64_t *table = (const uint64_t *)(uintptr_t)b->nested_cr3;

	for (*level = 3;; --*level) {
		uint64_t entry = table[gpa >> (12 + 9 * *level) & 511], offset = ((uint64_t)1 << (12 + 9 * *level)) - 1;

		if ((entry & 1) == 0)
			return 0;
		if (*level == 0 || (entry & 0x80) != 0)
			return (entry & ~offset & 0x000ffffffffff000ull) | (gpa & offset & ~0xfffull) |
			       (entry & (0x87 | 1ull << 63));
		assert_int_equal(entry & 7, 7); /* limits are those of the last level */
		table = (const uint64_t *)(uintptr_t)(entry & 0x000ffffffffff000ull);
	}
}

static void test_nested_tables(void **state)
{
	struct memory *m = &f.vm.memory;
	unsigned level, large = 0;

	(void)state;
	make(ALL);
	assert_int_equal(memory_add_ram(m, 0xfeff8000, 0x8000), 0);
	assert_int_equal(memory_limit(m, 0xe0000, 0x8000, MEMORY_READ_ONLY | MEMORY_NO_EXECUTE), 0);
	assert_int_equal(memory_limit(m, 0xff000, 0x1000, MEMORY_READ_ONLY), 0);
	assert_int_equal(memory_limit(m, 0xfeffc000, 0x1000, MEMORY_NO_EXECUTE), 0);
	assert_int_equal(svm_ops.map_memory(c), 0);
	for (uint64_t gpa = 0; gpa < RAM; gpa += 4096) {
		uint64_t found = look_up(gpa, &level);
		bool tables = gpa >= 0xe0000 && gpa < 0xe8000, rom = gpa == 0xff000;

		assert_int_equal(found & 0x000ffffffffff000ull, (uintptr_t)memory_borrow(m, gpa, 1));
		assert_int_equal(found & 7, tables || rom ? 5 : 7);
		assert_int_equal(found >> 63, tables);
		large += level == 1;
	}
	assert_int_equal(large, 512); /* the second 2 MiB; the first has limits within */
	assert_int_equal(look_up(RAM, &level), 0);
	assert_int_equal(look_up(0xfeff7000, &level), 0);
	assert_int_equal(look_up(0xfeffb000, &level) >> 63, 0);
	assert_int_equal(look_up(0xfeffc000, &level) >> 63, 1);
	assert_int_equal(look_up(0xfeffd000, &level) >> 63, 0);
}

static void test_gigabyte_pages(void **state)
{
	unsigned level;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		make(ALL);
		computer.gigabyte_pages = i == 0;
		/* Tables alone: of a region that is as large and aligned, whose memory nobody touches. */
		f.vm.memory.ram[0] =
			(struct ram_region){ .gpa = 0, .size = 3ull << 30, .hva = (uint8_t *)(4ull << 30) };
		assert_int_equal(svm_ops.map_memory(c), 0);
		assert_int_equal(look_up(0x54321000, &level) & ~0xfffull, (4ull << 30) + 0x54321000);
		assert_int_equal(level, i == 0 ? 2 : 1);
		f.vm.memory.nr_ram = 0;
	}
}

static void test_no_memory_for_tables(void **state)
{
	struct hvm_exit x;

	(void)state;
	make(ALL);
	fake_pages_left = 4096;
	assert_int_equal(svm_ops.map_memory(c), -ENOMEM);
	x = leave(SVM_EXIT_NPF, 6, 0x1000);
	fake_pages_left = 0;
	hvm_handle_exit(c, &x);
	assert_non_null(strstr(fake_log, "the guest cannot go on: there is no memory for its page tables"));
}

/* RAM that came later is mapped; read-only RAM is read, and written to without effect. */
static void test_faults_in_ram(void **state)
{
	struct hvm_exit x;
	unsigned level;

	(void)state;
	make(ALL);
	assert_int_equal(memory_add_ram(&f.vm.memory, 0x10000000, 0x1000), 0);
	x = leave(SVM_EXIT_NPF, 6, 0x10000123);
	hvm_handle_exit(c, &x);
	assert_true(look_up(0x10000000, &level) != 0);
	assert_int_equal(c->rip, GUEST_AT);

	assert_int_equal(memory_limit(&f.vm.memory, 0x2000, 0x1000, MEMORY_READ_ONLY | MEMORY_NO_EXECUTE), 0);
	assert_int_equal(memory_write(&f.vm.memory, 0x2008, "\x11\x22\x33\x44", 4), 0);
	put_code("\x87\x03", 2); /* xchg [rbx], eax */
	c->gpr[X86_RAX] = 7;
	b->nr_bytes = 0;
	x = leave(SVM_EXIT_NPF, 6, 0x2008);
	c->gpr[X86_RAX] = 7;
	hvm_handle_exit(c, &x);
	assert_int_equal(c->gpr[X86_RAX], 0x44332211);
	assert_memory_equal(memory_borrow(&f.vm.memory, 0x2008, 4), "\x11\x22\x33\x44", 4);
	assert_int_equal(c->rip, GUEST_AT + 2);

	x = leave(SVM_EXIT_NPF, 0x14, 0x2010);
	hvm_handle_exit(c, &x);
	assert_non_null(strstr(fake_log, "it executes at address 0x2010, where it has no such RAM"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_general_registers),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_attention),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_nested_tables),
		cmocka_unit_test(test_gigabyte_pages),
		cmocka_unit_test(test_no_memory_for_tables),
		cmocka_unit_test(test_faults_in_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
