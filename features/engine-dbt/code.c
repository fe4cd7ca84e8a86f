/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of translated code, which all vCPUs share: pages that it was made of are marked; stores to them drop it; when
 * there is no room for more, all of it goes. A vCPU that has stopped may stand in a helper that some block called: blocks
 * that are dropped stay where they are until all go, for which nobody may stand in one.
 */
#include <husk/vm.h>

#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/translate/front.h"
#include "features/engine-dbt/dbt.h"
#include "features/engine-dbt/observer.h"

/* Others have to wait for a look at whether they are done in their helpers. */
#define PAUSES 1000u

struct dbt *dbt_of(const struct vm *vm, unsigned n)
{
	return dbt(mips_cpu(vm->vcpus[n]));
}

static struct dbt_code *code_of(const struct vm *vm)
{
	return dbt_of(vm, 0)->code;
}

void dbt_forget_jumps(struct dbt *d, uint64_t va)
{
	if (d->jump_ops != NULL)
		d->jump_ops->forget(&d->jumps, va);
	if (d->return_ops != NULL)
		d->return_ops->forget(&d->returns, va);
}

void dbt_dropped(void *ctx, struct block *b)
{
	struct vm *vm = ctx;

	if (dbt_of(vm, 0)->linking != NULL)
		dbt_of(vm, 0)->linking->unlink(&code_of(vm)->blocks, b);
	for (unsigned n = 0; n < vm->nr_vcpus; n++) {
		struct dbt *d = dbt_of(vm, n);

		if (d->jump_ops != NULL)
			d->jump_ops->forget_code(&d->jumps, b->key.pc, b->code);
	}
}

/* --- changed code */

/* Drops what was made of [gpa, gpa + size), within one page. Others are stopped. */
static void drop_code(struct vm *vm, uint64_t gpa, uint64_t size)
{
	struct blocks *b = &code_of(vm)->blocks;

	if (blocks_invalidate(b, gpa, size) != 0)
		for (unsigned n = 0; n < vm->nr_vcpus; n++)
			dbt_of(vm, n)->code_changed = true;
	if (!blocks_in_page(b, gpa))
		memory_mark_code(&vm->memory, gpa, false);
}

static void code_written(void *ctx, uint64_t gpa, uint64_t size)
{
	struct vm *vm = ctx;

	smp_lock(&vm->memory.code_lock);
	smp_stop_others(vm);
	while (size != 0) {
		uint64_t part = GUEST_PAGE_SIZE - (gpa & ~GUEST_PAGE_MASK);

		part = part < size ? part : size;
		drop_code(vm, gpa, part);
		gpa += part;
		size -= part;
	}
	smp_resume_others(vm);
	smp_unlock(&vm->memory.code_lock);
}

static void fetch_changed(struct mips_cpu *c, uint64_t va)
{
	dbt_forget_jumps(dbt(c), va);
	if (dbt(c)->counted)
		vcpu_kick(&c->vcpu, ATTN_IRQ); /* the next instruction is fetched anew */
}

void dbt_watch_code(struct dbt *d)
{
	struct memory *memory = &d->cpu.vcpu.vm->memory;

	memory->code_written = code_written;
	memory->code_ctx = d->cpu.vcpu.vm;
	d->cpu.fetch_changed = fetch_changed;
}

/* --- no more room */

bool dbt_has_room(const struct dbt_code *code)
{
	return blocks_have_room(&code->blocks, X86_BLOCK_MAX_BYTES, X86_MAX_EXITS) &&
	       code->max_insns - code->next_insn >= MIPS_BLOCK_INSNS;
}

static bool somebody_is_in_code(const struct vm *vm)
{
	for (unsigned n = 0; n < vm->nr_vcpus; n++)
		if (dbt_of(vm, n)->in_code)
			return true;
	return false;
}

/* Others are stopped, and not in code. */
static void drop_all(struct vm *vm)
{
	struct dbt_code *code = code_of(vm);

	for (uint32_t n = 0; n < code->blocks.nr_blocks; n++)
		memory_mark_code(&vm->memory, code->blocks.blocks[n].key.gpa, false);
	blocks_flush(&code->blocks);
	code->next_insn = 0;
	for (unsigned n = 0; n < vm->nr_vcpus; n++)
		dbt_forget_jumps(dbt_of(vm, n), ~0ull);
	dbt_tell_flushed(vm);
}

static bool try_to_drop_all(struct vm *vm)
{
	bool free;

	smp_stop_others(vm);
	free = !somebody_is_in_code(vm);
	if (free)
		drop_all(vm);
	smp_resume_others(vm);
	return free;
}

/* Those in helpers may wait for this lock. */
static void let_others_go_on(struct vm *vm)
{
	smp_unlock(&vm->memory.code_lock);
	for (unsigned n = 0; n < PAUSES; n++)
		__builtin_ia32_pause();
	smp_lock(&vm->memory.code_lock);
}

void dbt_make_room(struct vm *vm)
{
	while (!dbt_has_room(code_of(vm)) && !try_to_drop_all(vm))
		let_others_go_on(vm);
}

void dbt_flush_blocks(struct vm *vm)
{
	smp_lock(&vm->memory.code_lock);
	while (!try_to_drop_all(vm))
		let_others_go_on(vm);
	smp_unlock(&vm->memory.code_lock);
}
