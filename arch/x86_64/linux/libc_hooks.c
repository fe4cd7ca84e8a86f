/* SPDX-License-Identifier: BSD-2-Clause */
/* What picolibc asks of its system: abort() wants a signal and a way out. */
#include "arch/x86_64/linux/host.h"
#include "arch/x86_64/linux/syscall.h"

int raise(int signal);
_Noreturn void _exit(int status);

/* The kernel's signal, so that abort() ends in a fault report; picolibc numbers SIGABRT alike. */
int raise(int signal)
{
	long thread = linux_call3(__NR_gettid, 0, 0, 0);

	return (int)linux_call3(__NR_tgkill, linux_call3(__NR_getpid, 0, 0, 0), thread, signal);
}

_Noreturn void _exit(int status)
{
	host_exit(status);
}
