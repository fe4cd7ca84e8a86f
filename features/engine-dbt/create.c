/* SPDX-License-Identifier: BSD-2-Clause */
/* Making a vCPU: memory, the parts that the image has, the layout that generated code is made for. */
#include <errno.h>

#include <config/CODE_CACHE_MB.h>
#include <husk/log.h>
#include <husk/vm.h>

#include "arch/mips64/guest/cp0.h"
#include "arch/mips64/guest/mmu.h"
#include "arch/mips64/translate/front.h"
#include "features/engine-dbt/dbt.h"
#include "features/engine-dbt/pass.h"

_Static_assert(sizeof(struct x86_fetch_entry) == sizeof(struct mips_itlb) &&
		       offsetof(struct x86_fetch_entry, gpa) == offsetof(struct mips_itlb, gpa),
	       "generated code reads struct mips_itlb");
_Static_assert(sizeof(struct x86_fp_last) == sizeof(struct mips_fp_last) &&
		       offsetof(struct x86_fp_last, note) == offsetof(struct mips_fp_last, note),
	       "generated code writes struct mips_fp_last");

static void find_parts(struct dbt *d)
{
	d->linking = dbt_part(DBT_LINKING);
	d->jump_ops = dbt_part(DBT_JUMPS);
	d->shape = dbt_part(DBT_SUPERBLOCKS);
	/* Where instructions are counted, control comes to the engine too often. */
	d->return_ops = d->counted ? NULL : dbt_part(DBT_RETURNS);
}

/* Patched displacements are aligned within a block, and stay so where it comes to lie. */
#define CODE_ALIGN 16u

/* The registers that compiled code uses most stay in host registers. */
static const struct x86_pin pins[] = {
	{ 2, RSI },
	{ 4, RDI },
	{ 5, R8 },
	{ 29, R11 },
};

static void make_constants(struct dbt *d)
{
	const uint64_t sign = 1ull << 63, single_sign = 1ull << 31;

	for (unsigned n = 0; n < 256; n++)
		d->addends[n][0] = n;
	d->fp_masks = (struct x86_fp_masks){
		.sign = { { single_sign, 0 }, { sign, 0 } },
		.magnitude = { { ~single_sign, ~0ull }, { ~sign, ~0ull } },
	};
}

/* The same for all vCPUs: it finds what it needs relative to the vCPU that it runs for. */
static void make_runtime(const struct dbt *d)
{
	struct x86_runtime *r = &d->code->runtime;
	struct blocks *b = &d->code->blocks;
	struct x86_asm a = { .write = b->arena.write,
			     .end = b->arena.write + b->arena.size,
			     .to_execute = b->arena.execute - b->arena.write };

	r->layout = (struct x86_layout){
		.attention = offsetof(struct vcpu, attention),
		.pc = offsetof(struct mips_cpu, pc),
		.instructions = offsetof(struct vcpu, instructions),
		.partial = offsetof(struct dbt, partial),
		.limit = offsetof(struct dbt, limit),
		.counted = d->counted,
		.tag_key = offsetof(struct mips_cpu, asid_key),
		.spill = offsetof(struct dbt, spill),
		.fetch_key = offsetof(struct mips_cpu, fetch_key),
		.jump_cache = offsetof(struct dbt, jumps),
		.returns = offsetof(struct dbt, returns),
		.counts = offsetof(struct dbt, addends),
		.ll_valid = offsetof(struct mips_cpu, ll_valid),
		.ll_address = offsetof(struct mips_cpu, ll_address),
		.ll_value = offsetof(struct mips_cpu, ll_value),
		.fp_status = offsetof(struct mips_cpu, fpu.fcsr),
		.fp_last = offsetof(struct mips_cpu, fpu.last),
		.fp_masks = offsetof(struct dbt, fp_masks),
		.var = mips_var_offset,
		.nr_state = MIPS_VAR_STATE,
		.first_fp = MIPS_VAR_FPR,
		.fetch_entries = MIPS_ITLB_ENTRIES,
		.tlb_bits = (unsigned)__builtin_ctz(MIPS_STLB_ENTRIES),
		.pins = pins,
		.nr_pins = sizeof(pins) / sizeof(pins[0]),
	};
	r->bmi2 = x86_host_has_bmi2();
	r->avx = x86_host_has_avx();
	r->helpers = dbt_helpers;
	r->returns = d->return_ops != NULL ? d->return_ops->code : NULL;
	r->atomics = dbt_part(DBT_ATOMICS);
	r->jumps = d->jump_ops != NULL ? d->jump_ops->code : NULL;
	x86_emit_runtime(r, &a);
	/* Where blocks begin is a multiple of what they are aligned to within. */
	b->start = b->next =
		b->arena.write + (size_t)(a.write - b->arena.write + CODE_ALIGN - 1) / CODE_ALIGN * CODE_ALIGN;
}

static int make_code(struct dbt *d)
{
	size_t bytes = (size_t)CONFIG_CODE_CACHE_MB << 20;
	struct dbt_code *code = plat_pages_alloc(sizeof(*code), 4096);
	int err;

	if (code == NULL)
		return -ENOMEM;
	d->code = code;
	err = plat_code_alloc(bytes, &code->blocks.arena);
	if (err == 0)
		err = blocks_create(&code->blocks, bytes);
	if (err != 0)
		return err;
	code->max_insns = code->blocks.max_blocks * 2;
	code->insns = plat_pages_alloc(code->max_insns * sizeof(*code->insns), 4096);
	code->lowering = plat_pages_alloc(x86_lowering_size(), 4096);
	code->draft = plat_pages_alloc(X86_BLOCK_MAX_BYTES, 4096);
	code->ir = plat_pages_alloc(sizeof(*code->ir), 4096);
	code->pass_work = plat_pages_alloc(dbt_passes_work_bytes() + 1, 4096);
	if (code->insns == NULL || code->lowering == NULL || code->draft == NULL || code->ir == NULL ||
	    code->pass_work == NULL)
		return -ENOMEM;
	code->blocks.dropped = dbt_dropped;
	code->blocks.dropped_ctx = d->cpu.vcpu.vm;
	make_runtime(d);
	return 0;
}

/* The first vCPU makes the code that the others share. */
static int find_code(struct dbt *d)
{
	const struct vcpu *v = &d->cpu.vcpu;
	int err;

	if (v->id != 0) {
		d->code = dbt_of(v->vm, 0)->code;
		return 0;
	}
	err = make_code(d);
	if (err != 0)
		log_error("no memory for %u MiB of translated code: lower CODE_CACHE_MB", CONFIG_CODE_CACHE_MB);
	return err;
}

int dbt_create(struct vcpu *v)
{
	struct dbt *d = dbt(mips_cpu(v));
	int err;

	make_constants(d);
	d->counted = v->vm->timer->by_instructions;
	find_parts(d);
	err = find_code(d);
	if (err != 0)
		return err;
	dbt_forget_jumps(d, ~0ull);
	dbt_watch_code(d);
	d->cpu.counter.vcpu = v;
	d->cpu.counter.hz = v->vm->params->counter_hz;
	d->cpu.counter.match = mips_counter_match;
	v->vm->timer->start(&d->cpu.counter);
	return 0;
}
