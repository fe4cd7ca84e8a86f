/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: core/smp.c tests/unit/fake_platform.c core/feature.c core/log.c core/memory.c core/bus.c core/timer.c */
/* sources: features/engine-interp/interp.c features/engine-interp/page.c features/engine-interp/breakpoint.c */
/* sources: arch/mips64/guest/cp0.c arch/mips64/guest/cpu.c arch/mips64/guest/decode.c arch/mips64/guest/exception.c */
/* sources: arch/mips64/guest/isa_alu.c arch/mips64/guest/isa_branch.c arch/mips64/guest/isa_memory.c */
/* sources: arch/mips64/guest/isa_muldiv.c arch/mips64/guest/isa_system.c arch/mips64/guest/atomic_up.c arch/mips64/guest/mmu.c */
/* sources: arch/mips64/guest/pending.c arch/mips64/guest/print.c arch/mips64/guest/registers.c arch/mips64/guest/tlb.c */
/* sources: arch/mips64/guest/walker.c arch/mips64/guest/octeon/octeon.c */
/* sources: arch/mips64/guest/fpu/arith.c arch/mips64/guest/fpu/compare.c arch/mips64/guest/fpu/control.c */
/* sources: arch/mips64/guest/fpu/convert.c arch/mips64/guest/fpu/decode.c arch/mips64/guest/fpu/move.c */
/* sources: arch/mips64/guest/fpu/last.c arch/mips64/guest/fpu/number.c arch/mips64/guest/fpu/quick.c */
/*
 * A guest made by a fuzzer, with some RAM and a device. The input is a list of
 * things that happen: code is written, a register, a TLB entry, and the guest runs a
 * few instructions. Two VMs do the same. One caches as it would in an image; the other
 * forgets all that its engine has cached before each instruction. The sanitizers see
 * what leaves the guest's memory; a difference between the two is a stale translation
 * or stale decoded code. An input may also have the first one run alone, through
 * whole pages, without a stop after each instruction.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/cpu.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/registers.h"
#include "tests/unit/fake_platform.h"

#define STEPS      200u /**< instructions of one input, at most, */
#define LAST_STEPS 16u  /**< and these after all of it has happened */

/* RAM: vectors and kseg0 memory, the boot vectors, and some above 4 GiB. */
#define LOW_SIZE  0x8000u
#define BOOT_GPA  0x1fc00000ull
#define BOOT_SIZE 0x1000u
#define HIGH_GPA  0x100000000ull
#define HIGH_SIZE 0x4000u

#define DEVICE_GPA  0x10000000ull
#define DEVICE_SIZE 0x48u

#define DIRECTORY_GPA 0x6000u
#define TABLE_GPA     0x7000u

#define KSEG0      0xffffffff80000000ull
#define ACCESS_GPA 0x400u  /**< in the page of the vectors, which is decoded anyway */
#define CODE_GPA   0x1fe0u /**< near the end of its page */
#define CODE       (KSEG0 | CODE_GPA)

/* Bits of the first byte of an input; its low four are the CPU's features. */
#define MODE_BIG  0x10u
#define MODE_RUN  0xa0u /**< both bits */
#define MODE_WALK 0x40u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** One of the two guests. */
struct guest {
	struct vm vm;
	struct mips_model model;
	struct mips_cpu *cpu;
	const struct mips_walker *walker;
	struct device device;
	uint64_t registers[8];
};

/** What is left of the input. */
struct input {
	const uint8_t *data;
	size_t left;
	uint64_t favourite; /**< one of the anchors, chosen half the time */
};

/** Instructions executed: the time of the guests. */
static uint64_t now;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "fuzz_mips_cpu: %s\n%s", what, fake_log);
	abort();
}

static void check(bool condition, const char *what)
{
	if (!condition)
		fail(what);
}

/* A timer model whose time is the fuzzer's; starting it again, as a flush does, changes nothing. */

static void clock_start(struct guest_counter *c)
{
	(void)c;
}

static void clock_deliver(struct guest_counter *c)
{
	if (c->armed && now + c->offset >= c->compare) {
		c->armed = false;
		c->match(c);
	}
}

static uint64_t clock_read(struct guest_counter *c)
{
	clock_deliver(c);
	return now + c->offset;
}

static void clock_write(struct guest_counter *c, uint64_t count)
{
	c->offset = count - now;
	clock_deliver(c);
}

static void clock_set_compare(struct guest_counter *c, uint64_t compare)
{
	c->compare = compare;
	c->armed = true;
	clock_deliver(c);
}

static const struct timer_model fuzz_clock = {
	.name = "fuzz",
	.start = clock_start,
	.read = clock_read,
	.write = clock_write,
	.set_compare = clock_set_compare,
};

/* A device: registers, and writes that drive interrupt lines. */

static struct guest *guest_of(struct device *dev)
{
	return (struct guest *)((char *)dev - offsetof(struct guest, device));
}

static void check_access(uint64_t offset, unsigned size)
{
	check(size == 1 || size == 2 || size == 4 || size == 8, "size of a device access");
	check(offset % size == 0 && offset + size <= DEVICE_SIZE, "bounds of a device access");
}

static uint64_t device_read(struct device *dev, uint64_t offset, unsigned size)
{
	check_access(offset, size);
	return guest_of(dev)->registers[offset / 8 % 8] >> 8 * (offset % 8);
}

static void device_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct guest *g = guest_of(dev);

	check_access(offset, size);
	check(size == 8 || value >> 8 * size == 0, "value of a device access");
	g->registers[offset / 8 % 8] = value;
	if (offset >= 0x40)
		mips_irq_input(g->cpu, 2 + (unsigned)(value >> 1) % 6, (value & 1) != 0);
}

static const struct device_ops device_ops = { .read = device_read, .write = device_write };

/* Making and resetting the guests. */

/** Values that something begins or ends at. */
static const uint64_t anchors[] = {
	0,
	CODE,
	CODE + 0x20,
	CODE_GPA,
	0xffffffff80003000ull,
	0xffffffff80002ff8ull,
	0xffffffff80000000ull | LOW_SIZE,
	0xffffffffa0003000ull,
	0xffffffffa0000000ull | DEVICE_GPA,
	0xffffffffa0000000ull | (DEVICE_GPA + 0x40),
	0x9000000000000000ull | HIGH_GPA,
	0x9000000000000000ull | (HIGH_GPA + HIGH_SIZE),
	0x9000000000000000ull | DEVICE_GPA,
	0xffffffffbfc00200ull,
	0xffffffffffff8000ull,
	0xffffffffffff8080ull,
	0xffffffffc0000000ull,
	0xffffffffe0000000ull,
	0xc000000000002000ull,
	0xc00000ff80000000ull,
	0x4000000000002000ull,
	0x0000000000002000ull,
	0x0000000000004000ull,
	0x000000007fff8000ull,
	0x0000000080000000ull,
	0xffffffff7ffff000ull,
	0x0000010000000000ull,
	0x00000000ffffffffull,
	0x7fffffffffffffffull,
	0x8000000000000000ull,
	0xffffffffffffffffull,
};
#define ANCHORS (sizeof(anchors) / sizeof(anchors[0]))

static const struct params params = { .counter_hz = 1000000, .vcpus = 1 };

static const struct mips_model model = {
	.name = "fuzz",
	.prid = 0x00018100,
	.config = { 0x80004c03, 0xfe000008, 1u << 31,
		    1u << 31 | CONFIG3_RXI | CONFIG3_ULRI | CONFIG3_LPA | CONFIG3_VINT,
		    0xfcu << CONFIG4_KSCREXIST_SHIFT | 2u << CONFIG4_IE_SHIFT },
	.config0_rw = 7,
	.intctl = 7u << INTCTL_IPTI_SHIFT,
	.fir = 0x00770000,
	.tlb_entries = 5,
	.segbits = 40,
	.pabits = 40,
	.watches = 3,
};

static void make(struct guest *g)
{
	struct vm *vm = &g->vm;
	struct vcpu *v;

	vm->params = &params;
	vm->engine = feature_provider(FEATURE_ENGINE);
	vm->timer = &fuzz_clock;
	check(memory_add_ram(&vm->memory, 0, LOW_SIZE) == 0 && memory_add_ram(&vm->memory, BOOT_GPA, BOOT_SIZE) == 0 &&
		      memory_add_ram(&vm->memory, HIGH_GPA, HIGH_SIZE) == 0,
	      "no RAM");
	g->device = (struct device){ .name = "fuzz", .ops = &device_ops };
	check(bus_attach(&vm->mmio, &g->device, DEVICE_GPA, DEVICE_SIZE) == 0, "no device");
	v = plat_pages_alloc(vm->engine->vcpu_size, GUEST_PAGE_SIZE);
	check(v != NULL, "no vCPU");
	v->vm = vm;
	vm->vcpus[vm->nr_vcpus++] = v;
	g->cpu = mips_cpu(v);
	g->model = model;
	check(mips_reset(g->cpu, &g->model) == 0 && vm->engine->create(v) == 0, "no engine");
	check(feature_attach_all(vm) == 0, "no page table walker");
	g->walker = g->cpu->walker;
}

/** Writes one instruction at *gpa and moves on. */
static void put(struct guest *g, uint64_t *gpa, uint32_t word)
{
	if (g->model.big_endian)
		word = __builtin_bswap32(word);
	if (memory_write(&g->vm.memory, *gpa, &word, sizeof(word)) == 0)
		*gpa += sizeof(word);
}

/** Instructions without effect that tell each word of RAM from the others: addiu $0, $0, n. */
static void fill(struct guest *g, const struct ram_region *r)
{
	for (uint64_t n = 0; n < r->size / 4; n++) {
		uint32_t word = 0x24000000 | (uint32_t)((r->gpa / 4 + n) & 0xffff);

		if (g->model.big_endian)
			word = __builtin_bswap32(word);
		memcpy(r->hva + 4 * n, &word, sizeof(word));
	}
}

/** Exception handlers that go on behind the instruction at fault. */
static void put_handlers(struct guest *g, uint64_t base)
{
	static const uint32_t skip[] = {
		0x403a7000, /* dmfc0 $26, EPC */
		0x675a0004, /* daddiu $26, $26, 4 */
		0x40ba7000, /* dmtc0 $26, EPC */
		0x42000018, /* eret */
	};
	static const uint64_t vectors[] = { 0x000, 0x080, 0x180, 0x200 };

	for (unsigned v = 0; v < sizeof(vectors) / sizeof(vectors[0]); v++)
		for (uint64_t n = 0, gpa = base + vectors[v]; n < sizeof(skip) / sizeof(skip[0]); n++)
			put(g, &gpa, skip[n]);
}

static void put64(struct guest *g, uint64_t gpa, uint64_t value)
{
	uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
	bool big = g->model.big_endian;

	put(g, &gpa, big ? high : low);
	put(g, &gpa, big ? low : high);
}

/** Two levels of page tables, 4 KiB each, for the lowest GiB: one directory, whose entries are all the same. */
static void put_page_tables(struct guest *g)
{
	struct mips_cp0 *p = &g->cpu->cp0;

	for (unsigned n = 0; n < 512; n++) {
		put64(g, DIRECTORY_GPA + 8 * n, 0xffffffff80000000ull | TABLE_GPA);
		put64(g, TABLE_GPA + 8 * n, ((uint64_t)(n % 8) << 6 | (n >> 3 & 7)) << 2 | (n >> 6 & 3));
	}
	p->pwbase = 0xffffffff80000000ull | DIRECTORY_GPA;
	p->pwfield = 21u << 12 | 12u << 6 | 2u;
	p->pwsize = 1u << 30 | 9u << 12 | 9u << 6;
	p->pwctl = 1u << 31 | 1u << 26; /* PWEn, XU */
}

/* RAM is written without an announcement: the marks of decoded code go with the flush. */
static void reset(struct guest *g, uint8_t mode)
{
	struct mips_cpu *c = g->cpu;

	memset(g->registers, 0, sizeof(g->registers));
	g->model.features = mode & 0xf;
	g->model.big_endian = (mode & MODE_BIG) != 0;
	for (unsigned n = 0; n < g->vm.memory.nr_ram; n++)
		fill(g, &g->vm.memory.ram[n]);
	c->walker = (mode & MODE_WALK) != 0 ? g->walker : NULL;
	mips_reset(c, &g->model);
	g->vm.engine->flush(&c->vcpu);
	put_handlers(g, 0);
	put_handlers(g, BOOT_GPA + 0x200);
	if (c->walker != NULL)
		put_page_tables(g);
	vcpu_take_attention(&c->vcpu);
	c->counter.offset = 0;
	c->counter.armed = false;
	c->cp0.cvmmemctl = CVMMEMCTL_KERNEL;
	mips_set_status(c, STATUS_KX | STATUS_SX | STATUS_UX | STATUS_CU1);
	for (unsigned n = 1; n < 32; n++)
		c->gpr[n] = anchors[n % ANCHORS];
	c->pc = CODE;
}

/* Reading the input. Past its end everything is 0. */

static uint8_t take8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->data++;
}

static uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned n = 0; n < bytes; n++)
		v = v << 8 | take8(in);
	return v;
}

static uint64_t take_value(struct input *in)
{
	uint8_t how = take8(in);
	int64_t distance;

	if (how >= 0xf0)
		return take(in, 8);
	distance = (int8_t)take8(in);
	return (how >= 0x80 ? in->favourite : anchors[how % ANCHORS]) +
	       (uint64_t)(distance < 64 ? distance & ~7 : distance);
}

/** Kinds of instructions: the bits that are given and those that the input sets. */
static const struct {
	uint32_t bits, free;
} kinds[] = {
	{ 0x00000000, 0xffffffff }, /* anything */
	{ 0x00000000, 0x03ffffff }, /* SPECIAL */
	{ 0x04000000, 0x03ff0007 }, /* REGIMM, forwards */
	{ 0x0400fff8, 0x03ff0007 }, /* and backwards */
	{ 0x10000000, 0x4fff0007 }, /* branches, with the likely ones */
	{ 0x1000fff8, 0x4fff0007 }, { 0x08000000 | (CODE_GPA >> 2 & ~7u), 0x0400000f }, /* J, JAL */
	{ 0x00000008, 0x03e0f801 },                                                     /* JR, JALR */
	{ 0x20000000, 0x1fffffff },                                                     /* immediates */
	{ 0x60000000, 0x07ffffff },                                                     /* DADDI, DADDIU */
	{ 0x80000000, 0x7fff00ff },                                                     /* loads and stores */
	{ 0x8000fff0, 0x7fff000f }, { 0xa0000000, 0x1fff00ff },                         /* stores */
	{ 0x68000000, 0x07ff000f },                                                     /* LDL, LDR */
	{ 0x40000000, 0x003ff807 },                                                     /* MFC0, DMFC0 */
	{ 0x40800000, 0x003ff807 },                                                     /* MTC0, DMTC0 */
	{ 0x40816000, 0x001f0800 },                                                     /* MTC0 to Status and Cause */
	{ 0x42000002, 0x00000004 },                                                     /* TLBWI, TLBWR */
	{ 0x42000000, 0x0000003f },                                                     /* all functions of CP0 */
	{ 0x42000018, 0x00000000 },                                                     /* ERET */
	{ 0x41606000, 0x001f0020 },                                                     /* DI, EI */
	{ 0x70000000, 0x03ffffff },                                                     /* SPECIAL2 */
	{ 0x7c000000, 0x03ffffff },                                                     /* SPECIAL3 */
	{ 0x7c00000a, 0x03ffffc0 },                                                     /* Octeon's indexed loads */
	{ 0x7000001f, 0x03ffffc0 },                                                     /* Octeon's atomics */
	{ 0x44000000, 0x03ffffff },                                                     /* COP1 */
	{ 0x4c000000, 0x03ffffff },                                                     /* COP1X */
	{ 0x48000000, 0x03ffffff },                                                     /* COP2 */
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/** Where code can be put. */
static const uint64_t places[] = {
	CODE_GPA,         0x0000,           0x0080,           0x0180,   0x0200,
	0x2000,           0x2ff8,           0x3000,           0x4ff0,   BOOT_GPA + 0x200,
	TABLE_GPA + 0x10, BOOT_GPA + 0x380, BOOT_GPA + 0xff8, HIGH_GPA, LOW_SIZE - 8,
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static uint32_t take_instruction(struct input *in)
{
	unsigned kind = take8(in) % KINDS;
	uint32_t operand = (uint32_t)take(in, 4);

	return kinds[kind].bits | (operand & kinds[kind].free);
}

/** Makes a load, or a store of an instruction where code is, the next thing that the guest does. */
static void prepare_access(struct guest *g, struct input *in)
{
	uint64_t gpa = ACCESS_GPA;
	uint8_t how = take8(in);

	put(g, &gpa, (how & 1) != 0 ? 0xac820000 : 0x8c820000); /* sw, lw $2, 0($4) */
	g->cpu->gpr[4] = (how & 2) != 0 ? KSEG0 | places[how / 4 % PLACES] : take_value(in);
	g->cpu->gpr[2] = take_instruction(in);
	g->cpu->pc = KSEG0 | ACCESS_GPA;
}

/** EntryLo of one of the first pages, or of one that is no RAM; `inhibit` is RI and XI. */
static uint64_t take_entrylo(struct input *in, uint64_t inhibit)
{
	return (take(in, 2) & 0xc1ff) | inhibit << 62;
}

static void write_tlb(struct mips_cpu *c, struct input *in)
{
	uint8_t flags = take8(in);

	mips_cp0_write(c, 5, 0, ((1ull << 2 * (flags % 8)) - 1) << 13);
	mips_cp0_write(c, 10, 0, (take_value(in) & ~ENTRYHI_ASID) | (flags & 1)); /* few, so that they come again */
	mips_cp0_write(c, 2, 0, take_entrylo(in, flags >> 6));
	mips_cp0_write(c, 3, 0, take_entrylo(in, flags >> 6));
	mips_cp0_write(c, 0, 0, flags >> 3 & 7);
	mips_tlbwi(c);
}

static void write_cp0(struct mips_cpu *c, struct input *in)
{
	uint8_t reg = take8(in), sel = take8(in);
	uint64_t value = take_value(in);

	if ((sel & 8) != 0)
		mips_cp0_write32(c, reg % 32, sel % 8, value);
	else
		mips_cp0_write(c, reg % 32, sel % 8, value);
}

/** What can happen next, by the low four bits of a byte; the others write an instruction. */
enum event {
	DO_PLACE, /**< goes on writing code elsewhere */
	DO_CP0,   /**< writes a CP0 register */
	DO_TLB,   /**< writes a TLB entry */
	DO_TLB_TOO,
	DO_REGISTER, /**< sets a register as a debugger does */
	DO_FPR,
	DO_FCSR,
	DO_IRQ,      /**< drives an interrupt line */
	DO_VISIT,    /**< jumps to where code may be and runs a little */
	DO_ACCESS,   /**< has the guest load or store a word */
	DO_RUN = 15, /**< runs some instructions */
};

/** Does the next thing of the input to a guest; *gpa is where code goes. */
static void apply(struct guest *g, struct input *in, uint64_t *gpa)
{
	uint8_t what = take8(in);

	switch (what % 16) {
	case DO_PLACE: *gpa = places[take8(in) % PLACES]; break;
	case DO_CP0: write_cp0(g->cpu, in); break;
	case DO_TLB:
	case DO_TLB_TOO: write_tlb(g->cpu, in); break;
	case DO_REGISTER: mips_set_register(&g->cpu->vcpu, take8(in) % MIPS_NR_REGISTERS, take_value(in)); break;
	case DO_FPR: g->cpu->fpu.fpr[take8(in) % 32] = take_value(in); break;
	case DO_FCSR: g->cpu->fpu.fcsr = (uint32_t)take(in, 4) & 0x0183ffff; break;
	case DO_IRQ: mips_irq_input(g->cpu, 2 + what / 16 % 6, what >= 0x80); break;
	case DO_VISIT: g->cpu->pc = KSEG0 | places[what / 16 % PLACES]; break;
	case DO_ACCESS: prepare_access(g, in); break;
	default: put(g, gpa, take_instruction(in)); break;
	}
}

/* Running and comparing. */

/** What every state has to be like. */
static void check_state(const struct guest *g)
{
	const struct mips_cpu *c = g->cpu;

	check(c->gpr[0] == 0, "$0 is not 0");
	check(c->delay == NULL, "a delay slot is left open");
	check(c->cp0.wired < c->tlb.count, "Wired is out of range");
	check(c->stlb == &c->stlbs[c->mode] && c->itlb == c->itlbs[c->mode], "caches are of another mode");
}

/** True if an entry of a soft TLB is empty or of a whole page of RAM. */
static bool is_sane(const struct guest *g, const struct mips_stlb_entry *e)
{
	uint8_t *host = (uint8_t *)(uintptr_t)((e->tag & GUEST_PAGE_MASK) + e->to_host);

	if (e->tag == MIPS_TAG_NEVER)
		return true;
	for (unsigned n = 0; n < g->vm.memory.nr_ram; n++) {
		const struct ram_region *r = &g->vm.memory.ram[n];

		if (host >= r->hva && host <= r->hva + r->size - GUEST_PAGE_SIZE)
			return true;
	}
	return false;
}

static void check_soft_tlb(const struct guest *g)
{
	for (unsigned mode = 0; mode < MIPS_MODES; mode++)
		for (unsigned n = 0; n < MIPS_STLB_ENTRIES; n++)
			check(is_sane(g, &g->cpu->stlbs[mode].read[n]) && is_sane(g, &g->cpu->stlbs[mode].write[n]),
			      "soft TLB leaves RAM");
}

/** The entry that matches, found the plain way. */
static const struct mips_tlb_entry *search_tlb(const struct mips_cpu *c, uint64_t va)
{
	for (unsigned n = 0; n < c->tlb.count; n++) {
		const struct mips_tlb_entry *e = &c->tlb.entries[n];

		if (e->present && ((va ^ e->vpn2) & mips_va_mask(c) & ~e->mask) == 0 &&
		    (e->global || e->asid == (c->cp0.entryhi & ENTRYHI_ASID)))
			return e;
	}
	return NULL;
}

static void check_tlb(const struct mips_cpu *c)
{
	for (unsigned n = 0; n < ANCHORS; n++) {
		const struct mips_tlb_entry *e = search_tlb(c, anchors[n]);
		const struct mips_tlb_page *page;
		uint64_t gpa;

		switch (mips_tlb_lookup(c, anchors[n], MIPS_READ, &gpa, &page)) {
		case MIPS_TLB_MISS: check(e == NULL, "TLB does not find an entry"); break;
		case MIPS_TLB_HIT:
			check(e != NULL && page >= e->page && page < e->page + 2, "TLB finds another");
			break;
		default: check(e != NULL, "TLB finds an entry too many"); break;
		}
	}
}

static bool same_tlb(const struct mips_tlb *a, const struct mips_tlb *b)
{
	for (unsigned n = 0; n < a->count; n++)
		if (a->entries[n].vpn2 != b->entries[n].vpn2 || a->entries[n].present != b->entries[n].present)
			return false;
	return true;
}

static void compare(const struct guest *a, const struct guest *b)
{
	const struct mips_cpu *x = a->cpu, *y = b->cpu;

	if (x->pc != y->pc)
		log_error("pc is %llx with caches, %llx without", (unsigned long long)x->pc, (unsigned long long)y->pc);
	check(x->pc == y->pc, "pc differs");
	check(memcmp(x->gpr, y->gpr, 32 * sizeof(x->gpr[0])) == 0, "general registers differ");
	check(x->hi == y->hi && x->lo == y->lo, "HI or LO differs");
	check(memcmp(&x->cp0, &y->cp0, sizeof(x->cp0)) == 0, "CP0 differs");
	check(memcmp(&x->fpu, &y->fpu, sizeof(x->fpu)) == 0, "FPU differs");
	check(memcmp(&x->octeon, &y->octeon, sizeof(x->octeon)) == 0, "multiplier differs");
	check(memcmp(x->cvmseg, y->cvmseg, sizeof(x->cvmseg)) == 0, "scratchpad differs");
	check(memcmp(a->registers, b->registers, sizeof(a->registers)) == 0, "device differs");
	check(same_tlb(&x->tlb, &y->tlb), "TLB differs");
	check(x->waiting == y->waiting && x->ll_valid == y->ll_valid, "WAIT or LLbit differs");
}

static void compare_memory(const struct memory *a, const struct memory *b)
{
	for (unsigned n = 0; n < a->nr_ram; n++)
		check(memcmp(a->ram[n].hva, b->ram[n].hva, a->ram[n].size) == 0, "memory differs");
}

static void step(struct guest *g)
{
	vcpu_take_attention(&g->cpu->vcpu);
	g->vm.engine->step(&g->cpu->vcpu);
	check_state(g);
}

/** Executes an instruction in each guest. */
static void step_both(struct guest *cached, struct guest *fresh)
{
	now++;
	step(cached);
	fresh->vm.engine->flush(&fresh->cpu->vcpu);
	step(fresh);
	compare(cached, fresh);
}

/** With attention asked for, the engine comes back at the first branch or at the end of the page. */
static void run_alone(struct guest *g)
{
	now += 16;
	plat_kick(&g->cpu->vcpu.attention, ATTN_TIMER);
	g->vm.engine->run(&g->cpu->vcpu);
	check_state(g);
	vcpu_take_attention(&g->cpu->vcpu);
}

/** Runs both guests, or one alone; returns what that counts as. */
static unsigned run(struct guest *cached, struct guest *fresh, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		if (fresh != NULL)
			step_both(cached, fresh);
		else
			run_alone(cached);
	}
	return fresh != NULL ? count : 8 * count;
}

/** Has both execute the access they are at, and goes on at pc if it did not fault. */
static unsigned run_access(struct guest *cached, struct guest *fresh, uint64_t pc)
{
	unsigned steps = run(cached, fresh, 1);

	if (cached->cpu->pc == (KSEG0 | (ACCESS_GPA + 4))) {
		cached->cpu->pc = pc;
		if (fresh != NULL)
			fresh->cpu->pc = pc;
	}
	return steps;
}

/** Both guests in turn do what the input says; `fresh` is NULL if there is only one. */
static void play(struct guest *cached, struct guest *fresh, struct input *in)
{
	uint64_t gpa = CODE_GPA;
	unsigned steps = 0;
	uint64_t pc;
	uint8_t what;

	while (in->left != 0 && steps < STEPS) {
		struct input again = *in;
		uint64_t same_gpa = gpa;

		what = in->data[0] % 16;
		if (what == DO_RUN) {
			steps += run(cached, fresh, take8(in) / 16 + 1);
			continue;
		}
		pc = cached->cpu->pc;
		apply(cached, in, &gpa);
		if (fresh != NULL)
			apply(fresh, &again, &same_gpa);
		if (what == DO_ACCESS)
			steps += run_access(cached, fresh, pc);
		else if (what == DO_VISIT)
			steps += run(cached, fresh, 3);
	}
	run(cached, fresh, LAST_STEPS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest cached, fresh;
	struct input in = { .data = data, .left = size };
	uint8_t mode = take8(&in);
	bool alone = (mode & MODE_RUN) == MODE_RUN;

	if (cached.cpu == NULL) {
		make(&cached);
		make(&fresh);
	}
	in.favourite = anchors[take8(&in) % ANCHORS];
	now = 0;
	reset(&cached, mode);
	reset(&fresh, mode);
	play(&cached, alone ? NULL : &fresh, &in);
	if (!alone)
		compare_memory(&cached.vm.memory, &fresh.vm.memory);
	check_soft_tlb(&cached);
	check_tlb(cached.cpu);
	fake_clear_text();
	return 0;
}
