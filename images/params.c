/* SPDX-License-Identifier: BSD-2-Clause */
/* The configured values that the core reads, as one constant object. */
#include <husk/params.h>

#include <config/COUNTER_HZ.h>
#include <config/LOG_LEVEL.h>
#include <config/NAME.h>
#include <config/RAM_MB.h>
#include <config/VCPUS.h>
#include <husk-build.h>

const struct params husk_params = {
	.version = HUSK_VERSION,
	.config = CONFIG_NAME,
	.ram_bytes = (uint64_t)CONFIG_RAM_MB << 20,
	.vcpus = CONFIG_VCPUS,
	.log_level = CONFIG_LOG_LEVEL,
	.counter_hz = CONFIG_COUNTER_HZ,
	.core_digest = HUSK_CORE_DIGEST,
};
