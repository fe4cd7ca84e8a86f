/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of cores.c in images for one vCPU: there is nobody to hold. */
#include "features/machine-octeon/cores.h"

void octeon_cores_hold(struct octeon_cores *c, struct vm *vm)
{
	(void)c;
	(void)vm;
}

void octeon_cores_release(struct octeon_cores *c)
{
	(void)c;
}
