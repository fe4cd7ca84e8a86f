/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/differential/image.h"

#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/mips64/guest/cpu.h"
#include "tests/unit/mips_fixture.h"

#define SEGMENT_PAGE 0x1000u

/* What the runtime keeps, from IMAGE_CONTEXT on. */
struct context {
	uint64_t next, end;  /* records to run */
	uint64_t out;        /* where the next state goes */
	uint64_t signal, pc; /* what the handler saw */
	uint64_t saved;      /* a register while the state is stored */
	uint64_t sigaction[4];
	uint64_t stack[3];
};

/* The runtime in the making. */
struct assembler {
	const struct variant *v;
	uint32_t *words;
	unsigned count;
	uint64_t va;
};

#define FIELD(f)   ((int)(IMAGE_CONTEXT - IMAGE_SCRATCH + offsetof(struct context, f)))
#define STATE(f)   ((int)offsetof(struct state, f))
#define REGS(n)    (UCONTEXT_REGS + 8 * (n))
#define GP         28
#define LDC1       0x35
#define SDC1       0x3d
#define HILO(f, r) R_TYPE(0, (f)&1 ? (r) : 0, 0, (f)&1 ? 0 : (r), 0, f) /* odd: to HI or LO */

static void emit(struct assembler *a, uint32_t word)
{
	a->words[a->count++] = word;
}

static uint64_t here(const struct assembler *a)
{
	return a->va + 4 * a->count;
}

static void emit_address(struct assembler *a, unsigned r, uint64_t va)
{
	emit(a, LUI(r, va >> 16));
	emit(a, ORI(r, r, va));
}

static void emit_jump(struct assembler *a, uint64_t va)
{
	emit(a, 0x08000000u | ((uint32_t)(va >> 2) & 0x03ffffff));
	emit(a, NOP);
}

static void emit_call(struct assembler *a, enum linux_call number)
{
	emit(a, ADDIU(2, 0, number));
	emit(a, SYSCALL);
}

static void emit_signals(struct assembler *a)
{
	static const enum linux_signal caught[] = { SIGNAL_ILL, SIGNAL_TRAP, SIGNAL_FPE, SIGNAL_BUS, SIGNAL_SEGV };

	emit_address(a, BASE, IMAGE_SCRATCH);
	emit(a, DADDIU(4, BASE, FIELD(stack)));
	emit(a, ADDIU(5, 0, 0));
	emit_call(a, NR_SIGALTSTACK);
	for (unsigned n = 0; n < sizeof(caught) / sizeof(caught[0]); n++) {
		emit(a, ADDIU(4, 0, caught[n]));
		emit(a, DADDIU(5, BASE, FIELD(sigaction)));
		emit(a, ADDIU(6, 0, 0));
		emit(a, ADDIU(7, 0, 16));
		emit_call(a, NR_RT_SIGACTION);
	}
}

static void emit_load_fpu(struct assembler *a)
{
	for (unsigned n = 0; n < 32; n++)
		emit(a, I_TYPE(LDC1, BASE, n, STATE(fpr[n])));
	emit(a, LD(INDEX, STATE(fcsr), BASE));
	emit(a, R_TYPE(0x11, 6, INDEX, 31, 0, 0)); /* CTC1 */
}

static void emit_store_fpu(struct assembler *a)
{
	for (unsigned n = 0; n < 32; n++)
		emit(a, I_TYPE(SDC1, GP, n, STATE(fpr[n])));
	emit(a, R_TYPE(0x11, 2, INDEX, 31, 0, 0)); /* CFC1 */
	emit(a, SD(INDEX, STATE(fcsr), GP));
}

/* Loads the state at register BASE and goes to its block. */
static void emit_load_state(struct assembler *a)
{
	int middle = STATE(scratch) + (int)SCRATCH_BYTES / 2;

	emit_address(a, GP, IMAGE_SCRATCH);
	for (int n = -(int)SCRATCH_BYTES / 2; n < (int)SCRATCH_BYTES / 2; n += 8) {
		emit(a, LD(INDEX, middle + n, BASE));
		emit(a, SD(INDEX, n, GP));
	}
	if (a->v->features & MIPS_HAS_FPU)
		emit_load_fpu(a);
	emit(a, LD(INDEX, STATE(hi), BASE));
	emit(a, HILO(0x11, INDEX));
	emit(a, LD(INDEX, STATE(lo), BASE));
	emit(a, HILO(0x13, INDEX));
	for (unsigned n = 1; n < 32; n++)
		if (n != BASE && n != GP)
			emit(a, LD(n, STATE(gpr[n]), BASE));
	emit(a, LD(GP, STATE(pc), BASE));
	emit(a, LUI(BASE, IMAGE_SCRATCH >> 16));
	emit(a, JR(GP));
	emit(a, ORI(BASE, BASE, IMAGE_SCRATCH));
}

static void emit_store_registers(struct assembler *a)
{
	emit(a, SD(GP, FIELD(saved), BASE));
	emit(a, LD(GP, FIELD(out), BASE));
	for (unsigned n = 0; n < 32; n++)
		if (n != GP)
			emit(a, SD(n, STATE(gpr[n]), GP));
	emit(a, LD(INDEX, FIELD(saved), BASE));
	emit(a, SD(INDEX, STATE(gpr[GP]), GP));
	emit(a, HILO(0x10, INDEX));
	emit(a, SD(INDEX, STATE(hi), GP));
	emit(a, HILO(0x12, INDEX));
	emit(a, SD(INDEX, STATE(lo), GP));
	if (a->v->features & MIPS_HAS_FPU)
		emit_store_fpu(a);
}

/* Stores the state and steps to the next record. */
static void emit_store_state(struct assembler *a)
{
	int middle = STATE(scratch) + (int)SCRATCH_BYTES / 2;

	emit_store_registers(a);
	emit(a, LD(INDEX, FIELD(signal), BASE));
	emit(a, SD(INDEX, STATE(signal), GP));
	emit(a, SD(0, FIELD(signal), BASE));
	emit(a, LD(INDEX, FIELD(pc), BASE));
	emit(a, SD(INDEX, STATE(pc), GP));
	emit(a, SD(0, FIELD(pc), BASE));
	for (int n = -(int)SCRATCH_BYTES / 2; n < (int)SCRATCH_BYTES / 2; n += 8) {
		emit(a, LD(INDEX, n, BASE));
		emit(a, SD(INDEX, middle + n, GP));
	}
	emit(a, DADDIU(GP, GP, sizeof(struct state)));
	emit(a, SD(GP, FIELD(out), BASE));
	emit(a, LD(GP, FIELD(next), BASE));
	emit(a, DADDIU(GP, GP, sizeof(struct state)));
	emit(a, SD(GP, FIELD(next), BASE));
}

/* The registers that a signal handler is called with are in its frame. */
static void emit_handler(struct assembler *a, uint64_t store)
{
	static const uint8_t changed[] = { 4, 5, 25, 29, 31, 6 }; /* 6 points to the frame */

	emit(a, SD(4, FIELD(signal), BASE));
	emit(a, LD(4, UCONTEXT_PC, 6));
	emit(a, SD(4, FIELD(pc), BASE));
	for (unsigned n = 0; n < sizeof(changed); n++)
		emit(a, LD(changed[n], REGS(changed[n]), 6));
	emit_jump(a, store);
}

static void emit_finish(struct assembler *a, uint64_t out)
{
	emit(a, ADDIU(4, 0, 1));
	emit_address(a, 5, out);
	emit(a, LD(6, FIELD(out), BASE));
	emit(a, SPECIAL(0x2f, 6, 6, 5)); /* DSUBU */
	emit_call(a, NR_WRITE);
	emit(a, ADDIU(4, 0, 0));
	emit_call(a, NR_EXIT);
}

/* Places in memory that the runtime needs. */
struct places {
	uint64_t records, out, store;
};

static void emit_runtime(struct image *image, struct places *at)
{
	uint32_t *words = (uint32_t *)(void *)(image->file + (IMAGE_RUNTIME - IMAGE_VA));
	struct assembler a = { .v = image->variant, .words = words, .va = IMAGE_RUNTIME };
	uint64_t next;

	/* Here because blocks jump to it, and its place must not depend on what follows. */
	at->store = here(&a);
	emit_store_state(&a);
	next = here(&a);
	emit(&a, LD(INDEX, FIELD(end), BASE));
	emit(&a, LD(GP, FIELD(next), BASE));
	emit(&a, BEQ(INDEX, GP, 3));
	emit(&a, SPECIAL(0x25, BASE, GP, 0)); /* move */
	unsigned branch = a.count;
	emit_jump(&a, 0);
	image->handler = here(&a);
	emit_handler(&a, at->store);
	uint64_t finish = here(&a);
	emit_address(&a, BASE, IMAGE_SCRATCH);
	emit_finish(&a, at->out);
	image->entry = here(&a);
	emit_signals(&a);
	emit_jump(&a, next);
	uint64_t load = here(&a);
	emit_load_state(&a);
	/* The last record: BEQ goes to the second jump. */
	words[branch] = 0x08000000u | ((uint32_t)(load >> 2) & 0x03ffffff);
	words[branch - 2] = BEQ(INDEX, GP, (int)((finish - (IMAGE_RUNTIME + 4 * (branch - 1))) / 4));
	image->overhead = (uint64_t)(next - at->store) / 4 + 6 + (here(&a) - load) / 4 + 2;
	image->on_signal = 9; /* the handler instead of the jump at the end of a block */
}

static void put_context(struct image *image, const struct places *at)
{
	struct context c = {
		.next = at->records,
		.end = at->out,
		.out = at->out,
		.stack = { IMAGE_STACK, STACK_SIZE, 0 },
	};
	/* SA_ONSTACK | SA_NODEFER | SA_SIGINFO, an int before 4 bytes of padding */
	uint64_t flags = 0x48000008;

	c.sigaction[0] = image->variant->big_endian ? flags << 32 : flags;
	c.sigaction[1] = image->handler;
	swap_words(image->variant, &c.next, sizeof(c) / 8);
	memcpy(image->file + (IMAGE_CONTEXT - IMAGE_VA), &c, sizeof(c));
}

static void put_words(const struct image *image, uint64_t va, const uint32_t *words, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		uint32_t w = image->variant->big_endian ? __builtin_bswap32(words[n]) : words[n];

		memcpy(image->file + (va - IMAGE_VA) + 4 * n, &w, 4);
	}
}

static void put_blocks(const struct image *image, struct program *p, uint64_t store)
{
	const uint32_t end[2] = { 0x08000000u | ((uint32_t)(store >> 2) & 0x03ffffff), NOP };

	for (unsigned n = 0; n < p->nr_blocks; n++) {
		struct block *b = &p->blocks[n];

		block_fix(b);
		put_words(image, b->pc, b->words, b->nr_words);
		put_words(image, b->pc + 4 * b->nr_words, end, 2);
	}
}

static void put_records(const struct image *image, const struct program *p, uint64_t va)
{
	for (unsigned n = 0; n < p->nr_runs; n++) {
		struct state s = p->runs[n].before;

		s.pc = p->blocks[p->runs[n].block].pc;
		swap_words(image->variant, (uint64_t *)(void *)&s, STATE_WORDS);
		memcpy(image->file + (va - IMAGE_VA) + n * sizeof(s), &s, sizeof(s));
	}
}

/* Fields of 2 and 4 bytes of a header are swapped by hand, those of 8 together. */
static void put_headers(const struct image *image)
{
	const bool big = image->variant->big_endian;
	const uint32_t flags = 0x80000004; /* MIPS64R2, n64, no position-independent code */
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, big ? ELFDATA2MSB : ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = big ? __builtin_bswap16(ET_EXEC) : ET_EXEC,
		.e_machine = big ? __builtin_bswap16(EM_MIPS) : EM_MIPS,
		.e_version = big ? __builtin_bswap32(EV_CURRENT) : EV_CURRENT,
		.e_entry = image->entry,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_flags = big ? __builtin_bswap32(flags) : flags,
		.e_ehsize = big ? __builtin_bswap16(sizeof(Elf64_Ehdr)) : sizeof(Elf64_Ehdr),
		.e_phentsize = big ? __builtin_bswap16(sizeof(Elf64_Phdr)) : sizeof(Elf64_Phdr),
		.e_phnum = big ? __builtin_bswap16(1) : 1,
	};
	Elf64_Phdr ph = {
		.p_type = big ? __builtin_bswap32(PT_LOAD) : PT_LOAD,
		.p_flags = big ? __builtin_bswap32(PF_R | PF_W | PF_X) : PF_R | PF_W | PF_X,
		.p_vaddr = IMAGE_VA,
		.p_paddr = IMAGE_VA,
		.p_filesz = image->size,
		.p_memsz = image->memory,
		.p_align = SEGMENT_PAGE,
	};

	swap_words(image->variant, &e.e_entry, 2);
	swap_words(image->variant, &ph.p_offset, 6);
	memcpy(image->file, &e, sizeof(e));
	memcpy(image->file + sizeof(e), &ph, sizeof(ph));
}

void swap_words(const struct variant *v, uint64_t *words, size_t count)
{
	if (v->big_endian)
		for (size_t n = 0; n < count; n++)
			words[n] = __builtin_bswap64(words[n]);
}

struct image image_new(struct program *p)
{
	struct image image = { .variant = p->variant, .nr_runs = p->nr_runs };
	struct places at;
	uint64_t va = IMAGE_BLOCKS;

	for (unsigned n = 0; n < p->nr_blocks; n++) {
		p->blocks[n].pc = va;
		va += 4 * (p->blocks[n].nr_words + 2);
	}
	at.records = (va + SEGMENT_PAGE - 1) & -(uint64_t)SEGMENT_PAGE;
	at.out = at.records + p->nr_runs * sizeof(struct state);
	image.size = at.out - IMAGE_VA;
	image.memory = image.size + p->nr_runs * sizeof(struct state);
	image.file = image.memory <= IMAGE_MAX ? calloc(1, image.size) : NULL;
	if (image.file == NULL) {
		fprintf(stderr, "differential: a program of %u runs does not fit\n", p->nr_runs);
		exit(2);
	}
	emit_runtime(&image, &at);
	put_words(&image, IMAGE_RUNTIME, (uint32_t *)(void *)(image.file + (IMAGE_RUNTIME - IMAGE_VA)),
		  (IMAGE_SCRATCH - IMAGE_RUNTIME - SCRATCH_BYTES) / 4);
	put_context(&image, &at);
	put_blocks(&image, p, at.store);
	put_records(&image, p, at.records);
	put_headers(&image);
	return image;
}

void image_free(struct image *image)
{
	free(image->file);
}
