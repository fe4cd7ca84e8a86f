/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals: whatever ends or stops the process gives the terminal back first. Handlers
 * run on the main thread (all others block signals) with every other signal blocked,
 * except those of faults.
 */
#include "arch/x86_64/linux/host.h"

#include <asm/signal.h>
#include <husk/log.h>

#include "arch/x86_64/linux/syscall.h"
#include "arch/x86_64/linux/terminal.h"

/* Room for a report and for the register state that the kernel saves, AVX-512 and AMX included (about 11 KiB). */
#define SIGNAL_STACK ((size_t)64 << 10)

typedef void signal_handler(int signal, void *info, void *context);

static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };

/* Those that end a process unless it handles them, but faults. */
static const int endings[] = { SIGHUP,    SIGINT,  SIGQUIT, SIGUSR1,   SIGUSR2, SIGALRM, SIGTERM,
			       SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGPWR };

host_signals host_signals_all(void)
{
	host_signals set = ~(host_signals)0;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		set &= ~host_signal_bit(faults[i]);
	return set;
}

static host_signals change_mask(int how, host_signals set)
{
	host_signals before = 0;

	linux_call4(__NR_rt_sigprocmask, how, (long)&set, (long)&before, sizeof(set));
	return before;
}

host_signals host_signals_block(host_signals set)
{
	return change_mask(SIG_BLOCK, set);
}

void host_signals_restore(host_signals set)
{
	change_mask(SIG_SETMASK, set);
}

static long set_action(int signal, const struct sigaction *action, struct sigaction *before)
{
	return linux_call4(__NR_rt_sigaction, signal, (long)action, (long)before, sizeof(host_signals));
}

static long handle(int signal, signal_handler *handler)
{
	struct sigaction action = {
		.sa_handler = (__sighandler_t)(uintptr_t)handler,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | SA_RESTORER,
		.sa_restorer = host_signal_return,
		.sa_mask = host_signals_all(),
	};

	return set_action(signal, &action, NULL);
}

/* Has the kernel do with a signal what it does by default. Returns if that does not end the process. */
static void take_default(int signal)
{
	const struct sigaction standard = { .sa_handler = SIG_DFL };
	struct sigaction before = { 0 };

	set_action(signal, &standard, &before);
	linux_call3(__NR_kill, linux_call3(__NR_getpid, 0, 0, 0), signal, 0);
	change_mask(SIG_UNBLOCK, host_signal_bit(signal));
	change_mask(SIG_BLOCK, host_signal_bit(signal));
	set_action(signal, &before, NULL);
}

static void on_ending(int signal, void *info, void *context)
{
	(void)info;
	(void)context;
	terminal_close();
	take_default(signal);
	host_exit(128 + signal); /* process 1 of a container cannot be killed by its own signal */
}

static void on_stop(int signal, void *info, void *context)
{
	(void)info;
	(void)context;
	terminal_leave();
	take_default(signal);
	terminal_enter(); /* continued, or never stopped because nobody could continue us */
}

static void on_continue(int signal, void *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
	terminal_enter();
	host_console_recheck(); /* it may be waiting for input that is no longer ours */
}

static void on_recheck(int signal, void *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
}

/* Handles a signal unless whoever started us wants it ignored (nohup, background jobs of scripts). */
static long handle_unless_ignored(int signal, signal_handler *handler)
{
	struct sigaction before = { 0 };
	long error = set_action(signal, NULL, &before);

	if (error < 0 || before.sa_handler == SIG_IGN)
		return error;
	return handle(signal, handler);
}

long host_signal_stack(void)
{
	void *top = host_stack_alloc(SIGNAL_STACK);
	stack_t stack = { .ss_size = SIGNAL_STACK };

	if (top == NULL)
		return -1;
	stack.ss_sp = (char *)top - SIGNAL_STACK;
	return linux_call3(__NR_sigaltstack, (long)&stack, 0, 0);
}

long host_signals_init(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	long error = host_signal_stack();

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]) && error >= 0; i++)
		error = handle(faults[i], host_fault);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && error >= 0; i++)
		error = handle_unless_ignored(endings[i], on_ending);
	if (error >= 0)
		error = handle_unless_ignored(SIGTSTP, on_stop);
	if (error >= 0)
		error = handle(SIGCONT, on_continue);
	if (error >= 0)
		error = handle(HOST_SIGNAL_DEADLINE, host_cpu_deadline);
	if (error >= 0)
		error = handle(HOST_SIGNAL_RECHECK, on_recheck);
	if (error >= 0)
		error = handle(SIGIO, host_io_signal);
	if (error >= 0)
		error = set_action(SIGPIPE, &ignore, NULL); /* a write tells it as well */
	/* A parent may have left anything blocked. */
	host_signals_restore(0);
	return error;
}

void host_signals_nudge(void)
{
	linux_call3(__NR_kill, linux_call3(__NR_getpid, 0, 0, 0), SIGCONT, 0);
}

void host_signals_hang_up(void)
{
	linux_call3(__NR_kill, linux_call3(__NR_getpid, 0, 0, 0), SIGHUP, 0);
}
