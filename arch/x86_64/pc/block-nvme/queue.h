/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NVMe queues: NVM Express Base Specification 1.4, whose section numbers these are.
 * Memory only; doorbells are addresses.
 */
#ifndef PC_NVME_QUEUE_H
#define PC_NVME_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <husk/io.h>

#define NVME_PAGE      4096u
#define NVME_QUEUE_MAX 128u

/** A command (4.2, figure 105). */
struct nvme_command {
	uint8_t opcode, flags;
	uint16_t id;
	uint32_t nsid;
	uint64_t reserved, metadata;
	uint64_t prp1, prp2;
	uint32_t dw10, dw11, dw12, dw13, dw14, dw15;
};

/** A completion (4.6). */
struct nvme_completion {
	uint32_t result, reserved;
	uint16_t sq_head, sq_id;
	uint16_t id;
	uint16_t status; /**< bit 0 phase, 15:1 status */
};

/** A pair of queues, with as many entries each. */
struct nvme_queue {
	struct nvme_command *commands; /**< NVME_PAGE aligned, as the next */
	volatile struct nvme_completion *completions;
	uint16_t size;
	uint16_t tail, head; /**< of commands: where the next goes; of completions: where the next comes */
	bool phase;          /**< that new completions have */
	volatile uint32_t *tail_doorbell, *head_doorbell;
};

/** Prepares empty queues over zeroed memory. */
void nvme_queue_init(struct nvme_queue *q, uint16_t size, void *commands, void *completions);

/** Adds a command; the caller sees to it that fewer than size - 1 are in flight. The device learns of it by a ring. */
void nvme_queue_add(struct nvme_queue *q, const struct nvme_command *c);

/** Tells the device of new commands. */
void nvme_queue_ring(struct nvme_queue *q);

/** Takes a completion. Returns false if there is none; else sets the command's id and its status, 0 if it went well. */
bool nvme_queue_take(struct nvme_queue *q, uint16_t *id, uint16_t *status);

/** Tells the device how far completions were taken: after some nvme_queue_take(). */
void nvme_queue_taken(struct nvme_queue *q);

/**
 * Sets PRPs (4.3) for segments of which all but the first start at pages and all but the last end there. `list` is a
 * page for more than two of them. Returns false if a page of pointers is not enough.
 */
bool nvme_set_prps(struct nvme_command *c, const struct io_vector *v, unsigned nr, uint64_t *list);

#endif
