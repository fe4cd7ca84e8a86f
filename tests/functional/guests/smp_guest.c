/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel for tests of several cores: atomic operations, the order of memory accesses, code that one core changes and
 * another runs, interrupts from core to core. The names of the order tests are the usual ones of the literature (Alglave
 * and others, "Herding Cats", 2014): message passing, store buffering, load buffering, independent reads of independent
 * writes.
 */
#include <stdbool.h>
#include <stdint.h>

#define XKPHYS   0x9000000000000000ull
#define UART     (XKPHYS | 0x1180000000800ull)
#define CIU      (XKPHYS | 0x1070000000000ull)
#define CIU_FUSE 0x728
#define MBOX_SET 0x600
#define MBOX_CLR 0x680
#define CIU_EN   0x200

enum { UART_DATA = 0, UART_LSR = 5 };
enum { LSR_THRE = 0x20 };

#define STATUS_IE  (1u << 0)
#define STATUS_IM2 (1u << 10)
#define STATUS_KX  (1u << 7)
#define CAUSE_IV   (1u << 23)

#define MAX_CORES 16u
#define ROLES     4u
/* Rounds of the order tests between two meetings, which take long where there are fewer CPUs than cores. */
#define BATCH 32768u

/* The text before it is how tests find it. */
static volatile struct {
	char label[16];
	uint64_t rounds;
} choice = { "husk smp rounds:", 20000 };

extern char vectors[];
extern uint64_t call_barrier(const volatile uint32_t *code);

/* Each on a line of its own. */
struct line {
	volatile uint64_t value;
	uint64_t rest[15];
} __attribute__((aligned(128)));

extern struct line interrupts[MAX_CORES];

static unsigned cores;

static volatile uint64_t *csr(uint64_t address)
{
	return (volatile uint64_t *)address;
}

/* --- console, of core 0 */

static void put(char c)
{
	while ((*csr(UART + 8 * UART_LSR) & LSR_THRE) == 0)
		continue;
	*csr(UART + 8 * UART_DATA) = (uint8_t)c;
}

static void print(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}

static void print_number(uint64_t n)
{
	char digits[21] = { 0 }, *p = &digits[20];

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	print(p);
}

static void check(const char *name, bool holds)
{
	print(holds ? "ok " : "FAILED ");
	print(name);
	print("\n");
}

/* Of a mask without gaps. */
static unsigned count_ones(uint64_t mask)
{
	unsigned n = 0;

	while ((mask >> n & 1) != 0)
		n++;
	return n;
}

/* --- atomic operations */

static void sync(void)
{
	__asm__ volatile("sync" : : : "memory");
}

static void add_ll(volatile uint32_t *at, uint32_t n)
{
	uint32_t old, new;

	__asm__ volatile("1: ll %0, %2\n"
			 "addu %1, %0, %3\n"
			 "sc %1, %2\n"
			 "beqz %1, 1b\n"
			 "nop"
			 : "=&r"(old), "=&r"(new), "+m"(*at)
			 : "r"(n)
			 : "memory");
}

static uint64_t add_lld(volatile uint64_t *at, uint64_t n)
{
	uint64_t old, new;

	__asm__ volatile("1: lld %0, %2\n"
			 "daddu %1, %0, %3\n"
			 "scd %1, %2\n"
			 "beqz %1, 1b\n"
			 "nop"
			 : "=&r"(old), "=&r"(new), "+m"(*at)
			 : "r"(n)
			 : "memory");
	return old;
}

static struct line arrived, turn;

/* All cores wait for all. Core 0 can do something in between. */
static void meet(unsigned self, void (*alone)(void))
{
	uint64_t now = turn.value;

	sync();
	add_lld(&arrived.value, 1);
	if (self == 0) {
		while (arrived.value != cores)
			continue;
		sync();
		if (alone != 0)
			alone();
		arrived.value = 0;
		sync();
		turn.value = now + 1;
	}
	while (turn.value == now)
		continue;
	sync();
}

/* Octeon's own: LAA $d, ($b), $t and SAAD $t, ($b), which assemblers for other CPUs do not know. */
static uint32_t laa(volatile uint32_t *at, uint32_t n)
{
	register volatile uint32_t *base __asm__("$4") = at;
	register uint32_t operand __asm__("$5") = n;
	register uint32_t old __asm__("$2");

	__asm__ volatile(".word 0x7085149f" : "=r"(old) : "r"(base), "r"(operand) : "memory");
	return old;
}

static void saad(volatile uint64_t *at, uint64_t n)
{
	register volatile uint64_t *base __asm__("$4") = at;
	register uint64_t operand __asm__("$5") = n;

	__asm__ volatile(".word 0x70850019" : : "r"(base), "r"(operand) : "memory");
}

static volatile uint32_t count32[2] __attribute__((aligned(128)));
static volatile uint64_t count64[2] __attribute__((aligned(128)));
static volatile uint32_t octeon32;
static volatile uint64_t octeon64;

static void check_counts(void)
{
	uint64_t all = cores * choice.rounds;

	check("ll sc", count32[0] == (uint32_t)all && count32[1] == (uint32_t)(3 * all));
	check("lld scd", count64[0] == all && count64[1] == 5 * all);
	check("laa", octeon32 == (uint32_t)all);
	check("saad", octeon64 == 7 * all);
}

static void atomic(unsigned self)
{
	meet(self, 0);
	for (uint64_t n = 0; n < choice.rounds; n++) {
		add_ll(&count32[0], 1);
		add_ll(&count32[1], 3);
		add_lld(&count64[0], 1);
		add_lld(&count64[1], 5);
		laa(&octeon32, 1);
		saad(&octeon64, 7);
	}
	meet(self, check_counts);
}

/* LL here, a store of another core in between, SC: it must fail, and leave memory alone. */
static struct line linked, asked, answered, failures;

static void check_failures(void)
{
	check("sc fails behind a store of another core", failures.value == 0);
}

static uint64_t ask_between(uint64_t n, bool by_other)
{
	uint64_t result = 999;

	__asm__ volatile("	lld $8, 0(%1)\n"
			 "	sd %4, 0(%2)\n"
			 "1:	ld $9, 0(%3)\n"
			 "	bne $9, %4, 1b\n"
			 "	nop\n"
			 "	move %0, %4\n"
			 "	scd %0, 0(%1)\n"
			 : "+r"(result)
			 : "r"(by_other ? &linked.value : &failures.rest[3]), "r"(&asked.value), "r"(&answered.value),
			   "r"(n)
			 : "$8", "$9", "memory");
	return result;
}

/* Of a test in which cores wait for each other in each round, which takes long where there are fewer CPUs. */
static uint64_t some_rounds(uint64_t part, uint64_t most)
{
	uint64_t n = choice.rounds / part + 1;

	return n < most ? n : most;
}

static void fail_conditional(unsigned self)
{
	uint64_t rounds = some_rounds(16, 2000);

	meet(self, 0);
	for (uint64_t n = 1; n <= rounds && self < 2; n++) {
		if (self == 0) {
			bool by_other = n % 2 == 0;
			uint64_t made = ask_between(n, by_other);

			if (by_other ? made != 0 || linked.value != ~n : made != 1 || failures.rest[3] != n)
				failures.value++;
		} else {
			while (asked.value != n)
				continue;
			linked.value = ~n;
			sync();
			answered.value = n;
		}
	}
	meet(self, check_failures);
}

/* --- order */

static struct line x[BATCH], y[BATCH];
static uint64_t seen[ROLES][BATCH][2];
static uint64_t forbidden, relaxed;

static void clear(void)
{
	for (unsigned n = 0; n < BATCH; n++)
		x[n].value = y[n].value = 0;
}

#define NOTHING() __asm__ volatile("" : : : "memory")

/*
 * One body for each test and each way to order it. `core` is the role: 0 to 3. Roles that the machine has no core for
 * are not played, and IRIW is left out then.
 */
#define LITMUS(name, order)                                  \
	static void name(unsigned role)                      \
	{                                                    \
		for (unsigned n = 0; n < BATCH; n++) {       \
			volatile uint64_t *a = &x[n].value;  \
			volatile uint64_t *b = &y[n].value;  \
			uint64_t *r = seen[role % ROLES][n]; \
			(void)r;                             \
			LITMUS_##name##_BODY(order)          \
		}                                            \
	}

#define BODY_MP(order)          \
	if (role == 0) {        \
		*a = 1;         \
		order();        \
		*b = 1;         \
	} else if (role == 1) { \
		r[0] = *b;      \
		order();        \
		r[1] = *a;      \
	}
#define BODY_SB(order)          \
	if (role == 0) {        \
		*a = 1;         \
		order();        \
		r[0] = *b;      \
	} else if (role == 1) { \
		*b = 1;         \
		order();        \
		r[0] = *a;      \
	}
#define BODY_LB(order)          \
	if (role == 0) {        \
		r[0] = *a;      \
		order();        \
		*b = 1;         \
	} else if (role == 1) { \
		r[0] = *b;      \
		order();        \
		*a = 1;         \
	}
#define BODY_IRIW(order)        \
	if (role == 0) {        \
		*a = 1;         \
	} else if (role == 1) { \
		*b = 1;         \
	} else if (role == 2) { \
		r[0] = *a;      \
		order();        \
		r[1] = *b;      \
	} else if (role == 3) { \
		r[0] = *b;      \
		order();        \
		r[1] = *a;      \
	}

#define LITMUS_mp_sync_BODY    BODY_MP
#define LITMUS_mp_plain_BODY   BODY_MP
#define LITMUS_sb_sync_BODY    BODY_SB
#define LITMUS_sb_plain_BODY   BODY_SB
#define LITMUS_lb_sync_BODY    BODY_LB
#define LITMUS_lb_plain_BODY   BODY_LB
#define LITMUS_iriw_sync_BODY  BODY_IRIW
#define LITMUS_iriw_plain_BODY BODY_IRIW

LITMUS(mp_sync, sync)
LITMUS(mp_plain, NOTHING)
LITMUS(sb_sync, sync)
LITMUS(sb_plain, NOTHING)
LITMUS(lb_sync, sync)
LITMUS(lb_plain, NOTHING)
LITMUS(iriw_sync, sync)
LITMUS(iriw_plain, NOTHING)

/* Outcomes that sync forbids. */
static bool mp_odd(unsigned n)
{
	return seen[1][n][0] == 1 && seen[1][n][1] == 0;
}

static bool sb_odd(unsigned n)
{
	return seen[0][n][0] == 0 && seen[1][n][0] == 0;
}

static bool lb_odd(unsigned n)
{
	return seen[0][n][0] == 1 && seen[1][n][0] == 1;
}

static bool iriw_odd(unsigned n)
{
	return seen[2][n][0] == 1 && seen[2][n][1] == 0 && seen[3][n][0] == 1 && seen[3][n][1] == 0;
}

static const struct litmus {
	const char *name;
	void (*with_sync)(unsigned role), (*plain)(unsigned role);
	bool (*is_odd)(unsigned n);
	unsigned roles;
} tests[] = {
	{ "message passing", mp_sync, mp_plain, mp_odd, 2 },
	{ "store buffering", sb_sync, sb_plain, sb_odd, 2 },
	{ "load buffering", lb_sync, lb_plain, lb_odd, 2 },
	{ "independent reads", iriw_sync, iriw_plain, iriw_odd, 4 },
};

static const struct litmus *running;

static void count_sync(void)
{
	for (unsigned n = 0; n < BATCH; n++)
		forbidden += running->is_odd(n);
	clear();
}

static void count_plain(void)
{
	for (unsigned n = 0; n < BATCH; n++)
		relaxed += running->is_odd(n);
	clear();
}

static void begin_counts(void)
{
	forbidden = relaxed = 0;
	clear();
}

static void report(void)
{
	check(running->name, forbidden == 0);
	print("without sync ");
	print_number(relaxed);
	print("\n");
}

static void litmus(unsigned self, const struct litmus *t)
{
	/* Other cores' batches begin at other times: roles move on. */
	if (self == 0)
		running = t;
	meet(self, begin_counts);
	for (uint64_t n = 0; n < choice.rounds / BATCH + 1; n++) {
		unsigned role = (self + (unsigned)n) % cores;

		t->with_sync(role);
		meet(self, count_sync);
		t->plain(role);
		meet(self, count_plain);
	}
	meet(self, report);
}

/* --- code that another core changes */

#define ADDIU_V0(i) (0x24020000u | ((i)&0x7fff))
#define JR_RA       0x03e00008u

static volatile uint32_t code[MAX_CORES][1024] __attribute__((aligned(4096)));
static struct line version[MAX_CORES], taken[MAX_CORES], wrong;

static void synci(const volatile uint32_t *at)
{
	__asm__ volatile("sync\n\tsynci 0(%0)\n\tsync" : : "r"(at) : "memory");
}

static void check_code(void)
{
	check("code of one core run by others", wrong.value == 0);
}

/* Core 0 writes a function for each other core, which runs it over and over and looks for the newest. */
static void changing_code(unsigned self)
{
	uint64_t rounds = some_rounds(8, 300);

	if (self == 0) {
		for (unsigned c = 1; c < cores; c++) {
			code[c][8] = ADDIU_V0(0);
			code[c][9] = JR_RA;
			code[c][10] = 0;
			synci(&code[c][8]);
		}
	}
	meet(self, 0);
	for (uint64_t n = 1; n <= rounds; n++) {
		if (self == 0) {
			for (unsigned c = 1; c < cores; c++) {
				code[c][8] = ADDIU_V0(n);
				synci(&code[c][8]);
				version[c].value = n;
			}
			for (unsigned c = 1; c < cores; c++)
				while (taken[c].value != n)
					continue;
		} else {
			uint64_t was = (n - 1) & 0x7fff, now = n & 0x7fff, got;

			/* Before it is told it may see either. */
			do {
				got = call_barrier(&code[self][8]);
				if (got != was && got != now)
					add_lld(&wrong.value, 1);
			} while (version[self].value != n);
			sync();
			synci(&code[self][8]);
			if (call_barrier(&code[self][8]) != now)
				add_lld(&wrong.value, 1);
			taken[self].value = n;
		}
	}
	meet(self, check_code);
}

/* --- interrupts from core to core */

static void set_status(uint32_t status)
{
	__asm__ volatile("mtc0 %0, $12\n\tehb" : : "r"(status) : "memory");
}

static void check_interrupts(void)
{
	check("mailbox interrupts of waiting cores", wrong.value == 0);
}

/* Core 0 rings each of the others, which wait for it with the CPU asleep, and answers by memory. */
static void mailboxes(unsigned self)
{
	uint64_t rounds = some_rounds(64, 2000);

	if (self == 0)
		wrong.value = 0;
	*csr(CIU + CIU_EN + 16 * 2 * self) = 3ull << 32;
	meet(self, 0);
	for (uint64_t n = 1; n <= rounds; n++) {
		if (self == 0) {
			for (unsigned c = 1; c < cores; c++)
				*csr(CIU + MBOX_SET + 8 * c) = 1;
			for (unsigned c = 1; c < cores; c++)
				while (taken[c].value != n)
					continue;
			continue;
		}
		/* With interrupts off, so that none comes between the look and the WAIT, which a pending one ends. */
		set_status(STATUS_KX | STATUS_IM2);
		while (interrupts[self].value != n) {
			__asm__ volatile("wait" : : : "memory");
			set_status(STATUS_KX | STATUS_IM2 | STATUS_IE);
			set_status(STATUS_KX | STATUS_IM2);
		}
		taken[self].value = n;
	}
	set_status(STATUS_KX);
	meet(self, check_interrupts);
}

static void forget_taken(void)
{
	for (unsigned c = 0; c < MAX_CORES; c++)
		taken[c].value = 0;
}

void main(unsigned self)
{
	__asm__ volatile("dmtc0 %0, $15, 1\n\tehb" : : "r"((uint64_t)(uintptr_t)vectors | self));
	__asm__ volatile("mtc0 %0, $13\n\tehb" : : "r"(CAUSE_IV));
	set_status(STATUS_KX);
	cores = count_ones(*csr(CIU + CIU_FUSE)); /* the same for each */
	sync();
	if (self == 0)
		*csr(CIU + MBOX_CLR) = 0; /* lets the others go */
	atomic(self);
	if (cores > 1) {
		fail_conditional(self);
		for (unsigned n = 0; n < sizeof(tests) / sizeof(tests[0]); n++)
			if (tests[n].roles <= cores)
				litmus(self, &tests[n]);
		changing_code(self);
		meet(self, forget_taken);
		mailboxes(self);
	}
	if (self == 0)
		print("done\n");
	for (;;)
		__asm__ volatile("wait");
}
