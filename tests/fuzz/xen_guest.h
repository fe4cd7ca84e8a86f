/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile Xen guest: bytes of the fuzzer's input, taken one after the other, say what it does. Included by the fuzzers
 * of hypercalls and event channels.
 */
#ifndef TESTS_FUZZ_XEN_GUEST_H
#define TESTS_FUZZ_XEN_GUEST_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "features/event-channels/evtchn.h"
#include "features/timer-pv/timer_pv.h"
#include "features/xen-console/xen_console.h"
#include "tests/unit/fake_platform.h"
#include "tests/unit/xen_fixture.h"

/** Pages that the guest shares, so that it can write nonsense to them. */
#define SHARED_GFN  5u
#define ARRAY_GFN   6u
#define CONTROL_GFN 7u

static const uint8_t *input;
static size_t input_left;

/** The next byte of the input; 0 when there is none. */
static inline uint8_t next_byte(void)
{
	if (input_left == 0)
		return 0;
	input_left--;
	return *input++;
}

static inline uint32_t next_word(void)
{
	uint32_t value = next_byte();

	return value | (uint32_t)next_byte() << 8 | (uint32_t)next_byte() << 16 | (uint32_t)next_byte() << 24;
}

/** A value that is likely to be near something: small, a page number, the highest of some width, or anything. */
static inline uint64_t next_value(void)
{
	uint8_t kind = next_byte();

	switch (kind % 8) {
	case 0: return kind / 8;
	case 1: return next_byte();
	case 2: return next_byte() * 64u + next_byte();
	case 3: return UINT32_MAX - kind / 8;
	case 4: return UINT64_MAX - kind / 8;
	case 5: return (XEN_SPECIAL_GPA >> 12) + kind / 8;
	case 6: return fake_now + next_word();
	default: return next_word() | (uint64_t)next_word() << 32;
	}
}

/** Writes to a page that is shared, or anywhere in the first pages of RAM. */
static inline void write_memory(void)
{
	static const uint8_t pages[] = { SHARED_GFN, ARRAY_GFN, CONTROL_GFN, 8 };
	uint8_t *page = xen_ram((uint64_t)pages[next_byte() % sizeof(pages)] << 12);
	unsigned at = (next_byte() * 16u + next_byte()) % 4096;
	unsigned size = next_byte() % 64, pattern = next_byte();

	for (unsigned i = 0; i < size && at + i < 4096; i++)
		page[at + i] = (uint8_t)(pattern < 0x80 ? next_byte() : pattern);
}

/** Ends the run of the fuzzer if a rule is broken. */
static inline void require(bool ok)
{
	if (!ok)
		abort();
}

/** What is true between any two calls. */
static inline void check_domain(void)
{
	const struct evtchn_domain *e = evtchn_domain(&xen_vm);

	for (unsigned port = 0; port < EVTCHN_PORTS; port++) {
		const struct evtchn *ch = &e->ports[port];

		require(ch->state <= EVTCHN_IPI && ch->vcpu < xen_vm.nr_vcpus && ch->remote <= UINT16_MAX);
		if (ch->state == EVTCHN_INTERDOMAIN && ch->backend == NULL)
			require(e->ports[ch->remote].state == EVTCHN_INTERDOMAIN &&
				e->ports[ch->remote].remote == port);
		if (ch->state == EVTCHN_INTERDOMAIN && ch->backend != NULL)
			require(ch->backend->port == port);
		if (ch->state == EVTCHN_VIRQ)
			require(e->virq_ports[ch->virq_vcpu][ch->virq] == port);
	}
	for (unsigned v = 0; v < XEN_VCPUS; v++) {
		for (unsigned virq = 0; virq < EVTCHN_VIRQS; virq++)
			require(e->virq_ports[v][virq] == 0 || e->ports[e->virq_ports[v][virq]].state == EVTCHN_VIRQ);
	}
}

/** A call, repeated while it is not done; what it answers has to be a result or an error number. */
static inline void call(unsigned v, uint64_t nr, const uint64_t args[HYPERCALL_ARGS])
{
	uint64_t now[HYPERCALL_ARGS];

	memcpy(now, args, sizeof(now));
	for (unsigned i = 0; i < 20; i++) {
		int64_t result = xen_call_args(v, nr, now);

		require(xen_last.again || result >= -200);
		require(xen_last.nr == nr);
		if (!xen_last.again)
			return;
		memcpy(now, xen_last.args, sizeof(now));
	}
}

/** Time goes on, input comes, the guest is started again. */
static inline void let_things_happen(void)
{
	uint8_t what = next_byte();

	switch (what % 8) {
	case 0: xen_pass((uint64_t)what << 16); break;
	case 1:
		if (fake_input_left() < 1000)
			fake_input("0123456789", 10);
		console_poll(&xen_vm.console);
		break;
	case 2: evtchn_raise_virq(&xen_vcpus[what / 8 % XEN_VCPUS], what / 8 % EVTCHN_VIRQS); break;
	case 3: xen_vm.idle(&xen_vcpus[0], (what & 0x80) != 0); break;
	case 4: xen_vcpus[0].attention = what & 0x80 ? ATTN_IRQ : 0; break;
	case 5:
		if (what > 0xf0)
			xen_restart();
		break;
	default: break;
	}
}

#endif
