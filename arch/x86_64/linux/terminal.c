/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A shell moves us between foreground and background without asking. A process in the
 * background must neither read the terminal nor change it (it would be stopped, or
 * spoil the shell's own settings), so each access asks first who is in front.
 */
#include "arch/x86_64/linux/terminal.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>

#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/syscall.h"

#define STDIN  0
#define STDERR 2

static bool is_terminal; /* standard input is a terminal and was taken */
static bool closed;      /* no raw mode any more */
static bool known;       /* `original` is set */
static uint32_t is_raw;  /* read by the input thread too */
static struct termios original;

static bool in_foreground(void)
{
	int group = 0;

	/* No answer: the terminal does not control us, so nobody arbitrates, or it is gone and a read will say so. */
	if (linux_call3(__NR_ioctl, STDIN, TIOCGPGRP, (long)&group) < 0)
		return true;
	return group == linux_call3(__NR_getpgid, 0, 0, 0);
}

static void set_raw(bool raw)
{
	__atomic_store_n(&is_raw, raw, __ATOMIC_RELAXED);
}

/*
 * Every byte as it comes and at once; Ctrl-C and Ctrl-Z are bytes. The guest's output passes unchanged too: it ends
 * its lines for a terminal itself.
 */
static struct termios raw_settings(void)
{
	struct termios raw = original;

	raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON | INPCK);
	raw.c_oflag &= ~(tcflag_t)OPOST;
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	raw.c_cflag |= CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return raw;
}

void terminal_open(void)
{
	host_signals before = host_signals_block(host_signals_all());
	struct termios probe;

	is_terminal = linux_call3(__NR_ioctl, STDIN, TCGETS, (long)&probe) == 0;
	terminal_enter();
	host_signals_restore(before);
}

void terminal_enter(void)
{
	struct termios raw;

	if (!is_terminal || closed)
		return;
	if (!in_foreground()) {
		set_raw(false); /* whatever the settings are now, they are somebody else's */
		return;
	}
	/* Once only: what is found later may be our own raw mode, given back by a shell. */
	if (!known)
		known = linux_call3(__NR_ioctl, STDIN, TCGETS, (long)&original) == 0;
	if (!known)
		return;
	raw = raw_settings();
	set_raw(linux_call3_retry(__NR_ioctl, STDIN, TCSETS, (long)&raw) == 0);
}

void terminal_leave(void)
{
	if (__atomic_load_n(&is_raw, __ATOMIC_RELAXED) && in_foreground())
		linux_call3_retry(__NR_ioctl, STDIN, TCSETS, (long)&original);
	set_raw(false);
}

void terminal_close(void)
{
	terminal_leave();
	closed = true;
}

bool terminal_readable(void)
{
	return !is_terminal || in_foreground();
}

bool terminal_wants_enter(void)
{
	return is_terminal && !__atomic_load_n(&is_raw, __ATOMIC_RELAXED) && in_foreground();
}

bool terminal_is_raw(void)
{
	return __atomic_load_n(&is_raw, __ATOMIC_RELAXED);
}

/* The terminal is asked each time: whoever has it in the foreground changes it, and not only we make it raw. */
bool terminal_needs_return(void)
{
	struct termios now;

	if (linux_call3(__NR_ioctl, STDERR, TCGETS, (long)&now) < 0)
		return false;
	return (now.c_oflag & (OPOST | ONLCR)) != (OPOST | ONLCR);
}
