/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages in an image for one vCPU: all are its own. */
#include "features/local-apic/local_apic.h"

void local_apic_raise(struct local_apic *a, uint8_t vector, bool level)
{
	local_apic_raise_own(a, vector, level);
}

void local_apic_receive(struct local_apic *a, const struct local_apic_message *m)
{
	local_apic_receive_own(a, m);
}
