/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What drivers of real disks share. A request becomes one command or several, as the
 * device's limits have it. Memory that the device cannot take as it is goes through a
 * page of the command's own.
 */
#ifndef PC_DISK_H
#define PC_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/block.h>

#include "arch/x86_64/pc/pci/pci.h"

#define DISK_SLOTS    64u /**< commands in flight, at most */
#define DISK_SEGMENTS 128u
#define DISK_BOUNCE   4096u

struct disk;

/** A command in flight. */
struct disk_slot {
	struct block_request *request; /**< NULL: free */
	uint64_t at, size;             /**< which bytes of the request */
	uint8_t *bounce;               /**< DISK_BOUNCE bytes, page aligned */
	bool bounced;
	/** Memory of the command, for READ and WRITE. Addresses are physical as well as virtual. */
	struct io_vector segments[DISK_SEGMENTS];
	unsigned nr_segments;
};

/** What a driver does. */
struct disk_ops {
	/** Gives the device a command: slot `s` of the disk. It may wait for ring(). */
	void (*issue)(struct disk *d, unsigned s);
	/** Tells the device that there are commands. */
	void (*ring)(struct disk *d);
	/** Calls disk_ended() for each command that has ended. */
	void (*reap)(struct disk *d);
};

/** A disk. First member of a driver's own structure. */
struct disk {
	struct block block;
	const struct disk_ops *ops;
	struct vm *vm;
	uint64_t start;                 /**< byte where the partition starts */
	uint64_t max_bytes;             /**< of a READ or WRITE command */
	uint64_t max_discard, max_zero; /**< bytes of the other commands */
	unsigned max_segments;
	bool whole_pages; /**< all but the first segment start, and all but the last end, at pages; addresses are even (NVMe) */
	unsigned nr_slots;
	struct disk_slot *slots;
	struct block_request *pending, **pending_end; /**< not (wholly) issued */
	uint64_t at;                                  /**< bytes issued of the first of them */
	struct block_request *ended, **ended_end;
	unsigned in_flight; /**< commands */
	bool complained, dead;
};

/* disk.c */

extern const struct block_ops disk_block_ops;

/** Prepares slots; limits are set. Returns 0 or -ENOMEM. */
int disk_init(struct disk *d);

/** A command has ended: `failed` if the device says so. For reap(). */
void disk_ended(struct disk *d, unsigned s, bool failed);

/** Reads bytes, waiting for them. Returns 0 or -EIO. */
int disk_read(struct disk *d, uint64_t offset, void *buf, uint32_t size);

/* open.c */

/** What the words of a spec say. */
struct disk_spec {
	unsigned number;    /**< which device */
	unsigned partition; /**< 0: the whole disk */
	bool read_only;
};

/** Reads "N[,part=P][,readonly]". Returns 0 or -EINVAL after logging one line. */
int disk_parse(const char *spec, const char *arguments, struct disk_spec *out);

/** Finds the device. Returns 0, -ENODEV or -EBUSY after logging one line that calls it `what`. */
int disk_find(const char *spec, const struct disk_spec *wish, pci_match *match, const char *what, pci_address *out);

/** Makes an initialised disk what the spec says: partition, read-only. Returns 0 or a negative errno after logging. */
int disk_open(struct disk *d, const char *spec, const struct disk_spec *wish);

/* partition.c */

/** Reads bytes of a disk. Returns 0 or a negative errno. */
typedef int partition_read(void *ctx, uint64_t offset, void *buf, uint32_t size);

/** A partition, in bytes. */
struct partition {
	uint64_t start, size;
};

/**
 * Finds partition `number`, from 1 on, in a GPT or an MBR, of a disk of `size` bytes with sectors of `sector` bytes.
 * Returns 0, -ENOENT (no such one), -EINVAL (no table, or a damaged one), or what read() failed with.
 */
int partition_find(partition_read *read, void *ctx, uint64_t size, uint32_t sector, unsigned number,
		   struct partition *out);

#endif
