/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c features/engine-hvm/hvm.c features/timer-on-demand/on_demand.c tests/unit/hvm_fixture.c */
/* sources: arch/x86_64/hvm/run.c arch/x86_64/hvm/exits.c arch/x86_64/hvm/access.c arch/x86_64/hvm/cpuid.c */
/* sources: arch/x86_64/hvm/msr.c arch/x86_64/hvm/emulate.c arch/x86_64/hvm/registers.c arch/x86_64/hvm/walk.c */
/* sources: arch/x86_64/hvm/nested.c arch/x86_64/hvm/print.c core/bus.c core/console.c core/elf.c core/feature.c */
/* sources: core/log.c core/memory.c core/payload.c core/timer.c core/io.c core/vm.c tests/unit/fake_platform.c */
/*
 * AMD SVM on a CPU that is not there: CPUID, MSRs and the entry into the guest are the test's own, and what is looked at
 * is the VMCB. So parts of SVM that no emulator has are tested too, each with the CPU having it and not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In place of arch/x86_64/pc/x86.h. */
#define PC_X86_H
#define MSR_EFER 0xc0000080u

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static struct {
	bool svm;
	uint32_t features; /* CPUID 8000000A EDX */
	bool gigabyte_pages;
	uint64_t vm_cr, efer, save_area;
} computer;

static struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	switch (leaf) {
	case 0x80000000u: return (struct cpuid){ .eax = computer.svm ? 0x8000000au : 0x80000008u };
	case 0x80000001u:
		return (struct cpuid){ .ecx = computer.svm ? 1u << 2 : 0,
				       .edx = computer.gigabyte_pages ? 1u << 26 : 0 };
	case 0x8000000au: return (struct cpuid){ .edx = computer.features };
	default: return (struct cpuid){ 0 };
	}
}

static uint64_t rdmsr(uint32_t msr)
{
	return msr == 0xc0010114u ? computer.vm_cr : msr == MSR_EFER ? computer.efer : 0;
}

static void wrmsr(uint32_t msr, uint64_t value)
{
	*(msr == MSR_EFER ? &computer.efer : &computer.save_area) = value;
}

#include "arch/x86_64/hvm/svm/svm.c"

#include "tests/unit/fake_platform.h"
#include "tests/unit/hvm_fixture.h"

#define NPT      (1u << 0)
#define NRIPS    (1u << 3)
#define CLEAN    (1u << 5)
#define FLUSH    (1u << 6)
#define DECODE   (1u << 7)
#define VGIF     (1u << 16)
#define ALL      (NPT | NRIPS | CLEAN | FLUSH | DECODE | VGIF)
#define GUEST_AT 0x8000u
#define RAM      0x400000u

static struct hvm_fixture f;
static struct x86_cpu *const c = &f.cpu;
static struct vmcb *b;
static void (*on_enter)(void);
static unsigned entries;

/* The CPU in place of entry.S: it enters, and leaves as on_enter() says. */
bool svm_enter(uint64_t *gpr, struct vmcb *vmcb, struct vmcb *host, const uint32_t *attention)
{
	assert_ptr_equal(gpr, c->gpr);
	assert_ptr_equal(vmcb, b);
	assert_ptr_equal(host, vmcb + 1);
	if (*attention != 0)
		return false;
	entries++;
	b->exit_event = 0;
	if (on_enter != NULL)
		on_enter();
	return true;
}

void svm_save_host(struct vmcb *host)
{
	assert_int_equal((uintptr_t)host % 4096, 0);
}

int hvm_fpu_create(struct x86_cpu *cpu)
{
	(void)cpu;
	return 0;
}

void hvm_fpu_load(struct x86_cpu *cpu)
{
	(void)cpu;
}

/* Makes the vCPU on a computer whose SVM has these parts. */
static void make(uint32_t features)
{
	fake_reset();
	plain = false;
	on_enter = NULL;
	entries = 0;
	memset(&computer, 0, sizeof(computer));
	computer.svm = true;
	computer.features = features;
	hvm_fixture_init(&f, RAM);
	c->hvm = &svm_ops;
	assert_int_equal(svm_ops.create(c), 0);
	b = &((struct svm *)c->state)->vmcb;
	assert_int_equal(svm_ops.map_memory(c), 0);
	x86_reset(c);
	svm_set(c, X86_EFER, X86_EFER_LMA | X86_EFER_LME);
	svm_set_segment(c, X86_CS, &(struct x86_segment){ .attributes = X86_SEG_CODE64 });
	c->rip = GUEST_AT;
}

static struct hvm_exit leave(uint64_t code, uint64_t info1, uint64_t info2)
{
	struct hvm_exit x = { 0 };

	b->exit_code = code;
	b->exit_info1 = info1;
	b->exit_info2 = info2;
	svm_ops.enter(c, &x);
	return x;
}

static void put_code(const void *code, size_t size)
{
	assert_int_equal(memory_write(&f.vm.memory, GUEST_AT, code, size), 0);
}

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
		c->window = 0x31;
		leave(SVM_EXIT_VINTR, 0, 0);
		assert_true((b->v_intr & SVM_V_IRQ) != 0);
		svm_set(c, X86_CR8, 5);
		leave(SVM_EXIT_INTR, 0, 0);
		assert_int_equal(entries, 3);
		assert_int_equal(svm_get(c, X86_CR8), 5);
		assert_true((b->v_intr & SVM_V_INTR_MASKING) != 0);
	}
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
static void change_window(void)
{
	c->window = 0x55;
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

static void test_window(void **state)
{
	(void)state;
	make(ALL & ~VGIF);
	c->window = 0x72;
	svm_set(c, X86_CR8, 3);
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(b->v_intr, 1u << 24 | 7u << 16 | 1u << 8 | 3);
	c->window_any = true;
	leave(SVM_EXIT_INTR, 0, 0);
	assert_int_equal(b->v_intr, 1u << 24 | 1u << 20 | 7u << 16 | 1u << 8 | 3);
	c->window = -1;
	assert_int_equal(leave(SVM_EXIT_VINTR, 0, 0).cause, HVM_WINDOW);
	assert_int_equal(b->v_intr, 1u << 24 | 3);
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
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_msr_map),
		cmocka_unit_test(test_port_map),
		cmocka_unit_test(test_intercepts),
		cmocka_unit_test(test_vgif),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_clean_bits),
		cmocka_unit_test(test_next_rip),
		cmocka_unit_test(test_next_rip_of_an_interrupt),
		cmocka_unit_test(test_decode_assists),
		cmocka_unit_test(test_plain),
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
