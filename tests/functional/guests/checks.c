/* SPDX-License-Identifier: BSD-2-Clause */
/* Byte order, loads and stores, boot protocol. */
#include "board.h"
#include "guest.h"

#ifdef __MIPSEB__
#define BIG 1
#else
#define BIG 0
#endif

#define FDT_MAGIC 0xd00dfeedu

/* Instructions themselves, not what a compiler makes of C: `MEMORY` is at most 8 bytes at p. */
#define LOAD(insn, p)                                                                   \
	({                                                                              \
		uint64_t value_;                                                        \
		__asm__ volatile(insn " %0, 0(%1)" : "=r"(value_) : "r"(p) : "memory"); \
		value_;                                                                 \
	})
#define STORE(insn, p, value) __asm__ volatile(insn " %0, 0(%1)" : : "r"((uint64_t)(value)), "r"(p) : "memory")

/* The parts of an unaligned access; which half each does is the byte order's choice. */
#define PAIR_LOAD(high, low, p, last)                                                   \
	({                                                                              \
		uint64_t value_ = 0;                                                    \
		const uint8_t *first_ = (p), *last_ = first_ + (last);                  \
		__asm__ volatile(high " %0, 0(%1)\n\t" low " %0, 0(%2)"                 \
				 : "+r"(value_)                                         \
				 : "r"(BIG ? first_ : last_), "r"(BIG ? last_ : first_) \
				 : "memory");                                           \
		value_;                                                                 \
	})
#define PAIR_STORE(high, low, p, last, value)                                                                   \
	do {                                                                                                    \
		uint8_t *first_ = (p), *last_ = first_ + (last);                                                \
		__asm__ volatile(high " %0, 0(%1)\n\t" low " %0, 0(%2)"                                         \
				 :                                                                              \
				 : "r"((uint64_t)(value)), "r"(BIG ? first_ : last_), "r"(BIG ? last_ : first_) \
				 : "memory");                                                                   \
	} while (0)

static uint8_t memory[32] __attribute__((aligned(16)));

/* Bytes 0x80, 0x81, ... so that signs show. */
static void fill(void)
{
	for (unsigned i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(0x80 + i);
}

/* The number that `size` of those bytes from `at` on are. */
static uint64_t expected(unsigned at, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value = value << 8 | (0x80 + at + (BIG ? i : size - 1 - i));
	return value;
}

static uint64_t extended(uint64_t value, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* True if exactly `size` bytes from `at` on hold `value` and all others are untouched. */
static bool stored(unsigned at, unsigned size, uint64_t value)
{
	bool good = true;

	for (unsigned i = 0; i < sizeof(memory); i++) {
		unsigned n = i - at;
		uint8_t want = (uint8_t)(0x80 + i);

		if (i >= at && n < size)
			want = (uint8_t)(value >> 8 * (BIG ? size - 1 - n : n));
		good &= memory[i] == want;
	}
	fill();
	return good;
}

static void check_order(void)
{
	static const volatile union {
		uint32_t word;
		uint8_t bytes[4];
	} order = { 1 };

	check(BIG ? "big endian" : "little endian", order.bytes[BIG ? 3 : 0] == 1);
	check("Config.BE", (read_c0_32(C0_CONFIG) >> 15 & 1) == BIG);
}

static void check_loads(void)
{
	fill();
	check("lb", LOAD("lb", memory + 3) == extended(expected(3, 1), 1));
	check("lbu", LOAD("lbu", memory + 3) == expected(3, 1));
	check("lh", LOAD("lh", memory + 6) == extended(expected(6, 2), 2));
	check("lhu", LOAD("lhu", memory + 6) == expected(6, 2));
	check("lw", LOAD("lw", memory + 12) == extended(expected(12, 4), 4));
	check("lwu", LOAD("lwu", memory + 12) == expected(12, 4));
	check("ld", LOAD("ld", memory + 8) == expected(8, 8));
	for (unsigned at = 0; at < 4; at++)
		check("lwl lwr", PAIR_LOAD("lwl", "lwr", memory + at, 3) == extended(expected(at, 4), 4));
	for (unsigned at = 0; at < 8; at++)
		check("ldl ldr", PAIR_LOAD("ldl", "ldr", memory + at, 7) == expected(at, 8));
}

static void check_stores(void)
{
	const uint64_t value = 0x0123456789abcdefull;

	STORE("sb", memory + 5, value);
	check("sb", stored(5, 1, value));
	STORE("sh", memory + 6, value);
	check("sh", stored(6, 2, value));
	STORE("sw", memory + 4, value);
	check("sw", stored(4, 4, value));
	STORE("sd", memory + 8, value);
	check("sd", stored(8, 8, value));
	for (unsigned at = 0; at < 4; at++) {
		PAIR_STORE("swl", "swr", memory + at, 3, value);
		check("swl swr", stored(at, 4, value));
	}
	for (unsigned at = 0; at < 8; at++) {
		PAIR_STORE("sdl", "sdr", memory + at, 7, value);
		check("sdl sdr", stored(at, 8, value));
	}
}

static void check_linked(void)
{
	uint64_t old, done;

	__asm__ volatile("ll %0, 0(%2)\n\tdaddiu %1, %0, 1\n\tsc %1, 0(%2)"
			 : "=&r"(old), "=&r"(done)
			 : "r"(memory + 4)
			 : "memory");
	check("ll sc", old == extended(expected(4, 4), 4) && done == 1 && stored(4, 4, old + 1));
	__asm__ volatile("lld %0, 0(%2)\n\tdaddiu %1, %0, 1\n\tscd %1, 0(%2)"
			 : "=&r"(old), "=&r"(done)
			 : "r"(memory + 8)
			 : "memory");
	check("lld scd", old == expected(8, 8) && done == 1 && stored(8, 8, old + 1));
}

/* The tree is big-endian whoever reads it. */
static void check_tree(const uint64_t *args)
{
	uint64_t tree = board_tree(args);
	uint32_t magic = tree != 0 ? (uint32_t)LOAD("lw", tree) : 0;

	check("device tree", (BIG ? magic : __builtin_bswap32(magic)) == FDT_MAGIC);
}

static void check_key(void)
{
	print("key? ");
	uint8_t k = key();
	print("\n");
	check("key", k == 'k');
}

void run_checks(const uint64_t *args)
{
	check_order();
	check_tree(args);
	check_loads();
	check_stores();
	check_linked();
	run_system_checks();
	run_code_checks();
	check_key();
	print("done\n");
}
