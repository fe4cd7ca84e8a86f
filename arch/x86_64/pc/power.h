/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways to switch the computer off. */
#ifndef PC_POWER_H
#define PC_POWER_H

#include "arch/x86_64/pc/acpi.h"

/** Remembers what ACPI told about power control; plat_exit() uses it. */
void power_init(const struct acpi_info *acpi);

#endif
