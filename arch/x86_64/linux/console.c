/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console bytes. Input is read by the CPU that takes it and never ahead, so that what
 * husk does not consume stays for whoever reads next. A second thread only waits for
 * standard input to become readable, raises ATTN_CONSOLE and waits until the CPU has
 * read. Standard input may be shared with other programs, so it is not made
 * non-blocking: poll() comes before every read.
 */
#include "arch/x86_64/linux/host.h"

#include <asm/poll.h>
#include <linux/time_types.h>

#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"
#include "arch/x86_64/linux/terminal.h"

#define STDIN  0
#define STDOUT 1
#define STDERR 2

/* How often to look whether the terminal has come back to us, in ns. No event tells it. */
#define BACKGROUND_NS 200000000

/* Whose turn the input is. */
enum turn {
	TURN_WATCH, /* the input thread waits for input */
	TURN_READ,  /* there is some: the CPU reads */
	TURN_ENDED, /* there will be no more */
};

static uint32_t turn; /* enum turn, also a futex */
static long thread;   /* id of the input thread, 0 before it runs */
static uint32_t *input_attention;

static void sleep_in_background(void)
{
	struct __kernel_timespec pause = { .tv_nsec = BACKGROUND_NS };

	linux_call3(__NR_nanosleep, (long)&pause, 0, 0);
}

/* Waits for `events` on a file; timeout in ms, -1 for ever. Returns what happened, 0 if nothing. */
static unsigned poll_one(int fd, short events, int timeout)
{
	struct pollfd p = { .fd = fd, .events = events };
	long ready = linux_call3(__NR_poll, (long)&p, 1, timeout);

	return ready > 0 ? (unsigned short)p.revents : 0;
}

/*
 * Waits for ever until standard input has something to read or to tell of, or host_console_recheck() was called.
 * Its signal is blocked but here, so that one sent at any time before ends the wait at once. Returns true for input.
 */
static bool watch_input(void)
{
	struct pollfd p = { .fd = STDIN, .events = POLLIN };
	host_signals mask = host_signals_all() & ~host_signal_bit(HOST_SIGNAL_RECHECK);

	return linux_call6(__NR_ppoll, (long)&p, 1, 0, (long)&mask, sizeof(mask), 0) > 0;
}

/* Waits until a read would not block: there is input, or an end or error to be told of. */
static void await_input(void)
{
	for (;;) {
		if (!terminal_readable())
			sleep_in_background();
		else if (terminal_wants_enter()) {
			host_signals_nudge();
			sleep_in_background();
		} else if (watch_input() && terminal_readable())
			return;
	}
}

static void input_thread(void *argument)
{
	(void)argument;
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == TURN_WATCH) {
		await_input();
		__atomic_store_n(&turn, TURN_READ, __ATOMIC_RELEASE);
		plat_kick(__atomic_load_n(&input_attention, __ATOMIC_ACQUIRE), ATTN_CONSOLE);
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == TURN_READ)
			host_futex_wait(&turn, TURN_READ);
	}
}

void host_console_start(uint32_t *attention)
{
	__atomic_store_n(&input_attention, attention, __ATOMIC_RELEASE);
	if (thread != 0)
		return;
	terminal_open();
	thread = host_thread_start("the console", input_thread, NULL);
	if (thread < 0)
		plat_exit(HUSK_EXIT_HOST);
}

void host_console_recheck(void)
{
	if (thread != 0)
		linux_call3(__NR_tgkill, linux_call3(__NR_getpid, 0, 0, 0), thread, HOST_SIGNAL_RECHECK);
}

static void give_turn(enum turn next)
{
	__atomic_store_n(&turn, next, __ATOMIC_RELEASE);
	host_futex_wake(&turn);
}

size_t plat_console_read(void *buf, size_t size)
{
	uint32_t now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE);
	long got = -LINUX_EAGAIN;

	if (size == 0 || now == TURN_ENDED || (thread != 0 && now == TURN_WATCH))
		return 0;
	if (terminal_readable() && poll_one(STDIN, POLLIN, 0) != 0)
		got = linux_call3_retry(__NR_read, STDIN, (long)buf, (long)size);
	/* The other thread watches again even if there is more to read: it will see it at once. */
	give_turn(got > 0 || got == -LINUX_EAGAIN ? TURN_WATCH : TURN_ENDED);
	if (got > 0)
		return (size_t)got;
	if (got != -LINUX_EAGAIN && terminal_is_raw())
		host_signals_hang_up();
	return 0;
}

bool plat_console_eof(void)
{
	return __atomic_load_n(&turn, __ATOMIC_RELAXED) == TURN_ENDED;
}

/* Writes all of it, waiting for slow readers. Returns 0, or the kernel's error after which nobody will read. */
static long write_all(int fd, const void *buf, size_t size)
{
	const char *p = buf;

	while (size > 0) {
		long done = linux_call3_retry(__NR_write, fd, (long)p, (long)size);

		if (done == -LINUX_EAGAIN) {
			poll_one(fd, POLLOUT, -1);
			continue;
		}
		if (done <= 0)
			return done;
		p += done;
		size -= (size_t)done;
	}
	return 0;
}

void plat_console_write(const void *buf, size_t size)
{
	static bool warned;
	long error = write_all(STDOUT, buf, size);

	if (error < 0 && !warned) {
		warned = true;
		log_warn("cannot write to standard output (kernel error %ld): guest output is lost", -error);
	}
}

/* Writes text with \r\n for each \n. */
static void write_lines(const char *text, size_t size)
{
	char out[512];
	size_t used = 0;

	for (size_t i = 0; i < size; i++) {
		if (used > sizeof(out) - 2) {
			write_all(STDERR, out, used);
			used = 0;
		}
		if (text[i] == '\n')
			out[used++] = '\r';
		out[used++] = text[i];
	}
	write_all(STDERR, out, used);
}

void plat_log_write(const void *buf, size_t size)
{
	if (terminal_needs_return())
		write_lines(buf, size);
	else
		write_all(STDERR, buf, size);
}
