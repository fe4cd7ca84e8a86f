/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs that the guest has for itself: the hardware switches them, and access does not exit. */
#ifndef HVM_MSR_H
#define HVM_MSR_H

#include <stdint.h>

/* Intel SDM volume 4, tables 2-2 and 35-2; APM 2, appendix A */
#define MSR_TSC            0x10u
#define MSR_SYSENTER_CS    0x174u
#define MSR_SYSENTER_ESP   0x175u
#define MSR_SYSENTER_EIP   0x176u
#define MSR_PAT            0x277u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u

#define HVM_DIRECT_MSRS 12u

/** Those that are read and written without exits. MSR_TSC is read so. */
extern const uint32_t hvm_direct_msrs[HVM_DIRECT_MSRS];

#endif
