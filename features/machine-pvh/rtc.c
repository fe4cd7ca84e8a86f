/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calendar clock of a PC, read-only: Motorola MC146818A data sheet, registers in BCD and 24 hours, as PCs have it.
 * It shows the host's time; what is written is forgotten.
 */
#include <errno.h>
#include <stddef.h>

#include <husk/feature.h>
#include <husk/platform.h>

#include "features/machine-pvh/pvh.h"

#define PORT_INDEX 0x70u
#define PORTS      2u

#define REG_SECONDS 0u
#define REG_MINUTES 2u
#define REG_HOURS   4u
#define REG_WEEKDAY 6u
#define REG_DAY     7u
#define REG_MONTH   8u
#define REG_YEAR    9u
#define REG_B       11u
#define REG_D       13u
#define B_24_HOURS  0x02u
#define D_VALID     0x80u

#define NS_PER_S 1000000000u

/** State: the register chosen. */
struct rtc {
	struct device dev; /* first */
	uint8_t index;
};

/** A day of the Gregorian calendar. */
struct date {
	unsigned year, month, day;
};

static unsigned days_in(unsigned month, unsigned year)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static struct date date_of(uint64_t days)
{
	struct date d = { 1970, 1, 1 };

	for (; days >= days_in(d.month, d.year); d.month++) {
		days -= days_in(d.month, d.year);
		if (d.month == 12) {
			d.month = 0;
			d.year++;
		}
	}
	d.day += (unsigned)days;
	return d;
}

static uint8_t bcd(uint64_t value)
{
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

static uint8_t read_register(uint8_t index)
{
	uint64_t seconds = plat_wallclock_ns() / NS_PER_S, days = seconds / 86400;
	struct date d = date_of(days);

	switch (index) {
	case REG_SECONDS: return bcd(seconds % 60);
	case REG_MINUTES: return bcd(seconds / 60 % 60);
	case REG_HOURS: return bcd(seconds / 3600 % 24);
	case REG_WEEKDAY: return bcd((days + 4) % 7 + 1); /* 1 is Sunday */
	case REG_DAY: return bcd(d.day);
	case REG_MONTH: return bcd(d.month);
	case REG_YEAR: return bcd(d.year % 100);
	case REG_B: return B_24_HOURS;
	case REG_D: return D_VALID;
	default: return 0;
	}
}

static uint64_t rtc_read(struct device *dev, uint64_t offset, unsigned size)
{
	const struct rtc *rtc = (const struct rtc *)dev;

	(void)size;
	return offset == 1 ? read_register(rtc->index) : 0xff;
}

/* Bit 7 of the index gates NMIs on a PC. */
static void rtc_write(struct device *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct rtc *rtc = (struct rtc *)dev;

	(void)size;
	if (offset == 0)
		rtc->index = (uint8_t)(value & 0x7f);
}

static const struct device_ops rtc_ops = {
	.read = rtc_read,
	.write = rtc_write,
};

static int attach(struct vm *vm)
{
	struct rtc *rtc = plat_pages_alloc(sizeof(*rtc), 4096);

	if (rtc == NULL)
		return -ENOMEM;
	rtc->dev.name = "rtc";
	rtc->dev.ops = &rtc_ops;
	return bus_attach(&vm->ports, &rtc->dev, PORT_INDEX, PORTS);
}

HUSK_FEATURE(pvh_rtc) = {
	.name = "pvh-rtc",
	.purpose = "calendar clock of the machine pvh",
	.level = FEATURE_DEVICE,
	.attach = attach,
};
