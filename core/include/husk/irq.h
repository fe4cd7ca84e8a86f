/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt lines: from a device's output to an input of a controller or a vCPU. */
#ifndef HUSK_IRQ_H
#define HUSK_IRQ_H

#include <stdbool.h>
#include <stddef.h>

/** Called when the level of input `n` changes. */
typedef void irq_input(void *controller, unsigned n, bool level);

/** One wire. A device owns it and drives it; the machine connects it. Zero-initialised is not connected. */
struct irq_line {
	irq_input *input;
	void *controller;
	unsigned n;
	bool level; /**< as driven last */
};

/** Connects a line to input n of a controller; its level starts low. */
static inline void irq_connect(struct irq_line *line, irq_input *input, void *controller, unsigned n)
{
	*line = (struct irq_line){ .input = input, .controller = controller, .n = n };
}

/** Drives the line; tells the controller only of changes. */
static inline void irq_set(struct irq_line *line, bool level)
{
	if (line->level == level)
		return;
	line->level = level;
	if (line->input != NULL)
		line->input(line->controller, line->n, level);
}

/** Several lines on one input: it is high while any of them is. Zero-initialised, `out` connected. */
struct irq_shared {
	struct irq_line out;
	unsigned high; /**< lines that are high now */
};

/** The irq_input of a struct irq_shared, the controller; `n` is of no meaning. For lines that start low. */
static inline void irq_shared_input(void *controller, unsigned n, bool level)
{
	struct irq_shared *shared = (struct irq_shared *)controller;

	(void)n;
	shared->high += level ? 1u : -1u;
	irq_set(&shared->out, shared->high != 0);
}

#endif
