/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/pc/clock.h"

#include <stddef.h>

#include <husk/log.h>
#include <husk/platform.h>

#include "arch/x86_64/pc/apic.h"
#include "arch/x86_64/pc/cpu.h"
#include "arch/x86_64/pc/memory.h"
#include "arch/x86_64/pc/serial.h"
#include "arch/x86_64/pc/x86.h"

#define NS_PER_S 1000000000ull

/* The timer is armed for at most this long and then again, so that no count overflows. */
#define LONGEST_NS NS_PER_S
#define POLL_NS    1000000ull /* a FIFO of 16 bytes fills in 1.4 ms */

#define CPUID_FEATURES_ECX_DEADLINE (1u << 24)

static struct {
	uint64_t start; /* TSC at time 0 */
	uint64_t tsc_hz;
	uint64_t ns_scale; /* nanoseconds per tick, 32.32 bits */
	uint64_t timer_hz;
	const char *source;
	void (*poll[CLOCK_POLLERS])(void);
	unsigned nr_polls;
	const struct pc_cpu *poller; /* the CPU that does */
	uint64_t wall_ns;            /* wall clock at time 0, or 0 */
} host_clock;

/* --- rate of the TSC: as the CPU or the hypervisor tells, else measured */

/* Intel SDM 2A, CPUID leaf 15H: TSC / crystal = EBX / EAX, crystal in ECX. */
static uint64_t hz_from_cpu(void)
{
	struct cpuid r;

	if (cpuid(0, 0).eax < 0x15)
		return 0;
	r = cpuid(0x15, 0);
	if (r.eax == 0 || r.ebx == 0 || r.ecx == 0)
		return 0;
	return (uint64_t)r.ecx * r.ebx / r.eax;
}

/* Leaf 0x40000010, EAX = kHz, as VMware defined it and KVM monitors copy it. */
static uint64_t hz_from_hypervisor(void)
{
	struct cpuid top;

	if ((cpuid(1, 0).ecx & 1u << 31) == 0)
		return 0;
	top = cpuid(0x40000000, 0);
	if (top.eax >= 0x40000010 && top.eax < 0x40010000)
		return cpuid(0x40000010, 0).eax * 1000ull;
	/* "XenVMMXenVMM": base + 3, subleaf 0, ECX = kHz (Xen, public/arch-x86/cpuid.h). */
	if (top.ebx == 0x566e6558 && top.ecx == 0x65584d4d && top.eax >= 0x40000003)
		return cpuid(0x40000003, 0).ecx * 1000ull;
	return 0;
}

/* A counter of known rate. */
struct reference {
	uint32_t (*read)(void);
	uint32_t mask;
	uint64_t hz;
};

/* ACPI 6.4, 4.8.3.3 */
static struct acpi_register pm_timer;

static uint32_t read_pm_timer(void)
{
	return pm_timer.space == ACPI_SPACE_IO ? in32((uint16_t)pm_timer.address) : mmio_read32(pm_timer.address);
}

/* Intel 8254 data sheet; its channel 2 is gated by port 0x61, bit 0. */
#define PIT_CHANNEL2 0x42u
#define PIT_CONTROL  0x43u
#define PIT_GATE     0x61u

static void pit_start(void)
{
	out8(PIT_GATE, (uint8_t)((in8(PIT_GATE) & ~2u) | 1u));
	out8(PIT_CONTROL, 0xb4); /* channel 2, both bytes, mode 2 */
	out8(PIT_CHANNEL2, 0);
	out8(PIT_CHANNEL2, 0);
}

static uint32_t read_pit(void)
{
	uint32_t low;

	out8(PIT_CONTROL, 0x80); /* latch */
	low = in8(PIT_CHANNEL2);
	return ~(low | (uint32_t)in8(PIT_CHANNEL2) << 8) & 0xffff;
}

static uint32_t read_timer(void)
{
	return ~apic_timer_left();
}

/* Both counters at one time. */
struct instant {
	uint64_t tsc;
	uint32_t count;
};

/* As nearly at the same time as a few attempts give. */
static struct instant read_both(const struct reference *ref)
{
	struct instant now = { 0 };
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t before = rdtsc();
		uint32_t c = ref->read();
		uint64_t took = rdtsc() - before;

		if (took >= best)
			continue;
		best = took;
		now = (struct instant){ .tsc = before + took / 2, .count = c };
	}
	return now;
}

/* Reads both when the reference has counted `want` since `from`. False if it stands still. */
static bool wait_for(const struct reference *ref, const struct instant *from, uint32_t want, struct instant *out)
{
	for (unsigned n = 0; ((ref->read() - from->count) & ref->mask) < want; n++) {
		if (n > 1000000)
			return false;
		cpu_relax();
	}
	*out = read_both(ref);
	return true;
}

/* TSC ticks while the reference counts `scale`. */
static uint64_t rate(const struct reference *ref, const struct instant *from, const struct instant *to, uint64_t scale)
{
	uint32_t elapsed = (to->count - from->count) & ref->mask;

	return elapsed == 0 ? 0 : (to->tsc - from->tsc) * scale / elapsed;
}

/* TSC ticks while the reference counts `want`, scaled; 0 if it stands still. */
static uint64_t ticks_per(const struct reference *ref, uint32_t want, uint64_t scale)
{
	struct instant from = read_both(ref), to;

	return wait_for(ref, &from, want, &to) ? rate(ref, &from, &to, scale) : 0;
}

#define WINDOWS_PER_S 250u
#define WINDOWS_MAX   15u

/*
 * Measures until two windows of 4 ms agree within 0.1 %, and takes the rate over both: a host that takes the CPU away
 * may let a short counter wrap unseen, which looks like a faster TSC. Otherwise the slowest is nearest to the truth.
 */
static uint64_t measure(const struct reference *ref)
{
	uint32_t want = (uint32_t)(ref->hz / WINDOWS_PER_S);
	struct instant a = read_both(ref), b, c;
	uint64_t least, hz;

	if (!wait_for(ref, &a, want, &b))
		return 0;
	least = rate(ref, &a, &b, ref->hz);
	for (unsigned i = 0; i < WINDOWS_MAX; i++) {
		uint64_t before = rate(ref, &a, &b, ref->hz);

		if (!wait_for(ref, &b, want, &c))
			return 0;
		hz = rate(ref, &b, &c, ref->hz);
		if ((hz > before ? hz - before : before - hz) <= hz / 1000)
			return rate(ref, &a, &c, ref->hz);
		if (hz < least)
			least = hz;
		a = b;
		b = c;
	}
	return least;
}

static uint64_t hz_from_pm_timer(const struct acpi_info *acpi)
{
	const struct reference ref = { .read = read_pm_timer,
				       .mask = acpi->pm_timer_32 ? UINT32_MAX : 0xffffff,
				       .hz = 3579545 };

	pm_timer = acpi->pm_timer;
	if (pm_timer.address == 0 || (pm_timer.space == ACPI_SPACE_MEMORY && memory_map_device(pm_timer.address) != 0))
		return 0;
	return measure(&ref);
}

static uint64_t hz_from_pit(void)
{
	const struct reference ref = { .read = read_pit, .mask = 0xffff, .hz = 1193182 };
	uint64_t hz;

	pit_start();
	hz = measure(&ref);
	out8(PIT_GATE, (uint8_t)(in8(PIT_GATE) & ~3u));
	return hz;
}

/* TSC at the next change of the CMOS clock's seconds; 0 if they stand still. */
static uint64_t rtc_edge(void)
{
	uint8_t now = rtc_register(0);

	for (unsigned n = 0; n < 10000000; n++)
		if (rtc_register(0) != now)
			return rdtsc();
	return 0;
}

/* The last resort: takes up to two seconds. */
static uint64_t hz_from_rtc(void)
{
	uint64_t first = rtc_edge();
	uint64_t second = first != 0 ? rtc_edge() : 0;

	return second != 0 ? second - first : 0;
}

static void find_tsc_rate(const struct acpi_info *acpi)
{
	host_clock.source = "CPUID";
	host_clock.tsc_hz = hz_from_cpu();
	if (host_clock.tsc_hz == 0) {
		host_clock.source = "the hypervisor";
		host_clock.tsc_hz = hz_from_hypervisor();
	}
	if (host_clock.tsc_hz == 0) {
		host_clock.source = "the ACPI timer";
		host_clock.tsc_hz = hz_from_pm_timer(acpi);
	}
	if (host_clock.tsc_hz == 0) {
		host_clock.source = "the PIT";
		host_clock.tsc_hz = hz_from_pit();
	}
	if (host_clock.tsc_hz == 0) {
		host_clock.source = "the CMOS clock";
		host_clock.tsc_hz = hz_from_rtc();
	}
	/* The scale below has to fit into 64 bits, and a nanosecond should be near a tick. */
	if (host_clock.tsc_hz < 10000000 || host_clock.tsc_hz > 10 * NS_PER_S) {
		log_error("cannot tell how fast the TSC runs: no CPUID leaf, ACPI timer, PIT or CMOS clock does");
		plat_exit(HUSK_EXIT_HOST);
	}
}

void clock_init(const struct acpi_info *acpi)
{
	static const struct reference timer = { .read = read_timer, .mask = UINT32_MAX, .hz = 0 };
	uint64_t start = rdtsc();
	uint64_t wall = rtc_read(acpi->century);

	find_tsc_rate(acpi);
	host_clock.ns_scale = (NS_PER_S << 32) / host_clock.tsc_hz;
	host_clock.start = start;
	host_clock.wall_ns = wall * NS_PER_S;
	if ((cpuid(1, 0).ecx & CPUID_FEATURES_ECX_DEADLINE) != 0) {
		apic_timer_use_deadline();
		return;
	}
	apic_timer_calibrate();
	/* Ticks of the TSC per 2^20 of the timer; 2^20 take 1 ms on QEMU, 10 ms at 100 MHz. */
	host_clock.timer_hz = ticks_per(&timer, 1u << 20, 1u << 20);
	if (host_clock.timer_hz != 0)
		host_clock.timer_hz = (host_clock.tsc_hz << 20) / host_clock.timer_hz;
	apic_timer_start(0);
	if (host_clock.timer_hz < 1000 || host_clock.timer_hz > 10 * NS_PER_S) {
		log_error("the local APIC's timer does not run");
		plat_exit(HUSK_EXIT_HOST);
	}
}

void clock_init_cpu(void)
{
	if (host_clock.timer_hz == 0) {
		apic_timer_use_deadline();
		return;
	}
	apic_timer_calibrate(); /* the divisor */
	apic_timer_start(0);
}

struct clock_facts clock_facts(void)
{
	return (struct clock_facts){ .source = host_clock.source,
				     .tsc_hz = host_clock.tsc_hz,
				     .timer_hz = host_clock.timer_hz };
}

uint64_t plat_time_ns(void)
{
	return (uint64_t)((unsigned __int128)(rdtsc() - host_clock.start) * host_clock.ns_scale >> 32);
}

bool plat_time_scale(struct plat_time_scale *out)
{
	*out = (struct plat_time_scale){ .zero = host_clock.start, .ns_per_tick = host_clock.ns_scale };
	return true;
}

uint64_t plat_counter(void)
{
	return rdtsc();
}

uint64_t plat_wallclock_ns(void)
{
	return host_clock.wall_ns != 0 ? host_clock.wall_ns + plat_time_ns() : 0;
}

/* --- the deadline */

/* TSC after so many nanoseconds, at most LONGEST_NS: with a rate of at most 10 GHz nothing overflows. */
static uint64_t tsc_after(uint64_t ns)
{
	return rdtsc() + ns * host_clock.tsc_hz / NS_PER_S + 1;
}

static void start_timer(uint64_t ns)
{
	uint64_t count;

	if (host_clock.timer_hz == 0) {
		wrmsr(MSR_TSC_DEADLINE, tsc_after(ns));
		return;
	}
	count = ns * host_clock.timer_hz / NS_PER_S + 1;
	apic_timer_start(count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

static void stop_timer(void)
{
	if (host_clock.timer_hz == 0)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		apic_timer_start(0);
}

/*
 * Fires the deadline if it has passed, else arms what watches it for then or for a part of the way. Interrupts masked.
 */
static void run_deadline(struct pc_cpu *cpu)
{
	uint64_t left = cpu == host_clock.poller ? POLL_NS : LONGEST_NS;
	uint64_t now = plat_time_ns();

	if (cpu->deadline_ns <= now) {
		cpu->deadline_ns = UINT64_MAX;
		if (cpu->attention != NULL)
			__atomic_fetch_or(cpu->attention, ATTN_TIMER, __ATOMIC_RELEASE);
	}
	cpu->watch_tsc = UINT64_MAX;
	if (cpu->deadline_ns == UINT64_MAX && cpu != host_clock.poller) {
		if (!cpu->watched)
			stop_timer();
		return;
	}
	if (cpu->deadline_ns - now < left)
		left = cpu->deadline_ns - now;
	if (cpu->watched)
		cpu->watch_tsc = tsc_after(left);
	else
		start_timer(left);
}

static void set_watched(struct pc_cpu *cpu, bool watched)
{
	if (cpu->watched == watched)
		return;
	cpu->watched = watched;
	run_deadline(cpu);
}

/* Who polls has the timer for that. */
uint64_t clock_watch(void)
{
	struct pc_cpu *cpu = cpu_this();
	uint64_t flags;

	if (!cpu->watched && cpu != host_clock.poller) {
		flags = irq_save();
		set_watched(cpu, true);
		irq_restore(flags);
	}
	return cpu->watch_tsc;
}

void clock_look(void)
{
	uint64_t flags = irq_save();

	run_deadline(cpu_this());
	irq_restore(flags);
}

void clock_wait(void)
{
	set_watched(cpu_this(), false);
}

void clock_poll(void (*look)(void))
{
	uint64_t flags = irq_save();

	if (host_clock.nr_polls < CLOCK_POLLERS)
		host_clock.poll[host_clock.nr_polls++] = look;
	host_clock.poller = cpu_this();
	cpu_this()->watched = false;
	run_deadline(cpu_this());
	irq_restore(flags);
}

void clock_interrupt(void)
{
	struct pc_cpu *cpu = cpu_this();

	for (unsigned i = 0; cpu == host_clock.poller && i < host_clock.nr_polls; i++)
		host_clock.poll[i]();
	run_deadline(cpu);
}

void plat_deadline_set(uint64_t deadline_ns)
{
	struct pc_cpu *cpu = cpu_this();
	uint64_t flags = irq_save();

	if (cpu->deadline_ns != deadline_ns) {
		cpu->deadline_ns = deadline_ns;
		run_deadline(cpu);
	}
	irq_restore(flags);
}
