/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's shared object in every process: functions that need no system call. */
#ifndef HUSK_LINUX_VDSO_H
#define HUSK_LINUX_VDSO_H

/**
 * Address of the function `name` in the ELF image that the kernel mapped at `image` (AT_SYSINFO_EHDR), or
 * NULL if it has none. The image is the kernel's and trusted.
 */
const void *vdso_find(const void *image, const char *name);

#endif
