/* SPDX-License-Identifier: BSD-2-Clause */
/* See queue.h. */
#include "arch/x86_64/pc/block-nvme/queue.h"

#define LIST_MAX (NVME_PAGE / sizeof(uint64_t))

_Static_assert(sizeof(struct nvme_command) == 64, "figure 105");
_Static_assert(sizeof(struct nvme_completion) == 16, "figure 121");

void nvme_queue_init(struct nvme_queue *q, uint16_t size, void *commands, void *completions)
{
	*q = (struct nvme_queue){ .commands = commands, .completions = completions, .size = size, .phase = true };
}

void nvme_queue_add(struct nvme_queue *q, const struct nvme_command *c)
{
	q->commands[q->tail] = *c;
	q->tail = (uint16_t)(q->tail + 1 == q->size ? 0 : q->tail + 1);
}

void nvme_queue_ring(struct nvme_queue *q)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*q->tail_doorbell = q->tail;
}

bool nvme_queue_take(struct nvme_queue *q, uint16_t *id, uint16_t *status)
{
	volatile struct nvme_completion *c = &q->completions[q->head];
	uint16_t word = c->status;

	if ((word & 1) != q->phase)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	*id = c->id;
	*status = word >> 1 & 0x7ff; /* 4.6.1: code and type */
	q->head++;
	if (q->head == q->size) {
		q->head = 0;
		q->phase = !q->phase;
	}
	return true;
}

void nvme_queue_taken(struct nvme_queue *q)
{
	*q->head_doorbell = q->head;
}

bool nvme_set_prps(struct nvme_command *c, const struct io_vector *v, unsigned nr, uint64_t *list)
{
	unsigned count = 0;

	c->prp1 = (uintptr_t)v[0].base;
	for (unsigned i = 0; i < nr; i++) {
		uint64_t end = (uintptr_t)v[i].base + v[i].size;
		/* The first pointer goes to the middle of a page, and is not on the list. */
		uint64_t at = i == 0 ? (c->prp1 | (NVME_PAGE - 1)) + 1 : (uintptr_t)v[i].base;

		for (; at < end; at += NVME_PAGE) {
			if (count == LIST_MAX)
				return false;
			list[count++] = at;
		}
	}
	c->prp2 = count > 1 ? (uintptr_t)list : count == 1 ? list[0] : 0;
	return true;
}
