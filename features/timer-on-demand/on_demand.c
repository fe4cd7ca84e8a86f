/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timer model "on-demand": the count is host time scaled to the counter's rate,
 * computed whenever it is read, and an armed compare is one host deadline.
 */
#include <stddef.h>

#include <husk/feature.h>
#include <husk/timer.h>

static struct guest_counter *counter_of(struct timer *t)
{
	return (struct guest_counter *)((char *)t - offsetof(struct guest_counter, timer));
}

/*
 * The host timer may still be armed when a reader delivers the match: disarming costs a system call on some
 * hosts, and the deadline is due anyway; on_fire() then finds nothing to do.
 */
static void deliver(struct guest_counter *c)
{
	c->armed = false;
	c->match(c);
}

/* Arms the host for the armed compare, which is `remaining` ticks away, in whole ticks and so never early. */
static void arm(struct guest_counter *c, uint64_t count)
{
	uint64_t remaining = c->compare - count;
	uint64_t scaled = count - c->offset;
	uint64_t deadline = TIMER_NEVER;

	if (remaining <= UINT64_MAX - scaled)
		deadline = timer_ticks_to_ns(scaled + remaining, c->hz);
	if (deadline == TIMER_NEVER)
		timer_disarm(c->vcpu, &c->timer);
	else
		timer_arm(c->vcpu, &c->timer, deadline);
}

static void arm_or_deliver(struct guest_counter *c)
{
	uint64_t count = guest_counter_ticks(c);

	if (count >= c->compare)
		deliver(c);
	else
		arm(c, count);
}

/* A host deadline may be rounded to the host's own timer ticks; one that came early is armed again. */
static void on_fire(struct timer *t)
{
	struct guest_counter *c = counter_of(t);

	if (c->armed)
		arm_or_deliver(c);
}

static void on_demand_start(struct guest_counter *c)
{
	timer_disarm(c->vcpu, &c->timer);
	c->timer.fire = on_fire;
	c->armed = false;
	guest_counter_set(c, 0);
}

static uint64_t on_demand_read(struct guest_counter *c)
{
	uint64_t count = guest_counter_ticks(c);

	if (__builtin_expect(c->armed && count >= c->compare, 0))
		deliver(c);
	return count;
}

static void on_demand_write(struct guest_counter *c, uint64_t count)
{
	guest_counter_set(c, count);
	if (c->armed)
		arm_or_deliver(c);
}

static void on_demand_set_compare(struct guest_counter *c, uint64_t compare)
{
	c->compare = compare;
	c->armed = true;
	arm_or_deliver(c);
}

static const struct timer_model on_demand = {
	.name = "on-demand",
	.start = on_demand_start,
	.read = on_demand_read,
	.write = on_demand_write,
	.set_compare = on_demand_set_compare,
};

HUSK_FEATURE(timer_on_demand) = {
	.name = "timer-on-demand",
	.purpose = "guest counter computed when read, one host deadline per compare",
	.level = FEATURE_TIMER,
	.provides = &on_demand,
};
