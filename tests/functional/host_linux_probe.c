/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program on the host `linux` in place of the core: test_host_linux.py links it with
 * the real objects of the host and looks at them from outside. The first word of the
 * command line says what to do. Exits with 3 if an expectation does not hold.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <husk/feature.h>
#include <husk/log.h>
#include <husk/vm.h>

#define MS 1000000u

/* What images have and the linker script must place: a part of a payload and a table entry that nothing names. */
static const char payload[] __attribute__((used, retain, section(".payload.probe"))) = "probe payload";

HUSK_FEATURE(probe) = { .name = "probe", .purpose = "stands in for the core", .level = FEATURE_TOOL };

static uint32_t attention;

static void say(const char *text)
{
	plat_console_write(text, strlen(text));
}

static void say_number(const char *label, uint64_t value)
{
	char digits[21] = { 0 };
	char *p = &digits[20];

	do
		*--p = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	say(label);
	say(p);
	say("\n");
}

/* The core's log, without its formatting: the host's messages are recognised by their constant part. */
void log_line(enum log_level level, const char *format, ...)
{
	(void)level;
	plat_log_write(format, strlen(format));
	plat_log_write("\n", 1);
}

static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	say("failed: ");
	say(what);
	say("\n");
	plat_exit(HUSK_EXIT_GUEST);
}

static uint32_t take(void)
{
	return __atomic_exchange_n(&attention, 0, __ATOMIC_ACQUIRE);
}

/* Takes console input as it comes, shows it in brackets; q quits, end of file too unless `stay`. */
static void echo(bool stay)
{
	char buf[64];
	size_t got;
	uint64_t wakes = 0;

	plat_cpu_bind(&attention);
	say("ready\n");
	for (;;) {
		plat_wait(&attention);
		wakes++;
		if ((take() & ATTN_TIMER) != 0) {
			expect(stay, "no deadline was set");
			say_number("wakes after the end: ", wakes);
			return;
		}
		got = plat_console_read(buf, sizeof(buf) - 2);
		if (got != 0) {
			memmove(buf + 1, buf, got);
			buf[0] = '[';
			buf[got + 1] = ']';
			plat_console_write(buf, got + 2);
			if (memchr(buf, 'q', got + 1) != NULL)
				return;
		}
		if (plat_console_eof() && wakes != 0) {
			say("end of input\n");
			if (!stay)
				return;
			wakes = 0;
			plat_deadline_set(plat_time_ns() + 300 * MS);
		}
	}
}

/* Copies input to output until its end. */
static void copy(void)
{
	char buf[4096];
	size_t got;

	plat_cpu_bind(&attention);
	while (!plat_console_eof()) {
		plat_wait(&attention);
		take();
		while ((got = plat_console_read(buf, sizeof(buf))) != 0)
			plat_console_write(buf, got);
	}
}

/* Reads nothing for a while although input is there: its watcher must not spin meanwhile. */
static void lazy(void)
{
	uint64_t wakes = 0;
	char byte;

	plat_cpu_bind(&attention);
	plat_deadline_set(plat_time_ns() + 300 * MS);
	do {
		plat_wait(&attention);
		wakes++;
	} while ((take() & ATTN_TIMER) == 0);
	say_number("wakes: ", wakes);
	expect(plat_console_read(&byte, 1) == 1, "input waits until it is read");
	say_number("byte: ", (unsigned char)byte);
}

static void deadlines(void)
{
	plat_cpu_bind(&attention);
	for (unsigned i = 0; i < 50; i++) {
		uint64_t deadline = plat_time_ns() + (i % 5) * MS;

		plat_deadline_set(deadline);
		while ((take() & ATTN_TIMER) == 0) {
			if (i % 2 == 0)
				plat_wait(&attention);
		}
		expect(plat_time_ns() >= deadline, "a deadline is never early");
	}
	plat_deadline_set(0);
	while ((take() & ATTN_TIMER) == 0)
		plat_wait(&attention);
	say("deadlines fire\n");
	plat_deadline_set(plat_time_ns() + 20 * MS);
	plat_deadline_set(UINT64_MAX);
	take(); /* it may have passed already, on a busy computer */
	for (uint64_t end = plat_time_ns() + 100 * MS; plat_time_ns() < end;)
		expect((take() & ATTN_TIMER) == 0, "a disarmed deadline is silent");
	plat_deadline_set(plat_time_ns() + 3600000ull * MS);
	plat_deadline_set(plat_time_ns() + MS);
	while ((take() & ATTN_TIMER) == 0)
		plat_wait(&attention);
	say("deadlines replace each other\n");
}

static void kicks(void)
{
	plat_cpu_bind(&attention);
	take(); /* the console may have kicked already */
	plat_kick(&attention, ATTN_IRQ);
	plat_wait(&attention); /* would block for ever */
	plat_kick(&attention, ATTN_REQUEST);
	expect((take() & (ATTN_IRQ | ATTN_REQUEST)) == (ATTN_IRQ | ATTN_REQUEST), "bits add up");
	say("kicks arrive\n");
}

static void check_pages(size_t bytes, size_t align)
{
	unsigned char *p = plat_pages_alloc(bytes, align);

	expect(p != NULL, "memory is there");
	expect(((uintptr_t)p & ((align < 4096 ? 4096 : align) - 1)) == 0, "alignment is honoured");
	for (size_t i = 0; i < bytes; i += 4096) {
		expect(p[i] == 0, "memory is zeroed");
		p[i] = 1;
	}
	p[bytes - 1] = 1;
}

static void memory(void)
{
	check_pages(1, 1);
	check_pages(4096, 4096);
	check_pages(10000, 65536);
	check_pages((size_t)32 << 20, 4096);
	check_pages((size_t)3 << 20, (size_t)1 << 30);
	expect(plat_pages_alloc(0, 4096) == NULL, "nothing is no memory");
	expect(plat_pages_alloc(4096, 4097) == NULL, "alignments are powers of two");
	expect(plat_pages_alloc(SIZE_MAX, 4096) == NULL, "sizes that wrap are refused");
	expect(plat_pages_alloc((size_t)1 << 46, 4096) == NULL, "more than the computer has is refused");
	expect(plat_pages_free() != 0, "some memory is free");
	say("memory works\n");
}

#define CODE_LIMIT ((uintptr_t)1 << 31)

static int twice(int x)
{
	return 2 * x;
}

/* Stores a jump to twice() through one view; it must run through the other. */
static void check_jump(const struct plat_code *code, size_t at)
{
	uintptr_t target = (uintptr_t)twice, next = (uintptr_t)code->execute + at + 5;
	int32_t distance = (int32_t)(target - next);

	expect(next + (uintptr_t)(intptr_t)distance == target, "functions are in reach");
	code->write[at] = 0xe9; /* JMP rel32 */
	memcpy(code->write + at + 1, &distance, sizeof(distance));
	expect(((int (*)(int))(uintptr_t)(code->execute + at))(21) == 42, "code runs");
}

static void check_code(size_t bytes, size_t align)
{
	struct plat_code code;
	uintptr_t write, execute;

	expect(plat_code_alloc(bytes, &code) == 0, "memory for code is there");
	write = (uintptr_t)code.write;
	execute = (uintptr_t)code.execute;
	expect(code.size >= bytes && code.size - bytes < 4096 && code.size % 4096 == 0, "sizes are whole pages");
	expect(execute + code.size <= CODE_LIMIT && write + code.size <= CODE_LIMIT, "code is below 2 GiB");
	expect(((write | execute) & (align - 1)) == 0, "code is aligned");
	for (size_t i = 0; i < code.size; i += 512)
		expect(code.write[i] == 0 && code.execute[i] == 0, "memory for code is zeroed");
	check_jump(&code, 0);
	check_jump(&code, code.size - 5);
	check_jump(&code, code.size / 2 + 3);
}

/* Then waits for the end of input, so that somebody can look at the process. */
static void code(void)
{
	struct plat_code none = { .size = 1 };

	check_code(1, 4096);
	check_code(4096, 4096);
	check_code(10000, 4096);
	check_code((size_t)5 << 20, (size_t)2 << 20);
	check_code((size_t)64 << 20, (size_t)2 << 20);
	expect(plat_code_alloc(0, &none) == -ENOMEM, "no code is no memory");
	expect(plat_code_alloc((size_t)1 << 31, &none) == -ENOMEM, "code has to be in reach");
	expect(plat_code_alloc(SIZE_MAX, &none) == -ENOMEM, "sizes of code that wrap are refused");
	expect(none.size == 1, "failures leave the result alone");
	say("code runs\n");
	copy();
}

/* Asks for a little and says what came of it. */
static void try_code(void)
{
	struct plat_code code;

	switch (plat_code_alloc((size_t)1 << 20, &code)) {
	case 0: say("given\n"); break;
	case -ENOMEM: say("no memory\n"); break;
	case -ENOSYS: say("refused\n"); break;
	default: say("another error\n"); break;
	}
}

static void times(void)
{
	uint64_t before = plat_time_ns();

	for (unsigned i = 0; i < 100000; i++) {
		uint64_t now = plat_time_ns();

		expect(now >= before, "time never goes back");
		before = now;
	}
	say_number("monotonic: ", before);
	say_number("wall clock: ", plat_wallclock_ns());
}

/* Time of one clock read, for people; nothing depends on it. */
static void bench(void)
{
	uint64_t start = plat_time_ns();

	for (unsigned i = 0; i < 9999999; i++)
		plat_time_ns();
	say_number("picoseconds a read: ", (plat_time_ns() - start) / 10000);
}

static void flood(void)
{
	char line[64];

	memset(line, 'x', sizeof(line));
	line[63] = '\n';
	for (unsigned i = 0; i < 16384; i++)
		plat_console_write(line, sizeof(line));
}

/* Messages, longer than any buffer in which the host may translate them. */
static void log_lines(bool raw)
{
	char text[4096];

	memset(text, '-', sizeof(text));
	for (size_t i = 63; i < sizeof(text) / 2; i += 64)
		text[i] = '\n';
	memset(text + sizeof(text) / 2, '\n', sizeof(text) / 2);
	if (raw)
		plat_cpu_bind(&attention);
	plat_log_write(text, sizeof(text));
	plat_log_write("end", 3);
}

static void log_raw(void)
{
	log_lines(true);
}

static void log_plain(void)
{
	log_lines(false);
}

/* Compilers must not see what is wrong here. */
static volatile uintptr_t bad = 64;
static volatile int zero;

static unsigned overflow(unsigned depth)
{
	volatile char frame[1024];

	frame[0] = (char)depth;
	return depth == ~0u ? 0 : overflow(depth + 1) + (unsigned)frame[0];
}

/* What must not be done with memory for code: `how` says with which view. */
static void misuse_code(const char *how)
{
	struct plat_code code;

	expect(plat_code_alloc(8192, &code) == 0, "memory for code is there");
	memset(code.write, 0xc3, code.size); /* RET */
	((void (*)(void))(uintptr_t)code.execute)();
	if (strcmp(how, "store") == 0)
		*(volatile uint8_t *)(uintptr_t)code.execute = 0x90;
	else if (strcmp(how, "run") == 0)
		((void (*)(void))(uintptr_t)code.write)();
	else if (strcmp(how, "before") == 0)
		(void)((volatile uint8_t *)code.write)[-1];
	else if (strcmp(how, "after") == 0)
		(void)((volatile uint8_t *)code.write)[code.size];
	else if (strcmp(how, "beyond") == 0)
		((void (*)(void))(uintptr_t)(code.execute + code.size))();
}

static void fault(const char *how)
{
	plat_cpu_bind(&attention);
	say("ready\n");
	if (strcmp(how, "read") == 0)
		(void)*(volatile int *)bad;
	else if (strcmp(how, "write") == 0)
		*(volatile int *)bad = 1;
	else if (strcmp(how, "execute") == 0)
		((void (*)(void))bad)();
	else if (strcmp(how, "data") == 0)
		((void (*)(void)) & attention)();
	else if (strcmp(how, "text") == 0)
		*(volatile char *)(uintptr_t)husk_main = 0;
	else if (strcmp(how, "constant") == 0)
		*(volatile char *)(uintptr_t)plat_name = 0;
	else if (strcmp(how, "guard") == 0)
		(void)((volatile char *)plat_pages_alloc(4096, 4096))[4096];
	else if (strcmp(how, "stack") == 0)
		say_number("", overflow(0));
	else if (strcmp(how, "instruction") == 0)
		__asm__ volatile("ud2");
	else if (strcmp(how, "divide") == 0)
		__asm__ volatile("xor %%edx, %%edx\n\tidivl %0" : : "m"(zero) : "eax", "edx", "cc");
	else if (strcmp(how, "abort") == 0)
		abort();
	else if (strncmp(how, "code ", 5) == 0)
		misuse_code(how + 5);
}

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {
	{ "copy", copy },     { "lazy", lazy },        { "deadlines", deadlines }, { "kicks", kicks },
	{ "memory", memory }, { "time", times },       { "bench", bench },         { "flood", flood },
	{ "code", code },     { "trycode", try_code }, { "log", log_raw },         { "log-plain", log_plain },
};

enum husk_exit husk_main(void)
{
	const char *words = plat_command_line();

	if (strncmp(words, "say ", 4) == 0)
		say(words + 4);
	else if (strncmp(words, "exit ", 5) == 0)
		return (enum husk_exit)(words[5] - '0');
	else if (strncmp(words, "fault ", 6) == 0)
		fault(words + 6);
	else if (strncmp(words, "echo", 4) == 0)
		echo(strcmp(words, "echo stay") == 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(words, modes[i].name) == 0)
			modes[i].run();
	return HUSK_EXIT_OK;
}
