/* SPDX-License-Identifier: BSD-2-Clause */
/* A small disk in memory with a partition table, for the unit test and the fuzzer of partition.c. */
#ifndef TESTS_PARTITION_DISK_H
#define TESTS_PARTITION_DISK_H

#include <stdint.h>

#include "arch/x86_64/pc/disk/disk.h"

#define PARTITION_DISK_SIZE   65536u
#define PARTITION_DISK_SECTOR 512u
#define PARTITION_MBR         446u                  /**< where the first entry of the MBR is */
#define PARTITION_GPT         PARTITION_DISK_SECTOR /**< where the header of the GPT is */

/** Its bytes; tests change them. */
extern uint8_t partition_disk[PARTITION_DISK_SIZE];

/** Puts a little-endian number of up to 8 bytes there. */
void partition_disk_put(unsigned at, uint64_t value, unsigned size);

/** Makes the first entry of an MBR, and its signature. */
void partition_disk_make_mbr(uint8_t type, uint32_t first, uint32_t count);

/** Makes what says that there is a GPT: a protective MBR, and the signature and usual size of a header. */
void partition_disk_make_gpt(void);

/** Corrects the checksum of the header, which is 92 bytes and more, of the size that it says; of no other. */
void partition_disk_seal(void);

/** As partition_find() on this disk. */
int partition_disk_find(unsigned number, struct partition *out);

#endif
