/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/engine-hvm/hvm.c features/timer-on-demand/on_demand.c tests/unit/hvm_fixture.c */
/* sources: arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c */
/* sources: arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c */
/* sources: arch/x86_64/hvm/nested.c arch/x86_64/hvm/print.c core/bus.c core/console.c core/elf.c core/feature.c */
/* sources: core/log.c core/memory.c core/payload.c core/timer.c core/io.c core/vm.c tests/unit/fake_platform.c */
/* Whether SVM is there, what the guest may do by itself, and the optional parts of SVM, there and not. */
#include "tests/unit/svm_fixture.h"

/* --- is it there? */

static void test_start(void **state)
{
	(void)state;
	make(ALL);
	computer.efer = 0xd00;
	assert_ptr_equal(hvm_start(), &svm_ops);
	assert_int_equal(computer.efer, 0x1d00);
	assert_true(computer.save_area != 0 && computer.save_area % 4096 == 0);
	assert_string_equal(fake_log, "");
}

static void test_missing(void **state)
{
	(void)state;
	make(ALL);
	computer.svm = false;
	assert_null(hvm_start());
	assert_string_equal(fake_log, "husk: error: this computer's CPU has no SVM: the engine hvm needs AMD SVM with "
				      "nested paging (in QEMU: -cpu EPYC,+svm,+npt)\n");
	make(ALL);
	computer.vm_cr = 1u << 4;
	assert_null(hvm_start());
	assert_non_null(strstr(fake_log, "has no SVM (its firmware has switched it off): the engine"));
	make(ALL & ~NPT);
	assert_null(hvm_start());
	assert_non_null(strstr(fake_log, "has no nested paging: the engine"));
	assert_int_equal(computer.efer, 0);
	make(ALL);
	fake_pages_left = 0;
	assert_null(hvm_start());
}

/* --- what the guest may do by itself */

static bool is_direct(uint32_t msr)
{
	static const uint32_t direct[] = { 0x174,      0x175,      0x176,      0x277,      0xc0000081, 0xc0000082,
					   0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103 };

	for (unsigned i = 0; i < sizeof(direct) / sizeof(direct[0]); i++) {
		if (direct[i] == msr)
			return true;
	}
	return false;
}

/* APM 2, 15.11: two bits each, for three ranges of 0x2000; a set bit exits. */
static void test_msr_map(void **state)
{
	static const uint32_t bases[] = { 0, 0xc0000000, 0xc0010000 };
	const uint8_t *map;

	(void)state;
	make(ALL);
	map = (const uint8_t *)(uintptr_t)b->msrpm;
	for (unsigned i = 0; i < 3 * 0x2000; i++) {
		uint32_t msr = bases[i / 0x2000] + i % 0x2000;
		unsigned bits = map[i / 4] >> i % 4 * 2 & 3;

		assert_int_equal(bits, is_direct(msr) ? 0 : msr == 0x10 ? 2 : 3);
	}
	for (unsigned i = 3 * 0x2000 / 4; i < 8192; i++)
		assert_int_equal(map[i], 0xff);
	assert_true((b->intercept3 & SVM_INTERCEPT_MSR) != 0);
}

static void test_port_map(void **state)
{
	const uint8_t *map;

	(void)state;
	make(ALL);
	map = (const uint8_t *)(uintptr_t)b->iopm;
	for (unsigned port = 0; port < 3 * 4096 * 8; port++)
		assert_int_equal(map[port / 8] >> port % 8 & 1, port != 0x80 && port != 0xed);
	assert_true((b->intercept3 & SVM_INTERCEPT_IO) != 0);
}

/* Everything of SVM itself exits; what is harmless does not. */
static void test_intercepts(void **state)
{
	(void)state;
	make(ALL);
	assert_int_equal(b->intercept4, 0x1e7f);         /* VMRUN to SKINIT, WBINVD, MONITOR, both of MWAIT */
	assert_int_equal(b->intercept3 & (1u << 14), 0); /* RDTSC */
	assert_int_equal(b->intercept3 & SVM_INTERCEPT_IRET, 0);
	assert_int_equal(b->intercept_cr, 0);
	assert_int_equal(b->intercept_dr, 0);
	assert_int_equal(b->intercept_exceptions, 1u << 1 | 1u << 17 | 1u << 18);
	assert_true((b->intercept3 & SVM_INTERCEPT_SHUTDOWN) != 0 && (b->intercept3 & SVM_INTERCEPT_INTR) != 0);
	assert_int_equal(b->nested_control, 1);
	assert_true(b->asid != 0);
	c->watch_iret = true;
	leave(SVM_EXIT_INTR, 0, 0);
	assert_true((b->intercept3 & SVM_INTERCEPT_IRET) != 0);
	assert_int_equal(b->clean, SVM_CLEAN_ALL);
}

/* --- optional parts, there and not */

static void change_window(void)
{
	static struct x86_interrupts source;

	c->window = 0x55;
	c->window_source = &source;
}

static void look_at_vgif(void)
{
	assert_int_equal(b->v_intr >> 9 & 1, 1);
	assert_int_equal(b->v_intr >> 25 & 1, 1);
}

static void look_at_no_vgif(void)
{
	assert_int_equal(b->v_intr & (1u << 9 | 1u << 25), 0);
}

/* The guest's GIF is its own, and set, at each entry; without, there is none. */
static void test_vgif(void **state)
{
	static void (*const looks[])(void) = { look_at_vgif, look_at_no_vgif };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		make(i == 0 ? ALL : ALL & ~VGIF);
		looks[i]();
		on_enter = looks[i];
		leave(SVM_EXIT_INTR, 0, 0);
		change_window();
		leave(SVM_EXIT_INTR, 0, 0);
		assert_true((b->v_intr & SVM_V_IRQ) != 0);
		svm_set(c, X86_CR8, 5);
		leave(SVM_EXIT_INTR, 0, 0);
		assert_int_equal(entries, 3);
		assert_int_equal(svm_get(c, X86_CR8), 5);
		assert_true((b->v_intr & SVM_V_INTR_MASKING) != 0);
	}
}

static unsigned spun;

static void count_spins(struct x86_cpu *cpu)
{
	assert_ptr_equal(cpu, c);
	spun++;
}

/* PAUSE exits after so many, for a vCPU that shares its CPU only, and is executed again. */
static void test_pause(void **state)
{
	(void)state;
	make(ALL);
	assert_int_equal(b->intercept3 & SVM_INTERCEPT_PAUSE, 0);
	for (unsigned i = 0; i < 2; i++) {
		make(i == 0 ? ALL : ALL & ~SPINS);
		c->spins = count_spins;
		x86_reset(c);
		assert_int_equal(b->intercept3 & SVM_INTERCEPT_PAUSE, i == 0 ? SVM_INTERCEPT_PAUSE : 0);
		assert_int_equal(b->pause_count > 0, i == 0);
		assert_int_equal(b->pause_threshold > 0, i == 0);
	}
	make(ALL);
	c->spins = count_spins;
	spun = 0;
	c->rip = GUEST_AT;
	b->exit_code = SVM_EXIT_PAUSE;
	const struct hvm_exit x = leave(SVM_EXIT_PAUSE, 0, 0);
	assert_int_equal(x.cause, HVM_SPIN);
	hvm_handle_exit(c, &x);
	assert_int_equal(spun, 1);
	assert_int_equal(c->rip, GUEST_AT);
}

static uint8_t flushed;

static void look_at_flush(void)
{
	flushed = b->tlb_control;
}

static void test_flush(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		make(i == 0 ? ALL : ALL & ~FLUSH);
		on_enter = look_at_flush;
		leave(SVM_EXIT_INTR, 0, 0);
		assert_int_equal(flushed, i == 0 ? 3 : 1);
		leave(SVM_EXIT_INTR, 0, 0);
		assert_int_equal(flushed, 0);
		svm_set(c, X86_CR8, 1);
		leave(SVM_EXIT_INTR, 0, 0);
		assert_int_equal(flushed, 0);
		svm_set(c, X86_CR3, 0x1000);
		leave(SVM_EXIT_INTR, 0, 0);
		assert_int_equal(flushed, i == 0 ? 3 : 1);
	}
}

static uint32_t seen_clean;

static void look_at_clean(void)
{
	seen_clean = b->clean;
}

/* Bits that are not clean at the entry after `change`. */
static uint32_t dirty_after(void (*change)(void))
{
	leave(SVM_EXIT_INTR, 0, 0);
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(seen_clean, SVM_CLEAN_ALL);
	change();
	leave(SVM_EXIT_INTR, 0, 0);
	return SVM_CLEAN_ALL & ~seen_clean;
}

static void change_cr3(void)
{
	svm_set(c, X86_CR3, 0x5000);
}
static void change_segment(void)
{
	svm_set_segment(c, X86_DS, &(struct x86_segment){ .base = 0x1000 });
}
static void change_iret(void)
{
	c->watch_iret = !c->watch_iret;
}
static void change_memory(void)
{
	assert_int_equal(memory_add_ram(&f.vm.memory, 0xf0000000, 0x1000), 0);
	assert_int_equal(svm_ops.map_memory(c), 0);
}
static void change_state(void)
{
	x86_reset(c);
}
static void change_general(void)
{
	c->rip += 2;
	c->gpr[X86_RSP] = 0x1234;
	c->inject = (struct x86_event){ .valid = true, .vector = 0x40 };
}

static void test_clean_bits(void **state)
{
	(void)state;
	make(ALL);
	on_enter = look_at_clean;
	assert_int_equal(dirty_after(change_general), 0); /* never cached (15.15.3) */
	assert_true((dirty_after(change_cr3) & SVM_CLEAN_CRX) != 0);
	assert_true((dirty_after(change_segment) & SVM_CLEAN_SEG) != 0);
	assert_true((dirty_after(change_window) & SVM_CLEAN_TPR) != 0);
	assert_true((dirty_after(change_iret) & SVM_CLEAN_INTERCEPTS) != 0);
	assert_true((dirty_after(change_memory) & SVM_CLEAN_NP) != 0);
	assert_int_equal(dirty_after(change_state), SVM_CLEAN_ALL);
	make(ALL & ~CLEAN);
	on_enter = look_at_clean;
	leave(SVM_EXIT_INTR, 0, 0);
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(seen_clean, 0);
}

/* One instruction, with a prefix that does nothing, with and without the CPU telling where the next one is. */
static void test_next_rip(void **state)
{
	static const struct {
		uint32_t code;
		uint8_t bytes[5], length;
	} cases[] = {
		{ SVM_EXIT_CPUID, "\x0f\xa2", 2 },
		{ SVM_EXIT_CPUID, "\x66\x0f\xa2", 3 },
		{ SVM_EXIT_HLT, "\xf4", 1 },
		{ SVM_EXIT_HLT, "\xf3\xf4", 2 },
		{ SVM_EXIT_INVD, "\x0f\x08", 2 },
		{ SVM_EXIT_WBINVD, "\x0f\x09", 2 },
		{ SVM_EXIT_WBINVD, "\x48\x0f\x09", 3 },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		bool told = i % 2 == 0;
		struct hvm_exit x;

		make(told ? ALL : ALL & ~NRIPS);
		put_code(cases[i / 2].bytes, 5);
		if (told)
			put_code("\xcc\xcc\xcc\xcc", 4); /* not looked at */
		b->next_rip = GUEST_AT + cases[i / 2].length;
		x = leave(cases[i / 2].code, 0, 0);
		assert_int_equal(x.length, told ? cases[i / 2].length : 0);
		hvm_handle_exit(c, &x);
		assert_int_equal(c->rip, GUEST_AT + cases[i / 2].length);
	}
}

/* A place that the CPU did not fill in is not a length. */
static void test_next_rip_of_an_interrupt(void **state)
{
	(void)state;
	make(ALL);
	b->next_rip = 0;
	assert_int_equal(leave(SVM_EXIT_INTR, 0, 0).length, 0);
}

static uint64_t read_device(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	return size == 4 ? 0xabcd0000 + offset : 0;
}

/* mov eax, [rbx] from a device: the bytes are the CPU's, or those at rip. */
static void test_decode_assists(void **state)
{
	static const struct device_ops ops = { .read = read_device };
	struct device dev = { .name = "d", .ops = &ops };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct hvm_exit x;

		make(i == 1 ? ALL & ~DECODE : ALL);
		dev.base = 0;
		assert_int_equal(bus_attach(&f.vm.mmio, &dev, 0xd0000000, 0x1000), 0);
		put_code(i == 0 ? "\xcc\xcc" : "\x8b\x03", 2);
		memcpy(b->bytes, i == 0 ? "\x8b\x03" : "\xcc\xcc", 2);
		b->nr_bytes = i == 2 ? 0 : 2; /* none: the fetch itself failed */
		x = leave(SVM_EXIT_NPF, 1ull << 32 | 4, 0xd0000010);
		assert_int_equal(x.cause, HVM_MEMORY);
		assert_int_equal(x.gpa, 0xd0000010);
		assert_int_equal(x.nr_bytes, i == 0 ? 2 : 0);
		hvm_handle_exit(c, &x);
		assert_int_equal(c->gpr[X86_RAX], 0xabcd0010);
		assert_int_equal(c->rip, GUEST_AT + 2);
	}
}

static void test_plain(void **state)
{
	(void)state;
	make(ALL);
	assert_int_equal(set_plain("plain"), 0);
	assert_int_equal(svm_ops.create(c), 0);
	b = &((struct svm *)c->state)->vmcb;
	x86_reset(c);
	look_at_no_vgif();
	assert_int_equal(b->tlb_control, SVM_TLB_FLUSH_ALL);
	b->next_rip = GUEST_AT + 2;
	c->rip = GUEST_AT;
	assert_int_equal(leave(SVM_EXIT_CPUID, 0, 0).length, 0);
	assert_int_equal(b->clean, 0);
	assert_int_equal(set_plain("full"), 0);
	assert_int_equal(set_plain("other"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),          cmocka_unit_test(test_missing),
		cmocka_unit_test(test_msr_map),        cmocka_unit_test(test_port_map),
		cmocka_unit_test(test_intercepts),     cmocka_unit_test(test_vgif),
		cmocka_unit_test(test_flush),          cmocka_unit_test(test_clean_bits),
		cmocka_unit_test(test_next_rip),       cmocka_unit_test(test_next_rip_of_an_interrupt),
		cmocka_unit_test(test_decode_assists), cmocka_unit_test(test_plain),
		cmocka_unit_test(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
