/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "tests/differential/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

unsigned first_difference(const struct outcome *a, const struct outcome *b)
{
	unsigned n;

	for (n = 0; n < a->nr_states && n < b->nr_states; n++)
		if (memcmp(&a->states[n], &b->states[n], sizeof(struct state)) != 0)
			return n;
	return a->nr_states == b->nr_states && a->failure[0] == '\0' && b->failure[0] == '\0' ? NO_DIFFERENCE : n;
}

static void drop_item(struct block *b, unsigned item)
{
	unsigned from = b->items[item], to = b->items[item + 1], kept = 0;

	memset(&b->words[from], 0, (to - from) * sizeof(b->words[0]));
	for (unsigned n = 0; n < b->nr_fixups; n++)
		if (b->fixups[n].word < from || b->fixups[n].word >= to)
			b->fixups[kept++] = b->fixups[n];
	b->nr_fixups = kept;
}

void shrink(struct program *p, differs *test, void *ctx)
{
	struct block *b = &p->blocks[0];

	/* From the end: what comes after the difference goes first. */
	for (unsigned item = b->nr_items; item-- > 0;) {
		struct block before = *b;

		drop_item(b, item);
		if (!test(ctx, p))
			*b = before;
	}
}

static void print_words(const struct block *b)
{
	for (unsigned n = 0; n < b->nr_words; n++)
		if (b->words[n] != 0)
			printf("  %" PRIx64 ":\t%08x\n", b->pc + 4 * n, b->words[n]);
}

/* Instructions as objdump shows them, without NOPs; false if there is no objdump. */
static bool print_disassembly(const struct block *b)
{
	char command[200], line[200];
	int fd = memfd_create("block", 0);
	bool any = false;
	FILE *f;

	if (fd < 0 || write(fd, b->words, 4 * b->nr_words) != (ssize_t)(4 * b->nr_words))
		return false;
	fflush(stdout);
	snprintf(command, sizeof(command),
		 "mips64el-linux-gnuabi64-objdump -D -z -EL -b binary -m mips:octeon2 -M gpr-names=numeric "
		 "--adjust-vma=%#" PRIx64 " /proc/%d/fd/%d 2>/dev/null",
		 b->pc, (int)getpid(), fd);
	f = popen(command, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strstr(line, ":\t") != NULL && strstr(line, "\tnop") == NULL)
			any |= printf("  %s", line) > 0;
	if (f != NULL)
		pclose(f);
	close(fd);
	return any;
}

/* Name of a 64-bit value of struct state by its place. */
static void name_of(char *name, size_t size, unsigned place)
{
	static const struct {
		const char *name;
		unsigned first, count;
	} parts[] = {
#define PART(n, member) { n, offsetof(struct state, member) / 8, sizeof(((struct state *)0)->member) / 8 }
		PART("r%u", gpr),   PART("hi", hi), PART("lo", lo),         PART("f%u", fpr),
		PART("fcsr", fcsr), PART("pc", pc), PART("signal", signal), PART("scratch%u", scratch),
	};
	unsigned n = 0;

	while (place >= parts[n].first + parts[n].count)
		n++;
	snprintf(name, size, parts[n].name, place - parts[n].first);
}

static void print_states(const struct state *before, const struct state *husk, const struct state *reference)
{
	const uint64_t *b = (const uint64_t *)(const void *)before, *h = (const uint64_t *)(const void *)husk,
		       *r = (const uint64_t *)(const void *)reference;

	printf("  %-10s %16s %16s %16s\n", "", "before", "husk", "reference");
	for (unsigned n = 0; n < STATE_WORDS; n++) {
		char name[16];

		name_of(name, sizeof(name), n);
		if (b[n] != h[n] || b[n] != r[n])
			printf("%c %-10s %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", h[n] != r[n] ? '*' : ' ',
			       name, b[n], h[n], r[n]);
	}
}

static void print_before(const struct state *before)
{
	const uint64_t *b = (const uint64_t *)(const void *)before;

	printf("state before:");
	for (unsigned n = 0; n < STATE_WORDS; n++) {
		char name[16];

		name_of(name, sizeof(name), n);
		printf("%s%10s %016" PRIx64, n % 4 == 0 ? "\n" : " ", name, b[n]);
	}
	printf("\n");
}

void report(const struct program *p, const struct outcome *husk, const struct outcome *reference)
{
	unsigned difference = first_difference(husk, reference),
		 run = difference < p->nr_runs ? difference : p->nr_runs - 1;
	const struct state *before = &p->runs[run].before;

	if (!print_disassembly(&p->blocks[0]))
		print_words(&p->blocks[0]);
	printf("run %u of %u, ", run + 1, p->nr_runs);
	print_before(before);
	if (husk->failure[0] != '\0')
		printf("husk: %s\n", husk->failure);
	if (reference->failure[0] != '\0')
		printf("reference: %s\n", reference->failure);
	if (run < husk->nr_states && run < reference->nr_states)
		print_states(before, &husk->states[run], &reference->states[run]);
}
