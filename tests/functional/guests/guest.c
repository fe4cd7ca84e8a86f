/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel of a few hundred lines for tests: it checks the machine it runs on and powers off, or does
 * something that a good kernel does not do. Tests choose by changing `mode` in the image.
 */
#include "guest.h"

#include "board.h"

enum { UART_DATA = 0, UART_LSR = 5 };
enum { LSR_DR = 0x01, LSR_THRE = 0x20 };

/* The text before it is how tests find it. */
static volatile struct {
	char label[16];
	char mode;
} choice = { "husk guest mode:", 'c' };

volatile unsigned ticks;
volatile int exception;

static void put(char c)
{
	while (!(board_uart_read(UART_LSR) & LSR_THRE))
		continue;
	board_uart_write(UART_DATA, (uint8_t)c);
}

void print(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}

uint8_t key(void)
{
	while (!(board_uart_read(UART_LSR) & LSR_DR))
		continue;
	return board_uart_read(UART_DATA);
}

void check(const char *name, bool holds)
{
	print(holds ? "ok " : "FAILED ");
	print(name);
	print("\n");
}

/* Called by the vectors. The kernel goes on behind the instruction, a program ends. */
void on_trap(struct frame *f)
{
	int code = (int)(f->cause >> 2 & 31);

	if (code == EXC_INT) {
		ticks++;
		write_c0_32(C0_COMPARE, read_c0_32(C0_COUNT) + TICK);
		return;
	}
	exception = code;
	f->epc += 4;
	if ((f->status & STATUS_UM) == 0)
		return;
	f->status &= ~(uint64_t)STATUS_UM;
	f->epc = (uintptr_t)program_done;
}

/* --- what a good kernel does not do; each by a function of its own, whose name the report has to tell */

__attribute__((noinline)) void give_up(void)
{
	write_c0_32(C0_STATUS, read_c0_32(C0_STATUS) & ~STATUS_IE);
	for (;;)
		__asm__ volatile("wait");
}

__attribute__((noinline)) static void fall_into_exceptions(void)
{
	write_c0(C0_EBASE, (uintptr_t)broken_vectors);
	__asm__ volatile("break");
}

__attribute__((noinline)) static void spin(void)
{
	for (;;)
		__asm__ volatile("");
}

__attribute__((noinline)) static void sleep_silently(void)
{
	write_c0_32(C0_COMPARE, read_c0_32(C0_COUNT) + TICK);
	write_c0_32(C0_STATUS, read_c0_32(C0_STATUS) | STATUS_IM7 | STATUS_IE);
	for (;;)
		__asm__ volatile("wait");
}

static void read_unknown(void)
{
	print(board_read_unknown() == 0 ? "read zero\n" : "read something\n");
	key();
}

/* Three starts, told apart by memory that a reset leaves alone: none of the kernel's own, all of which is loaded anew. */
static void reset(void)
{
	volatile uint32_t *count = (uint32_t *)0xffffffff81000000ull;
	static volatile bool again;

	print(again ? "memory is stale\n" : "started\n");
	again = true;
	if (++*count < 3)
		board_reset();
	else
		give_up();
	spin();
}

void main(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	const uint64_t args[4] = { a0, a1, a2, a3 };

	write_c0(C0_EBASE, (uintptr_t)vectors);
	write_c0_32(C0_CAUSE, CAUSE_IV);
	write_c0_32(C0_STATUS, STATUS_KX | STATUS_UX); /* BEV, ERL and EXL off */
	switch (choice.mode) {
	case 'c': run_checks(args); break;
	case 'g':
		print("giving up\n");
		give_up();
		break;
	case 'e':
		print("falling\n");
		fall_into_exceptions();
		break;
	case 'p':
		print("spinning\n");
		spin();
		break;
	case 's': sleep_silently(); break;
	case 'u': read_unknown(); break;
	case 'r': reset(); break;
	default: print("unknown mode\n"); break;
	}
	give_up();
}
