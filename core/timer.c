/* SPDX-License-Identifier: BSD-2-Clause */
/* The queues of host timers and of instruction counts of a vCPU, and the arithmetic of guest counters. */
#include <stddef.h>

#include <husk/platform.h>
#include <husk/timer.h>
#include <husk/vcpu.h>

#define NS_PER_S 1000000000u

static uint64_t earliest(const struct timer_queue *q)
{
	return q->first != NULL ? q->first->deadline : TIMER_NEVER;
}

static void dequeue(struct timer_queue *q, struct timer *t)
{
	struct timer **at = &q->first;

	while (*at != NULL && *at != t)
		at = &(*at)->next;
	if (*at != NULL)
		*at = t->next;
	t->next = NULL;
	t->armed = false;
}

/** Puts t behind all timers that are due no later. */
static void enqueue(struct timer_queue *q, struct timer *t)
{
	struct timer **at = &q->first;

	while (*at != NULL && (*at)->deadline <= t->deadline)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	t->armed = true;
}

/** Gives the lock of the queue back, and tells the host about the earliest deadline if it is not `before` any more. */
static void unlock(struct vcpu *vcpu, uint64_t before)
{
	struct timer_queue *q = &vcpu->timers;
	uint64_t now = earliest(q);
	bool changed = !q->running && now != before;

	smp_unlock(&q->lock);
	if (changed)
		smp_deadline(vcpu, now);
}

void timer_arm(struct vcpu *vcpu, struct timer *t, uint64_t deadline)
{
	struct timer_queue *q = &vcpu->timers;
	uint64_t before;

	smp_lock(&q->lock);
	before = earliest(q);
	if (t->armed)
		dequeue(q, t);
	t->deadline = deadline;
	if (deadline != TIMER_NEVER)
		enqueue(q, t);
	unlock(vcpu, before);
}

void timer_disarm(struct vcpu *vcpu, struct timer *t)
{
	struct timer_queue *q = &vcpu->timers;
	uint64_t before;

	if (!t->armed)
		return;
	smp_lock(&q->lock);
	before = earliest(q);
	dequeue(q, t);
	unlock(vcpu, before);
}

void timer_disarm_guest(struct vcpu *vcpu)
{
	struct timer_queue *q = &vcpu->timers;
	struct timer *next;
	uint64_t before;

	smp_lock(&q->lock);
	before = earliest(q);
	for (struct timer *t = q->first; t != NULL; t = next) {
		next = t->next;
		if (!t->keep)
			dequeue(q, t);
	}
	unlock(vcpu, before);
}

static unsigned count_due(const struct timer_queue *q, uint64_t now)
{
	unsigned n = 0;

	for (const struct timer *t = q->first; t != NULL && t->deadline <= now; t = t->next)
		n++;
	return n;
}

/** Takes the first timer out of the queue if it is due, else returns NULL. */
static struct timer *take_due(struct timer_queue *q, uint64_t now)
{
	struct timer *t = q->first;

	if (earliest(q) > now)
		return NULL;
	dequeue(q, t);
	return t;
}

void timer_run_due(struct vcpu *vcpu)
{
	struct timer_queue *q = &vcpu->timers;
	uint64_t now = plat_time_ns(), next;
	struct timer *t;
	unsigned due;

	smp_lock(&q->lock);
	q->running = true;
	for (due = count_due(q, now); due > 0 && (t = take_due(q, now)) != NULL; due--) {
		smp_unlock(&q->lock);
		t->fire(t);
		smp_lock(&q->lock);
	}
	q->running = false;
	next = earliest(q);
	smp_unlock(&q->lock);
	/* The host's deadline has passed, or it woke us early: in both cases it wants to be told again. */
	if (next != TIMER_NEVER)
		smp_deadline(vcpu, next);
}

void vcpu_stop_clear(struct vcpu *v, struct vcpu_stop *s)
{
	struct vcpu_stop **at = &v->stops;

	if (!s->set)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->set = false;
}

void vcpu_stop_set(struct vcpu *v, struct vcpu_stop *s, uint64_t at)
{
	struct vcpu_stop **link = &v->stops;

	vcpu_stop_clear(v, s);
	s->at = at;
	while (*link != NULL && (*link)->at <= at)
		link = &(*link)->next;
	s->next = *link;
	*link = s;
	s->set = true;
}

void vcpu_run_stops(struct vcpu *v)
{
	while (v->stops != NULL && v->stops->at <= v->instructions) {
		struct vcpu_stop *s = v->stops;

		vcpu_stop_clear(v, s);
		s->reached(s);
	}
}

uint64_t timer_ns_to_ticks(uint64_t ns, uint64_t hz)
{
	/* Seconds and rest apart keep each product in 64 bits; compilers divide by a constant by multiplying. */
	uint64_t seconds = ns / NS_PER_S;
	uint64_t rest = ns % NS_PER_S;

	return seconds * hz + rest * hz / NS_PER_S;
}

uint64_t timer_ticks_to_ns(uint64_t ticks, uint64_t hz)
{
	uint64_t seconds, rest, ns;

	if (hz == 0)
		return TIMER_NEVER;
	seconds = ticks / hz;
	rest = (ticks % hz * NS_PER_S + hz - 1) / hz;
	if (__builtin_mul_overflow(seconds, (uint64_t)NS_PER_S, &ns) || __builtin_add_overflow(ns, rest, &ns))
		return TIMER_NEVER;
	return ns;
}
