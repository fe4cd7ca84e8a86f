/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program on the host `pc` in place of the core's: test_host_pc.py links it with
 * the real objects of the host, boots it and talks to it. One command a line from
 * the console; each prints its result, then a prompt.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/params.h>
#include <husk/vm.h>

#define MS   1000000ull
#define LINE 256u
#define MIB  ((uint64_t)1 << 20)

const struct params husk_params = { .version = "probe", .log_level = LOG_DEBUG, .vcpus = 16 };

/* What images have and the linker script must place: a part of a payload, which nothing names. */
static const char payload[] __attribute__((used, section(".payload.probe"))) = "probe payload";

static uint32_t attention;

static int attach(struct vm *vm)
{
	(void)vm;
	log_text("probe attached\n");
	return 0;
}

HUSK_FEATURE(probe) = {
	.name = "probe",
	.purpose = "stands in for the core",
	.level = FEATURE_TOOL,
	.attach = attach,
};

static uint32_t take(void)
{
	return __atomic_exchange_n(&attention, 0, __ATOMIC_ACQUIRE);
}

/* Waits for one byte of input. */
static char read_byte(void)
{
	char c;

	while (plat_console_read(&c, 1) == 0) {
		plat_wait(&attention);
		take();
	}
	return c;
}

static void read_line(char line[LINE])
{
	size_t n = 0;
	char c;

	while ((c = read_byte()) != '\r' && c != '\n')
		if (n < LINE - 1)
			line[n++] = c;
	line[n] = '\0';
}

/* --- commands that return */

static void say_hello(const char *argument)
{
	log_text("hello from %s: command line [%s], %llu MiB free, payload %s\n", plat_name, plat_command_line(),
		 (unsigned long long)(plat_pages_free() / MIB), payload);
	log_text("wall clock %llu\n%s", (unsigned long long)(plat_wallclock_ns() / (1000 * MS)), argument);
}

/* Time as a guest computes it, between two readings of ours: how many of 1000 are not. */
static void compare_clocks(const char *argument)
{
	struct plat_time_scale scale;
	unsigned wrong = 0;

	if (!plat_time_scale(&scale)) {
		log_text("no scale%s\n", argument);
		return;
	}
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t before = plat_time_ns();
		uint64_t ticks = __builtin_ia32_rdtsc() - scale.zero;
		uint64_t now = (uint64_t)((unsigned __int128)ticks * scale.ns_per_tick >> 32);

		wrong += now < before || now > plat_time_ns();
	}
	log_text("%u wrong%s\n", wrong, argument);
}

/* Counts and sums bytes until one that is a dot: shows that none is lost, however fast they come. */
static void count_input(const char *argument)
{
	unsigned long count = 0, sum = 0;
	char c;

	log_text("go%s\n", argument);
	while ((c = read_byte()) != '.') {
		count++;
		sum += (unsigned char)c;
	}
	log_text("counted %lu sum %lu\n", count, sum);
}

/* Waits for a deadline in as many milliseconds; says how late it came and how often the CPU woke up. */
static void wait_for_deadline(const char *argument)
{
	uint64_t start = plat_time_ns(), end = start + strtoul(argument, NULL, 10) * MS, now;
	unsigned wakes = 0;

	plat_deadline_set(end);
	while ((take() & ATTN_TIMER) == 0) {
		plat_wait(&attention);
		wakes++;
	}
	now = plat_time_ns();
	log_text("%s after %llu us, late %lld us, woke %u times\n", now >= end ? "fired" : "early",
		 (unsigned long long)((now - start) / 1000), (long long)(now - end) / 1000, wakes);
}

/* A deadline in the past, one that is replaced, one that is taken back. */
static void check_deadlines(const char *argument)
{
	bool past, replaced, taken_back;

	take();
	plat_deadline_set(0);
	past = (take() & ATTN_TIMER) != 0;
	plat_deadline_set(plat_time_ns() + 3600 * 1000 * MS);
	plat_deadline_set(plat_time_ns() + 2 * MS);
	for (uint64_t start = plat_time_ns(); plat_time_ns() - start < 50 * MS;)
		;
	replaced = (take() & ATTN_TIMER) != 0;
	plat_deadline_set(plat_time_ns() + 5 * MS);
	plat_deadline_set(UINT64_MAX);
	for (uint64_t start = plat_time_ns(); plat_time_ns() - start < 20 * MS;)
		;
	taken_back = (take() & ATTN_TIMER) == 0;
	log_text("past %d replaced %d taken back %d%s\n", past, replaced, taken_back, argument);
}

static bool is_zero(const uint64_t *p, size_t bytes)
{
	for (size_t i = 0; i < bytes / 8; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Takes all memory in pieces, checks that each is zero, aligned and its own, and that the end is NULL. */
static void allocate(const char *argument)
{
	uint64_t sum = 0, before = plat_pages_free();
	size_t step = strtoul(argument, NULL, 10) * MIB, page = 0;
	uint64_t *odd = plat_pages_alloc(5000, 1), *last = NULL, *p;

	if (odd == NULL || ((uint64_t)odd & 4095) != 0 || !is_zero(odd, 8192))
		log_text("bad small piece %p\n", (void *)odd);
	while ((p = plat_pages_alloc(step, 4096)) != NULL) {
		if (((uint64_t)p & (step < 2 * MIB ? 4095 : 2 * MIB - 1)) != 0 || !is_zero(p, step))
			log_text("bad piece %p\n", (void *)p);
		memset(p, 0xff, step);
		p[0] = (uint64_t)last;
		last = p;
		sum += step;
	}
	/* The chain is intact if no two pieces overlap. */
	for (; last != NULL; last = (uint64_t *)last[0])
		page++;
	log_text("allocated %llu of %llu MiB, %llu pieces in the chain of %llu\n", (unsigned long long)(sum / MIB),
		 (unsigned long long)(before / MIB), (unsigned long long)page, (unsigned long long)(sum / step));
}

/* Wakes itself from the same CPU: the wait must not sleep over it. */
static void kick(const char *argument)
{
	take();
	plat_kick(&attention, ATTN_REQUEST);
	plat_wait(&attention);
	log_text("kicked %u%s\n", (unsigned)take(), argument);
}

/* --- memory for code */

static int twice(int x)
{
	return 2 * x;
}

/* Stores a jump to twice() through one view and runs it through the other. */
static bool jump_works(const struct plat_code *code, size_t at)
{
	uint64_t next = (uint64_t)code->execute + at + 5;
	int32_t distance = (int32_t)((uint64_t)twice - next);

	code->write[at] = 0xe9; /* JMP rel32 */
	memcpy(code->write + at + 1, &distance, sizeof(distance));
	return next + (uint64_t)(int64_t)distance == (uint64_t)twice &&
	       ((int (*)(int))(uint64_t)(code->execute + at))(21) == 42;
}

static bool code_works(size_t bytes, const struct plat_code *code)
{
	uint64_t execute = (uint64_t)code->execute, write = (uint64_t)code->write;
	uint64_t align = bytes < 2 * MIB ? 4096 : 2 * MIB;

	if (code->size < bytes || code->size - bytes > 4095 || ((code->size | execute | write) & 4095) != 0)
		return false;
	if (((execute | write) & (align - 1)) != 0 || execute + code->size > (uint64_t)1 << 31)
		return false;
	if (!is_zero((const uint64_t *)execute, code->size) || (uint64_t)(int64_t)(int32_t)write != write)
		return false;
	return jump_works(code, 0) && jump_works(code, code->size - 5) && jump_works(code, code->size / 2 + 3);
}

/* Takes memory for code in pieces of as many KiB until there is no more; checks each, again when all are there. */
static void make_code(const char *argument)
{
	static struct plat_code code[64];
	size_t bytes = strtoul(argument, NULL, 10) << 10;
	unsigned n = 0, bad = 0;
	int err;

	while ((err = plat_code_alloc(bytes, &code[n])) == 0 && n < 63)
		bad += !code_works(bytes, &code[n++]);
	for (unsigned i = 0; i < n; i++)
		bad += !jump_works(&code[i], 0);
	log_text("made %u, bad %u, last %s\n", n, bad, err == 0 ? "given" : err == -ENOMEM ? "no memory" : "?");
}

/* What must not be done with memory for code. */
static void misuse_code(const char *how)
{
	struct plat_code code;
	size_t bytes = strstr(how, "large") != NULL ? 4 * MIB : 8192;

	if (plat_code_alloc(bytes, &code) != 0)
		return;
	memset(code.write, 0xc3, code.size); /* RET */
	((void (*)(void))(uint64_t)code.execute)();
	log_text("misusing %s\n", how);
	if (strncmp(how, "store", 5) == 0)
		*(volatile uint8_t *)(uint64_t)code.execute = 0x90;
	else if (strncmp(how, "run", 3) == 0)
		((void (*)(void))(uint64_t)code.write)();
	else if (strncmp(how, "before", 6) == 0)
		code.write[-1] = 1;
	else if (strncmp(how, "after", 5) == 0)
		code.write[code.size] = 1;
	log_text("it was possible\n");
}

/*
 * Fills all registers but rsp, which is not a multiple of 16 here, waits for ATTN_TIMER and returns 0 in eax if the
 * registers are still the same. Runs from wherever it is copied to.
 */
__asm__(".pushsection .rodata.spin, \"a\"\n"
	"spin_code:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	".set n, 0\n"
	".irp r, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15\n"
	"mov $(n * 0x01010101 - 0x7f7f7f7f), %\\r\n"
	"movq %\\r, %xmm0; punpcklqdq %xmm0, %xmm0; sub $16, %rsp; movups %xmm0, (%rsp)\n"
	".set n, n + 1\n"
	".endr\n"
	".irp i, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0\n"
	"movups (%rsp), %xmm\\i; add $16, %rsp\n"
	".endr\n"
	"pcmpeqd %xmm15, %xmm15\n"
	"1: testl $1, attention\n"
	"jz 1b\n"
	".set n, 0\n"
	".irp r, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15\n"
	"cmp $(n * 0x01010101 - 0x7f7f7f7f), %\\r; jne 2f\n"
	".set n, n + 1\n"
	".endr\n"
	".set n, 0\n"
	".irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14\n"
	"movq %xmm\\i, %rax; cmp $(n * 0x01010101 - 0x7f7f7f7f), %rax; jne 2f\n"
	"punpckhqdq %xmm\\i, %xmm\\i; movq %xmm\\i, %rcx; cmp %rax, %rcx; jne 2f\n"
	".set n, n + 1\n"
	".endr\n"
	"pcmpeqd %xmm0, %xmm0; pcmpeqd %xmm15, %xmm0; pmovmskb %xmm0, %eax; cmp $0xffff, %eax; jne 2f\n"
	"xor %eax, %eax; jmp 3f\n"
	"2: mov $1, %eax\n"
	"3: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"ret\n"
	"spin_code_end:\n"
	".popsection\n");

extern const uint8_t spin_code[], spin_code_end[];

/* Has interrupts come while generated code runs. */
static void spin(const char *argument)
{
	unsigned long times = strtoul(argument, NULL, 10);
	struct plat_code code;
	unsigned bad = 0;

	if (plat_code_alloc((size_t)(spin_code_end - spin_code), &code) != 0)
		return;
	memcpy(code.write, spin_code, (size_t)(spin_code_end - spin_code));
	for (unsigned long i = 0; i < times; i++) {
		take();
		plat_deadline_set(plat_time_ns() + MS / 2);
		bad += ((unsigned (*)(void))(uint64_t)code.execute)();
	}
	log_text("interrupted %lu times, bad %u\n", times, bad);
}

static void attach_features(const char *argument)
{
	log_text("attached %d%s\n", feature_attach_all(NULL), argument);
}

/* --- commands that do not */

static unsigned __attribute__((noinline)) recurse(unsigned depth)
{
	volatile char block[512];

	block[0] = (char)depth;
	if (depth == UINT32_MAX)
		return 0;
	return recurse(depth + 1) + (unsigned)block[0];
}

static void overflow(const char *argument)
{
	log_text("%u%s", recurse(0), argument);
}

/* Touches what must not be touched. */
static void touch(const char *what)
{
	static const uint32_t constant[2] = { 1, 2 };
	/* RET, in memory that is for data. */
	static uint8_t code[] = { 0xc3 };
	void *heap = plat_pages_alloc(4096, 4096);

	log_text("touching %s\n", what);
	if (strcmp(what, "text") == 0)
		*(volatile uint8_t *)(uint64_t)touch = 0xcc;
	else if (strcmp(what, "rodata") == 0)
		*(volatile uint32_t *)(uint64_t)constant = 3;
	else if (strcmp(what, "payload") == 0)
		*(volatile char *)(uint64_t)payload = 3;
	else if (strcmp(what, "data") == 0)
		((void (*)(void))(uint64_t)code)();
	else if (strcmp(what, "heap") == 0 && heap != NULL)
		((void (*)(void))heap)();
	else if (strcmp(what, "null") == 0)
		*(volatile uint8_t *)strtoul("8", NULL, 10) = 0;
	else if (strcmp(what, "nowhere") == 0)
		*(volatile uint8_t *)0x700000000000ull = 0;
	log_text("it was possible\n");
}

/* Raises the exception of that name. */
static void fault(const char *what)
{
	if (strcmp(what, "invalid") == 0)
		__asm__ volatile("ud2");
	else if (strcmp(what, "divide") == 0)
		__asm__ volatile("xor %%ecx, %%ecx; div %%ecx" : : : "eax", "ecx", "edx");
	else if (strcmp(what, "general") == 0)
		__asm__ volatile("mov $0x8000000000000000, %%rax; mov (%%rax), %%rax" : : : "rax");
	else if (strcmp(what, "double") == 0)
		__asm__ volatile("mov $0x1000, %%esp; push %%rax" : : : "memory");
	log_text("it was possible\n");
}

static void leave(const char *argument)
{
	plat_exit((enum husk_exit)strtoul(argument, NULL, 10));
}

static const struct {
	const char *name;
	void (*run)(const char *argument);
} commands[] = {
	{ "hello", say_hello },
	{ "count", count_input },
	{ "sleep", wait_for_deadline },
	{ "deadlines", check_deadlines },
	{ "clocks", compare_clocks },
	{ "alloc", allocate },
	{ "kick", kick },
	{ "attach", attach_features },
	{ "overflow", overflow },
	{ "code", make_code },
	{ "misuse", misuse_code },
	{ "spin", spin },
	{ "touch", touch },
	{ "fault", fault },
	{ "exit", leave },
};

/* Commands of host_pc_smp_probe.c, where it is linked. True if it has that one. */
bool probe_smp(const char *name, const char *argument) __attribute__((weak));

static void run_line(char *line)
{
	char *argument = strchr(line, ' ');

	if (argument != NULL)
		*argument++ = '\0';
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, line) == 0) {
			commands[i].run(argument != NULL ? argument : "");
			return;
		}
	}
	if (probe_smp == NULL || !probe_smp(line, argument != NULL ? argument : ""))
		log_text("unknown command %s\n", line);
}

enum husk_exit husk_main(void)
{
	char line[LINE];

	log_set_level(LOG_DEBUG);
	plat_cpu_bind(&attention);
	for (;;) {
		log_text("probe> ");
		read_line(line);
		log_text("\n");
		run_line(line);
	}
}
