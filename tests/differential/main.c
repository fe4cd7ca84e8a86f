/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random programs, run by husk's engine and by a reference emulator, whole states compared:
 *	differential --variant NAME --seed N [--instructions N] [--first N] [--only INSTRUCTION]
 * Prints one line, or what differs and how to see it again. Status: 0 the same, 1 different, 2 cannot run.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/mips64/guest/cpu.h"
#include "tests/differential/report.h"

#define BLOCKS         100u
#define RUNS_PER_BLOCK 4u

/*
 * The reference's Octeon needs alignment, so here husk's does too; its Loongson does not, but for LL, SC and indexed
 * FP accesses. None of its 64-bit CPUs of Release 2 has NAN2008.
 */
static const struct variant variants[] = {
	{ "mips64r2-le", "qemu-mips64el", "MIPS64R2-generic", MIPS_HAS_FPU, false, 0 },
	{ "mips64r2-be", "qemu-mips64", "MIPS64R2-generic", MIPS_HAS_FPU, true, 0 },
	{ "octeon-le", "qemu-mips64el", "Octeon68XX", MIPS_HAS_OCTEON, false, 0 },
	{ "octeon-be", "qemu-mips64", "Octeon68XX", MIPS_HAS_OCTEON, true, 0 },
	{ "unaligned-le", "qemu-mips64el", "Loongson-3A1000", MIPS_HAS_FPU | MIPS_HAS_UNALIGNED, false,
	  1u << G_ATOMIC },
	{ "unaligned-be", "qemu-mips64", "Loongson-3A1000", MIPS_HAS_FPU | MIPS_HAS_UNALIGNED, true, 1u << G_ATOMIC },
};

struct options {
	struct plan plan;
	uint64_t instructions;
};

/* Both sides, for shrink(). */
struct sides {
	struct user *user;
	bool small_pages;
};

static void run_both(struct sides *s, struct program *p, struct outcome *husk, struct outcome *reference)
{
	struct image image = image_new(p);

	*husk = user_run(s->user, &image, s->small_pages);
	*reference = reference_run(&image);
	image_free(&image);
}

static bool sides_differ(void *ctx, struct program *p)
{
	struct outcome husk, reference;
	unsigned difference;

	run_both(ctx, p, &husk, &reference);
	difference = first_difference(&husk, &reference);
	outcome_free(&husk);
	outcome_free(&reference);
	return difference != NO_DIFFERENCE;
}

/* Cuts the program down to what still differs, if it can, and shows that. */
static void explain(struct sides *s, const struct program *p, unsigned run)
{
	unsigned last = run < p->nr_runs ? run : p->nr_runs - 1;
	struct program *one = program_of_run(p, last, false);
	struct outcome husk, reference;

	if (!sides_differ(s, one)) {
		program_free(one);
		one = program_of_run(p, last, true);
	}
	if (sides_differ(s, one))
		shrink(one, sides_differ, s);
	else
		printf("(alone it does not differ)\n");
	run_both(s, one, &husk, &reference);
	report(one, &husk, &reference);
	outcome_free(&husk);
	outcome_free(&reference);
	program_free(one);
}

/* Runs one program on both sides; adds up what it did. Returns false on a difference. */
static bool check(struct sides *s, const struct plan *plan, struct outcome *total)
{
	struct program *p = program_new(plan);
	struct outcome husk, reference;
	unsigned difference;

	s->small_pages = plan->number % 2 == 1;
	run_both(s, p, &husk, &reference);
	difference = first_difference(&husk, &reference);
	total->instructions += husk.instructions;
	total->signals += husk.signals;
	total->nr_states += husk.nr_states;
	if (difference != NO_DIFFERENCE) {
		printf("%s: program %" PRIu64 " of seed %#" PRIx64 " differs in run %u (husk: %s; reference: %s)\n",
		       plan->variant->name, plan->number, plan->seed, difference, husk.failure, reference.failure);
		explain(s, p, difference);
		printf("again: differential --variant %s --seed %#" PRIx64 " --first %" PRIu64 " --instructions 1\n",
		       plan->variant->name, plan->seed, plan->number);
	}
	outcome_free(&husk);
	outcome_free(&reference);
	program_free(p);
	return difference == NO_DIFFERENCE;
}

static int check_all(struct options *o)
{
	struct sides sides = { .user = user_new(o->plan.variant) };
	struct outcome total = { 0 };
	uint64_t first = o->plan.number;

	do {
		if (!check(&sides, &o->plan, &total))
			return 1;
		o->plan.number++;
	} while (total.instructions < o->instructions);
	printf("%s seed %#" PRIx64 ": the same after %" PRIu64 " instructions, %u states, %" PRIu64 " signals, %" PRIu64
	       " programs\n",
	       o->plan.variant->name, o->plan.seed, total.instructions, total.nr_states, total.signals,
	       o->plan.number - first);
	return 0;
}

static const struct variant *find_variant(const char *name)
{
	for (unsigned n = 0; n < sizeof(variants) / sizeof(variants[0]); n++)
		if (strcmp(variants[n].name, name) == 0)
			return &variants[n];
	fprintf(stderr, "differential: no variant %s\n", name);
	exit(2);
}

static void list(void)
{
	for (unsigned n = 0; n < nr_encodings; n++)
		printf("%s\n", encodings[n].name);
	exit(0);
}

static struct options parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "variant", required_argument, NULL, 'v' },
		{ "seed", required_argument, NULL, 's' },
		{ "instructions", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "only", required_argument, NULL, 'o' },
		{ "list", no_argument, NULL, 'l' },
		{ 0 },
	};
	struct options o = {
		.plan = { .variant = &variants[0], .seed = 1, .blocks = BLOCKS, .runs_per_block = RUNS_PER_BLOCK },
		.instructions = 1,
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'v': o.plan.variant = find_variant(optarg); break;
		case 's': o.plan.seed = strtoull(optarg, NULL, 0); break;
		case 'n': o.instructions = strtoull(optarg, NULL, 0); break;
		case 'f': o.plan.number = strtoull(optarg, NULL, 0); break;
		case 'o': o.plan.only = optarg; break;
		case 'l': list(); break;
		default: exit(2);
		}
	}
	return o;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);

	return check_all(&o);
}
