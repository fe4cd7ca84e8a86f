/* SPDX-License-Identifier: BSD-2-Clause */
/* The real source, with its accesses to shared memory in the explorer's hands. */
#include "tests/unit/explore.h"

#include "features/event-channels/evtchn.c"
