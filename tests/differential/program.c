/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs: blocks, and states to run them from. */
#include "tests/differential/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/mips64/guest/cpu.h"

static void *allocate(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (p == NULL) {
		fprintf(stderr, "differential: no memory for a program\n");
		exit(2);
	}
	return p;
}

/* FCSR in which no cause is enabled, as writing one would trap. */
static uint32_t random_fcsr(struct random *r)
{
	uint32_t v = (uint32_t)random_bits(r) & 0xfe81ffffu;

	if (!random_once_in(r, 8))
		v &= ~0xf80u; /* no traps */
	if (random_once_in(r, 2))
		v &= ~3u; /* to nearest */
	if (random_once_in(r, 4))
		v |= 1u << 24; /* flush to zero */
	return v & ~((v & 0xf80u) << 5);
}

static uint64_t random_float(struct random *r, unsigned n)
{
	if (n < FIRST_SINGLE)
		return random_once_in(r, 4) ? random_integer(r) : random_double(r);
	return random_bits(r) << 32 | ((random_once_in(r, 4) ? random_integer(r) : random_single(r)) & 0xffffffff);
}

static void random_state(struct state *s, struct random *r, const struct variant *v)
{
	memset(s, 0, sizeof(*s));
	for (unsigned n = 1; n < 32; n++)
		s->gpr[n] = n <= LAST_WORD ? random_word(r) : random_integer(r);
	for (unsigned n = 0; n < 32 && (v->features & MIPS_HAS_FPU) != 0; n++)
		s->fpr[n] = random_float(r, n);
	for (unsigned n = 0; n < SCRATCH_WORDS; n++)
		s->scratch[n] = random_value(r);
	s->hi = random_integer(r);
	s->lo = random_integer(r);
	s->fcsr = (v->features & MIPS_HAS_FPU) != 0 ? random_fcsr(r) : 0;
}

static struct program *allocate_program(const struct variant *v, unsigned blocks, unsigned runs)
{
	struct program *p = allocate(1, sizeof(*p));

	p->variant = v;
	p->nr_blocks = blocks;
	p->blocks = allocate(blocks, sizeof(*p->blocks));
	p->nr_runs = runs;
	p->runs = allocate(runs, sizeof(*p->runs));
	return p;
}

struct program *program_new(const struct plan *plan)
{
	struct random r = random_from(plan->seed, plan->number);
	struct program *p = allocate_program(plan->variant, plan->blocks, plan->blocks * plan->runs_per_block);

	for (unsigned n = 0; n < p->nr_blocks; n++)
		generate_block(&p->blocks[n], &r, plan->variant, plan->only);
	for (unsigned n = 0; n < p->nr_runs; n++) {
		p->runs[n].block = n % p->nr_blocks;
		random_state(&p->runs[n].before, &r, plan->variant);
	}
	return p;
}

struct program *program_of_run(const struct program *p, unsigned run, bool with_earlier)
{
	struct program *one = allocate_program(p->variant, 1, run + 1);

	one->blocks[0] = p->blocks[p->runs[run].block];
	one->nr_runs = 0;
	for (unsigned n = with_earlier ? 0 : run; n <= run; n++)
		if (p->runs[n].block == p->runs[run].block)
			one->runs[one->nr_runs++].before = p->runs[n].before;
	return one;
}

void program_free(struct program *p)
{
	free(p->blocks);
	free(p->runs);
	free(p);
}
