/* SPDX-License-Identifier: BSD-2-Clause */
/* More commands of host_pc_probe.c, for the host with several CPUs. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <husk/log.h>
#include <husk/vm.h>

#define MS   1000000ull
#define CPUS VM_MAX_VCPUS

/** What a CPU is told to do, and what came of it. */
struct work {
	uint32_t attention; /**< its word */
	uint32_t taken;     /**< bits that it found there, all of them */
	uint32_t wakes;     /**< times it had bits */
	uint32_t apic_id;   /**< the hardware's own name of the CPU */
	uint32_t cpu;       /**< plat_cpu() */
	uint32_t wrong;     /**< times that its clock went back */
	uint64_t deadline;  /**< to set, 0: none */
	uint64_t late_ns;   /**< by which it came late; never early */
	uint32_t early;
	const char *order; /**< what to do next, NULL: wait */
};

static struct work works[CPUS];
/* The latest time that any CPU has read. */
static uint64_t last_time;
static bool started;

static uint32_t apic_id(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b >> 24;
}

/* What one CPU has seen of the time, no other may see later as an earlier one. */
static void look_at_clock(struct work *w)
{
	uint64_t before = __atomic_load_n(&last_time, __ATOMIC_SEQ_CST), now = plat_time_ns();

	w->wrong += now < before;
	while (before < now &&
	       !__atomic_compare_exchange_n(&last_time, &before, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		continue;
}

static void die(const char *how)
{
	if (strcmp(how, "invalid") == 0)
		__asm__ volatile("ud2");
	else if (strcmp(how, "double") == 0)
		__asm__ volatile("mov $0x1000, %%esp; push %%rax" : : : "memory");
	else if (strcmp(how, "exit") == 0)
		plat_exit(HUSK_EXIT_OK);
	else if (strcmp(how, "fail") == 0)
		plat_exit(HUSK_EXIT_GUEST);
}

static void obey(struct work *w, const char *order)
{
	uint64_t end = plat_time_ns() + w->deadline;

	if (strcmp(order, "deadline") == 0) {
		plat_deadline_set(end);
		while ((__atomic_exchange_n(&w->attention, 0, __ATOMIC_ACQUIRE) & ATTN_TIMER) == 0)
			plat_wait(&w->attention);
		w->early += plat_time_ns() < end;
		w->late_ns = plat_time_ns() - end;
	} else if (strcmp(order, "talk") == 0) {
		for (unsigned i = 0; i < 50; i++)
			log_text("line %02u of CPU %02u is as long as it is and whole\n", i, w->cpu);
	} else if (strcmp(order, "mask") == 0) {
		for (;;)
			__asm__ volatile("cli; pause");
	} else if (strcmp(order, "spin") == 0) {
		for (;;)
			__asm__ volatile("pause");
	} else {
		die(order);
	}
}

static void run(void *argument)
{
	struct work *w = argument;

	plat_cpu_bind(&w->attention);
	w->cpu = plat_cpu();
	w->apic_id = apic_id();
	for (;;) {
		uint32_t bits = __atomic_exchange_n(&w->attention, 0, __ATOMIC_ACQUIRE);
		const char *order = __atomic_exchange_n(&w->order, NULL, __ATOMIC_ACQUIRE);

		look_at_clock(w);
		if (order != NULL)
			obey(w, order);
		__atomic_fetch_or(&w->taken, bits, __ATOMIC_RELAXED);
		if (bits != 0)
			__atomic_fetch_add(&w->wakes, 1, __ATOMIC_SEQ_CST);
		plat_wait(&w->attention);
	}
}

static unsigned start_all(void)
{
	unsigned n = plat_cpus();

	for (unsigned i = 1; i < n && !started; i++)
		if (plat_cpu_start(i, run, &works[i]) != 0)
			return 0;
	started = true;
	return n;
}

static void command(unsigned cpu, const char *order)
{
	__atomic_store_n(&works[cpu].order, order, __ATOMIC_RELEASE);
	plat_kick(&works[cpu].attention, ATTN_REQUEST);
}

/* Kicks each CPU as many times and waits each time until it has heard: none may sleep through it. */
static void kick_all(const char *argument)
{
	unsigned long times = strtoul(argument, NULL, 10);
	unsigned n = start_all(), wrong = 0;
	uint32_t seen = 0;

	for (unsigned long i = 0; i < times; i++) {
		for (unsigned cpu = 1; cpu < n; cpu++) {
			uint32_t before = __atomic_load_n(&works[cpu].wakes, __ATOMIC_SEQ_CST);

			plat_kick(&works[cpu].attention, ATTN_IRQ);
			while (__atomic_load_n(&works[cpu].wakes, __ATOMIC_SEQ_CST) == before)
				__asm__ volatile("pause");
		}
		look_at_clock(&works[0]);
	}
	for (unsigned cpu = 0; cpu < n; cpu++) {
		wrong += works[cpu].wrong + (works[cpu].cpu != cpu);
		works[cpu].apic_id = cpu == 0 ? apic_id() : works[cpu].apic_id;
		seen |= 1u << works[cpu].apic_id % 32;
	}
	log_text("%u CPUs, APIC ids %x, %u wrong\n", n, (unsigned)seen, wrong);
}

/* Each CPU waits for a deadline of its own at the same time. */
static void deadlines(const char *argument)
{
	uint64_t ns = strtoul(argument, NULL, 10) * MS;
	unsigned n = start_all(), early = 0, fired = 0;
	uint64_t wakes[CPUS];

	for (unsigned cpu = 1; cpu < n; cpu++) {
		wakes[cpu] = __atomic_load_n(&works[cpu].wakes, __ATOMIC_SEQ_CST);
		works[cpu].deadline = ns + cpu * MS;
		command(cpu, "deadline");
	}
	for (unsigned cpu = 1; cpu < n; cpu++) {
		while (__atomic_load_n(&works[cpu].wakes, __ATOMIC_SEQ_CST) == wakes[cpu])
			__asm__ volatile("pause");
		early += works[cpu].early;
		fired++;
	}
	log_text("%u fired, %u early\n", fired, early);
}

/* All print at once. */
static void talk(const char *argument)
{
	unsigned n = start_all();
	uint32_t wakes[CPUS];

	for (unsigned cpu = 1; cpu < n; cpu++) {
		wakes[cpu] = __atomic_load_n(&works[cpu].wakes, __ATOMIC_SEQ_CST);
		command(cpu, "talk");
	}
	for (unsigned cpu = 1; cpu < n; cpu++)
		while (__atomic_load_n(&works[cpu].wakes, __ATOMIC_SEQ_CST) == wakes[cpu])
			__asm__ volatile("pause");
	log_text("done%s\n", argument);
}

/* The last CPU does what ends the run; of the others one spins, one with interrupts masked, and the rest sleep. */
static void end_there(const char *order)
{
	static char copy[16];
	unsigned n = start_all();

	if (n > 2)
		command(1, "mask");
	if (n > 3)
		command(2, "spin");
	strncpy(copy, order, sizeof(copy) - 1);
	command(n - 1, copy);
	for (;;)
		__asm__ volatile("pause");
}

/* This CPU ends the run while the others spin. */
static void end_here(const char *order)
{
	unsigned n = start_all();

	for (unsigned cpu = 1; cpu < n; cpu++)
		command(cpu, cpu == 1 ? "mask" : "spin");
	die(order);
}

bool probe_smp(const char *name, const char *argument);
bool probe_smp(const char *name, const char *argument)
{
	static const struct {
		const char *name;
		void (*run)(const char *argument);
	} commands[] = {
		{ "kick-all", kick_all }, { "deadline-all", deadlines }, { "talk", talk },
		{ "there", end_there },   { "here", end_here },
	};

	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].run(argument);
			return true;
		}
	}
	return false;
}
