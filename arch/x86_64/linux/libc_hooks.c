/* SPDX-License-Identifier: BSD-2-Clause */
/* What picolibc asks of its system: only a way out, for abort() and failed assertions. */
#include "arch/x86_64/linux/host.h"

_Noreturn void _exit(int status);

_Noreturn void _exit(int status)
{
	host_exit(status);
}
