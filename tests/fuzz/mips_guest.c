/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/mips_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/guest/registers.h"
#include "tests/unit/fake_platform.h"

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

void guest_check(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "%s\n%s", what, fake_log);
	abort();
}

/* The device: registers, and writes that drive interrupt lines. */

static struct guest *guest_of(struct device *dev)
{
	return (struct guest *)((char *)dev - offsetof(struct guest, device));
}

static void check_access(uint64_t offset, unsigned size)
{
	guest_check(size == 1 || size == 2 || size == 4 || size == 8, "size of a device access");
	guest_check(offset % size == 0 && offset + size <= DEVICE_SIZE, "bounds of a device access");
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
	guest_check(size == 8 || value >> 8 * size == 0, "value of a device access");
	g->registers[offset / 8 % 8] = value;
	if (offset >= 0x40 && g->has_lines)
		mips_irq_input(g->cpu, 2 + (unsigned)(value >> 1) % 6, (value & 1) != 0);
}

static const struct device_ops device_ops = { .read = device_read, .write = device_write };

/* Making and resetting. */

/** Values that something begins or ends at. */
static const uint64_t anchors[] = {
	0,
	GUEST_CODE,
	GUEST_CODE + 0x20,
	GUEST_CODE_GPA,
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

void guest_make(struct guest *g, const struct engine *engine, const struct timer_model *timer)
{
	struct vm *vm = &g->vm;
	struct vcpu *v;

	vm->params = &params;
	vm->engine = engine;
	vm->timer = timer;
	guest_check(memory_add_ram(&vm->memory, 0, LOW_SIZE) == 0 &&
			    memory_add_ram(&vm->memory, BOOT_GPA, BOOT_SIZE) == 0 &&
			    memory_add_ram(&vm->memory, HIGH_GPA, HIGH_SIZE) == 0,
		    "no RAM");
	g->device = (struct device){ .name = "fuzz", .ops = &device_ops };
	guest_check(bus_attach(&vm->mmio, &g->device, DEVICE_GPA, DEVICE_SIZE) == 0, "no device");
	v = plat_pages_alloc(vm->engine->vcpu_size, GUEST_PAGE_SIZE);
	guest_check(v != NULL, "no vCPU");
	v->vm = vm;
	vm->vcpus[vm->nr_vcpus++] = v;
	g->cpu = mips_cpu(v);
	g->model = model;
	guest_check(mips_reset(g->cpu, &g->model) == 0 && vm->engine->create(v) == 0, "no engine");
	guest_check(feature_attach_all(vm) == 0, "no page table walker");
	g->walker = g->cpu->walker;
}

void guest_put(struct guest *g, uint64_t *gpa, uint32_t word)
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
			guest_put(g, &gpa, skip[n]);
}

static void put64(struct guest *g, uint64_t gpa, uint64_t value)
{
	uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
	bool big = g->model.big_endian;

	guest_put(g, &gpa, big ? high : low);
	guest_put(g, &gpa, big ? low : high);
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
void guest_reset(struct guest *g, uint8_t mode)
{
	struct mips_cpu *c = g->cpu;

	memset(g->registers, 0, sizeof(g->registers));
	g->model.features = mode & 0xf;
	g->model.big_endian = (mode & GUEST_BIG) != 0;
	for (unsigned n = 0; n < g->vm.memory.nr_ram; n++)
		fill(g, &g->vm.memory.ram[n]);
	c->walker = (mode & GUEST_WALK) != 0 ? g->walker : NULL;
	for (unsigned n = 2; n < 8; n++)
		mips_irq_input(c, n, false);
	mips_reset(c, &g->model);
	g->vm.engine->flush(&c->vcpu);
	put_handlers(g, 0);
	put_handlers(g, BOOT_GPA + 0x200);
	if (c->walker != NULL)
		put_page_tables(g);
	vcpu_take_attention(&c->vcpu);
	c->vcpu.instructions = 0;
	c->counter.offset = 0;
	c->counter.armed = false;
	c->cp0.cvmmemctl = CVMMEMCTL_KERNEL;
	g->has_lines = true;
	mips_set_status(c, STATUS_KX | STATUS_SX | STATUS_UX | STATUS_CU1);
	for (unsigned n = 1; n < 32; n++)
		c->gpr[n] = anchors[n % ANCHORS];
	c->pc = GUEST_CODE;
}

/* Reading the input. */

uint8_t input_take8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->data++;
}

uint64_t input_take(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned n = 0; n < bytes; n++)
		v = v << 8 | input_take8(in);
	return v;
}

void input_take_favourite(struct input *in)
{
	in->favourite = anchors[input_take8(in) % ANCHORS];
}

static uint64_t take_value(struct input *in)
{
	uint8_t how = input_take8(in);
	int64_t distance;

	if (how >= 0xf0)
		return input_take(in, 8);
	distance = (int8_t)input_take8(in);
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
	{ 0x1000fff8, 0x4fff0007 },
	{ 0x08000000 | (GUEST_CODE_GPA >> 2 & ~7u), 0x0400000f }, /* J, JAL */
	{ 0x00000008, 0x03e0f801 },                               /* JR, JALR */
	{ 0x20000000, 0x1fffffff },                               /* immediates */
	{ 0x60000000, 0x07ffffff },                               /* DADDI, DADDIU */
	{ 0x80000000, 0x7fff00ff },                               /* loads and stores */
	{ 0x8000fff0, 0x7fff000f },
	{ 0xa0000000, 0x1fff00ff }, /* stores */
	{ 0x68000000, 0x07ff000f }, /* LDL, LDR */
	{ 0x40000000, 0x003ff807 }, /* MFC0, DMFC0 */
	{ 0x40800000, 0x003ff807 }, /* MTC0, DMTC0 */
	{ 0x40816000, 0x001f0800 }, /* MTC0 to Status and Cause */
	{ 0x42000002, 0x00000004 }, /* TLBWI, TLBWR */
	{ 0x42000000, 0x0000003f }, /* all functions of CP0 */
	{ 0x42000018, 0x00000000 }, /* ERET */
	{ 0x41606000, 0x001f0020 }, /* DI, EI */
	{ 0x70000000, 0x03ffffff }, /* SPECIAL2 */
	{ 0x7c000000, 0x03ffffff }, /* SPECIAL3 */
	{ 0x7c00000a, 0x03ffffc0 }, /* Octeon's indexed loads */
	{ 0x7000001f, 0x03ffffc0 }, /* Octeon's atomics */
	{ 0x44000000, 0x03ffffff }, /* COP1 */
	{ 0x4c000000, 0x03ffffff }, /* COP1X */
	{ 0x48000000, 0x03ffffff }, /* COP2 */
	/* Of the same few registers, so that one makes what the next one uses. */
	{ 0x80880000, 0x7c27007c }, /* loads and stores by $4 and $5 */
	{ 0x8fa80000, 0x7007007c }, /* by $29 */
	{ 0xc4800000, 0x3c27007c }, /* of FP registers */
	{ 0x64840000, 0x002100f8 }, /* DADDIU: $4 and $5 move */
	{ 0x01084000, 0x00e73fff }, /* SPECIAL */
	{ 0x21080000, 0x1ce700ff }, /* immediates */
	{ 0x15000000, 0x00e70007 }, /* BNE, forwards */
	{ 0x46000000, 0x00273fff }, /* FP of single and double */
	{ 0xc0880000, 0x2027007c }, /* LL, SC */
	{ 0x68880007, 0x00010008 }, /* LDL */
	{ 0x6c880000, 0x00010008 }, /* LDR */
	{ 0x88880003, 0x00010008 }, /* LWL */
	{ 0x98880000, 0x00010008 }, /* LWR */
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/** Where code can be put. */
static const uint64_t places[] = {
	GUEST_CODE_GPA,   0x0000,           0x0080,           0x0180,   0x0200,
	0x2000,           0x2ff8,           0x3000,           0x4ff0,   BOOT_GPA + 0x200,
	TABLE_GPA + 0x10, BOOT_GPA + 0x380, BOOT_GPA + 0xff8, HIGH_GPA, LOW_SIZE - 8,
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static uint32_t take_instruction(struct input *in)
{
	unsigned kind = input_take8(in) % KINDS;
	uint32_t operand = (uint32_t)input_take(in, 4);

	return kinds[kind].bits | (operand & kinds[kind].free);
}

/** Makes a load, or a store of an instruction where code is, the next thing that the guest does. */
static void prepare_access(struct guest *g, struct input *in)
{
	uint64_t gpa = GUEST_ACCESS_GPA;
	uint8_t how = input_take8(in);

	guest_put(g, &gpa, (how & 1) != 0 ? 0xac820000 : 0x8c820000); /* sw, lw $2, 0($4) */
	g->cpu->gpr[4] = (how & 2) != 0 ? GUEST_KSEG0 | places[how / 4 % PLACES] : take_value(in);
	g->cpu->gpr[2] = take_instruction(in);
	g->cpu->pc = GUEST_KSEG0 | GUEST_ACCESS_GPA;
}

/** EntryLo of one of the first pages, or of one that is no RAM; `inhibit` is RI and XI. */
static uint64_t take_entrylo(struct input *in, uint64_t inhibit)
{
	return (input_take(in, 2) & 0xc1ff) | inhibit << 62;
}

static void write_tlb(struct mips_cpu *c, struct input *in)
{
	uint8_t flags = input_take8(in);

	mips_cp0_write(c, 5, 0, ((1ull << 2 * (flags % 8)) - 1) << 13);
	mips_cp0_write(c, 10, 0, (take_value(in) & ~ENTRYHI_ASID) | (flags & 1)); /* few, so that they come again */
	mips_cp0_write(c, 2, 0, take_entrylo(in, flags >> 6));
	mips_cp0_write(c, 3, 0, take_entrylo(in, flags >> 6));
	mips_cp0_write(c, 0, 0, flags >> 3 & 7);
	mips_tlbwi(c);
}

static void write_cp0(struct mips_cpu *c, struct input *in)
{
	uint8_t reg = input_take8(in), sel = input_take8(in);
	uint64_t value = take_value(in);

	if ((sel & 8) != 0)
		mips_cp0_write32(c, reg % 32, sel % 8, value);
	else
		mips_cp0_write(c, reg % 32, sel % 8, value);
}

void guest_apply(struct guest *g, struct input *in, uint64_t *gpa)
{
	uint8_t what = input_take8(in);

	switch (what % 16) {
	case GUEST_PLACE: *gpa = places[input_take8(in) % PLACES]; break;
	case GUEST_CP0: write_cp0(g->cpu, in); break;
	case GUEST_TLB:
	case GUEST_TLB_TOO: write_tlb(g->cpu, in); break;
	case GUEST_REGISTER:
		mips_set_register(&g->cpu->vcpu, input_take8(in) % MIPS_NR_REGISTERS, take_value(in));
		break;
	case GUEST_FPR: g->cpu->fpu.fpr[input_take8(in) % 32] = take_value(in); break;
	case GUEST_FCSR: mips_set_register(&g->cpu->vcpu, MIPS_NR_REGISTERS - 2, input_take(in, 4) & 0x0183ffff); break;
	case GUEST_IRQ: mips_irq_input(g->cpu, 2 + what / 16 % 6, what >= 0x80); break;
	case GUEST_VISIT: g->cpu->pc = GUEST_KSEG0 | places[what / 16 % PLACES]; break;
	case GUEST_ACCESS: prepare_access(g, in); break;
	default: guest_put(g, gpa, take_instruction(in)); break;
	}
}

/* Checking and comparing. */

void guest_check_state(const struct guest *g)
{
	const struct mips_cpu *c = g->cpu;

	guest_check(c->gpr[0] == 0, "$0 is not 0");
	guest_check(c->delay == NULL, "a delay slot is left open");
	guest_check(c->cp0.wired < c->tlb.count, "Wired is out of range");
	guest_check(c->stlb == &c->stlbs[c->mode] && c->itlb == c->itlbs[c->mode], "caches are of another mode");
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
			guest_check(is_sane(g, &g->cpu->stlbs[mode].read[n]) &&
					    is_sane(g, &g->cpu->stlbs[mode].write[n]),
				    "soft TLB leaves RAM");
}

/** The entry that matches, found the plain way. One without a valid page hides no other. */
static const struct mips_tlb_entry *search_tlb(const struct mips_cpu *c, uint64_t va)
{
	const struct mips_tlb_entry *invalid = NULL;

	for (unsigned n = 0; n < c->tlb.count; n++) {
		const struct mips_tlb_entry *e = &c->tlb.entries[n];

		if (e->present && ((va ^ e->vpn2) & mips_va_mask(c) & ~e->mask) == 0 &&
		    (e->global || e->asid == (c->cp0.entryhi & ENTRYHI_ASID))) {
			if (e->page[0].valid || e->page[1].valid)
				return e;
			invalid = invalid != NULL ? invalid : e;
		}
	}
	return invalid;
}

static void check_tlb(const struct mips_cpu *c)
{
	for (unsigned n = 0; n < ANCHORS; n++) {
		const struct mips_tlb_entry *e = search_tlb(c, anchors[n]);
		const struct mips_tlb_page *page;
		uint64_t gpa;

		switch (mips_tlb_lookup(c, anchors[n], MIPS_READ, &gpa, &page)) {
		case MIPS_TLB_MISS: guest_check(e == NULL, "TLB does not find an entry"); break;
		case MIPS_TLB_HIT:
			guest_check(e != NULL && page >= e->page && page < e->page + 2, "TLB finds another");
			break;
		default: guest_check(e != NULL, "TLB finds an entry too many"); break;
		}
	}
}

void guest_check_tlbs(const struct guest *g)
{
	check_soft_tlb(g);
	check_tlb(g->cpu);
}

static bool same_page(const struct mips_tlb_page *a, const struct mips_tlb_page *b)
{
	return a->gpa == b->gpa && a->cca == b->cca && a->valid == b->valid && a->dirty == b->dirty &&
	       a->read_inhibit == b->read_inhibit && a->exec_inhibit == b->exec_inhibit && a->global == b->global;
}

static bool same_entry(const struct mips_tlb_entry *a, const struct mips_tlb_entry *b)
{
	return a->present == b->present && a->vpn2 == b->vpn2 && a->mask == b->mask && a->asid == b->asid &&
	       a->global == b->global && same_page(&a->page[0], &b->page[0]) && same_page(&a->page[1], &b->page[1]);
}

static bool same_tlb(const struct mips_tlb *a, const struct mips_tlb *b)
{
	for (unsigned n = 0; n < a->count; n++)
		if (!same_entry(&a->entries[n], &b->entries[n]))
			return false;
	return a->random == b->random;
}

static void settle(struct mips_cpu *c)
{
	if (c->fpu.settle != NULL)
		c->fpu.settle(c);
}

/* Names all values that differ, so that a report shows what happened. */
static bool same_values(const char *name, const uint64_t *a, const uint64_t *b, unsigned count)
{
	for (unsigned n = 0; n < count; n++)
		if (a[n] != b[n])
			log_error("%s %u is %llx, %llx", name, n, (unsigned long long)a[n], (unsigned long long)b[n]);
	return memcmp(a, b, count * sizeof(*a)) == 0;
}

void guest_compare(const struct guest *a, const struct guest *b)
{
	struct mips_cpu *x = a->cpu, *y = b->cpu;
	bool same = true;

	settle(x);
	settle(y);
	same &= same_values("instructions", &x->vcpu.instructions, &y->vcpu.instructions, 1);
	same &= same_values("pc", &x->pc, &y->pc, 1);
	same &= same_values("$", x->gpr, y->gpr, 32);
	same &= same_values("hi", &x->hi, &y->hi, 1);
	same &= same_values("lo", &x->lo, &y->lo, 1);
	same &= same_values("CP0, word", (const uint64_t *)&x->cp0, (const uint64_t *)&y->cp0, sizeof(x->cp0) / 8);
	same &= same_values("$f", x->fpu.fpr, y->fpu.fpr, 32);
	same &= same_values("FCSR", &(uint64_t){ x->fpu.fcsr }, &(uint64_t){ y->fpu.fcsr }, 1);
	same &= same_values("LL address", &x->ll_address, &y->ll_address, 1);
	same &= same_values("multiplier", (const uint64_t *)&x->octeon, (const uint64_t *)&y->octeon,
			    sizeof(x->octeon) / 8);
	same &= same_values("device", a->registers, b->registers, 8);
	guest_check(same, "registers differ");
	guest_check(memcmp(x->cvmseg, y->cvmseg, sizeof(x->cvmseg)) == 0, "scratchpad differs");
	guest_check(x->compare == y->compare && x->stopped_count == y->stopped_count, "Compare or Count differs");
	guest_check(same_tlb(&x->tlb, &y->tlb), "TLB differs");
	guest_check(x->waiting == y->waiting && x->ll_valid == y->ll_valid, "WAIT or LLbit differs");
}

void guest_compare_memory(const struct guest *a, const struct guest *b)
{
	const struct memory *x = &a->vm.memory, *y = &b->vm.memory;

	for (unsigned n = 0; n < x->nr_ram; n++)
		guest_check(memcmp(x->ram[n].hva, y->ram[n].hva, x->ram[n].size) == 0, "memory differs");
}
