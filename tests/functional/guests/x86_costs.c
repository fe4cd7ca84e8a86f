/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What exits cost, in ticks of the TSC, which are instructions of the whole computer under QEMU's -icount. It runs on
 * anything that starts a PVH kernel, also as dom0 of Xen. Numbers and structures: Xen's public headers.
 */
#include "x86_guest.h"

#define ROUNDS 1000u
/* Until a timer fires: long enough that it has been programmed. */
#define AHEAD_NS 100000u

#define DOMID_SELF 0x7ff0u

/* --- what is asked and answered at once */

static uint64_t cost(void (*what)(void))
{
	uint64_t start;

	what();
	start = rdtsc();
	for (unsigned i = 0; i < ROUNDS; i++)
		what();
	return (rdtsc() - start) / ROUNDS;
}

static void nothing(void)
{
	__asm__ volatile("");
}

static void one_cpuid(void)
{
	uint32_t r[4];

	cpuid(0, 0, r);
}

static void null_hypercall(void)
{
	hypercall(XEN_VERSION, 0, 0, 0, 0);
}

/* --- what ends with an interrupt */

/*
 * Spins until *count is no longer `before`; returns how many instructions that took. They are not the hypervisor's:
 * what remains of the time is, whenever a timer fires.
 */
static uint64_t spin(const volatile uint64_t *count, uint64_t before)
{
	uint64_t rounds = 0;

	__asm__ volatile("1: incq %0; cmpq %2, %1; je 1b" : "+r"(rounds) : "m"(*count), "r"(before) : "cc", "memory");
	return 3 * rounds;
}

/* Cost of what ends with *count going up: asking for it, its delivery, and our handler. Interrupts are on. */
static uint64_t cost_until(const volatile uint64_t *count, void (*what)(void))
{
	uint64_t sum = 0;

	__asm__ volatile("sti");
	for (unsigned i = 0; i <= ROUNDS; i++) {
		uint64_t before = *count, start = rdtsc(), spun;

		what();
		spun = spin(count, before);
		if (i > 0) /* the first one is to warm up */
			sum += rdtsc() - start - spun;
	}
	__asm__ volatile("cli");
	return sum / ROUNDS;
}

/* One shot of the local APIC's timer. */
static void apic_timer(void)
{
	write_apic(0x380, AHEAD_NS);
}

/* --- event channels, of the 2-level ABI */

/** struct vcpu_time_info */
struct time_info {
	uint32_t version, pad;
	uint64_t tsc, system_time;
	uint32_t factor;
	int8_t shift;
	uint8_t flags, pad1[2];
};

/** struct shared_info, with vcpu_info of the first vCPU. */
static struct {
	uint8_t pending, mask, pad[6];
	uint64_t selector, arch[2];
	struct time_info time;
	uint8_t others[31][64];
	uint64_t ports[64], masks[64];
} volatile shared __attribute__((aligned(4096)));
_Static_assert(offsetof(__typeof__(shared), time) == 32 && offsetof(__typeof__(shared), ports) == 2048, "Xen's layout");

static volatile uint64_t events;
static uint32_t event_port;

static void take_events(void)
{
	uint64_t words;

	shared.pending = 0;
	words = __atomic_exchange_n(&shared.selector, 0, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < 64; i++) {
		if ((words >> i & 1) != 0)
			__atomic_exchange_n(&shared.ports[i], 0, __ATOMIC_SEQ_CST);
	}
	events++;
}

static bool set_up_events(void)
{
	struct {
		uint16_t domain, size;
		uint32_t space;
		uint64_t index, page;
	} map = { DOMID_SELF, 0, 0, 0, (uint64_t)&shared >> 12 };
	struct {
		uint16_t domain, pad;
		uint32_t index;
		uint64_t value;
	} callback = { DOMID_SELF, 0, 0, 2ull << 56 | UPCALL_VECTOR };

	on_upcall = take_events;
	return hypercall(MEMORY_OP, 7, (uint64_t)&map, 0, 0) == 0 &&
	       hypercall(HVM_OP, 0, (uint64_t)&callback, 0, 0) == 0;
}

/* EVTCHNOP_alloc_unbound for ourselves, then EVTCHNOP_bind_interdomain to that. */
static bool make_channel(void)
{
	struct {
		uint16_t domain, remote;
		uint32_t port;
	} alloc = { DOMID_SELF, DOMID_SELF, 0 };
	struct {
		uint16_t remote;
		uint32_t remote_port, local_port;
	} bind = { DOMID_SELF, 0, 0 };

	if (hypercall(EVENT_OP, 6, (uint64_t)&alloc, 0, 0) != 0)
		return false;
	bind.remote_port = alloc.port;
	if (hypercall(EVENT_OP, 0, (uint64_t)&bind, 0, 0) != 0)
		return false;
	event_port = bind.local_port;
	return true;
}

static void send_event(void)
{
	uint32_t port = event_port;

	hypercall(EVENT_OP, 4, (uint64_t)&port, 0, 0);
}

/* --- Xen's timer */

/* EVTCHNOP_bind_virq of VIRQ_TIMER */
static bool make_timer(void)
{
	struct {
		uint32_t virq, vcpu, port;
	} bind = { 0, 0, 0 };

	hypercall(VCPU_OP, 7, 0, 0, 0); /* VCPUOP_stop_periodic_timer: some have one from the start */
	return hypercall(EVENT_OP, 1, (uint64_t)&bind, 0, 0) == 0 && (shared.time.version & 1) == 0 &&
	       shared.time.factor != 0;
}

static uint64_t system_time(void)
{
	const volatile struct time_info *t = &shared.time;
	uint64_t ticks = rdtsc() - t->tsc;

	ticks = t->shift < 0 ? ticks >> -t->shift : ticks << t->shift;
	return t->system_time + (uint64_t)((unsigned __int128)ticks * t->factor >> 32);
}

/* VCPUOP_set_singleshot_timer */
static void xen_timer(void)
{
	struct {
		uint64_t at;
		uint32_t flags;
	} arg = { system_time() + AHEAD_NS, 0 };

	hypercall(VCPU_OP, 8, 0, (uint64_t)&arg, 0);
}

void costs(void)
{
	uint64_t loop = cost(nothing);

	print_number("cpuid ", cost(one_cpuid) - loop);
	set_up_apic();
	print_number("apic-timer ", cost_until(&interrupts, apic_timer));
	if (has_xen) {
		print_number("hypercall ", cost(null_hypercall) - loop);
		if (set_up_events() && make_channel())
			print_number("event ", cost_until(&events, send_event));
		if (make_timer())
			print_number("timer ", cost_until(&events, xen_timer));
	}
	print("costs are told\n");
}
