/* SPDX-License-Identifier: BSD-2-Clause */
/* A payload without a guest, for tests that only build and link: `make PAYLOAD=none`. */
#include <husk/payload.h>

const struct payload husk_payload = { .recipe = "none", .parts = NULL, .count = 0 };
