/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timer model "periodic": a host tick that never stops compares the count with
 * the compare value. The count itself goes on with host time between ticks.
 */
#include <stddef.h>

#include <husk/feature.h>
#include <husk/timer.h>

#include <config/TIMER_TICK_HZ.h>

static struct guest_counter *counter_of(struct timer *t)
{
	return (struct guest_counter *)((char *)t - offsetof(struct guest_counter, timer));
}

/*
 * Ticks are the multiples of the period in host time, so that being late at one does not move the next, and
 * ticks that were missed altogether are left out.
 */
static void arm_next_tick(struct guest_counter *c)
{
	uint64_t ticks = timer_ns_to_ticks(plat_time_ns(), CONFIG_TIMER_TICK_HZ);

	timer_arm(c->vcpu, &c->timer, timer_ticks_to_ns(ticks + 1, CONFIG_TIMER_TICK_HZ));
}

static void deliver_if_due(struct guest_counter *c, uint64_t count)
{
	if (!c->armed || count < c->compare)
		return;
	c->armed = false;
	c->match(c);
}

static void on_tick(struct timer *t)
{
	struct guest_counter *c = counter_of(t);

	arm_next_tick(c);
	deliver_if_due(c, guest_counter_ticks(c));
}

static void periodic_start(struct guest_counter *c)
{
	c->timer.fire = on_tick;
	c->armed = false;
	guest_counter_set(c, 0);
	arm_next_tick(c);
}

static uint64_t periodic_read(struct guest_counter *c)
{
	uint64_t count = guest_counter_ticks(c);

	deliver_if_due(c, count);
	return count;
}

static void periodic_write(struct guest_counter *c, uint64_t count)
{
	guest_counter_set(c, count);
	deliver_if_due(c, count);
}

static void periodic_set_compare(struct guest_counter *c, uint64_t compare)
{
	c->compare = compare;
	c->armed = true;
	deliver_if_due(c, guest_counter_ticks(c));
}

static const struct timer_model periodic = {
	.name = "periodic",
	.start = periodic_start,
	.read = periodic_read,
	.write = periodic_write,
	.set_compare = periodic_set_compare,
};

HUSK_FEATURE(timer_periodic) = {
	.name = "timer-periodic",
	.purpose = "guest timers checked by a continuous host tick",
	.level = FEATURE_TIMER,
	.provides = &periodic,
};
