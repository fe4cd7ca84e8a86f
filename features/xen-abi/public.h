/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Xen's public headers (package libxen-dev, MIT), in the version that husk answers as. The build's own CPU chooses the
 * arch in them; 64-bit structures of x86 serve for every little-endian 64-bit guest, and layout.h has what differs for
 * callers with 32-bit words.
 */
#ifndef XEN_ABI_PUBLIC_H
#define XEN_ABI_PUBLIC_H

#define __XEN_INTERFACE_VERSION__ 0x00040e00

#include <stdint.h>

#include <xen/xen.h>

#include <xen/errno.h>

#endif
