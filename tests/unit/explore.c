/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See explore.h. Depth first, by running from the start again for each way: `way` says who goes on at each step. A state
 * is the regions and, for each thread, what it has learned so far, which says all about a thread that does the same
 * whenever it learns the same.
 */
#include "tests/unit/explore.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK_SIZE (64u << 10)
#define MAX_STEPS  1000u
#define MAX_STATES (1u << 22) /* entries of the table, a power of two */

/** A thread on its way. */
struct thread {
	ucontext_t context;
	uint8_t *stack;
	bool ended;
	const bool *waits_for; /**< a lock, or NULL */
	uint64_t learned;      /**< digest of what it has seen, and how many steps it took */
	unsigned done;         /**< things */
};

static const struct exploration *now;
static struct thread threads[EXPLORE_THREADS];
static int current; /* -1: the explorer */
static ucontext_t explorer;

static uint8_t *before; /* copy of the regions */
static uint64_t *visited;
static struct explore_result result;

/** One choice on the way. */
struct choice {
	uint8_t taken;   /**< which of the threads that could go on */
	uint8_t options; /**< how many could */
};
static struct choice way[MAX_STEPS];
static unsigned steps; /* of `way` that are decided */

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "explore: %s\n", what);
	abort();
}

/* Digests: FNV-1a, 64 bits at a time, and a last mix. */

#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static uint64_t digest(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * FNV_PRIME;
	return hash ^ hash >> 29;
}

static uint64_t digest_bytes(uint64_t hash, const uint8_t *data, size_t size)
{
	uint64_t piece;

	for (; size >= sizeof(piece); size -= sizeof(piece), data += sizeof(piece)) {
		memcpy(&piece, data, sizeof(piece));
		hash = digest(hash, piece);
	}
	while (size-- > 0)
		hash = digest(hash, *data++);
	return hash;
}

static uint64_t state(void)
{
	uint64_t hash = FNV_START;

	for (unsigned i = 0; i < now->nr_regions; i++)
		hash = digest_bytes(hash, now->regions[i].data, now->regions[i].size);
	for (unsigned i = 0; i < now->nr_threads; i++)
		hash = digest(digest(hash, threads[i].learned), threads[i].ended);
	return hash != 0 ? hash : 1;
}

/** Remembers a state. Returns false if it is known. */
static bool visit(uint64_t hash)
{
	uint64_t at = hash & (MAX_STATES - 1);

	while (visited[at] != 0) {
		if (visited[at] == hash)
			return false;
		at = (at + 1) & (MAX_STATES - 1);
	}
	if (++result.states > MAX_STATES / 2)
		fail("too many states");
	visited[at] = hash;
	return true;
}

/* Threads. */

void explore_step(void)
{
	int self = current;

	if (self < 0)
		return;
	threads[self].learned = digest(threads[self].learned, 0x57e9);
	swapcontext(&threads[self].context, &explorer);
}

uint64_t explore_saw(uint64_t value)
{
	if (current >= 0)
		threads[current].learned = digest(threads[current].learned, value);
	return value;
}

void explore_done(void)
{
	if (current >= 0)
		threads[current].learned = digest(FNV_START, ++threads[current].done);
}

void explore_loop(void)
{
	if (current >= 0)
		threads[current].learned = digest(~FNV_START, threads[current].done);
}

void explore_lock(bool *lock)
{
	if (current < 0)
		return;
	threads[current].waits_for = lock;
	explore_step();
	threads[current].waits_for = NULL;
	*lock = true;
}

void explore_unlock(bool *lock)
{
	*lock = false;
}

static void run_thread(void)
{
	explore_step();
	now->threads[current]();
	threads[current].ended = true;
}

static void start_thread(unsigned n)
{
	struct thread *t = &threads[n];

	if (t->stack == NULL)
		t->stack = malloc(STACK_SIZE);
	if (t->stack == NULL)
		fail("no memory");
	t->ended = false;
	t->waits_for = NULL;
	t->learned = FNV_START;
	t->done = 0;
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK_SIZE;
	t->context.uc_link = &explorer;
	makecontext(&t->context, run_thread, 0);
}

/** Lets a thread go on up to before its next access. */
static void go_on(unsigned n)
{
	current = (int)n;
	swapcontext(&explorer, &threads[n].context);
	current = -1;
}

static bool can_go_on(const struct thread *t)
{
	return !t->ended && (t->waits_for == NULL || !*t->waits_for);
}

/** Threads that can go on, by number. Returns how many. */
static unsigned list(unsigned out[EXPLORE_THREADS], bool *all_ended)
{
	unsigned count = 0;

	*all_ended = true;
	for (unsigned i = 0; i < now->nr_threads; i++) {
		*all_ended &= threads[i].ended;
		if (can_go_on(&threads[i]))
			out[count++] = i;
	}
	return count;
}

/* Ways. */

static void restore(void)
{
	const uint8_t *from = before;

	for (unsigned i = 0; i < now->nr_regions; i++) {
		memcpy(now->regions[i].data, from, now->regions[i].size);
		from += now->regions[i].size;
	}
}

static void begin(void)
{
	restore();
	for (unsigned i = 0; i < now->nr_threads; i++) {
		start_thread(i);
		/* Up to its own start. */
		go_on(i);
	}
}

static void end(bool all_ended)
{
	result.ends++;
	if (!all_ended || !now->good())
		result.bad++;
}

/** Goes the way that is decided, and on by the first choice, until the end or a state that is known. */
static void run(void)
{
	unsigned options[EXPLORE_THREADS], decided = steps;

	begin();
	for (unsigned step = 0;; step++) {
		bool all_ended;
		unsigned count = list(options, &all_ended);

		if (step >= decided && !visit(state()))
			return;
		if (count == 0) {
			end(all_ended);
			return;
		}
		if (step == MAX_STEPS)
			fail("a way without end");
		if (step >= decided)
			way[steps++] = (struct choice){ 0, (uint8_t)count };
		go_on(options[way[step].taken]);
	}
}

/** The next way: another choice at the last place that has one. Returns false if there is none. */
static bool next(void)
{
	while (steps > 0) {
		struct choice *last = &way[steps - 1];

		if (++last->taken < last->options)
			return true;
		steps--;
	}
	return false;
}

static void save(void)
{
	size_t size = 0;
	uint8_t *to;

	for (unsigned i = 0; i < now->nr_regions; i++)
		size += now->regions[i].size;
	to = before = malloc(size);
	visited = calloc(MAX_STATES, sizeof(*visited));
	if (before == NULL || visited == NULL)
		fail("no memory");
	for (unsigned i = 0; i < now->nr_regions; i++) {
		memcpy(to, now->regions[i].data, now->regions[i].size);
		to += now->regions[i].size;
	}
}

struct explore_result explore(const struct exploration *x)
{
	now = x;
	current = -1;
	steps = 0;
	result = (struct explore_result){ 0 };
	save();
	do
		run();
	while (next());
	restore();
	free(before);
	free(visited);
	for (unsigned i = 0; i < EXPLORE_THREADS; i++) {
		free(threads[i].stack);
		threads[i].stack = NULL;
	}
	return result;
}
