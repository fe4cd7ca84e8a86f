/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timer model "icount": the count is the number of guest instructions executed, plus
 * what was skipped while the guest waited, and a match stops the vCPU at its instruction.
 */
#include <stddef.h>

#include <husk/feature.h>
#include <husk/timer.h>
#include <husk/vcpu.h>

static struct guest_counter *counter_of(struct vcpu_stop *s)
{
	return (struct guest_counter *)((char *)s - offsetof(struct guest_counter, stop));
}

static uint64_t ticks(const struct guest_counter *c)
{
	return c->vcpu->instructions + c->vcpu->passed + c->offset;
}

static void set_ticks(struct guest_counter *c, uint64_t count)
{
	c->offset = count - c->vcpu->instructions - c->vcpu->passed;
}

static void on_reached(struct vcpu_stop *s)
{
	struct guest_counter *c = counter_of(s);

	c->armed = false;
	c->match(c);
}

/* Stops at the instruction at which the armed compare is reached: now, if it is past. One out of reach never comes. */
static void arm(struct guest_counter *c)
{
	uint64_t now = ticks(c), remaining = c->compare > now ? c->compare - now : 0;

	if (remaining > UINT64_MAX - c->vcpu->instructions)
		vcpu_stop_clear(c->vcpu, &c->stop);
	else
		vcpu_stop_set(c->vcpu, &c->stop, c->vcpu->instructions + remaining);
}

static void icount_start(struct guest_counter *c)
{
	vcpu_stop_clear(c->vcpu, &c->stop);
	c->stop.reached = on_reached;
	c->armed = false;
	set_ticks(c, 0);
}

static uint64_t icount_read(struct guest_counter *c)
{
	return ticks(c);
}

static void icount_write(struct guest_counter *c, uint64_t count)
{
	set_ticks(c, count);
	if (c->armed)
		arm(c);
}

static void icount_set_compare(struct guest_counter *c, uint64_t compare)
{
	c->compare = compare;
	c->armed = true;
	arm(c);
}

static uint64_t icount_until_match(const struct vcpu *v)
{
	for (const struct vcpu_stop *s = v->stops; s != NULL; s = s->next)
		if (s->reached == on_reached)
			return s->at > v->instructions ? s->at - v->instructions : 0;
	return UINT64_MAX;
}

/* Matches come nearer; stops of tools stay where they are. */
static void icount_pass(struct vcpu *v, uint64_t n)
{
	v->passed += n;
	for (struct vcpu_stop *s = v->stops, *next; s != NULL; s = next) {
		next = s->next; /* s only moves forward */
		if (s->reached == on_reached)
			vcpu_stop_set(v, s, s->at - n);
	}
}

static bool icount_skip_idle(struct vcpu *v)
{
	uint64_t n = icount_until_match(v);

	if (n == UINT64_MAX)
		return false;
	icount_pass(v, n);
	return true;
}

static const struct timer_model icount = {
	.name = "icount",
	.by_instructions = true,
	.start = icount_start,
	.read = icount_read,
	.write = icount_write,
	.set_compare = icount_set_compare,
	.skip_idle = icount_skip_idle,
	.until_match = icount_until_match,
	.pass = icount_pass,
};

HUSK_FEATURE(timer_icount) = {
	.name = "timer-icount",
	.purpose = "guest counter goes by instructions executed: deterministic",
	.level = FEATURE_TIMER,
	.provides = &icount,
};
