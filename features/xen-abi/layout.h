/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structures that depend on the guest's word: bytes of its long and pointers, 4 or 8. struct vcpu_info is 64 bytes and
 * has the time at the same place for both (xen.h, xen-x86_32.h, xen-x86_64.h).
 */
#ifndef XEN_ABI_LAYOUT_H
#define XEN_ABI_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "features/xen-abi/public.h"

#define XEN_VCPU_INFO_SIZE 64u

_Static_assert(sizeof(struct vcpu_info) == XEN_VCPU_INFO_SIZE, "the guest's layout of struct vcpu_info");
_Static_assert(sizeof(struct vcpu_time_info) == 32, "the guest's layout of struct vcpu_time_info");

/** Bits of a word of evtchn_pending, evtchn_mask and evtchn_pending_sel. */
static inline unsigned xen_word_bits(unsigned word)
{
	return word * 8;
}

/** Bytes of shared_info.evtchn_pending, and of evtchn_mask: as many words as a word has bits. */
static inline unsigned xen_bitmap_size(unsigned word)
{
	return xen_word_bits(word) * word;
}

/** Offset of shared_info.evtchn_pending. */
static inline unsigned xen_pending_offset(void)
{
	return XEN_LEGACY_MAX_VCPUS * XEN_VCPU_INFO_SIZE;
}

/** Offset of shared_info.evtchn_mask. */
static inline unsigned xen_mask_offset(unsigned word)
{
	return xen_pending_offset() + xen_bitmap_size(word);
}

/** Offset of shared_info.wc_version, with wc_sec and wc_nsec behind it. */
static inline unsigned xen_wallclock_offset(unsigned word)
{
	return xen_pending_offset() + 2 * xen_bitmap_size(word);
}

/** Offset of the high half of the seconds: behind wc_nsec, or for 32 bits behind six words of arch_shared_info. */
static inline unsigned xen_wallclock_high_offset(unsigned word)
{
	return xen_wallclock_offset(word) + 3 * (unsigned)sizeof(uint32_t) + (word == 4 ? 6 * word : 0);
}

_Static_assert(offsetof(struct shared_info, evtchn_pending) == XEN_LEGACY_MAX_VCPUS * XEN_VCPU_INFO_SIZE &&
		       offsetof(struct shared_info, wc_version) ==
			       XEN_LEGACY_MAX_VCPUS * XEN_VCPU_INFO_SIZE + 2 * 64 * 8 &&
		       offsetof(struct shared_info, wc_sec_hi) == offsetof(struct shared_info, wc_version) + 12,
	       "the guest's layout of struct shared_info");

#endif
