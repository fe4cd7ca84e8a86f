/* SPDX-License-Identifier: BSD-2-Clause */
/* The report of a fault of husk itself. It uses nothing but its own stack: anything else may be what is broken. */
#include "arch/x86_64/linux/host.h"

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#include "arch/x86_64/linux/syscall.h"
#include "arch/x86_64/linux/terminal.h"

/* Page fault: trap number and bits of its error code (Intel SDM vol. 3, 4.7). */
#define TRAP_PAGE_FAULT 14u
#define PF_WRITE        (1u << 1)
#define PF_FETCH        (1u << 4)

static uintptr_t stack_guard;

void host_fault_guard(uintptr_t guard)
{
	stack_guard = guard;
}

/* Text that is put together before it is written at once. */
struct report {
	char text[1600];
	size_t used;
};

static void put(struct report *r, const char *text)
{
	for (; *text != '\0' && r->used < sizeof(r->text); text++)
		r->text[r->used++] = *text;
}

static void put_hex(struct report *r, uint64_t value)
{
	char digits[17] = { 0 };

	for (int i = 15; i >= 0; i--, value >>= 4)
		digits[i] = "0123456789abcdef"[value & 15];
	put(r, digits);
}

static void put_decimal(struct report *r, unsigned value)
{
	char digits[11] = { 0 };
	char *p = &digits[10];

	do
		*--p = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	put(r, p);
}

static const char *signal_text(int signal)
{
	switch (signal) {
	case SIGSEGV: return "SIGSEGV (invalid memory access)";
	case SIGBUS: return "SIGBUS (memory access that the computer cannot do)";
	case SIGILL: return "SIGILL (invalid instruction)";
	case SIGFPE: return "SIGFPE (arithmetic error)";
	case SIGABRT: return "SIGABRT (abort)";
	case SIGTRAP: return "SIGTRAP (breakpoint)";
	case SIGSYS: return "SIGSYS (system call that is not allowed)";
	default: return "unknown signal";
	}
}

static void put_cause(struct report *r, const siginfo_t *si, const struct sigcontext *regs)
{
	uintptr_t address = (uintptr_t)si->si_addr;

	put(r, "husk: host fault: ");
	put(r, signal_text(si->si_signo));
	if (si->si_code <= 0) {
		put(r, ", sent by process ");
		put_decimal(r, (unsigned)si->si_pid);
		put(r, si->si_pid == linux_call3(__NR_getpid, 0, 0, 0) ? " (itself)" : "");
	} else if (regs->trapno == TRAP_PAGE_FAULT) {
		put(r, (regs->err & PF_FETCH) ? ", executing " : (regs->err & PF_WRITE) ? ", writing " : ", reading ");
		put_hex(r, address);
	}
	put(r, "\n");
	if (si->si_code > 0 && stack_guard != 0 && address - stack_guard < HOST_PAGE)
		put(r, "husk: the stack overflowed\n");
}

static void put_registers(struct report *r, const struct sigcontext *regs)
{
	const struct {
		const char *name;
		uint64_t value;
	} table[] = {
		{ "rip", regs->rip }, { "efl", regs->eflags }, { "rsp", regs->rsp }, { "rbp", regs->rbp },
		{ "rax", regs->rax }, { "rbx", regs->rbx },    { "rcx", regs->rcx }, { "rdx", regs->rdx },
		{ "rsi", regs->rsi }, { "rdi", regs->rdi },    { "r8 ", regs->r8 },  { "r9 ", regs->r9 },
		{ "r10", regs->r10 }, { "r11", regs->r11 },    { "r12", regs->r12 }, { "r13", regs->r13 },
		{ "r14", regs->r14 }, { "r15", regs->r15 },    { "err", regs->err }, { "trp", regs->trapno },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		put(r, i % 4 == 0 ? "husk:  " : "  ");
		put(r, table[i].name);
		put(r, " ");
		put_hex(r, table[i].value);
		put(r, i % 4 == 3 ? "\n" : "");
	}
}

void host_fault(int signal, void *info, void *context)
{
	static uint32_t reporting;
	const struct ucontext *uc = context;
	struct report r;

	(void)signal;
	if (__atomic_exchange_n(&reporting, 1, __ATOMIC_ACQ_REL) == 0) {
		terminal_close();
		r.used = 0;
		put_cause(&r, info, &uc->uc_mcontext);
		put_registers(&r, &uc->uc_mcontext);
		put(&r, "husk: this is a bug in husk; please report it with the lines above\n");
		plat_log_write(r.text, r.used);
	}
	host_exit(HUSK_EXIT_HOST);
}
